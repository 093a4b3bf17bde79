"""Text on consoles of any encoding, and on those that are gone."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cvtrack_magics.console import any_encoding, fitted, say, settle

ENCODINGS = ("ascii", "cp1252", "gbk", "cp437", "latin-1", "cp932", "utf-8", "utf-16", "koi8-r")
TEXT = "✓ passed · 0.97 ≥ 0.9 → “net” — Straße 図 \udc80 …"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_text_is_printed(encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    assert say(TEXT, stream) == ""
    assert settle(stream) == ""
    shown = raw.getvalue().decode(encoding)
    assert "passed" in shown
    assert shown.count("\n") == 1
    assert shown.startswith(("✓", "[ok]"))


def test_what_an_encoding_has_stays() -> None:
    assert fitted("Straße · 5 µm ✓", "latin-1") == "Straße · 5 µm [ok]"
    assert fitted("Straße ✓ 図", "utf-8") == "Straße ✓ 図"
    assert fitted("\udc80", "utf-8") == "?"


def test_no_stream_fails_anything() -> None:
    closed = io.StringIO()
    closed.close()
    assert "closed" in say("x", closed)
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        assert say("x", full) == ""  # it is in the buffer
        assert "No space" in settle(full)


def test_what_others_print_is_printed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with any_encoding():
        print("✓")
    stream.flush()
    assert raw.getvalue().decode().strip() == "[ok]"
    assert stream.errors == "strict"


@pytest.mark.parametrize("words", [("sync",), ("sync", "--json"), ("sync", "--show")])
@pytest.mark.parametrize("where", ["pipe", "full", "none"])
def test_the_exit_code_is_the_answers_where_it_cannot_be_printed(
    words: tuple[str, ...], where: str
) -> None:
    command = [sys.executable, "-m", "cvtrack_magics", *words]
    if where == "none":
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    reads, writes = os.pipe()
    os.close(reads)
    with Path("/dev/full").open("w") as full, open(writes, "w") as pipe:
        target = {"pipe": pipe, "full": full, "none": subprocess.DEVNULL}[where]
        ran = subprocess.run(command, stdout=target, stderr=subprocess.PIPE, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    assert b"Traceback" not in ran.stderr
    assert b"Exception ignored" not in ran.stderr
