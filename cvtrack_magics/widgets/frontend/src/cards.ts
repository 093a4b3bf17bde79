// Finished runs: put the interactive plot where a saved picture stands.

import { settingsOf } from "./settings";
import { Store, type Track } from "./store";
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

/** Read the points a card carries; null for anything that is not what we wrote. */
export function readCard(text: string): Card | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const { series: list, run } = (parsed ?? {}) as { series?: unknown; run?: unknown };
  if (!Array.isArray(list)) return null;
  const store = new Store();
  for (const item of list as Record<string, unknown>[]) {
    const name = item?.name;
    const columns = [item?.steps, item?.values, item?.times].map((column) =>
      Array.isArray(column) && column.length <= LIMIT
        ? column.map((cell) => (typeof cell === "number" ? cell : NaN))
        : null,
    );
    const [steps, values, times] = columns;
    if (typeof name !== "string" || !steps || !values || !times) return null;
    if (steps.length !== values.length || steps.length !== times.length) return null;
    store.put(name, { steps, values, times } satisfies Track);
  }
  return store.tracks.size ? { store, run: typeof run === "string" ? run : "" } : null;
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
