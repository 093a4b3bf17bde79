"""``mlgate()``: judging a version, recording the verdict, promoting and rolling back."""

from __future__ import annotations

import dataclasses
import getpass
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.commands.candidate_loader import gather
from cvtrack_magics.commands.gate_request import demanded, functions
from cvtrack_magics.commands.live_evaluation import Data, measured_on
from cvtrack_magics.commands.mlload import check_export, check_files
from cvtrack_magics.errors import FilesAltered, GateRefused, UsageProblem
from cvtrack_magics.records import Artifact
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import Found, find, registry

if TYPE_CHECKING:
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release.facts import Candidate
    from cvtrack_magics.release.gate import GateFile, Verdict
    from cvtrack_magics.release.promotion import Entry, Promotion
    from cvtrack_magics.store.registry import Registry, Version

FIGURES = 8
MOST_VERDICTS = 20  # passed verdicts whose files are looked for


def mlgate(
    name: str = "",
    *,
    soft: bool = False,
    rollback: bool = False,
    reason: str = "",
    history: bool = False,
    **options: Any,
) -> Listing:
    """Judge a version of a registered model, and promote it if it passes.

    Parameters
    ----------
    name : str
        The registered model.
    soft : bool
        Report a refusal instead of raising it.
    rollback : bool
        Judge nothing, and make the champion before this one the champion again.
    reason : str
        Of the rollback; it is kept.
    history : bool
        Judge nothing, and return what was judged, promoted and rolled back.
    **options
        See :func:`judged`.

    Returns
    -------
    Listing
        ``result`` is the ``Verdict``, the ``Promotion`` or the entries of the history.

    Raises
    ------
    GateRefused
        The version did not pass, and ``soft`` is not set.
    """
    if history:
        return past(name)
    if rollback:
        return back(name, reason=reason, who=options.get("who", ""))
    found = judged(name, **options)
    if not soft:
        insist(found)
    return found


def insist(found: Listing) -> None:
    """Raise a verdict that is a refusal."""
    if not found.result.passed:
        raise GateRefused(found.result)


def judged(
    name: str = "",
    *,
    version: str = "",
    run: str = "",
    require: Sequence[str] = (),
    champion: str = "",
    margin: float | None = None,
    confidence: float | None = None,
    file: str = "",
    data: Any = None,
    task: str = "",
    trust: bool = False,
    promote: bool = False,
    stage: bool | None = None,
    who: str = "",
    unproved: bool = False,
) -> Listing:
    """Judge a version, record the verdict on it, and promote it if that is asked for.

    Parameters
    ----------
    name : str
        The registered model; may be left to ``file``.
    version, run : str
        Which version: by number, or the one made of a run; otherwise the newest.
    require : sequence of str
        Rules, such as ``val/mAP50 >= 0.85``; see :mod:`cvtrack_magics.release.gate.rules`.
    champion : str
        The metric that must be better than the champion's, on the same held-out data.
    margin, confidence : float, optional
        By how much (0), and how surely (0.95, one-sided).
    file : str
        A ``gate.yaml``, whose rules are added.
    data : tuple, optional
        (inputs, truth): both versions are run and measured on it now.
    task : str
        The task of ``data``, where it is not that of the run.
    trust : bool
        Whether the models may run code that came with them on ``data``.
    promote : bool
        Make it the champion if it passes.
    stage : bool, optional
        Move MLflow's stages too; by default where the model uses them.
    who : str
        Who judges; otherwise the user of the machine.
    unproved : bool
        Let a version pass too that was not compared, as it is served, with what was measured.

    Returns
    -------
    Listing
        ``result`` is the ``Verdict``.
    """
    from cvtrack_magics.release.promotion import champion_of, look

    asked = demanded(
        name,
        require=require,
        champion=champion,
        margin=margin,
        confidence=confidence,
        file=file,
        unproved=unproved,
    )
    store = registry()
    now = champion_of(look(store, asked.model))
    found = find(asked.model, version=version, run=run)
    if found.version is None:
        raise UsageProblem(
            f"{asked.model!r} has no version yet.",
            f"%mlmodel MODEL --example X --register {asked.model} makes it one.",
        )
    rival = None if now is None else gather(Found(now.run_id, now))
    who = who or getpass.getuser()
    on = None if data is None else Data(data, task, trust)
    candidate = _checked(gather(found))
    verdict = _verdict(candidate, rival, asked, on, who)
    said = _record(store, found.version, now, verdict, who, promote=promote, stage=stage)
    return listing_of(verdict, said)


