// The names and values under one panel; a name is a button that hides its curve.

import { element, setName } from "../shared/dom";

export interface Key {
  id: string;
  name: string;
  color: string;
  dash: number[];
  /** Another run: thinner, and hidden in all panels at once. */
  faint: boolean;
  hidden: () => boolean;
  toggle: () => void;
}

export interface Legend {
  root: HTMLElement;
  set(at: number, value: string, best: string): void;
  /** Show what is hidden now. */
  refresh(): void;
}

export function makeLegend(keys: Key[]): Legend {
  const root = element("div", "cv-legend");
  const rows = keys.map((key) => {
    const row = element("button", "cv-key", "", { type: "button" });
    row.classList.toggle("cv-faint", key.faint);
    const swatch = element("span", "cv-swatch", "", { "aria-hidden": "true" });
    swatch.style.borderTopColor = key.color;
    if (key.dash.length) {
      swatch.style.borderTopStyle = (key.dash[0] as number) > 3 ? "dashed" : "dotted";
    }
    const value = element("span", "cv-value");
    const best = element("span", "cv-best");
    const name = element("span", "cv-name");
    setName(name, key.name);
    name.title = row.title = `${key.name} (click to show or hide)`;
    row.append(swatch, name, value, best);
    row.addEventListener("click", key.toggle);
    root.append(row);
    return { row, value, best };
  });
  const write = (node: HTMLElement, text: string) => {
    if (node.textContent !== text) node.textContent = text;
  };
  const refresh = () =>
    rows.forEach(({ row }, at) => row.setAttribute("aria-pressed", String(!keys[at]?.hidden())));
  refresh();
  return {
    root,
    refresh,
    set(at, value, best) {
      const row = rows[at];
      if (!row) return;
      write(row.value, value);
      write(row.best, best);
    },
  };
}
