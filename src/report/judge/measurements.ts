/** Measurements of finished runs: the numbers and lines of each kind. */
import { InputError } from "../../errors.ts";
import type { MeasuredValues, Measurement } from "../../record/measurement.ts";
import { difference } from "./statistics/basics.ts";

/** A number of one measurement. */
export interface Quantity {
  readonly title: string;
  readonly value: number;
  /** Standard error of the measurement itself; null: not known. */
  readonly error: number | null;
}

/** A line of a figure. */
export interface Series {
  /** Quantity that it shows, such as `noise on features`. */
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly error: number | null }[];
  /** Width of a bar, where the points are the middles of a histogram's bars; left out: they are a line. */
  readonly barWidth?: number;
}

function quantity(title: string, value: number, error: number | null = null): Quantity {
  return { title, value, error };
}

interface Kind {
  readonly title: string;
  readonly quantities: (measurement: Measurement) => Quantity[];
  readonly series: (measurement: Measurement) => Series[];
}

/** Lists of `step_sizes` and their titles. */
const STEP_SIZES = [["weights", "Weights, mean of the channels"], ["inputs", "Inputs"]] as const;

/** A number of a measurement. @throws {InputError} If it has none of that name. */
export function numberOf(values: Measurement["options"] | MeasuredValues, name: string): number {
  const value = values[name];
  if (typeof value === "number") return value;
  throw new InputError(`Cannot show a measurement as its values have no number "${name}": measure again`);
}

function listOf(values: Measurement["options"] | MeasuredValues, name: string): readonly number[] {
  const value = values[name];
  if (Array.isArray(value)) return value;
  throw new InputError(`Cannot show a measurement as it has no list "${name}": measure again`);
}

/** A list beside its errors, if there are any. */
function points(x: readonly number[], values: MeasuredValues, name: string): Series["points"] {
  const error = values[`${name}Error`];
  return listOf(values, name).map((y, i) => ({ x: x[i]!, y, error: Array.isArray(error) ? error[i]! : null }));
}

/** As many as the levels of 4 bits: the narrow channels are those of the first bar. */
const SHARE_BARS = 16;

/** Percent of the shares, in ]0, 1], in each of so many equal parts, upper ends included. */
function histogram(shares: readonly number[], bars: number): Series["points"] {
  const counts = new Array<number>(bars).fill(0);
  for (const share of shares) counts[Math.max(0, Math.ceil(share * bars) - 1)]!++;
  return counts.map((count, i) => ({ x: (i + 0.5) / bars, y: 100 * count / shares.length, error: null }));
}

function ofLargest({ options, values }: Measurement, name: string): { value: number; error: number | null } {
  const { y, error } = points(listOf(options, "sigmas"), values, name).at(-1)!;
  return { value: y, error };
}

function largest(measurement: Measurement): number {
  return listOf(measurement.options, "sigmas").at(-1)!;
}

const FRACTIONS: Readonly<Record<number, string>> = { 0.125: "1/8", 0.03125: "1/32" };

