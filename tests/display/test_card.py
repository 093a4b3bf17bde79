from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest

from cvtrack_magics.display.annotations import Mark
from cvtrack_magics.display.card import header_bundle, live_bundle, summary_bundle
from cvtrack_magics.display.picture import curves_png
from cvtrack_magics.records import Kept
from tests.display.helpers import EPOCH, card_data, series, summary

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Page(HTMLParser):
    """The elements and the visible text of a card."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" not in self.open:
            self.text += data


def test_nothing_a_user_or_server_wrote_becomes_markup() -> None:
    history = {EVIL: series([1.0, 2.0])}
    bundle = summary_bundle(
        summary(
            name=EVIL,
            run_id=EVIL,
            experiment=EVIL,
            store=EVIL,
            url="https://x/" + EVIL,
            parent=EVIL,
            error=EVIL,
            metrics={EVIL: 1.0},
            recorded=(EVIL,),
            notices=(EVIL,),
        ),
        curves_png(history),
        history,
    )
    page = Page(bundle["text/html"])
    allowed = {"div", "span", "strong", "code", "a", "table", "tr", "th", "td", "img", "script"}
    assert {tag for tag, _ in page.tags} <= allowed
    assert [a for tag, a in page.tags if tag == "script"] == [
        {"type": "application/json", "class": "cvtrack-data"}
    ]
    assert [tag for tag, _ in page.tags].count("img") == 1
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert page.text.count("<script>alert(1)</script>") >= 6
    assert card_data(bundle["text/html"])["series"][0]["name"] == EVIL


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "", " https://x"])
def test_only_web_addresses_become_links(url: str) -> None:
    assert "<a " not in summary_bundle(summary(url=url), None, None)["text/html"]


def test_a_web_address_becomes_a_link() -> None:
    page = Page(summary_bundle(summary(url="https://ml/#/runs/1"), None, None)["text/html"])
    (link,) = [attrs for tag, attrs in page.tags if tag == "a"]
    assert link["href"] == "https://ml/#/runs/1"
    assert "noopener" in str(link["rel"])


@pytest.mark.parametrize(
    ("status", "badge"),
    [("FINISHED", "✓ FINISHED"), ("FAILED", "✗ FAILED"), ("KILLED", "■ KILLED")],
)
def test_the_outcome_is_a_word_and_a_sign_not_just_a_colour(status: str, badge: str) -> None:
    bundle = summary_bundle(summary(status=status), None, None)
    assert badge in Page(bundle["text/html"]).text
    assert bundle["text/plain"].startswith(badge)


def test_the_card_says_everything_and_reads_well_without_any_style() -> None:
    html = summary_bundle(
        summary(
            parent="sweep-3",
            error="RuntimeError: boom",
            metrics={"train/loss": 0.123456, "val/loss": float("nan"), "lr": 3e-4},
            params=14,
            recorded=("seeds 42",),
            notices=("git is dirty",),
        ),
        None,
        None,
    )["text/html"]
    lines = [line.strip() for line in Page(html).text.splitlines() if line.strip()]
    assert lines[0] == "✓ FINISHED resnet18-baseline run 1a2b3c4d in 3.2 s"
    assert lines[1] == "experiment cifar10 · child of sweep-3 · store sqlite:///mlflow.db"
    assert lines[2] == "Error: RuntimeError: boom"
    assert "recorded: 14 params · seeds 42" in lines
    assert "! git is dirty" in lines
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    assert cells == [
        ["metric", "train", "val", "value"],
        ["loss", "0.1235", "NaN", ""],
        ["lr", "", "", "0.0003"],
    ]


def test_metrics_that_would_share_a_cell_get_rows_of_their_own() -> None:
    html = summary_bundle(summary(metrics={"val/a": 1.0, "eval/a": 2.0}), None, None)["text/html"]
    assert Page(html).text.count("val/a") == 2


def test_a_hundred_metrics_do_not_flood_the_notebook() -> None:
    metrics = {f"m{i}": float(i) for i in range(100)}
    bundle = summary_bundle(summary(metrics=metrics), None, None)
    assert bundle["text/html"].count("<tr>") == 13
    assert "and 88 more" in bundle["text/html"]
    assert re.search(r"and \d\d more$", bundle["text/plain"])
    assert max(map(len, bundle["text/plain"].splitlines())) < 120


def test_the_terminal_form_is_a_few_lines_without_escape_sequences() -> None:
    text = summary_bundle(
        summary(name="\x1b[31mred", error="Boom\nline 2", metrics={"a": 1.0}, notices=("x", "y")),
        None,
        None,
    )["text/plain"]
    assert text.splitlines() == [
        "✓ FINISHED [31mred run 1a2b3c4d in 3.2 s",
        "  experiment  cifar10 · store sqlite:///mlflow.db",
        "  error       Boom line 2",
        "  metrics     a 1",
        "  notice      x",
        "  notice      y",
    ]


def test_long_series_travel_thinned_with_their_spikes_and_gaps() -> None:
    values = [0.5] * 10_000
    values[1234], values[5678], values[7000] = 9.0, -9.0, float("inf")
    history = {"loss": series(values)}
    html = summary_bundle(summary(), curves_png(history), history)["text/html"]
    (data,) = card_data(html)["series"]
    assert len(data["steps"]) == len(data["values"]) == len(data["times"]) <= 400
    assert {9.0, -9.0, None} <= set(data["values"])
    assert data["times"][0] == 0


def test_many_series_do_not_bloat_the_notebook() -> None:
    history = {f"metric{i}": series([0.123456 * j for j in range(5000)]) for i in range(40)}
    html = summary_bundle(summary(), curves_png(history), history)["text/html"]
    assert len(html) < 250_000


def test_the_picture_has_words_for_who_cannot_see_it() -> None:
    history = {"train/loss": series([1.0, 2.0]), "empty": series([]), "one": series([1.0])}
    page = Page(summary_bundle(summary(), curves_png(history), history)["text/html"])
    (image,) = [attrs for tag, attrs in page.tags if tag == "img"]
    assert image["alt"] == "Curves of train/loss"
    assert str(image["src"]).startswith("data:image/png;base64,")


def test_a_metric_with_one_point_is_a_number_and_no_curve() -> None:
    history = {"train/loss": series([2.0, 1.0]), "test/acc": series([0.9])}
    html = summary_bundle(
        summary(metrics={"train/loss": 1.0, "test/acc": 0.9}), curves_png(history), history
    )["text/html"]
    assert [entry["name"] for entry in card_data(html)["series"]] == ["train/loss"]
    assert ">0.9<" in html


def test_the_picture_has_its_place_before_it_is_loaded() -> None:
    history = {"train/loss": series([2.0, 1.0])}
    page = Page(summary_bundle(summary(), curves_png(history), history)["text/html"])
    (image,) = [attrs for tag, attrs in page.tags if tag == "img"]
    assert (image["width"], image["height"]) == ("460", "150")
    assert "height:auto" in str(image["style"])


def test_the_card_knows_the_plot_before_it() -> None:
    history = {"a": series([2.0, 1.0])}
    card = summary_bundle(summary(), curves_png(history), history, key="0a1b2c3d")
    assert '"run":"0a1b2c3d"' in card["text/html"]
    assert card_data(card["text/html"])["run"] == "0a1b2c3d"


def test_a_run_that_a_person_stopped_has_no_error() -> None:
    stopped = summary(status="KILLED", error="KeyboardInterrupt: ")
    bundle = summary_bundle(stopped, None, None)
    text = Page(bundle["text/html"]).text
    assert "stopped by an interrupt" in text
    assert "stopped by an interrupt" in bundle["text/plain"]
    assert "KeyboardInterrupt" not in text + bundle["text/plain"]
    assert "Error" not in text
    other = summary_bundle(summary(status="KILLED", error="Lost: x"), None, None)
    assert "Error: Lost: x" in Page(other["text/html"]).text


def test_a_run_that_goes_on_says_where_it_is() -> None:
    header = header_bundle("train", run_id="1a2b3c4d5e")
    points = {
        "train/loss": series([1, 0.123456], steps=[0, 340]),
        "empty": series([]),
        **{f"m{at}": series([at]) for at in range(5)},
    }
    bundle = live_bundle(header, "0a1b2c3d", "train", points)
    now = "● running train · step 340 · train/loss 0.1235 · empty NaN · m0 0 · m1 1 · and 3 more"
    assert bundle["text/plain"] == f"▶ train · run 1a2b3c4d\n{now}"
    page = Page(str(bundle["text/html"]))
    assert page.text.endswith(now)
    assert [attrs["data-plot"] for _, attrs in page.tags if "data-plot" in attrs] == ["0a1b2c3d"]
    evil = live_bundle(header_bundle(EVIL), EVIL, EVIL, {EVIL: series([1])})
    assert {tag for tag, _ in Page(str(evil["text/html"])).tags} == {"div", "span", "strong"}
    assert "step" not in str(live_bundle(header, "k", "train", {})["text/plain"])


def test_no_picture_no_curves() -> None:
    assert "cvtrack-curves" not in summary_bundle(summary(), None, None)["text/html"]


def test_the_lines_shown_while_a_run_is_open() -> None:
    assert "<script" not in str(header_bundle(EVIL, parent=EVIL)["text/html"])
    header = header_bundle("n", run_id="1a2b3c4d5e", url="http://x", parent="p", until="%mlend")
    assert header["text/plain"] == "▶ n · run 1a2b3c4d · child of p · goes on until %mlend"
    assert 'href="http://x"' in str(header["text/html"])
    assert header_bundle("n")["text/plain"] == "▶ n"


@pytest.mark.parametrize(
    ("kept", "words"),
    [("on disk", "kept on disk"), ("in memory only", "kept in memory only"), ("", "not recorded")],
)
def test_a_run_the_store_does_not_have_yet_says_so(kept: Kept, words: str) -> None:
    bundle = summary_bundle(summary(run_id="", experiment="", store="", kept=kept), None, None)
    assert words in bundle["text/plain"].splitlines()[0]
    assert words in Page(bundle["text/html"]).text
    assert "store" not in Page(bundle["text/html"]).text


def test_the_best_value_is_told_where_it_is_not_the_last() -> None:
    history = {
        "val/acc": series([0.5, 0.91, 0.9]),
        "val/loss": series([3, 2, 1]),
        "lr": series([3, 2]),
    }
    metrics = {name: points.last for name, points in history.items()}
    bundle = summary_bundle(summary(metrics=metrics), None, history)
    assert Page(bundle["text/html"]).text.count("best") == 1
    assert "0.9 best 0.91" in Page(bundle["text/html"]).text
    assert "val/acc 0.9 (best 0.91), val/loss 1, lr 2" in bundle["text/plain"]


def test_a_full_line_of_a_terminal_leaves_the_best_out() -> None:
    history = {f"validation/accuracy_of_class_{i}": series([0.5, 0.9, 0.8]) for i in range(3)}
    metrics = {name: points.last for name, points in history.items()}
    text = summary_bundle(summary(metrics=metrics), None, history)["text/plain"]
    assert "best" not in text


def test_what_stood_beside_the_curves_travels_as_text_that_nothing_executes() -> None:
    history = {"val/acc": series([0.5, 0.9])}
    html = summary_bundle(
        summary(),
        curves_png(history),
        history,
        marks=[Mark(at, EVIL, EPOCH + at) for at in range(99)],
        baselines={EVIL: {"val/acc": 0.7, EVIL: math.nan}},
        overlays={EVIL: {EVIL: series(range(9999))}},
    )["text/html"]
    page = Page(html)
    assert [tag for tag, _ in page.tags].count("script") == 1
    data = card_data(html)
    assert len(data["marks"]) == 50
    assert data["marks"][-1] == {"step": 98, "text": EVIL, "time": 98.0}
    assert data["baselines"] == [{"label": EVIL, "values": [["val/acc", 0.7]]}]
    (other,) = data["overlays"]
    assert other["label"] == EVIL
    assert len(other["series"][0]["steps"]) <= 400


def test_points_at_one_step_keep_their_numbers_when_thinned() -> None:
    history = {"a": series([float(i) for i in range(5000)], steps=[0] * 5000)}
    html = summary_bundle(summary(), curves_png(history), history)["text/html"]
    (data,) = card_data(html)["series"]
    assert data["steps"][-1] == 4999
