/** Examines an engine: is every kernel that the suite uses right, forward and gradient, and how fast is it? */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { messageOf } from "../errors.ts";
import { type Case, layerCases } from "./doctor/cases.ts";
import { everydayCases } from "./doctor/everyday_cases.ts";
import { integerCases } from "./doctor/integer_cases.ts";
import { measureSpeed, type SpeedCheck } from "./doctor/speed.ts";
import type { Values } from "./doctor/reference.ts";
import type { CompileOptions, Engine, EngineName, TensorTree } from "./types.ts";

/** Result of one check of one kernel. */
export interface KernelCheck {
  /** The kernel and, after a colon, its part. */
  readonly kernel: string;
  readonly ok: boolean;
  /** Largest difference to the float64 reference, relative to the largest value; null if there was no result. */
  readonly relativeError: number | null;
  /** The fault, a sentence. */
  readonly problem?: string;
}

/** Results of all checks; plain JSON. */
export interface DoctorReport {
  readonly engine: string;
  readonly description: string;
  readonly device: string;
  readonly threads: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly tolerance: number;
  readonly ok: boolean;
  readonly checks: readonly KernelCheck[];
  readonly speed: readonly SpeedCheck[];
  /** Remedies for the failures. */
  readonly advice: readonly string[];
}

/** Relative errors allowed: float32 sums of some hundred terms, and of operands with 11 or 8 significant bits. */
const TOLERANCES = { float32: 2e-5, tf32: 4e-3, bf16: 1e-2 } as const;

/** A form in which an engine runs the cases. */
interface Form {
  /** Stands behind the name of each check. */
  readonly name?: string;
  readonly options: CompileOptions;
  /** Bytes and masks hold no NaN: it may spread over the result, and pass through a relu's gradient as in PyTorch. */
  readonly inBytes?: true;
}

/** Engines with several forms: onednn has loops, and passes for large tensors. */
const FORMS: Readonly<Partial<Record<EngineName, readonly Form[]>>> = {
  onednn: [{ name: "loops", options: {} }, { name: "passes", options: { large: 1 }, inBytes: true }],
};

/** Options of `diagnose`. */
export interface DoctorOptions {
  /** @default Every kernel that the suite uses */
  readonly cases?: readonly Case[];
  /**
   * True: the speed is measured.
   * @default true
   */
  readonly speed?: boolean;
}

/**
 * Runs every case, compiled, twice: the results must be right and the same both times. Then NaN and both infinities are fed
 * to every input: none may come out as a finite number. Failures are reported, not thrown.
 */
export async function diagnose(engine: Engine, options: DoctorOptions = {}): Promise<DoctorReport> {
  const tolerance = TOLERANCES[engine.precision ?? "float32"];
  const checks: KernelCheck[] = [];
  for (const given of options.cases ?? [...layerCases(), ...everydayCases(), ...integerCases()]) {
    for (const { name, options, inBytes } of FORMS[engine.name] ?? [{ options: {} } as Form]) {
      const orders = [...given.orders ?? [], "ReluGrad", "Relu6Grad"];
      const asked = inBytes ? { ...given, spreads: true as const, orders } : given;
      const found = await examine(engine, asked, { tolerance: given.exact ? 0 : tolerance, options });
      checks.push(
        ...found.map((check) => name === undefined ? check : { ...check, kernel: `${check.kernel} (${name})` }),
      );
    }
  }
  const failed = checks.filter((check) => !check.ok);
  return {
    engine: engine.name,
    description: engine.description,
    device: engine.device,
    threads: engine.threads,
    versions: engine.versions,
    tolerance,
    ok: failed.length === 0,
    checks,
    speed: options.speed ?? true ? await measureSpeed(engine).catch(() => []) : [],
    advice: adviceFor(engine, failed),
  };
}

async function examine(
  engine: Engine,
  given: Case,
  { tolerance, options }: { tolerance: number; options: CompileOptions },
): Promise<KernelCheck[]> {
  const expected = given.expected(given.inputs), names = Object.keys(expected);
  try {
    const { first, second, oddities } = await runCase(engine, given, options);
    return names.map((kernel) => {
      const check = compare(kernel, { first, second, expected: expected[kernel]!, tolerance });
      const problem = check.ok ? oddProblem(kernel, { given, oddities, tolerance }) : null;
      return problem === null ? check : { ...check, ok: false, problem };
    });
  } catch (error) {
    const problem = messageOf(error).split("\n")[0]!;
    return names.map((kernel) => ({ kernel, ok: false, relativeError: null, problem }));
  }
}

