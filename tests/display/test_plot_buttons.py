"""Stop, Pause and Mark under a running cell, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.display.helpers import series
from tests.display.pages import ADD, Plot, header, needs_chromium, settle, the_card

pytestmark = needs_chromium

ALL = ["stop", "pause", "mark"]


def shown(page: Any) -> list[str]:
    buttons = page.locator(".cv-controls button:visible")
    return list(buttons.all_text_contents())


def live(page: Any) -> Plot:
    plot = Plot(page)
    plot.push({})  # a page that hears of no points asks for them after 1.5 s
    plot.tell(kind="live", actions=ALL)
    return plot


def test_there_are_no_buttons_until_the_kernel_answers_and_none_after_the_run(page: Any) -> None:
    plot = Plot(page)
    assert plot.sent == [{"kind": "hello"}]
    plot.push({"a": series([1, 2])})
    assert shown(page) == []
    plot.tell(kind="live", actions=ALL)
    assert shown(page) == ["Pause", "Mark", "Stop"]
    plot.tell(kind="live", actions=["mark"])
    assert shown(page) == ["Mark"]
    plot.tell(kind="live", actions=[*ALL, "<b>", 3])
    plot.push({}, status="FINISHED")
    assert shown(page) == []


def test_a_kernel_that_hears_no_click_is_said_to_and_what_ends_the_run(page: Any) -> None:
    page.clock.install()
    plot = Plot(page)
    plot.push({"a": series([1, 2])})
    words = page.locator(".cv-control")
    assert not words.is_visible()
    page.clock.run_for(9_000)
    settle(page)
    assert words.text_content() == "no buttons here: interrupt the cell to end the run"
    plot.tell(kind="live", actions=ALL)  # late, and true all the same
    assert not words.is_visible()
    assert shown(page) == ["Pause", "Mark", "Stop"]


def test_a_run_that_is_over_has_no_words_about_buttons(page: Any) -> None:
    page.clock.install()
    plot = Plot(page)
    plot.push({"a": series([1, 2])}, status="FINISHED")
    page.clock.run_for(9_000)
    settle(page)
    assert not page.locator(".cv-control").is_visible()


def test_stop_answers_at_once_and_is_sent_once(page: Any) -> None:
    plot = live(page)
    stop = page.get_by_role("button", name="Stop the run")
    stop.focus()
    page.keyboard.press("Enter")
    settle(page)
    assert plot.asked == [{"kind": "action", "action": "stop", "text": ""}]
    stop = page.locator(".cv-stop")
    assert stop.text_content() == "Stopping …"
    assert stop.is_disabled()
    stop.click(force=True)
    plot.state(control={"state": "stopping", "note": ""})
    assert page.locator(".cv-control").text_content() == "stopping at the next step …"
    assert stop.is_disabled()
    assert len(plot.asked) == 1
    plot.state(control={"state": "stopped", "note": "at step 412"})
    plot.push({}, status="KILLED")
    assert page.locator(".cv-control").text_content() == "stopped at step 412"


def test_a_loop_after_the_stopped_one_can_be_stopped_too(page: Any) -> None:
    plot = live(page)
    page.get_by_role("button", name="Stop the run").click()
    plot.state(control={"state": "stopping", "note": ""})
    plot.state(control={"state": "stopped", "note": "at step 412"})
    stop = page.locator(".cv-stop")
    assert (stop.text_content(), stop.is_disabled()) == ("Stop", False)


def test_pause_becomes_resume_and_back(page: Any) -> None:
    plot = live(page)
    button = page.locator(".cv-controls button").first
    button.click()
    settle(page)
    assert (button.text_content(), button.is_disabled()) == ("Pausing …", True)
    plot.state(control={"state": "paused", "note": "at step 120"})
    assert (button.text_content(), button.is_disabled()) == ("Resume", False)
    assert page.locator(".cv-control").text_content() == "paused at step 120"
    button.click()
    plot.state(control={"state": "running", "note": ""})
    assert button.text_content() == "Pause"
    assert not page.locator(".cv-control").is_visible()
    assert [message["action"] for message in plot.asked] == ["pause", "resume"]


def test_a_mark_is_typed_sent_with_enter_and_left_with_escape(page: Any) -> None:
    plot = live(page)
    page.evaluate("window.heard = []; addEventListener('keydown', (e) => heard.push(e.key))")
    mark = page.get_by_role("button", name="Note something")
    mark.click()
    field = page.get_by_label("Note at this step")
    assert field.evaluate("(node) => node === document.activeElement")
    page.keyboard.type("abc")
    page.keyboard.press("Escape")
    settle(page)
    assert plot.asked == []
    assert mark.evaluate("(node) => node === document.activeElement")
    page.keyboard.press("Enter")
    page.keyboard.type(" <b>lr halved</b> ")
    page.keyboard.press("Shift+Enter")
    settle(page)
    assert plot.asked == [{"kind": "action", "action": "mark", "text": "<b>lr halved</b>"}]
    assert not field.is_visible()
    assert page.evaluate("heard").count("Enter") == 1  # the one that opened the field
    mark.click()
    page.locator(".cv-slider").focus()
    settle(page)
    assert not field.is_visible()


def test_points_that_arrive_while_a_note_is_typed_disturb_nothing(page: Any) -> None:
    plot = live(page)
    page.get_by_role("button", name="Note something").click()
    page.keyboard.type("one ")
    plot.push({"a": series([1, 2])})
    plot.tell(kind="live", actions=ALL)
    page.keyboard.type("two")
    assert page.get_by_label("Note at this step").input_value() == "one two"


def test_a_page_whose_kernel_is_gone_stays_quiet(page: Any) -> None:
    plot = live(page)
    page.evaluate("(id) => { models[id].model.send = () => { throw Error('gone'); } }", plot.id)
    page.locator(".cv-stop").click()
    settle(page)
    assert page.locator(".cv-stop").text_content() == "Stopping …"


def test_a_card_has_no_buttons_and_greets_nobody(page: Any) -> None:
    page.evaluate("import('/plot.js')")
    page.evaluate(ADD, the_card())
    page.locator(".cvtrack-curves .uplot").wait_for(timeout=2000)
    assert page.locator(".cv-controls").count() == 0


def test_the_page_greets_again_until_it_is_answered(page: Any) -> None:
    page.evaluate(ADD, header())
    plot = Plot(page, views=0, run="0a1b2c3d")
    page.wait_for_timeout(1400)
    assert plot.sent.count({"kind": "hello"}) == 2
    page.evaluate(ADD, header())  # a view that comes back
    settle(page)
    assert plot.sent.count({"kind": "hello"}) == 3
    plot.tell(kind="live", actions=ALL)
    plot.push({"a": series([1])})
    page.wait_for_timeout(1300)
    page.evaluate(ADD, header())
    settle(page)
    assert plot.sent.count({"kind": "hello"}) == 3


@pytest.mark.parametrize("control", [None, 3, {"state": {}, "note": []}, {"state": "<b>"}])
def test_a_state_that_nobody_knows_says_nothing(page: Any, control: Any) -> None:
    plot = live(page)
    plot.state(control=control, bars="x", marks=[None, {"step": "1"}], baselines=[{"label": 1}])
    assert not page.locator(".cv-control").is_visible()
    assert page.locator(".cv-bar").count() == 0
