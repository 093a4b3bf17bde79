"""Names and texts of parameters."""

from __future__ import annotations

import datetime
import enum
import functools
import posixpath
import re
from pathlib import PurePosixPath

import numpy as np
import pytest

from cvtrack_magics.capture.params.values import looks_secret, make_param, value_text
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact, Param


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


class Bare:
    pass


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class WithAddress:
    def __repr__(self) -> str:
        return f"<WithAddress n=3 at {hex(id(self))}>"


@pytest.mark.parametrize(
    "key",
    ["lr", "a b", "a?b*", "ä.ö", "/x", "x/", "a//b", "../up", "a/../b", ".", "", "  ", "x" * 400],
)
def test_keys_satisfy_mlflow(key: str) -> None:
    from mlflow.utils.validation import _validate_param_name

    name = safe_key(key)
    _validate_param_name(name)
    assert 0 < len(name) <= 250
    assert re.fullmatch(r"[\w\-. /:]+", name)
    assert posixpath.normpath(name) == name


def test_long_keys_stay_apart() -> None:
    assert safe_key("k" * 300 + "a") != safe_key("k" * 300 + "b")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1e-8, "1e-08"),
        (True, "True"),
        (None, "None"),
        ("x", "x"),
        ([1, 2.5, "a"], '[1, 2.5, "a"]'),
        ((0.9, 0.999), "[0.9, 0.999]"),
        ({"b", "a"}, '["a", "b"]'),
        ({"a": (1,)}, '{"a": [1]}'),
        (range(3), "range(0, 3)"),
        (Colour.RED, "red"),
        (Colour.BLUE, "BLUE"),
        (np.float32(0.5), "0.5"),
        (np.arange(3), "[0, 1, 2]"),
        (np.zeros((100, 2), np.float32), "array(shape=(100, 2), dtype=float32)"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (PurePosixPath("a/b"), "a/b"),
        (b"abc", "bytes(3)"),
        (Bare(), "Bare"),
        (Broken(), "Broken"),
        (WithAddress(), "<WithAddress n=3>"),
        (np.mean, "numpy.mean"),
        (functools.partial(np.clip, a_min=0), "partial(numpy.clip, a_min=0)"),
        ("https://me:pw@host/x?token=abc", "https://host/x?token=***"),
        ("use ghp_0123456789abcdefghij0123", "use ***github***"),
    ],
)
def test_value_text(value: object, text: str) -> None:
    assert value_text(value) == text


def test_torch_words() -> None:
    import torch

    assert value_text(torch.float16) == "torch.float16"
    assert value_text(torch.device("cpu")) == "cpu"
    assert value_text(torch.tensor(2.0)) == "2.0"
    assert value_text(torch.zeros(3, 224, 224)) == "tensor(shape=(3, 224, 224), dtype=float32)"


@pytest.mark.parametrize(
    ("key", "value", "secret"),
    [
        ("password", "x", True),
        ("db.passwd", 1234, True),
        ("clientSecret", "x", True),
        ("api_key", "x", True),
        ("apiKey", "x", True),
        ("aws.access_key_id", "x", True),
        ("hf_token", "x", True),
        ("secrets.github", "x", True),
        ("tokens.0", "x", True),
        ("tokens", ["x"], True),
        ("passwords", [], False),
        ("special_tokens", ["x"], False),
        ("max_tokens", 128, False),
        ("token", 5, False),
        ("pad_token", "<pad>", False),
        ("class_token", "x", False),
        ("tokenizer", "bpe", False),
        ("use_password", True, False),
        ("password", None, False),
        ("monkey", "x", False),
        ("key", "x", False),
        ("keypoints", "x", False),
    ],
)
def test_secret_names(key: str, value: object, secret: bool) -> None:
    assert looks_secret(key, value) is secret


def test_long_value_goes_to_an_artifact() -> None:
    text = "é" * 501
    param, artifact = make_param("note", text)
    assert isinstance(param, Param)
    assert len(param.value) == 500
    assert param.value.endswith("…")
    assert artifact == Artifact("params/note.txt", content=text)
    assert make_param("note", "é" * 500) == [Param("note", "é" * 500)]
