// The charts beside the samples.

import { h } from "preact";
import { Bars } from "./bars";
import { Curves } from "./curve";
import { Histogram } from "./histogram";
import { isBinary } from "./judge";
import { sumsOf } from "./known";
import { Matrix } from "./matrix";
import { percent, grouped } from "./parts";
import type { State } from "./state";
import type { VNode } from "./vnode";

function figuresOf(state: State): [string, string, string][] {
  const { figures, accuracy, tp, fp, fn } = state.judged.value;
  if (state.sheet.task === "semantic") {
    return [["Pixel accuracy", percent(accuracy), "of the pixels that have a class"]];
  }
  const { data } = state.current.value;
  const classes = state.sheet.classes.length;
  const list: [string, string, string][] = [
    ["Precision", percent(figures.precision), "of what is predicted, the share that is right"],
    ["Recall", percent(figures.recall), "of what is there, the share that is found"],
    ["F1", percent(figures.f1), "harmonic mean of precision and recall"],
  ];
  if (data.kind === "boxes" || data.kind === "anomaly" || (data.kind === "classes" && isBinary(data, classes))) {
    const [t, p, n] = sumsOf(tp, fp, fn);
    const one = (value: number) => grouped(value);
    list.push(["TP", one(t), "true positives"], ["FP", one(p), "false positives"], ["FN", one(n), "false negatives"]);
  } else list.push(["Accuracy", percent(accuracy), "share of samples that are right"]);
  return list;
}

export function Panel({ state }: { state: State }): VNode | null {
  if (!state.panel.value || !state.counted.value) return null;
  if (!state.settled.value) return h("aside", { class: "panel", "aria-label": "Charts" });
  const figures = state.sheet.task === "depth" ? [] : figuresOf(state);
  return h(
    "aside",
    { class: "panel", "aria-label": "Charts" },
    h(
      "button",
      { type: "button", class: "plain drawer-close", onClick: () => state.showPanel(false) },
      "Close the charts ×",
    ),
    figures.length
      ? h(
          "dl",
          { class: "figures", "aria-label": "Figures" },
          figures.map(([name, value, title]) =>
            h("div", { key: name, title }, h("dt", null, name), h("dd", null, value)),
          ),
        )
      : null,
    h(Matrix, { state }),
    h(Curves, { state }),
    h(Bars, { state }),
    h(Histogram, { state }),
  );
}
