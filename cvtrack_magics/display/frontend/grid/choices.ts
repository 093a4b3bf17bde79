// What a person chooses from.

export type Only = "all" | "wrong" | "right" | "tp" | "fp" | "fn" | "tn" | "suspect";
export type View = "main" | "truth" | "pred" | "error";

/** What was clicked in a chart. */
export type Pick =
  | { kind: "cell"; truth: number; pred: number }
  | { kind: "class"; one: number }
  | { kind: "positive"; one: number }
  | { kind: "range"; score: string; low: number; high: number };

export interface Layers {
  image: boolean;
  truth: boolean;
  pred: boolean;
  masks: boolean;
  text: boolean;
}

export const ONLY_NAMES: Record<Only, string> = {
  all: "all",
  wrong: "wrong",
  right: "right",
  tp: "true positives",
  fp: "false positives",
  fn: "false negatives",
  tn: "true negatives",
  suspect: "label suspects",
};
