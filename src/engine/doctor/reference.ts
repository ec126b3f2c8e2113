/**
 * The right results of the kernels, computed the slow and obvious way in float64: loops over the definition, no shared code
 * with any engine.
 */

/** A tensor's values, row by row. */
export interface Values {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

/** Values of this shape: zeros, or `fill` of the index. */
export function valuesOf(shape: readonly number[], fill: (index: number) => number = () => 0): Values {
  return { shape, values: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => fill(i)) };
}

/** Elementwise. */
export function mapValues(x: Values, f: (value: number, index: number) => number): Values {
  return { shape: x.shape, values: x.values.map(f) };
}

/** Options of a convolution. */
export interface Convolution {
  readonly stride: number;
  /** TensorFlow's SAME or VALID, or as many zeros on every side. */
  readonly padding: "same" | "valid" | number;
  readonly depthwise?: boolean;
}

function axisOf(inputs: number, taps: number, { stride, padding }: Convolution): { outputs: number; before: number } {
  if (padding !== "same") {
    const zeros = padding === "valid" ? 0 : padding;
    return { outputs: Math.floor((inputs + 2 * zeros - taps) / stride) + 1, before: zeros };
  }
  const outputs = Math.ceil(inputs / stride);
  return { outputs, before: Math.floor(Math.max((outputs - 1) * stride + taps - inputs, 0) / 2) };
}

/** Calls `visit` with the positions in x, filter and y of every product x w that y is a sum of. */
function eachProduct(
  shapes: { readonly x: readonly number[]; readonly filter: readonly number[] },
  options: Convolution,
  visit: (x: number, filter: number, y: number) => void,
): number[] {
  const [n, h, w, c] = shapes.x as [number, number, number, number];
  const [kh, kw, , k] = shapes.filter as [number, number, number, number];
  const rows = axisOf(h, kh, options), columns = axisOf(w, kw, options), out = options.depthwise ? c * k : k;
  for (let b = 0; b < n; b++) {
    for (let oh = 0; oh < rows.outputs; oh++) {
      for (let ow = 0; ow < columns.outputs; ow++) {
        for (let i = 0; i < kh; i++) {
          for (let j = 0; j < kw; j++) {
            const ih = oh * options.stride + i - rows.before, iw = ow * options.stride + j - columns.before;
            if (ih < 0 || ih >= h || iw < 0 || iw >= w) continue;
            for (let ic = 0; ic < c; ic++) {
              for (let o = 0; o < k; o++) {
                const to = options.depthwise ? ic * k + o : o;
                visit(
                  ((b * h + ih) * w + iw) * c + ic,
                  ((i * kw + j) * c + ic) * k + o,
                  ((b * rows.outputs + oh) * columns.outputs + ow) * out + to,
                );
              }
            }
          }
        }
      }
    }
  }
  return [n, rows.outputs, columns.outputs, out];
}

/** y of a convolution of x [n, h, w, c] by filter [kh, kw, c, out], or [kh, kw, c, multiplier] when depthwise. */
export function convolve(x: Values, filter: Values, options: Convolution): Values {
  const y = valuesOf(eachProduct({ x: x.shape, filter: filter.shape }, options, () => {}));
  eachProduct({ x: x.shape, filter: filter.shape }, options, (from, weight, to) => {
    y.values[to]! += x.values[from]! * filter.values[weight]!;
  });
  return y;
}

/** The gradients by x and by the filter of sum(dy y). */
export function convolveGradients(
  { x, filter, dy }: { readonly x: Values; readonly filter: Values; readonly dy: Values },
  options: Convolution,
): { dx: Values; dfilter: Values } {
  const dx = valuesOf(x.shape), dfilter = valuesOf(filter.shape);
  eachProduct({ x: x.shape, filter: filter.shape }, options, (from, weight, to) => {
    dx.values[from]! += dy.values[to]! * filter.values[weight]!;
    dfilter.values[weight]! += dy.values[to]! * x.values[from]!;
  });
  return { dx, dfilter };
}

/** The place in x [n, h, w, c] of the value that each window gives: its last NaN, else its first maximum in reading order. */
export function poolWinners(
  x: Values,
  { size, stride, padding }: { readonly size: number; readonly stride: number; readonly padding: number },
): Values {
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const [rows, columns] = [h, w].map((length) => axisOf(length, size, { stride, padding }).outputs) as [number, number];
  return valuesOf([n, rows, columns, c], (at) => {
    const channel = at % c, column = Math.floor(at / c) % columns, row = Math.floor(at / c / columns) % rows;
    const image = Math.floor(at / c / columns / rows);
    let winner = -1;
    for (let i = row * stride - padding; i < row * stride - padding + size; i++) {
      for (let j = column * stride - padding; j < column * stride - padding + size; j++) {
        if (i < 0 || i >= h || j < 0 || j >= w) continue;
        const place = ((image * h + i) * w + j) * c + channel, value = x.values[place]!;
        if (winner < 0 || value > x.values[winner]! || Number.isNaN(value)) winner = place;
      }
    }
    return winner;
  });
}

