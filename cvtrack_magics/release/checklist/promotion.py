"""Items about a version on its way to production."""

from __future__ import annotations

from collections.abc import Sequence

from cvtrack_magics.artifacts.paths import CARD, ONNX_MODEL
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.card import blanks_of, read_words
from cvtrack_magics.release.card.build import recorded_licence
from cvtrack_magics.release.card.escape import number, one_line
from cvtrack_magics.release.card.readers import (
    LATENCY_METRICS,
    Verdict,
    exports_of,
    is_training,
    mapping,
    model_file,
    verdicts_of,
)
from cvtrack_magics.release.checklist.items import Item, item, listed, typed, unless_changed
from cvtrack_magics.release.checklist.surroundings import digests_of
from cvtrack_magics.release.facts import Candidate, EvaluationFacts
from cvtrack_magics.release.gate import Missing
from cvtrack_magics.release.timings import timing_doubt
from cvtrack_magics.store.registry import Version

_PRODUCTION = "production"
_MODEL = "%mlmodel model --example x"


def registered(candidate: Candidate) -> Item:
    """Check that there is a version of a registered model."""
    version = candidate.version
    found = one_line(f"{version.name} version {version.version}") if version else "no version"
    return item("version", "Registered version", version is not None, found, _MODEL)


def signature(candidate: Candidate) -> Item:
    """Check that the model says what it takes and returns."""
    model = model_file(candidate)
    missing = [] if model else ["a model"]
    if model is not None:
        missing = [name for name in ("inputs", "outputs") if not getattr(model, name)]
    found = f"missing: {', '.join(missing)}" if missing else one_line(model.inputs if model else "")
    return item("signature", "Signature", not missing, found, _MODEL)


def example(candidate: Candidate) -> Item:
    """Check that the model has an input example."""
    model = model_file(candidate)
    there = model is not None and model.example
    return item("example", "Input example", there, "saved" if there else "none", _MODEL)


def processing(candidate: Candidate) -> Item:
    """Check that pre- and post-processing are part of the model, where the run has any."""
    title = "Pre- and post-processing inside"
    model = model_file(candidate)
    if model is not None and model.processing:
        return item("processing", title, True, one_line(model.processing), "")
    used = [key for key in sorted(candidate.params) if key.split(".")[0] == "transforms"]
    if not used:
        return item("processing", title, None, "the run records no transforms", "")
    found = f"not inside: {one_line(candidate.params[used[0]], 80)}"
    return item("processing", title, False, found, f"{_MODEL} --pre transform")


def card(candidate: Candidate) -> Item:
    """Check that there is a model card without blanks."""
    title = "Model card"
    name = typed(candidate.version.name if candidate.version else candidate.run_name)
    fix = f"%mlcard {name} --edit card.md"
    if CARD not in candidate.texts:
        return item("card", title, False, "none", fix)
    try:
        words = read_words(candidate.texts[CARD])
    except UsageProblem as problem:
        return item("card", title, False, one_line(problem.problem), fix)
    blanks = blanks_of(words, recorded_licence(candidate))
    found = f"not yet written: {', '.join(blanks)}" if blanks else "complete"
    made = item("card", title, not blanks, found, fix)
    return unless_changed(made, candidate.changed, (CARD,), fix)


def export(candidate: Candidate) -> Item:
    """Check that an export was compared with the model and is within what was allowed."""
    title = "Verified export"
    fix = "%mlexport onnx model --example x"
    found = exports_of(candidate)
    good = [each for each in found if each.passed]
    if good:
        said = [f"{one_line(e.format, 20)} within {number(e.difference)}" for e in good]
        return item("export", title, True, listed(said), "")
    if not found:
        files = ONNX_MODEL in candidate.files
        return item("export", title, False, "no evidence" if files else "no export", fix)
    worst = found[0]
    said = [one_line(f"{worst.format}: difference {number(worst.difference)}")]
    if worst.allowed:
        said.append(f"allowed {one_line(worst.allowed, 60)}")
    said += [f"{one_line(name, 40)} failed" for name in worst.failed[:3]]
    return item("export", title, False, ", ".join(said), fix)


def latency(candidate: Candidate) -> Item:
    """Check for the three percentiles and the throughput."""
    missing = [name for name in LATENCY_METRICS if name not in candidate.metrics]
    found = f"missing: {', '.join(missing)}"
    if not missing:
        found = ", ".join(f"{n} {number(candidate.metrics[n].value)}" for n in LATENCY_METRICS)
    doubts = [] if missing else [timing_doubt(candidate, name) for name in LATENCY_METRICS]
    doubt = next(filter(None, doubts), "")
    good = not (missing or doubt)
    return item(
        "latency",
        "Latency",
        good,
        one_line(doubt) if doubt else found,
        "%mlbench model --example x",
    )


def gate(candidate: Candidate) -> Item:
    """Check that the last verdict on this version is a pass."""
    title = "Gate"
    fix = _gate_line(candidate)
    verdicts = verdicts_of(candidate)
    if not verdicts:
        return item("gate", title, False, "no verdict on this version", fix)
    last = verdicts[-1]
    found = one_line(last.facts.get("summary") or last.tag)
    if not _is_of(last, candidate):
        return item("gate", title, False, f"the verdict is on another version: {found}", fix)
    found = f"{'passed' if last.passed else 'refused'}: {found}"
    return item("gate", title, last.passed, found, fix)


