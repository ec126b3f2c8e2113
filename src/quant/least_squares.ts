/** A uniform grid of least squared error, for start values. */

/** x̂ = q s + β, q an integer in [0, highest]. */
export interface UniformGrid {
  readonly step: number;
  readonly offset: number;
}

/** Parts of the range that the descents start from; the error has a minimum for each assignment of values to integers. */
const STARTS = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1] as const;

/** A descent ends where its error falls by less than this part. */
const TOLERANCE = 1e-6;
const MOST_ROUNDS = 50;

/** round(clip((x - β) / s, 0, highest)), ties up. */
function integerOf(x: number, { step, offset }: UniformGrid, highest: number): number {
  return Math.floor(Math.min(Math.max((x - offset) / step, 0), highest) + 0.5);
}

/** Mean of (x - x̂)², and the line x ~ q s + β of least squares through the integers that `grid` gives. */
function fit(
  values: ArrayLike<number>,
  grid: UniformGrid,
  highest: number,
): { error: number; line: UniformGrid | null } {
  const count = values.length;
  let sumX = 0, sumQ = 0, sumQQ = 0, sumQX = 0, squares = 0;
  for (let i = 0; i < count; i++) {
    const x = values[i]!, q = integerOf(x, grid, highest);
    sumX += x;
    sumQ += q;
    sumQQ += q * q;
    sumQX += q * x;
    squares += (x - q * grid.step - grid.offset) ** 2;
  }
  const spread = sumQQ - sumQ * sumQ / count, step = (sumQX - sumQ * sumX / count) / spread;
  const line = spread > 0 && step > 0 ? { step, offset: (sumX - step * sumQ) / count } : null;
  return { error: squares / count, line };
}

/**
 * The s and β that minimise mean (x - x̂)², x̂ = round(clip((x - β) / s, 0, highest)) s + β, over `values`.
 *
 * There is no closed form. For fixed integers there is one, a line of least squares; so the integers and the line are taken in
 * turn, each of which lowers the error, from ten starts between the whole range and a tenth of it, and the best end is kept.
 *
 * @param values At least one.
 * @returns Null where all values are equal: every step size is as good.
 */
export function leastSquaresGrid(values: ArrayLike<number>, highest: number): UniformGrid | null {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]!);
    high = Math.max(high, values[i]!);
  }
  if (!(high > low)) return null;
  let best: { grid: UniformGrid; error: number } | null = null;
  for (const part of STARTS) {
    let grid: UniformGrid = { step: part * (high - low) / highest, offset: part * low }, before = Infinity;
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const { error, line } = fit(values, grid, highest);
      if (best === null || error < best.error) best = { grid, error };
      if (line === null || error >= before * (1 - TOLERANCE)) break;
      [grid, before] = [line, error];
    }
  }
  return best!.grid;
}
