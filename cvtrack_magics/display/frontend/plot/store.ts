// What is known of one run on the browser's side; outlives every view of it.

import { readState, type State } from "./state";
import { epochOf, Track, type Chunk } from "./track";

export type Tracks = Map<string, Track>;

export interface Entry {
  name: string;
  start: number;
  count: number;
  end: number;
}

export interface PointsMessage {
  kind: "points";
  /** Whose points: the run's own, its machine's, or another run's. */
  family?: "run" | "usage" | "overlay";
  label?: string;
  full: boolean;
  status: string;
  series: Entry[];
  columns: { name: keyof Chunk; dtype: "int64" | "float64"; shape: [number] }[];
  state?: unknown;
}

type Binary = DataView | ArrayBuffer | Uint8Array;

const HELLO_EVERY = 500; // milliseconds
/** After so many questions a kernel that never answered is taken for one that hears no clicks. */
export const ENOUGH = 3;

/** Copy one buffer into numbers; a message's buffers need not be aligned to 8 bytes. */
export function decode(buffer: Binary, dtype: "int64" | "float64"): Float64Array {
  const bytes =
    buffer instanceof ArrayBuffer
      ? buffer.slice(0)
      : buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength);
  if (dtype === "float64") return new Float64Array(bytes as ArrayBuffer);
  const low = new Uint32Array(bytes as ArrayBuffer);
  const high = new Int32Array(bytes as ArrayBuffer);
  const numbers = new Float64Array(low.length / 2);
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] = (high[2 * i + 1] as number) * 2 ** 32 + (low[2 * i] as number);
  }
  return numbers;
}

export class Store {
  readonly tracks: Tracks = new Map();
  readonly usage: Tracks = new Map();
  readonly overlays = new Map<string, Tracks>();
  readonly state: State = {
    bars: [],
    marks: [],
    baselines: [],
    control: { state: "", note: "" },
  };
  status = "RUNNING";
  /** What the kernel would do on a click now; null while it is not known to hear clicks. */
  actions: string[] | null = null;
  /** How often the kernel was asked whether it hears clicks. */
  hellos = 0;
  /** Clicks that were not answered yet. */
  readonly clicked = new Set<string>();
  /** How to reach the kernel; null in a saved page. */
  send: ((message: unknown) => void) | null = null;
  private readonly listeners = new Set<() => void>();
  private greeted = -Infinity;

  /** Take one message of points. Return false when points before it never arrived. */
  take(message: PointsMessage, buffers: Binary[]): boolean {
    const tracks = this.family(message);
    if (message.full) tracks.clear();
    const chunk = {} as Chunk;
    message.columns.forEach((column, i) => {
      chunk[column.name] = decode(buffers[i] as Binary, column.dtype);
    });
    let complete = true;
    let at = 0;
    for (const { name, start, count, end } of message.series) {
      let track = tracks.get(name);
      if (!track) tracks.set(name, (track = new Track()));
      const have = track.logged;
      if (start > have) complete = false;
      let skip = 0;
      if (chunk.rows) while (skip < count && (chunk.rows[at + skip] as number) < have) skip++;
      else skip = Math.min(count, Math.max(0, have - start));
      track.append(chunk, at + skip, at + count, start + skip);
      track.logged = Math.max(have, end);
      at += count;
    }
    this.status = message.status;
    if (message.state) this.know(message.state);
    this.changed();
    return complete;
  }

  /** Take what is shown beside the curves. */
  takeState(state: unknown): void {
    this.know(state);
    this.changed();
  }

  /** The kernel hears clicks, and says which it would honour. */
  takeLive(actions: unknown): void {
    const all = Array.isArray(actions) ? actions : [];
    this.actions = all.filter((action): action is string => typeof action === "string");
    this.changed();
  }

  /** Ask whether the kernel hears clicks, unless that is known. */
  hello(): void {
    const now = performance.now();
    if (this.actions || this.status !== "RUNNING" || now - this.greeted < HELLO_EVERY) return;
    this.greeted = now;
    this.send?.({ kind: "hello" });
    if (++this.hellos > ENOUGH) this.changed();
  }

  act(action: string, text = ""): void {
    this.clicked.add(action);
    this.send?.({ kind: "action", action, text });
    this.changed();
  }

  epoch(): number {
    return epochOf(this.tracks);
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.listeners) listener();
  }

  private know(state: unknown): void {
    const read = readState(state);
    const { control } = this.state;
    Object.assign(this.state, read);
    if (read.control && read.control.state !== control.state) {
      this.clicked.delete("pause");
      this.clicked.delete("resume");
      // A loop that begins after the stopped one can be stopped too.
      if (this.state.control.state !== "stopping") this.clicked.delete("stop");
    }
  }

  private family(message: PointsMessage): Tracks {
    if (message.family === "usage") return this.usage;
    if (message.family !== "overlay") return this.tracks;
    const label = String(message.label ?? "");
    let tracks = this.overlays.get(label);
    if (!tracks) this.overlays.set(label, (tracks = new Map()));
    return tracks;
  }
}
