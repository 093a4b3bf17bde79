"""``log_predictions()`` and ``mlgrid()``: what a model said, kept and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.typed import predictions as typed_predictions
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.recording import Target

if TYPE_CHECKING:
    from cvtrack_magics.display.grid import Grid
    from cvtrack_magics.display.viewer.build import Frame
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.tasks.base import Task
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.tasks.sample_scores import Ratings

PICTURE = 8


def log_predictions(
    predictions: Any,
    *,
    step: int | None = None,
    name: str = "predictions",
    task: str | None = None,
    picture: int = PICTURE,
) -> None:
    """Keep a model's predictions in the open run; made for loops.

    Returns at once: pictures are compressed and files written by another thread, while
    training goes on. The run gets ``predictions/<name>/step_*.npz`` (pictures that stay the
    same are kept once), ``visualisations/<name>_step_*.webp``, the same sheet where MLflow's
    page shows pictures by their step (``images/``) and, at its end,
    ``visualisations/<name>.html``: all steps, to be looked at with nothing but a browser.

    Parameters
    ----------
    predictions : Predictions, tuple or dict
        Or, with ``task``, (images, truth, output).
    step : int, optional
        Often the epoch. When it is not given, the step of the innermost :func:`track` loop;
        outside of one, counted from 0.
    name : str
        What to call them, where a run keeps several.
    task : str, optional
        One of the six tasks, for a tuple or dict.
    picture : int
        How many samples the plain picture has; 0 for no picture.

    Examples
    --------
    >>> log_predictions(Predictions.classification(x, y, model(x)), step=epoch)
    """
    made = predictions_of(predictions, task)
    session = get_session()
    scope = session.current
    if scope is None or session.writing.now() is None:
        return
    at = scope.step_of(step, scope.albums.next_step(name))
    scope.albums.add(name, made, at, range(min(picture, len(made))))
    session.evidence.keep(Target(scope, None), f"log_predictions {name!r}", made)


@command(
    predictions=Arg("EXPR", typed_predictions, many="*"),
    task=Arg("TASK"),
    sort=Arg("SCORE"),
    only=Arg("WHICH"),
    truth=Arg("CLASS"),
    pred=Arg("CLASS"),
    threshold=Arg("T"),
    compare=Arg("RUN"),
    run=Arg("RUN"),
    height=Arg("PX"),
    save=Arg("FILE"),
    where=Arg("COLUMN=VALUE", many="append"),
)
def mlgrid(
    predictions: Any = None,
    *,
    task: Task | None = None,
    step: int | None = None,
    name: str = "predictions",
    sort: str = "",
    only: str = "",
    worst: int | None = None,
    truth: str = "",
    pred: str = "",
    text: str = "",
    threshold: float | None = None,
    iou: float = 0.5,
    compare: str = "",
    run: str = "",
    height: int = 640,
    save: str = "",
    record: bool = True,
    where: Sequence[str] = (),
) -> Grid:
    """Show predictions as a grid with layers, sorting, filters, thresholds and linked charts.

    In an open run they are recorded too: the data, a plain picture, and a page that needs
    neither a kernel nor a network. Without predictions: what the open run, the last one, or
    the one that is named has logged with :func:`log_predictions`.

    Parameters
    ----------
    predictions : Predictions, tuple or dict, optional
        Predictions; with a task (images, truth, output); or a model and its loader.
    task : str, optional
        The task, for a tuple or a model.
    step : int, optional
        The step to record them at, or to show.
    name : str
        Which predictions, where a run has several.
    sort : str
        A score: loss, confidence, iou …; with - before it: lowest first.
    only : str
        wrong, right, tp, fp, fn; suspect, whose label may be wrong; fixed, broken … beside
        another run.
    worst : int, optional
        Only the N that were got most wrong.
    truth : str
        Only samples of this true class.
    pred : str
        Only samples predicted as this class.
    text : str
        Only samples whose id, name or class has this.
    threshold : float, optional
        The score from which on something counts.
    iou : float
        The IoU from which on an object is found, as for ``%mleval --iou``.
    compare : str
        A run whose predictions of the same samples are shown beside: fixed, broken, still
        wrong.
    run : str
        A run to read from: its name in this experiment, its id, or ``MODEL@ALIAS``.
    height : int
        Of the viewer, in pixels.
    save : str
        Write the page to this file.
    record : bool
        Keep the predictions in the open run; a part of them (``where``) is only shown.
    where : sequence of str
        Only samples of a part, ``camera=A``, by the columns of ``%mleval --by``; may be repeated.

    Returns
    -------
    Grid
        Shows itself; ``save(path)`` writes it as a page.

    Examples
    --------
    ::

        %mlgrid predictions --sort loss --only wrong
    """
    from cvtrack_magics.display.contact_sheet import compose
    from cvtrack_magics.display.grid import Grid
    from cvtrack_magics.display.viewer.build import Frame, build_sheet
    from cvtrack_magics.tasks.evaluate import check_iou
    from cvtrack_magics.tasks.filters import checked, chosen
    from cvtrack_magics.tasks.sample_scores import SUSPECT, SUSPICION
    from cvtrack_magics.tasks.slices import only_where

    check_iou(iou)
    settings = {
        "sort": sort or (SUSPICION if only == SUSPECT else ""),
        "only": only,
        "worst": worst,
        "truth": truth,
        "pred": pred,
        "text": text,
        "threshold": threshold,
    }
    session = get_session()
    scope = session.current
    if predictions is None:
        frames, kept = _logged(scope, run, name, step)
        if where:
            frames = [Frame(only_where(one.predictions, where), one.step) for one in frames]
        frames = [replace(one, iou=iou) for one in frames]
        mine = frames[-1]
    else:
        mine = Frame(only_where(predictions_of(predictions, task), where), step, iou=iou)
        frames, kept = [mine], ""
    checked(mine.predictions, mine.ratings, settings)
    judged = _judged(mine, threshold)
    rows = chosen(mine.predictions, mine.ratings, settings, PICTURE, judged)
    if predictions is not None and scope is not None and record and not where:
        at = scope.step_of(step)
        scope.albums.add(name, mine.predictions, at, rows).result()
        frames, kept = _ending_with(scope.albums.frames(name), at), f"run {scope.name!r}"
        frames = [replace(one, iou=iou) for one in frames]
        mine = frames[-1]
    pair = None
    if compare:
        from cvtrack_magics.run.album import read_album

        other = session.tracking.run_of(compare, but=scope.run_id if scope else "")
        before = read_album(session.tracking, other, name, last=True)[-1]
        frames = [replace(before, iou=iou), mine]
        pair = (0, 1)
    sheet = build_sheet(
        frames,
        title=name if name != "predictions" else "",
        limit=session.config.grid_limit * 1_000_000,
        side=512,
        compare=pair,
        settings={key: value for key, value in settings.items() if value not in (None, "")},
        where_all=f"The page among the artifacts of {kept} has more." if kept else "",
        digits=session.config.digits,
    )
    shown = mine.predictions
    picture = b""
    if rows and shown.pixels is not None:
        picture = compose(shown, rows, judged)
    words = _in_words(frames, kept, sheet.document["shown"])
    # Once a notebook: by the first viewer of it, also where its cell is run again.
    tell = session.told_of_trust in ("", words)
    session.told_of_trust = words if tell else session.told_of_trust
    grid = Grid(sheet, picture, words, height, tell)
    if save:
        session.host.say(f"Written to {grid.save(save)}")
    return grid


def _judged(frame: Frame, threshold: float | None) -> Ratings:
    """Return how the model did at a threshold that was said, else at the best."""
    from cvtrack_magics.tasks.sample_scores import rate

    if threshold is None:
        return frame.ratings
    return replace(rate(frame.predictions, threshold, frame.iou), threshold=threshold)


def predictions_of(value: Any, task: str | None) -> Predictions:
    """Return predictions from what the user gave."""
    from cvtrack_magics.tasks.predictions import Predictions

    return Predictions.of(value, task)


def run_over(
    model: Any, loader: Any, task: str | None, progress: Callable[[int, int], None]
) -> Predictions:
    """Run a model over a loader of (images, truth); without a task, one is not guessed."""
    from cvtrack_magics.tasks.collect import collect

    if task is None:
        raise UsageProblem(
            "A model and its loader can be of any task.", "Say which: --task classification …"
        )
    return collect(model, loader, cast("Task", task), progress=progress)


def _logged(
    scope: RunScope | None, run: str, name: str, step: int | None
) -> tuple[list[Frame], str]:
    """Return the frames of a run, the one wanted last, and which run that is."""
    if not run and scope is None:
        run = get_session().looked_at
    if run:
        from cvtrack_magics.run.album import read_album

        tracking = get_session().tracking
        found = tracking.run_of(run)
        frames, kept = read_album(tracking, found, name), f"run {found.name!r}"
    else:
        frames = scope.albums.frames(name) if scope is not None else []
        kept = f"run {scope.name!r}" if scope is not None else ""
    if not frames:
        raise UsageProblem(
            "There is nothing to show: no predictions were given or logged.",
            "Give an expression, or name a run with --run.",
        )
    if step is not None and all(frame.step != step for frame in frames):
        known = ", ".join(str(frame.step) for frame in frames[:12])
        raise UsageProblem(f"Step {step} was not logged.", f"There are {known}.")
    return _ending_with(frames, step), kept


def _ending_with(frames: Sequence[Frame], step: int | None) -> list[Frame]:
    """Return frames in order, up to the one of a step: what is shown is the last."""
    ordered = list(frames)
    return [f for f in ordered if step is None or f.step is None or f.step <= step]


def _in_words(frames: Sequence[Frame], kept: str, shown: Mapping[str, Any]) -> str:
    mine = frames[-1].predictions
    words = f"{len(mine):,} samples of {mine.task}"
    if len(frames) > 1:
        words += f", {len(frames)} frames"
    if kept:
        words += f", kept in {kept}"
    return f"{words}. {shown['note']}".strip()
