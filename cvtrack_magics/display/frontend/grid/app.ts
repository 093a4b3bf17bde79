// The whole viewer.

import { h } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { number4 } from "../shared/format";
import { Detail } from "./detail";
import { Frames } from "./frames";
import { KEYS } from "./keys";
import { Panel } from "./panel";
import type { Painter } from "./raster";
import type { Resources } from "./resources";
import type { State } from "./state";
import { Status } from "./status";
import type { Tiles } from "./tiles";
import { Toolbar } from "./toolbar";
import type { VNode } from "./vnode";

function Head({ state }: { state: State }): VNode {
  const { title, metrics } = state.sheet;
  return h(
    "header",
    { class: "head" },
    h("h1", { title }, h("bdi", null, title)),
    h(
      "dl",
      { class: "metrics", "aria-label": "Metrics" },
      metrics.map(([name, value]) =>
        h(
          "div",
          { key: name, title: `${name}: ${value ?? "no value"}` },
          h("dt", null, name),
          h("dd", null, value === null ? "–" : number4(Number(value.toPrecision(4)))),
        ),
      ),
    ),
    h(Frames, { state }),
  );
}

function Empty({ state }: { state: State }): VNode | null {
  if (state.rows.value.length) return null;
  const filters = state.filters();
  const [said, advice] = !state.counted.value
    ? ["There are no samples here.", "This sheet, or this frame of it, holds none: log predictions and open it again."]
    : ["No sample matches.", "Take back a filter, or move the threshold."];
  return h(
    "div",
    { class: "empty", role: "note" },
    h("p", null, h("b", null, said)),
    h("p", null, advice),
    filters.length
      ? h(
          "button",
          { type: "button", class: "toggle", onClick: () => state.clearAll() },
          filters.length > 1 ? "Clear all filters" : "Clear the filter",
        )
      : null,
  );
}

function Help({ state }: { state: State }): VNode | null {
  if (!state.help.value) return null;
  return h(
    "div",
    { class: "sheet-box help", role: "dialog", "aria-label": "Keys" },
    h("h2", null, "Keys"),
    h(
      "dl",
      null,
      KEYS.map(([keys, what]) => [h("dt", null, h("kbd", null, keys)), h("dd", null, what)]),
    ),
    h("button", { type: "button", class: "toggle", onClick: () => (state.help.value = false) }, "Close"),
  );
}

function Place({ tiles }: { tiles: Tiles }): VNode {
  const home = useRef<HTMLDivElement>(null);
  useEffect(() => home.current?.append(tiles.scroller), []);
  return h("div", { class: "place", ref: home });
}

export function App(props: {
  state: State;
  tiles: Tiles;
  resources: Resources;
  painter: Painter;
  listen: (ready: ((sample: number) => void) | null) => void;
}): VNode {
  const { state, tiles, resources, painter, listen } = props;
  const open = state.detail.value !== null;
  return h(
    "div",
    { class: "app" },
    h(
      "div",
      { class: "main", inert: open },
      h(Head, { state }),
      h(Toolbar, { state }),
      h(Status, { state }),
      h(
        "div",
        { class: "body" },
        h("div", { class: "ground" }, h(Place, { tiles }), h(Empty, { state })),
        h(Panel, { state }),
      ),
    ),
    h(Detail, { state, resources, painter, listen }),
    h(Help, { state }),
  );
}
