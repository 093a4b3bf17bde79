"""Parameters out of configurations."""

from __future__ import annotations

import argparse
import random
from collections import namedtuple
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from cvtrack_magics.capture.params.logged import describe_params
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Notice, Param


def flat(value: object, prefix: str = "", name: str = "") -> dict[str, str]:
    records = describe_params(value, prefix, name)
    return {record.key: record.value for record in records if isinstance(record, Param)}


@dataclass
class Head:
    width: int = 8


@dataclass
class Config:
    lr: float = 0.1
    head: Head = field(default_factory=Head)


def test_nested_dict_is_flattened() -> None:
    value = {"a": {"b": {"c": 1}}, "list": [1, 2], "layers": [{"k": 3}, {"k": 5}], "none": None}
    assert flat(value) == {
        "a.b.c": "1",
        "list": "[1, 2]",
        "layers.0.k": "3",
        "layers.1.k": "5",
        "none": "None",
    }


def test_empty_containers_are_values() -> None:
    assert flat({"a": {}, "b": []}) == {"a": "{}", "b": "[]"}


@pytest.mark.parametrize(
    "value",
    [
        Config(),
        argparse.Namespace(lr=0.1, head=argparse.Namespace(width=8)),
        SimpleNamespace(lr=0.1, head={"width": 8}),
        namedtuple("C", "lr head")(0.1, Head()),
        {"lr": 0.1, "head": Head()},
    ],
)
def test_every_kind_of_configuration(value: object) -> None:
    assert flat(value) == {"lr": "0.1", "head.width": "8"}


def test_pydantic_attrs_and_omegaconf() -> None:
    import attr
    from omegaconf import OmegaConf
    from pydantic import BaseModel, SecretStr

    class Inner(BaseModel):
        width: int = 8

    class Outer(BaseModel):
        lr: float = 0.1
        head: Inner = Inner()
        login: SecretStr = SecretStr("hunter2")

    found = flat(Outer())
    assert found["lr"] == "0.1"
    assert found["head.width"] == "8"
    assert "hunter2" not in str(found)

    @attr.s
    class Plain:
        lr = attr.ib(default=0.1)

    assert flat(Plain()) == {"lr": "0.1"}
    conf = OmegaConf.create({"lr": 0.1, "twice": "${lr}", "steps": [1, 2]})
    assert flat(conf) == {"lr": "0.1", "twice": "0.1", "steps": "[1, 2]"}


def test_class_of_settings() -> None:
    class Base:
        seed = 1

    class CFG(Base):
        lr = 0.1

        def method(self) -> None: ...

    assert flat(CFG) == {"seed": "1", "lr": "0.1"}


def test_prefix_and_name() -> None:
    assert flat({"lr": 1}, prefix="train") == {"train.lr": "1"}
    assert flat(0.1, name="lr") == {"lr": "0.1"}
    assert flat([1, 2], name="steps", prefix="p") == {"p.steps": "[1, 2]"}
    assert flat(np.float64(2.5), name="x") == {"x": "2.5"}


def test_a_bare_value_needs_a_name() -> None:
    with pytest.raises(UsageProblem, match="no name"):
        describe_params(3)


@pytest.mark.parametrize("value", [object(), lambda: 0, print, open])
def test_unknown_objects_are_refused(value: object) -> None:
    with pytest.raises(UsageProblem) as caught:
        describe_params(value, name="thing")
    assert "thing" in caught.value.problem
    assert "dict" in caught.value.hint


def test_random_generators_have_no_settings() -> None:
    import torch

    for value in (random.Random(1), np.random.default_rng(1), torch.Generator()):
        assert describe_params(value) == []
    assert flat({"rng": np.random.default_rng(1), "lr": 1}) == {"lr": "1"}


def test_secrets_are_hidden() -> None:
    found = flat({"db": {"password": "hunter2", "url": "postgres://me:pw@host/db"}})
    assert found == {"db.password": "***", "db.url": "postgres://host/db"}


def test_a_dict_that_holds_itself_ends() -> None:
    value: dict[str, object] = {"lr": 1}
    value["me"] = value
    assert flat(value) == {"lr": "1", "me": "…"}


def test_no_memory_addresses() -> None:
    found = flat({"f": lambda: 0, "o": object(), "g": [object()]})
    assert "0x" not in str(found)


def test_two_values_for_one_name_are_said() -> None:
    records = describe_params({"a?": 1, "a*": 2})
    assert [record for record in records if isinstance(record, Param)] == [Param("a_", "1")]
    notices = [record.text for record in records if isinstance(record, Notice)]
    assert len(notices) == 1
    assert "given twice" in notices[0]