/** Shape and values of a program's results, by name. */
type Results = Readonly<Record<string, { readonly shape: readonly number[]; readonly values: Float32Array }>>;

/** Values that must never disappear; a processor makes NaNs of both signs, and some kernels treat them apart. */
const ODD_BITS = { "NaN": 0x7fc00000, "-NaN": 0xffc00000, "Infinity": 0x7f800000, "-Infinity": 0xff800000 } as const;

/** The results of a program with one odd value in one input. */
interface Oddity {
  readonly name: keyof typeof ODD_BITS;
  readonly inputs: Readonly<Record<string, Values>>;
  readonly results: Results;
}

/** Runs a program twice, and once with each odd value at the first and the last place of each input. */
async function runCase(
  engine: Engine,
  { inputs, integers = [], plain = [], program }: Case,
  options: CompileOptions,
): Promise<{ first: Results; second: Results; oddities: Oddity[] }> {
  const compiled = engine.compile(program as (inputs: TensorTree) => TensorTree, options), oddities: Oddity[] = [];
  const numbers = Object.fromEntries(
    Object.entries(inputs).map(([name, { values }]) =>
      [name, integers.includes(name) ? Int32Array.from(values) : Float32Array.from(values)] as const
    ),
  );
  async function run(given: Readonly<Record<string, Int32Array | Float32Array>>): Promise<Results> {
    const tensors = Object.fromEntries(
      Object.entries(given).map(([name, values]) => {
        const dtype = integers.includes(name) ? "int32" : "float32";
        return [name, tf.tensor(values.slice(), [...inputs[name]!.shape], dtype)] as const;
      }),
    );
    try {
      const outputs = compiled(tensors) as Record<string, Tensor>, read: Record<string, Results[string]> = {};
      for (const [name, tensor] of Object.entries(outputs)) {
        read[name] = { shape: tensor.shape, values: Float32Array.from(await tensor.data()) };
      }
      tf.dispose(outputs);
      return read;
    } finally {
      tf.dispose(tensors);
    }
  }
  try {
    const first = await run(numbers), second = await run(numbers);
    for (const name of Object.keys(inputs).filter((name) => !integers.includes(name) && !plain.includes(name))) {
      const { shape, values } = inputs[name]!;
      for (const place of new Set([0, values.length - 1])) {
        for (const odd of Object.keys(ODD_BITS) as Oddity["name"][]) {
          const changed = numbers[name]!.slice();
          new Uint32Array(changed.buffer)[place] = ODD_BITS[odd];
          oddities.push({
            name: odd,
            inputs: { ...inputs, [name]: { shape, values: values.with(place, changed[place]!) } },
            results: await run({ ...numbers, [name]: changed }),
          });
        }
      }
    }
    return { first, second, oddities };
  } finally {
    compiled.dispose();
  }
}

/** A NaN or an infinity that a kernel hides, or answers wrongly; null: none. */
function oddProblem(
  kernel: string,
  { given, oddities, tolerance }: { given: Case; oddities: readonly Oddity[]; tolerance: number },
): string | null {
  for (const { name, inputs, results } of oddities) {
    if (given.orders?.includes(kernel) && /NaN/.test(name)) continue;
    const expected = given.expected(inputs)[kernel]!.values, actual = results[kernel]!.values;
    const scale = expected.reduce((most, value) => Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most, 1);
    for (const [i, value] of expected.entries()) {
      const found = actual[i]!;
      if (!Number.isFinite(value) && Number.isFinite(found)) return `it hides ${name}: it gives ${found}`;
      const isClose = Math.abs(found - value) <= tolerance * scale || (given.spreads && !Number.isFinite(found));
      if (Number.isFinite(value) && !isClose) return `with ${name} in an input it gives ${found} instead of ${value}`;
    }
  }
  return null;
}

