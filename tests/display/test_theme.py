"""What is shown can be read in every reader of notebooks, in each of its themes."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image, ImageColor

from cvtrack_magics.display.card import header_bundle, summary_bundle
from cvtrack_magics.display.runs_table import RunLine, RunsTable
from cvtrack_magics.display.table_view import Listing
from cvtrack_magics.display.theme import STATUS
from tests.display.helpers import series, summary
from tests.display.pages import ADD, Plot, needs_chromium, settle

pytestmark = needs_chromium

LAB_LIGHT = {
    "--jp-layout-color0": "#ffffff",
    "--jp-ui-font-color1": "#000000de",
    "--jp-ui-font-color2": "#0000008a",
    "--jp-border-color2": "#e0e0e0",
    "--jp-border-color3": "#eeeeee",
    "--jp-error-color1": "#d32f2f",
    "--jp-success-color1": "#388e3c",
    "--jp-warn-color0": "#e65100",
    "--jp-brand-color1": "#1976d2",
}
LAB_DARK = {
    "--jp-layout-color0": "#111111",
    "--jp-ui-font-color1": "#ffffffde",
    "--jp-ui-font-color2": "#ffffff99",
    "--jp-border-color2": "#616161",
    "--jp-border-color3": "#424242",
    "--jp-error-color1": "#ef5350",
    "--jp-success-color1": "#4caf50",
    "--jp-warn-color0": "#f57c00",
    "--jp-brand-color1": "#42a5f5",
}


def _code(ground: str, text: str, muted: str, line: str, **said: str) -> dict[str, str]:
    return {
        **LAB_LIGHT,  # which VS Code's pages define in every theme
        "--vscode-editor-background": ground,
        "--vscode-editor-foreground": text,
        "--vscode-descriptionForeground": muted,
        "--vscode-panel-border": line,
        "--vscode-editorError-foreground": said["bad"],
        "--vscode-terminal-ansiGreen": said["good"],
        "--vscode-textLink-foreground": said["link"],
        "--vscode-focusBorder": said["focus"],
        "--vscode-editorWarning-foreground": said["warn"],
        **({"--vscode-list-warningForeground": said["listed"]} if "listed" in said else {}),
    }


HOSTS: dict[str, tuple[str, str, dict[str, str]]] = {
    # the reader's theme: the page's ground, its words, and the names that it defines
    "JupyterLab, light": ("#ffffff", "#000000de", LAB_LIGHT),
    "JupyterLab, dark": ("#111111", "#ffffffde", LAB_DARK),
    "VS Code, light": (
        *("#ffffff", "#3b3b3b"),
        _code(
            *("#ffffff", "#3b3b3b", "#3b3b3b", "#e5e5e5"),
            **{"bad": "#e51400", "good": "#107c10", "link": "#005fb8", "focus": "#005fb8"},
            **{"warn": "#bf8803", "listed": "#855f00"},
        ),
    ),
    "VS Code, dark": (
        *("#1f1f1f", "#cccccc"),
        _code(
            *("#1f1f1f", "#cccccc", "#9d9d9d", "#2b2b2b"),
            **{"bad": "#f14c4c", "good": "#0dbc79", "link": "#4daafc", "focus": "#0078d4"},
            **{"warn": "#cca700", "listed": "#cca700"},
        ),
    ),
    "VS Code, Light (Visual Studio)": (
        *("#ffffff", "#616161"),
        _code(
            *("#ffffff", "#000000", "#717171", "#80808059"),
            **{"bad": "#e51400", "good": "#107c10", "link": "#006ab1", "focus": "#0090f1"},
            **{"warn": "#bf8803", "listed": "#855f00"},
        ),
    ),
    "VS Code, Dark (Visual Studio)": (
        *("#1e1e1e", "#cccccc"),
        _code(
            *("#1e1e1e", "#d4d4d4", "#ccccccb3", "#80808059"),
            **{"bad": "#f14c4c", "good": "#0dbc79", "link": "#3794ff", "focus": "#007fd4"},
            **{"warn": "#cca700", "listed": "#cca700"},
        ),
    ),
    "VS Code, high contrast": (
        *("#000000", "#ffffff"),
        _code(
            *("#000000", "#ffffff", "#ffffffb3", "#6fc3df"),
            **{"bad": "#f48771", "good": "#00cd00", "link": "#21a6ff", "focus": "#f38518"},
            warn="#ffd370",
        ),
    ),
    "VS Code, light high contrast": (
        *("#ffffff", "#292929"),
        _code(
            *("#ffffff", "#292929", "#292929b3", "#0f4a85"),
            **{"bad": "#b5200d", "good": "#136c13", "link": "#0f4a85", "focus": "#006bbd"},
            warn="#895503",
        ),
    ),
    "Colab, light": ("#ffffff", "#202124", {}),
    "Colab, dark": ("#383838", "#e3e3e3", {}),
}

CODE_CLASSES = {
    "VS Code, light": "vscode-light",
    "VS Code, dark": "vscode-dark",
    "VS Code, Light (Visual Studio)": "vscode-light",
    "VS Code, Dark (Visual Studio)": "vscode-dark",
    "VS Code, high contrast": "vscode-high-contrast",
    "VS Code, light high contrast": "vscode-high-contrast vscode-high-contrast-light",
}
"""What VS Code's pages call their bodies."""

