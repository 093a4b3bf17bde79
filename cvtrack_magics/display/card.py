"""The card that stays under a cell: one glance says what the run was and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display import theme
from cvtrack_magics.display.annotations import Baselines, Mark
from cvtrack_magics.display.best import best_of
from cvtrack_magics.display.children import SIGNS, children_html, children_text
from cvtrack_magics.display.embed import curves_html
from cvtrack_magics.display.groups import panels_of, role_of
from cvtrack_magics.display.progress import Bar, rounds
from cvtrack_magics.display.text import duration, html_text, number, plain, shorten
from cvtrack_magics.records import RunSummary

_ROWS = 12  # rows of metrics on a card
_NOW = 4  # metrics in the line of a run that goes on
_BADGES = {"FINISHED": "#1a7f37", "FAILED": "#cf222e", "KILLED": "#9a6700", "RUNNING": "#1f6fb5"}
_STOPPED = "stopped by an interrupt"
_INTERRUPT = "no buttons here: interrupt the cell to end the run"

_MUTED = f"color:{theme.MUTED}"
_WRAP = "overflow-wrap:anywhere"
_NAME = ("left", _WRAP)
_NUMBER = ("right", "white-space:nowrap")
_CARD = (
    "max-width:1280px; box-sizing:border-box; margin-top:6px; line-height:1.5; padding:6px 10px; "
    f"border:1px solid {theme.LINE}; border-radius:6px; font-family:{theme.FONT}; font-size:13px"
)


def header_bundle(
    name: str, run_id: str = "", url: str = "", parent: str = "", until: str = ""
) -> dict[str, object]:
    """Return the line above what a run's cell prints; it stays true after the run.

    Parameters
    ----------
    name : str
        The run's name.
    run_id, url : str
        The run's id and web address, or ``""`` while there are none.
    parent : str
        The name of the run it is nested in, or ``""``.
    until : str
        What ends the run where that is not the end of its cell.
    """
    words = [f"run {plain(run_id[:8])}"] if run_id else []
    if parent:
        words.append(f"child of {plain(parent)}")
    if until:
        words.append(f"goes on until {plain(until)}")
    rest = " · ".join(words)
    html = (
        f'<div style="{_WRAP}"><span style="color:{theme.ACCENT}">▶</span> {_link(name, url)} '
        f'<span style="{_MUTED}">{escape(rest)}</span></div>'
    )
    line = f"▶ {shorten(name, 60)}" + (f" · {rest}" if rest else "")
    return {"text/plain": line, "text/html": html}


def live_bundle(
    header: Mapping[str, object],
    key: str,
    name: str,
    history: Mapping[str, Series],
    digits: int = 4,
    *,
    bars: Sequence[Bar] = (),
    paused: bool = False,
    heard: bool = True,
    picture: bytes | None = None,
) -> dict[str, object]:
    """Return the header with the newest values and a place for the live plot below it.

    Parameters
    ----------
    header : mapping of str to object
        What ``header_bundle`` returned.
    key : str
        What the plot and its place know each other by: eight hexadecimal digits.
    name : str
        The run's name.
    history : mapping of str to Series
        The points so far; the text is all that a notebook saved now will show of them.
    digits : int
        Significant digits of a metric.
    bars : sequence of Bar
        How far the run's loops have come, outermost first.
    paused : bool
        Whether the run waits for its reader.
    heard : bool
        Whether buttons may be shown; where no page draws them it is said what ends the run.
    picture : bytes or None
        The curves so far as a PNG, for a page that draws no widget and for a saved notebook.
    """
    words = [f"● {'paused' if paused else 'running'} {shorten(name, 60)}"]
    words += [f"{shorten(bar.desc or 'loop', 24)} {rounds(bar)}" for bar in bars[:2]]
    steps = [series.steps[-1] for series in history.values() if len(series)]
    words += [f"step {max(steps)}"] if steps else []
    words += [
        f"{shorten(metric, 40)} {number(series.last, digits)}"
        for metric, series in list(history.items())[:_NOW]
    ]
    if len(history) > _NOW:
        words.append(f"and {len(history) - _NOW} more")
    words += [] if heard else [_INTERRUPT]
    now = " · ".join(words)
    place = (
        f'<div class="cvtrack-live" data-plot="{html_text(key)}" style="{_CARD}">'
        f'<span style="{_MUTED}; {_WRAP}">{html_text(now)}</span>'
        f"{curves_html(picture, history, points=False)}</div>"
    )
    return {
        "text/plain": f"{header['text/plain']}\n{now}",
        "text/html": f"{header['text/html']}\n{place}",
    }


def summary_bundle(
    summary: RunSummary,
    picture: bytes | None,
    history: Mapping[str, Series] | None,
    digits: int = 4,
    key: str = "",
    *,
    marks: Sequence[Mark] = (),
    baselines: Baselines | None = None,
    overlays: Mapping[str, Mapping[str, Series]] | None = None,
) -> dict[str, str]:
    """Return the card of a finished run.

    Parameters
    ----------
    summary : RunSummary
        What the card says.
    picture : bytes or None
        The run's curves as a PNG.
    history : mapping of str to Series, or None
        The points behind the picture; they travel along, at most 400 for each metric,
        and become an interactive plot where our front end is loaded in the page.
    digits : int
        Significant digits of a metric.
    key : str
        The key of the live plot before the card, whose settings the card's plot takes over.
    marks, baselines, overlays
        What ``LivePlot`` showed beside the curves, for the card's interactive plot.

    Returns
    -------
    dict of str to str
        ``text/html`` that needs no style sheet and no script, and ``text/plain``.
    """
    parts = [_head(summary), _place(summary)]
    if _stopped(summary):
        parts.append(f'<div style="{_MUTED}">{_STOPPED}</div>')
    elif summary.error:
        parts.append(
            f'<div style="color:{theme.BAD}; {_WRAP}">'
            f"<strong>Error:</strong> {html_text(shorten(summary.error, 400))}</div>"
        )
    values = {name: number(value, digits) for name, value in summary.metrics.items()}
    bests = _bests(values, history or {}, digits)
    parts.append(_table(values, bests))
    parts.append(children_html(summary.children, digits))
    kept = _kept(summary)
    if kept:
        parts.append(f'<div style="{_MUTED}; {_WRAP}">recorded: {html_text(kept)}</div>')
    parts.extend(
        f'<div style="{_WRAP}"><strong>!</strong> {html_text(notice)}</div>'
        for notice in summary.notices
    )
    parts.append(
        curves_html(picture, history, key, marks=marks, baselines=baselines, overlays=overlays)
    )
    html = f'<div class="cvtrack-card" style="{_CARD}">\n' + "\n".join(filter(None, parts))
    return {
        "text/html": html + "\n</div>",
        "text/plain": _terminal(summary, values, bests, children_text(summary.children, digits)),
    }


def _link(name: str, url: str) -> str:
    strong = f"<strong>{html_text(name)}</strong>"
    if not url.lower().startswith(("http://", "https://")):
        return strong
    return (
        f'<a href="{escape(url, quote=True)}" style="color:inherit" target="_blank" '
        f'rel="noopener noreferrer" title="Open this run in MLflow">{strong}</a>'
    )


def _head(summary: RunSummary) -> str:
    badge = (
        f"background:{_BADGES[summary.status]}; color:#fff; border-radius:4px; "
        "padding:1px 7px; font-size:12px; white-space:nowrap"
    )
    run = html_text(summary.known_as)
    if summary.run_id:
        run = f"run <code>{html_text(summary.run_id[:8])}</code>"
    return (
        f'<div style="{_WRAP}"><strong style="{badge}">'
        f"{SIGNS[summary.status]} {summary.status}</strong> {_link(summary.name, summary.url)} "
        f'<span style="{_MUTED}">{run} in {duration(summary.duration)}</span></div>'
    )


def _place(summary: RunSummary) -> str:
    if not summary.run_id:
        return ""
    words = [f"experiment {html_text(summary.experiment)}"]
    if summary.parent:
        words.append(f"child of {html_text(summary.parent)}")
    words.append(f"store {html_text(summary.store)}")
    return f'<div style="{_MUTED}; {_WRAP}">{" · ".join(words)}</div>'


def _bests(values: Mapping[str, str], history: Mapping[str, Series], digits: int) -> dict[str, str]:
    """Return the best value of each metric where the last one is another."""
    found = {name: best_of(name, history[name]) for name in values if name in history}
    bests = {name: number(best.value, digits) for name, best in found.items() if best}
    return {name: best for name, best in bests.items() if best != values[name]}


def _table(metrics: Mapping[str, str], bests: Mapping[str, str]) -> str:
    """Lay metrics out by panel and split; by name where two would share a cell."""
    if not metrics:
        return ""
    panels = panels_of(metrics)
    roles = [
        role for role in ("train", "val", "test", "") if any(role_of(m) == role for m in metrics)
    ]
    square = all(len({role_of(m) for m in members}) == len(members) for members in panels.values())
    cells = {name: _cell(value, bests.get(name, "")) for name, value in metrics.items()}
    if square and roles != [""]:
        head = ["metric", *(role or "value" for role in roles)]
        rows = [
            [html_text(shorten(group, 60)), *(_of_role(cells, members, role) for role in roles)]
            for group, members in panels.items()
        ]
    else:
        head = ["metric", "value"]
        members = [name for names in panels.values() for name in names]
        rows = [[html_text(shorten(name, 60)), cells[name]] for name in members]
    hidden = len(rows) - _ROWS
    cell = "padding:1px 10px 1px 0; text-align:{}; background:transparent; border:0; {}"
    lines = [
        "<tr>"
        + "".join(
            f'<{tag} style="{cell.format(*(_NUMBER if at else _NAME))}">{html}</{tag}>'
            for at, html in enumerate(cells_of_row)
        )
        + "</tr>"
        for tag, cells_of_row in [("th", head), *(("td", row) for row in rows[:_ROWS])]
    ]
    more = f'<div style="{_MUTED}">and {hidden} more</div>' if hidden > 0 else ""
    style = "margin:4px 0; border-collapse:collapse; font-variant-numeric:tabular-nums"
    return f'<table style="{style}">' + "".join(lines) + f"</table>{more}"


def _cell(value: str, best: str) -> str:
    muted = f' <span style="{_MUTED}; font-size:11px">best {html_text(best)}</span>'
    return html_text(value) + (muted if best else "")


def _of_role(cells: Mapping[str, str], members: list[str], role: str) -> str:
    return next((cells[name] for name in members if role_of(name) == role), "")


def _stopped(summary: RunSummary) -> bool:
    """Say whether a person stopped the run, which is no error."""
    return summary.status == "KILLED" and summary.error.startswith("KeyboardInterrupt")


def _kept(summary: RunSummary) -> str:
    counted = [f"{summary.params} param{'s' * (summary.params != 1)}"] if summary.params else []
    return " · ".join([*counted, *summary.recorded]) if summary.run_id else ""


def _terminal(
    summary: RunSummary,
    metrics: Mapping[str, str],
    bests: Mapping[str, str],
    children: Sequence[str],
) -> str:
    """Write the card in a few aligned lines."""
    lines = [
        f"{SIGNS[summary.status]} {summary.status} {shorten(summary.name, 60)}"
        f" {plain(summary.known_as)} in {duration(summary.duration)}"
    ]
    if summary.run_id:
        place = [shorten(summary.experiment, 60)]
        if summary.parent:
            place.append(f"child of {shorten(summary.parent, 60)}")
        place.append(f"store {plain(summary.store)}")
        lines.append(f"  experiment  {' · '.join(place)}")
    if summary.url:
        lines.append(f"  page        {plain(summary.url)}")
    if _stopped(summary):
        lines.append(f"  {_STOPPED}")
    elif summary.error:
        lines.append(f"  error       {shorten(summary.error, 120)}")
    if metrics:
        pairs: list[str] = []
        for name, value in metrics.items():
            pairs.append(f"{shorten(name, 40)} {value}")
            if len(", ".join(pairs)) > 80:
                break
        hidden = len(metrics) - len(pairs)
        told = [
            f"{pair} (best {bests[name]})" if name in bests else pair
            for name, pair in zip(metrics, pairs, strict=False)
        ]
        pairs = told if not hidden and len(", ".join(told)) <= 80 else pairs
        lines.append("  metrics     " + ", ".join(pairs) + f" and {hidden} more" * (hidden > 0))
    lines += [f"  {line}" for line in children]
    kept = _kept(summary)
    if kept:
        lines.append(f"  recorded    {plain(kept)}")
    # a notice says what to do, so it is never cut
    lines.extend(f"  notice      {plain(notice)}" for notice in summary.notices)
    return "\n".join(lines)
