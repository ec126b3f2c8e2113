/** The model card of an exported network: YAML for machines, then a page for people. */
import { markdownTable } from "markdown-table";
import { parse, stringify } from "yaml";
import { bitsTitle } from "../catalog/bits.ts";
import type { RunRecord } from "../record/record.ts";

/** Titles and sources of a method, for people. */
export interface Origin {
  /** Such as `ResNet-20, CIFAR-10, W2A2, LSQ, seed 0`. */
  readonly title: string;
  /** Such as `LSQ` or `MEC (reconstruction)`. */
  readonly method: string;
  readonly dataset: string;
  /** Such as `Esser et al., ICLR 2020, arXiv:1902.08153`; empty for full precision. */
  readonly sources: readonly string[];
  /** One sentence where the method is not the paper's own, such as that it is a reconstruction; null: it is. */
  readonly caveat: string | null;
}

/** A file beside the card. */
export interface CardFile {
  readonly name: string;
  readonly about: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The key of this suite's own entries in a card's YAML. */
const CARD_KEY = "requant";

/** The text of `card.md`. */
export function modelCard({ id, spec, metrics, networkSha256 }: RunRecord, { files, origin }: {
  files: readonly CardFile[];
  origin: Origin;
}): string {
  const { quantization, dataset } = spec,
    top1 = metrics!["top1Percent"]!,
    options = Object.entries(spec.method.options);
  const yaml = stringify({
    license: "mit",
    pipeline_tag: "image-classification",
    tags: ["onnx", "quantization", "quantization-aware-training"],
    datasets: [dataset.name],
    "model-index": [{
      name: origin.title,
      results: [{
        task: { type: "image-classification", name: "Image Classification" },
        dataset: { type: dataset.name, name: origin.dataset, split: "test" },
        metrics: [{
          type: "accuracy",
          name: "Top-1 accuracy, percent, after the last epoch",
          value: top1,
          args: { seed: spec.seed, protocol: spec.protocol },
          verified: false,
        }],
        source: { name: "Requant" },
      }],
    }],
    [CARD_KEY]: {
      run: id,
      network_sha256: networkSha256 ?? null,
      sha256: Object.fromEntries(files.map(({ name, sha256 }) => [name, sha256])),
    },
  }, { lineWidth: 0, aliasDuplicateObjects: false });
  const rows: readonly (readonly [string, string])[] = [
    [
      "Top-1 accuracy",
      `${top1.toFixed(2)} % on the ${testImages(spec.dataset.testExamples)} of ${origin.dataset}`,
    ],
    ...(quantization
      ? [["Bits", `${bitsTitle(quantization)}; first and last layer ${quantization.firstLastBits}`], [
        "Quantizer",
        quantization.quantizer,
      ]] as const
      : []),
    ["Method", [origin.method, ...options.map(([option, value]) => `${option} = ${value}`)].join(", ")],
    ["Seed", String(spec.seed)],
    ["Protocol", `${spec.protocol}: ${spec.recipe.epochs} epochs`],
    ["Run", `\`${id}\``],
    ...files.map(({ name, about, bytes }) => [`\`${name}\``, `${about}, ${bytes} bytes`] as const),
  ];
  return [
    "---",
    yaml.trimEnd(),
    "---",
    "",
    `# ${origin.title}`,
    "",
    ...(origin.caveat === null ? [] : [`> ${origin.caveat}`, ""]),
    markdownTable([["", ""], ...rows]),
    "",
    ...(origin.sources.length === 0 ? [] : [`Sources: ${origin.sources.join("; ")}.`, ""]),
    "Input `images`: bytes [n, channels, height, width]; the network normalises them itself. Output `logits`: [n, classes].",
    "The licence is the suite's, MIT; the data set has terms of its own. Check this file with `deno task verify network.onnx`.",
    "",
  ].join("\n");
}

/** The SHA-256 that a card states of a file; null: it does not know it. */
export function digestIn(card: string, name: string): string | null {
  const yaml = /^---\n([^]*?)\n---\n/.exec(card)?.[1];
  return yaml === undefined ? null : parse(yaml)?.[CARD_KEY]?.sha256?.[name] ?? null;
}

function testImages(count: number | null): string {
  return count === null ? "test images" : `first ${count} test images`;
}
