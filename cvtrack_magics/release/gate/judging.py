"""From a candidate and rules to a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.release.gate.champion import ChampionRule, Missing, compare
from cvtrack_magics.release.gate.functions import built_in
from cvtrack_magics.release.gate.metric_rules import Setting, standing
from cvtrack_magics.release.gate.rules import Function, Rule
from cvtrack_magics.release.gate.verdict import Row, Verdict
from cvtrack_magics.release.gate.wording import plain
from cvtrack_magics.store.model_files import PROVED_TAG, UNPROVED_TAG

_COMMITS = ("git_commit", "mlflow.source.git.commit")
_DELETED = "the run was deleted; MlflowClient().restore_run(ID) brings it back"


def judge(
    candidate: Candidate,
    rules: Sequence[Rule],
    *,
    champion: Candidate | Missing | None = None,
    champion_rule: ChampionRule | None = None,
    functions: Mapping[str, Function] | None = None,
    demands: Mapping[str, Mapping[str, object]] | None = None,
    unproved: bool = False,
    undecided: bool = False,
    candidates: int = 1,
    when: int = 0,
    who: str = "",
) -> Verdict:
    """Judge a candidate by rules and by the champion.

    Parameters
    ----------
    candidate : Candidate
        Who is to be promoted.
    rules : sequence of Rule
        All must hold.
    champion : Candidate or Missing, optional
        Who is there now; metrics must have been measured as its were.
    champion_rule : ChampionRule, optional
        What it takes to follow; without it the champion is not compared.
    functions : mapping of str to Function, optional
        Words beside the built-in ones, as given to ``parse_rule``.
    demands : mapping of str to mapping, optional
        For a prefix, with which ``task``, ``threshold``, ``iou`` it must have been evaluated.
    unproved : bool
        Judge a version too whose served answers were not compared with what was measured.
    undecided : bool
        Judge parts of the samples by their figures where too little is known to be sure.
    candidates : int
        How many were measured on what the champion is compared on; see :func:`compare`.
    when : int
        Unix milliseconds.
    who : str
        Who judges.

    Returns
    -------
    Verdict
        A row for each rule. A run that is not finished, a version of another run, or one that
        is unproved, gets a row of its own and does not pass.

    Raises
    ------
    UsageProblem
        There is nothing to judge by.
    """
    if not rules and champion_rule is None:
        raise UsageProblem(
            "There is nothing to judge by.", "Give a rule (--require 'val/mAP50>=0.85') or a file."
        )
    there = None if isinstance(champion, Missing) else champion
    setting = Setting(there, demands or {}, undecided)
    known = {**built_in(setting), **(functions or {})}
    rows = [_row(candidate, rule, known) for rule in rules]
    comparison = None
    if champion_rule is not None:
        row, comparison = compare(candidate, champion, champion_rule, setting, candidates)
        rows.append(row)
    why = "" if unproved else _unproved(candidate)
    if why:
        rows.insert(0, Row("proved", "as measured, or --unproved", "", None, False, why))
    if candidate.altered:
        rows.insert(0, Row("files", "those registered", "", None, False, candidate.altered))
    why = standing(candidate) or (_DELETED if candidate.is_deleted else "")
    if why:
        rows.insert(0, Row("run", "FINISHED, and the version's own", "", None, False, why))
    version = candidate.version
    return Verdict(
        candidate=candidate.label,
        run_id=candidate.run_id,
        model="" if version is None else version.name,
        version="" if version is None else version.version,
        when=when,
        who=who,
        commit=next((candidate.tags[tag] for tag in _COMMITS if tag in candidate.tags), ""),
        rows=tuple(rows),
        comparison=comparison,
    )


def _unproved(candidate: Candidate) -> str:
    """Return why a version is known to be unproved; of what others registered nothing is known."""
    tags = candidate.version.tags if candidate.version else {}
    if PROVED_TAG in tags or UNPROVED_TAG not in tags:
        return ""
    return f"unproved: {plain(tags[UNPROVED_TAG], 300)}"


def _row(candidate: Candidate, rule: Rule, functions: Mapping[str, Function]) -> Row:
    found = functions[rule.function].evaluate(candidate, rule)
    wanted = rule.demand or "present"
    return Row(rule.text, wanted, found.got, found.margin, found.passed, found.why)
