// The charts beside the samples.

import { h } from "preact";
import { Bars, CURVES } from "./bars";
import { Curves } from "./curve";
import { hasCurve, meanPrecision } from "./curves";
import { Histogram } from "./histogram";
import { isBinary } from "./judge";
import { countsOf, macroOf, meanIou, type Figures } from "./judged";
import { sumsOf } from "./known";
import { AP50, measureOf } from "./match";
import { Matrix } from "./matrix";
import { clip, grouped, share } from "./parts";
import type { State } from "./state";
import type { VNode } from "./vnode";

type Row = readonly [name: string, value: number, meaning: string];

const ratesOf = (start: string, { precision, recall, f1 }: Figures, of: string): Row[] => [
  [`${start} precision`, precision, `of what is predicted, the share that is right; ${of}`],
  [`${start} recall`, recall, `of what is there, the share that is found; ${of}`],
  [`${start} F1`, f1, `harmonic mean of precision and recall; ${of}`],
];

const MACRO = "mean over the classes that occur, %mleval's precision, recall and macro_f1";

function classFigures(state: State): Row[] {
  const { figures, accuracy } = state.judged.value;
  const { data } = state.current.value;
  const counts = countsOf(state.matrix.value, state.judged.value.side);
  const two = data.kind === "classes" && isBinary(data, state.sheet.classes.length);
  const name = clip(state.className(1), 16);
  return [
    ["Accuracy", accuracy, "share of samples that are right, %mleval's top1_acc"],
    ...ratesOf("Macro", macroOf(counts), MACRO),
    ...(two
      ? ratesOf(`${name}:`, figures, "of this class")
      : ratesOf("Micro", figures, "of all samples together")),
  ];
}

function objectFigures(state: State): Row[] {
  const { figures } = state.judged.value;
  const { data } = state.current.value;
  const measure = measureOf(data);
  const from = data.kind === "boxes" ? `, ${measure} ${data.iou.toFixed(2)}` : "";
  const of = `over all classes together${from}`;
  const rates = ratesOf("", figures, of).map(([name, ...rest]): Row => [capital(name.trim()), ...rest]);
  const classes = state.sheet.classes.length;
  if (data.kind !== "boxes") return rates;
  if (data.iou !== AP50) rates.push([`${measure} from`, data.iou, "the overlap from which on an object is found"]);
  if (classes > CURVES) return rates;
  const { task } = state.sheet;
  const name = task === "instance" ? "Mask mAP50" : data.points ? "Keypoint AP50" : "mAP50";
  const value = meanPrecision(state.current.value, classes);
  return [[name, value, `mean AP of the classes that have objects, ${measure} 0.50`], ...rates];
}

function setFigures(state: State): Row[] {
  const { figures, accuracy } = state.judged.value;
  const frame = state.current.value;
  const classes = state.sheet.classes.length;
  const rows: Row[] = [
    ["Exact match", accuracy, "share of samples of which every label is right, %mleval's subset_acc"],
    ...ratesOf("Macro", macroOf(countsOf(state.matrix.value, state.judged.value.side)), MACRO),
    ...ratesOf("Micro", figures, "of all samples and classes together"),
  ];
  if (classes > CURVES || !hasCurve(frame)) return rows;
  return [["mAP", meanPrecision(frame, classes), "mean AP of the classes with truth"], ...rows];
}

const capital = (text: string): string => text[0]!.toUpperCase() + text.slice(1);

function pixelFigures(state: State): Row[] {
  const counts = countsOf(state.matrix.value, state.judged.value.side);
  return [
    ["mIoU", meanIou(counts), "mean IoU of the classes that occur"],
    ["Pixel accuracy", state.judged.value.accuracy, "of the pixels that have a class"],
    ["Mean Dice", macroOf(counts).f1, "mean Dice (F1) of the classes that occur"],
  ];
}

function figuresOf(state: State): [string, string, string][] {
  const { task, digits } = state.sheet;
  const rows =
    task === "semantic"
      ? pixelFigures(state)
      : task === "classification"
        ? classFigures(state)
        : task === "multilabel"
          ? setFigures(state)
          : objectFigures(state);
  const list = rows.map(([name, value, meaning]): [string, string, string] => [
    name,
    share(value, digits),
    meaning,
  ]);
  const { tp, fp, fn } = state.judged.value;
  const { data } = state.current.value;
  const two = data.kind === "classes" && isBinary(data, state.sheet.classes.length);
  if (data.kind === "boxes" || data.kind === "anomaly" || data.kind === "sets" || two) {
    const [t, p, n] = sumsOf(tp, fp, fn).map(grouped) as [string, string, string];
    list.push(["TP", t, "true positives"], ["FP", p, "false positives"], ["FN", n, "false negatives"]);
  }
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
    state.sheet.task === "multilabel" ? null : h(Matrix, { state }),
    h(Curves, { state }),
    h(Bars, { state }),
    h(Histogram, { state }),
  );
}
