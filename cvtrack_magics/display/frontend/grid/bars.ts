// One bar for each class: F1 or AP at the threshold, or IoU. The worst come first.

import { h } from "preact";
import { useState } from "preact/hooks";
import { curveOf } from "./curves";
import { countsOf } from "./judged";
import { Choice, percent, Section } from "./parts";
import type { State } from "./state";
import type { VNode } from "./vnode";

const SHOWN = 20;
/** A curve for each of more classes would make a threshold's slider stutter. */
const CURVES = 200;

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
  const figure: Figure = sheet.task === "semantic" ? "iou" : wanted;
  const { tp, fp, fn } = countsOf(state.matrix.value, state.judged.value.side);
  const valueOf = (one: number): number => {
    const [t, p, n] = [tp[one]!, fp[one]!, fn[one]!];
    if (figure === "ap") return curveOf(state.current.value, "pr", one, classes)?.area ?? Number.NaN;
    if (figure === "f1") return (2 * t) / (2 * t + p + n);
    if (figure === "precision") return t / (t + p);
    return figure === "recall" ? t / (t + n) : t / (t + p + n);
  };
  const bars = sheet.classes.map((each, one) => ({ ...each, one, value: valueOf(one) }));
  bars.sort((a, b) => {
    const [x, y] = [a, b].map(({ value }) => (Number.isNaN(value) ? Infinity : value)) as [number, number];
    return x === y ? a.one - b.one : x - y;
  });
  const shown = all ? bars : bars.slice(0, SHOWN);
  const figures: Figure[] = ["f1", "precision", "recall"];
  const { data } = state.current.value;
  const curves = classes <= CURVES && (data.kind === "boxes" || classes > 2);
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
        shown.map(({ name, colour, one, value }) => {
          const pick = state.pick.value;
          const on = pick?.kind === "class" && pick.one === one;
          const wrong = fp[one]! + fn[one]!;
          const title = `${name}: ${NAMES[figure]} ${percent(value)}; click: where it is wrong`;
          return h(
            "li",
            { key: one },
            h(
              "button",
              {
                type: "button",
                class: "row-button bar",
                "aria-pressed": on ? "true" : "false",
                "aria-label": `${name}, ${NAMES[figure]} ${percent(value)}, ${wrong} wrong`,
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
              h("b", null, percent(value)),
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
