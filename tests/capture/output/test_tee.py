"""Copies of what is printed."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading

import pytest
from tqdm import tqdm

from cvtrack_magics.capture.output.tee import StreamTee, collapse


def screen(patch: pytest.MonkeyPatch) -> tuple[io.StringIO, io.StringIO]:
    """Put two empty streams in place; not a fixture, because pytest swaps streams after those."""
    out, err = io.StringIO(), io.StringIO()
    patch.setattr(sys, "stdout", out)
    patch.setattr(sys, "stderr", err)
    return out, err


def test_copies_both_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = screen(monkeypatch)
    with StreamTee() as tee:
        assert sys.stdout is out
        print("hello")
        print("oops", file=sys.stderr)
        sys.stdout.writelines(["a\n", "b\n"])
    print("after")
    assert tee.text() == "hello\noops\na\nb\n"
    assert out.getvalue() == "hello\na\nb\nafter\n"
    assert err.getvalue() == "oops\n"
    assert "write" not in vars(out)


def test_attach_twice_copies_once(monkeypatch: pytest.MonkeyPatch) -> None:
    screen(monkeypatch)
    tee = StreamTee()
    tee.attach()
    tee.attach()
    print("x")
    tee.detach()
    tee.detach()
    assert tee.text() == "x\n"
    assert not tee.attached


def test_one_object_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    both = io.StringIO()
    monkeypatch.setattr(sys, "stdout", both)
    monkeypatch.setattr(sys, "stderr", both)
    with StreamTee() as tee:
        print("x")
    assert tee.text() == "x\n"


def test_goes_on_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    screen(monkeypatch)
    tee = StreamTee()
    with tee:
        print("one")
    print("not this")
    with tee:
        print("two")
    assert tee.text() == "one\ntwo\n"


def test_follows_a_replaced_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    screen(monkeypatch)
    tee = StreamTee()
    with tee:
        print("one")
        with contextlib.redirect_stdout(io.StringIO()) as inner:
            tee.attach()
            print("two")
        print("three")
    assert tee.text() == "one\ntwo\nthree\n"
    assert inner.getvalue() == "two\n"
    assert "write" not in vars(inner)


def test_wrapped_after_us(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = screen(monkeypatch)
    seen: list[str] = []
    tee = StreamTee()
    tee.attach()
    ours = out.write

    def theirs(text: str) -> int:
        seen.append(text)
        return ours(text)

    out.write = theirs  # type: ignore[method-assign]
    print("one")
    tee.detach()
    assert out.write is theirs
    print("two")
    assert seen == ["one", "\n", "two", "\n"]
    assert tee.text() == "one\n"
    tee.attach()
    print("three")
    tee.detach()
    assert tee.text() == "one\nthree\n"
    assert out.getvalue() == "one\ntwo\nthree\n"


def test_undone_behind_our_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = screen(monkeypatch)
    bound = out.write
    tee = StreamTee()
    tee.attach()
    out.write = bound  # type: ignore[method-assign]
    print("missed")
    tee.attach()
    print("seen")
    tee.detach()
    assert tee.text() == "seen\n"
    assert out.getvalue() == "missed\nseen\n"


def test_wrapped_before_us_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = screen(monkeypatch)
    bound = out.write

    def theirs(text: str) -> int:
        return bound(text)

    out.write = theirs  # type: ignore[method-assign]
    with StreamTee() as tee:
        print("x")
    assert out.write is theirs
    assert tee.text() == "x\n"


def test_inside_ipythons_own_wrapping() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    tee = StreamTee()
    shell.push({"tee": tee})
    shell.run_cell("tee.attach(); print('one')")
    shell.run_cell("print('two'); tee.attach(); print('three'); tee.detach()")
    shell.run_cell("print('four')")
    assert tee.text().startswith("one\n")
    assert tee.text().endswith("three\n")
    assert "four" not in tee.text()


def test_logging_handlers_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    screen(monkeypatch)
    handler = logging.StreamHandler()
    with StreamTee() as tee:
        handler.emit(logging.LogRecord("x", 20, "", 0, "logged", None, None))
    assert tee.text() == "logged\n"


def test_progress_bars_leave_their_last_state(monkeypatch: pytest.MonkeyPatch) -> None:
    screen(monkeypatch)
    with StreamTee() as tee:
        for index in tqdm(range(200), mininterval=0, miniters=1):
            if index == 100:
                print("half way")
    lines = tee.text().splitlines()
    assert len(lines) == 2
    assert lines[0] == "half way"
    assert lines[1].startswith("100%")


def test_an_open_progress_bar_costs_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    screen(monkeypatch)
    tee = StreamTee(limit=1000)
    with tee:
        for index in range(20000):
            sys.stderr.write(f"\rstep {index} of many")
    assert tee.text() == "step 19999 of many"
    assert sum(len(part) for part in tee._log._open["stderr"]) < 100_000


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\rb\n", "b\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("50%\r100%\r", "100%"),
        ("\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07", "red link"),
        ("long line\rshort   \n", "short\n"),
        ("plain", "plain"),
    ],
)
def test_collapse(raw: str, shown: str) -> None:
    assert collapse(raw) == shown


def test_head_and_tail_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    screen(monkeypatch)
    tee = StreamTee(limit=1000)
    with tee:
        for index in range(1000):
            print(f"line {index:04d}")
    text = tee.text()
    assert text.startswith("line 0000\nline 0001\n")
    assert text.endswith("line 0998\nline 0999\n")
    assert "[… 8,000 characters left out …]" in text
    assert len(text) < 2100


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    screen(monkeypatch)

    def work(name: str) -> None:
        for _ in range(500):
            sys.stdout.write(f"{name}\n")

    with StreamTee() as tee:
        threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = tee.text().splitlines()
    assert sorted(lines) == sorted(["t0", "t1", "t2", "t3"] * 500)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_never_waits_for_our_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    screen(monkeypatch)
    tee = StreamTee()
    with tee, tee._lock:
        child = os.fork()
        if child == 0:
            print("from the child")
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_stream_without_attributes_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare:
        __slots__ = ()

        def write(self, text: str) -> int:
            return len(text)

    monkeypatch.setattr(sys, "stdout", Bare())
    monkeypatch.setattr(sys, "stderr", None)
    with StreamTee() as tee:
        sys.stdout.write("x")
    assert tee.text() == ""
