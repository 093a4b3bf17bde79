// One panel: a title, a plot of the metrics that belong together, and their legend.

import uPlot from "uplot";
import { bestOf, drawBest, drawLevels, drawMarks, levelsOf, placeOf, withinReach } from "./decor";
import { button, element, setName } from "../shared/dom";
import { number4, seconds } from "../shared/format";
import { makeLegend, type Key, type Legend } from "./legend";
import { Notes } from "./notes";
import { lineOf, optionsOf } from "./options";
import type { Settings } from "./settings";
import { nearest, type Cell } from "./shape";
import type { Store, Tracks } from "./store";
import { curvesOf, dataOf, extentOf, isHidden, strokesOf, type Curve } from "./strands";
import type { Theme } from "./theme";
import { attach, look, pan, press, reset, type Range, type Zoom } from "./zoom";

const HEIGHT = 180;
const PLOT = Symbol.for("cvtrack_magics.plot");

export interface Shared {
  store: Store;
  settings: Settings;
  theme: Theme;
  /** Something was chosen that all panels show. */
  chosen(): void;
}

export class Panel {
  readonly root = element("section", "cv-panel");
  private readonly where = element("span", "cv-where");
  private readonly plotHome = element("div", "cv-plot");
  private readonly nothing = element("p", "cv-nothing", "nothing above zero to draw");
  private readonly legendHome = element("div");
  private readonly logButton: HTMLButtonElement;
  private readonly resetButton: HTMLButtonElement;
  private readonly notes = new Notes();
  private readonly zoom: Zoom;
  private plot: uPlot | null = null;
  private legend: Legend | null = null;
  private curves: Curve[] = [];
  private members = "";
  private drawnAs = "";
  private frame = 0;
  // A neighbour that appears makes a panel narrower in a grid that stays as wide.
  private readonly sized = new ResizeObserver(() => this.resize());
  // WebKit empties the canvas of a page's part that was scrolled away.
  private readonly seen = new IntersectionObserver((entries) => {
    if (entries.some(({ isIntersecting }) => isIntersecting)) this.plot?.redraw(false, false);
  });

  constructor(
    readonly group: string,
    private readonly shared: Shared,
    private readonly own: Tracks = shared.store.tracks,
  ) {
    const title = element("h4", "cv-title");
    setName(title, group);
    this.zoom = {
      range: null,
      all: () => this.everything(),
      least: () => (shared.settings.axis === "step" ? 2 : 1e-3),
      changed: () => {
        if (!this.zoom.range && document.activeElement === this.resetButton) this.logButton.focus();
        this.resetButton.hidden = !this.zoom.range;
        this.frame ||= requestAnimationFrame(() => this.update());
      },
    };
    this.logButton = button("cv-toggle", "log", `Logarithmic scale for ${group}`, () => {
      const { log } = shared.settings;
      if (!log.delete(group)) log.add(group);
      this.logButton.setAttribute("aria-pressed", String(log.has(group)));
      this.update();
    });
    this.logButton.setAttribute("aria-pressed", String(shared.settings.log.has(group)));
    this.resetButton = button("cv-toggle cv-reset", "reset", `Reset zoom of ${group}`, () =>
      reset(this.zoom),
    );
    this.resetButton.hidden = true;
    const head = element("div", "cv-panel-head");
    head.append(title, this.where, this.resetButton, this.logButton);
    this.plotHome.setAttribute("role", "application");
    this.plotHome.setAttribute("aria-roledescription", "plot");
    this.plotHome.tabIndex = 0;
    this.plotHome.title = "Drag to zoom, Shift-drag to move; or + − ← → 0 on the keyboard";
    this.plotHome.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (!press(this.zoom, event.key)) return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.plotHome.append(this.nothing, this.notes.root);
    this.nothing.hidden = true;
    this.root.append(head, this.plotHome, this.legendHome);
    this.sized.observe(this.plotHome);
    this.seen.observe(this.plotHome);
  }

