// Which columns a panel draws, and their points for what is in view.

import { overlayColor, roleOf, stylesOf, DASH, type Style } from "./groups";
import type { Axis, Line } from "./line";
import type { Stroke } from "./options";
import type { Settings } from "./settings";
import { align, type Cell, type Strand } from "./shape";
import type { Store, Tracks } from "./store";
import { epochOf, Track } from "./track";

/** One metric of the run or of another one. */
export interface Curve {
  style: Style;
  /** The other run's label; null for the run's own. */
  run: string | null;
  track(): Track | undefined;
  epoch(): number;
}

const NONE = new Track();

/** The curves of one panel: the run's own first, in the legend's order. */
export function curvesOf(members: string[], own: Tracks, store: Store | null): Curve[] {
  const curves = stylesOf(members.filter((name) => own.has(name))).map(
    (style): Curve => ({
      style,
      run: null,
      track: () => own.get(style.name),
      epoch: () => epochOf(own),
    }),
  );
  let at = 0;
  for (const [run, tracks] of store?.overlays ?? []) {
    const color = overlayColor(at++);
    for (const name of members) {
      if (!tracks.has(name)) continue;
      curves.push({
        style: { name, color, dash: DASH[roleOf(name)] },
        run,
        track: () => tracks.get(name),
        epoch: () => epochOf(tracks),
      });
    }
  }
  return curves;
}

export function isHidden(curve: Curve, settings: Settings): boolean {
  if (curve.run !== null && settings.hiddenRuns.has(curve.run)) return true;
  return settings.hidden.has(curve.style.name);
}

/** Columns in uPlot's order: raw curves, smooth ones, other runs'. */
export function strokesOf(curves: Curve[], settings: Settings): Stroke[] {
  const own = curves.filter(({ run }) => run === null);
  const smooth = settings.smoothing > 0;
  const show = (curve: Curve) => !isHidden(curve, settings);
  return [
    ...own.map((curve): Stroke => {
      const { color, dash } = curve.style;
      const shade = () => (settings.smoothing ? `${color}4d` : color);
      return { color: shade, width: 1.75, dash, dots: true, show: show(curve) };
    }),
    ...own.map((curve): Stroke => {
      const { color, dash } = curve.style;
      return { color: () => color, width: 2, dash, dots: false, show: smooth && show(curve) };
    }),
    ...curves
      .filter(({ run }) => run !== null)
      .map((curve): Stroke => {
        const { color, dash } = curve.style;
        return { color: () => `${color}c0`, width: 1, dash, dots: false, show: show(curve) };
      }),
  ];
}

/** First and last place of all curves; null while there is no point. */
export function extentOf(curves: Curve[], axis: Axis): [number, number] | null {
  let from = Infinity;
  let to = -Infinity;
  for (const curve of curves) {
    const line = (curve.track() ?? NONE).line(axis);
    if (!line.length) continue;
    const offset = axis === "time" ? curve.epoch() : 0;
    from = Math.min(from, line.at(0) - offset);
    to = Math.max(to, line.at(line.length - 1) - offset);
  }
  return from <= to ? [from, to] : null;
}

export interface View {
  axis: Axis;
  log: boolean;
  pixels: number;
  from: number;
  to: number;
}

export interface Columns {
  data: [number[], ...Cell[][]];
  /** Whether a column is a band of highs and lows more than a line. */
  dense: boolean[];
}

/** The columns of `strokesOf` for what is in view; costs in proportion to pixels. */
export function dataOf(curves: Curve[], settings: Settings, view: View): Columns {
  const { axis, log } = view;
  const crowd = 1.5 * view.pixels;
  const raw: Cell[][] = [];
  const strands = curves.map((curve): Strand => {
    const offset = axis === "time" ? curve.epoch() : 0;
    const line = (curve.track() ?? NONE).line(axis);
    const rows = isHidden(curve, settings)
      ? []
      : line.rowsToDraw(view.pixels, view.from + offset, view.to + offset, log);
    const x = rows.map((row) => line.at(row) - offset);
    const columns = columnsOf(line, rows, log, settings.smoothing, rows.length > crowd);
    return { x, columns: curve.run === null ? columns : columns.slice(-1) };
  });
  const [x, ...all] = align(strands);
  const smooth: Cell[][] = [];
  const others: Cell[][] = [];
  let at = 0;
  curves.forEach((curve, i) => {
    const width = (strands[i] as Strand).columns.length;
    const columns = all.slice(at, at + width);
    at += width;
    if (curve.run !== null) others.push(columns[0] as Cell[]);
    else {
      raw.push(columns[0] as Cell[]);
      smooth.push(columns[1] ?? []);
    }
  });
  const dense = strands.map((strand) => strand.x.length > crowd);
  return {
    data: [x, ...raw, ...smooth, ...others],
    dense: [...dense.slice(0, raw.length), ...raw.map(() => false), ...dense.slice(raw.length)],
  };
}

function columnsOf(
  line: Line,
  rows: number[],
  log: boolean,
  weight: number,
  dense: boolean,
): Cell[][] {
  const read = (from: Float64Array, row: number): Cell => {
    const value = from[row] as number;
    return Number.isFinite(value) && !(log && value <= 0) ? value : null;
  };
  const { y } = line;
  const raw = rows.map((row) => read(y, row));
  if (!weight) return [raw];
  const smoothed = line.smoothed(weight);
  const smooth = rows.map((row, i): Cell => {
    const value = read(smoothed, row);
    // A smooth line needs no four points for a pixel, and is much quicker without them.
    return dense && value !== null && i % 4 && i < rows.length - 1 ? undefined : value;
  });
  return [raw, smooth];
}
