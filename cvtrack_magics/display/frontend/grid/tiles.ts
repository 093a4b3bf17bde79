// The scrolling grid: only what is seen has elements, and what is drawn is drawn in slices.

import { effect } from "@preact/signals";
import { element } from "../shared/dom";
import { layOut, rowAt, shapeOf, type Layout } from "./layout";
import { nativeSize, paint } from "./paint";
import type { Painter } from "./raster";
import type { Resources } from "./resources";
import type { State } from "./state";
import { Tile } from "./tile";

const LINE = 19;
const AHEAD = 320;
/** Milliseconds of drawing in one frame; the rest waits for the next one. */
const SLICE = 7;
/** Milliseconds that charts wait for the first pictures. */
const FIRST = 1200;

export class Tiles {
  readonly scroller = element("div", "tiles", "", {
    role: "listbox",
    tabindex: "0",
    "aria-label": "Samples",
  });
  private readonly space = element("div", "space");
  private readonly shown = new Map<number, Tile>();
  private readonly bySample = new Map<number, Tile>();
  private readonly spare: Tile[] = [];
  private readonly dirty = new Set<Tile>();
  private layout: Layout = { rows: [], left: new Float32Array(), width: new Float32Array(), height: 0 };
  private rows: number[] = [];
  private room = 0;
  private awaited = 0;
  private away = false;
  private query = "";
  private readonly stops: (() => void)[] = [];

