"""What TensorBoard's writers are given goes into the open run, under ``tensorboard/``.

Of PyTorch's and of tensorboardX' ``SummaryWriter``: scalars, and the least, mean and greatest of
histograms, with their steps and times; images and figures; texts; hyper-parameters. The writer
writes as before, and before us.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cvtrack_magics.artifacts.paths import TENSORBOARD
from cvtrack_magics.records import Artifact
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.adapters.following import Call, Followed
from cvtrack_magics.secrets.stored import stored_part
from cvtrack_magics.store.switches import autologs

if TYPE_CHECKING:
    import numpy as np

PREFIX = f"{TENSORBOARD}/"
"""Before the names of what a writer was given."""
MODULES = ("torch.utils.tensorboard.writer", "tensorboardX.writer")


def _taking(take: Callable[[_Call], None]) -> Callable[[Call], None]:
    """Take a call of a writer, unless MLflow's autologging takes up the same."""

    def act(found: Call) -> None:
        if autologs("pytorch"):
            return
        call = _Call(found)
        try:
            take(call)
        except Exception as error:
            call.place.tell(
                f"tensorboard {call.tag}",
                f"{PREFIX}{call.tag} of a SummaryWriter is not recorded ({kind_and_line(error)}).",
            )

    return act


class _Call:
    """One call of a writer."""

    def __init__(self, call: Call) -> None:
        self.given = call.given
        self.place = call.place
        self.channel = call.channel
        self.params = call.params
        self.tag = str(self.given.get("tag", self.given.get("main_tag", "")))

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
        folder = "/".join(stored_part(part) for part in self.tag.split("/") if part)
        path = f"{PREFIX}{folder or 'untitled'}/step-{step:06d}.{suffix}"
        self.place.add([Artifact(path, content)])


def _scalar(call: _Call) -> None:
    if call.tag == "hp_metric" and call.given["scalar_value"] == -1:
        return  # Lightning's logger writes it in place of a metric that nobody named
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
    call.params(call.given["hparam_dict"])


_WAYS: dict[str, Callable[[_Call], None]] = {
    "add_scalar": _scalar,
    "add_scalars": _scalars,
    "add_histogram": _histogram,
    "add_image": _image,  # add_figure calls it
    "add_images": _images,
    "add_text": _text,
    "add_hparams": _hparams,
}
METHODS = tuple(
    Followed(module, "SummaryWriter", name, _taking(take))
    for module in MODULES
    for name, take in _WAYS.items()
)


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
