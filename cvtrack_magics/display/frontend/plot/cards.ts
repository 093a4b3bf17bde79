// Finished runs: put the interactive plot where a saved picture stands.

import { settingsOf } from "./settings";
import { readState } from "./state";
import { Store, type Tracks } from "./store";
import { Track } from "./track";
import { mountView } from "./view";
import { watchFor } from "./watch";

const HOME = ".cvtrack-curves";
const DATA = "script.cvtrack-data";
const INSTALLED = Symbol.for("cvtrack_magics.cards");
const LIMIT = 20_000;

type Mounted = Map<HTMLElement, () => void>;

interface Card {
  store: Store;
  run: string;
}

/** Put a card's series into `tracks`; false for anything that is not what we wrote. */
function readTracks(list: unknown, tracks: Tracks): boolean {
  if (!Array.isArray(list)) return false;
  for (const item of list as Record<string, unknown>[]) {
    const name = item?.name;
    const columns = [item?.steps, item?.values, item?.times].map((column) =>
      Array.isArray(column) && column.length <= LIMIT
        ? Float64Array.from(column, (cell) => (typeof cell === "number" ? cell : NaN))
        : null,
    );
    const [steps, values, times] = columns;
    if (typeof name !== "string" || !steps || !values || !times) return false;
    if (steps.length !== values.length || steps.length !== times.length) return false;
    if (![...steps, ...times].every(Number.isFinite)) return false;
    const track = new Track();
    track.append({ steps, values, times }, 0, steps.length);
    track.logged = steps.length;
    tracks.set(name, track);
  }
  return true;
}

/** Read the points a card carries; null for anything that is not what we wrote. */
export function readCard(text: string): Card | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const { series, run, overlays, ...rest } = (parsed ?? {}) as Record<string, unknown>;
  const store = new Store();
  store.status = "FINISHED";
  if (!readTracks(series, store.tracks)) return null;
  for (const item of (Array.isArray(overlays) ? overlays : []) as Record<string, unknown>[]) {
    const tracks: Tracks = new Map();
    if (typeof item?.label !== "string" || !readTracks(item.series, tracks)) return null;
    store.overlays.set(item.label, tracks);
  }
  const { marks = [], baselines = [] } = readState(rest);
  Object.assign(store.state, { marks, baselines });
  return store.tracks.size + store.overlays.size ? { store, run: typeof run === "string" ? run : "" } : null;
}

function mount(home: HTMLElement, mounted: Mounted): void {
  const card = readCard(home.querySelector(DATA)?.textContent ?? "");
  if (!card) return;
  const picture = home.querySelector("img");
  const view = mountView(home, card.store, { settings: settingsOf(card.run) });
  if (picture) picture.style.display = "none";
  mounted.set(home, () => {
    view.remove();
    if (picture) picture.style.display = "";
  });
}

/** Watch the page for cards, once however many bundles are loaded into it. */
export function watchCards(): void {
  const page = window as unknown as Record<symbol, boolean>;
  if (page[INSTALLED]) return;
  page[INSTALLED] = true;
  const mounted: Mounted = new Map();
  watchFor(
    HOME,
    (home) => {
      if (!mounted.has(home)) mount(home, mounted);
    },
    () => {
      // A notebook takes a cell that scrolled away out of the page and may put it back later.
      for (const [home, unmount] of mounted) {
        if (home.isConnected) continue;
        unmount();
        mounted.delete(home);
      }
    },
  );
}
