"""``mlgate()``: judging a version, recording the verdict, promoting and rolling back."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from cvtrack_magics import system
from cvtrack_magics.commands.altered_files import checked
from cvtrack_magics.commands.candidate_loader import gather
from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.gate_candidates import candidates_beside
from cvtrack_magics.commands.gate_history import (
    gate_history,
    gate_rollback,
    in_words,
    tell_of_waiting,
)
from cvtrack_magics.commands.gate_listing import listing_of
from cvtrack_magics.commands.gate_request import demanded, functions
from cvtrack_magics.commands.live_evaluation import Data, measured_on
from cvtrack_magics.commands.typed import expression
from cvtrack_magics.errors import GateRefused, UsageProblem
from cvtrack_magics.records import Artifact
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import find, registry
from cvtrack_magics.store.asking import asking

if TYPE_CHECKING:
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release.facts import Candidate
    from cvtrack_magics.release.gate import GateFile, Missing, Verdict
    from cvtrack_magics.store.registry import Registry, Version

FIGURES = 8


@command(
    name=Arg("NAME"),
    version=Arg("V"),
    run=Arg("RUN"),
    require=Arg("RULE", many="append"),
    champion=Arg("METRIC"),
    margin=Arg("M"),
    confidence=Arg("C"),
    file=Arg("FILE"),
    data=Arg("EXPR", expression),
    task=Arg("TASK"),
    stage=Arg(const=True),
)
def mlgate(
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
    dry_run: bool = False,
    stage: bool | None = None,
    unproved: bool = False,
    undecided: bool = False,
    without_champion: bool = False,
    soft: bool = False,
    who: str = "",
    rollback: bool = False,
    reason: str = "",
    history: bool = False,
) -> Listing:
    """Judge a version by rules and by the champion; promote it if it passes.

    A rule has its direction: 'val/mAP50>=0.85', 'p95_latency_ms<=50', 'has(card)',
    'tag(env)==staging', 'min(val/AP50/*)>=0.6', 'leak(train, val)==0', 'check(run)'. What is
    missing, NaN, stale or measured differently fails. The champion is compared on the same
    held-out data, by a paired interval; where several runs were measured on that data since the
    champion's, the best of them must be better by more than luck gives the best of so many.
    The verdict is kept on the version for good.

    Parameters
    ----------
    name : str
        The registered model; may be left to ``file``.
    version : str
        Which version; otherwise the newest.
    run : str
        The version that was made of this run.
    require : sequence of str
        Rules, such as ``val/mAP50>=0.85``; may be repeated.
    champion : str
        The metric that must be better than the champion's, on the same held-out data.
    margin : float, optional
        By how much; 0 unless given.
    confidence : float, optional
        How surely, one-sided; 0.95 unless given.
    file : str
        A ``gate.yaml``, whose rules are added.
    data : tuple, optional
        (inputs, truth): both versions are run and measured on it now.
    task : str
        The task of ``data``, where it is not that of the run.
    trust : bool
        Of ``data``: the models may run code that came with them.
    promote : bool
        Make it the champion if it passes.
    dry_run : bool
        Judge only: the verdict is not kept, and nothing is promoted.
    stage : bool, optional
        Move MLflow's stages too; by default where the model uses them.
    unproved : bool
        Let a version pass too that was not compared, as it is served, with what was measured.
    undecided : bool
        Judge a part of the samples (``min(val/slices/camera/*/mAP50)>=0.5``) by its figure where
        it has too few samples to be sure; otherwise it is undecided, and does not pass.
    without_champion : bool
        Judge without a champion that was deleted, or whose run cannot be read; otherwise such
        a version is refused. One that is there is compared all the same.
    soft : bool
        Report a refusal instead of raising it.
    who : str
        Who judges; otherwise the user of the machine.
    rollback : bool
        Judge nothing, and go back to the champion before this one, as :func:`gate_rollback`.
    reason : str
        Of the rollback; it is kept.
    history : bool
        Judge nothing, and show what was judged and promoted, and why, as :func:`gate_history`.

    Returns
    -------
    Listing
        ``result`` is the ``Verdict``, the ``Promotion`` or the entries of the history.

    Raises
    ------
    GateRefused
        The version did not pass, and ``soft`` is not set.

    Examples
    --------
    ::

        %mlgate digits --require 'val/top1_acc>=0.9' --champion val/top1_acc --promote
    """
    if history:
        return gate_history(name)
    if rollback:
        return gate_rollback(name, reason=reason, who=who)
    if dry_run and promote:
        raise UsageProblem("--dry-run keeps nothing, so there is nothing to --promote.")
    asked = demanded(
        name,
        require=require,
        champion=champion,
        margin=margin,
        confidence=confidence,
        file=file,
        unproved=unproved,
        undecided=undecided,
    )
    on = None if data is None else Data(data, task, trust)
    asks = get_session().masking().text(who or system.user_name())
    then = _Promoting(promote, stage, asks, keep=not dry_run)
    shown = _judged(asked, version, run, on, then, without=without_champion)
    if not soft and not shown.result.passed:
        error = GateRefused(shown.result)
        error.shown = shown
        raise error
    return shown


@dataclasses.dataclass(frozen=True, slots=True)
class _Promoting:
    """What becomes of a version that passes, and by whom."""

    promote: bool
    stage: bool | None
    who: str
    keep: bool = True


def _judged(
    asked: GateFile,
    version: str,
    run: str,
    on: Data | None,
    then: _Promoting,
    *,
    without: bool,
) -> Listing:
    from cvtrack_magics.commands.gate_rival import rival_of
    from cvtrack_magics.release.promotion import look

    store = registry()
    model = look(store, asked.model)
    if not model.versions:
        raise UsageProblem(
            f"{asked.model!r} has no version.",
            f"%mlmodel MODEL --example X --register {asked.model} makes it one.",
        )
    found = find(asked.model, version=version, run=run)
    assert found.version is not None
    candidate = checked(gather(found))
    compared = asked.champion.metric if asked.champion and on is None else ""
    rival = rival_of(store, model, compared, without=without)
    count = candidates_beside(candidate, rival.facts, compared) if compared else 1
    verdict = rival.told(_verdict(candidate, rival.facts, asked, on, who=then.who, count=count))
    return listing_of(verdict, _record(store, found.version, rival.version, verdict, then))


def _verdict(
    candidate: Candidate,
    rival: Candidate | Missing | None,
    asked: GateFile,
    data: Data | None,
    *,
    who: str,
    count: int,
) -> Verdict:
    from cvtrack_magics.release.gate import Missing, compare, judge

    judged_as = partial(
        judge,
        functions=functions(),
        demands=asked.demands,
        unproved=asked.unproved,
        undecided=asked.undecided,
        candidates=count,
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
    theirs = rival
    if rival is not None and not isinstance(rival, Missing):
        theirs = measured_on(rival, data, prefix)
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
    then: _Promoting,
) -> str:
    """Keep the verdict on the version, and promote it; return what was done, in words."""
    from cvtrack_magics.release import promotion
    from cvtrack_magics.release.promotion.plan import PRODUCTION

    if not then.keep:
        return "A dry run: the verdict is not kept, and nothing was promoted."
    # not the file: the record has the digest of what is in it
    facts = get_session().masking().value(_facts(verdict), "verdict")
    keep = _keeper(version)
    stands = now is not None and now.version == version.version
    if stands and then.stage and version.stage != PRODUCTION:
        stands = False  # the alias is there, the stage is asked for
    if stands or not (then.promote and verdict.passed):
        promotion.record_verdict(
            store, version.name, version.version, facts, who=then.who, keep=keep
        )
        there = f"Version {version.version} is the champion already. " if stands else ""
        return f"{there if then.promote else ''}The verdict is kept on the version."
    done = promotion.promote(
        store,
        version.name,
        version.version,
        expected_champion=None if now is None else now.version,
        verdict=facts,
        who=then.who,
        stage=then.stage,
        keep=keep,
        step=tell_of_waiting,
    )
    _mark(store, version)
    return in_words(done)


def _mark(store: Registry, version: Version) -> None:
    """Note on the run that it was promoted: it may outlive the registered model."""
    from cvtrack_magics.store.promoted_runs import mark_promoted

    with suppress(Exception):  # the model, and its other versions, say so too
        mark_promoted(store.uri, version.run_id, version.name, version.version)


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
        with asking(f"keep the verdict with run {run.name!r}"):
            tracking.write(run, [Artifact(path, text)])

    return keep
