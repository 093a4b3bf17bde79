"""What TensorBoard's writers are given goes into the open run, under ``tensorboard/``.

Of PyTorch's and of tensorboardX' ``SummaryWriter``: scalars, and the least, mean and greatest of
histograms, with their steps and times; images and figures; texts; hyper-parameters. The writer
writes as before, and before us.
"""

from __future__ import annotations

import functools
import inspect
import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cvtrack_magics.capture.code.loaded import forget, when_loaded
from cvtrack_magics.names import file_part
from cvtrack_magics.records import Artifact, Record
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.current import get_session
from cvtrack_magics.store.switches import takes_tensorboard

if TYPE_CHECKING:
    import numpy as np

    from cvtrack_magics.delivery.channel import Channel
    from cvtrack_magics.run.writing import Place

PREFIX = "tensorboard/"
"""Before the names of what a writer was given."""
MODULES = ("torch.utils.tensorboard.writer", "tensorboardX.writer")


def follow() -> None:
    """Follow the writers that are imported, and those that will be."""
    for name in MODULES:
        when_loaded(name, _follow_in)


def leave() -> None:
    """Give the writers back as they were."""
    for name in MODULES:
        module = forget(name)
        writer = getattr(module, "SummaryWriter", None)
        for way in _WAYS:
            plain = getattr(getattr(writer, way, None), "cvtrack_follows", None)
            if plain is not None:
                setattr(writer, way, plain)


def _follow_in(module: ModuleType) -> None:
    writer = getattr(module, "SummaryWriter", None)
    for name, take in _WAYS.items():
        plain = getattr(writer, name, None)
        if callable(plain) and not hasattr(plain, "cvtrack_follows"):
            setattr(writer, name, _followed(plain, take))


def _followed(plain: Any, take: Callable[[_Call], None]) -> Any:
    signature = inspect.signature(plain)

    @functools.wraps(plain)
    def act(*args: Any, **kwargs: Any) -> Any:
        result = plain(*args, **kwargs)
        with suppress(Exception):  # nothing of ours ends a training
            _take(take, signature.bind(*args, **kwargs).arguments)
        return result

    act.cvtrack_follows = plain  # type: ignore[attr-defined]
    return act


def _take(take: Callable[[_Call], None], given: Mapping[str, Any]) -> None:
    session = get_session()
    found = session.writing.now(quietly=True)
    if found is None or takes_tensorboard():
        return
    call = _Call(given, *found)
    try:
        take(call)
    except Exception as error:
        call.place.tell(
            f"tensorboard {call.tag}",
            f"{PREFIX}{call.tag} of a SummaryWriter is not recorded ({kind_and_line(error)}).",
        )


class _Call:
    """One call of a writer."""

    def __init__(self, given: Mapping[str, Any], place: Place, channel: Channel) -> None:
        self.given = given
        self.place = place
        self.channel = channel
        self.tag = str(given.get("tag", given.get("main_tag", "")))

    @property
    def _step(self) -> int | None:
        step = self.given.get("global_step")
        return None if step is None else int(step)

    def numbers(self, values: Mapping[str, Any]) -> None:
        """Record numbers with the call's step and time."""
        floats = {f"{PREFIX}{name}": float(value) for name, value in values.items()}
        at, step = self.given.get("walltime"), self._step
        if at is not None and step is not None:
            self.channel.log_at(floats, step, int(float(at) * 1000))
        else:
            self.channel.record(floats, step, 1)

    def file(self, content: bytes | str, suffix: str) -> None:
        """Keep a file with the call's step."""
        step = self.place.step_of(self._step)
        folder = "/".join(file_part(part) for part in self.tag.split("/") if part)
        path = f"{PREFIX}{folder or 'untitled'}/step-{step:06d}.{suffix}"
        self.add([Artifact(path, content)])

    def add(self, records: list[Record]) -> None:
        """Record facts."""
        self.place.add(records)


def _scalar(call: _Call) -> None:
    call.numbers({call.tag: call.given["scalar_value"]})


def _scalars(call: _Call) -> None:
    values = call.given["tag_scalar_dict"]
    call.numbers({f"{call.tag}/{name}": value for name, value in values.items()})


def _histogram(call: _Call) -> None:
    import numpy as np

    values = _array(call.given["values"]).astype(np.float64).ravel()
    finite = values[np.isfinite(values)]
    if finite.size:
        least, mean, most = finite.min(), finite.mean(), finite.max()
        call.numbers({f"{call.tag}/min": least, f"{call.tag}/mean": mean, f"{call.tag}/max": most})


def _image(call: _Call) -> None:
    given = call.given
    array = _array(given.get("img_tensor"))
    call.file(_png(array, str(given.get("dataformats", "CHW"))), "png")


def _images(call: _Call) -> None:
    given = call.given
    call.file(_png(_array(given.get("img_tensor")), str(given.get("dataformats", "NCHW"))), "png")


def _text(call: _Call) -> None:
    call.file(str(call.given["text_string"]), "md")


def _hparams(call: _Call) -> None:
    from cvtrack_magics.capture.params.logged import describe_params

    call.add([*describe_params(dict(call.given["hparam_dict"]))])


_WAYS: dict[str, Callable[[_Call], None]] = {
    "add_scalar": _scalar,
    "add_scalars": _scalars,
    "add_histogram": _histogram,
    "add_image": _image,  # add_figure calls it
    "add_images": _images,
    "add_text": _text,
    "add_hparams": _hparams,
}


def _array(value: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    for step in ("detach", "cpu"):
        act = getattr(value, step, None)
        value = act() if act is not None else value
    if str(getattr(value, "dtype", "")) == "torch.bfloat16":  # NumPy has no such type
        value = value.float()
    return np.asarray(value)


def _png(array: np.ndarray[Any, Any], axes: str) -> bytes:
    """Return images as a PNG, those of a batch beside each other.

    Parameters
    ----------
    array : ndarray
        uint8, or floats from 0 to 1.
    axes : str
        What its axes are: a permutation of some of ``NCHW``.
    """
    import numpy as np
    from PIL import Image

    axes = axes.upper()
    if "N" not in axes:
        array, axes = array[None], f"N{axes}"
    if "C" not in axes:
        array, axes = array[..., None], f"{axes}C"
    array = array.transpose([axes.index(axis) for axis in "NHWC"])
    if array.dtype != np.uint8:
        array = np.rint(np.clip(np.nan_to_num(array.astype(np.float64)), 0, 1) * 255)
        array = array.astype(np.uint8)
    sheet = np.concatenate(list(array), axis=1)
    sheet = sheet[:, :, 0] if sheet.shape[2] == 1 else sheet
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(sheet)).save(buffer, format="PNG")
    return buffer.getvalue()
