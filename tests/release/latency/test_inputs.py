"""Examples at other batch sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.latency.inputs import read_example


def test_a_tensor_grows_and_shrinks() -> None:
    image = torch.rand(3, 2, 4, 4)
    example = read_example(image)
    assert example.size == 3
    (grown,) = example.at(7).args
    assert torch.equal(grown, image[[0, 1, 2, 0, 1, 2, 0]])
    assert torch.equal(example.at(2).args[0], image[:2])
    assert grown.data_ptr() != image.data_ptr()


def test_an_array_stays_an_array() -> None:
    (grown,) = read_example(np.arange(4, dtype=np.float32)[None]).at(5).args
    assert isinstance(grown, np.ndarray)
    assert grown.shape == (5, 4)


def test_a_list_is_a_batch() -> None:
    images = [torch.rand(3, 4, 4), torch.rand(3, 5, 6)]
    (grown,) = read_example(images).at(5).args
    assert [tuple(image.shape) for image in grown] == [(3, 4, 4), (3, 5, 6)] * 2 + [(3, 4, 4)]


def test_several_inputs_and_what_is_no_batch() -> None:
    image, scale, anchors = torch.rand(2, 3, 4, 4), torch.tensor(2.0), torch.rand(5, 4)
    example = read_example((image, scale, anchors, "same"))
    grown = example.at(6).args
    assert grown[0].shape == (6, 3, 4, 4)
    assert grown[1] is scale
    assert grown[2] is anchors
    assert grown[3] == "same"


def test_a_mapping_is_passed_by_name() -> None:
    example = read_example({"pixels": torch.rand(1, 3), "mask": torch.ones(1, 3)})
    assert example.args == ()
    assert {name: tuple(v.shape) for name, v in example.at(4).kwargs.items()} == {
        "pixels": (4, 3),
        "mask": (4, 3),
    }


def test_memory_format_is_kept() -> None:
    image = torch.rand(1, 3, 4, 4).to(memory_format=torch.channels_last)
    (grown,) = read_example(image).at(2).args
    assert grown.is_contiguous(memory_format=torch.channels_last)
    assert not grown.is_contiguous()


def test_every_leaf_is_mapped() -> None:
    example = read_example(([torch.ones(2)], {"a": (torch.ones(1), 3)}))
    doubled = example.mapped(lambda value: value * 2)
    assert [leaf.tolist() for leaf in doubled.leaves()] == [[2.0, 2.0], [2.0]]
    assert doubled.args[1]["a"][1] == 3


@pytest.mark.parametrize("example", [3, "text", torch.tensor(1.0), [], (), {}, torch.zeros(0, 3)])
def test_no_batch(example: object) -> None:
    with pytest.raises(UsageProblem, match="holds no batch"):
        read_example(example)
