/** Text of `deno task verify` about a file, for a terminal of 80 columns. */
import type { RunComparison } from "../export/compare_run.ts";
import type { OnnxFile } from "../export/onnx_file.ts";
import type { Verification } from "../export/verify.ts";
import { counted } from "../report/labels.ts";
import { columns } from "./columns.ts";

/** At most so many images of another class are listed. */
const SHOWN_IMAGES = 10;

/** Describes the contents and the accuracy of a file; with `detailed` each layer too. */
export function summary(
  { path, file, cardSha256, dataset, recorded, detailed }: {
    path: string;
    file: OnnxFile;
    cardSha256: string | null;
    dataset: string;
    recorded: number | null;
    detailed: boolean;
  },
  found: Verification,
): string {
  const { layers, different, images } = found, integer = layers.filter(({ weight, input }) => weight && input);
  const millions = (of: typeof layers) =>
    (of.reduce((sum, { multiplications }) => sum + multiplications, 0) / 1e6).toFixed(2);
  const bytes = layers.reduce((sum, { weight }) => sum + (weight?.bytes ?? 0), 0);
  const known = cardSha256 === null ? ", which no card beside it states" : " as its card states";
  const record = recorded === null ? "no record" : `record: ${recorded.toFixed(2)} %`;
  const milliseconds = (1000 * found.seconds / images).toFixed(2);
  return [
    path,
    `  ${file.bytes.length} bytes, opset ${file.opset}, SHA-256${known}:`,
    `  ${file.sha256}`,
    `  ${dataset}: ${found.top1Percent.toFixed(2)} % of ${images} test images (${record}), loss ${
      found.loss.toFixed(4)
    }`,
    `  ${found.runtime}, ${milliseconds} ms an image`,
    different === null
      ? "  The classes of our own evaluation are not known"
      : `  ${different.length} of ${images} images get another class than by our own evaluation`,
    `  ${integer.length} of ${layers.length} layers compute with integers (${bytes} bytes of weights):`,
    `  ${millions(integer)} of ${millions(layers)} million multiply-accumulates (MACs) an image`,
    ...(detailed ? layerTable(layers) : []),
    ...(different ?? []).slice(0, SHOWN_IMAGES).map(({ image, theirs, ours, margin }) =>
      `  Image ${image}: class ${theirs}, by our own evaluation ${ours}; best logit ${margin.toFixed(4)} above the next`
    ),
    ...(different !== null && different.length > SHOWN_IMAGES
      ? [`  and ${different.length - SHOWN_IMAGES} more images of another class`]
      : []),
    "",
  ].join("\n");
}

function layerTable(layers: Verification["layers"]): string[] {
  const rows = layers.map(({ name, weight, input, multiplications }) => [
    name,
    operandText(weight),
    String(weight?.levels ?? ""),
    operandText(input),
    String(multiplications),
  ]);
  return [
    "",
    ...indented([["layer", "weight", "levels", "input", "MACs"], ...rows], new Set([2, 4])),
    "  weight, input: bits and what shares a scale; zp: zero point; levels: in use",
    "",
  ];
}

/** Lays rows out in columns, two spaces from the edge. */
function indented(rows: readonly string[][], right: ReadonlySet<number>): string[] {
  return columns(rows, right).map((line) => `  ${line}`);
}

function operandText(operand: Verification["layers"][number]["input"]): string {
  if (!operand) return "float";
  const { bits, symmetric, granularity } = operand;
  return `${bits} per ${granularity}${symmetric ? "" : ", zp"}`;
}

/** Compares the integers of the file with those of the run that it was exported from. */
export function comparisonText({ engine, images, layers, firstOf }: RunComparison): string {
  const rows = layers.map(({ path, integers, first, ties, later, farthest }) => [
    path,
    ...[integers, first, ties, later].map(String),
    farthest.toExponential(1),
  ]);
  const head = ["layer", "integers", "differ", "ties", "later", "farthest"];
  return [
    `  Integers of each layer's input on ${counted(images, "image")}: ONNX Runtime's beside those of`,
    `  ${engine}`,
    "",
    ...indented([head, ...rows], new Set([1, 2, 3, 4, 5])),
    "  differ: first in this layer; ties: of these, by rounding ties; later: after an",
    "  earlier layer; farthest: from a rounding edge, in steps",
    "",
    ...firstOf.map(({ image, path, tied }) =>
      `  Image ${image} differs first at the input of ${path}${tied ? ", by ties" : ""}`
    ),
    "",
  ].join("\n");
}
