/** What each measurement's values mean: the numbers of its table and the lines of its figure. */
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
  /** What it shows, such as `noise on features`. */
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly error: number | null }[];
}

interface Kind {
  readonly title: string;
  readonly quantities: (measurement: Measurement) => Quantity[];
  readonly series: (measurement: Measurement) => Series[];
}

function numberOf(values: MeasuredValues, name: string): number {
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
      { title: "Tr H", value: numberOf(values, "trace"), error: numberOf(values, "standardError") },
      {
        title: "Tr H by relative weights",
        value: numberOf(values, "relativeTrace"),
        error: numberOf(values, "relativeStandardError"),
      },
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
        { title: `Logits, σ = ${sigma}`, value, error },
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
      { title: "Without noise", value: numberOf(measurement.values, "clean"), error: null },
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
      { title: "Effective rank", value: numberOf(values, "effectiveRank"), error: null },
      { title: "Effective rank, centred", value: numberOf(values, "centredEffectiveRank"), error: null },
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
        { title: "Top-1 %, taken again", value: again, error: null },
        { title: "Change, points", value: difference(again, running), error: null },
        {
          title: "Change of the loss",
          value: difference(numberOf(values, "recalibratedLoss"), numberOf(values, "loss")),
          error: null,
        },
      ];
    },
    series: () => [],
  },
  unaveraged: {
    title: "Accuracy of the network that training updated, where an average is evaluated",
    quantities: ({ values }) => {
      const own = numberOf(values, "unaveragedTop1Percent"), evaluated = numberOf(values, "top1Percent");
      return [
        { title: "Top-1 %, evaluated", value: evaluated, error: null },
        { title: "Top-1 %, without averaging", value: own, error: null },
        { title: "Averaging gains, points", value: difference(evaluated, own), error: null },
      ];
    },
    series: () => [],
  },
  level_span: {
    title: "How much of its levels a weight's channel takes",
    quantities: ({ values }) => {
      const first = listOf(values, "first"), others = listOf(values, "others");
      return [
        {
          title: "First layer, channels below 1/16",
          value: first.filter((share) => share < 1 / 16).length,
          error: null,
        },
        { title: "First layer, channels", value: first.length, error: null },
        { title: "First layer, least share", value: Math.min(...first), error: null },
        { title: "Other layers, least share", value: Math.min(...others), error: null },
      ];
    },
    series: ({ values }) =>
      (["first", "others"] as const).map((name) => ({
        title: name === "first" ? "first layer" : "other layers",
        xTitle: "Channel, from the smallest share",
        yTitle: "Share of the levels",
        points: [...listOf(values, name)].sort((a, b) => a - b).map((y, i) => ({ x: i + 1, y, error: null })),
      })),
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

/** A measurement's name for people. */
export function measurementTitle(name: string): string {
  return kindOf(name).title;
}

/** The lines of a measurement's figure; none where there is nothing to draw. */
export function seriesOf(measurement: Measurement): Series[] {
  return kindOf(measurement.name).series(measurement);
}
