// How a sheet wants to be looked at first.

import type { Only } from "./choices";
import { CHANGES, type Change } from "./compare";
import type { State } from "./state";

/** What the one who made the sheet asked for. */
export function begin(state: State): void {
  const { settings } = state.sheet;
  const classAt = (wanted: unknown): number => {
    const named = state.sheet.classes.findIndex(({ name }) => name === wanted);
    if (named >= 0) return named;
    const index = typeof wanted === "number" ? wanted : -1;
    return Number.isInteger(index) && index < state.sheet.classes.length ? index : -1;
  };
  if (typeof settings.sort === "string" && settings.sort) {
    // "loss" begins with the highest, "-loss" with the lowest.
    const name = settings.sort.replace(/^-/, "");
    if (state.scoreNames.value.includes(name)) {
      state.sort.value = name;
      state.descending.value = !settings.sort.startsWith("-");
    }
  }
  if ([...state.outcomes, "all"].includes(settings.only as Only)) {
    state.only.value = settings.only as Only;
  }
  const change = String(settings.only ?? "").replace("still-", "") as Change;
  if (settings.only !== "wrong" && settings.only !== "right" && state.changes.value) {
    if (CHANGES.judged.includes(change)) state.change.value = change;
  }
  state.truthClass.value = classAt(settings.truth);
  state.predClass.value = classAt(settings.pred);
  if (typeof settings.threshold === "number") state.threshold.value = settings.threshold;
  if (typeof settings.text === "string") state.text.value = settings.text;
  if (typeof settings.worst === "number") state.worst.value = Math.max(0, settings.worst);
}