  setMembers(members: string[]): void {
    const { store } = this.shared;
    const isRun = this.own === store.tracks;
    const runs = isRun ? [...store.overlays.keys()] : [];
    const inRuns = runs.map((run) => members.filter((name) => store.overlays.get(run)?.has(name)));
    const known = members.filter((name) => this.own.has(name));
    const now = JSON.stringify([known, runs, inRuns]);
    if (now === this.members) return;
    this.members = now;
    this.curves = curvesOf(members, this.own, isRun ? store : null);
    this.legend = makeLegend(this.keys());
    this.legendHome.replaceChildren(this.legend.root);
  }

  /** Draw what the store holds now. */
  update(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const width = Math.floor(this.plotHome.clientWidth);
    if (width < 40 || !this.curves.length) return;
    const { settings } = this.shared;
    const log = settings.log.has(this.group);
    const looks = JSON.stringify([log, settings.axis, this.members]);
    if (looks !== this.drawnAs) this.zoom.range = null;
    this.resetButton.hidden = !this.zoom.range;
    const [from, to] = this.zoom.range ?? this.everything();
    const view = { axis: settings.axis, log, pixels: width, from, to };
    const { data, dense } = dataOf(this.curves, settings, view);
    const some = data.slice(1).some((column) => column.some((cell) => typeof cell === "number"));
    this.nothing.hidden = some || !log || this.curves.every((curve) => isHidden(curve, settings));
    this.name();
    const { plot } = this;
    const dress = (drawn: uPlot) =>
      strokesOf(this.curves, settings).forEach((stroke, at) => {
        Object.assign(drawn.series[at + 1] as uPlot.Series, lineOf(stroke, dense[at] === true));
      });
    if (!plot || looks !== this.drawnAs) {
      plot?.destroy();
      this.plot = this.make(width, data as uPlot.AlignedData);
      dress(this.plot);
      this.drawnAs = looks;
    } else {
      plot.batch(() => {
        dress(plot);
        plot.setData(data as uPlot.AlignedData, false);
        plot.setScale("x", { min: from, max: to });
      });
    }
  }

  /** The reader chose other curves, or other smoothing. */
  choiceChanged(): void {
    strokesOf(this.curves, this.shared.settings).forEach(({ show }, at) => {
      if (this.plot?.series[at + 1]?.show !== show) this.plot?.setSeries(at + 1, { show });
    });
    this.legend?.refresh();
    this.update();
  }

  themeChanged(): void {
    this.plot?.redraw(false, true);
  }

  private resize(): void {
    const width = Math.floor(this.plotHome.clientWidth);
    if (!this.plot) this.update();
    else if (width >= 40 && width !== this.plot.width) {
      this.plot.setSize({ width, height: HEIGHT });
      this.update();
    }
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.sized.disconnect();
    this.seen.disconnect();
    this.plot?.destroy();
    this.plot = null;
    this.root.remove();
  }

  private everything(): Range {
    const [from, to] = extentOf(this.curves, this.shared.settings.axis) ?? [0, 1];
    return to > from ? [from, to] : [from - 0.5, to + 0.5];
  }

  private levels() {
    const { store, settings } = this.shared;
    if (this.own !== store.tracks) return [];
    const shown = this.curves.filter((curve) => !isHidden(curve, settings));
    return levelsOf(store.state.baselines, shown, settings.log.has(this.group));
  }

  private make(width: number, data: uPlot.AlignedData): uPlot {
    const { shared } = this;
    const { settings } = shared;
    const log = settings.log.has(this.group);
    const options = {
      strokes: strokesOf(this.curves, settings),
      axis: settings.axis,
      log,
      width,
      height: HEIGHT,
      theme: () => shared.theme,
      range: () => this.zoom.range ?? this.everything(),
      reach: (min: number, max: number) => withinReach(this.levels(), min, max, log),
      pan: (event: MouseEvent) => pan(this.zoom, event, plot.over.clientWidth),
    };
    const hooks: uPlot.Hooks.Arrays = {
      // Both come after the scales are set; before that the cursor's row is an old one.
      draw: [
        (drawn) => this.decorate(drawn),
        () => this.showValues(),
      ],
      setCursor: [() => this.showValues()],
      setSelect: [
        ({ select, posToVal }) => {
          if (select.width <= 0) return;
          const { left, width: across } = select;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          look(this.zoom, posToVal(left, "x"), posToVal(left + across, "x"));
        },
      ],
    };
    const plot = new uPlot(optionsOf(options, hooks), data, this.plotHome);
    attach(this.zoom, plot);
    (this.plotHome as unknown as Record<symbol, uPlot>)[PLOT] = plot;
    return plot;
  }