const KINDS: Readonly<Record<string, Kind>> = {
  hessian_trace: {
    title: "Trace of the Hessian",
    quantities: ({ values }) => [
      quantity("Tr H", numberOf(values, "trace"), numberOf(values, "standardError")),
      quantity(
        "Tr H by relative weights",
        numberOf(values, "relativeTrace"),
        numberOf(values, "relativeStandardError"),
      ),
    ],
    series: ({ epochs }) =>
      epochs.length === 0 ? [] : [{
        title: "Tr H",
        xTitle: "Epoch",
        yTitle: "Trace of the Hessian",
        points: epochs.map(({ epoch, values }) => ({
          x: epoch,
          y: numberOf(values, "trace"),
          error: numberOf(values, "standardError"),
        })),
      }],
  },
  output_variance: {
    title: "Output variance under Gaussian input noise",
    quantities: (measurement) => {
      const { value, error } = ofLargest(measurement, "logits"), clean = numberOf(measurement.values, "cleanLogits");
      const sigma = largest(measurement);
      return [
        { title: `Softmax, σ = ${sigma}`, ...ofLargest(measurement, "softmax") },
        quantity(`Logits, σ = ${sigma}`, value, error),
        {
          title: `Logits / clean variance, σ = ${sigma}`,
          value: value / clean,
          error: error === null ? null : error / clean,
        },
      ];
    },
    series: ({ options, values }) =>
      (["softmax", "logits"] as const).map((title) => ({
        title,
        xTitle: "σ of the input noise",
        yTitle: "Variance of the output",
        points: points(listOf(options, "sigmas"), values, title),
      })),
  },
  noise_gradient_norm: {
    title: "Gradient norm under noise on features and on weights",
    quantities: (measurement) => [
      { title: `On features, σ = ${largest(measurement)}`, ...ofLargest(measurement, "features") },
      { title: `On weights, σ = ${largest(measurement)}`, ...ofLargest(measurement, "weights") },
      quantity("Without noise", numberOf(measurement.values, "clean")),
    ],
    series: ({ options, values }) =>
      (["features", "weights"] as const).map((name) => ({
        title: `noise on ${name}`,
        xTitle: "σ, relative to the tensor",
        yTitle: "Norm of the gradient",
        points: points(listOf(options, "sigmas"), values, name),
      })),
  },
  feature_coding: {
    title: "Coding length and effective rank of test features",
    quantities: ({ options, values }) => [
      ...points(listOf(options, "distortions"), values, "codingLengths").map(({ x, y, error }) => ({
        title: `Coding length, eps_d = ${FRACTIONS[x] ?? x}`,
        value: y,
        error,
      })),
      quantity("Effective rank", numberOf(values, "effectiveRank")),
      quantity("Effective rank, centred", numberOf(values, "centredEffectiveRank")),
    ],
    series: ({ values }) =>
      (["spectrum", "centredSpectrum"] as const).map((name) => ({
        title: name === "spectrum" ? "features" : "centred features",
        xTitle: "Place, from the largest",
        yTitle: "Eigenvalue",
        points: listOf(values, name).map((y, i) => ({ x: i + 1, y, error: null })),
      })),
  },
  norm_recalibration: {
    title: "Accuracy with batch norm's statistics taken again",
    quantities: ({ values }) => {
      const again = numberOf(values, "recalibratedTop1Percent"), running = numberOf(values, "top1Percent");
      return [
        quantity("Top-1 %, taken again", again),
        quantity("Change, points", difference(again, running)),
        quantity("Change of the loss", difference(numberOf(values, "recalibratedLoss"), numberOf(values, "loss"))),
      ];
    },
    series: () => [],
  },
  unaveraged: {
    title: "Accuracy of the network that training updated, where an average is evaluated",
    quantities: ({ values }) => {
      const own = numberOf(values, "unaveragedTop1Percent"), evaluated = numberOf(values, "top1Percent");
      return [
        quantity("Top-1 %, evaluated", evaluated),
        quantity("Top-1 %, without averaging", own),
        quantity("Averaging gains, points", difference(evaluated, own)),
      ];
    },
    series: () => [],
  },
  level_span: {
    title: "How much of its levels a weight's channel takes",
    quantities: ({ values }) => {
      const first = listOf(values, "first"), others = listOf(values, "others");
      return [
        quantity("First layer, channels below 1/16", first.filter((share) => share < 1 / 16).length),
        quantity("First layer, channels", first.length),
        quantity("First layer, least share", Math.min(...first)),
        quantity("Other layers, least share", Math.min(...others)),
      ];
    },
    // full precision has no levels
    series: ({ values, spec }) =>
      (spec.quantization === null ? [] : ["first", "others"] as const).map((name) => ({
        title: name === "first" ? "first layer" : "other layers",
        xTitle: "Share of its levels that a channel takes",
        yTitle: "Percent of the channels",
        points: histogram(listOf(values, name), SHARE_BARS),
        barWidth: 1 / SHARE_BARS,
      })),
  },
  edge_share: {
    title: "How many weights lie near a rounding edge",
    quantities: ({ options, values }) => [
      quantity(`Weights within ${numberOf(options, "distance")} steps of an edge, %`, 100 * numberOf(values, "share")),
      quantity("Evenly spread weights would have, %", 200 * numberOf(options, "distance")),
    ],
    // full precision has no edges
    series: ({ values }) => {
      const points = listOf(values, "layers").map((share, i) => ({ x: i + 1, y: 100 * share, error: null }));
      const titles = { title: "weights", xTitle: "Layer, from the input", yTitle: "Percent near an edge" };
      return points.length === 0 ? [] : [{ ...titles, points }];
    },
  },
  step_sizes: {
    title: "Step sizes by layer",
    // full precision has none
    quantities: ({ values }) => [quantity("Layers with a step size", listOf(values, "inputs").length)],
    series: ({ values }) =>
      STEP_SIZES.map(([name, title]) => ({
        title,
        xTitle: "Layer, from the input",
        yTitle: "Step size",
        points: listOf(values, name).map((y, i) => ({ x: i + 1, y, error: null })),
      })).filter(({ points }) => points.length > 0),
  },
};

/** @throws {InputError} If no measurement of that name can be shown. */
export function kindOf(name: string): Kind {
  const found = KINDS[name];
  if (found) return found;
  throw new InputError(
    `Cannot show measurement "${name}" as it is not known: choose one of ${Object.keys(KINDS).join(", ")}`,
  );
}

/** The lines of a measurement's figure; none where there is nothing to draw. */
export function seriesOf(measurement: Measurement): Series[] {
  return kindOf(measurement.name).series(measurement);
}

/** A value and its error with as many digits as tell something: `1365 ± 150`. */
export function withError(value: number, error: number | null): string {
  const text = (number: number, digits: number) =>
    Math.abs(number) >= 1e5 || (number !== 0 && Math.abs(number) < 1e-4)
      ? number.toExponential(digits - 1)
      : String(Number(number.toPrecision(digits)));
  return error === null ? text(value, 4) : `${text(value, 4)} ± ${text(error, 2)}`;
}

/** The first number of a measurement, as text. */
export function headline(measurement: Measurement): { title: string; text: string } {
  const { title, value, error } = kindOf(measurement.name).quantities(measurement)[0]!;
  return { title, text: withError(value, error) };
}
