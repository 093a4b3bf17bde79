"""A verdict for a terminal, for the summary of a CI job and for its test report."""

from __future__ import annotations

from datetime import datetime, timezone
from xml.etree import ElementTree

from cvtrack_magics.release.gate.verdict import Row, Verdict
from cvtrack_magics.release.gate.wording import number, padded, plain, signed, width

_MARKS = {True: "✓", False: "✗"}
# Numeric references are text to Markdown, in a table too; the space of no width keeps a name
# from becoming a mention and a number from becoming an issue.
_MARKDOWN = str.maketrans(
    {
        **{mark: f"&#{ord(mark)};" for mark in "&<>|`*_[]~$\\!"},
        "@": "@&#8203;",
        "#": "&#35;&#8203;",
    }
)


def as_text(verdict: Verdict) -> str:
    """Return aligned lines, one for each rule, under one that says what came of it."""
    table = [_cells(row) for row in verdict.rows]
    columns = [max((width(cells[at]) for cells in table), default=0) for at in range(2)]
    lines = [f"{_outcome(verdict)}: {plain(verdict.candidate)}"]
    for row, (rule, got, note) in zip(verdict.rows, table, strict=True):
        start = f"{_MARKS[row.passed]} {padded(rule, columns[0])}  {padded(got, columns[1])}"
        lines.append(f"  {start}  {note}".rstrip())
    if verdict.comparison is not None:
        lines.append(f"  {_compared(verdict)}")
    return "\n".join(lines)


def as_markdown(verdict: Verdict) -> str:
    """Return a heading, a table and what it was judged of."""
    lines = [
        f"### {_MARKS[verdict.passed]} {_outcome(verdict)}: {_markdown(verdict.candidate)}",
        "",
        "| | rule | got | |",
        "|:-:|---|---|---|",
    ]
    for row in verdict.rows:
        cells = " | ".join(_markdown(cell) for cell in _cells(row))
        lines.append(f"| {_MARKS[row.passed]} | {cells} |")
    notes = [_compared(verdict)] if verdict.comparison else []
    notes.append(_judged(verdict))
    for note in notes:
        lines += ["", _markdown(note)]
    return "\n".join(lines) + "\n"


def as_junit(verdict: Verdict) -> str:
    """Return XML that every CI system reads as a test report."""
    failed = sum(not row.passed for row in verdict.rows)
    counts = {"tests": str(len(verdict.rows)), "failures": str(failed), "errors": "0"}
    whole = ElementTree.Element("testsuites", counts)
    about = {"name": plain(verdict.candidate), "skipped": "0", "time": "0"}
    about["timestamp"] = _at(verdict, "%Y-%m-%dT%H:%M:%S")
    suite = ElementTree.SubElement(whole, "testsuite", {**about, **counts})
    for row in verdict.rows:
        name = {"classname": "gate", "name": plain(row.rule), "time": "0"}
        case = ElementTree.SubElement(suite, "testcase", name)
        said = " ".join(part for part in _cells(row)[1:] if part)
        if row.passed:
            ElementTree.SubElement(case, "system-out").text = said
        else:
            failure = {"message": plain(row.why) or "not met", "type": "gate"}
            ElementTree.SubElement(case, "failure", failure).text = said
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}{ElementTree.tostring(whole, encoding='unicode')}\n"


def _cells(row: Row) -> tuple[str, str, str]:
    note = row.why
    if not note and row.margin is not None:
        note = f"by {signed(row.margin)}"
    return plain(row.rule), plain(row.got) or "–", plain(note)


def _outcome(verdict: Verdict) -> str:
    met = sum(row.passed for row in verdict.rows)
    word = "passed" if verdict.passed else "refused"
    return f"{word} ({met} of {len(verdict.rows)} rules hold)"


def _compared(verdict: Verdict) -> str:
    found = verdict.comparison
    assert found is not None
    chosen = f", as the best of {found.candidates:,}" if found.candidates > 1 else ""
    return (
        f"{plain(found.metric, 80)}: {number(found.challenger_value)}, that of "
        f"{plain(found.champion, 80)} is {number(found.champion_value)}; on the same "
        f"{found.samples:,} samples better by {signed(found.difference)}, "
        f"with {found.confidence:.4g} confidence by more than {signed(found.low)} "
        f"({plain(found.method)}{chosen})"
    )


def _judged(verdict: Verdict) -> str:
    parts = [f"Judged {_at(verdict, '%Y-%m-%d %H:%M UTC')}"]
    parts += [f"by {plain(verdict.who, 60)}"] if verdict.who else []
    parts += [f"run {plain(verdict.run_id, 40)}"]
    parts += [f"commit {plain(verdict.commit, 40)}"] if verdict.commit else []
    return ", ".join(parts) + "."


def _at(verdict: Verdict, form: str) -> str:
    try:
        return datetime.fromtimestamp(verdict.when / 1000, timezone.utc).strftime(form)
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"


def _markdown(text: str) -> str:
    """Return one line of text as Markdown that shows it and nothing else."""
    shown = plain(text, 600).translate(_MARKDOWN)
    return shown.replace("://", "&#58;//").replace("www.", "www&#46;")
