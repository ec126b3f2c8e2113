import { ENGINE_CHOICES, type EngineChoice } from "../engine/mod.ts";
import { InputError } from "../errors.ts";
import { type Option, optionLines, readFlags } from "./flags.ts";

/** What a user asks of `deno task measure`. */
export interface MeasureFlags {
  readonly out: string;
  /** Null: all. */
  readonly names: readonly string[] | null;
  /** Ids; null: all finished runs. */
  readonly runs: readonly string[] | null;
  /** Arms; null: all. */
  readonly methods: readonly string[] | null;
  /** Options in place of their defaults, by name. */
  readonly set: Readonly<Record<string, unknown>>;
  /** Whether the checkpoints of single epochs are measured too. */
  readonly epochs: boolean;
  readonly force: boolean;
  readonly engine: EngineChoice;
}

function optionTable(names: readonly string[]): readonly Option[] {
  return [
    { name: "out", value: "DIR", help: "folder of a finished `deno task bench` (required)" },
    { name: "names", value: "A,B", help: `what to measure, among ${names.join(", ")}; default: all` },
    { name: "runs", value: "ID,ID", help: "runs to measure; default: all that are done" },
    { name: "methods", value: "A,B", help: "arms to measure; default: all" },
    { name: "set", value: "KEY=VALUE;..", help: "options of the measurements, such as probes=64;images=2048" },
    { name: "epochs", value: null, help: "measure the checkpoints of `bench --keep-epochs` too, an epoch each" },
    { name: "force", value: null, help: "measure again what is there" },
    { name: "engine", value: ENGINE_CHOICES.join("|"), help: "what computes; default: auto, as in bench" },
    { name: "help", value: null, help: "print this" },
  ];
}

/** The text of `--help`. */
export function measureHelp(names: readonly string[]): string {
  return [
    "Measures the networks of finished runs: a file each, which changes nothing of the run",
    "",
    "Usage: deno task measure --out DIR [options]",
    "",
    ...optionLines(optionTable(names)),
    "",
    "What is there with the same options is kept, so a call that was stopped goes on from there",
    "`deno task report --collect DIR` takes what was measured into the committed records",
    "Exit codes: 0 all is measured, 2 bad input",
    "",
  ].join("\n");
}

/**
 * Reads the command line.
 * @param names Of the measurements, for the help.
 * @returns Null: help was asked for.
 * @throws {InputError} If a flag or its value is not known or missing.
 */
export function parseMeasureFlags(args: readonly string[], names: readonly string[]): MeasureFlags | null {
  const given = readFlags(args, optionTable(names));
  if (given.has("help")) return null;
  const out = given.get("out"), engine = given.get("engine") ?? "auto";
  if (out === undefined) {
    throw new InputError("Cannot measure without --out: give the folder of a finished `deno task bench`");
  }
  const choice = ENGINE_CHOICES.find((name) => name === engine);
  if (choice === undefined) {
    throw new InputError(
      `Cannot use engine "${engine}" as it is not known: choose one of ${ENGINE_CHOICES.join(", ")}`,
    );
  }
  const list = (name: string) => given.has(name) ? listOf(name, given.get(name)!) : null;
  return {
    out,
    names: list("names"),
    runs: list("runs"),
    methods: list("methods"),
    set: parseSettings(given.get("set") ?? ""),
    epochs: given.has("epochs"),
    force: given.has("force"),
    engine: choice,
  };
}

function listOf(name: string, text: string): string[] {
  const items = text.split(",").map((item) => item.trim());
  if (items.includes("")) {
    throw new InputError(`Cannot use --${name} "${text}" as a value between its commas is empty: leave the comma out`);
  }
  return [...new Set(items)];
}

/** `probes=64;sigmas=0.1,0.2;moved=latent` as { probes: 64, sigmas: [0.1, 0.2], moved: "latent" }. */
function parseSettings(text: string): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const item of text.split(";").filter((part) => part.trim() !== "")) {
    const match = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(item);
    if (!match) throw new InputError(`Cannot use --set "${item}" as it must be KEY=VALUE: write it such as probes=64`);
    settings[match[1]!] = parseValue(match[2]!);
  }
  return settings;
}

/** A number; a list where the option is one (a single value too: see `matching`); else the text. */
function parseValue(text: string): unknown {
  const values = text.split(",").map((part) => part !== "" && Number.isFinite(Number(part)) ? Number(part) : part);
  return values.length === 1 ? values[0] : values;
}
