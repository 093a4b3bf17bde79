"""``mlcam()``: where a classifier looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.pictures import shown
from cvtrack_magics.commands.typed import expression
from cvtrack_magics.errors import UsageProblem, did_you_mean

if TYPE_CHECKING:
    from cvtrack_magics.display.image_view import Shown


def target_of(text: Any, classes: Sequence[str]) -> Any:
    """Return the class that was named: an index, or a name of ``classes``."""
    names = [str(name) for name in classes]
    if not isinstance(text, str):
        return text
    if text in names:
        return names.index(text)
    try:
        return int(text)
    except ValueError:
        hint = did_you_mean(text, names) if names else " Give --classes, or an index."
        raise UsageProblem(f"There is no class {text!r}.{hint}") from None


@command(
    model=Arg("MODEL", expression),
    inputs=Arg("INPUT", expression),
    layer=Arg("LAYER"),
    target=Arg("C", flag="--class"),
    classes=Arg("EXPR", expression),
    value_range=Arg("EXPR", expression, flag="--range"),
)
def mlcam(
    model: Any,
    inputs: Any,
    *,
    layer: Any = None,
    target: int | str | Sequence[int] | None = None,
    classes: Sequence[str] = (),
    value_range: Any = None,
    name: str = "grad_cam",
) -> Shown:
    """Show where a classifier looks, by Grad-CAM of each input as an overlay.

    The picture is recorded in the open run.

    Parameters
    ----------
    model : torch.nn.Module
        Takes N × C × H × W and returns logits N × K.
    inputs : tensor or array
        N × C × H × W as the model takes it, or one image.
    layer : str or torch.nn.Module, optional
        Where to look; found for torchvision's families.
    target : int, str or sequence of int, optional
        The class to explain, by index or name; the predicted one otherwise.
    classes : sequence of str
        Names by index.
    value_range : (float, float), str or (means, deviations), optional
        What is black and white in the inputs, or what they were normalised with ('imagenet',
        'clip' …); recognised where only one reading is possible.
    name : str
        Of ``visualisations/<name>.png``.

    Examples
    --------
    ::

        %mlcam model images[:4] --class 3
    """
    from cvtrack_magics.vision.gradcam import cam, panel

    found = cam(
        model,
        inputs,
        layer=layer,
        target=target_of(target, classes),
        classes=classes,
        value_range=value_range,
    )
    words = f"Grad-CAM of {len(found)} images at layer {found.layer}."
    return shown(panel(found, classes), name, words, found.notes, [])
