import { InputError } from "../errors.ts";
import {
  type BaseProtocol,
  IMPORTED,
  partsOfProtocol,
  type ProtocolLabel,
  type ProtocolName,
  protocolOf,
  type RunSpec,
} from "../record/spec.ts";
import type { Bits } from "./bits.ts";

/** Options that `deno task dev:tune` chooses: FPQ's weight of CSD, CR's of the consistency, MEC's of the coding length. */
export type TunedOption = "csdWeight" | "weight" | "beta";

/** Size and recipe of the runs. Everything here that differs from a paper's is printed as a deviation. */
export interface Protocol {
  readonly name: ProtocolName;
  readonly seeds: readonly number[];
  /** Models in place of the table's; null: the paper's own. */
  readonly models: readonly string[] | null;
  /** Bits that are run, of those that a table has; null: all. */
  readonly bits: readonly Bits[] | null;
  /** Data sets whose tables are run; others only if `--table` names them. Left out: all. */
  readonly datasets?: readonly string[];
  readonly dataset: Omit<RunSpec["dataset"], "name">;
  readonly fullPrecision: RunSpec["recipe"];
  readonly quantized: RunSpec["recipe"];
  /** Values that were chosen on held-out images, by option; left out: the arms' own values. */
  readonly chosen?: Readonly<Record<TunedOption, number>>;
  readonly calibrationExamples: number;
  /** Sentences that are printed under every table of this protocol. */
  readonly deviations: readonly string[];
}

/**
 * The protocol with `epochs` for its quantized runs, and everything else of its schedules in proportion.
 * @throws {InputError} If that is what it has.
 */
export function withEpochs(protocol: Protocol, epochs: number): Protocol {
  const { name, fullPrecision, quantized, deviations } = protocol;
  if (epochs === quantized.epochs) {
    throw new InputError(
      `Cannot give protocol ${name} ${epochs} epochs as its quantized runs have ${epochs}: leave --epochs out`,
    );
  }
  const long = scaledRecipe(fullPrecision, Math.max(1, Math.round(fullPrecision.epochs * epochs / quantized.epochs)));
  return {
    ...protocol,
    name: `${name as BaseProtocol}-${epochs}`,
    fullPrecision: long,
    quantized: scaledRecipe(quantized, epochs),
    deviations: [
      `${
        epochs < quantized.epochs ? "Shortened" : "Lengthened"
      } by --epochs ${epochs}: ${epochs} epochs quantized in ` +
      `place of ${quantized.epochs} and ${long.epochs} in full precision in place of ${fullPrecision.epochs}, with warm-up ` +
      "and learning rate in proportion; ramps that a method has of its own keep their epochs",
      ...deviations,
    ],
  };
}

function scaledRecipe(recipe: RunSpec["recipe"], epochs: number): RunSpec["recipe"] {
  return { ...recipe, epochs, warmupEpochs: recipe.warmupEpochs * epochs / recipe.epochs };
}

/** The protocol of that name, changed as the name says. */
export function protocolNamed(protocols: Readonly<Record<BaseProtocol, Protocol>>, name: ProtocolName): Protocol {
  const { base, epochs, start } = partsOfProtocol(name);
  if (base === IMPORTED) throw new RangeError(`Cannot plan protocol ${base} as nothing is trained in it`);
  const protocol = epochs === null ? protocols[base] : withEpochs(protocols[base], epochs);
  if (start === null) return protocol;
  return {
    ...protocol,
    name,
    deviations: [
      `Quantized runs start from the imported network of run ${start}, which is the same for every seed, in place of full ` +
      "precision of this protocol",
      ...protocol.deviations,
    ],
  };
}

/** Deviations by the label of each protocol that is given. */
export function deviationsOf(
  protocols: Readonly<Record<BaseProtocol, Protocol>>,
  labels: Iterable<ProtocolLabel>,
): Record<string, readonly string[]> {
  return Object.fromEntries(Array.from(labels, (label) => {
    return [label, protocolNamed(protocols, protocolOf(label)).deviations];
  }));
}

/** Precisions in a protocol's label: words for people, and options of `deno task bench`. */
const PRECISIONS: Readonly<Record<string, readonly [words: string, options: string]>> = {
  tf32: ["in TF32", "--precision tf32"],
  bf16: ["on engine onednn, gradients in BF16", "--engine onednn --precision bf16"],
};

/** A protocol for people: `paper, 20 epochs, on engine onednn`. */
export function protocolTitle(label: ProtocolLabel): string {
  const { base, epochs, start, engine } = partsOfProtocol(label);
  return [
    base,
    ...(epochs === null ? [] : [`${epochs} epochs`]),
    ...(start === null ? [] : [`from imported network ${start}`]),
    ...(engine === null ? [] : [PRECISIONS[engine]?.[0] ?? `on engine ${engine}`]),
  ].join(", ");
}

/** The protocol's name for runs that start from the imported network `id`. */
export function startedProtocol(name: ProtocolName, id: string): ProtocolName {
  return `${name as BaseProtocol}-from-${id.slice(0, 8)}`;
}

/** Options of `deno task bench` that give the protocol. */
export function protocolFlags(label: ProtocolLabel): string {
  const { base, epochs, start, engine } = partsOfProtocol(label);
  return [
    `--protocol ${base}`,
    ...(epochs === null ? [] : [`--epochs ${epochs}`]),
    ...(start === null ? [] : ["--teachers DIR"]),
    ...(engine === null ? [] : [PRECISIONS[engine]?.[1] ?? `--engine ${engine}`]),
  ].join(" ");
}
