"""``mldata()``: which data was used, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.commands.definition import Arg, Bar, Typed, command
from cvtrack_magics.commands.typed import expression, file_or_value, identifier
from cvtrack_magics.errors import NotIdentified
from cvtrack_magics.records import Dataset, Record
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.message import Said, recorded

if TYPE_CHECKING:
    from cvtrack_magics.capture.pictures.check import Given
    from cvtrack_magics.display.data_check_view import DataCheckView

_TESTS = ("test", "eval")


def _perform(typed: Typed) -> Any:
    words = typed.words
    named = {"name": identifier(words["value"], _name(words["value"], ""))}
    if "against" in words:
        named["against_name"] = identifier(words["against"], _name(words["against"], ""))
    return mldata(**{**named, **typed.values})


def _pattern(text: str, typed: Typed) -> Any:
    """Return what a word of the notebook is, else the word: a regular expression."""
    return expression(text, typed) if text in typed.names else text


@command(
    perform=_perform,
    value=Arg("EXPR|PATH", file_or_value),
    against=Arg("EXPR|PATH", file_or_value),
    against_name=Arg("NAME"),
    group=Arg("PATTERN", _pattern),
    images=Arg("FOLDER"),
    progress=Arg(bar=Bar("hashing {value}", "MB", 1e6)),
)
def mldata(
    value: Any,
    *,
    name: str = "",
    context: str = "training",
    source: str = "",
    check: bool = False,
    against: Any = None,
    against_name: str = "",
    group: Any = None,
    images: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Said | DataCheckView:
    """Record which data was used, by SHA-256 over its full content; check its pictures.

    The run gets a manifest with one line for each file, and an MLflow dataset input.

    With --check pictures are looked through: the same picture twice (also resized, stored in
    another format, mirrored, cropped to nine tenths, brighter or darker) or with two labels,
    files that cannot be read, boxes of no area or outside, ids that stand twice, classes of
    hardly any pictures. With --against another set too: what of it the first one has already,
    and classes that only one has. Both are recorded, and %mlgate can ask leak(train, val) == 0.

    Parameters
    ----------
    value : array, tensor, Dataset, str or Path
        Data in memory, or a file or folder; for a check also a COCO file, or a pair of
        pictures and labels.
    name : str
        The data set's name; a path's own name when not given.
    context : str
        What it was used for: training, validation, testing …
    source : str
        Where it came from, for people and for MLflow.
    check : bool
        Look for copies, files that cannot be read and labels that contradict each other.
    against : array, tensor, Dataset, str or Path
        The set to be measured on: check it against this one, and record both.
    against_name : str
        Its name.
    group : str, mapping or callable
        What belongs together, such as frames of one video: a regular expression whose first
        group is the key, or a key by the picture's name. A group that both sets have is a leak.
    images : str
        The folder of a COCO file's pictures, where it is not beside the file.
    progress : callable, optional
        ``progress(done_bytes, all_bytes)``.

    Returns
    -------
    Said or DataCheckView
        ``check`` of the second has what was found.

    Examples
    --------
    ::

        %mldata data/train --against data/val
    """
    name = name or _name(value, "data")
    describe = partial(_described, source=source, progress=progress)
    if not check and against is None:
        return _recorded(describe(value, name, context))
    from cvtrack_magics.capture.pictures.check import Given
    from cvtrack_magics.commands.data_check import checked

    given = [Given(value, name, context, images)]
    if against is not None:
        other = against_name or _name(against, "val")
        other = f"{other} (2)" if other == name else other
        tests = any(word in other.lower() for word in _TESTS)
        given.append(Given(against, other, "testing" if tests else "validation", images))

    def described(one: Given) -> Sequence[Record]:
        return describe(_file_of(one.value), one.name, one.context)

    return checked(given, described, group=group, show_progress=progress is not None)


def _name(value: Any, otherwise: str) -> str:
    """Return what a path is called; a folder of nothing but pictures by the one above it."""
    if not isinstance(value, (str, Path)):
        return otherwise
    path = Path(value)
    plain = path.name.lower() in ("images", "") and path.parent.name
    return path.parent.name if plain else path.name


def _file_of(value: Any) -> Any:
    """Return the annotation file of a pair with the folder of its pictures, else the value."""
    pair = isinstance(value, tuple) and len(value) == 2
    return value[0] if pair and all(isinstance(v, (str, Path)) for v in value) else value


def _described(
    value: Any,
    name: str,
    context: str,
    *,
    source: str,
    progress: Callable[[int, int], None] | None,
) -> Sequence[Record]:
    from cvtrack_magics.capture.data.datasets import describe_data, unidentified_records

    cache = get_session().config.state / "hashes"
    try:
        return describe_data(
            value, name=name, context=context, source=source, cache=cache, progress=progress
        )
    except NotIdentified as error:  # data that was used is on record, its training goes on
        return unidentified_records(error, name=name, context=context)


def _recorded(records: Sequence[Record]) -> Said:
    found = [item for item in records if isinstance(item, Dataset)]
    hashes = ", ".join(_identified(item) for item in found)
    return recorded(records, f"{hashes} and ")


def _identified(dataset: Dataset) -> str:
    known = "identity" not in dataset.profile
    return f"{dataset.name} {f'sha256 {dataset.digest[:12]}' if known else 'not identified'}"
