// Everything a person can change, and what follows from it.

import { batch, computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { begin } from "./asked";
import type { Numbers } from "./columns";
import { changes, type Change } from "./compare";
import { ONLY_NAMES, type Layers, type Only, type Pick, type View } from "./choices";
import { ALL } from "./curves";
import { isBinary, judge } from "./judge";
import { sumsOf } from "./known";
import { matrixOf, samplesWith, WRONG, RIGHT, type Judged } from "./judged";
import { hasPred, hasTruth, positives } from "./members";
import { highIsBad, mainScore, sortedBy } from "./order";
import type { Frame, Sheet } from "./sheet";
import { defaultThreshold, thresholdRange } from "./thresholds";
import { number4 } from "../shared/format";

/** Pixels up to which the charts are a drawer, as in the style sheet. */
const NARROW = 760;

export class State {
  readonly sheet: Sheet;
  readonly frame: Signal<number>;
  readonly comparing: Signal<boolean>;
  readonly sort: Signal<string>;
  readonly descending: Signal<boolean>;
  readonly worst = signal(0);
  readonly only = signal<Only>("all");
  readonly truthClass = signal(-1);
  readonly predClass = signal(-1);
  readonly text = signal("");
  readonly threshold: Signal<number>;
  readonly change = signal<Change | null>(null);
  readonly pick = signal<Pick | null>(null);
  readonly layers: Signal<Layers>;
  readonly opacity: Signal<number>;
  readonly view: Signal<View>;
  readonly tileSize = signal(132);
  readonly curveClass = signal(ALL);
  readonly detail = signal<number | null>(null);
  readonly focused = signal(0);
  readonly panel: Signal<boolean>;
  /** Whether a person said what to do with the charts; until then the width says it. */
  private panelChosen = false;
  readonly help = signal(false);
  /** The samples are on the screen: now there is time for charts. */
  readonly settled = signal(false);

  readonly current: ReadonlySignal<Frame>;
  readonly earlier: ReadonlySignal<Frame | null>;
  readonly judged: ReadonlySignal<Judged>;
  readonly judgedEarlier: ReadonlySignal<Judged | null>;
  readonly matrix: ReadonlySignal<Map<number, number>>;
  readonly changes: ReadonlySignal<(Change | null)[] | null>;
  readonly scoreNames: ReadonlySignal<string[]>;
  readonly rows: ReadonlySignal<number[]>;
  readonly counted: ReadonlySignal<number>;
  readonly defaultThreshold: number;
  readonly thresholdRange: readonly [number, number] | null;

  constructor(sheet: Sheet) {
    this.sheet = sheet;
    const last = sheet.compare ? sheet.compare[1] : sheet.frames.length - 1;
    this.frame = signal(last);
    this.comparing = signal(sheet.compare !== null);
    const other = computed(() =>
      this.comparing.value && sheet.compare ? sheet.frames[sheet.compare[0]]! : null,
    );
    this.current = computed(() => shared(sheet.frames[this.frame.value]!, other.value));
    this.earlier = computed(() => other.value && shared(other.value, this.current.value));
    this.thresholdRange = thresholdRange(sheet);
    this.defaultThreshold = defaultThreshold(sheet, sheet.frames[last]!);
    this.threshold = signal(this.defaultThreshold);
    this.layers = signal({
      image: true,
      truth: true,
      pred: true,
      masks: true,
      text: true,
    });
    this.opacity = signal(sheet.task === "depth" ? 1 : 0.55);
    this.view = signal(sheet.task === "depth" ? "pred" : "main");
    this.panel = signal(innerWidth > NARROW);
    // In a notebook the frame gets its width after the page has begun.
    addEventListener("resize", () => {
      if (!this.panelChosen) this.panel.value = innerWidth > NARROW;
    });
    this.sort = signal("");
    this.descending = signal(false);

    const classes = sheet.classes.length;
    this.scoreNames = computed(() => [...this.current.value.scores.keys()]);
    this.judged = computed(() =>
      judge(this.current.value, this.threshold.value, classes, sheet.count),
    );
    this.judgedEarlier = computed(() =>
      this.earlier.value
        ? judge(this.earlier.value, this.threshold.value, classes, sheet.count)
        : null,
    );
    this.matrix = computed(() => matrixOf(this.judged.value));
    this.changes = computed(() =>
      this.earlier.value
        ? changes(
            this.earlier.value,
            this.current.value,
            this.judgedEarlier.value!,
            this.judged.value,
          )
        : null,
    );
    this.counted = computed(() => {
      const { present } = this.current.value;
      return present ? sumsOf(present)[0] : sheet.count;
    });
    const matching = computed(() => this.filtered());
    this.rows = computed(() => this.ordered(matching.value.slice()));
    begin(this);
  }

  /** Whether samples are right or wrong here; pixels are what counts in a map. */
  get judges(): boolean {
    return this.sheet.task !== "semantic" && this.sheet.task !== "depth";
  }

  get outcomes(): Only[] {
    const { data } = this.sheet.frames[0]!;
    if (!this.judges) return [];
    if (data.kind === "boxes" || data.kind === "sets") return ["wrong", "right", "tp", "fp", "fn"];
    const binary =
      data.kind === "anomaly" ||
      (data.kind === "classes" && isBinary(data, this.sheet.classes.length));
    const suspects: Only[] = this.score("suspicion") ? ["suspect"] : [];
    return binary
      ? ["wrong", "right", "tp", "fp", "fn", "tn", ...suspects]
      : ["wrong", "right", ...suspects];
  }

  className(one: number): string {
    if (one >= 0 && one < this.sheet.classes.length) return this.sheet.classes[one]!.name;
    if (one < 0) return "unknown";
    return this.sheet.task === "classification" ? "none" : "nothing";
  }

  colour(one: number): string {
    return this.sheet.classes[one]?.colour ?? "#8a8f98";
  }

  score(name: string): Numbers | null {
    return this.current.value.scores.get(name) ?? null;
  }

  /** The score captions and "worst" speak of. */
  mainScore(): string | null {
    const names = this.scoreNames.value;
    return names.includes(this.sort.value) ? this.sort.value : mainScore(names);
  }

  showPanel(on: boolean): void {
    this.panelChosen = true;
    this.panel.value = on;
  }

  setSort(name: string): void {
    batch(() => {
      this.sort.value = name;
      this.descending.value = name !== "" && highIsBad(name);
    });
  }

  toggle(layer: keyof Layers): void {
    // A depth map hides the picture, so one of them is seen at a time.
    if (this.sheet.task === "depth" && (layer === "truth" || layer === "pred")) {
      this.view.value = layer;
      return;
    }
    this.layers.value = { ...this.layers.value, [layer]: !this.layers.value[layer] };
  }

  togglePick(pick: Pick): void {
    const same = JSON.stringify(pick) === JSON.stringify(this.pick.value);
    this.pick.value = same ? null : pick;
  }

  /** The filters that are on: what they say, and how to take them back. */
  filters(): { name: string; clear: () => void }[] {
    const on: { name: string; clear: () => void }[] = [];
    const add = (name: string, clear: () => void) => on.push({ name, clear });
    if (this.only.value !== "all") {
      add(ONLY_NAMES[this.only.value], () => (this.only.value = "all"));
    }
    if (this.truthClass.value >= 0) {
      const name = this.className(this.truthClass.value);
      add(`truth: ${name}`, () => (this.truthClass.value = -1));
    }
    if (this.predClass.value >= 0) {
      const name = this.className(this.predClass.value);
      add(`predicted: ${name}`, () => (this.predClass.value = -1));
    }
    if (this.text.value.trim()) {
      add(`“${this.text.value.trim()}”`, () => (this.text.value = ""));
    }
    if (this.change.value) {
      const names = { wrong: "still wrong", right: "still right" } as Record<string, string>;
      add(names[this.change.value] ?? this.change.value, () => (this.change.value = null));
    }
    if (this.pick.value) add(this.pickName(this.pick.value), () => (this.pick.value = null));
    if (this.worst.value) add(`worst ${this.worst.value}`, () => (this.worst.value = 0));
    return on;
  }

  clearAll(): void {
    batch(() => {
      for (const { clear } of this.filters()) clear();
    });
  }

  pickName(pick: Pick): string {
    switch (pick.kind) {
      case "cell":
        return `${this.className(pick.truth)} → ${this.className(pick.pred)}`;
      case "class":
        return `${this.className(pick.one)} wrong`;
      case "positive": {
        const what = pick.one < 0 ? "any class" : this.className(pick.one);
        return `positive: ${what}`;
      }
      case "range":
        return `${pick.score} ${number4(pick.low)} … ${number4(pick.high)}`;
    }
  }

  private picked(pick: Pick): Uint8Array {
    const judged = this.judged.value;
    switch (pick.kind) {
      case "cell":
        return samplesWith(judged, (t, p) => t === pick.truth && p === pick.pred);
      case "class":
        return samplesWith(judged, (t, p) => t !== p && (t === pick.one || p === pick.one));
      case "positive":
        return positives(
          this.current.value,
          pick.one,
          this.threshold.value,
          this.sheet.classes.length,
          this.sheet.count,
        );
      case "range": {
        const score = this.score(pick.score);
        return Uint8Array.from({ length: this.sheet.count }, (_, at) =>
          score && score[at]! >= pick.low && score[at]! <= pick.high ? 1 : 0,
        );
      }
    }
  }

  private textTest(): ((sample: number) => boolean) | null {
    const wanted = this.text.value.trim().toLowerCase();
    if (!wanted) return null;
    const { ids, names, classes } = this.sheet;
    const named = new Set<number>();
    classes.forEach(({ name }, one) => {
      if (name.toLowerCase().includes(wanted)) named.add(one);
    });
    const [frame, judged] = [this.current.value, this.judged.value];
    const isNamed = (one: number) => named.has(one);
    return (sample) =>
      Boolean(ids[sample]?.toLowerCase().includes(wanted)) ||
      Boolean(names[sample]?.toLowerCase().includes(wanted)) ||
      (named.size > 0 &&
        (hasTruth(frame, judged, sample, isNamed) || hasPred(frame, judged, sample, isNamed)));
  }

  private outcomeTest(): ((sample: number) => boolean) | null {
    const only = this.only.value;
    if (only === "all") return null;
    const judged = this.judged.value;
    if (only === "wrong") return (sample) => judged.verdict[sample] === WRONG;
    if (only === "suspect") {
      const score = this.score("suspicion");
      return (sample) => score !== null && !Number.isNaN(score[sample]);
    }
    if (only === "right") return (sample) => judged.verdict[sample] === RIGHT;
    return (sample) => judged[only][sample]! > 0;
  }

  private filtered(): number[] {
    const [frame, judged] = [this.current.value, this.judged.value];
    const tests: ((sample: number) => boolean)[] = [];
    const add = (test: ((sample: number) => boolean) | null) => test && tests.push(test);
    const { present } = frame;
    add(present && ((sample) => Boolean(present[sample])));
    add(this.outcomeTest());
    const [truth, pred] = [this.truthClass.value, this.predClass.value];
    if (truth >= 0) add((sample) => hasTruth(frame, judged, sample, (one) => one === truth));
    if (pred >= 0) add((sample) => hasPred(frame, judged, sample, (one) => one === pred));
    const [change, became] = [this.change.value, this.changes.value];
    if (change && became) add((sample) => became[sample] === change);
    if (this.pick.value) {
      const has = this.picked(this.pick.value);
      add((sample) => Boolean(has[sample]));
    }
    add(this.textTest());
    const rows: number[] = [];
    for (let sample = 0; sample < this.sheet.count; sample += 1) {
      if (tests.every((test) => test(sample))) rows.push(sample);
    }
    return rows;
  }

  private ordered(rows: number[]): number[] {
    const worst = this.worst.value;
    const score = this.sort.value ? this.score(this.sort.value) : null;
    let kept = rows;
    if (worst) {
      const [badness, high] = this.badness();
      if (badness) kept = sortedBy(rows, badness, high).slice(0, worst);
      if (!score) return this.descending.value ? kept.reverse() : kept;
    }
    if (score) return sortedBy(kept, score, this.descending.value);
    return kept.sort((a, b) => (this.descending.value ? b - a : a - b));
  }

  /** How wrong each sample is, and whether high values say so. */
  private badness(): [Numbers | null, boolean] {
    const { data } = this.current.value;
    if (data.kind === "anomaly" && !this.sort.value) {
      // A normal sample is the worse the higher its score, an anomalous one the lower.
      const wrongness = Float32Array.from(data.score, (score, sample) =>
        data.truth[sample]! < 0 ? Number.NaN : data.truth[sample] === 1 ? -score : score,
      );
      return [wrongness, true];
    }
    const name = this.mainScore();
    return name === null ? [null, false] : [this.score(name), highIsBad(name)];
  }
}

/** A frame with the samples that another one knows as well: only they can be compared. */
function shared(frame: Frame, other: Frame | null): Frame {
  if (!other?.present || other.present === frame.present) return frame;
  const present = Uint8Array.from(other.present, (one, sample) =>
    one && (!frame.present || frame.present[sample]) ? 1 : 0,
  );
  return { ...frame, present };
}
