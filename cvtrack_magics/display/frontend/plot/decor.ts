// What is drawn over the curves: lines to beat, notes, and the best point of each curve.

import type uPlot from "uplot";
import { number4, shorten } from "../shared/format";
import { directionOf } from "./groups";
import type { Axis } from "./line";
import type { Baseline, Mark } from "./state";
import type { Curve } from "./strands";
import type { Theme } from "./theme";

export interface Level {
  label: string;
  color: string;
  value: number;
}

export interface Best {
  step: number;
  x: number;
  value: number;
}

/** The best point of a curve whose name tells what is better. */
export function bestOf(curve: Curve, axis: Axis): Best | null {
  const track = curve.track();
  const direction = directionOf(curve.style.name);
  if (!track || track.length < 2 || !direction) return null;
  const row = direction === "min" ? track.low : track.high;
  if (row < 0) return null;
  const offset = axis === "time" ? curve.epoch() : 0;
  const x = track.at(axis, row) - offset;
  return { step: track.at("step", row), x, value: track.values.data[row] as number };
}

/** The lines to beat that belong into a panel. */
export function levelsOf(baselines: Baseline[], curves: Curve[], log: boolean): Level[] {
  return baselines.flatMap(({ label, values }) =>
    curves.flatMap(({ run, style }) => {
      const value = values.get(style.name);
      if (run !== null || value === undefined || (log && value <= 0)) return [];
      return [{ label, color: style.color, value }];
    }),
  );
}

/** Values of levels that the axis can reach without flattening the curves. */
export function withinReach(levels: Level[], min: number, max: number, log: boolean): number[] {
  const scaled = log ? Math.log10 : (value: number) => value;
  const span = scaled(max) - scaled(min);
  const room = span > 0 ? 3 * span : Infinity;
  return levels
    .map(({ value }) => value)
    .filter(
      (value) =>
        !(min <= max) ||
        (scaled(min) - scaled(value) <= room && scaled(value) - scaled(max) <= room),
    );
}

/** Where a note stands on the x axis; NaN where nobody knows. */
export function placeOf(mark: Mark, axis: Axis, epoch: number): number {
  if (axis === "step") return mark.step;
  return mark.time === null ? NaN : mark.time - epoch;
}

function inBox(
  plot: uPlot,
  draw: (ctx: CanvasRenderingContext2D, dpr: number) => void,
  margin = 0,
): void {
  const { ctx, bbox } = plot;
  const room = margin * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left - room, bbox.top - room, bbox.width + 2 * room, bbox.height + 2 * room);
  ctx.clip();
  ctx.setLineDash([]);
  draw(ctx, devicePixelRatio);
  ctx.restore();
}

export function drawMarks(plot: uPlot, places: number[], theme: Theme): void {
  if (!places.length) return;
  inBox(plot, (ctx, dpr) => {
    ctx.strokeStyle = theme.text;
    ctx.globalAlpha = 0.75;
    ctx.lineWidth = dpr;
    ctx.beginPath();
    for (const place of places) {
      const x = Math.round(plot.valToPos(place, "x", true)) + 0.5;
      ctx.moveTo(x, plot.bbox.top);
      ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
    }
    ctx.stroke();
  });
}

export function drawLevels(plot: uPlot, levels: Level[], theme: Theme): void {
  const { left, top, width, height } = plot.bbox;
  inBox(plot, (ctx, dpr) => {
    ctx.font = `${11 * dpr}px system-ui, sans-serif`;
    levels.forEach(({ label, color, value }, at) => {
      const wanted = plot.valToPos(value, "y", true);
      if (!Number.isFinite(wanted)) return;
      const y = Math.min(Math.max(wanted, top + dpr), top + height - dpr);
      const off = wanted < y - dpr ? "↑ " : wanted > y + dpr ? "↓ " : "";
      ctx.strokeStyle = color;
      ctx.lineWidth = 1.25 * dpr;
      ctx.setLineDash([7 * dpr, 5 * dpr]);
      ctx.beginPath();
      ctx.moveTo(left, y);
      ctx.lineTo(left + width, y);
      if (!off) ctx.stroke();
      ctx.setLineDash([]);
      const room = Math.max(8, Math.floor(width / dpr / 13));
      const words = `${off}${shorten(label, room)} ${number4(value)}`;
      // Two lines that are close to each other have their words on different sides.
      ctx.textAlign = at % 2 ? "left" : "right";
      ctx.textBaseline = y - top < 16 * dpr ? "top" : "bottom";
      const x = at % 2 ? left + 4 * dpr : left + width - 4 * dpr;
      const edge = y + (ctx.textBaseline === "top" ? 3 : -3) * dpr;
      const across = ctx.measureText(words).width;
      ctx.fillStyle = theme.ground;
      ctx.globalAlpha = 0.8;
      ctx.fillRect(
        at % 2 ? x - 2 * dpr : x - across - 2 * dpr,
        ctx.textBaseline === "top" ? edge : edge - 12 * dpr,
        across + 4 * dpr,
        12 * dpr,
      );
      ctx.globalAlpha = 1;
      ctx.fillStyle = color;
      ctx.fillText(words, x, edge);
    });
  });
}

export function drawBest(plot: uPlot, points: { best: Best; color: string }[], theme: Theme): void {
  inBox(plot, (ctx, dpr) => {
    for (const { best, color } of points) {
      const x = plot.valToPos(best.x, "x", true);
      const y = plot.valToPos(best.value, "y", true);
      const { left, width } = plot.bbox;
      if (!Number.isFinite(x + y) || x < left - 1 || x > left + width + 1) continue;
      ctx.beginPath();
      ctx.arc(x, y, 4 * dpr, 0, 2 * Math.PI);
      ctx.fillStyle = theme.ground;
      ctx.fill();
      ctx.strokeStyle = color;
      ctx.lineWidth = 2 * dpr;
      ctx.stroke();
    }
  }, 6);
}
