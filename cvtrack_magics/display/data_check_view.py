"""What is wrong with pictures and labels: a card under a cell, and lines in a terminal."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cvtrack_magics.artifacts.data_check import COPIES, KINDS, CheckedSet, DataCheck, Finding
from cvtrack_magics.display import theme
from cvtrack_magics.display.children import TABLE
from cvtrack_magics.display.text import html_text, plain, shorten

_WIDE = 40
_MUTED = f"color:{theme.MUTED}"
_CELL = "padding:1px 14px 1px 0; border:0; background:transparent; text-align:left"
_COUNT = f"{_CELL}; text-align:right; font-variant-numeric:tabular-nums"
_ROW = (
    f"display:flex; flex-wrap:wrap; gap:4px 16px; padding:6px 0; border-top:1px solid {theme.LINE}"
)
_FIGURE = "margin:0; width:132px; overflow-wrap:anywhere; line-height:1.35"
_IMAGE = (
    "display:block; width:128px; height:96px; object-fit:contain; margin:0 0 2px 0; "
    f"border:1px solid {theme.LINE}"
)
_HOW = {
    "exact": "the same",
    "near": "nearly the same",
    "mirrored": "mirrored",
    "cropped": "cropped",
    "group": "of a group that both have",
}
_GOOD = "Nothing was found."


@dataclass(frozen=True, slots=True)
class DataCheckView:
    """What was found, and where it was recorded; shows itself.

    Attributes
    ----------
    check : DataCheck
        The figures, and the worst findings.
    thumbnails : mapping of (str, str) to bytes
        PNGs of the pictures that the worst are about, by set and name.
    where : str
        In words.
    """

    check: DataCheck
    thumbnails: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    where: str = ""

    # -- words

    def _title(self) -> str:
        names = [one.name for one in self.check.sets]
        counts = " and ".join(f"{one.samples:,}" for one in self.check.sets)
        return f"{' against '.join(map(_short, names))}: {counts} pictures"

    def _headline(self) -> str:
        check = self.check
        if len(check.sets) < 2:
            return ""
        first, second = check.sets
        if not check.leaked:
            return f"No picture of {_short(second.name)} is in {_short(first.name)}."
        how = [
            f"{check.leaked_by[kind]:,} {_HOW[kind]}"
            for kind in (*COPIES, "group")
            if check.leaked_by.get(kind)
        ]
        are = "is" if check.leaked == 1 else "are"
        return (
            f"{check.leaked:,} of {second.samples:,} pictures of {_short(second.name)} {are} in "
            f"{_short(first.name)} too: {', '.join(how)}."
        )

    def _sentences(self) -> Iterator[str]:
        yield self._headline()
        for one in self.check.sets:
            yield _conflicts(one)
        if not self.check.counts:
            yield _GOOD

    def _counts(self) -> list[tuple[str, str, str]]:
        counts = self.check.counts
        return [(f"{counts[k]:,}", k, KINDS[k]) for k in KINDS if counts.get(k)]

    def _foot(self) -> list[str]:
        listing = f"All are listed in {self.check.listing}." if self.check.listing else ""
        return [line for line in (*self.check.notes, listing, self.where) if line]

    # -- lines

    def __repr__(self) -> str:
        lines = [self._title()]
        lines += [f"  {plain(said)}" for said in self._sentences() if said]
        counts = self._counts()
        wide = max((len(count) for count, _, _ in counts), default=0)
        kinds = max((len(kind) for _, kind, _ in counts), default=0)
        lines += [f"  {n.rjust(wide)}  {kind.ljust(kinds)}  {what}" for n, kind, what in counts]
        for finding in self.check.worst:
            about = " = " if finding.kind in ("leak", "copy", "conflict") else ", "
            of = about.join(_named(finding))
            detail = f" ({shorten(finding.detail, 80)})" if finding.detail else ""
            lines.append(f"  {finding.kind}: {of}{detail}")
        return "\n".join([*lines, *(f"  {plain(line)}" for line in self._foot())])

    # -- HTML

    def _repr_html_(self) -> str:
        parts = [f"<div><b>{html_text(self._title())}</b></div>"]
        bad = theme.BAD if self.check.leaked else theme.GOOD
        for at, said in enumerate(self._sentences()):
            style = f' style="color:{bad}"' if not at and said else ""
            parts += [f"<div{style}>{html_text(said)}</div>"] if said else []
        parts.append(self._table())
        parts += [self._finding(finding) for finding in self.check.worst]
        parts += [f'<div style="{_MUTED}">{html_text(line)}</div>' for line in self._foot()]
        style = "max-width:960px; line-height:1.5; overflow-wrap:anywhere"
        return f'<div class="cvtrack-data-check" style="{style}">{"".join(parts)}</div>'

    def _table(self) -> str:
        rows = "".join(
            f'<tr><td style="{_COUNT}">{count}</td><td style="{_CELL}"><b>{html_text(kind)}</b>'
            f'</td><td style="{_CELL}">{html_text(what)}</td></tr>'
            for count, kind, what in self._counts()
        )
        return f'<table style="{TABLE}"><tbody>{rows}</tbody></table>' if rows else ""

    def _finding(self, finding: Finding) -> str:
        detail = _HOW.get(finding.detail, finding.detail)
        said = f"<b>{html_text(finding.kind)}</b><br>{html_text(shorten(detail, 120))}"
        figures = "".join(
            self._figure(place, label)
            for place, label in zip(finding.samples, finding.labels, strict=False)
        )
        return f'<div style="{_ROW}"><div style="{_FIGURE}">{said}</div>{figures}</div>'

    def _figure(self, place: tuple[str, str], label: str) -> str:
        name, sample = place
        png = self.thumbnails.get((name, sample))
        image = ""
        if png is not None:
            data = base64.b64encode(png).decode("ascii")
            alt = html_text(shorten(sample, _WIDE))
            image = f'<img alt="{alt}" style="{_IMAGE}" src="data:image/png;base64,{data}">'
        told = f"<br>{html_text(shorten(label, _WIDE))}" if label and label != sample else ""
        return (
            f'<figure style="{_FIGURE}">{image}<figcaption><b>{html_text(_short(name))}</b> '
            f'<span title="{html_text(shorten(sample, 300))}">{html_text(shorten(sample, _WIDE))}'
            f"</span>{told}</figcaption></figure>"
        )

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def _short(name: str) -> str:
    return shorten(name, _WIDE)


def _conflicts(one: CheckedSet) -> str:
    if not one.conflicts:
        return ""
    verb = "has a copy" if one.conflicts == 1 else "have copies"
    return f"{one.conflicts:,} of {_short(one.name)} {verb} with another label."


def _named(finding: Finding) -> Iterator[str]:
    for (name, sample), label in zip(finding.samples, finding.labels, strict=False):
        told = f" [{shorten(label, _WIDE)}]" if label and label != sample else ""
        yield f"{_short(name)}/{shorten(sample, _WIDE)}{told}"
