"""The predictions that a run logs: frames by step, their files, and one page for all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cvtrack_magics.artifacts.paths import PICTURES, PREDICTIONS
from cvtrack_magics.display.contact_sheet import contact_sheet, encoded
from cvtrack_magics.display.viewer.build import Frame, build_sheet
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Artifact, Record, Tag
from cvtrack_magics.secrets.stored import stored_part
from cvtrack_magics.store.images import LOGGED_IMAGES, SMALL, image_paths
from cvtrack_magics.store.tracking import OpenRun, Tracking
from cvtrack_magics.tasks import npz as saving
from cvtrack_magics.tasks.kind import kind_of

if TYPE_CHECKING:
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.tasks.sample_scores import Ratings

MEMORY = 256 << 20  # bytes of frames, compressed, that are kept in memory for the page


class Album:
    """One name's predictions in a run, step by step.

    Parameters
    ----------
    name : str
        As in the artifacts: ``predictions/<name>/`` and ``visualisations/<name>.html``.
    run : str
        The run's name.
    """

    def __init__(self, name: str, run: str) -> None:
        self.name = name
        self.run = run
        self.frames: list[Frame] = []
        self._part = stored_part(name)
        self._pixels = ""
        self._sizes: dict[int, int] = {}
        self._images: dict[int, tuple[str, str]] = {}

    @property
    def page_path(self) -> str:
        """Where the page lies among the run's artifacts."""
        return f"{PICTURES}/{self._part}.html"

    def add(self, predictions: Predictions, step: int, rows: Sequence[int]) -> list[Record]:
        """Take up predictions; return their files, and a plain picture of some of them.

        Parameters
        ----------
        predictions : Predictions
            Of the same task and classes as those before.
        step : int
            Predictions of the same step are replaced.
        rows : sequence of int
            Which samples go into the picture.
        """
        if self.frames:
            self._agree(predictions)
        predictions = replace(predictions, given=None)  # a frame is kept as long as the run lasts
        records: list[Record] = []
        folder = f"{PREDICTIONS}/{self._part}"
        name = ""
        if predictions.pixels is not None:
            content = "".join(predictions.pixels.digests()).encode()
            name = f"pixels_{hashlib.sha256(content).hexdigest()[:12]}.npz"
            if name != self._pixels:
                records.append(Artifact(f"{folder}/{name}", saving.dump_pixels(predictions.pixels)))
                self._pixels = name
            elif self.frames:  # the same pictures are kept once
                predictions = predictions.with_pixels(self.frames[-1].predictions.pixels)
        frame = Frame(predictions, step, self.run)
        data = saving.dump(predictions, step, name)
        records.append(Artifact(f"{folder}/step_{step:06d}.npz", data))
        if len(rows) and predictions.pixels is not None:
            sheet = contact_sheet(predictions, rows, _judged(frame))
            picture = encoded(sheet, "WEBP")
            records.append(Artifact(f"{PICTURES}/{self._part}_step_{step:06d}.webp", picture))
            records += self._for_mlflows_page(sheet, step)
        self.frames = [frame for frame in self.frames if frame.step != step]
        self.frames.append(frame)
        self.frames.sort(key=lambda frame: frame.step or 0)
        self._sizes[step] = len(data)
        self._thin()
        return records

    def _for_mlflows_page(self, sheet: Any, step: int) -> list[Record]:
        """Return the picture as MLflow's charts show it, with a slider over the steps."""
        first = not self._images
        # a step that comes again has the same names, for they are what it is replaced by
        whole, small = self._images.setdefault(step, image_paths(self._part, step, "jpg"))
        return [
            *([Tag(LOGGED_IMAGES, "True")] if first else []),
            Artifact(whole, encoded(sheet, "JPEG")),
            Artifact(small, encoded(sheet, "WEBP", most=SMALL)),
        ]

    def _thin(self) -> None:
        """Let go of every other frame between the first and the last when they are too large.

        Their files are recorded; only the page is without them.
        """
        while len(self.frames) > 3 and sum(self._sizes[f.step or 0] for f in self.frames) > MEMORY:
            self.frames = [*self.frames[:-1:2], self.frames[-1]]

    def page(self, limit: int, digits: int) -> Artifact:
        """Return the frames as one page that needs neither a kernel nor a network."""
        from cvtrack_magics.display.page import page_html

        title = f"{self.run} · {self.name}" if self.run else self.name
        sheet = build_sheet(self.frames, title=title, limit=limit, digits=digits)
        return Artifact(self.page_path, page_html(sheet.document, sheet.packs))

    def _agree(self, predictions: Predictions) -> None:
        before = self.frames[0].predictions
        if (before.task, before.classes) != (predictions.task, predictions.classes):
            raise UsageProblem(
                f"{self.name!r} holds {before!r}, which {predictions!r} does not fit.",
                "Give another name=.",
            )


def read_album(tracking: Tracking, run: OpenRun, name: str, *, last: bool = False) -> list[Frame]:
    """Return the frames that a run has in the store, in order; only the last if wanted.

    Raises
    ------
    UsageProblem
        The run has no predictions of that name.
    """
    folder = f"{PREDICTIONS}/{stored_part(name)}"
    files = tracking.files(run, folder)
    steps = [path for path in files if path.rsplit("/", 1)[-1].startswith("step_")]
    if not steps:
        there = [path.rsplit("/", 1)[-1] for path in tracking.files(run, PREDICTIONS)]
        hint = f"It has {', '.join(there)}." if there else "log_predictions() keeps them."
        raise UsageProblem(f"Run {run.name!r} has no predictions {name!r}.", hint)
    pixels = {}
    frames = []
    for path in steps[-1:] if last else steps:
        predictions, meta = saving.load(tracking.read_file(run, path))
        file = str(meta.get("pixels") or "")
        if file and "/" not in file:
            if file not in pixels:
                pixels[file] = saving.load_pixels(tracking.read_file(run, f"{folder}/{file}"))
            predictions = predictions.with_pixels(pixels[file])
        frames.append(Frame(predictions, meta["step"], run.name))
    return frames


def _judged(frame: Frame) -> Ratings | None:
    """Return what the page needs anyway, where its threshold decides what is drawn."""
    if not kind_of(frame.predictions.task).counts_from_threshold:
        return None
    try:
        return frame.ratings
    except Exception:  # what was predicted is kept all the same; the page says what is wrong
        return None