def _checked(candidate: Candidate) -> Candidate:
    """Return a candidate with what is wrong with its files, its exports' among them."""
    return dataclasses.replace(
        candidate, altered=_altered(candidate.version) or _altered_exports(candidate)
    )


def _altered_exports(candidate: Candidate) -> str:
    from cvtrack_magics.store.model_files import EXPORT_TAG

    tracking = get_session().tracking
    run = tracking.run_of(candidate.run_id)
    formats = [tag.removeprefix(EXPORT_TAG) for tag in candidate.tags if EXPORT_TAG in tag]
    for format in sorted(formats):
        with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
            if not tracking.files(run, format):
                return f"the {format} export that was proved is gone"
            try:
                check_export(run, tracking.download(run, format, Path(folder)), format)
            except FilesAltered as error:
                return error.problem
    return ""


def _altered(version: Version | None) -> str:
    """Return that a version's files are not those that were registered, or nothing."""
    try:
        check_files(version)
    except FilesAltered:
        return "its files are not those that were registered: their SHA-256 differs"
    return ""


def _verdict(
    candidate: Candidate, rival: Candidate | None, asked: GateFile, data: Data | None, who: str
) -> Verdict:
    from cvtrack_magics.release.gate import compare, judge

    judged_as = partial(
        judge,
        functions=functions(),
        demands=asked.demands,
        unproved=asked.unproved,
        when=int(time.time() * 1000),
        who=who,
    )
    rule = asked.champion
    if data is None:
        return judged_as(candidate, asked.rules, champion=rival, champion_rule=rule)
    if rule is None:
        raise UsageProblem("--data is for the champion.", "--champion METRIC names what counts.")
    prefix = rule.metric.rpartition("/")[0]
    mine = measured_on(candidate, data, prefix)
    theirs = None if rival is None else measured_on(rival, data, prefix)
    if not asked.rules:
        return judged_as(mine, (), champion=theirs, champion_rule=rule)
    verdict = judged_as(candidate, asked.rules, champion=rival)
    row, comparison = compare(mine, theirs, rule)
    return dataclasses.replace(verdict, rows=(*verdict.rows, row), comparison=comparison)


def _record(
    store: Registry,
    version: Version,
    now: Version | None,
    verdict: Verdict,
    who: str,
    *,
    promote: bool,
    stage: bool | None,
) -> str:
    """Keep the verdict on the version, and promote it; return what was done, in words."""
    from cvtrack_magics.release import promotion

    facts = _facts(verdict)
    keep = _keeper(version)
    if not (promote and verdict.passed):
        promotion.record_verdict(store, version.name, version.version, facts, who=who, keep=keep)
        return "The verdict is kept on the version."
    done = promotion.promote(
        store,
        version.name,
        version.version,
        expected_champion=None if now is None else now.version,
        verdict=facts,
        who=who,
        stage=stage,
        keep=keep,
        step=_tell_of_waiting,
    )
    return _done(done)


