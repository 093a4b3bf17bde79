// The confusion matrix: rows are the truth, columns what was predicted.

import { h } from "preact";
import { useRef, useState } from "preact/hooks";
import { clip, Section, grouped } from "./parts";
import type { State } from "./state";
import type { VNode } from "./vnode";

const NAMED = 25;
const DRAWN = 100;
const WIDTH = 312;
const TOP = 10;

export function compact(value: number): string {
  if (value < 1e4) return String(value);
  const [unit, sign] = value < 1e6 ? [1e3, "k"] : value < 1e9 ? [1e6, "M"] : [1e9, "G"];
  return `${Number((value / unit).toPrecision(value / unit < 10 ? 2 : 3))}${sign}`;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, one) => one);

interface Cell {
  truth: number;
  pred: number;
  count: number;
}

function cellsOf(state: State): Cell[] {
  const { side } = state.judged.value;
  return Array.from(state.matrix.value, ([cell, count]) => ({
    truth: Math.floor(cell / side),
    pred: cell % side,
    count,
  }));
}

function nameOf(state: State, { truth, pred, count }: Cell): string {
  const unit = state.sheet.task === "semantic" ? " pixels" : "";
  const [was, is] = [state.className(truth), state.className(pred)];
  return `${was} predicted as ${is}: ${grouped(count)}${unit}`;
}

const isPicked = (state: State, { truth, pred }: Cell): boolean => {
  const pick = state.pick.value;
  return pick?.kind === "cell" && pick.truth === truth && pick.pred === pred;
};

function Drawn({ state, cells }: { state: State; cells: Cell[] }): VNode {
  const classes = state.sheet.classes.length;
  const [cursor, setCursor] = useState<[number, number] | null>(null);
  const nothing = (by: "truth" | "pred") => cells.some((cell) => cell[by] === classes);
  const rows = classes + Number(nothing("truth"));
  const columns = classes + Number(nothing("pred"));
  const named = Math.max(rows, columns) <= NAMED;
  const all = range(Math.max(rows, columns)).map((one) => [...state.className(one)].length);
  const longest = Math.min(12, Math.max(...all));
  const side = named ? 12 + longest * 5.6 : 4;
  const size = Math.min(34, (WIDTH - side - 4) / columns);
  const top = named ? 16 + longest * 4 : 4;
  const sums = new Map<number, number>();
  for (const { truth, count } of cells) sums.set(truth, (sums.get(truth) ?? 0) + count);
  const readout = useRef<HTMLParagraphElement>(null);
  const say = (cell: Cell) => {
    if (readout.current) readout.current.textContent = nameOf(state, cell);
  };
  const click = ({ truth, pred }: Cell) => state.togglePick({ kind: "cell", truth, pred });
  const at = (place: [number, number]) =>
    cells.find((cell) => cell.truth === place[0] && cell.pred === place[1]);
  const here = cursor && { truth: cursor[0], pred: cursor[1], count: at(cursor)?.count ?? 0 };
  const key = (event: KeyboardEvent) => {
    const move = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    }[event.key] as [number, number] | undefined;
    const [row, column] = cursor ?? [0, 0];
    if (move) {
      const inside = (value: number, end: number) => Math.max(0, Math.min(end - 1, value));
      setCursor(cursor ? [inside(row + move[0], rows), inside(column + move[1], columns)] : [0, 0]);
    } else if (event.key === "Enter" && here?.count) click(here);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const label = (one: number, along: "row" | "column"): VNode => {
    const middle = one * size + size / 2;
    const name = state.className(one);
    const place =
      along === "row"
        ? { x: side - 5, y: top + middle, "text-anchor": "end", "dominant-baseline": "central" }
        : { transform: `translate(${side + middle + 1} ${top - 5}) rotate(-52)` };
    return h(
      "text",
      { key: `${along}${one}`, class: "tick", ...place },
      h("title", null, name),
      clip(name, along === "row" ? 12 : 11),
    );
  };
  const [width, height] = [side + columns * size + (named ? 30 : 4), top + rows * size + 2];
  const drawn = h(
    "svg",
    {
      class: "matrix",
      width: Math.min(WIDTH, width),
      viewBox: `0 0 ${width} ${height}`,
      role: "group",
      tabindex: 0,
      "aria-label": `Confusion matrix of ${classes} classes; arrow keys move, Enter shows the samples`,
      onKeyDown: key,
      onBlur: () => setCursor(null),
    },
    named ? [range(rows).map((one) => label(one, "row")), range(columns).map((one) => label(one, "column"))] : null,
    h("rect", { class: "ground", x: side, y: top, width: columns * size, height: rows * size }),
    cells.map((cell) => {
      const share = cell.count / (sums.get(cell.truth) ?? 1);
      const strength = 0.12 + 0.88 * Math.sqrt(share);
      const [x, y] = [side + cell.pred * size, top + cell.truth * size];
      const text = compact(cell.count);
      const on = isPicked(state, cell);
      const gap = named ? 0.75 : 0;
      const square = {
        x: x + gap,
        y: y + gap,
        width: size - 2 * gap,
        height: size - 2 * gap,
        rx: gap * 2.5,
        "fill-opacity": strength,
      };
      const button = {
        key: `${cell.truth},${cell.pred}`,
        class: `cell${cell.truth === cell.pred ? " same" : ""}${on ? " picked" : ""}`,
        role: "button",
        "aria-label": nameOf(state, cell),
        "aria-pressed": on ? "true" : "false",
        "data-cell": `${cell.truth},${cell.pred}`,
        onClick: () => click(cell),
      };
      // Thousands of cells have to be one element each to be there at once.
      if (!named) return h("rect", { ...button, ...square, onPointerEnter: () => say(cell) });
      return h(
        "g",
        button,
        h("title", null, nameOf(state, cell)),
        h("rect", square),
        size >= text.length * 5.6 + 3
          ? h(
              "text",
              {
                x: x + size / 2,
                y: y + size / 2,
                "text-anchor": "middle",
                "dominant-baseline": "central",
                class: strength > 0.62 ? "number strong" : "number",
              },
              text,
            )
          : null,
      );
    }),
    here
      ? h(
          "rect",
          {
            class: "cursor",
            x: side + here.pred * size,
            y: top + here.truth * size,
            width: size,
            height: size,
            role: "img",
            "aria-label": nameOf(state, here),
          },
        )
      : null,
  );
  return h("div", null, drawn, named ? null : h("p", { class: "readout", ref: readout }));
}

