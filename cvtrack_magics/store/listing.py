"""The runs of an experiment, as the store lists them."""

from __future__ import annotations

from collections.abc import Sequence

from cvtrack_magics.errors import StoreUnavailable, UsageProblem
from cvtrack_magics.store.client import client_of, quietly
from cvtrack_magics.store.error_kinds import is_refusal
from cvtrack_magics.store.resuming import StoredSoFar, so_far_of

PAGE = 1_000  # runs that are asked for at one time
EXAMPLE = "metrics.`val/loss` < 0.5 and params.lr = '0.1'"


def runs_in(
    uri: str, experiments: Sequence[str], wanted: str = "", most: int = PAGE
) -> list[StoredSoFar]:
    """Return the newest runs of some experiments, the newest first.

    Parameters
    ----------
    uri : str
        The tracking store.
    experiments : sequence of str
        Their ids.
    wanted : str
        A filter in MLflow's language.
    most : int
        No more than these.

    Raises
    ------
    UsageProblem
        The filter is none.
    StoreUnavailable
        The store does not answer.
    """
    client, found, token = client_of(uri), list[StoredSoFar](), None
    while len(found) < most:
        try:
            with quietly():
                page = client.search_runs(
                    list(experiments),
                    filter_string=wanted,
                    order_by=["attributes.start_time DESC"],
                    max_results=min(PAGE, most - len(found)),
                    page_token=token,
                )
        except Exception as error:
            if wanted and is_refusal(error):
                said = str(error).split(": ", 1)[-1].strip().split("\n", 1)[0]
                raise UsageProblem(
                    f"{wanted!r} is no filter of runs: {said}", f"For example: {EXAMPLE}"
                ) from None
            raise StoreUnavailable(f"The runs could not be listed: {error}") from error
        found += [so_far_of(run) for run in page]
        token = page.token
        if not token:
            break
    return found


def experiment_tags(uri: str, experiment_id: str) -> dict[str, str]:
    """Return the tags of an experiment.

    Raises
    ------
    StoreUnavailable
        The store does not answer.
    """
    try:
        with quietly():
            return dict(client_of(uri).get_experiment(experiment_id).tags)
    except Exception as error:
        raise StoreUnavailable(f"The experiment could not be read: {error}") from error


def delete_runs(uri: str, run_ids: Sequence[str]) -> None:
    """Delete runs; each of them can be restored.

    Raises
    ------
    StoreUnavailable
        The store did not delete one; those before it are deleted.
    """
    client = client_of(uri)
    for at, run_id in enumerate(run_ids):
        try:
            with quietly():
                client.delete_run(run_id)
        except Exception as error:
            raise StoreUnavailable(
                f"{at} of {len(run_ids)} runs were deleted, then the store refused: {error}"
            ) from error
