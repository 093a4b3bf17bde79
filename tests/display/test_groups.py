from __future__ import annotations

import pytest

from cvtrack_magics.display.groups import group_of, panels_of, role_of, styles_of
from cvtrack_magics.palette import CURVES


@pytest.mark.parametrize(
    ("name", "group", "role"),
    [
        ("train/loss", "loss", "train"),
        ("val/loss", "loss", "val"),
        ("valid/iou/cat", "iou/cat", "val"),
        ("eval_loss", "loss", "val"),
        ("validation_loss", "loss", "val"),
        ("training_score", "score", "train"),
        ("Test/acc", "acc", "test"),
        ("loss", "loss", ""),
        ("trainer/lr", "trainer/lr", ""),
        ("value", "value", ""),
        ("train", "train", ""),
        ("val/", "val/", ""),
        ("loss/train", "loss/train", ""),
    ],
)
def test_a_leading_split_is_not_part_of_the_panels_name(name: str, group: str, role: str) -> None:
    assert (group_of(name), role_of(name)) == (group, role)


def test_panels_come_in_order_of_appearance_and_the_machine_last() -> None:
    names = ["system/cpu", "val/acc", "train/loss", "train/acc"]
    assert panels_of(names) == {
        "acc": ["val/acc", "train/acc"],
        "loss": ["train/loss"],
        "system/cpu": ["system/cpu"],
    }


def test_val_looks_the_same_whether_or_not_train_is_there() -> None:
    alone = styles_of(["val/loss"])[0]
    train, val = styles_of(["val/loss", "train/loss"])
    assert (alone.color, alone.dash) == (val.color, val.dash)
    assert train.color != val.color
    assert not train.dash
    assert val.dash


def test_members_of_one_panel_never_share_a_colour_while_colours_last() -> None:
    members = ["train/loss", "loss", "val/loss", "eval/loss", "valid_loss", "test/loss"]
    colors = [style.color for style in styles_of(members)]
    assert len(set(colors)) == len(members)


def _luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
@pytest.mark.parametrize("color", CURVES)
def test_every_colour_stands_out_on_a_light_and_a_dark_page(color: str, page: str) -> None:
    low, high = sorted((_luminance(color), _luminance(page)))
    assert (high + 0.05) / (low + 0.05) >= 3  # WCAG 2.1, 1.4.11
