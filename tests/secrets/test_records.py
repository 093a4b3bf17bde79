"""Every record is masked at one gate; code that was masked says so, and diffs still apply."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from cvtrack_magics.records import Artifact, Dataset, Param, Record, Tag
from cvtrack_magics.secrets import Masker
from cvtrack_magics.secrets.diffs import GIT_DIFF_TAG
from cvtrack_magics.secrets.notebooks import mask_notebook
from cvtrack_magics.secrets.records import RecordMasker
from tests.secrets.tokens import TOKENS

TOKEN = TOKENS["hf"]
CELL = {
    "cell_type": "code",
    "id": "00000000",
    "metadata": {},
    "execution_count": 1,
    "source": ["x = 1\n", f"t = '{TOKEN}'"],
    "outputs": [
        {"output_type": "display_data", "data": {"text/html": f"<b>{TOKEN}</b>"}, "metadata": {}},
        {"output_type": "error", "ename": "E", "evalue": TOKEN, "traceback": [f"E: {TOKEN}"]},
    ],
}
NOTEBOOK = json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})

RECORDS: dict[str, Record] = {
    "param": Param("a", TOKEN),
    "param's name": Param(TOKEN, "a"),
    "named param": Param("db.password", "x1"),
    "tag": Tag("a", f"see {TOKEN}"),
    "remote": Tag("git_remote", f"bob:{TOKEN}@host.example:team/a.git"),
    "data source": Dataset("d", f"s3://x?token={TOKEN}", "training", "00"),
    "data name": Dataset(TOKEN, "", "training", "00"),
    "data profile": Dataset("d", "", "training", "00", profile={"a": [TOKEN]}),
    "cell": Artifact("code/cell.py", f"t = '{TOKEN}'\n"),
    "session": Artifact("code/session.ipy", f"t = '{TOKEN}'\n"),
    "notebook": Artifact("code/session.ipynb", NOTEBOOK),
    "output": Artifact("logs/output.txt", f"using {TOKEN}\n"),
    "traceback": Artifact("error/traceback.txt", f"ValueError: {TOKEN}"),
    "module": Artifact("code/modules/a.py", f"#!/usr/bin/python\nt = '{TOKEN}'\n".encode()),
    "latin-1 module": Artifact("code/modules/b.py", f"# é\nt = '{TOKEN}'\n".encode("latin-1")),
    "config": Artifact("configs/a.yaml", f"t: {TOKEN}\n"),
    "json": Artifact("a.json", json.dumps({"t": TOKEN})),
    "a kind of file that nobody knows": Artifact("a.erl", f"x() -> {TOKEN}.\n"),
    "its bytes": Artifact("a.zig", f"t = {TOKEN}\n".encode()),
    "a page": Artifact("report.html", f"<b>{TOKEN}</b>"),
    "file name": Artifact(f"files/{TOKEN}.bin", b"\0"),
}


@pytest.mark.parametrize("place", RECORDS)
def test_no_record_keeps_a_secret(place: str) -> None:
    masker = RecordMasker(Masker())
    record = masker.records([RECORDS[place]])[0]
    assert TOKEN not in repr(record)
    assert "x1" not in repr(record)
    assert masker.said().startswith("Masked ")
    assert masker.records([record]) == [record]


def test_a_file_of_the_users_is_looked_through(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"t {TOKEN}")
    record = RecordMasker(Masker()).records([Artifact("a.txt", source=path)])[0]
    assert record == Artifact("a.txt", b"t ***hf***")
    path.write_text("plain")
    clean = Artifact("a.txt", source=path)
    assert RecordMasker(Masker()).records([clean]) == [clean]


BINARY = {
    "null bytes": b"\0" + TOKEN.encode(),
    "no UTF-8": b"\xff\xfe\x80" + TOKEN.encode(),
}


@pytest.mark.parametrize("content", BINARY.values(), ids=BINARY)
@pytest.mark.parametrize("given", ["as bytes", "as a file"])
def test_what_is_no_text_stays_to_the_byte(content: bytes, given: str, tmp_path: Path) -> None:
    source = tmp_path / "w.weights"
    source.write_bytes(content)
    record = Artifact("w.weights", content)
    if given == "as a file":
        record = Artifact("w.weights", source=source)
    assert RecordMasker(Masker()).records([record]) == [record]
    assert source.read_bytes() == content


def test_masked_code_says_so_and_keeps_its_lines() -> None:
    text = f"#!/usr/bin/python\n# coding: utf-8\nt = '{TOKEN}'\n"
    record = RecordMasker(Masker()).records([Artifact("a.py", text)])[0]
    assert isinstance(record, Artifact)
    assert str(record.content).splitlines() == [
        "#!/usr/bin/python",
        "# Secrets masked when this was recorded: hf (1)",
        "# coding: utf-8",
        "t = '***hf***'",
    ]


@pytest.mark.parametrize(
    "cell",
    [
        '{"source": ' + "[" * 700 + '"TOKEN"' + "]" * 700 + "}",
        '{"source": ' + "[" * 100_000 + '"TOKEN"',
        '["TOKEN"]',
        '"TOKEN"',
    ],
    ids=["deep", "deeper", "list", "text"],
)
def test_a_notebook_of_any_shape_is_masked(cell: str) -> None:
    token = TOKENS["hf"]
    text, found = mask_notebook(f'{{"cells": [{cell.replace("TOKEN", token)}]}}', Masker())
    assert token not in text
    assert found


def test_a_masked_notebook_says_so_and_has_no_digest_of_what_was_there() -> None:
    record = RecordMasker(Masker()).records([Artifact("s.ipynb", NOTEBOOK)])[0]
    assert isinstance(record, Artifact)
    notebook = json.loads(str(record.content))
    assert notebook["metadata"]["cvtrack_masked"] == {"hf": 4}
    assert notebook["cells"][0]["id"] != "00000000"
    assert notebook["cells"][0]["source"] == ["x = 1\n", "t = '***hf***'"]


SURROGATES = ["a\ud800b", "\udce9", "\udfff\ud800", "x" * 50 + "\ud800", "é\ud83d"]


@pytest.mark.parametrize("text", SURROGATES)
def test_lone_surrogates_are_kept_escaped(text: str) -> None:
    made: list[Record] = [
        Param(text, text),
        Tag("a", text),
        Dataset(text, text, "training", "0", {text: text}, {"a": [text]}),
        Artifact("a.txt", text),
        Artifact(f"{text}.png", b"1"),
        Artifact("a.html", text),
    ]
    for record in RecordMasker(Masker("off")).records(made):
        json.dumps(repr(record), ensure_ascii=False).encode()
        for part in (getattr(record, "key", ""), getattr(record, "value", "")):
            assert part.encode().decode() == part
    masked = RecordMasker(Masker()).text("a\ud800b")
    assert masked == "a\\ud800b"


def _git(folder: Path, *words: str) -> str:
    options = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(
        ["git", *options, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


LINES = [f"line {n}\n" for n in range(60)]
CHANGES = {
    "added": (LINES, [*LINES[:30], f"t = '{TOKEN}'\n", *LINES[30:]], True),
    "replaced word": (LINES, [*LINES[:30], f"t = '{TOKEN}'\n", *LINES[31:]], True),
    "no newline": (LINES, [*LINES, f"t = '{TOKEN}'"], True),
    "private key": (
        LINES,
        [*LINES, "-----BEGIN PRIVATE KEY-----\n", "A1" * 32 + "\n", "-----END PRIVATE KEY-----\n"],
        True,
    ),
    "removed": ([*LINES[:30], f"t = '{TOKEN}'\n", *LINES[30:]], LINES, False),
    "context": (
        [*LINES[:30], f"t = '{TOKEN}'\n", *LINES[30:]],
        [*LINES[:30], f"t = '{TOKEN}'\n", "new\n", *LINES[30:]],
        False,
    ),
}


PASSWORD = "tr0ub4dor" + "K9"
SPLIT = {
    "an entry's value": ("- name: DB_PASSWORD\n  value: x\n", f"value: {PASSWORD}", "value: x"),
    "a key's value": ('c = {\n  "password":\n  ""\n}\n', f'"{PASSWORD}"', '""'),
    "an argument": ("connect(\n  password=\n    pw,\n)\n", f"'{PASSWORD}'", "pw"),
    "without a newline": ("password = (\n  pw)", f"'{PASSWORD}'", "pw"),
    "behind a form feed": ("a = 1\nb = 2\n", f"\x0cpassword = '{PASSWORD}'", "b = 2"),
    "before a form feed": ("a = 1\nb = 2\n", f"password = '{PASSWORD}'\x0c-x", "b = 2"),
    "added up": (
        "api_key = (\n  a\n  + b)\n",
        f"'{PASSWORD[:6]}' + '{PASSWORD[6:]}9d8'",
        "a\n  + b",
    ),
}


@pytest.mark.parametrize("kind", SPLIT)
def test_a_secret_behind_what_was_there_is_masked_and_the_diff_applies(
    kind: str, tmp_path: Path
) -> None:
    before, new, old = SPLIT[kind]
    _git(tmp_path, "init", "-q")
    code, other = tmp_path / "a.py", tmp_path / "b.py"
    code.write_text(before)
    other.write_text("b = 1\n")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "a")
    code.write_text(before.replace(old, new))
    other.write_text("b = 2\n")
    diff = _git(tmp_path, "diff", "HEAD")
    record = RecordMasker(Masker()).records([Artifact("code/uncommitted.diff", diff)])[0]
    assert isinstance(record, Artifact)
    text = str(record.content)
    assert not [part for part in (PASSWORD, PASSWORD[:6], PASSWORD[6:]) if part in text]
    _git(tmp_path, "checkout", "-q", ".")
    (tmp_path / "p.diff").write_text(text)
    _git(tmp_path, "apply", "p.diff")
    assert other.read_text() == "b = 2\n"


@pytest.mark.parametrize("kind", CHANGES)
def test_git_applies_what_is_left_of_a_diff(kind: str, tmp_path: Path) -> None:
    before, after, kept = CHANGES[kind]
    _git(tmp_path, "init", "-q")
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("".join(before))
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "a")
    (tmp_path / "a.py").write_text("first\n" + "".join(after))
    (tmp_path / "b.py").write_text("".join(before) + "last\n")
    diff = _git(tmp_path, "diff", "HEAD")
    record = RecordMasker(Masker()).records([Artifact("code/uncommitted.diff", diff)])[0]
    assert isinstance(record, Artifact)
    text = str(record.content)
    assert TOKEN not in text
    assert "A1A1A1" not in text
    assert ("# Left out, for it holds a secret: a.py @@ -" in text) is not kept
    _git(tmp_path, "checkout", "-q", ".")
    (tmp_path / "p.diff").write_text(text)
    _git(tmp_path, "apply", "p.diff")
    assert (tmp_path / "b.py").read_text().endswith("last\n")
    lines = (tmp_path / "a.py").read_text().splitlines()
    assert lines[0] == "first"
    if kept:
        expected = ["first", *"".join(after).splitlines()]
        assert [a for a, b in zip(lines, expected, strict=True) if a != b] in (
            ["t = '***hf***'"],
            ["***private-key***"],
        )


def test_a_diff_without_a_secret_stays_to_the_byte() -> None:
    diff = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-é\n+caf\udce9\n"
    record = RecordMasker(Masker()).records([Artifact("code/a.diff", diff)])[0]
    assert isinstance(record, Artifact)
    assert record.content == diff.encode("utf-8", "surrogateescape")


def _diff_tag(diff: str) -> tuple[str, str]:
    """Return the diff that is kept as a file, and what MLflow shows of it."""
    items: list[Record] = [Artifact("code/uncommitted.diff", diff), Tag(GIT_DIFF_TAG, diff)]
    file, tag = RecordMasker(Masker()).records(items)
    assert isinstance(file, Artifact)
    assert isinstance(tag, Tag)
    return str(file.content), tag.value


def _added(lines: list[str]) -> str:
    head = "diff --git a/a.py b/a.py\nindex 1..2 100644\n--- a/a.py\n+++ b/a.py\n"
    return f"{head}@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)


@pytest.mark.parametrize(
    "lines",
    [["x = 1"], [f"t = '{TOKEN}'"], ["x = 1"] * 3000, [*["x = 1"] * 600, f"t = '{TOKEN}'"] * 3],
)
def test_the_diff_that_mlflow_shows_is_the_one_that_is_kept(lines: list[str]) -> None:
    file, tag = _diff_tag(_added(lines))
    assert TOKEN not in tag
    assert len(tag) <= 5000

    if len(file) > 4900:
        assert tag.endswith(" more lines: code/uncommitted.diff\n")
        assert file.startswith(tag[: tag.rindex("# ")])
        more = int(tag[tag.rindex("# ") :].split()[1].replace(",", ""))
        assert tag.count("\n") - 1 + more == file.count("\n")
    else:
        assert tag == file


def test_a_secret_that_goes_over_the_cut_is_masked_whole() -> None:
    key = [
        *["x = 1"] * 690,
        "k = '''-----BEGIN PRIVATE KEY-----",
        *["MIIEvQIBADANBgkqhkiG9w0BAQE"] * 26,
    ]
    file, tag = _diff_tag(_added([*key, "-----END PRIVATE KEY-----'''"]))
    assert "MIIEvQ" not in file
    assert "MIIEvQ" not in tag
