import { parseArgs } from "node:util";
import { InputError } from "../errors.ts";
import type { RunLimits } from "../pool/limits.ts";

/** An option of a command line. */
export interface Option {
  readonly name: string;
  /** How the value is written; null: a switch. */
  readonly value: string | null;
  readonly help: string;
}

/** The options as lines of a help text. */
export function optionLines(table: readonly Option[]): string[] {
  const rows = table.map(({ name, value, help }) => [`--${name}${value === null ? "" : ` ${value}`}`, help] as const);
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`);
}

/**
 * The flags as text by name; node's parser splits, the checks are ours for the sake of their messages.
 * @throws {InputError} If a flag is not known, given twice, or has or lacks a value.
 */
export function readFlags(args: readonly string[], table: readonly Option[]): Map<string, string> {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      table.map(({ name, value }) => [name, { type: value === null ? "boolean" : "string" }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const flags = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      throw new InputError(`Cannot use "${token.value}" as it belongs to no option: see --help`);
    }
    const option = table.find(({ name }) => name === token.name);
    if (option === undefined) {
      const known = table.map(({ name }) => `--${name}`).join(", ");
      throw new InputError(`Cannot use option ${token.rawName} as it is not known: choose among ${known}`);
    }
    if (flags.has(option.name)) {
      throw new InputError(
        `Cannot use --${option.name} twice: give all values in one, separated by commas where it takes several`,
      );
    }
    if (option.value === null && token.value !== undefined) {
      throw new InputError(
        `Cannot use --${option.name}=${token.value} as --${option.name} takes no value: leave "=${token.value}" out`,
      );
    }
    if (option.value !== null && (token.value === undefined || token.value === "" || token.value.startsWith("--"))) {
      throw new InputError(`Cannot use --${option.name} without a value: give --${option.name} ${option.value}`);
    }
    flags.set(option.name, token.value ?? "");
  }
  return flags;
}

/** What `--jobs` says. @throws {InputError} If it is no whole number from 1 to 1024. */
export function parseJobs(text: string): number {
  const jobs = Number(text);
  if (/^\d+$/.test(text) && jobs >= 1 && jobs <= 1024) return jobs;
  throw new InputError(
    `Cannot use --jobs "${text}" as it must be a whole number from 1 to 1024: leave it out for one a core`,
  );
}

/** Options that say what a run may take, of every command that starts runs. */
export const LIMIT_OPTIONS: readonly Option[] = [
  { name: "timeout", value: "MINUTES", help: "end a run that takes longer, as timeout; default: none" },
  { name: "memory", value: "MIB", help: "end a run whose process takes more memory, as failed; default: none" },
];

/** What `LIMIT_OPTIONS` say. @throws {InputError} If a value is no positive number. */
export function parseLimits(given: ReadonlyMap<string, string>): RunLimits {
  const minutes = given.get("timeout");
  const memory = given.get("memory");
  return {
    timeoutMs: minutes === undefined ? null : parsePositive("timeout", minutes, "minutes, such as 90") * 60_000,
    memoryMiB: memory === undefined ? null : parsePositive("memory", memory, "MiB, such as 2000"),
  };
}

function parsePositive(name: string, text: string, what: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= 1e6) return value;
  throw new InputError(`Cannot use --${name} "${text}" as it must be a number above 0: give ${what}`);
}