def _is_of(verdict: Verdict, candidate: Candidate) -> bool:
    """Say whether a verdict is on this version and its run, as far as it names them."""
    version = candidate.version
    if version is None:
        return False
    own = {"model": version.name, "version": version.version, "run_id": candidate.run_id}
    said = {key: verdict.facts.get(key) or value for key, value in own.items()}
    return said == own


def _gate_line(candidate: Candidate) -> str:
    name = typed(candidate.version.name) if candidate.version else "NAME"
    return f"%mlgate {name} --file gate.yaml"


def against_champion(
    candidate: Candidate, champion: Candidate | Missing | None, others: Sequence[Version] | None
) -> Item:
    """Check that it was compared with the champion, on the same data."""
    title = "Compared with the champion"
    fix = _gate_line(candidate)
    last = verdicts_of(candidate)[-1:]
    made = mapping(last[0].facts.get("comparison")) if last else {}
    against = one_line(made.get("champion") or "", 80)
    if isinstance(champion, Missing):
        return item("champion", title, False, one_line(champion.why), fix)
    if champion is None and not against and not _producing(candidate, others):
        return item("champion", title, None, "there is no champion yet", "")
    if not against:
        return item("champion", title, False, "no gate compared the two", fix)
    if champion is not None and against != one_line(champion.label, 80):
        found = f"compared with {against}, which is the champion no more"
        return item("champion", title, False, found, fix)
    digest = made.get("data_sha256")
    if not all(_measured_on(each, digest) for each in (candidate, champion) if each):
        found = "the two have no evaluation of the data that was compared"
        return item("champion", title, False, found, "%mleval predictions --prefix test")
    gain = f"{one_line(made.get('metric'), 60)} {number(made.get('difference'))} better"
    return item("champion", title, True, f"with {against}: {gain}", "")


def _measured_on(candidate: Candidate, digest: object) -> bool:
    digests = {found.data_sha256 for found in candidate.evaluations.values()}
    return bool(digest) and digest in digests


def held_out(candidate: Candidate) -> Item:
    """Check that it was measured on data that it was not trained on."""
    title = "Held-out data"
    measured = [e for e in candidate.evaluations.values() if not is_training(e.prefix)]
    fix = "%mldata test_data --context test"
    if not measured:
        found = "no evaluation"
        return item("held_out", title, False, found, "%mleval predictions --prefix test")
    learnt = digests_of(candidate, training=True)
    tested = digests_of(candidate, training=False)
    again = [e.prefix for e in measured if e.data_sha256 in _trained_on(candidate)]
    again += [name for name, digest in tested.items() if digest in learnt.values()]
    again += [name for name in _same_samples(candidate) if name not in again]
    if again:
        found = f"{listed(one_line(name, 40) for name in again)} is the training data"
        return item("held_out", title, False, found, fix)
    if not learnt or not tested:
        which = "training" if not learnt else "test"
        found = f"no SHA-256 of the {which} data to tell them apart"
        return item("held_out", title, False, found, fix if learnt else "%mldata train_data")
    found = listed(f"{name} {digest[:12]}" for name, digest in tested.items())
    return item("held_out", title, True, f"{found} is other data than {listed(learnt)}", "")


def _same_samples(candidate: Candidate) -> list[str]:
    """Return the test data that is the training data in another order."""
    learnt = {d.samples for d in candidate.datasets if is_training(d.context)} - {""}
    tested = [d for d in candidate.datasets if not is_training(d.context)]
    return [one_line(data.name, 40) for data in tested if data.samples in learnt]


def _trained_on(candidate: Candidate) -> set[str]:
    every: Sequence[EvaluationFacts] = tuple(candidate.evaluations.values())
    return {e.data_sha256 for e in every if is_training(e.prefix)} - {""}


def one_in_production(candidate: Candidate, others: Sequence[Version] | None) -> Item:
    """Check that no other version of the model is in the stage Production."""
    title = "One version in production"
    if others is None:
        return item("production", title, None, "other versions were not looked up", "")
    also = _producing(candidate, others)
    said = listed(one_line(each.version, 20) for each in also)
    found = f"version {said} is there too" if also else "no other"
    return item("production", title, not also, found, _gate_line(candidate))


def _producing(candidate: Candidate, others: Sequence[Version] | None) -> list[Version]:
    own = candidate.version.version if candidate.version else ""
    return [
        each
        for each in others or ()
        if each.version != own and each.stage.strip().lower() == _PRODUCTION
    ]


def by_alias(candidate: Candidate) -> Item:
    """Check that serving code can name it by an alias or a stage, not by its run."""
    title = "Loads by alias"
    version = candidate.version
    names = [*version.aliases] if version else []
    if version and version.stage not in ("", "None", "Archived"):
        names.append(version.stage)
    found = listed(one_line(name, 40) for name in names) or "no alias"
    return item("alias", title, bool(names), found, _gate_line(candidate))
