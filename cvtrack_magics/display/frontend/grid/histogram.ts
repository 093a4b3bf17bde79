// How a score is spread over the samples; a bar shows those that lie in it.

import { h } from "preact";
import { number4 } from "../shared/format";
import { Section } from "./parts";
import type { State } from "./state";
import type { VNode } from "./vnode";

const BINS = 26;
const [WIDTH, HEIGHT, FOOT] = [312, 84, 14];

export function Histogram({ state }: { state: State }): VNode | null {
  const name = state.mainScore();
  const score = name === null ? null : state.score(name);
  if (name === null || !score) return null;
  const { present } = state.current.value;
  let [low, high] = [Infinity, -Infinity];
  score.forEach((value, sample) => {
    if (!Number.isFinite(value) || (present && !present[sample])) return;
    if (value < low) low = value;
    if (value > high) high = value;
  });
  if (!(low < high)) return null;
  const bins = new Array<number>(BINS).fill(0);
  const step = (high - low) / BINS;
  // The edges that a click asks for are those that the counts were made with.
  const edge = (bin: number) => (bin === BINS ? high : low + bin * step);
  score.forEach((value, sample) => {
    if (!Number.isFinite(value) || (present && !present[sample])) return;
    bins[Math.min(BINS - 1, Math.floor((value - low) / step))]! += 1;
  });
  const most = Math.max(...bins);
  const pick = state.pick.value;
  const shown = (value: number) => number4(Number(value.toPrecision(3)));
  return h(Section, {
    title: "Distribution",
    side: h("span", { class: "hint" }, name),
    children: h(
      "svg",
      {
        class: "histogram",
        width: WIDTH,
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        role: "group",
        "aria-label": `Distribution of ${name}`,
      },
      bins.map((count, bin) => {
        const [from, to] = [edge(bin), edge(bin + 1)];
        const on = pick?.kind === "range" && pick.score === name && pick.low === from;
        const tall = count ? Math.max(2, (count / most) * (HEIGHT - FOOT - 4)) : 0;
        const wide = WIDTH / BINS;
        const label = `${name} from ${shown(from)} to ${shown(to)}: ${count}`;
        const choose = () => state.togglePick({ kind: "range", score: name, low: from, high: to });
        return h(
          "g",
          {
            key: bin,
            class: on ? "bin picked" : "bin",
            role: "button",
            tabindex: count ? 0 : -1,
            "aria-label": label,
            "aria-pressed": on ? "true" : "false",
            onClick: () => count && choose(),
            onKeyDown: (event: KeyboardEvent) => {
              if (event.key !== "Enter") return;
              event.stopPropagation();
              choose();
            },
          },
          h("title", null, label),
          h("rect", { class: "target", x: bin * wide, y: 0, width: wide, height: HEIGHT - FOOT }),
          h("rect", {
            class: "column",
            x: bin * wide + 0.75,
            y: HEIGHT - FOOT - tall,
            width: wide - 1.5,
            height: tall,
            rx: 1,
          }),
        );
      }),
      h("line", { class: "rule", x1: 0, x2: WIDTH, y1: HEIGHT - FOOT, y2: HEIGHT - FOOT }),
      h("text", { class: "tick", x: 0, y: HEIGHT - 2 }, shown(low)),
      h("text", { class: "tick", x: WIDTH, y: HEIGHT - 2, "text-anchor": "end" }, shown(high)),
    ),
  });
}
