// One panel: a title, a plot of the metrics that belong together, and their legend.

import uPlot from "uplot";
import { button, element } from "./dom";
import { number4, seconds } from "./format";
import { stylesOf, type Style } from "./groups";
import { makeLegend, type Legend } from "./legend";
import { optionsOf } from "./options";
import type { Settings } from "./settings";
import { align, curveOf, nearest, rowsToDraw, smooth, type Cell } from "./shape";
import type { Store } from "./store";
import type { Theme } from "./theme";

const HEIGHT = 180;

export interface Shared {
  store: Store;
  settings: Settings;
  theme: Theme;
}

export class Panel {
  readonly root = element("section", "cv-panel");
  private readonly where = element("span", "cv-where");
  private readonly plotHome = element("div", "cv-plot");
  private readonly nothing = element("p", "cv-nothing", "nothing above zero to draw");
  private readonly legendHome = element("div");
  private readonly logButton: HTMLButtonElement;
  private readonly resetButton: HTMLButtonElement;
  private plot: uPlot | null = null;
  private legend: Legend | null = null;
  private styles: Style[] = [];
  private members = "";
  private drawnAs = "";
  private zoomed = false;

  constructor(
    readonly group: string,
    private readonly shared: Shared,
  ) {
    const title = element("h4", "cv-title", group);
    title.title = group;
    this.logButton = button("cv-toggle", "log", `Logarithmic scale for ${group}`, () => {
      const { log } = shared.settings;
      if (!log.delete(group)) log.add(group);
      this.logButton.setAttribute("aria-pressed", String(log.has(group)));
      this.update();
    });
    this.logButton.setAttribute("aria-pressed", String(shared.settings.log.has(group)));
    this.resetButton = button("cv-toggle cv-reset", "reset", `Reset zoom of ${group}`, () => {
      this.zoomed = false;
      this.resetButton.hidden = true;
      this.update();
      this.logButton.focus();
    });
    this.resetButton.hidden = true;
    const head = element("div", "cv-panel-head");
    head.append(title, this.where, this.resetButton, this.logButton);
    this.plotHome.setAttribute("role", "img");
    this.plotHome.append(this.nothing);
    this.nothing.hidden = true;
    this.root.append(head, this.plotHome, this.legendHome);
  }

  setMembers(members: string[]): void {
    if (members.join("\n") === this.members) return;
    this.members = members.join("\n");
    this.styles = stylesOf(members);
    const { hidden } = this.shared.settings;
    this.legend = makeLegend(this.styles, hidden, (name) => this.toggle(name));
    this.legendHome.replaceChildren(this.legend.root);
    this.plotHome.setAttribute("aria-label", `Curves of ${members.join(", ")}`);
  }

  /** Draw what the store holds now. */
  update(): void {
    const width = Math.floor(this.plotHome.clientWidth);
    if (width < 40 || !this.styles.length) return;
    const data = this.data();
    const { log, axis } = this.shared.settings;
    const look = [log.has(this.group), axis, this.members].join();
    const raw = data.slice(1, 1 + this.styles.length) as Cell[][];
    const some = raw.some((column) => column.some((cell) => typeof cell === "number"));
    this.nothing.hidden = some || !log.has(this.group);
    if (!this.plot || look !== this.drawnAs) {
      this.plot?.destroy();
      this.zoomed = false;
      this.resetButton.hidden = true;
      this.plot = this.make(width, data);
      this.drawnAs = look;
    } else {
      const { min, max } = this.plot.scales.x as { min?: number; max?: number };
      this.plot.setData(data, !this.zoomed);
      if (this.zoomed && min !== undefined && max !== undefined) {
        this.plot.setScale("x", { min, max });
      }
    }
  }

  /** The raw curves fade and the smooth ones appear, or the other way round. */
  smoothingChanged(): void {
    const { smoothing, hidden } = this.shared.settings;
    this.styles.forEach(({ name }, i) => {
      const show = smoothing > 0 && !hidden.has(name);
      this.plot?.setSeries(i + 1 + this.styles.length, { show });
    });
    this.update();
  }

