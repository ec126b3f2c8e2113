import { createHash } from "node:crypto";
import { z } from "zod";
import { type EngineName, PRECISION_ENGINES } from "../engine/types.ts";
import { InputError } from "../errors.ts";

/** The protocols: how much of a paper's recipe is run. */
export const PROTOCOLS = ["smoke", "reduced", "full", "paper"] as const;
/** One of them. */
export type BaseProtocol = typeof PROTOCOLS[number];

/**
 * A protocol, or one that was changed: `paper-20` has 20 epochs, `paper-from-0123abcd` starts from an imported
 * network whose run id begins so. A changed one has cells of its own, as its name is another one. `imported` is the protocol
 * of such a network itself, which was not trained here.
 */
export type ProtocolName =
  | BaseProtocol
  | "imported"
  | `${BaseProtocol}-${number}`
  | `${BaseProtocol}-from-${string}`
  | `${BaseProtocol}-${number}-from-${string}`;

/** A protocol as reports name it: runs that multiply otherwise than in float32 have cells of their own, `reduced-on-onednn`. */
export type ProtocolLabel = ProtocolName | `${ProtocolName}-on-${string}`;

/** Protocol of a network that was trained elsewhere. */
export const IMPORTED = "imported";

const PROTOCOL_NAME = new RegExp(`^(${PROTOCOLS.join("|")})(?:-([1-9]\\d{0,5}))?(?:-from-([0-9a-f]{8}))?$`);
const ON = "-on-";

/** Parts of a protocol's label; null: not changed so. */
export interface ProtocolParts {
  readonly base: BaseProtocol | "imported";
  readonly epochs: number | null;
  readonly start: string | null;
  /** Engine, or precision, that multiplies otherwise than in float32. */
  readonly engine: string | null;
}

/** The parts of a protocol's label. */
export function partsOfProtocol(label: ProtocolLabel): ProtocolParts {
  const [name, engine = null] = label.split(ON);
  if (name === IMPORTED) return { base: name, epochs: null, start: null, engine };
  const [, base, epochs, start = null] = PROTOCOL_NAME.exec(name!)!;
  return { base: base as BaseProtocol, epochs: epochs === undefined ? null : Number(epochs), start, engine };
}

/** The protocol of a label, whatever the engine. */
export function protocolOf(label: ProtocolLabel): ProtocolName {
  return label.split(ON)[0] as ProtocolName;
}

/** The protocol that a changed one was made from. */
export function baseOf(label: ProtocolLabel): BaseProtocol | "imported" {
  return partsOfProtocol(label).base;
}

/** True if nothing of that protocol was changed; the engine may be any. */
export function isWhole(label: ProtocolLabel, protocol: BaseProtocol): boolean {
  const { base, epochs, start } = partsOfProtocol(label);
  return base === protocol && epochs === null && start === null;
}

/** Labels the protocol of a run: engine `onednn` multiplies in integers, and a precision is another one than float32. */
export function protocolLabel(
  { protocol, engine, precision }: Pick<RunSpec, "protocol" | "engine" | "precision">,
): ProtocolLabel {
  const other = precision ?? (engine === "onednn" ? engine : null);
  return other !== null && protocol !== IMPORTED ? `${protocol}${ON}${other}` : protocol;
}

const protocolSchema = z.custom<ProtocolName>(
  (value) => typeof value === "string" && (value === IMPORTED || PROTOCOL_NAME.test(value)),
  `must be one of ${PROTOCOLS.join(", ")}, or a changed one such as paper-20`,
);

const count = z.int().nonnegative();

/** A name that is safe in a path, a terminal and a table. */
export const nameSchema = z.string().regex(/^[\w.@-]{1,100}$/, "must be made of letters, digits and _ . @ -");

/** Name of a data set: a colon separates a family from its member, as in `folder:flowers@64`. */
const datasetNameSchema = z.string().regex(
  /^[\w.@:-]{1,100}$/,
  "must be made of letters, digits and _ . @ : -",
);

