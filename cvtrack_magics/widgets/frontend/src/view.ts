// One view of one run's curves: the toolbar once, and a responsive grid of panels.

import { button, element, freshId } from "./dom";
import { MAX_PANELS, panelsOf } from "./groups";
import { Panel, type Shared } from "./panel";
import { settingsOf, type Settings } from "./settings";
import type { Axis } from "./shape";
import type { Store } from "./store";
import { installStyle, readTheme, watchTheme } from "./theme";

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
  const shared: Shared = { store, settings, theme: readTheme(root) };
  let all = false;
  let frame = 0;

  const head = element("div", "cv-head");
  if (options.title !== undefined) {
    const title = element("strong", "cv-run", options.title);
    title.title = options.title;
    head.append(status, title);
  }
  head.append(
    toolbar(
      settings,
      () => each((panel) => panel.smoothingChanged()),
      () => each((panel) => panel.update()),
    ),
  );
  root.append(head, empty, grid, more);

  function each(act: (panel: Panel) => void): void {
    for (const panel of panels.values()) act(panel);
  }

  function update(): void {
    frame = 0;
    const groups = [...panelsOf(store.tracks.keys())];
    const shown = all ? groups : groups.slice(0, MAX_PANELS);
    shown.forEach(([group, members], at) => {
      let panel = panels.get(group);
      if (!panel) panels.set(group, (panel = new Panel(group, shared)));
      if (grid.children[at] !== panel.root) grid.insertBefore(panel.root, grid.children[at] ?? null);
      panel.setMembers(members);
    });
    const names = new Set(shown.map(([group]) => group));
    for (const [group, panel] of panels) {
      if (names.has(group)) continue;
      panel.destroy();
      panels.delete(group);
    }
    empty.hidden = groups.length > 0;
    more.hidden = shown.length === groups.length;
    more.textContent = `Show ${groups.length - shown.length} more`;
    status.textContent = `${SIGNS[store.status] ?? "●"} ${store.status.toLowerCase()}`;
    status.dataset.status = store.status;
    each((panel) => panel.update());
  }

  const schedule = () => {
    frame ||= requestAnimationFrame(update);
  };
  const stopListening = store.listen(schedule);
  const stopTheme = watchTheme(() => {
    shared.theme = readTheme(root);
    each((panel) => panel.themeChanged());
  });
  const resized = new ResizeObserver(() => each((panel) => panel.resize()));
  resized.observe(grid);
  update();

  const remove = () => {
    cancelAnimationFrame(frame);
    stopListening();
    stopTheme();
    resized.disconnect();
    each((panel) => panel.destroy());
    panels.clear();
    root.remove();
  };
  return { root, update, remove };
}

function toolbar(settings: Settings, smoothed: () => void, axisChanged: () => void): HTMLElement {
  const bar = element("div", "cv-toolbar", "", { role: "group", "aria-label": "Plot settings" });

  const sliderId = freshId();
  const slider = element("input", "cv-slider", "", {
    type: "range",
    id: sliderId,
    min: "0",
    max: "0.99",
    step: "0.01",
    value: String(settings.smoothing),
    "aria-label": "Smoothing",
  });
  const shown = element("output", "cv-amount", String(settings.smoothing), { for: sliderId });
  slider.addEventListener("input", () => {
    settings.smoothing = Number(slider.value);
    shown.textContent = slider.value;
    smoothed();
  });
  const smoothing = element("label", "cv-field", "Smoothing", { for: sliderId });

  const axes = element("span", "cv-axes", "", { role: "group", "aria-label": "X axis" });
  const buttons = (["step", "time"] as Axis[]).map((axis) => {
    const node = button("cv-toggle", axis, `X axis: ${axis}`, () => {
      settings.axis = axis;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === node));
      axisChanged();
    });
    node.setAttribute("aria-pressed", String(axis === settings.axis));
    return node;
  });
  axes.append(...buttons);

  bar.append(smoothing, slider, shown, axes);
  return bar;
}
