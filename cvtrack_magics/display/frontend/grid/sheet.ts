// The document a viewer is given, with its columns decoded.

import { maybe, numbers, type Column, type Numbers } from "./columns";

export type Task =
  | "classification"
  | "detection"
  | "semantic"
  | "instance"
  | "anomaly"
  | "depth"
  | "multilabel"
  | "keypoints"
  | "oriented";

export interface Class {
  name: string;
  colour: string;
}

/** Which pictures lie where; size 0 means "not in this file". */
export interface Pictures {
  pack: Numbers;
  start: Numbers;
  size: Numbers;
}

export interface Runs {
  offsets: Numbers;
  counts: Numbers;
}

export interface Boxes {
  offsets: Numbers;
  xyxy: Numbers;
  labels: Numbers;
  scores: Numbers | null;
  /** What does not count: 1 in a crowd, 2 left out of account, 3 the same, and taken once. */
  crowd: Numbers | null;
  runs: Runs | null;
}

export interface ClassData {
  kind: "classes";
  truth: Numbers;
  pred: Numbers;
  top: { k: number; classes: Numbers; probs: Numbers };
  probs: Numbers | null;
}

/** Labels of each sample. */
export interface Lists {
  offsets: Numbers;
  labels: Numbers;
}

export interface SetData {
  kind: "sets";
  truth: Lists;
  unknown: Lists;
  scores: Lists;
  /** A probability for each of the scores' labels. */
  values: Numbers;
  /** The score from which on all are here. */
  floor: number;
}

/** Key points: x, y and whether it is labelled of the truth, x and y of the predictions. */
export interface Points {
  truth: Numbers;
  pred: Numbers;
  areas: Numbers;
  sigmas: number[];
}

export interface BoxData {
  kind: "boxes";
  truth: Boxes;
  pred: Boxes;
  iou: number;
  points: Points | null;
  /** Of boxes that are turned: x and y of four corners each. */
  corners: { truth: Numbers; pred: Numbers } | null;
}

export interface LabelData {
  kind: "labels";
  truth: Pictures;
  pred: Pictures;
  wide: boolean;
  /** Index = truth * side + prediction. */
  cells: { offsets: Numbers; index: Numbers; count: Numbers; side: number };
}

export interface AnomalyData {
  kind: "anomaly";
  truth: Numbers;
  score: Numbers;
  heat: Pictures | null;
  heatRange: [number, number];
  mask: Pictures | null;
}

export interface DepthData {
  kind: "depth";
  truth: Pictures;
  pred: Pictures;
  error: Pictures;
  range: [number, number];
  errorRange: [number, number];
}

export type Data = ClassData | SetData | BoxData | LabelData | AnomalyData | DepthData;

export interface Frame {
  index: number;
  label: string;
  run: string;
  step: number | null;
  present: Numbers | null;
  scores: ReadonlyMap<string, Numbers>;
  data: Data;
}

export type Settings = Partial<
  Record<"sort" | "only" | "truth" | "pred" | "threshold" | "text" | "worst", unknown>
>;

export interface Sheet {
  task: Task;
  title: string;
  classes: Class[];
  count: number;
  ids: string[];
  names: string[];
  width: Numbers;
  height: Numbers;
  tile: Pictures;
  tileWidth: Numbers;
  tileHeight: Numbers;
  full: Pictures;
  shown: { tiles: number; of: number; note: string };
  metrics: [string, number | null][];
  frames: Frame[];
  compare: [number, number] | null;
  settings: Settings;
  /** Significant digits of a figure, as in an evaluation's report. */
  digits: number;
}

// What lies in the file; its Python builder is the one place that writes it.
type Raw = any;

const FORMAT = "cvtrack-sheet/1";

function pictures(raw: { pack: Column; start: Column; size: Column }): Pictures {
  return { pack: numbers(raw.pack), start: numbers(raw.start), size: numbers(raw.size) };
}

const lists = (raw: { offsets: Column; labels: Column }): Lists => ({
  offsets: numbers(raw.offsets),
  labels: numbers(raw.labels),
});

function boxes(raw: Raw): Boxes {
  return {
    offsets: numbers(raw.offsets),
    xyxy: numbers(raw.xyxy),
    labels: numbers(raw.labels),
    scores: maybe(raw.scores),
    crowd: maybe(raw.crowd),
    runs: raw.runs
      ? { offsets: numbers(raw.runs.offsets), counts: numbers(raw.runs.counts) }
      : null,
  };
}