const RUN_ID = /^[0-9a-f]{16}$/;

/** Tells if a text can be a run's id, and so a folder's name. */
export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}

/** Network that was trained elsewhere, of the protocol `imported`. */
export interface ImportedNetwork {
  /** SHA-256 of its file. */
  readonly sha256: string;
  /** True: its classifier starts anew. */
  readonly newHead: boolean;
}

/** Images of a run. */
export interface RunDataset {
  /** Name of a data set in `datasets/mod.ts`, or of a family's member such as `folder:flowers@64`. */
  readonly name: string;
  /** Number of training images used, after `heldOut` were taken away; null: all. */
  readonly trainExamples: number | null;
  /** Number of training images held out for choosing hyper-parameters. */
  readonly heldOut: number;
  /** Number of test images evaluated; null: all. */
  readonly testExamples: number | null;
  /** Share of the training images whose label is used, each class equally often; left out: all. */
  readonly labelledFraction?: number | undefined;
  /** Images the run is evaluated on: `heldOut` for choosing hyper-parameters, `test` for a table. */
  readonly evaluateOn: "test" | "heldOut";
}

/** Quantizer of a run, and its bits. */
export interface RunQuantization {
  /** Name in `QUANTIZERS`. */
  readonly quantizer: string;
  /** Raised when the code changes what this quantizer computes, as `recipe.version` is for all runs; left out: 1. */
  readonly quantizerRevision?: number | undefined;
  /** Bits of a weight, 1 to 8. */
  readonly weightBits: number;
  /** Bits of a layer's input, 1 to 8. */
  readonly activationBits: number;
  /** Bits of the first and the last layer, weights and activations. */
  readonly firstLastBits: number;
  /** Training images that calibration looks at. */
  readonly calibrationExamples: number;
}

/** Recipe of a training; epochs, batch size and learning rate are 0 only for an imported network. */
export interface RunRecipe {
  /** Raised when the code changes what a run computes: old records are kept but no longer shown. */
  readonly version: number;
  /** Passes over the training images. */
  readonly epochs: number;
  /** Images in a step. */
  readonly batchSize: number;
  /** Peak learning rate, after the warm-up. */
  readonly learningRate: number;
  /** Momentum of stochastic gradient descent. */
  readonly momentum: number;
  /** On convolution and dense weights, and on what a quantizer or a method says of its own: PACT's clipping, MEC's gate. */
  readonly weightDecay: number;
  /** Linear from 0; then cosine to 0 at the end of the last epoch. */
  readonly warmupEpochs: number;
  /** Change of the training images. */
  readonly augmentation: "none" | "crop_flip";
}

/**
 * Everything that determines a run's numbers, as plain JSON. Same spec, same id, never run twice.
 *
 * It says what is computed, not who asks: it names no paper, so tables of several papers share their FP and LSQ runs.
 */
export interface RunSpec {
  /** Version of this form. */
  readonly schema: 1;
  /** Name of the protocol. */
  readonly protocol: ProtocolName;
  /** Row of a table: one label for one method with its options, such as `lsq` or `fpq`. */
  readonly arm: string;
  /** Name in `METHODS`, and the options that differ from its defaults or repeat them. */
  readonly method: { readonly name: string; readonly options: Record<string, number | string | boolean> };
  /** Name in `MODELS`. */
  readonly model: string;
  /** Images that it is trained and evaluated on. */
  readonly dataset: RunDataset;
  /** Null: full precision. */
  readonly quantization: RunQuantization | null;
  /** Training around the method. */
  readonly recipe: RunRecipe;
  /** Seed of everything that is drawn. */
  readonly seed: number;
  /** Engine that computes it: a flipped rounding parts two. */
  readonly engine: EngineName;
  /** Precision of convolutions; left out: float32, as in all runs before December 2026. */
  readonly precision?: keyof typeof PRECISION_ENGINES | undefined;
  /** Id of the full-precision run that this run starts from. */
  readonly teacher: string | null;
  /** Network of the protocol `imported`; left out: none. */
  readonly imported?: ImportedNetwork | undefined;
}

