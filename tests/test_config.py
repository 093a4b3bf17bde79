"""Each option can be set for a process by a variable of its environment."""

from __future__ import annotations

import warnings

import pytest

from cvtrack_magics.config import CvTrack

SAID = [
    ("CLOSE_TIMEOUT", "7.5", 7.5),
    ("EXIT_TIMEOUT", "0", 0.0),
    ("GRID_LIMIT", "3", 3),
    ("LIVE_PLOT", "0", False),
    ("LIVE_PLOT", "False", False),
    ("WATCH", "0", False),
    ("WATCH", "1", True),
    ("SENDER", "thread", "thread"),
    ("MASK_SECRETS", "strict", "strict"),
    ("SECRET_ALLOW", "['abc*', 'x']", ["abc*", "x"]),
    ("DEFAULT_STORE", "sqlite:///other.db", "sqlite:///other.db"),
]


@pytest.mark.parametrize(("name", "text", "value"), SAID)
def test_an_option_from_the_environment(
    name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CVTRACK_{name}", text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert getattr(CvTrack(), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text"), [("CLOSE_TIMEOUT", "soon"), ("SENDER", "pigeon"), ("LIVE_PLOT", "perhaps")]
)
def test_what_is_no_value_is_said_and_changes_nothing(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"CVTRACK_{name}", raising=False)
    before = getattr(CvTrack(), name.lower())
    monkeypatch.setenv(f"CVTRACK_{name}", text)
    with pytest.warns(UserWarning, match=f"CVTRACK_{name}={text} is no value .* is used") as said:
        assert getattr(CvTrack(), name.lower()) == before
    assert len(said) == 1


def test_what_is_given_counts_more_than_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVTRACK_CLOSE_TIMEOUT", "7.5")
    assert CvTrack(close_timeout=1.0).close_timeout == 1.0


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = CvTrack().state_folder
    monkeypatch.setenv("CVTRACK_STATE_FOLDER", "")
    assert CvTrack().state_folder == before