function dataOf(task: Task, raw: Raw, classes: number): Data {
  switch (task) {
    case "classification":
      return {
        kind: "classes",
        truth: numbers(raw.truth),
        pred: numbers(raw.pred),
        top: {
          k: raw.top.k,
          classes: numbers(raw.top.classes),
          probs: numbers(raw.top.probs),
        },
        probs: maybe(raw.probs),
      };
    case "multilabel":
      return {
        kind: "sets",
        truth: lists(raw.truth),
        unknown: lists(raw.unknown),
        scores: lists(raw.scores),
        values: numbers(raw.scores.values),
        floor: raw.floor,
      };
    case "detection":
    case "instance":
    case "keypoints":
    case "oriented":
      return {
        kind: "boxes",
        truth: boxes(raw.truth),
        pred: boxes(raw.pred),
        iou: raw.iou ?? 0.5,
        points: raw.points
          ? {
              truth: numbers(raw.points.truth),
              pred: numbers(raw.points.pred),
              areas: numbers(raw.points.areas),
              sigmas: raw.points.sigmas,
            }
          : null,
        corners: raw.corners
          ? { truth: numbers(raw.corners.truth), pred: numbers(raw.corners.pred) }
          : null,
      };
    case "semantic":
      return {
        kind: "labels",
        truth: pictures(raw.truth),
        pred: pictures(raw.pred),
        wide: Boolean(raw.wide),
        cells: {
          offsets: numbers(raw.cells.offsets),
          index: numbers(raw.cells.index),
          count: numbers(raw.cells.count),
          side: raw.cells.side ?? classes,
        },
      };
    case "anomaly":
      return {
        kind: "anomaly",
        truth: numbers(raw.truth),
        score: numbers(raw.score),
        heat: raw.heat ? pictures(raw.heat) : null,
        heatRange: raw.heat_range ?? [0, 1],
        mask: raw.mask ? pictures(raw.mask) : null,
      };
    case "depth":
      return {
        kind: "depth",
        truth: pictures(raw.truth),
        pred: pictures(raw.pred),
        error: pictures(raw.error),
        range: raw.range,
        errorRange: raw.error_range,
      };
  }
}

/** A frame's numbers are decoded when it is first looked at. */
function frameOf(task: Task, raw: Raw, index: number, classes: number): Frame {
  let data: Data | undefined;
  let scores: Map<string, Numbers> | undefined;
  return {
    index,
    label: String(raw.label ?? ""),
    run: String(raw.run ?? ""),
    step: raw.step ?? null,
    present: maybe(raw.present),
    get scores() {
      scores ??= new Map(
        Object.entries(raw.scores ?? {}).map(([name, one]) => [name, numbers(one as Column)]),
      );
      return scores;
    },
    get data() {
      data ??= dataOf(task, raw.data, classes);
      return data;
    },
  };
}

export function readSheet(raw: Raw): Sheet {
  if (raw?.format !== FORMAT) throw new Error(`this is no ${FORMAT} document`);
  const task = raw.task as Task;
  const classes = (raw.classes ?? []) as Class[];
  if (task === "anomaly" && classes.length < 2) {
    classes.splice(0, classes.length, { name: "normal", colour: "#4c9f70" });
    classes.push({ name: "anomalous", colour: "#d1495b" });
  }
  return {
    task,
    title: String(raw.title ?? ""),
    classes,
    count: raw.count,
    ids: raw.ids,
    names: raw.names ?? [],
    width: numbers(raw.width),
    height: numbers(raw.height),
    tile: pictures(raw.tile),
    tileWidth: numbers(raw.tile_width),
    tileHeight: numbers(raw.tile_height),
    full: pictures(raw.full),
    shown: raw.shown ?? { tiles: raw.count, of: raw.count, note: "" },
    metrics: Object.entries(raw.metrics ?? {}) as [string, number | null][],
    frames: (raw.frames as Raw[]).map((one, index) => frameOf(task, one, index, classes.length)),
    compare: raw.compare ?? null,
    settings: raw.settings ?? {},
    digits: raw.digits ?? 4,
  };
}
