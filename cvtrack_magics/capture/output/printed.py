"""Metrics in what a training loop prints.

A number counts as a metric when the words before it name one, and when its line says where in
the training it stands, or says nothing else. What is a metric to a reader for any other reason
is left: a number that is no metric is worse than none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cvtrack_magics.capture.output.measure_words import is_certain, is_measure, split_in

LONGEST = 600  # characters of a line that is read
MOST_STEPS = 2**53
HEADING = 60  # lines after a heading "Epoch 3" that still belong to it

_NUMBER = (
    r"[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)\b"
)
_FOUND = re.compile(
    rf"(?<![\w@./])(?<!\w[-+])(?P<number>{_NUMBER})(?![\w@]|[.:]\d)"
    r"(?:\s*/\s*(?P<of>\d[\d,]*)(?![\w.]))?(?P<percent>\s?%)?",
    re.IGNORECASE,
)
_MARKER = re.compile(
    r"(?:^|[\W_])(?P<word>epochs?|ep|steps?|global[_ ]step|iter(?:ation)?s?|it|batch|round)"
    r"\s*(?:no\.?|number|\#)?$",
    re.IGNORECASE,
)
_OUTER = ("epoch", "ep", "round")
_CAST = re.compile(r"(?:tensor|array|(?:np|numpy)\.float\d+|float)\($")
_PARTS = re.compile(r"\s*[,;|│┃║]\s*|\t+|\s{2,}|\s[-–—>]+\s|[\[\]{}]|(?<=\w{5})\.\s+")
_OF_ALL = re.compile(
    r"^(?:(?:final|test|train|training|validation|overall|total|mean)\s+)*accuracy (?:of|on|for) "
    r"\D[^%]{0,100}?(?:\s*[:=]\s*|\s+is\s+|\s+)(?P<number>\d+(?:\.\d+)?)\s*%\W*$",
    re.IGNORECASE,
)
_COCO = re.compile(
    r"^(?P<name>Average (?:Precision|Recall)\s+\(A[PR]\) @\[ IoU=[\d.:]+\s*\| area=\s*\w+ \| "
    r"maxDets=\s*\d+ \])\s*=\s*(?P<number>\d\.\d+)$"
)
_NOTHING = ("", "-", "None", "No log", "NaN")
_COUNTS = ("epoch", "step", "iter", "iteration")
_HINT = re.compile(
    r"loss|acc|err|lr|rate|epoch|ep\b|step|iter|f1|map|ap\d*\b|iou|au?c\b|roc|dice|psnr|ssim|perpl|"
    r"ppl|mse|mae|nll|elbo|fid|kappa|bleu|top|precision|recall|score|reward|kl|ce\b|specif|sensit|"
    r"jaccard|r2|mcc|auprc|batch|round",
    re.IGNORECASE,
)
"""What is in every line that has a metric, or is the heading of some."""
_CELL = re.compile(rf"^(?:{_NUMBER})%?$", re.IGNORECASE)
_TIME = re.compile(r"^\d+(?::\d\d)+(?:\.\d+)?$|^\d+(?:\.\d+)?(?:ms|s|m|h|G|M|K)B?$")


@dataclass(frozen=True)
class Printed:
    """The metrics of one line, by the names they have there, and their step."""

    values: dict[str, float]
    step: int | None
    """None where the line says none."""


@dataclass(frozen=True)
class _Number:
    """A number of a line, with what stands before it."""

    before: str
    at: int
    value: float
    of: int | None
    whole: bool
    """Whether it is written without a point."""
    percent: bool

    @property
    def is_share(self) -> bool:
        """Whether it is written as a measured number is: with a point, as a share or in %."""
        return not self.whole or self.percent or self.of is not None


@dataclass
class _Place:
    """Where in the training a line stands."""

    outer: float | None = None
    inner: int | None = None
    of: int | None = None

    @property
    def said(self) -> bool:
        return self.outer is not None or self.inner is not None


@dataclass
class PrintedMetrics:
    """Reads line after line; headings and tables reach over several."""

    _heading: float | None = None
    _heading_left: int = 0
    _columns: list[str] = field(default_factory=list)
    _first: float | None = None

    def read(self, line: str) -> Printed | None:
        """Return the metrics of the next line; None where it has none.

        Parameters
        ----------
        line : str
            A line as a terminal shows it: without colours, progress bars in their last state.
        """
        line = line.replace("\x08", "").strip()
        self._heading_left -= 1
        if not line or len(line) > LONGEST or not (self._columns or _HINT.search(line)):
            return None
        row = self._row(line)
        if row is not None:
            return row
        if not any(char.isdigit() for char in line) and "nan" not in line.lower():
            self._columns = _columns_of(line)
            return None
        special = _special(line)
        if special is not None:
            return Printed(special, self._step(_Place()))
        return self._pairs(line)

    # -- pairs of a name and a number

    def _pairs(self, line: str) -> Printed | None:
        numbers = list(_numbers(line))
        place, rest = _place_of(numbers)
        named = [(name, one) for one in rest if is_measure(name := _name_of(one.before))]
        if not named:
            if place.outer is not None:
                self._heading, self._heading_left = place.outer, HEADING
            return None
        split = _split_of(line, named[0][1].at)
        values: dict[str, float] = {}
        for name, one in named:
            values.setdefault(_with(split, name), one.value / (one.of or 1))
        context = place.said or self._heading_left > 0 or bool(split)
        if not context and not _says_only(rest, named):
            return None
        if not place.said and (
            all(is_rate(name) for name in values) or not any(one.is_share for _, one in named)
        ):
            return None
        return Printed(values, self._step(place))

    def _step(self, place: _Place) -> int | None:
        step = self._counted(place)
        return step if step is not None and 0 <= step < MOST_STEPS else None

    def _counted(self, place: _Place) -> int | None:
        outer = place.outer
        if outer is None and self._heading_left > 0:
            outer = self._heading
        if outer is not None and self._first is None:
            self._first = outer
        if outer is None:
            return place.inner
        if outer != int(outer) or (place.inner is not None and place.of is None):
            return None
        if place.inner is None or place.of is None:
            return int(outer)
        return int(outer - (self._first or 0)) * place.of + place.inner

    # -- tables

    def _row(self, line: str) -> Printed | None:
        """Read a row below the heads of its columns, as fastai and Ultralytics print them."""
        return row_of(self._columns, line.split()) if self._columns else None


def row_of(columns: Sequence[str], cells: Sequence[str]) -> Printed | None:
    """Return the metrics of one row of a table of epochs or steps; None where it has none.

    Parameters
    ----------
    columns : sequence of str
        The heads of the columns; the first one counts.
    cells : sequence of str
        The row, as long.
    """
    if not columns or len(cells) != len(columns):
        return None
    first = cells[0].split("/")[0]
    if not first.isdigit() or not all(map(_is_cell, cells[1:])):
        return None
    values = {
        name: float(cell.rstrip("%").replace(",", ""))
        for name, cell in zip(columns[1:], cells[1:], strict=True)
        if is_measure(name) and _CELL.match(cell)
    }
    step = int(first)
    return Printed(values, step if step < MOST_STEPS else None) if values else None


def _is_cell(text: str) -> bool:
    return text in _NOTHING or bool(_CELL.match(text) or _TIME.match(text))


def is_rate(name: str) -> bool:
    """Whether a name is that of a learning rate, which is a setting where nothing else stands."""
    return name.lower().replace(" ", "_").split("/")[-1] in ("lr", "learning_rate")


def _numbers(line: str) -> Iterator[_Number]:
    end = 0
    for found in _FOUND.finditer(line):
        text = found["number"].replace(",", "")
        of = int(found["of"].replace(",", "")) if found["of"] else None
        yield _Number(
            before=line[end : found.start()],
            at=found.start(),
            value=float(text),
            of=of or None,
            whole=text.lstrip("+-").isdigit(),
            percent=bool(found["percent"]),
        )
        end = found.end()


def _place_of(numbers: list[_Number]) -> tuple[_Place, list[_Number]]:
    """Return where in the training a line stands, and the numbers that do not say so."""
    place, rest = _Place(), list[_Number]()
    for one, after in zip(numbers, [*numbers[1:], None], strict=False):
        role = _role(one, after, place)
        if role == "outer" and place.outer is None and math.isfinite(one.value):
            place.outer = one.value
        elif role == "inner" and place.inner is None and one.whole:
            place.inner, place.of = int(one.value), one.of
        elif not role:
            rest.append(one)
    return place, rest


def _role(one: _Number, after: _Number | None, place: _Place) -> str:
    """Say what a number counts: ``outer`` epochs, ``inner`` steps, or nothing of the loop's."""
    marker = _MARKER.search(one.before.rstrip(" :=[(#'\""))
    if marker is not None:
        return "outer" if marker["word"].lower().rstrip("s") in _OUTER else "inner"
    before = one.before.strip()
    if not one.whole or not before.endswith(("[", ",")):
        return ""
    begins = place.outer is None and place.inner is None and before == "["
    if begins and after is not None and after.whole:
        follows = after.before.strip()
        if follows == "," or (follows == "][" and one.of and after.of):
            return "outer"  # "[3, 2000] loss: 1.2" and "[3/5][20/100] loss: 1.2"
    if begins and after is not None and not after.whole and after.before.startswith("]"):
        return "inner"  # "[3] train-logloss:0.61", as gradient boosting prints rounds
    if before.endswith("["):
        return "inner" if one.of else ""
    return "inner" if before == "," and place.outer is not None else ""


