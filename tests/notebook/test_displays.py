"""What is kept of the cells' outputs stays small, and in its place."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from cvtrack_magics.notebook import displays
from cvtrack_magics.notebook.displays import Displays


class Publisher:
    def __init__(self) -> None:
        self.hooks: list[Any] = []
        self.register_hook = self.hooks.append
        self.unregister_hook = self.hooks.remove


@pytest.fixture
def kept() -> Displays:
    history = SimpleNamespace(outputs={}, input_hist_raw=["", "the first"])
    shell = SimpleNamespace(display_pub=Publisher(), history_manager=history)
    made = Displays(shell)
    made.install()
    return made


def show(kept: Displays, text: str, key: str = "", kind: str = "display_data") -> None:
    data = {"text/plain": "words", "text/html": text}
    content = {"data": data, "transient": {"display_id": key} if key else {}}
    message = {"msg_type": kind, "content": content}
    for hook in kept._shell.display_pub.hooks:
        assert hook(message) is message


def texts(kept: Displays, count: int = 1) -> list[Any]:
    return [one["data"].get("text/html") for one in kept.among(count, [])]


def test_an_output_that_is_updated_ten_thousand_times_is_one(kept: Displays) -> None:
    show(kept, "0", "bar")
    for at in range(10_000):
        show(kept, str(at), "bar", "update_display_data")
    assert texts(kept) == ["9999"]
    assert kept._size == sum(len(v) for one in kept.among(1, []) for v in one["data"].values())


def test_the_oldest_give_way(kept: Displays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(displays, "MOST_BYTES", 1_000)
    for _ in range(20):
        show(kept, "x" * 100)
        kept._shell.history_manager.input_hist_raw.append("another")
    gone = [texts(kept, at + 1)[0] is None for at in range(20)]
    assert gone == sorted(gone, reverse=True)
    assert 8 <= gone.count(False) < 10
    assert kept._size <= 1_000


def test_one_that_is_larger_than_all_may_be_is_words(
    kept: Displays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(displays, "MOST_BYTES", 1_000)
    show(kept, "x" * 2_000)
    assert kept.among(1, [])[0]["data"] == {"text/plain": "words"}


def test_what_is_ours_is_words(kept: Displays) -> None:
    with kept.ours():
        show(kept, "<b>card</b>")
    assert texts(kept) == [None]


def test_each_is_in_its_place(kept: Displays) -> None:
    history = kept._shell.history_manager.outputs
    show(kept, "first")
    history[1] = [1]
    show(kept, "second")
    history[1] = [1, 2, 3]
    show(kept, "third")
    made = kept.among(1, [{"n": 1}, {"n": 2}])
    assert [one.get("n") or one["data"]["text/html"] for one in made] == [
        "first",
        1,
        "second",
        2,
        "third",
    ]


def test_nothing_is_left_after_unloading(kept: Displays) -> None:
    kept.remove()
    assert kept._shell.display_pub.hooks == []


def say(kept: Displays, kind: str, cell: str, key: str = "") -> None:
    content = {"data": {"text/plain": "words"}, "transient": {"display_id": key}}
    message = {"msg_type": kind, "content": content, "parent_header": {"msg_id": cell}}
    for hook in kept._shell.display_pub.hooks:
        hook(message)


def test_what_is_ours_is_known_to_be_cleared_with_its_own_cell(kept: Displays) -> None:
    with kept.ours():
        say(kept, "display_data", "cell 1", "header")
    say(kept, "clear_output", "cell 2")
    assert not kept.is_gone("header")
    say(kept, "clear_output", "cell 1")
    assert kept.is_gone("header")
    with kept.ours():
        say(kept, "update_display_data", "cell 1", "header")
    assert kept.is_gone("header")  # an update brings nothing back
    with kept.ours():
        say(kept, "display_data", "cell 1", "header")
    assert not kept.is_gone("header")


def test_a_users_display_is_none_of_ours(kept: Displays) -> None:
    say(kept, "display_data", "cell 1", "theirs")
    say(kept, "clear_output", "cell 1")
    assert not kept.is_gone("theirs")


def test_what_was_cleared_is_not_among_the_cells_outputs(kept: Displays) -> None:
    show(kept, "first")
    say(kept, "clear_output", "cell 1")
    show(kept, "second")
    assert texts(kept) == ["second"]
    assert kept._size == sum(len(v) for one in kept.among(1, []) for v in one["data"].values())


def test_only_the_newest_of_ours_are_looked_after(
    kept: Displays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(displays, "HOMES", 3)
    with kept.ours():
        for number in range(10):
            say(kept, "display_data", "cell 1", str(number))
    say(kept, "clear_output", "cell 1")
    assert [kept.is_gone(str(number)) for number in range(10)] == [False] * 7 + [True] * 3
    assert len(kept._homes) == 3


def test_what_another_thread_displays_meanwhile_is_the_users(kept: Displays) -> None:
    with kept.ours():
        thread = threading.Thread(target=lambda: show(kept, "a figure"))
        thread.start()
        thread.join()
    assert texts(kept) == ["a figure"]
