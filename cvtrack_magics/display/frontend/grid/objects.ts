// What is known of one sample: its objects or classes, and its scores.

import { h } from "preact";
import { number4 } from "../shared/format";
import { HIDDEN, HIT, IGNORED, MISS, type Judged } from "./judged";
import { probabilityOf } from "./judge";
import { iouOf, matchingOf, measureOf } from "./match";
import type { Spot } from "./raster";
import { labelsOf } from "./sets";
import type { BoxData, ClassData, Frame, LabelData, SetData } from "./sheet";
import type { State } from "./state";
import { grouped } from "./parts";
import { thresholdText } from "./thresholds";
import type { VNode } from "./vnode";

interface Props {
  state: State;
  frame: Frame;
  judged: Judged;
  sample: number;
  spot: Spot | null;
  point: (spot: Spot | null) => void;
}

function Item(props: {
  colour: string;
  name: string;
  figure: string;
  outcome: string;
  tone: "" | "good" | "bad";
  on?: boolean;
  enter?: () => void;
  leave?: () => void;
}): VNode {
  return h(
    "li",
    {
      class: props.on ? "object on" : "object",
      onPointerEnter: props.enter,
      onPointerLeave: props.leave,
      title: props.name,
    },
    h("span", { class: "swatch", style: { background: props.colour } }),
    h("bdi", { class: "object-name" }, props.name),
    h("span", { class: "figure" }, props.figure),
    h("span", { class: `outcome ${props.tone}` }, props.outcome),
  );
}

function boxItems({ state, frame, judged, sample, spot, point }: Props, data: BoxData): VNode[] {
  const items: VNode[] = [];
  const { order } = matchingOf(data);
  const add = (side: Spot["side"], row: number, figure: string, outcome: string, tone: "" | "good" | "bad") => {
    const label = data[side].labels[row]!;
    items.push(
      h(Item, {
        key: `${frame.index}${side}${row}`,
        colour: state.colour(label),
        name: state.className(label),
        figure,
        outcome,
        tone,
        on: spot?.side === side && spot.row === row,
        enter: () => point({ side, row }),
        leave: () => point(null),
      }),
    );
  };
  for (let at = data.pred.offsets[sample]!; at < data.pred.offsets[sample + 1]!; at += 1) {
    const row = order[at]!;
    const outcome = judged.boxes!.pred[row];
    if (outcome === HIDDEN) continue;
    const score = data.pred.scores ? data.pred.scores[row]!.toFixed(2) : "";
    const partner = judged.boxes!.partner[row]!;
    if (outcome === HIT) add("pred", row, score, `TP · ${measureOf(data)} ${iouOf(data, row, partner).toFixed(2)}`, "good");
    else if (outcome === IGNORED) add("pred", row, score, "in a crowd", "");
    else if (partner < 0) add("pred", row, score, "✗ FP", "bad");
    else add("pred", row, score, `✗ FP, is ${state.className(data.truth.labels[partner]!)}`, "bad");
  }
  for (let row = data.truth.offsets[sample]!; row < data.truth.offsets[sample + 1]!; row += 1) {
    const outcome = judged.boxes!.truth[row];
    if (outcome === MISS) add("truth", row, "", "✗ FN, missed", "bad");
    else if (outcome === IGNORED) add("truth", row, "", "crowd", "");
  }
  return items;
}

function classItems({ state, judged, sample }: Props, data: ClassData): VNode[] {
  const classes = state.sheet.classes.length;
  const truth = data.truth[sample]!;
  const { k } = data.top;
  const listed = Array.from(data.top.classes.subarray(sample * k, (sample + 1) * k));
  if (truth >= 0 && !listed.includes(truth)) listed.push(truth);
  return listed
    .filter((one) => one >= 0)
    .map((one) => {
      const known = data.probs !== null || Array.from(data.top.classes.subarray(sample * k, (sample + 1) * k)).includes(one);
      const part = probabilityOf(data, sample, one, classes);
      const chosen = judged.chosen![sample] === one;
      return scored(state, one, known ? part : Number.NaN, one === truth, chosen, chosen && one !== truth);
    });
}

