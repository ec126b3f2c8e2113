/** Mean of independent values, and its standard error sqrt(sum (x - mean)² / (n (n - 1))). */
export function meanAndError(values: readonly number[]): { mean: number; standardError: number } {
  const n = values.length, mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardError: Math.sqrt(squares / (n * (n - 1))) };
}
