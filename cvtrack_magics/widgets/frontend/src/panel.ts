// One panel: a title, a plot of the metrics that belong together, and their legend.

import uPlot from "uplot";
import { button, element } from "./dom";
import { number4, seconds } from "./format";
import { stylesOf, type Style } from "./groups";
import { makeLegend, type Legend } from "./legend";
import { optionsOf } from "./options";
import { align, curveOf, rowsToDraw, smooth, type Axis, type Cell } from "./shape";
import type { Store } from "./store";
import type { Theme } from "./theme";

const HEIGHT = 180;

export interface Shared {
  store: Store;
  axis: Axis;
  smoothing: number;
  theme: Theme;
}

export class Panel {
  readonly root = element("section", "cv-panel");
  private readonly where = element("span", "cv-where");
  private readonly plotHome = element("div", "cv-plot");
  private readonly legendHome = element("div");
  private readonly logButton: HTMLButtonElement;
  private readonly resetButton: HTMLButtonElement;
  private readonly hidden = new Set<string>();
  private plot: uPlot | null = null;
  private legend: Legend | null = null;
  private styles: Style[] = [];
  private members = "";
  private drawnAs = "";
  private log = false;
  private zoomed = false;

  constructor(
    readonly group: string,
    private readonly shared: Shared,
  ) {
    const title = element("h4", "cv-title", group);
    title.title = group;
    this.logButton = button("cv-toggle", "log", `Logarithmic scale for ${group}`, () => {
      this.log = !this.log;
      this.logButton.setAttribute("aria-pressed", String(this.log));
      this.update();
    });
    this.logButton.setAttribute("aria-pressed", "false");
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
    this.root.append(head, this.plotHome, this.legendHome);
  }

  setMembers(members: string[]): void {
    if (members.join("\n") === this.members) return;
    this.members = members.join("\n");
    this.styles = stylesOf(members);
    this.legend = makeLegend(this.styles, this.hidden, (name) => this.toggle(name));
    this.legendHome.replaceChildren(this.legend.root);
    this.plotHome.setAttribute("aria-label", `Curves of ${members.join(", ")}`);
  }

  /** Draw what the store holds now. */
  update(): void {
    const width = Math.floor(this.plotHome.clientWidth);
    if (width < 40 || !this.styles.length) return;
    const data = this.data();
    const look = [this.log, this.shared.axis, this.members].join();
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
    this.showValues();
  }

  /** The raw curves fade and the smooth ones appear, or the other way round. */
  smoothingChanged(): void {
    this.styles.forEach(({ name }, i) => {
      const show = this.shared.smoothing > 0 && !this.hidden.has(name);
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
    const look = {
      styles: this.styles,
      axis: shared.axis,
      log: this.log,
      width,
      height: HEIGHT,
      hidden: this.hidden,
      smoothing: () => shared.smoothing,
      theme: () => shared.theme,
    };
    const hooks = {
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
    const { store, axis, smoothing } = this.shared;
    const epoch = store.epoch();
    const curves = this.styles.map(({ name }) =>
      curveOf(store.tracks.get(name) ?? { steps: [], values: [], times: [] }, axis, epoch),
    );
    const drawable = (y: Cell[]) =>
      this.log ? y.map((value) => (typeof value === "number" && value <= 0 ? null : value)) : y;
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
    const show = this.hidden.delete(name);
    if (!show) this.hidden.add(name);
    const at = this.styles.findIndex((style) => style.name === name);
    this.plot?.setSeries(at + 1, { show });
    this.plot?.setSeries(at + 1 + this.styles.length, {
      show: show && this.shared.smoothing > 0,
    });
  }

  /** Values under the crosshair, or the last ones while there is none. */
  private showValues(): void {
    const { plot, shared } = this;
    const row = plot?.cursor.idx ?? null;
    const hovering = plot !== null && row !== null && (plot.cursor.left ?? -1) >= 0;
    const x = hovering ? (plot.data[0][row] ?? 0) : 0;
    this.where.textContent = !hovering
      ? ""
      : shared.axis === "time"
        ? seconds(x)
        : `step ${x}`;
    this.styles.forEach(({ name }, i) => {
      const column = plot?.data[i + 1];
      const at = plot?.cursor.idxs?.[i + 1] ?? null;
      const last = shared.store.tracks.get(name)?.values.at(-1);
      const value = hovering && at !== null ? column?.[at] : last;
      this.legend?.set(i, number4(value));
    });
  }
}
