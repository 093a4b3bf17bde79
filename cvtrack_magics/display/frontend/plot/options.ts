// What one panel asks of uPlot.

import type uPlot from "uplot";
import { seconds, ticks } from "../shared/format";
import type { Axis } from "./line";
import { lonely, nearest, type Cell } from "./shape";
import type { Theme } from "./theme";

/** How one column is drawn. */
export interface Stroke {
  color: () => string;
  width: number;
  dash: number[];
  dots: boolean;
  show: boolean;
}

/**
 * How wide a column is drawn and with which dash. A band of highs and lows hides dashes and
 * width, which cost nine tenths of its drawing.
 */
export function lineOf({ width, dash }: Stroke, dense: boolean): { width: number; dash?: number[] } {
  return dense ? { width: 1, dash: undefined } : { width, dash: dash.length ? dash : undefined };
}

export interface Look {
  strokes: Stroke[];
  axis: Axis;
  log: boolean;
  width: number;
  height: number;
  theme: () => Theme;
  /** What the x axis shows now. */
  range: () => [number, number];
  /** Values that the y axis has to reach beside the curves. */
  reach: (min: number, max: number) => number[];
  pan: (event: MouseEvent) => void;
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
function dots(color: () => string): uPlot.Series.Points {
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
  const drawn = look.strokes.map(
    (stroke): uPlot.Series => ({
      show: stroke.show,
      stroke: stroke.color,
      ...lineOf(stroke, false),
      points: stroke.dots ? dots(stroke.color) : { show: false },
    }),
  );
  return [{}, ...drawn];
}

/** Stretch a range over what else has to be seen. */
function reached(look: Look, min: number | null, max: number | null): [number | null, number | null] {
  const more = look.reach(min ?? Infinity, max ?? -Infinity);
  if (!more.length) return [min, max];
  return [Math.min(min ?? Infinity, ...more), Math.max(max ?? -Infinity, ...more)];
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
      x: { time: false, range: () => look.range() },
      y: look.log
        ? { distr: 3, log: 10, range: (_, min, max) => decades(...reached(look, min, max)) }
        : { range: (_, min, max) => padded(...reached(look, min, max)) },
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
      drag: { x: true, y: false, setScale: false },
      bind: {
        mousedown: (_plot, _target, handle) => (event) => {
          if (event.shiftKey && event.button === 0) look.pan(event);
          else handle(event);
          return null;
        },
      },
      points: { size: 7 },
      dataIdx: (plot, at, row) => {
        if (at === 0 || !plot.series[at]?.show) return row;
        const found = nearest(plot.data[0], plot.data[at] as Cell[], row);
        return found < 0 ? row : found;
      },
    },
    series: series(look),
    hooks: {
      ...hooks,
      init: [...(hooks.init ?? []), reachFar],
      draw: [...(hooks.draw ?? []), (plot) => sayNothing(plot, look)],
    },
  };
}

/** Steps between ticks beyond those that uPlot has, which end at 1e32. */
const FAR = Array.from({ length: 279 }, (_, power) =>
  [1, 2, 2.5, 5].map((digit) => digit * 10 ** (power + 29)),
).flat();

/** Give the y axis ticks for values of any size: a loss that diverges is there to be read. */
function reachFar(plot: uPlot): void {
  const axis = plot.axes[1] as uPlot.Axis & { incrs: (...about: number[]) => number[] };
  const usual = axis.incrs;
  if (typeof usual !== "function") return;
  axis.incrs = ((...about: unknown[]) => {
    const [, , low, high] = about as number[];
    return (high as number) - (low as number) > 1e29 ? FAR : usual(...(about as number[]));
  }) as typeof usual;
}

/** Say in the middle of a panel that its curves have points, and none of them a number. */
function sayNothing(plot: uPlot, look: Look): void {
  const columns = plot.data.slice(1).filter((_, at) => plot.series[at + 1]?.show);
  if (!plot.data[0].length || !columns.length) return;
  if (columns.some((column) => Array.from(column).some((cell) => Number.isFinite(cell)))) return;
  const { left, top, width, height } = plot.bbox;
  plot.ctx.save();
  plot.ctx.fillStyle = look.theme().text;
  plot.ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  plot.ctx.textAlign = "center";
  plot.ctx.textBaseline = "middle";
  plot.ctx.fillText("no finite value", left + width / 2, top + height / 2);
  plot.ctx.restore();
}

/** Steps are whole numbers, so their ticks are too. */
const WHOLE = Array.from({ length: 13 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** power),
).flat();