def _facts(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict with what is read of it at a glance."""
    passed = sum(row.passed for row in verdict.rows)
    return {
        **json.loads(verdict.to_json()),
        "summary": f"{passed} of {len(verdict.rows)} rules hold",
        "figures": {row.rule: row.got for row in verdict.rows[:FIGURES]},
    }


def _keeper(version: Version) -> Callable[[str, str], None]:
    """Return what stores a text as an artifact of the version's run."""
    tracking = get_session().tracking
    run = tracking.run_of(version.run_id)

    def keep(path: str, text: str) -> None:
        tracking.write(run, [Artifact(path, text)])

    return keep


def _tell_of_waiting(step: str) -> None:
    """Say why nothing seems to happen; the other steps take no time worth a line."""
    if step.startswith("waits"):
        get_session().host.say(f"cvtrack: this promotion {step}.")


def _done(done: Promotion) -> str:
    instead = f"; it replaces version {done.before}" if done.before else ""
    stages = ", and in Production" if done.stages else ""
    words = f"Version {done.version} is the champion{stages}{instead}."
    return " ".join([words, *done.repaired])


def back(name: str, *, reason: str = "", who: str = "") -> Listing:
    """Make the champion before this one the champion again."""
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release import promotion

    done = promotion.rollback(
        registry(),
        name,
        who=who or getpass.getuser(),
        reason=reason,
        unproved=_unproved,
        step=_tell_of_waiting,
    )
    return Listing(f"{name} was rolled back.", result=done, where=_done(done), passed=True)


def _unproved(version: Version, passed: list[Entry]) -> str:
    """Say why a version cannot be returned to: no passed verdict, with its file, is there."""
    if not passed:
        return "no verdict of the gate on it has passed."
    altered = _altered(version)
    if altered:
        return f"{altered}."
    faults = []
    for verdict in passed[:MOST_VERDICTS]:
        fault = _fault_of(version, verdict)
        if not fault:
            return ""
        faults.append(fault)
    return faults[0]


def _fault_of(version: Version, verdict: Entry) -> str:
    path = f"governance/gate/{verdict.id}.json"
    tracking = get_session().tracking
    try:
        kept = tracking.read_file(tracking.run_of(version.run_id), path)
    except Exception as error:
        return f"its verdict {path} cannot be read ({kind_and_line(error)})."
    if hashlib.sha256(kept).hexdigest() != verdict.sha256:
        return f"its verdict {path} is not the one that passed."
    return ""


def past(name: str) -> Listing:
    """Return what was judged, promoted and rolled back, the newest first, and why it is there."""
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release import promotion

    store = registry()
    entries = promotion.history(store, name)
    return Listing(
        f"{name}: {len(entries)} records.",
        result=entries,
        where=promotion.why(store, name).line,
        columns=("when (UTC)", "", "version", "who", "commit", "what for"),
        rows=tuple(_row(entry) for entry in reversed(entries)),
    )


def _row(entry: Entry) -> tuple[str, ...]:
    # a change has the figures of the verdict it rests on, which has a row of its own
    figures = [] if entry.after else [f"{key}: {value}" for key, value in entry.figures.items()]
    change = f"{entry.before or 'none'} → {entry.after}" if entry.after else ""
    summary = "" if entry.after else entry.summary
    said = (change, entry.reason, entry.repaired, summary, ", ".join(figures))
    about = "; ".join(text for text in said if text)
    when = f"{entry.time:%Y-%m-%d %H:%M:%S}"
    return (when, entry.what, entry.version, entry.who, entry.commit[:8], about)


def listing_of(verdict: Verdict, where: str) -> Listing:
    """Return a verdict as a table."""
    from cvtrack_magics.display.table_view import MARKS, Listing
    from cvtrack_magics.display.text import number

    def margin(value: float | None) -> str:
        return "" if value is None else f"{'+' if value >= 0 else ''}{number(value)}"

    outcome = "passed" if verdict.passed else "did not pass"
    beside = verdict.comparison
    notes = []
    if beside is not None:
        notes.append(
            f"{beside.metric}: {number(beside.challenger_value)} beside "
            f"{number(beside.champion_value)} of {beside.champion}, on the same "
            f"{beside.samples:,} samples ({beside.method})."
        )
    return Listing(
        f"{verdict.candidate} {outcome}.",
        result=verdict,
        where=where,
        passed=verdict.passed,
        columns=("", "rule", "required", "actual", "margin", "reason"),
        rows=tuple(
            (MARKS[row.passed], row.rule, row.wanted, row.got, margin(row.margin), row.why)
            for row in verdict.rows
        ),
        notes=tuple(notes),
    )
