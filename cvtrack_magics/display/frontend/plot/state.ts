// What a run shows beside its curves. It comes from a kernel or out of a saved page, and
// nothing in it is believed before it was looked at.

export interface Bar {
  key: string;
  desc: string;
  done: number;
  total: number | null;
  /** "12/100 · 3.4/s · 0:26 left", written by the kernel. */
  figures: string;
}

export interface Mark {
  step: number;
  /** Unix seconds, or null where nobody noted the time. */
  time: number | null;
  text: string;
}

export interface Baseline {
  label: string;
  values: Map<string, number>;
}

export interface Control {
  state: string;
  note: string;
}

export interface State {
  bars: Bar[];
  marks: Mark[];
  baselines: Baseline[];
  control: Control;
}

type Loose = Record<string, unknown>;

const text = (value: unknown) => (typeof value === "string" ? value : "");
const finite = (value: unknown): value is number => Number.isFinite(value);
const list = (value: unknown) =>
  (Array.isArray(value) ? value : []).filter(
    (item): item is Loose => typeof item === "object" && item !== null,
  );

/** Read the parts of a state that are there; a part replaces the one before. */
export function readState(value: unknown): Partial<State> {
  const given = (typeof value === "object" && value !== null ? value : {}) as Loose;
  const state: Partial<State> = {};
  if ("bars" in given) {
    state.bars = list(given.bars).map((bar) => ({
      key: text(bar.key),
      desc: text(bar.desc),
      done: finite(bar.done) ? bar.done : 0,
      total: finite(bar.total) ? bar.total : null,
      figures: text(bar.figures),
    }));
  }
  if ("marks" in given) {
    state.marks = list(given.marks).flatMap(({ step, time, text: note }) =>
      finite(step) ? [{ step, time: finite(time) ? time : null, text: text(note) }] : [],
    );
  }
  if ("baselines" in given) {
    state.baselines = list(given.baselines).map(({ label, values }) => ({
      label: text(label),
      values: new Map(
        (Array.isArray(values) ? values : []).filter(
          (pair): pair is [string, number] =>
            Array.isArray(pair) && typeof pair[0] === "string" && finite(pair[1]),
        ),
      ),
    }));
  }
  if ("control" in given) {
    const { state: name, note } = (given.control ?? {}) as Loose;
    state.control = { state: text(name), note: text(note) };
  }
  return state;
}
