// One view of one run: buttons, progress, a responsive grid of panels, and the machine below.

import { Bars } from "./bars";
import { makeControls } from "./controls";
import { button, element, setName } from "../shared/dom";
import { MAX_PANELS, panelsOf } from "./groups";
import { Panel, type Shared } from "./panel";
import { Resources } from "./resources";
import { settingsOf, type Settings } from "./settings";
import type { Store } from "./store";
import { installStyle, readTheme, watchTheme } from "./theme";
import { makeToolbar } from "./toolbar";

const SIGNS: Record<string, string> = { RUNNING: "●", FINISHED: "✓", FAILED: "✗", KILLED: "■" };

export interface ViewOptions {
  title?: string;
  settings?: Settings;
}

export interface View {
  root: HTMLElement;
  /** Draw what the store holds now. */
  update(): void;
  /** Take everything away again. */
  remove(): void;
}

/** Build a view inside `home`. */
export function mountView(home: HTMLElement, store: Store, options: ViewOptions = {}): View {
  installStyle(home);
  const root = element("div", "cvtrack-plot", "", { "data-lm-suppress-shortcuts": "true" });
  const status = element("span", "cv-status");
  const grid = element("div", "cv-grid");
  const empty = element("p", "cv-empty", "Waiting for the first metric …");
  const more = button("cv-toggle cv-more", "", "Show all panels", () => {
    all = true;
    update();
  });
  const panels = new Map<string, Panel>();
  home.append(root);
  const settings = options.settings ?? settingsOf("");
  const shared: Shared = {
    store,
    settings,
    theme: readTheme(root),
    chosen: () => each((panel) => panel.choiceChanged()),
  };
  const resources = new Resources(shared);
  const controls = makeControls(store);
  const bars = new Bars();
  let all = false;
  let frame = 0;

  const head = element("div", "cv-head");
  if (options.title !== undefined) {
    const title = element("strong", "cv-run");
    setName(title, options.title);
    head.append(status, title, controls.words, controls.buttons);
  }
  const redraw = () => each((panel) => panel.update());
  head.append(makeToolbar(settings, shared.chosen, redraw));
  root.append(head, bars.root, empty, grid, more, resources.root);

  function each(act: (panel: Panel) => void): void {
    for (const panel of panels.values()) act(panel);
    resources.each(act);
  }

  function names(): Set<string> {
    const known = new Set(store.tracks.keys());
    for (const tracks of store.overlays.values()) for (const name of tracks.keys()) known.add(name);
    return known;
  }

  function arrange(): void {
    const groups = [...panelsOf(names())];
    const shown = all ? groups : groups.slice(0, MAX_PANELS);
    shown.forEach(([group, members], at) => {
      let panel = panels.get(group);
      if (!panel) panels.set(group, (panel = new Panel(group, shared)));
      if (grid.children[at] !== panel.root) grid.insertBefore(panel.root, grid.children[at] ?? null);
      panel.setMembers(members);
    });
    const kept = new Set(shown.map(([group]) => group));
    for (const [group, panel] of panels) {
      if (kept.has(group)) continue;
      panel.destroy();
      panels.delete(group);
    }
    empty.hidden = groups.length > 0;
    more.hidden = shown.length === groups.length;
    more.textContent = `Show ${groups.length - shown.length} more`;
  }

  function update(): void {
    frame = 0;
    arrange();
    status.textContent = `${SIGNS[store.status] ?? "●"} ${store.status.toLowerCase()}`;
    status.dataset.status = store.status;
    controls.update();
    bars.update(store.state.bars, store.status === "RUNNING");
    for (const panel of panels.values()) panel.update();
    resources.update();
  }

  const schedule = () => {
    frame ||= requestAnimationFrame(update);
  };
  const stopListening = store.listen(schedule);
  const stopTheme = watchTheme(() => {
    shared.theme = readTheme(root);
    each((panel) => panel.themeChanged());
  });
  update();

  const remove = () => {
    cancelAnimationFrame(frame);
    stopListening();
    stopTheme();
    each((panel) => panel.destroy());
    panels.clear();
    root.remove();
  };
  return { root, update, remove };
}
