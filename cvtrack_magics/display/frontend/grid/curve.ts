// A PR or ROC curve; a click on a point takes its threshold and shows what is positive there.

import { batch } from "@preact/signals";
import { h } from "preact";
import { useState } from "preact/hooks";
import { number4 } from "../shared/format";
import { ALL, classOfCurve, curveOf, hasCurve, hasRoc, pointsOf, type Curve } from "./curves";
import { LIKELIER } from "./judge";
import { Choice, share, Section } from "./parts";
import type { State } from "./state";
import type { VNode } from "./vnode";

const [WIDTH, HEIGHT, LEFT, BOTTOM, EDGE] = [312, 196, 38, 28, 8];
const DRAWN = 500;

const across = (x: number): number => LEFT + x * (WIDTH - LEFT - EDGE);
const down = (y: number): number => EDGE + (1 - y) * (HEIGHT - BOTTOM - EDGE);

function pathOf(points: readonly [number, number][]): string {
  const every = Math.max(1, Math.ceil(points.length / DRAWN));
  return points
    .filter((_, at) => at % every === 0 || at === points.length - 1)
    .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))
    .map(([x, y], at) => `${at ? "L" : "M"}${across(x).toFixed(1)} ${down(y).toFixed(1)}`)
    .join("");
}

/** The last threshold that is not below the current one. */
function placeOf({ swept }: Curve, threshold: number): number {
  const { thresholds } = swept;
  let [low, high] = [-1, thresholds.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (thresholds[middle]! >= threshold) low = middle;
    else high = middle - 1;
  }
  return low;
}

function Plot({ state, curve, one }: { state: State; curve: Curve; one: number }): VNode {
  const [near, setNear] = useState<number | null>(null);
  const points = pointsOf(curve);
  const now = placeOf(curve, state.threshold.value === LIKELIER ? 0.5 : state.threshold.value);
  const take = (at: number) => {
    const threshold = curve.swept.thresholds[at]!;
    const picked = state.pick.value;
    const again = picked?.kind === "positive" && state.threshold.value === threshold;
    batch(() => {
      state.threshold.value = threshold;
      state.pick.value = again ? null : { kind: "positive", one };
    });
  };
  const nearest = (event: MouseEvent): number => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const [x, y] = [
      ((event.clientX - box.left) / box.width) * WIDTH,
      ((event.clientY - box.top) / box.height) * HEIGHT,
    ];
    let [best, least] = [0, Infinity];
    points.forEach(([px, py], at) => {
      const away = (across(px) - x) ** 2 + (down(py) - y) ** 2;
      if (away < least) [best, least] = [at, away];
    });
    return best;
  };
  const key = (event: KeyboardEvent) => {
    const from = near ?? Math.max(0, now);
    const step = Math.max(1, Math.round(points.length / 50));
    if (event.key === "ArrowRight") setNear(Math.min(points.length - 1, from + step));
    else if (event.key === "ArrowLeft") setNear(Math.max(0, from - step));
    else if (event.key === "Enter") take(from);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const names = curve.kind === "pr" ? ["recall", "precision"] : ["false positives", "true positives"];
  const shown = near ?? (now >= 0 ? now : null);
  const words = (at: number): string => {
    const [x, y] = points[at]!;
    const t = number4(Number(curve.swept.thresholds[at]!.toPrecision(3)));
    return `t ${t}   ${names[1]} ${share(y, state.sheet.digits)}   ${names[0]} ${share(x, state.sheet.digits)}`;
  };
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return h(
    "div",
    null,
    h(
      "svg",
      {
        class: "curve",
        width: WIDTH,
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        tabindex: 0,
        role: "img",
        "aria-label": `${curve.kind === "pr" ? "Precision over recall" : "ROC"}; arrow keys move along it, Enter takes the threshold`,
        "data-points": points.length,
        onPointerMove: (event: PointerEvent) => points.length && setNear(nearest(event)),
        onPointerLeave: () => setNear(null),
        onBlur: () => setNear(null),
        onClick: (event: MouseEvent) => points.length && take(nearest(event)),
        onKeyDown: key,
      },
      ticks.map((value) => [
        h("line", { class: "rule", x1: across(0), x2: across(1), y1: down(value), y2: down(value) }),
        h("line", { class: "rule", y1: down(0), y2: down(1), x1: across(value), x2: across(value) }),
        value % 0.5 === 0
          ? [
              h("text", { class: "tick", x: LEFT - 5, y: down(value), "text-anchor": "end", "dominant-baseline": "central" }, value),
              h("text", { class: "tick", x: across(value), y: HEIGHT - BOTTOM + 12, "text-anchor": "middle" }, value),
            ]
          : null,
      ]),
      h("text", { class: "tick name", x: across(0.5), y: HEIGHT - 4, "text-anchor": "middle" }, names[0]),
      h(
        "text",
        { class: "tick name", transform: `translate(9 ${down(0.5)}) rotate(-90)`, "text-anchor": "middle" },
        names[1],
      ),
      curve.kind === "roc"
        ? h("line", { class: "chance", x1: across(0), y1: down(0), x2: across(1), y2: down(1) })
        : null,
      h("path", { class: "line-of-curve", d: pathOf(points) }),
      now >= 0
        ? h("circle", { class: "now", cx: across(points[now]![0]), cy: down(points[now]![1]), r: 4 })
        : null,
      near !== null && points[near]
        ? h("circle", { class: "near", cx: across(points[near]![0]), cy: down(points[near]![1]), r: 5 })
        : null,
    ),
    h("p", { class: "readout" }, shown !== null && points[shown] ? words(shown) : "no point at this threshold"),
  );
}

export function Curves({ state }: { state: State }): VNode | null {
  const [wanted, setKind] = useState<Curve["kind"]>("pr");
  const frame = state.current.value;
  if (!hasCurve(frame)) return null;
  const classes = state.sheet.classes.length;
  const roc = hasRoc(frame, classes);
  const kind = roc ? wanted : "pr";
  const one = classOfCurve(frame, frame.data.kind === "anomaly" ? 1 : state.curveClass.value, classes);
  const curve = curveOf(frame, kind, one, classes);
  if (!curve) return null;
  const name = kind === "roc" ? "AUROC" : one === ALL ? "micro AP" : "AP";
  const choose = roc
    ? h(Choice, {
        label: "Curve",
        value: kind,
        choices: [
          ["pr", "PR"],
          ["roc", "ROC"],
        ],
        pick: (value) => setKind(value as Curve["kind"]),
      })
    : h(Choice, {
        label: "Curve of",
        value: String(state.curveClass.value),
        choices: [
          [String(ALL), "all classes"],
          ...state.sheet.classes.map((each, at): [string, string] => [String(at), each.name]),
        ],
        pick: (value) => (state.curveClass.value = Number(value)),
      });
  const area = h("b", { class: "area", title: one === ALL ? "Area under the curve of all classes together" : "Area under the curve" }, `${name} ${share(curve.area, state.sheet.digits)}`);
  return h(Section, {
    title: kind === "pr" ? "Precision – recall" : "ROC",
    side: area,
    children: [h("div", { class: "chart-tools" }, choose), h(Plot, { state, curve, one })],
  });
}
