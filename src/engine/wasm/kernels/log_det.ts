/** `LogDetInverse` of `../../ops.ts`, in float64. */
import { floatsOf, type KernelArguments, makeFloats } from "../heap.ts";
import type { TensorInfo } from "@tensorflow/tfjs-core";

/**
 * a = L L^T; log det a = 2 sum log diag L; a^-1 = L^-T L^-1, exactly symmetric.
 *
 * A matrix that is not positive definite gives NaN. Only the lower triangle is read.
 */
export function logDetInverse({ inputs: { a }, backend }: KernelArguments): TensorInfo[] {
  const [count, n] = a!.shape as [number, number, number];
  const logDets = makeFloats(backend, [count]), inverses = makeFloats(backend, [count, n, n]);
  const from = floatsOf(backend, a!), to = floatsOf(backend, logDets), inverse = floatsOf(backend, inverses);
  for (let k = 0; k < count; k++) {
    const factor = Float64Array.from(from.subarray(k * n * n, (k + 1) * n * n));
    to[k] = factorize(factor, n);
    invertFromFactor(factor, n, inverse.subarray(k * n * n, (k + 1) * n * n));
  }
  return [logDets, inverses];
}

/** Cholesky in place, rows of the lower triangle; returns the log determinant. */
function factorize(l: Float64Array, n: number): number {
  let logDet = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = l[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      l[i * n + j] = i === j ? Math.sqrt(sum) : sum / l[j * n + j]!;
    }
    logDet += 2 * Math.log(l[i * n + i]!);
  }
  return logDet;
}

function invertFromFactor(l: Float64Array, n: number, to: Float32Array): void {
  // row j of `columns` is column j of L^-1, so that both inner loops run along rows
  const columns = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    columns[j * n + j] = 1 / l[j * n + j]!;
    for (let i = j + 1; i < n; i++) {
      let sum = 0;
      for (let k = j; k < i; k++) sum -= l[i * n + k]! * columns[j * n + k]!;
      columns[j * n + i] = sum / l[i * n + i]!;
    }
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = i; k < n; k++) sum += columns[i * n + k]! * columns[j * n + k]!;
      to[i * n + j] = to[j * n + i] = sum;
    }
  }
}
