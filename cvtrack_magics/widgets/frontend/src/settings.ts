// What the reader chose for one run; its finished card goes on with what was chosen live.

import type { Axis } from "./shape";

export interface Settings {
  axis: Axis;
  smoothing: number;
  /** Panels with a logarithmic scale, by title. */
  log: Set<string>;
  /** Metrics whose curve is hidden. */
  hidden: Set<string>;
}

const SHARED = Symbol.for("cvtrack_magics.settings");

/** The settings of a run, one object for all bundles in the page; fresh ones without a run. */
export function settingsOf(run: string): Settings {
  const fresh: Settings = { axis: "step", smoothing: 0, log: new Set(), hidden: new Set() };
  if (!run) return fresh;
  const page = window as unknown as Record<symbol, Map<string, Settings> | undefined>;
  const all = (page[SHARED] ??= new Map<string, Settings>());
  const known = all.get(run) ?? fresh;
  all.set(run, known);
  return known;
}