function Confusions({ state, cells }: { state: State; cells: Cell[] }): VNode | null {
  const mixed = cells.filter(({ truth, pred }) => truth !== pred);
  mixed.sort((a, b) => b.count - a.count);
  if (!mixed.length) return null;
  return h(
    "ol",
    { class: "confusions", "aria-label": "Top confusions" },
    mixed.slice(0, TOP).map((cell) =>
      h(
        "li",
        { key: `${cell.truth},${cell.pred}` },
        h(
          "button",
          {
            type: "button",
            class: "row-button",
            "aria-pressed": isPicked(state, cell) ? "true" : "false",
            title: nameOf(state, cell),
            onClick: () => state.togglePick({ kind: "cell", truth: cell.truth, pred: cell.pred }),
          },
          h("span", { class: "pair" },
            h("bdi", null, clip(state.className(cell.truth), 22)),
            " → ",
            h("bdi", null, clip(state.className(cell.pred), 22)),
          ),
          h("b", null, compact(cell.count)),
        ),
      ),
    ),
  );
}

export function Matrix({ state }: { state: State }): VNode | null {
  const cells = cellsOf(state);
  const classes = state.sheet.classes.length;
  if (!cells.length || !classes) return null;
  const side = h("span", { class: "hint" }, "rows: truth");
  return h(
    Section,
    { title: "Confusion", side, children: [
      classes <= DRAWN ? h(Drawn, { key: "drawn", state, cells }) : null,
      classes > NAMED ? h(Confusions, { key: "top", state, cells }) : null,
    ] },
  );
}
