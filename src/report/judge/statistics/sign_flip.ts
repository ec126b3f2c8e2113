/** 2^20 sign patterns take some milliseconds; no table has more seeds. */
const MAXIMUM_VALUES = 20;
/** Sums this near each other, relative to the sum of magnitudes, count as equal: they were rounded. */
const TIE = 1e-12;

/**
 * Two-sided p-value of the exact sign-flip test (Fisher's randomization test of paired differences): the share of all 2^n
 * sign patterns whose |sum| is at least the observed one. It asks only that the differences are symmetric about 0.
 *
 * Its smallest value is 2 / 2^n: 0.25 for 3 pairs, 0.0625 for 5, so below 6 pairs it cannot reach 0.05.
 *
 * @returns Null for no value, and for more than 20.
 */
export function signFlipP(differences: readonly number[]): number | null {
  const n = differences.length;
  if (n === 0 || n > MAXIMUM_VALUES) return null;
  const magnitudes = differences.map(Math.abs);
  const scale = magnitudes.reduce((total, value) => total + value, 0);
  const observed = Math.abs(differences.reduce((total, value) => total + value, 0)) - TIE * scale;
  let extreme = 0;
  // the first sign stays: a pattern and its mirror have the same |sum|
  for (let pattern = 0; pattern < 2 ** (n - 1); pattern++) {
    let total = magnitudes[n - 1]!;
    for (let index = 0; index < n - 1; index++) {
      total += (pattern >> index) & 1 ? magnitudes[index]! : -magnitudes[index]!;
    }
    if (Math.abs(total) >= observed) extreme++;
  }
  return extreme / 2 ** (n - 1);
}
