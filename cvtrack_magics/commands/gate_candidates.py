"""Of how many candidates a version is: whoever picks the best of many picks luck, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvtrack_magics.release.gate import Missing, evaluation_of
from cvtrack_magics.run.current import get_session
from cvtrack_magics.store.measured_alike import measured_alike
from cvtrack_magics.store.uris import absolute

if TYPE_CHECKING:
    from cvtrack_magics.release.facts import Candidate


def candidates_beside(
    candidate: Candidate, champion: Candidate | Missing | None, metric: str
) -> int:
    """Return how many runs could have been chosen instead, the candidate itself counted.

    They are those of its experiment that started after the champion's run and were measured on
    the same data under the same prefix: each had its chance to look better than the champion.
    Without a champion to be compared with, or a metric to compare, nobody was chosen.
    """
    if champion is None or isinstance(champion, Missing):
        return 1
    evaluation = evaluation_of(candidate, metric)
    if evaluation is None or not evaluation.data_sha256:
        return 1
    uri = absolute(get_session().tracking.uri)
    found = measured_alike(
        uri, candidate.run_id, evaluation.prefix, evaluation.data_sha256, champion.started
    )
    return len((found | {candidate.run_id}) - {champion.run_id})