MEASURE = """(root) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, ground) =>
    [0, 1, 2].map((i) => top[i] * top[3] + ground[i] * (1 - top[3]));
  const groundOf = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      layers.push(rgba(getComputedStyle(at).backgroundColor));
    }
    return layers.reverse().reduce((ground, layer) => over(layer, ground), [255, 255, 255]);
  };
  const bright = (color) => {
    const [r, g, b] = color.map((v) => {
      const s = v / 255;
      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const node of root.querySelectorAll("*")) {
    const words = [...node.childNodes]
      .filter((child) => child.nodeType === 3)
      .map((child) => child.textContent.trim())
      .join(" ")
      .trim();
    if (!words || !node.getClientRects().length || node.closest("script, style, button[disabled]"))
      continue;
    const ground = groundOf(node);
    const text = over(rgba(getComputedStyle(node).color), ground);
    const [low, high] = [bright(text), bright(ground)].sort((a, b) => a - b);
    found.push([words.slice(0, 40), Math.round(((high + 0.05) / (low + 0.05)) * 100) / 100]);
  }
  return found;
}"""


def _in_host(page: Any, host: str) -> None:
    ground, text, names = HOSTS[host]
    page.evaluate(
        """([ground, text, names, colab, lab, code]) => {
          for (const [name, value] of Object.entries(names))
            document.documentElement.style.setProperty(name, value);
          // VS Code's outputs lie in a frame without a ground, over the editor that has one
          if (code) document.documentElement.style.background = ground;
          document.body.style.cssText = code ? "isolation: isolate" : `background: ${ground}`;
          document.body.style.color = text;
          if (colab) document.documentElement.setAttribute("theme", colab);
          if (lab) document.body.dataset.jpThemeLight = String(lab === "light");
          document.body.className = code;
        }""",
        [
            *(ground, text, names, host.partition("Colab, ")[2]),
            *(host.partition("JupyterLab, ")[2], CODE_CLASSES.get(host, "")),
        ],
    )


def _unreadable(page: Any, selector: str) -> list[list[Any]]:
    """Return the words with a contrast below 4.5, and the signs below 3."""
    found = page.locator(selector).evaluate(MEASURE)
    assert len(found) > 3
    return [item for item in found if item[1] < (4.5 if any(map(str.isalnum, item[0])) else 3)]