/** Batch normalisation by the batch's own statistics; `variance` is the unbiased one. */
export function batchNorm(
  { x, gamma, beta }: { readonly x: Values; readonly gamma: Values; readonly beta: Values },
  epsilon: number,
): { y: Values; mean: Values; variance: Values } {
  const c = gamma.values.length, n = x.values.length / c;
  const mean = valuesOf([c]), variance = valuesOf([c]);
  x.values.forEach((value, i) => mean.values[i % c]! += value / n);
  x.values.forEach((value, i) => variance.values[i % c]! += (value - mean.values[i % c]!) ** 2 / (n - 1));
  const y = mapValues(x, (value, i) => {
    const spread = Math.sqrt(variance.values[i % c]! * (n - 1) / n + epsilon);
    return gamma.values[i % c]! * (value - mean.values[i % c]!) / spread + beta.values[i % c]!;
  });
  return { y, mean, variance };
}

/** The gradient of sum(dy y) by x, by dx[i] = sum over j of dy[j] dy[j]/dx[i], every pair of a channel (n^2 terms). */
export function batchNormGradients(
  { x, gamma, dy }: { readonly x: Values; readonly gamma: Values; readonly dy: Values },
  epsilon: number,
): { dx: Values; dgamma: Values; dbeta: Values } {
  const c = gamma.values.length, n = x.values.length / c;
  const { y: z, variance } = batchNorm({ x, gamma: valuesOf([c], () => 1), beta: valuesOf([c]) }, epsilon);
  const dx = valuesOf(x.shape), dgamma = valuesOf([c]), dbeta = valuesOf([c]);
  dy.values.forEach((value, j) => {
    dbeta.values[j % c]! += value;
    dgamma.values[j % c]! += value * z.values[j]!;
    const spread = Math.sqrt(variance.values[j % c]! * (n - 1) / n + epsilon);
    for (let i = j % c; i < x.values.length; i += c) {
      const slope = (i === j ? 1 : 0) - 1 / n - z.values[i]! * z.values[j]! / n;
      dx.values[i]! += value * gamma.values[j % c]! * slope / spread;
    }
  });
  return { dx, dgamma, dbeta };
}

/** log |det| and inverse of each [n, n] matrix, by Gauss and Jordan's elimination with row exchanges. */
export function logDetInverse(a: Values): { logDet: Values; inverse: Values } {
  const [count, n] = a.shape as [number, number, number];
  const logDet = valuesOf([count]), inverse = valuesOf(a.shape);
  for (let k = 0; k < count; k++) {
    const rows = Array.from({ length: n }, (_, i) => [
      ...a.values.subarray((k * n + i) * n, (k * n + i + 1) * n),
      ...Array.from({ length: n }, (_, j) => i === j ? 1 : 0),
    ]);
    for (let p = 0; p < n; p++) {
      let best = p;
      for (let i = p; i < n; i++) if (Math.abs(rows[i]![p]!) > Math.abs(rows[best]![p]!)) best = i;
      [rows[p], rows[best]] = [rows[best]!, rows[p]!];
      const pivot = rows[p]![p]!;
      logDet.values[k]! += Math.log(Math.abs(pivot));
      rows[p] = rows[p]!.map((value) => value / pivot);
      for (let i = 0; i < n; i++) {
        const factor = rows[i]![p]!;
        if (i !== p) rows[i] = rows[i]!.map((value, j) => value - factor * rows[p]![j]!);
      }
    }
    rows.forEach((row, i) => inverse.values.set(row.slice(n), (k * n + i) * n));
  }
  return { logDet, inverse };
}

/** [m, k] [k, n]. */
export function multiply(a: Values, b: Values): Values {
  const [m, k] = a.shape as [number, number], n = b.shape[1]!;
  return valuesOf([m, n], (at) => {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += a.values[Math.floor(at / n) * k + i]! * b.values[i * n + at % n]!;
    return sum;
  });
}

/** [m, n] to [n, m]. */
export function transpose(a: Values): Values {
  const [m, n] = a.shape as [number, number];
  return valuesOf([n, m], (at) => a.values[at % m * n + Math.floor(at / m)]!);
}

/** The logarithm of the softmax of each row of [n, classes]. */
export function logSoftmax(x: Values): Values {
  const classes = x.shape.at(-1)!;
  return mapValues(x, (value, at) => {
    const row = x.values.subarray(at - at % classes, at - at % classes + classes);
    return value - Math.log(row.reduce((sum, other) => sum + Math.exp(other), 0));
  });
}

/** Philox4x32-10 of Salmon et al. 2011: the four words of one block. */
export function philox(key: readonly number[], counter: readonly number[]): number[] {
  const word = 0xffffffffn;
  let [k0, k1] = key.map((value) => BigInt(value) & word) as [bigint, bigint];
  let [c0, c1, c2, c3] = counter.map((value) => BigInt(value) & word) as [bigint, bigint, bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const first = 0xd2511f53n * c0, second = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(second >> 32n) ^ c1 ^ k0, second & word, (first >> 32n) ^ c3 ^ k1, first & word];
    [k0, k1] = [(k0 + 0x9e3779b9n) & word, (k1 + 0xbb67ae85n) & word];
  }
  return [c0, c1, c2, c3].map(Number);
}

/** x + u of `uniformPerturbation` in `../ops.ts`, while c0 of the state does not overflow. */
export function perturb(x: Values, state: readonly number[], stream: number): Values {
  const [k0, k1, c0, c1, c2, c3] = state as [number, number, number, number, number, number];
  return mapValues(x, (value, at) => {
    const block = philox([k0, k1], [c0 + Math.floor(at / 4), c1 + stream, c2, c3]);
    return value + block[at % 4]! % 2 ** 23 / 2 ** 23 - 0.5;
  });
}
