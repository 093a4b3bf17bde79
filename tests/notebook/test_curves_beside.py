"""What a run's plot draws beside its own curves: the last time, siblings, values to beat."""

from __future__ import annotations

from typing import Any

from tests.kernels import Kernel, Ran
from tests.store_views import runs_of

LOOP = "from cvtrack_magics import log\nfor i in range(5): log(loss=1 / (i + {shift}))"


def card(ran: Ran) -> str:
    """Return the HTML of the card under a cell."""
    shown: list[Any] = [o["content"]["data"] for o in ran.outputs if o["type"] == "display_data"]
    return next(data["text/html"] for data in shown if "cvtrack-card" in data["text/html"])


def test_a_cell_run_again_shows_its_last_time(kernel: Kernel, store: str) -> None:
    code = "%%mlrun train\n" + LOOP.format(shift=1)
    first = kernel.finish(kernel.start(code, "cell-a")).check()
    label = f"train {runs_of(store)['train'].info.run_id[:6]}"
    assert label not in card(first)
    again = kernel.finish(kernel.start(code, "cell-a")).check()
    assert label in card(again)
    elsewhere = kernel.finish(kernel.start(code, "cell-b")).check()
    assert label not in card(elsewhere)


def test_nested_runs_are_drawn_together(kernel: Kernel, store: str) -> None:
    kernel.run("%mlrun sweep").check()
    for lr in (1, 2):
        kernel.run(f"%%mlrun lr-{lr} --nested\n" + LOOP.format(shift=lr)).check()
    last = kernel.run("%%mlrun lr-3 --nested\n" + LOOP.format(shift=3)).check()
    end = kernel.run("%mlend").check()
    labels = {name: f"{name} {run.info.run_id[:6]}" for name, run in runs_of(store).items()}
    assert labels["lr-1"] in card(last)
    assert labels["lr-2"] in card(last)
    assert labels["lr-3"] not in card(last)
    assert "<img" in card(end), "the parent's card has a picture of all three"


def test_a_baseline_is_found_by_name_id_and_alias(kernel: Kernel, store: str) -> None:
    kernel.run("%%mlrun before\n" + LOOP.format(shift=1)).check()
    run_id = runs_of(store)["before"].info.run_id
    kernel.run(
        "import mlflow\nclient = mlflow.MlflowClient()\n"
        "client.create_registered_model('digits')\n"
        f"client.create_model_version('digits', 'models', run_id='{run_id}')\n"
        "client.set_registered_model_alias('digits', 'champion', 1)"
    ).check()
    for name in ("before", run_id, "digits@champion"):
        slow = "\nimport time; time.sleep(1)"
        ran = kernel.run(f"%%mlrun now --baseline {name}\n" + LOOP.format(shift=2) + slow).check()
        assert f'"label":"{name}"' in card(ran), name
        assert '["loss",0.2]' in card(ran)


def test_a_baseline_that_is_not_there_is_one_notice(kernel: Kernel, store: str) -> None:
    code = "%%mlrun now --baseline nobody\n" + LOOP.format(shift=2)
    ran = kernel.run(code + "\nimport time; time.sleep(1)").check()
    assert runs_of(store)["now"].info.status == "FINISHED"
    assert ran.text.count("'nobody'") >= 1


def test_a_resumed_run_draws_its_curve_from_the_beginning(kernel: Kernel, store: str) -> None:
    kernel.run("%%mlrun train\n" + LOOP.format(shift=1)).check()
    look = (
        "%%mlrun train --resume\nimport time; time.sleep(0.5)\n"
        "from cvtrack_magics.run.current import get_session\n"
        "plot = get_session().current.view._plot\n"
        "print('DRAWN', list(plot.history['loss'].steps), len(plot.overlays))\n"
    )
    again = kernel.run(look + "from cvtrack_magics import log\nlog(loss=3.0)").check()
    assert "DRAWN [0, 1, 2, 3, 4] 0" in again.text
    assert "loss 3 (best 0.2)" in again.text, "the best value is the whole run's"
    assert '"label":"train' not in card(again), "its own earlier curve is no other run's"
