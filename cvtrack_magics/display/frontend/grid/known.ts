// What is said of a truth that nobody knows, and sums.

export const UNKNOWN_TRUTH = -1;

export function sumsOf<T extends ArrayLike<number>[]>(...columns: T): { [K in keyof T]: number } {
  return columns.map((column) => {
    let sum = 0;
    for (let at = 0; at < column.length; at += 1) sum += column[at]!;
    return sum;
  }) as { [K in keyof T]: number };
}