/** A class with its score, whether it is there and whether it is predicted. */
function scored(state: State, one: number, part: number, there: boolean, said: boolean, bad: boolean): VNode {
  const outcome = [there ? "truth" : "", said ? "predicted" : ""].filter(Boolean).join(", ");
  const tone = bad ? "bad" : there ? "good" : "";
  return h(
    "li",
    { key: one, class: "object", title: state.className(one) },
    h("span", { class: "swatch", style: { background: state.colour(one) } }),
    h("bdi", { class: "object-name" }, state.className(one)),
    h("span", { class: "figure" }, Number.isNaN(part) ? "–" : part.toFixed(3)),
    h("span", { class: `outcome ${tone}` }, outcome),
    h("span", { class: "groove" }, h("span", { class: "fill", style: { width: `${100 * (part || 0)}%` } })),
  );
}

function setItems({ state, judged, sample }: Props, data: SetData): VNode[] {
  const truth = labelsOf(data.truth, sample);
  const [first, last] = [data.scores.offsets[sample]!, data.scores.offsets[sample + 1]!];
  const places = Array.from({ length: last - first }, (_, at) => first + at);
  places.sort((a, b) => (data.values[b]! || 0) - (data.values[a]! || 0));
  const label = (at: number) => data.scores.labels[at]!;
  return places
    .filter((at, rank) => rank < 3 || judged.said![at] || truth.includes(label(at)))
    .map((at) => {
      const there = truth.includes(label(at));
      const said = Boolean(judged.said![at]);
      return scored(state, label(at), data.values[at]!, there, said, there ? !said : said);
    });
}

function labelItems({ state, sample }: Props, data: LabelData): VNode[] {
  const classes = state.sheet.classes.length;
  const counts = new Map<number, [number, number, number]>();
  const of = (one: number) => {
    if (!counts.has(one)) counts.set(one, [0, 0, 0]);
    return counts.get(one)!;
  };
  for (let at = data.cells.offsets[sample]!; at < data.cells.offsets[sample + 1]!; at += 1) {
    const { index, side } = data.cells;
    const [truth, pred] = [Math.floor(index[at]! / side), index[at]! % side];
    const pixels = data.cells.count[at]!;
    if (truth === pred) of(truth)[0] += pixels;
    else {
      of(truth)[1] += pixels;
      if (pred < classes) of(pred)[2] += pixels;
    }
  }
  return [...counts]
    .sort((a, b) => b[1][0] + b[1][1] - a[1][0] - a[1][1])
    .map(([one, [both, missed, extra]]) => {
      const iou = both / (both + missed + extra);
      return h(Item, {
        key: one,
        colour: state.colour(one),
        name: state.className(one),
        figure: `${grouped(both + missed)} px`,
        outcome: `IoU ${iou.toFixed(2)}`,
        tone: iou < 0.5 ? "bad" : "",
      });
    });
}

export function Objects(props: Props): VNode {
  const { state, frame, judged, sample } = props;
  const { data } = frame;
  let [title, items]: [string, VNode[]] = ["Objects", []];
  if (data.kind === "boxes") items = boxItems(props, data);
  if (data.kind === "classes") [title, items] = ["Classes", classItems(props, data)];
  if (data.kind === "sets") [title, items] = ["Labels", setItems(props, data)];
  if (data.kind === "labels") [title, items] = ["Classes", labelItems(props, data)];
  if (data.kind === "anomaly") {
    title = "Score";
    const over = judged.chosen![sample] === 1;
    items = [
      h(Item, {
        colour: state.colour(over ? 1 : 0),
        name: state.className(over ? 1 : 0),
        figure: number4(Number(data.score[sample]!.toPrecision(4))),
        outcome: `threshold ${thresholdText(state.threshold.value)}`,
        tone: "",
      }),
    ];
  }
  const scores = [...frame.scores];
  const here = !frame.present || Boolean(frame.present[sample]);
  return h(
    "div",
    { class: "objects" },
    state.earlier.value ? h("h2", { class: "run-name", title: frame.label }, frame.label) : null,
    !here ? h("p", { class: "hint" }, "not in this frame") : null,
    here && data.kind !== "depth"
      ? [
          h("h3", null, title),
          items.length
            ? h("ul", { "aria-label": title }, items)
            : h("p", { class: "hint" }, "nothing here, and nothing predicted"),
        ]
      : null,
    scores.length
      ? [
          h("h3", null, "Scores"),
          h(
            "dl",
            { class: "scores" },
            scores.map(([name, values]) => [
              h("dt", { title: name }, name),
              h("dd", null, number4(Number(values[sample]!.toPrecision(4)))),
            ]),
          ),
        ]
      : null,
  );
}
