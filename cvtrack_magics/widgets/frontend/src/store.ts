// The points of one run on the browser's side; outlives every view of it.

export interface Track {
  steps: number[];
  values: number[];
  times: number[];
}

export interface Entry {
  name: string;
  start: number;
  count: number;
  end: number;
}

export interface Column {
  name: keyof Track;
  dtype: "int64" | "float64";
  shape: [number];
}

export interface PointsMessage {
  kind: "points";
  full: boolean;
  status: string;
  series: Entry[];
  columns: Column[];
}

type Binary = DataView | ArrayBuffer | Uint8Array;

/** Copy one buffer into numbers; a message's buffers need not be aligned to 8 bytes. */
export function decode(buffer: Binary, dtype: Column["dtype"]): ArrayLike<number> {
  const bytes =
    buffer instanceof ArrayBuffer
      ? buffer.slice(0)
      : buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength);
  if (dtype === "int64") return Array.from(new BigInt64Array(bytes as ArrayBuffer), Number);
  return new Float64Array(bytes as ArrayBuffer);
}

export class Store {
  readonly tracks = new Map<string, Track>();
  status = "RUNNING";
  private readonly ends = new Map<string, number>();
  private readonly listeners = new Set<() => void>();

  /** Take one message. Return false when points before it never arrived. */
  take(message: PointsMessage, buffers: Binary[]): boolean {
    if (message.full) {
      this.tracks.clear();
      this.ends.clear();
    }
    const columns = {} as Record<keyof Track, ArrayLike<number>>;
    message.columns.forEach((column, i) => {
      columns[column.name] = decode(buffers[i] as Binary, column.dtype);
    });
    let complete = true;
    let at = 0;
    for (const entry of message.series) {
      const have = this.ends.get(entry.name) ?? 0;
      if (entry.start > have) complete = false;
      const skip = Math.min(entry.count, Math.max(0, have - entry.start));
      this.append(entry.name, columns, at + skip, at + entry.count);
      this.ends.set(entry.name, Math.max(have, entry.end));
      at += entry.count;
    }
    this.status = message.status;
    this.changed();
    return complete;
  }

  put(name: string, track: Track): void {
    this.tracks.set(name, track);
  }

  /** Begin of the run on the clock, for relative times. */
  epoch(): number {
    let first = Infinity;
    for (const { times } of this.tracks.values()) first = Math.min(first, times[0] ?? Infinity);
    return Number.isFinite(first) ? first : 0;
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private append(
    name: string,
    from: Record<keyof Track, ArrayLike<number>>,
    start: number,
    end: number,
  ): void {
    let track = this.tracks.get(name);
    if (!track) this.tracks.set(name, (track = { steps: [], values: [], times: [] }));
    for (let i = start; i < end; i++) {
      track.steps.push(from.steps[i] as number);
      track.values.push(from.values[i] as number);
      track.times.push(from.times[i] as number);
    }
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}
