"""Predictions written and read back; what is damaged or foreign is refused."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.tasks import npz as saving
from tests.vision.examples import TASKS, example


@pytest.mark.parametrize("task", TASKS)
def test_read_back_it_is_the_same(task: str) -> None:
    made = example(task, 3, names=["a", "b", "<c>"], seconds=1.5)
    assert made.pixels is not None
    data = saving.dump(made, 7, "pixels_x.npz")
    pixels = saving.load_pixels(saving.dump_pixels(made.pixels))
    back, meta = saving.load(data, pixels)
    assert saving.dump(back, 7, "pixels_x.npz") == data
    assert (meta["step"], meta["pixels"]) == (7, "pixels_x.npz")
    assert (back.ids, back.names, back.classes) == (made.ids, made.names, made.classes)
    assert back.seconds == 1.5
    assert back.pixels is not None
    assert [one.data for one in map(back.pixels.full, range(3))] == [
        one.data for one in map(made.pixels.full, range(3))
    ]
    assert back.pixels.tile(0).width == made.pixels.tile(0).width


def test_every_member_is_a_plain_array() -> None:
    for task in TASKS:
        with np.load(io.BytesIO(saving.dump(example(task), 0)), allow_pickle=False) as opened:
            assert all(opened[name].dtype != object for name in opened.files)


@pytest.mark.parametrize("spoil", ["cut", "foreign", "pickle", "text", "member"])
def test_what_is_damaged_is_one_line(spoil: str) -> None:
    good = saving.dump(example("detection"), 0)
    bad: Any = {
        "cut": good[: len(good) // 2],
        "foreign": _npz(x=np.zeros(3)),
        "pickle": _npz(meta=np.array([{"format": saving.FORMAT}], dtype=object)),
        "text": b"<html>",
        "member": _npz(meta=_meta(good), sizes=np.zeros((4, 2))),
    }[spoil]
    with pytest.raises(CvtrackError) as error:
        saving.load(bad)
    assert "\n" not in str(error.value)


class Bomb:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a file was unpickled",))


def test_nothing_is_unpickled() -> None:
    for bad in (pickle.dumps(Bomb()), _npz(meta=np.array([Bomb()], dtype=object))):
        with pytest.raises(CvtrackError):
            saving.load(bad)
        with pytest.raises(CvtrackError):
            saving.load_pixels(bad)


def _npz(**members: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **members)
    return file.getvalue()


def _meta(data: bytes) -> Any:
    with np.load(io.BytesIO(data)) as opened:
        return opened["meta"]
