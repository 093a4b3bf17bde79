// How far the loops have come: one slim bar for each.

import { element, setName } from "../shared/dom";
import type { Bar } from "./state";

interface Row {
  root: HTMLElement;
  update(bar: Bar, running: boolean): void;
}

function makeRow(): Row {
  const root = element("div", "cv-bar");
  const name = element("span", "cv-bar-name");
  const groove = element("div", "cv-groove", "", { role: "progressbar" });
  const fill = element("div", "cv-fill");
  const figures = element("span", "cv-figures");
  groove.append(fill);
  root.append(name, groove, figures);
  return {
    root,
    update({ desc, done, total, figures: text }, running) {
      const ended = total !== null && done >= total;
      if (name.textContent !== desc) setName(name, desc);
      figures.textContent = text;
      groove.setAttribute("aria-label", desc || "progress");
      groove.setAttribute("aria-valuetext", text);
      if (total === null) {
        groove.removeAttribute("aria-valuenow");
        groove.removeAttribute("aria-valuemax");
      } else {
        groove.setAttribute("aria-valuemin", "0");
        groove.setAttribute("aria-valuemax", String(total));
        groove.setAttribute("aria-valuenow", String(Math.min(done, total)));
      }
      const part = total === null ? 1 : total > 0 ? Math.min(1, Math.max(0, done / total)) : 1;
      fill.style.width = `${100 * part}%`;
      root.classList.toggle("cv-endless", total === null && running);
      root.classList.toggle("cv-ended", ended || !running);
    },
  };
}

export class Bars {
  readonly root = element("div", "cv-bars");
  private readonly rows = new Map<string, Row>();

  update(bars: Bar[], running: boolean): void {
    const keys = new Set(bars.map(({ key }) => key));
    for (const [key, row] of this.rows) {
      if (keys.has(key)) continue;
      row.root.remove();
      this.rows.delete(key);
    }
    bars.forEach((bar, at) => {
      let row = this.rows.get(bar.key);
      if (!row) this.rows.set(bar.key, (row = makeRow()));
      const here = this.root.children[at];
      if (here !== row.root) this.root.insertBefore(row.root, here ?? null);
      row.update(bar, running);
    });
    this.root.hidden = !bars.length;
  }
}