@pytest.mark.parametrize("host", HOSTS)
def test_the_words_of_a_card_can_be_read(page: Any, host: str) -> None:
    children = tuple(summary(name=f"child {status}", status=status) for status in STATUS)
    curves = {"train/loss": series([1, 0.5]), "val/acc": series([0.1, 0.6])}
    parts = [
        header_bundle("train", run_id="1a2b3c4d", url="http://x/", parent="p", until="%mlend"),
        *(
            summary_bundle(summary(status=status, error="ValueError: no"), None, curves)
            for status in ("FINISHED", "FAILED", "KILLED")
        ),
        summary_bundle(summary(children=children), None, {}),
    ]
    html = "".join(str(part["text/html"]) for part in parts)
    html += "".join(Listing("what", None, "in a run", good)._repr_html_() for good in (True, False))
    lines = (
        RunLine(f"a {status}", "1a2b", 0, status, 1.7e9, 60.0, {"lr": "0.1"}, {"a": 1.0})
        for status in STATUS
    )
    html += RunsTable("4 runs", "mlflow.db", ("a note",), tuple(lines))._repr_html_()
    _in_host(page, host)
    page.evaluate(
        """(html) => { const home = document.createElement("div"); home.id = "card";
          home.innerHTML = html; document.body.append(home); }""",
        html,
    )
    assert _unreadable(page, "#card") == []


@pytest.mark.parametrize("host", HOSTS)
def test_the_words_of_a_plot_can_be_read(page: Any, host: str, tmp_path: Path) -> None:
    _in_host(page, host)
    if host.endswith("dark"):
        page.emulate_media(color_scheme="light")  # what the reader's theme says counts
    Plot(page, title="train").push({"train/loss": series([1, 0.5]), "acc": series([0.1, 0.6])})
    settle(page, 100)
    assert _unreadable(page, ".cvtrack-plot") == []
    track, knob = _slider(page)
    ground = ImageColor.getrgb(HOSTS[host][0])
    assert 3 <= _contrast(track, ground) <= 13  # a browser's own is white in a dark page
    assert _contrast(knob, ground) >= 3


def _slider(page: Any) -> list[tuple[int, int, int]]:
    """Return the colours of a slider that stands at its left: its track's, its knob's."""
    shot = page.locator(".cv-slider").screenshot()
    pixels = Image.open(io.BytesIO(shot)).convert("RGB")
    middle = pixels.height // 2
    return [cast("tuple[int, int, int]", pixels.getpixel((x, middle))) for x in (70, 7)]


def _chart() -> bytes:
    """Return a chart: white, with a black word, a blue and a red curve."""
    picture = Image.new("RGB", (80, 20), "white")
    for at, color in enumerate(("black", "#1f6fb5", "#cf222e")):
        picture.paste(color, (20 + 20 * at, 0, 40 + 20 * at, 20))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _seen(page: Any) -> list[tuple[int, int, int]]:
    """Return the colours that a chart's four parts have on the screen."""
    shot = page.locator("img").screenshot()
    pixels = Image.open(io.BytesIO(shot)).convert("RGB")
    return [cast("tuple[int, int, int]", pixels.getpixel((10 + 20 * at, 10))) for at in range(4)]


def _bright(color: tuple[int, ...]) -> float:
    linear = [v / 3294.6 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    low, high = sorted((_bright(one), _bright(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("host", HOSTS)
def test_a_chart_takes_on_the_pages_ground(page: Any, host: str) -> None:
    _in_host(page, host)
    page.evaluate(ADD, Listing("what", None, pictures={"a chart": _chart()})._repr_html_())
    white, black, blue, red = _seen(page)
    ground = ImageColor.getrgb(HOSTS[host][0])
    assert max(abs(a - b) for a, b in zip(white, ground, strict=True)) <= 2
    assert _contrast(black, white) >= 7
    assert _contrast(blue, white) >= 3
    assert _contrast(red, white) >= 3
    assert blue[2] > blue[0]  # hues are kept
    assert red[0] > red[2]


def test_a_chart_on_paper_is_as_it_was_drawn(page: Any) -> None:
    _in_host(page, "JupyterLab, dark")
    page.evaluate(ADD, Listing("what", None, pictures={"a chart": _chart()})._repr_html_())
    page.emulate_media(media="print")
    assert _seen(page)[:2] == [(255, 255, 255), (0, 0, 0)]


def test_a_chart_without_style_sheets_is_as_it_was_drawn(page: Any) -> None:
    _in_host(page, "JupyterLab, dark")
    html = Listing("what", None, pictures={"a chart": _chart()})._repr_html_()
    page.evaluate(ADD, re.sub(r"<style>.*?</style>", "", html))
    assert _seen(page)[:2] == [(255, 255, 255), (0, 0, 0)]
