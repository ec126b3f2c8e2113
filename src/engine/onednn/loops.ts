/** Plain loops for small tensors: element-wise kernels with any broadcast, and sums along axes; sums are in float64. */
import { sizeOf, type Values } from "./graph.ts";

/** Values and their shape. */
export interface Operand {
  readonly values: Values;
  readonly shape: readonly number[];
}

export type Run = () => void;

/** Steps of each operand along each dimension of the result; 0 where it is repeated. Dimensions that run on are joined. */
function collapsed(shape: readonly number[], operands: readonly Operand[]): { sizes: number[]; steps: number[][] } {
  const all = operands.map((operand) => {
    const padded = [...new Array<number>(shape.length - operand.shape.length).fill(1), ...operand.shape];
    return padded.map((size, i) => size === 1 ? 0 : sizeOf(padded.slice(i + 1)));
  });
  const sizes: number[] = [], steps: number[][] = operands.map(() => []);
  shape.forEach((size, i) => {
    if (size === 1) return;
    const joins = sizes.length > 0 && all.every((own, k) => steps[k]!.at(-1) === own[i]! * size);
    if (joins) {
      sizes[sizes.length - 1]! *= size;
      all.forEach((own, k) => steps[k]![sizes.length - 1] = own[i]!);
    } else {
      sizes.push(size);
      all.forEach((own, k) => steps[k]!.push(own[i]!));
    }
  });
  return { sizes, steps };
}

type Factory = (to: Values, from: readonly Values[], sizes: readonly number[], steps: readonly number[][]) => Run;

/** Loops by their source: equal ones share their compiled code. */
const factories = new Map<string, Factory>();

function factoryFor(expression: string, names: readonly string[], rank: number): Factory {
  const key = `${rank} ${names} ${expression}`;
  let factory = factories.get(key);
  if (factory) return factory;
  const starts = names.map((name, k) =>
    `const v_${name} = from[${k}]${range(rank).map((d) => `, s_${name}${d} = steps[${k}][${d}]`).join("")};`
  );
  let body =
    names.map((name) =>
      `const ${name} = v_${name}[${range(rank).map((d) => `i${d} * s_${name}${d}`).join(" + ") || "0"}];`
    ).join(" ") + ` to[at++] = ${expression};`;
  for (const d of range(rank).reverse()) body = `for (let i${d} = 0; i${d} < n${d}; i${d}++) { ${body} }`;
  const sizes = range(rank).map((d) => `const n${d} = sizes[${d}];`).join(" ");
  factory = new Function(
    "to",
    "from",
    "sizes",
    "steps",
    `${starts.join(" ")} ${sizes} return () => { let at = 0; ${body} };`,
  ) as Factory;
  factories.set(key, factory);
  return factory;
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** to = expression of the operands, by their names, element by element. */
export function elementwise(expression: string, to: Operand, operands: Readonly<Record<string, Operand>>): Run {
  const names = Object.keys(operands), from = Object.values(operands), { sizes, steps } = collapsed(to.shape, from);
  return factoryFor(expression, names, sizes.length)(to.values, from.map(({ values }) => values), sizes, steps);
}

/** A reduction along neighbouring axes: `outer` groups of `count` rows of `inner` values. Null: the axes are not neighbours. */
export function reduction(
  kernel: string,
  { to, from, axes }: { to: Values; from: Operand; axes: readonly number[] },
): Run | null {
  const first = axes[0] ?? 0, end = (axes.at(-1) ?? -1) + 1;
  if (end - first !== axes.length) return null;
  const { shape, values } = from;
  const outer = sizeOf(shape.slice(0, first)),
    count = sizeOf(shape.slice(first, end)),
    inner = sizeOf(shape.slice(end));
  const start = kernel === "Max" ? -Infinity : kernel === "Min" ? Infinity : 0, sums = new Float64Array(inner);
  const scale = kernel === "Mean" ? count : 1;
  const best = kernel === "Max" ? Math.max : Math.min, adds = kernel === "Sum" || kernel === "Mean";
  return () => {
    for (let o = 0, at = 0; o < outer; o++) {
      if (inner === 1) {
        let sum = start;
        if (adds) { for (let r = 0; r < count; r++) sum += values[at++]!; }
        else for (let r = 0; r < count; r++) sum = best(sum, values[at++]!);
        to[o] = sum / scale;
        continue;
      }
      sums.fill(start);
      for (let r = 0; r < count; r++) {
        if (adds) { for (let i = 0; i < inner; i++) sums[i]! += values[at++]!; }
        else for (let i = 0; i < inner; i++) sums[i] = best(sums[i]!, values[at++]!);
      }
      for (let i = 0; i < inner; i++) to[o * inner + i] = sums[i]! / scale;
    }
  };
}

/** to = sum a b / count. Four sums side by side, in float64: quicker than any primitive of oneDNN, and nearly exact. */
export function dot(to: Values, { a, b, count }: { a: Values; b: Values; count: number }): Run {
  const whole = a.length - a.length % 4;
  return () => {
    let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (let i = 0; i < whole; i += 4) {
      s0 += a[i]! * b[i]!;
      s1 += a[i + 1]! * b[i + 1]!;
      s2 += a[i + 2]! * b[i + 2]!;
      s3 += a[i + 3]! * b[i + 3]!;
    }
    for (let i = whole; i < a.length; i++) s0 += a[i]! * b[i]!;
    to[0] = (s0 + s1 + s2 + s3) / count;
  };
}