  private decorate(plot: uPlot): void {
    const { store, settings, theme } = this.shared;
    const { axis } = settings;
    const isRun = this.own === store.tracks;
    const [from, to] = this.zoom.range ?? this.everything();
    const seen = (isRun ? store.state.marks : [])
      .map((mark) => ({ ...mark, place: placeOf(mark, axis, store.epoch()) }))
      .filter(({ place }) => place >= from && place <= to);
    drawMarks(plot, seen.map(({ place }) => place), theme);
    drawLevels(plot, this.levels(), theme);
    const points = this.curves.flatMap((curve) => {
      const best = isRun && curve.run === null && !isHidden(curve, settings) && bestOf(curve, axis);
      return best ? [{ best, color: curve.style.color }] : [];
    });
    drawBest(plot, points, theme);
    const edge = plot.bbox.left / devicePixelRatio;
    const width = plot.bbox.width / devicePixelRatio;
    this.notes.root.style.left = `${edge}px`;
    this.notes.root.style.width = `${width}px`;
    const first = this.root.parentElement?.firstElementChild === this.root;
    const flags = seen.map(({ place, step, text }) => ({
      left: Math.round(plot.valToPos(place, "x")),
      text: `step ${step}: ${text || "marked"}`,
    }));
    this.notes.set(flags, width, first);
  }

  private name(): void {
    const names = this.curves.map(({ style, run }) => (run ? `${style.name} of ${run}` : style.name));
    const levels = this.levels().map(({ label, value }) => `${label} at ${number4(value)}`);
    const words = [`Curves of ${names.join(", ")}`, ...levels].join("; ");
    if (this.plotHome.getAttribute("aria-label") !== words) {
      this.plotHome.setAttribute("aria-label", words);
    }
  }

  private keys(): Key[] {
    const { settings, chosen } = this.shared;
    const toggle = (from: Set<string>, name: string) => () => {
      if (!from.delete(name)) from.add(name);
      chosen();
    };
    const keys: Key[] = [];
    const runs = new Set<string>();
    for (const { style, run } of this.curves) {
      const [from, name] = run === null ? [settings.hidden, style.name] : [settings.hiddenRuns, run];
      if (run !== null && runs.has(run)) continue;
      if (run !== null) runs.add(run);
      keys.push({
        ...style,
        id: name,
        name,
        dash: run === null ? style.dash : [],
        faint: run !== null,
        hidden: () => from.has(name),
        toggle: toggle(from, name),
      });
    }
    return keys;
  }

  /** Values under the crosshair, or the last ones while there is none. */
  private showValues(): void {
    const { plot, shared } = this;
    const { axis } = shared.settings;
    const left = plot?.cursor.left ?? -1;
    const row = plot && left >= 0 ? plot.posToIdx(left) : -1;
    const x = plot?.data[0][row];
    if (x === undefined) this.where.textContent = "";
    else this.where.textContent = axis === "time" ? seconds(x) : `step ${x}`;
    this.notes.point(left);
    const isRun = this.own === shared.store.tracks;
    this.curves.forEach((curve, i) => {
      if (curve.run !== null) return;
      let value: Cell = curve.track()?.last();
      if (plot && x !== undefined && !isHidden(curve, shared.settings)) {
        const column = plot.data[i + 1] as Cell[];
        const at = nearest(plot.data[0], column, row);
        value = at < 0 ? undefined : column[at];
      }
      const best = isRun ? bestOf(curve, axis) : null;
      this.legend?.set(i, number4(value), best ? `best ${number4(best.value)} @ ${best.step}` : "");
    });
  }
}
