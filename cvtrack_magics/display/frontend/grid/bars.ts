// One bar for each class: F1 or AP at the threshold, or IoU. The worst come first.

import { h } from "preact";
import { useState } from "preact/hooks";
import { curveOf, hasCurve } from "./curves";
import { countsOf, partOf } from "./judged";
import { Choice, Section } from "./parts";
import { aligned } from "../shared/format";
import type { State } from "./state";
import type { VNode } from "./vnode";

const SHOWN = 20;
/** A curve for each of more classes would make a threshold's slider stutter. */
export const CURVES = 200;

type Figure = "f1" | "precision" | "recall" | "ap" | "iou";

const NAMES: Record<Figure, string> = {
  f1: "F1",
  precision: "precision",
  recall: "recall",
  ap: "AP",
  iou: "IoU",
};

export function Bars({ state }: { state: State }): VNode | null {
  const [all, setAll] = useState(false);
  const [wanted, setFigure] = useState<Figure>("f1");
  const { sheet } = state;
  const classes = sheet.classes.length;
  if (sheet.task === "depth" || sheet.task === "anomaly" || !classes) return null;
  const objects = sheet.task !== "classification" && sheet.task !== "multilabel";
  const figure: Figure = sheet.task === "semantic" ? "iou" : wanted;
  const { tp, fp, fn } = countsOf(state.matrix.value, state.judged.value.side);
  const valueOf = (one: number): number => {
    const [t, p, n] = [tp[one]!, fp[one]!, fn[one]!];
    if (figure === "ap") return curveOf(state.current.value, "pr", one, classes)?.area ?? Number.NaN;
    const parts = { f1: [2 * t, 2 * t + p + n], precision: [t, t + p], recall: [t, t + n] };
    const [part, whole] = figure === "iou" ? [t, t + p + n] : parts[figure];
    return !objects && t + p + n > 0 ? partOf(part!, whole!) : part! / whole!;
  };
  const bars = sheet.classes.map((each, one) => ({ ...each, one, value: valueOf(one) }));
  bars.sort((a, b) => {
    const [x, y] = [a, b].map(({ value }) => (Number.isNaN(value) ? Infinity : value)) as [number, number];
    return x === y ? a.one - b.one : x - y;
  });
  const shown = all ? bars : bars.slice(0, SHOWN);
  const texts = aligned(shown.map(({ value }) => value), sheet.digits);
  const figures: Figure[] = ["f1", "precision", "recall"];
  const { data } = state.current.value;
  const curves = classes <= CURVES && (data.kind === "boxes" || data.kind === "sets" || classes > 2) && hasCurve(state.current.value);
  if (curves) figures.push("ap");
  const choose =
    sheet.task === "semantic"
      ? h("span", { class: "hint" }, "IoU")
      : h(Choice, {
          label: "Bars show",
          value: figure,
          choices: figures.map((one) => [one, NAMES[one]] as const),
          pick: (one) => setFigure(one as Figure),
        });
  return h(Section, {
    title: "Classes",
    side: choose,
    children: [
      h(
        "ul",
        { class: "bars" },
        shown.map(({ name, colour, one, value }, at) => {
          const text = texts[at]!;
          const pick = state.pick.value;
          const on = pick?.kind === "class" && pick.one === one;
          const wrong = fp[one]! + fn[one]!;
          const title = `${name}: ${NAMES[figure]} ${text}; click: where it is wrong`;
          return h(
            "li",
            { key: one },
            h(
              "button",
              {
                type: "button",
                class: "row-button bar",
                "aria-pressed": on ? "true" : "false",
                "aria-label": `${name}, ${NAMES[figure]} ${text}, ${wrong} wrong`,
                title,
                "data-class": one,
                onClick: () => state.togglePick({ kind: "class", one }),
              },
              h("span", { class: "swatch", style: { background: colour } }),
              h("bdi", { class: "bar-name" }, name),
              h(
                "span",
                { class: "groove" },
                h("span", { class: "fill", style: { width: `${100 * (value || 0)}%` } }),
              ),
              h("b", null, text),
            ),
          );
        }),
      ),
      bars.length > SHOWN
        ? h(
            "button",
            { type: "button", class: "plain", onClick: () => setAll(!all) },
            all ? "Show the worst only" : `Show all ${bars.length}`,
          )
        : null,
    ],
  });
}
