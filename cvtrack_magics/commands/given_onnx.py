"""``%mlmodel --onnx FILE``: a file that somebody exported already, proved against the network."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.commands.mlexport import about_of, exported, record_export
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.model.built import Built
from cvtrack_magics.run.model_making import making
from cvtrack_magics.run.recording import Target

if TYPE_CHECKING:
    from cvtrack_magics.release.export import Export


def proved_file(file: str, model: Any, built: Built, folder: Path) -> Export | None:
    """Return the proof that an ONNX file answers as the network does; None without a file.

    Raises
    ------
    UsageProblem
        There is no such file.
    ExportRefused
        It answers something else, or cannot be run.
    """
    if not file:
        return None
    path = Path(file).expanduser()
    if not path.is_file():
        raise UsageProblem(f"--onnx: there is no file {file!r}.", "Give the path of an ONNX file.")
    batch = _fixed_batch(path)
    first, *rest = (_rows(one, batch or 1) for one in built.called_with)
    example = first if not rest else (first, *rest)
    dynamic = () if batch else ("batch",)
    return exported(model, example, folder, format="onnx", dynamic=dynamic, given=path)


def keep_file(found: Export | None, target: Target, model: Any, folder: Path) -> str:
    """Keep a proved file as the run's export, which says of which version it is; say so."""
    from cvtrack_magics.release.export import stamped

    if found is None:
        return ""
    named = stamped(found, about_of(target, model))
    with making(target, "onnx", "onnx export") as made:
        made.begin()
        record_export(target, made, named, folder)
    return f"The ONNX file is equal in {len(found.checks)} checks, and kept as onnx/."


def _fixed_batch(path: Path) -> int:
    """Return the number of samples that a file takes; 0 for any, or where it cannot be read."""
    from cvtrack_magics.release.export.onnxfile import open_onnx

    with suppress(Exception):  # it is read again where it is proved, and refused there
        sizes = [port.shape[0] for port in open_onnx(path).inputs if port.shape]
        return next((size for size in sizes if isinstance(size, int)), 0)
    return 0


def _rows(samples: Any, count: int) -> Any:
    """Return so many samples of an argument, repeated where there are fewer."""
    places = [at % len(samples) for at in range(count)]
    return [samples[at] for at in places] if isinstance(samples, list) else samples[places]
