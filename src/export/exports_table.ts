/** The page with all verified files: accuracy, size and latency of each form of a network. */
import type { OnnxFile } from "./onnx_file.ts";
import { type Form, FORMS } from "./export_run.ts";
import type { Verification } from "./verify.ts";

/** A verified file. */
export interface VerifiedFile {
  readonly file: OnnxFile;
  readonly found: Verification;
  readonly recordedTop1: number;
  /** Name of the CPU that computed. */
  readonly cpu: string;
}

/** The page as Markdown; files of other tools have no row, as no record is theirs. */
export function exportsPage(files: readonly VerifiedFile[]): string {
  const rows = [...files].sort((a, b) => orderOf(a) < orderOf(b) ? -1 : 1).map(rowOf);
  const machines = [...new Set(files.map(({ cpu, found }) => `${found.runtime} on one thread of ${cpu}`))];
  return [
    "# Exported networks",
    "",
    "Networks of finished runs as ONNX files, evaluated in ONNX Runtime on the test images: what the record says, and what " +
    "the file does. `deno task export` writes them, `deno task verify --table` wrote this page. See docs/export.md.",
    "",
    "float32: no integers. QDQ: integers between QuantizeLinear and DequantizeLinear, products in float; it must agree with " +
    "the record. QLinearConv: products of integers, with biases rounded to int32; a network of its own.",
    "",
    `Computed by ${machines.join("; ")}; milliseconds an image, in batches of 100.`,
    "",
    "| Network | Run | Form | Bytes | Top-1, record | Top-1, file | Images of another class | ms |",
    "| --- | --- | --- | --: | --: | --: | --: | --: |",
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
  ].join("\n");
}

const SHORT: Readonly<Record<Form, string>> = { float32: "float32", qdq: "QDQ", integer: FORMS.integer };

function formOf({ file }: VerifiedFile): Form {
  return file.metadata["form"] as Form;
}

function titleOf({ file }: VerifiedFile): string {
  return file.metadata["title"] ?? `Run ${file.metadata["run"]}`;
}

function orderOf(file: VerifiedFile): string {
  return [titleOf(file), file.file.metadata["run"], Object.keys(FORMS).indexOf(formOf(file))].join(" ");
}

function rowOf(verified: VerifiedFile): string[] {
  const { file, found, recordedTop1 } = verified;
  return [
    titleOf(verified),
    `\`${file.metadata["run"]}\``,
    SHORT[formOf(verified)],
    String(file.bytes.length),
    recordedTop1.toFixed(2),
    found.top1Percent.toFixed(2),
    found.different === null ? "" : `${found.different.length} of ${found.images}`,
    (1000 * found.seconds / found.images).toFixed(2),
  ];
}
