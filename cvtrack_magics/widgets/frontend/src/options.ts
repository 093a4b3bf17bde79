// What one panel asks of uPlot.

import type uPlot from "uplot";
import { seconds, ticks } from "./format";
import type { Style } from "./groups";
import { lonely, nearest, type Axis } from "./shape";
import type { Theme } from "./theme";

export interface Look {
  styles: Style[];
  axis: Axis;
  log: boolean;
  width: number;
  height: number;
  hidden: ReadonlySet<string>;
  smoothing: () => number;
  theme: () => Theme;
}

/** Room above and below the curves; never below zero for what is never negative. */
function padded(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  const pad = max > min ? (max - min) * 0.06 : Math.abs(max) * 0.1 || 1;
  const low = min >= 0 ? Math.max(0, min - pad) : min - pad;
  const high = max + pad;
  return Number.isFinite(low) && Number.isFinite(high) ? [low, high] : [min, max];
}

function decades(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null || !(min > 0)) return [0.1, 1];
  const ratio = max > min ? (max / min) ** 0.06 : 2;
  return [min / ratio, max * ratio];
}

function spread(plot: uPlot, min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  const only = plot.data[0]?.length === 1 ? plot.data[0][0] : undefined;
  if (only !== undefined) return [only - 0.5, only + 0.5];
  return max > min ? [min, max] : [min - 0.5, max + 0.5];
}

/** Whether a tick of a logarithmic axis is 1, 2 or 5 times a power of ten. */
function round(value: number): boolean {
  return /^[125](?:\.0*)?e/.test(value.toExponential(6));
}

/** Width of an axis: that of its widest label, in coarse steps so that it seldom changes. */
function widest(plot: uPlot, labels: string[] | null, at: number): number {
  const axis = plot.axes[at] as uPlot.Axis & { font: [string] };
  plot.ctx.font = axis.font[0];
  const widths = (labels ?? []).map((label) => plot.ctx.measureText(label).width);
  const most = Math.max(0, ...widths) / devicePixelRatio;
  return Math.ceil((most + (axis.gap ?? 0)) / 6) * 6;
}

/** Dots: on every point while they are few, and always where no line would show. */
function dots(color: string): uPlot.Series.Points {
  return {
    size: 5,
    width: 1,
    fill: color,
    show: (plot, at, from, to) => {
      const column = plot.data[at] as ArrayLike<unknown>;
      const limit = plot.bbox.width / devicePixelRatio / 12;
      let count = 0;
      for (let i = from; i <= to && count <= limit; i++) {
        if (column[i] !== null && column[i] !== undefined) count++;
      }
      return count <= limit;
    },
    filter: (plot, at, show) => {
      if (show) return null;
      const rows = lonely(plot.data[at] as (number | null)[]);
      return rows.length ? rows : null;
    },
  };
}

function series(look: Look): uPlot.Series[] {
  const raw = look.styles.map(
    ({ name, color, dash }): uPlot.Series => ({
      show: !look.hidden.has(name),
      stroke: () => (look.smoothing() ? `${color}4d` : color),
      width: 1.75,
      dash: dash.length ? dash : undefined,
      points: dots(color),
    }),
  );
  const smoothed = look.styles.map(
    ({ name, color, dash }): uPlot.Series => ({
      show: !look.hidden.has(name) && look.smoothing() > 0,
      stroke: color,
      width: 2,
      dash: dash.length ? dash : undefined,
      points: { show: false },
    }),
  );
  return [{}, ...raw, ...smoothed];
}

export function optionsOf(look: Look, hooks: uPlot.Hooks.Arrays): uPlot.Options {
  const axis = {
    stroke: () => look.theme().text,
    font: "11px system-ui, sans-serif",
    grid: { stroke: () => look.theme().grid, width: 1 },
    ticks: { show: false },
  };
  return {
    width: look.width,
    height: look.height,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: false, range: spread },
      y: look.log
        ? { distr: 3, log: 10, range: (_, min, max) => decades(min, max) }
        : { range: (_, min, max) => padded(min, max) },
    },
    axes: [
      {
        ...axis,
        size: 30,
        gap: 8,
        space: 60,
        incrs: look.axis === "time" ? undefined : WHOLE,
        values: (_, at) => (look.axis === "time" ? at.map(seconds) : ticks(at)),
      },
      {
        ...axis,
        size: widest,
        gap: 6,
        values: (_, at) => {
          const shown = at.filter((value) => value !== null && (!look.log || round(value)));
          const words = new Map(ticks(shown, look.log).map((word, i) => [shown[i], word]));
          return at.map((value) => words.get(value) ?? "");
        },
      },
    ],
    cursor: {
      drag: { x: true, y: false, setScale: true },
      points: { size: 7 },
      dataIdx: (plot, at, row) => {
        if (at === 0 || !plot.series[at]?.show) return row;
        const found = nearest(plot.data[0], plot.data[at] as (number | null)[], row);
        return found < 0 ? row : found;
      },
    },
    series: series(look),
    hooks,
  };
}

/** Steps are whole numbers, so their ticks are too. */
const WHOLE = Array.from({ length: 13 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** power),
).flat();
