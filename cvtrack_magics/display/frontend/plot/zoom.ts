// Looking closer with a mouse, a wheel or the keyboard.

import type uPlot from "uplot";

export type Range = [number, number];

export interface Zoom {
  /** What is in view; null for everything. */
  range: Range | null;
  /** Everything there is to see. */
  all(): Range;
  /** The closest look, in units of x. */
  least(): number;
  changed(): void;
}

/** View `[from, to]`, within what there is; everything when that is asked for. */
export function look(zoom: Zoom, from: number, to: number): void {
  const [first, last] = zoom.all();
  const width = Math.min(Math.max(to - from, zoom.least()), last - first);
  const middle = (from + to) / 2;
  const start = Math.min(Math.max(first, middle - width / 2), last - width);
  const whole = width >= last - first;
  zoom.range = whole || !Number.isFinite(start + width) ? null : [start, start + width];
  zoom.changed();
}

/** Look `factor` times as wide, keeping the place `around` (0 is left, 1 is right). */
export function scale(zoom: Zoom, factor: number, around = 0.5): void {
  const [from, to] = zoom.range ?? zoom.all();
  const width = Math.max((to - from) * factor, zoom.least());
  const place = from + (to - from) * around;
  look(zoom, place - width * around, place + width * (1 - around));
}

/** Move the view by a part of its width. */
export function move(zoom: Zoom, part: number): void {
  if (!zoom.range) return;
  const [from, to] = zoom.range;
  const [first, last] = zoom.all();
  const by = Math.min(Math.max((to - from) * part, first - from), last - to);
  zoom.range = [from + by, to + by];
  zoom.changed();
}

export function reset(zoom: Zoom): void {
  zoom.range = null;
  zoom.changed();
}

/** Drag the view along with the mouse until its button is released. */
export function pan(zoom: Zoom, event: MouseEvent, width: number): void {
  let last = event.clientX;
  const drag = ({ clientX }: MouseEvent) => {
    move(zoom, (last - clientX) / Math.max(1, width));
    last = clientX;
  };
  const stop = () => {
    removeEventListener("mousemove", drag);
    removeEventListener("mouseup", stop);
  };
  addEventListener("mousemove", drag);
  addEventListener("mouseup", stop);
}

/** Hear the wheel (with Ctrl or ⌘ to zoom, Shift to move) and a selection on one plot. */
export function attach(zoom: Zoom, plot: uPlot): void {
  plot.over.addEventListener("dblclick", () => reset(zoom));
  plot.over.addEventListener(
    "wheel",
    (event) => {
      // Without a key the wheel scrolls the notebook, as everywhere.
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
      event.preventDefault();
      const by = event.deltaY || event.deltaX;
      const box = plot.over.getBoundingClientRect();
      if (event.shiftKey) move(zoom, by / Math.max(1, box.width));
      else scale(zoom, Math.exp(by / 300), (event.clientX - box.left) / Math.max(1, box.width));
    },
    { passive: false },
  );
}

/** What a key does; false when it is not ours. */
export function press(zoom: Zoom, key: string): boolean {
  if (key === "ArrowLeft" || key === "ArrowRight") move(zoom, key === "ArrowLeft" ? -0.2 : 0.2);
  else if (key === "+" || key === "=") scale(zoom, 0.5);
  else if (key === "-") scale(zoom, 2);
  else if ((key === "0" || key === "Escape") && zoom.range) reset(zoom);
  else return false;
  return true;
}