  constructor(
    private readonly state: State,
    private readonly resources: Resources,
    private readonly painter: Painter,
  ) {
    this.scroller.append(this.space);
    this.scroller.addEventListener("scroll", () => this.schedule(), { passive: true });
    this.scroller.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.resized()).observe(this.scroller);
    this.stops.push(
      effect(() => this.arrange()),
      effect(() => this.repaint()),
      effect(() => this.showFocus()),
      effect(() => this.comeBack()),
    );
  }

  /** Call back when the first pictures are on the screen, or do not come. */
  drawn(done: () => void): void {
    const start = performance.now();
    const look = () => {
      const waiting = [...this.shown.values()].some((tile) => !tile.seen && tile.has(this.state));
      const late = performance.now() - start > FIRST;
      if (this.shown.size && !waiting) setTimeout(done);
      else if (late || !this.rows.length) setTimeout(done);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }

  sees(sample: number): boolean {
    return this.bySample.has(sample);
  }

  /** A picture of this sample arrived. */
  ready(sample: number): void {
    const tile = this.bySample.get(sample);
    if (tile) this.dirty.add(tile);
    this.schedule();
  }

  /** Bring a place into view. */
  reveal(at: number): void {
    const row = this.layout.rows[this.rowOf(at)];
    if (!row) return;
    const bottom = row.top + row.height + this.below();
    const { scrollTop, clientHeight } = this.scroller;
    if (row.top < scrollTop) this.scroller.scrollTop = row.top;
    else if (bottom > scrollTop + clientHeight) this.scroller.scrollTop = bottom - clientHeight;
  }

  /** The place above or below, in the middle of what is next to it. */
  beside(at: number, rows: number): number {
    const from = this.rowOf(at);
    const to = Math.max(0, Math.min(this.layout.rows.length - 1, from + rows));
    if (to === from) return at;
    const middle = this.layout.left[at]! + this.layout.width[at]! / 2;
    const first = this.layout.rows[to]!.first;
    const end = this.layout.rows[to + 1]?.first ?? this.rows.length;
    let best = first;
    const away = (one: number) =>
      Math.abs(this.layout.left[one]! + this.layout.width[one]! / 2 - middle);
    for (let one = first; one < end; one += 1) if (away(one) < away(best)) best = one;
    return best;
  }

  /** How many rows fit into what is seen. */
  page(): number {
    const row = this.layout.rows[0];
    return row ? Math.max(1, Math.floor(this.scroller.clientHeight / (row.height + this.below()))) : 1;
  }

  private below(): number {
    if (!this.state.layers.value.text) return 0;
    return this.state.earlier.value ? 2 * LINE + 2 : LINE + 1;
  }

  private rowOf(at: number): number {
    const { rows } = this.layout;
    let [low, high] = [0, rows.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (rows[middle]!.first <= at) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  private resized(): void {
    const room = this.scroller.clientWidth;
    if (room !== this.room) this.arrange();
    this.schedule();
  }

  private arrange(): void {
    const { state } = this;
    this.rows = state.rows.value;
    const tall = state.tileSize.value;
    const below = this.below();
    const style = getComputedStyle(this.scroller);
    this.room = this.scroller.clientWidth;
    const pad = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight) || 0;
    const shapes = Float32Array.from(this.rows, (sample) =>
      shapeOf(...nativeSize(state, sample)),
    );
    this.layout = layOut(shapes, Math.max(60, this.room - pad), tall, below);
    this.space.style.height = `${this.layout.height}px`;
    const query = [
      state.sort.value,
      state.descending.value,
      state.only.value,
      state.truthClass.value,
      state.predClass.value,
      state.text.value,
      state.change.value,
      state.worst.value,
      JSON.stringify(state.pick.value),
    ].join("\n");
    if (query !== this.query) {
      this.scroller.scrollTop = 0;
      state.focused.value = 0;
    }
    this.query = query;
    this.release(() => true);
    this.schedule();
  }

  private repaint(): void {
    const { state } = this;
    void [state.judged.value, state.judgedEarlier.value, state.current.value];
    void [state.layers.value, state.opacity.value, state.view.value];
    for (const tile of this.shown.values()) {
      this.say(tile);
      this.dirty.add(tile);
    }
    this.schedule();
  }

  /** Looking closely is over: go on where it ended. */
  private comeBack(): void {
    const away = this.state.detail.value !== null;
    if (this.away && !away) {
      // Only after the page has been drawn again may anything here have the focus.
      requestAnimationFrame(() => {
        if (document.activeElement?.id !== "search") this.scroller.focus();
        this.reveal(this.state.focused.peek());
      });
    }
    this.away = away;
  }

  private showFocus(): void {
    const focused = this.state.focused.value;
    for (const [at, tile] of this.shown) tile.focus(at === focused);
    this.scroller.setAttribute("aria-activedescendant", `tile-${focused}`);
  }

  private say(tile: Tile): void {
    tile.node.setAttribute("aria-setsize", String(this.rows.length)); // more than are in the page
    tile.caption(this.state, this.state.layers.value.text, tile.has(this.state));
  }

  private clicked(event: MouseEvent): void {
    const node = (event.target as Element).closest<HTMLElement>(".tile");
    if (!node) return;
    const at = Number(node.id.slice(5));
    this.state.focused.value = at;
    this.state.detail.value = at;
  }

  private schedule(): void {
    if (this.awaited) return;
    this.awaited = requestAnimationFrame(() => {
      this.awaited = 0;
      this.place();
      this.draw();
    });
  }

  private release(gone: (at: number) => boolean): void {
    for (const [at, tile] of this.shown) {
      if (!gone(at)) continue;
      this.shown.delete(at);
      if (this.bySample.get(tile.sample) === tile) this.bySample.delete(tile.sample);
      this.dirty.delete(tile);
      this.spare.push(tile);
    }
  }

  private place(): void {
    const { rows } = this.layout;
    const { scrollTop, clientHeight } = this.scroller;
    const top = scrollTop - AHEAD;
    const bottom = scrollTop + clientHeight + AHEAD;
    const firstRow = rowAt(rows, top);
    const lastRow = rowAt(rows, bottom);
    const first = rows[firstRow]?.first ?? 0;
    const end = rows[lastRow + 1]?.first ?? this.rows.length;
    this.release((at) => at < first || at >= end);
    const focused = this.state.focused.peek();
    let row = firstRow;
    for (let at = first; at < end; at += 1) {
      while (rows[row + 1] && rows[row + 1]!.first <= at) row += 1;
      if (this.shown.has(at)) continue;
      const tile = this.spare.shift() ?? this.made();
      const sample = this.rows[at]!;
      const { top: y, height } = rows[row]!;
      tile.put(at, sample, this.layout.left[at]!, y, this.layout.width[at]!, height);
      tile.node.hidden = false;
      tile.focus(at === focused);
      this.shown.set(at, tile);
      this.bySample.set(sample, tile);
      this.say(tile);
      this.dirty.add(tile);
    }
    for (const tile of this.spare) tile.node.hidden = true;
  }

  private made(): Tile {
    const tile = new Tile();
    this.space.append(tile.node);
    return tile;
  }

  private draw(): void {
    const start = performance.now();
    // What is in view first, then what is about to come.
    const { scrollTop, clientHeight } = this.scroller;
    const seen = (tile: Tile): boolean => {
      const top = this.layout.rows[this.rowOf(tile.at)]!.top;
      return top + tile.tall >= scrollTop && top <= scrollTop + clientHeight;
    };
    const todo = [...this.dirty].sort((a, b) => Number(seen(b)) - Number(seen(a)));
    for (const tile of todo) {
      if (performance.now() - start > SLICE) break;
      this.dirty.delete(tile);
      this.paint(tile);
    }
    if (this.dirty.size) this.schedule();
  }

  private paint(tile: Tile): void {
    const { state, resources, painter } = this;
    const { canvas, context, sample, wide, tall } = tile;
    const ratio = devicePixelRatio || 1;
    const [across, down] = [Math.round(wide * ratio), Math.round(tall * ratio)];
    if (canvas.width !== across || canvas.height !== down) {
      canvas.width = across;
      canvas.height = down;
    }
    const [width, height] = nativeSize(state, sample);
    const scale = Math.min(across / width, down / height);
    const place = { scale, x: (across - width * scale) / 2, y: (down - height * scale) / 2 };
    tile.seen = paint(context, {
      state,
      resources,
      painter,
      frame: state.current.value,
      judged: state.judged.value,
      sample,
      place,
      ratio,
      detail: false,
      labels: wide >= 240,
    });
  }
}
