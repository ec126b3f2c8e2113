/** The page with all verified files: accuracy, size and latency of each form of a network. */
import { markdownTable } from "markdown-table";
import { InputError } from "../errors.ts";
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

const TITLE = "# Exported networks";

const COLUMNS = [
  "Network",
  "Run",
  "Form",
  "Bytes",
  "Top-1, record",
  "Top-1, file",
  "Images of another class",
  "ms",
  "By",
];

/**
 * The page as Markdown; files of other tools have no row, as no record is theirs.
 * @param before The page so far: rows of files that are not given stay.
 * @throws {InputError} If it is another page.
 */
export function exportsPage(files: readonly VerifiedFile[], before = ""): string {
  if (before !== "" && !before.startsWith(TITLE)) {
    throw new InputError("Cannot add rows to the file of --table as it is another page: name a new file");
  }
  const kept = before.split("\n").map((line) =>
    line.split(" | ").map((cell) => cell.replaceAll(/^\| | \|$/g, "").trim())
  )
    .filter((cells) => cells.length === COLUMNS.length && /^`\w+`$/.test(cells[1]!));
  const rows = new Map(
    [...kept, ...files.map(rowOf)].map((row) => [`${row[0]} ${row[1]} ${ORDER.indexOf(row[2]!)}`, row]),
  );
  const sorted = [...rows].sort(([a], [b]) => a < b ? -1 : 1).map(([, row]) => row);
  return [
    TITLE,
    "",
    "Networks of finished runs as ONNX files, evaluated in ONNX Runtime on the test images: what the record says, and what " +
    "the file does. `deno task export` writes them, `deno task verify --table` wrote this page. See docs/export.md.",
    "",
    "float32: no integers. QDQ: integers between QuantizeLinear and DequantizeLinear, products in float; it must agree with " +
    "the record. QLinearConv: products of integers, with biases rounded to int32; a network of its own.",
    "",
    "Milliseconds an image by the clock, on one thread and in batches of 100. Other work of the machine is in them.",
    "",
    markdownTable([COLUMNS, ...sorted], { align: ["", "", "", "r", "r", "r", "r", "r", ""] }),
    "",
  ].join("\n");
}

const SHORT: Readonly<Record<Form, string>> = { float32: "float32", qdq: "QDQ", integer: FORMS.integer };
const ORDER = Object.values(SHORT);

function rowOf({ file, found, recordedTop1, cpu }: VerifiedFile): string[] {
  const { run, form, title = `Run ${run}` } = file.metadata;
  return [
    title,
    `\`${run}\``,
    SHORT[form as Form],
    String(file.bytes.length),
    recordedTop1.toFixed(2),
    found.top1Percent.toFixed(2),
    found.different === null ? "" : `${found.different.length} of ${found.images}`,
    (1000 * found.seconds / found.images).toFixed(2),
    `${found.runtime}, ${cpu}`,
  ];
}
