// The names and values under one panel; a name is a button that hides its curve.

import { element } from "./dom";
import type { Style } from "./groups";

export interface Legend {
  root: HTMLElement;
  set(at: number, value: string): void;
}

export function makeLegend(
  styles: Style[],
  hidden: ReadonlySet<string>,
  toggle: (name: string) => void,
): Legend {
  const root = element("div", "cv-legend");
  const values = styles.map((style) => {
    const row = element("button", "cv-key", "", {
      type: "button",
      "aria-pressed": String(!hidden.has(style.name)),
    });
    row.title = `${style.name} (click to show or hide)`;
    const swatch = element("span", "cv-swatch", "", { "aria-hidden": "true" });
    swatch.style.borderTopColor = style.color;
    if (style.dash.length) {
      swatch.style.borderTopStyle = (style.dash[0] as number) > 3 ? "dashed" : "dotted";
    }
    const value = element("span", "cv-value");
    row.append(swatch, element("span", "cv-name", style.name), value);
    row.addEventListener("click", () => {
      toggle(style.name);
      row.setAttribute("aria-pressed", String(!hidden.has(style.name)));
    });
    root.append(row);
    return value;
  });
  return {
    root,
    set(at, value) {
      const node = values[at];
      if (node && node.textContent !== value) node.textContent = value;
    },
  };
}