def _split_of(line: str, end: int) -> str:
    """Return the split that a line is about: named once, before its first metric."""
    split = split_in(line[:end])
    return split if split and split_in(line) == split else ""


def _says_only(rest: list[_Number], named: list[tuple[str, _Number]]) -> bool:
    """Whether a line says a metric that is one wherever it stands, and nothing else."""
    names = {id(one) for _, one in named}
    if any(id(one) not in names and one.before.strip(" ([,:=-") for one in rest):
        return False
    return any(is_certain(name) and one.is_share for name, one in named)


def _name_of(before: str) -> str:
    """Return the name right before a number; empty where there is none."""
    before = _CAST.sub("", before.rstrip()).rstrip()
    if before.endswith(("(", "<", ">", "≤", "≥", "~", "±", "/", "+", "*", "x", "×", "^")):
        return ""
    part = _PARTS.split(before.rstrip(" :=[-|│┃║\t'\""))[-1]
    name = " ".join(part.rpartition(": ")[2].strip(" '\".:=-#*>").split())
    return name if name.count("(") == name.count(")") else name.strip("() ")


def _with(split: str, name: str) -> str:
    """Put the split that begins a line before a name that has none of its own."""
    return f"{split} {name}" if split and not split_in(name) else name


def _special(line: str) -> dict[str, float] | None:
    """Read sentences of whole libraries and tutorials."""
    found = _COCO.match(line)
    if found is not None:
        return {" ".join(found["name"].split()): float(found["number"])}
    found = _OF_ALL.match(line)
    if found is None:
        return None
    name = line[: found.start("number")].strip(" :=")
    return {name.removesuffix(" is"): float(found["number"])}


def _columns_of(line: str) -> list[str]:
    """Return the heads of a printed table of epochs; empty where a line has none."""
    words = line.split()
    return words if heads_epochs(words) else []


def heads_epochs(columns: Sequence[str]) -> bool:
    """Whether columns are those of a table of epochs or steps, with a metric among them."""
    counted = len(columns) > 1 and columns[0].strip().lower() in _COUNTS
    return counted and any(is_measure(name) for name in columns[1:])