  themeChanged(): void {
    this.plot?.redraw(false, true);
  }

  resize(): void {
    const width = Math.floor(this.plotHome.clientWidth);
    if (!this.plot) this.update();
    else if (width >= 40 && width !== this.plot.width) {
      this.plot.setSize({ width, height: HEIGHT });
    }
  }

  destroy(): void {
    this.plot?.destroy();
    this.plot = null;
    this.root.remove();
  }

  private make(width: number, data: uPlot.AlignedData): uPlot {
    const { shared } = this;
    const { settings } = shared;
    const look = {
      styles: this.styles,
      axis: settings.axis,
      log: settings.log.has(this.group),
      width,
      height: HEIGHT,
      hidden: settings.hidden,
      smoothing: () => settings.smoothing,
      theme: () => shared.theme,
    };
    const hooks = {
      // Both come after the scales are set; before that the cursor's row is an old one.
      draw: [() => this.showValues()],
      setCursor: [() => this.showValues()],
      setSelect: [
        (plot: uPlot) => {
          if (plot.select.width <= 0) return;
          this.zoomed = true;
          this.resetButton.hidden = false;
          // uPlot zooms after this hook; what was thinned out is then drawn in full.
          requestAnimationFrame(() => this.update());
        },
      ],
    };
    const plot = new uPlot(optionsOf(look, hooks), data, this.plotHome);
    plot.over.addEventListener("dblclick", () => {
      this.zoomed = false;
      this.resetButton.hidden = true;
      this.update();
    });
    return plot;
  }

  private data(): uPlot.AlignedData {
    const { store, settings } = this.shared;
    const { axis, smoothing } = settings;
    const log = settings.log.has(this.group);
    const epoch = store.epoch();
    const curves = this.styles.map(({ name }) =>
      curveOf(store.tracks.get(name) ?? { steps: [], values: [], times: [] }, axis, epoch),
    );
    const drawable = (y: Cell[]) =>
      log ? y.map((value) => (typeof value === "number" && value <= 0 ? null : value)) : y;
    const { min = -Infinity, max = Infinity } = this.zoomed ? (this.plot?.scales.x ?? {}) : {};
    const pixels = this.plotHome.clientWidth;
    const rows = curves.map((curve) => rowsToDraw(curve, pixels, min, max));
    const pick = (column: Cell[], at: number) =>
      drawable((rows[at] as number[]).map((row) => column[row]));
    const thin = curves.map((curve, at) => ({
      x: (rows[at] as number[]).map((row) => curve.x[row] as number),
      y: pick(curve.y, at) as (number | null)[],
    }));
    const smoothed = curves.map((curve, at) =>
      smoothing ? pick(smooth(curve.y, smoothing), at) : [],
    );
    return align(thin, [thin.map((curve) => curve.y), smoothed]) as uPlot.AlignedData;
  }

  private toggle(name: string): void {
    const { hidden, smoothing } = this.shared.settings;
    const show = hidden.delete(name);
    if (!show) hidden.add(name);
    const at = this.styles.findIndex((style) => style.name === name);
    this.plot?.setSeries(at + 1, { show });
    this.plot?.setSeries(at + 1 + this.styles.length, {
      show: show && smoothing > 0,
    });
  }

  /** Values under the crosshair, or the last ones while there is none. */
  private showValues(): void {
    const { plot, shared } = this;
    const left = plot?.cursor.left ?? -1;
    const row = plot && left >= 0 ? plot.posToIdx(left) : -1;
    const x = plot?.data[0][row];
    if (x === undefined) this.where.textContent = "";
    else this.where.textContent = shared.settings.axis === "time" ? seconds(x) : `step ${x}`;
    this.styles.forEach(({ name }, i) => {
      let value: Cell = shared.store.tracks.get(name)?.values.at(-1);
      if (plot && x !== undefined) {
        const column = plot.data[i + 1] as Cell[];
        const at = nearest(plot.data[0], column, row);
        value = at < 0 ? undefined : column[at];
      }
      this.legend?.set(i, number4(value));
    });
  }
}