function compare(
  kernel: string,
  { first, second, expected, tolerance }: { first: Results; second: Results; expected: Values; tolerance: number },
): KernelCheck {
  const actual = first[kernel], again = second[kernel];
  if (!actual || !again) return { kernel, ok: false, relativeError: null, problem: "it gave no result" };
  if (String(actual.shape) !== String(expected.shape)) {
    const problem = `its shape is [${actual.shape}] instead of [${expected.shape}]`;
    return { kernel, ok: false, relativeError: null, problem };
  }
  const relativeError = relativeErrorOf(actual.values, expected);
  if (!(relativeError <= tolerance)) {
    return { kernel, ok: false, relativeError, problem: "its values are wrong" };
  }
  const same = actual.values.every((value, i) => Object.is(value, again.values[i]));
  return same
    ? { kernel, ok: true, relativeError }
    : { kernel, ok: false, relativeError, problem: "a second run gave other bytes" };
}

/** max |actual - expected| / max |expected|; infinite if a value is NaN or infinite where another is expected. */
function relativeErrorOf(actual: Float32Array, { values }: Values): number {
  let error = 0, scale = 0;
  values.forEach((value, i) => {
    const difference = Object.is(actual[i], value) ? 0 : Math.abs(actual[i]! - value);
    error = Math.max(error, Number.isNaN(difference) ? Infinity : difference);
    scale = Math.max(scale, Math.abs(value));
  });
  return error === 0 ? 0 : error / Math.max(scale, Number.MIN_VALUE);
}

function adviceFor(engine: Engine, failed: readonly KernelCheck[]): string[] {
  if (failed.length === 0) return [];
  const advice: string[] = [];
  const missing = failed.filter(({ problem }) =>
    /not (yet implemented|found)|Cannot find registered/i.test(problem ?? "")
  );
  const unsteady = failed.filter(({ problem }) => /other bytes/.test(problem ?? ""));
  if (engine.name === "wasm") {
    advice.push(
      "Remove node_modules and run `deno install`: engine wasm is plain npm code and gives the same bytes everywhere",
    );
  } else if (engine.name === "onednn") {
    advice.push(
      "Install a fresh copy (`deno task engine install`, after removing the folder of the library above) and unset REQUANT_ONEDNN",
      "Try ONEDNN_MAX_CPU_ISA=AVX2: if that cures it, the kernels for this processor's newer instructions are at fault",
      "Meanwhile run with --engine tensorflow or wasm",
    );
  } else {
    advice.push(
      "Install a fresh copy (`deno task engine install`, after removing the folder of the library above) and unset REQUANT_LIBTENSORFLOW",
      "Try TF_ENABLE_ONEDNN_OPTS=0: if that cures it, this processor's oneDNN kernels are at fault",
      "Meanwhile run with --engine wasm, which needs no native library",
    );
  }
  if (missing.length) {
    advice.push(
      `The library lacks ${missing.map(({ kernel }) => kernel).join(", ")}: take ${
        engine.name === "onednn" ? "oneDNN 3.2" : "version 2.21"
      }`,
    );
  }
  if (unsteady.length) advice.push("Run on one thread: results of several threads depend on their order");
  advice.push("If it stays, report it with the output of `deno task engine doctor --json`");
  return advice;
}

/** The report for people, one line per element. */
export function formatReport(report: DoctorReport): string[] {
  const width = Math.max(...report.checks.map(({ kernel }) => kernel.length));
  const failures = report.checks.filter((check) => !check.ok).length;
  return [
    `${report.engine}: ${report.description}`,
    `device ${report.device}, threads ${report.threads}, ` +
    Object.entries(report.versions).map(([name, version]) => `${name} ${version}`).join(", "),
    "",
    ...report.checks.map(({ kernel, ok, relativeError, problem }) =>
      `${ok ? "ok    " : "FAILED"}  ${kernel.padEnd(width)}  ${relativeError?.toExponential(1) ?? ""}` +
      (problem ? `  ${problem}` : "")
    ),
    "",
    ...report.speed.map(({ what, gigaflopsPerSecond }) => `${what}: ${gigaflopsPerSecond.toFixed(1)} GFLOP/s`),
    failures === 0
      ? `All ${report.checks.length} results are right (relative error at most ${report.tolerance})`
      : `${failures} of ${report.checks.length} results are wrong`,
    ...report.advice.map((sentence) => `- ${sentence}`),
  ];
}