/** Rule of a SHA-256 in hex digits. */
export const sha256Schema: z.ZodType<string> = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256: 64 hex digits");

/** Rules of a spec. */
export const runSpecSchema: z.ZodType<RunSpec> = z.strictObject({
  schema: z.literal(1),
  protocol: protocolSchema,
  arm: nameSchema,
  method: z.strictObject({
    name: nameSchema,
    options: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  }),
  model: nameSchema,
  dataset: z.strictObject({
    name: datasetNameSchema,
    trainExamples: count.nullable(),
    heldOut: count,
    testExamples: count.nullable(),
    labelledFraction: z.number().gt(0).lt(1).optional(),
    evaluateOn: z.enum(["test", "heldOut"]),
  }),
  quantization: z.strictObject({
    quantizer: nameSchema,
    quantizerRevision: z.int().min(2).optional(),
    weightBits: z.int().min(1).max(8),
    activationBits: z.int().min(1).max(8),
    firstLastBits: z.int().min(1).max(8),
    calibrationExamples: z.int().positive(),
  }).nullable(),
  recipe: z.strictObject({
    version: z.int().positive(),
    epochs: count,
    batchSize: count,
    learningRate: z.number().nonnegative(),
    momentum: z.number().min(0).max(1),
    weightDecay: z.number().nonnegative(),
    warmupEpochs: z.number().nonnegative(),
    augmentation: z.enum(["none", "crop_flip"]),
  }),
  seed: count,
  engine: z.enum(["onednn", "tensorflow", "wasm"]),
  precision: z.enum(["tf32", "bf16"]).optional(),
  teacher: z.string().regex(RUN_ID, "must be 16 hex digits, the id of a run").nullable(),
  imported: z.strictObject({
    sha256: sha256Schema,
    newHead: z.boolean(),
  }).optional(),
}).superRefine(({ protocol, imported, recipe, engine, precision }, context) => {
  if (precision !== undefined && engine !== PRECISION_ENGINES[precision]) {
    context.addIssue({
      code: "custom",
      path: ["precision"],
      message: `must be left out, as only engine ${PRECISION_ENGINES[precision]} has it`,
    });
  }
  if ((protocol === IMPORTED) !== (imported !== undefined)) {
    context.addIssue({ code: "custom", path: ["imported"], message: `must be there exactly for protocol ${IMPORTED}` });
  }
  for (const name of ["epochs", "batchSize", "learningRate"] as const) {
    if ((recipe[name] === 0) !== (imported !== undefined)) {
      const message = imported === undefined ? "must be above 0" : "must be 0, as nothing is trained";
      context.addIssue({ code: "custom", path: ["recipe", name], message });
    }
  }
});

/** A spec and its id. */
export interface PlannedRun {
  /** `runId` of the spec. */
  readonly id: string;
  /** Everything that determines its numbers. */
  readonly spec: RunSpec;
}

/** Describes a run in a few words, such as `lsq resnet20 W2A4 seed 0`. */
export function describeRun({ arm, model, quantization, seed }: RunSpec): string {
  const bits = quantization === null ? "" : ` W${quantization.weightBits}A${quantization.activationBits}`;
  return `${arm} ${model}${bits} seed ${seed}`;
}

/** JSON with sorted keys and no spaces: equal values, equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** Takes the SHA-256 of a value's canonical JSON, in hex digits. */
export function contentSha256(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}

/** Computes the content id of a spec: the first 16 hex digits of its SHA-256. */
export function runId(spec: RunSpec): string {
  return contentSha256(spec).slice(0, 16);
}

/**
 * Checks a spec that came from outside.
 * @throws {InputError} If it does not fit the schema; the message names the first fault with its path.
 */
export function parseRunSpec(value: unknown, source: string): RunSpec {
  const result = runSpecSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new InputError(`Cannot read the run spec in ${source} as ${issue.path.join(".") || "it"}: ${issue.message}`);
}
