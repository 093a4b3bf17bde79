"""An error that comes of itself, by whatever way, is read to its end and holds up nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cvtrack_magics.delivery.attempts import Tried
from cvtrack_magics.errors import chain_of
from cvtrack_magics.store.answers import AskedToWait, seconds_to_wait


def linked(how: str, *errors: BaseException) -> BaseException:
    """Make each error the next one's cause or context, and the last one's the first."""
    for error, of in zip(errors, [*errors[1:], errors[0]], strict=True):
        setattr(error, how, of)
    return errors[0]


def again() -> BaseException:
    """Raise one object twice, as a mock's side effect does, with another one in between."""
    error = RuntimeError("patched")
    try:
        try:
            raise error
        except RuntimeError:
            raise ValueError("told") from None
    except ValueError as told:
        error.__context__ = told
        return error


RINGS: dict[str, Callable[[], BaseException]] = {
    "its own cause": lambda: linked("__cause__", ValueError()),
    "its own context": lambda: linked("__context__", ValueError()),
    "two causes": lambda: linked("__cause__", ValueError(), KeyError()),
    "three contexts": lambda: linked("__context__", ValueError(), KeyError(), OSError()),
    "a mock's": again,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("ring", RINGS)
def test_a_ring_has_an_end(ring: str) -> None:
    error = RINGS[ring]()
    found = [*chain_of(error)]
    assert found[0] is error
    assert len(found) == len(set(map(id, found))) <= 3
    assert len([*chain_of(error, causes_only=True)]) <= len(found)
    assert seconds_to_wait(error) == 0.0
    assert isinstance(error, Exception)
    assert Tried().and_failed(error, 0.0, "sqlite:///x.db").failures == 1


def test_what_a_server_asked_for_is_found_below() -> None:
    error = linked("__context__", ValueError(), AskedToWait("host", 503, 7.0), KeyError())
    assert seconds_to_wait(error) == 7.0
