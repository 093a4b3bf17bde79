"""The prediction viewer as one HTML document, and as what a notebook's output holds of it.

``page_html`` writes a document that needs no kernel and no network: an artifact, a file to send.
``cell_html`` wraps such a document for a notebook: a plain picture for every reader, and beside
it the document, compressed, which a small script puts in the picture's place where scripts run.
On paper the picture is seen again: a viewer there is a toolbar over tiles that are not drawn.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from cvtrack_magics.display import theme

_BUNDLE = Path(__file__).parent / "static" / "grid.js"

# Nothing is loaded from anywhere; what the document runs is written in it.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
_NOT_BUILT = (
    "document.getElementById('grid').textContent="
    "'The prediction viewer was not built: reinstall cvtrack_magics.';"
)


def page_html(
    sheet: Mapping[str, object], packs: Sequence[bytes], *, picture: bytes | None = None
) -> str:
    """Return the viewer with all that it shows as one HTML document.

    Parameters
    ----------
    sheet : mapping of str to object
        A ``cvtrack-sheet/1`` document; see ``cvtrack_magics.display.viewer``.
    packs : sequence of bytes
        The packs that its pictures lie in.
    picture : bytes or None
        A PNG or WebP for readers that run no scripts.

    Returns
    -------
    str
        A document that loads nothing: it can be opened from a file, with no network.
    """
    title = str(sheet.get("title") or "Predictions")
    mime = "image/webp" if picture and picture[:4] == b"RIFF" else "image/png"
    still = _image(picture, mime, title) if picture else "<p>Scripts are off.</p>"
    # The viewer comes before the pictures: it is on the screen while they are still being read.
    held = "".join(
        f'<script type="text/plain" data-pack="{index}">{_base64(pack)}</script>'
        for index, pack in enumerate(packs)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title></head><body>"
        f'<div id="grid"></div><noscript>{still}</noscript>'
        f'<script type="application/json" id="sheet">{_json(sheet)}</script>'
        f"<script>{_bundle()}</script>{held}</body></html>"
    )


def cell_html(
    page: str, picture: bytes, mime: str, alt: str, height: int = 640, *, tell: bool = False
) -> str:
    """Return a document of ``page_html`` as a notebook's output holds it.

    Parameters
    ----------
    page : str
        The document.
    picture : bytes
        What is seen where no scripts run: on GitHub, in a notebook that is not trusted.
    mime : str
        Its type, such as ``image/png``.
    alt : str
        What it shows, in words.
    height : int
        Of the viewer, in pixels.
    tell : bool
        Whether a line says, where no scripts run, how they do.

    Returns
    -------
    str
        HTML that shows the picture, and on a screen the viewer in its place wherever scripts run.
    """
    # No time stamp: the same predictions make the same notebook.
    packed = _base64(gzip.compress(page.encode("utf-8", "replace"), 6, mtime=0))
    return (
        f'<div class="cvtrack-grid" data-height="{int(height)}">{_image(picture, mime, alt)}'
        f"{_TELL if tell else ''}"
        f'<script type="text/plain" class="cvtrack-page">{packed}</script>'
        f"<script>{_LOADER}</script></div>"
    )


_TELL = (
    f'<div class="cvtrack-trust" style="font-size:12px; color:{theme.MUTED}">A picture: the viewer '
    "runs where this notebook is trusted (JupyterLab: Ctrl+Shift+C, Trust Notebook).</div>"
)

# A notebook may hold many of these, and its reader may run a script anywhere in the page: each
# run brings all those alive that are not yet. The frame has no origin: it can reach nothing.
_LOADER = """(() => {
  const dark = () => {
    const body = document.body;
    const jupyter = body.dataset.jpThemeLight ?? body.getAttribute("data-jp-theme-light");
    if (jupyter) return jupyter === "false";
    // A light theme of high contrast has both of its classes.
    if (/\\bvscode-(light|high-contrast-light)/.test(body.className)) return false;
    if (/\\bvscode-(dark|high-contrast)/.test(body.className)) return true;
    const colab = document.documentElement.getAttribute("theme");
    if (colab) return colab === "dark";
    return matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const theme = () => (dark() ? "dark" : "light");
  const bytes = (text) => {
    const raw = atob(text.trim()), all = new Uint8Array(raw.length);
    for (let at = 0; at < raw.length; at++) all[at] = raw.charCodeAt(at);
    return all;
  };
  const revive = async (home) => {
    home.querySelector(".cvtrack-trust")?.remove();
    const source = home.querySelector("script.cvtrack-page");
    const still = home.querySelector("img");
    if (!source || !still || typeof DecompressionStream === "undefined") return;
    home.dataset.alive = "";
    const unzip = new DecompressionStream("gzip");
    const stream = new Blob([bytes(source.textContent)]).stream().pipeThrough(unzip);
    const page = await new Response(stream).text();
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts allow-downloads");
    frame.setAttribute("allow", "clipboard-write");
    frame.title = still.alt;
    frame.style.cssText = "display:block;width:100%;height:100%;border:0";
    frame.srcdoc = page.replace("<html ", () => `<html data-theme="${theme()}" `);
    const box = document.createElement("div");
    box.className = "cvtrack-live";
    box.style.cssText = "resize:vertical;overflow:hidden;min-height:240px;border-radius:6px;" +
      `border:1px solid #8885;height:${Number(home.dataset.height) || 640}px`;
    box.append(frame);
    let told = "";
    const tell = () => {
      told = theme();
      frame.contentWindow?.postMessage({ cvtrack: "theme", theme: told }, "*");
    };
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const look = () => {
      if (!frame.isConnected) stop();
      else if (told !== theme()) tell();
    };
    const watch = new MutationObserver(look);
    const stop = () => { watch.disconnect(); scheme.removeEventListener("change", look); };
    // A frame that is taken out of the page and put back loads again.
    frame.addEventListener("load", () => {
      watch.observe(document.body, { attributes: true });
      scheme.addEventListener("change", look);
      tell();
    });
    const style = document.createElement("style");
    style.textContent = "@media not print{.cvtrack-grid[data-drawn]>img{display:none!important}}" +
      "@media print{.cvtrack-grid[data-drawn]>.cvtrack-live{display:none!important}}";
    home.append(style);
    still.after(box);
    home.dataset.drawn = "";
  };
  const root = document.currentScript?.getRootNode() ?? document;
  for (const home of root.querySelectorAll(".cvtrack-grid:not([data-alive])")) {
    revive(home).catch(() => { delete home.dataset.alive; });
  }
})();"""


def _bundle() -> str:
    return inline_script(_BUNDLE) or _NOT_BUILT


def inline_script(path: Path) -> str:
    """Return a script as it may stand inside HTML; ``""`` where it was not built."""
    if not path.exists():
        return ""
    # Only these can end or change the reading of a script inside HTML.
    code = path.read_text(encoding="utf-8")
    for word in ("</script", "</SCRIPT", "<!--"):
        code = code.replace(word, f"\\x3c{word[1:]}")
    return code


def _json(sheet: Mapping[str, object]) -> str:
    body = json.dumps(sheet, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        body = body.replace(sign, f"\\u{ord(sign):04x}")
    return body


def _image(picture: bytes, mime: str, alt: str) -> str:
    data = f"data:{escape(mime)};base64,{_base64(picture)}"
    return f'<img alt="{escape(alt)}" style="max-width:100%;height:auto" src="{data}">'


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
