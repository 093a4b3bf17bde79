from __future__ import annotations

import doctest
import math

import pytest

from cvtrack_magics.display import groups, text


@pytest.mark.parametrize("module", [text, groups])
def test_the_examples_in_the_docstrings_are_true(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ms"),
        (0.9994, "999 ms"),
        (0.9999, "1.0 s"),
        (59.96, "1 min 00 s"),
        (3599.9, "1 h 00 min"),
        (86400, "1 d 0 h"),
        (math.nan, "unknown time"),
        (-1, "unknown time"),
    ],
)
def test_durations_round_over_their_borders(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-0.00012345, "-0.0001234"),
        (12345.678, "12346"),
        (1e7, "1e7"),
        (-math.inf, "−∞"),
        (1e300, "1e300"),
    ],
)
def test_metrics_have_four_significant_digits(value: float, shown: str) -> None:
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("values", "log", "shown"),
    [
        ([9.5e-4, 1e-3], False, ["0.00095", "0.001"]),
        ([9.5e-4, 9.75e-4, 1e-3], False, ["9.5e-4", "9.75e-4", "1e-3"]),
        ([0, 2.5e5, 1e6], False, ["0", "0.25M", "1M"]),
        ([-1e300, 0, 1e300], False, ["-1e300", "0", "1e300"]),
        ([1e8 - 1, 1e8, 1e8 + 1], False, ["99.999999M", "100M", "100.000001M"]),
        ([-0.5, 0, 0.5], False, ["-0.5", "0", "0.5"]),
        ([0.01, 1, 100], True, ["0.01", "1", "100"]),
        ([1, 1e5], True, ["1e0", "1e5"]),
        ([], False, []),
        ([0], False, ["0"]),
    ],
)
def test_the_ticks_of_one_axis_are_written_in_one_way(
    values: list[float], log: bool, shown: list[str]
) -> None:
    assert text.ticks(values, log) == shown


def test_more_digits_on_request() -> None:
    assert text.number(0.123456789, digits=6) == "0.123457"
    assert text.number(12345.678, digits=6) == "12345.7"


def test_no_escape_sequence_reaches_a_terminal() -> None:
    assert text.plain("\x1b[31mred\x1b[0m\nnext\u202egnp") == "[31mred [0m next gnp"


def test_a_long_text_keeps_its_end() -> None:
    short = text.shorten("val/segmentation/intersection_over_union/class_017", 24)
    assert len(short) == 24
    assert short.endswith("ass_017")
    assert text.shorten("short", 24) == "short"
