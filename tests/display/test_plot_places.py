"""Where the plot of a run goes in a page: its header, then its card."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.display.helpers import series
from tests.display.pages import (
    ADD,
    Plot,
    edge,
    header,
    ink,
    legend,
    needs_chromium,
    settle,
    the_card,
    titles,
    zoom_in,
)

pytestmark = needs_chromium


UPDATE = """(html) => { document.querySelector(".output").innerHTML = html; }"""


def test_the_plot_of_a_run_is_put_into_its_header(page: Any) -> None:
    page.evaluate(ADD, header())
    page.evaluate(ADD, header("ffffffff"))
    plot = Plot(page, "my run", views=0, run="0a1b2c3d")
    plot.push({"a": series([1, 2])})
    assert page.locator(".output").first.locator(".cv-run").text_content() == "my run"
    assert ink(page) > 20
    assert "● running n" not in page.locator(".output").first.inner_text()
    assert page.locator(".output").nth(1).inner_text().endswith("● running n · step 0 · a 1")
    page.evaluate(ADD, header())
    assert page.locator(".cvtrack-plot").count() == 2
    page.evaluate("(id) => models[id].stop()", plot.id)
    assert page.locator(".cvtrack-plot").count() == 0


def test_a_header_written_anew_keeps_the_plot_and_how_it_is_looked_at(page: Any) -> None:
    page.evaluate(ADD, header())
    plot = Plot(page, views=0, run="0a1b2c3d")
    plot.push({"a": series(range(101))})
    zoom_in(page)
    page.evaluate("window.kept = document.querySelector('.cvtrack-plot')")
    seen = page.evaluate(
        f"""async (html) => {{
          const home = document.querySelector(".output");
          const before = home.offsetHeight;
          ({UPDATE})(html);
          await Promise.resolve();
          return [before, home.offsetHeight, home.contains(kept)];
        }}""",
        header(at=2.0),
    )
    assert seen == [seen[0], seen[0], True]
    plot.push({"a": series([101], steps=[101])})
    assert edge(page) == pytest.approx(50, abs=1)
    # A cell that scrolled away comes back with what arrived meanwhile.
    page.mouse.move(0, 0)
    page.evaluate("(window.output = document.querySelector('.output')).remove()")
    plot.push({"b": series([7])})
    page.evaluate("document.body.append(output)")
    assert legend(page) == {"a": "101", "b": "7"}
    page.evaluate(UPDATE, "<b>header</b>")
    settle(page, 100)
    assert page.locator(".cvtrack-plot").count() == 0
    page.evaluate(UPDATE, header())
    assert legend(page) == {"a": "101", "b": "7"}


def test_the_card_goes_on_with_the_settings_of_the_live_plot(page: Any) -> None:
    page.evaluate(ADD, header())
    plot = Plot(page, views=0, run="0a1b2c3d")
    plot.push({"train/loss": series([3, 2, 1]), "val/loss": series([3, 2])})
    page.locator(".cv-toggle", has_text="log").click()
    page.locator(".cv-toggle", has_text="time").click()
    page.get_by_label("Smoothing").fill("0.5")
    page.locator(".cv-key", has_text="val/loss").click()
    page.evaluate(ADD, the_card(key="0a1b2c3d"))
    page.evaluate("(id) => models[id].stop()", plot.id)
    pressed = "(nodes) => nodes.map((n) => n.textContent + n.getAttribute('aria-pressed'))"
    assert page.locator(".cvtrack-plot").count() == 1
    toggles = page.locator(".cv-toggle[aria-pressed]").evaluate_all(pressed)
    assert toggles == ["stepfalse", "timetrue", "logtrue"]
    assert page.get_by_label("Smoothing").input_value() == "0.5"
    assert page.locator(".cv-amount").text_content() == "0.5"
    keys = page.locator(".cv-key").evaluate_all("(n) => n.map((k) => k.ariaPressed)")
    assert keys == ["true", "false"]
    assert ink(page, "#e0781a") == 0
    page.evaluate(ADD, the_card(key="ffffffff"))
    assert page.get_by_label("Smoothing").nth(1).input_value() == "0"


def test_a_card_comes_alive_before_it_is_painted(page: Any) -> None:
    page.evaluate("import('/plot.js')")
    alive = page.evaluate(
        f"""async (html) => {{
          ({ADD})(html);
          await Promise.resolve();
          return document.querySelectorAll(".cvtrack-curves .uplot").length;
        }}""",
        the_card(),
    )
    assert alive == 1


def test_a_saved_card_comes_alive_where_the_front_end_is_loaded(page: Any) -> None:
    page.evaluate(ADD, the_card())
    assert page.locator(".cvtrack-curves img").is_visible()
    page.evaluate("import('/plot.js')")
    page.locator(".cvtrack-curves .uplot").wait_for(timeout=2000)
    assert not page.locator(".cvtrack-curves img").is_visible()
    assert legend(page) == {"train/loss": "1", "val/loss": "2"}
    assert ink(page) > 20


def test_cards_that_come_later_or_with_a_second_bundle_come_alive_once(page: Any) -> None:
    page.evaluate("Promise.all([import('/plot.js'), import('/plot.js?again')])")
    page.evaluate(ADD, the_card())
    page.evaluate(ADD, the_card("<script>window.pwned=1</script>"))
    page.wait_for_timeout(300)
    assert page.locator(".cvtrack-curves .cvtrack-plot").count() == 2
    assert titles(page) == ["loss", "<script>window.pwned=1</script>"]
    assert page.evaluate("window.pwned") is None


def test_a_card_taken_out_of_the_page_and_put_back_comes_alive_again(page: Any) -> None:
    page.evaluate("import('/plot.js')")
    page.evaluate(ADD, the_card())
    page.locator(".cvtrack-curves .uplot").wait_for(timeout=2000)
    page.evaluate("(window.kept = document.querySelector('.output')).remove()")
    page.wait_for_timeout(200)
    assert page.evaluate("kept.querySelectorAll('.uplot').length") == 0
    assert page.evaluate("kept.querySelector('img').style.display") == ""
    page.evaluate("document.body.append(kept)")
    page.locator(".cvtrack-curves .uplot").wait_for(timeout=2000)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "null",
        "[]",
        '{"series": [null]}',
        '{"series": [{"name": "a", "steps": [1], "values": [], "times": []}]}',
        '{"series": [{"name": {}, "steps": [], "values": [], "times": []}]}',
    ],
)
def test_a_card_with_broken_data_keeps_its_picture(page: Any, data: str) -> None:
    html = re.sub(r'(class="cvtrack-data">).*?(</script>)', rf"\g<1>{data}\2", the_card())
    page.evaluate("import('/plot.js')")
    page.evaluate(ADD, html)
    page.wait_for_timeout(200)
    assert page.locator(".cvtrack-curves img").is_visible()
    assert page.locator(".cvtrack-plot").count() == 0


def test_a_header_written_anew_disturbs_no_hand(page: Any) -> None:
    page.evaluate(ADD, header())
    plot = Plot(page, views=0, run="0a1b2c3d")
    plot.tell(kind="live", actions=["stop", "pause", "mark"])
    plot.push({"a": series(range(101))})
    page.get_by_role("button", name="Note something").click()
    page.keyboard.type("one ")
    page.evaluate(UPDATE, header(at=2.0))
    page.keyboard.type("two")
    note = page.get_by_label("Note at this step")
    assert note.is_visible()
    assert note.input_value() == "one two"
    page.keyboard.press("ArrowLeft")
    page.evaluate(UPDATE, header(at=3.0))
    page.keyboard.type("s")
    assert note.input_value() == "one tw" + "so"
    slider = page.get_by_label("Smoothing")
    slider.focus()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
    before = float(slider.input_value())
    page.evaluate(UPDATE, header(at=4.0))
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    after = float(slider.input_value())
    page.mouse.up()
    page.mouse.move(box["x"], box["y"])
    assert before < after == float(slider.input_value())


def test_a_note_that_is_not_begun_stays_open_when_the_header_is_written_anew(page: Any) -> None:
    page.evaluate(ADD, header())
    plot = Plot(page, views=0, run="0a1b2c3d")
    plot.tell(kind="live", actions=["stop", "pause", "mark"])
    page.get_by_role("button", name="Note something").click()
    page.evaluate(UPDATE, header(at=2.0))
    page.keyboard.type("lr dropped")
    note = page.get_by_label("Note at this step")
    assert note.input_value() == "lr dropped"
    note.fill("")
    page.evaluate("document.activeElement.blur()")
    assert note.is_hidden()
    assert page.get_by_role("button", name="Note something").is_visible()


@pytest.mark.parametrize("away", [False, True], ids=["on it", "beside it"])
def test_a_click_during_which_the_header_is_written_anew_counts(page: Any, away: bool) -> None:
    page.evaluate(ADD, header())
    plot = Plot(page, views=0, run="0a1b2c3d")
    plot.tell(kind="live", actions=["stop", "pause", "mark"])
    box = page.get_by_role("button", name="Stop the run").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.evaluate(UPDATE, header(at=2.0))
    if away:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] + 200)
    page.mouse.up()
    settle(page, 100)
    said = [message for message in plot.sent if message.get("kind") == "action"]
    assert said == ([] if away else [{"kind": "action", "action": "stop", "text": ""}])


def test_a_hand_that_went_elsewhere_is_not_called_back(page: Any) -> None:
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.evaluate(ADD, header())
    plot = Plot(page, views=0, run="0a1b2c3d")
    plot.tell(kind="live", actions=["stop", "pause", "mark"])
    plot.push({"a": series(range(101))})
    page.get_by_role("button", name="Note something").click()
    page.locator("textarea").focus()
    page.evaluate(UPDATE, header(at=2.0))
    page.keyboard.type("next cell")
    assert page.locator("textarea").input_value() == "next cell"


def test_the_wheel_scrolls_the_page(page: Any) -> None:
    page.evaluate(ADD, header())
    plot = Plot(page, views=0, run="0a1b2c3d")
    plot.push({"a": series(range(101))})
    page.evaluate("document.body.style.height = '4000px'")
    box = page.locator(".cvtrack-plot canvas").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, 300)
    page.wait_for_timeout(200)
    assert page.evaluate("scrollY") > 200
