// How the curves of all panels are looked at.

import { button, element, freshId } from "../shared/dom";
import type { Axis } from "./line";
import type { Settings } from "./settings";

export function makeToolbar(
  settings: Settings,
  smoothed: () => void,
  axisChanged: () => void,
): HTMLElement {
  const bar = element("div", "cv-toolbar", "", { role: "group", "aria-label": "Plot settings" });

  const sliderId = freshId();
  const slider = element("input", "cv-slider", "", {
    type: "range",
    id: sliderId,
    min: "0",
    max: "0.99",
    step: "0.01",
    value: String(settings.smoothing),
    "aria-label": "Smoothing",
  });
  const shown = element("output", "cv-amount", String(settings.smoothing), { for: sliderId });
  slider.addEventListener("input", () => {
    settings.smoothing = Number(slider.value);
    shown.textContent = slider.value;
    smoothed();
  });
  const smoothing = element("label", "cv-label", "Smoothing", { for: sliderId });

  const axes = element("span", "cv-axes", "", { role: "group", "aria-label": "X axis" });
  const buttons = (["step", "time"] as Axis[]).map((axis) => {
    const node = button("cv-toggle", axis, `X axis: ${axis}`, () => {
      settings.axis = axis;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === node));
      axisChanged();
    });
    node.setAttribute("aria-pressed", String(axis === settings.axis));
    return node;
  });
  axes.append(...buttons);

  bar.append(smoothing, slider, shown, axes);
  return bar;
}
