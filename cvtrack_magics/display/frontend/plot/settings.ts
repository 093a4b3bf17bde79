// What the reader chose for one run; its finished card goes on with what was chosen live.

import type { Axis } from "./line";

export interface Settings {
  axis: Axis;
  smoothing: number;
  /** Panels with a logarithmic scale, by title. */
  log: Set<string>;
  /** Metrics whose curve is hidden. */
  hidden: Set<string>;
  /** Other runs whose curves are hidden, by label. */
  hiddenRuns: Set<string>;
  /** Whether the machine's curves are folded out. */
  resources: boolean;
}

const SHARED = Symbol.for("cvtrack_magics.settings");

/** The settings of a run, one object for all bundles in the page; fresh ones without a run. */
export function settingsOf(run: string): Settings {
  const fresh: Settings = {
    axis: "step",
    smoothing: 0,
    log: new Set(),
    hidden: new Set(),
    hiddenRuns: new Set(),
    resources: false,
  };
  if (!run) return fresh;
  const page = window as unknown as Record<symbol, Map<string, Settings> | undefined>;
  const all = (page[SHARED] ??= new Map<string, Settings>());
  // A bundle of an older version may have made the settings that are there.
  const known = Object.assign(all.get(run) ?? {}, { ...fresh, ...all.get(run) });
  all.set(run, known);
  return known;
}
