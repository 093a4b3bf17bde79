"""Whether a model that is to be kept answers, as it will be served, what the run measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.records import Metric
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.evaluation_inputs import Measured
from cvtrack_magics.run.recording import Target

if TYPE_CHECKING:
    from cvtrack_magics.release.model.built import Built
    from cvtrack_magics.release.model.measured import Outcome

LONGEST = 400  # characters of a reason in a tag


@dataclass(frozen=True)
class Proof:
    """What came of the comparison.

    Attributes
    ----------
    proved : str
        How many samples, and the largest difference; empty where nothing is proved.
    unproved : str
        Why not.
    differs : bool
        Whether it was compared and answers something else.
    row : str
        For the user.
    figures : tuple of Metric
        What the proved answers measured.
    """

    proved: str = ""
    unproved: str = ""
    differs: bool = False
    row: str = ""
    figures: tuple[Metric, ...] = ()

    @property
    def tags(self) -> dict[str, str]:
        """The version's tags."""
        from cvtrack_magics.store.model_files import PROVED_TAG, UNPROVED_TAG

        if self.proved:
            return {PROVED_TAG: self.proved}
        return {UNPROVED_TAG: self.unproved[:LONGEST]}


def proof_of(
    target: Target, model: Any, folder: Path, built: Built, labels: Sequence[str]
) -> Proof:
    """Compare a model that is ready to be kept with what its run has measured.

    Parameters
    ----------
    target : Target
        The run.
    model : torch.nn.Module
        As the user gave it: whether it is the one that was measured is known of some.
    folder : Path
        The MLflow model; it is loaded afresh and asked.
    built : Built
        What it takes, and its steps.
    labels : sequence of str
        Its names of classes.
    """
    reasons: list[Proof] = []
    for measured in get_session().evidence.of(target):
        found = _compared(measured, model, folder, built, labels)
        if found.proved:
            return found
        reasons.append(found)
    different = [one for one in reasons if one.differs]
    none = "the run has no predictions to compare with; %mleval measures them"
    return (different or reasons or [Proof(unproved=none)])[0]


def _compared(
    measured: Measured, model: Any, folder: Path, built: Built, labels: Sequence[str]
) -> Proof:
    from cvtrack_magics.release.model.asking import NotAtHand
    from cvtrack_magics.release.model.measured import Alike, Unlike

    given = measured.predictions.given
    other = given.asked.why_not(model) if given is not None and given.asked is not None else ""
    try:
        found = _outcome(measured, folder, built, labels)
    except NotAtHand as error:
        found = Unlike(str(error))
    if isinstance(found, Alike):
        said = f"{found.samples} samples of {measured.what}"
        return Proof(
            proved=f"{said}, largest difference {found.largest:.1e}",
            row=f"answers {said} as they were measured",
            figures=measured.figures,
        )
    if isinstance(found, Unlike):
        return Proof(unproved=f"{measured.what}: {found.why}")
    if other:
        return Proof(unproved=f"{measured.what}: {other}, and {found.how}")
    return Proof(unproved=f"{measured.what}: {found.how}", differs=True)


def _outcome(measured: Measured, folder: Path, built: Built, labels: Sequence[str]) -> Outcome:
    from cvtrack_magics.release.model.asking import asked_with
    from cvtrack_magics.release.model.measured import Differs, compared
    from cvtrack_magics.store.served import serving

    predictions = measured.predictions
    sent = asked_with(predictions.given, predictions.ids, built.inputs)
    name = built.inputs[0]["name"] if built.inputs[0]["kind"] == "image" else ""
    answers = []
    with serving(folder) as ask:
        for sample, one in zip(predictions.ids, sent, strict=True):
            try:
                answers.append(_alone(ask(one, name)))
            except Exception as error:
                return Differs(f"sample {sample}: the model fails: {in_one_line(error, 200)}")
    return compared(answers, predictions, labels, built.floor)


def _alone(answer: Any) -> Any:
    """Return the answer for one sample out of that for a batch of one."""
    if isinstance(answer, dict):
        return {key: value[0] for key, value in answer.items()}
    return answer[0]
