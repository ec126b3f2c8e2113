/** Command lines by `commander`, with our sentences for what they refuse. */
import { Command, CommanderError, Option } from "commander";
import { ENGINE_CHOICES, type EngineChoice, type PrecisionChoice, PRECISIONS } from "../engine/types.ts";
import { InputError, unknownValue } from "../errors.ts";
import type { RunLimits } from "../pool/limits.ts";
import { redact } from "../queue/url.ts";
import { WIDTH } from "./columns.ts";
import type { Output } from "./console.ts";

/** A command of `deno task`; `notes` stand below its options. */
export function commandLine(name: string, about: string, notes: readonly string[] = []): Command {
  const line = new Command(`deno task ${name}`.trim()).description(about).helpOption("--help", "print this")
    .helpCommand(false).exitOverride().configureHelp({ optionTerm, optionDescription });
  const help = line.createHelp();
  return line.addHelpText("after", ["", ...notes.map((note) => help.boxWrap(note, WIDTH))].join("\n"));
}

/** An option that knows what to do where it contradicts others, and can be required. */
export class Flag extends Option {
  remedy = "leave one out";
  isDemanded = false;

  /** Checked after unknown options, which may be this one misspelt; commander's own check comes before. */
  demanded(): this {
    this.isDemanded = true;
    this.description += " (required)";
    return this;
  }

  /** @param names Attributes of other options. */
  excludes(names: readonly string[], remedy = this.remedy): this {
    this.remedy = remedy;
    return this.conflicts([...names]);
  }
}

/** An option, `--name <VALUE>` or a switch; `parse` reads the value. */
export function option<T>(flags: string, help: string, parse?: (text: string) => T): Flag {
  const made = new Flag(flags, help);
  return parse === undefined ? made : made.argParser((text) => parse(text)); // commander gives the value before as well
}

/** An option with one of a few values. */
export function choice(flags: string, help: string, known: readonly string[]): Flag {
  return new Flag(flags, help).choices(known);
}

function optionTerm({ long, argChoices, flags, variadic }: Option): string {
  const term = argChoices === undefined ? flags.replace(/[<>]/g, "") : `${long} ${argChoices.join("|")}`;
  return variadic ? term.replace("...", "") : term;
}

function optionDescription({ description, defaultValue, defaultValueDescription }: Option): string {
  const standard = defaultValueDescription ?? (typeof defaultValue === "string" ? defaultValue : undefined);
  return standard === undefined ? description : `${description}; default: ${standard}`;
}

/** Action to take with the values that a command line gave. */
type Act<Values> = (values: Values) => number | void | Promise<number | void>;

/**
 * Reads a command line and does what it asks for.
 *
 * @param act Gets the options' values; a command with commands of its own has it in their actions instead.
 * @returns The exit code: `act`'s, 0 where it has none, 2 for bad input, of which stderr gets one sentence.
 */
export async function runCommand<Values>(
  line: Command,
  args: readonly string[],
  { output, act }: { output: Output; act?: Act<Values> },
): Promise<number> {
  const { stdout, stderr } = output;
  let code: number | void = 0;
  for (const part of [line, ...line.commands]) {
    part.exitOverride().configureOutput({ writeOut: stdout, writeErr: () => {}, getOutHelpWidth: () => WIDTH });
  }
  line.hook("preAction", (_line, called) => requireOptions(called));
  if (act !== undefined) line.action(async () => void (code = await act(line.opts() as Values)));
  try {
    const part = line.commands.find((item) => item.name() === args[0]) ?? line;
    checkOptions(args, part);
    await line.parseAsync([...args], { from: "user" });
    return code ?? 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // help was printed
    const told = error instanceof CommanderError ? sentence(error, args, line) : error;
    if (!(told instanceof InputError)) throw told;
    stderr(`${redact(told.message)}\n`);
    return 2;
  }
}

/** Prints the help of a command that needs options and was given none. @returns Whether it did. */
export function helpAlone(line: Command, args: readonly string[], { stdout }: Output): boolean {
  if (args.length > 0) return false;
  line.configureOutput({ writeOut: stdout, getOutHelpWidth: () => WIDTH }).outputHelp();
  return true;
}

/** @throws {InputError} If an option is given twice, or has or lacks a value; commander would take the last or the next word. */
function checkOptions(args: readonly string[], { options }: Command): void {
  const seen = new Set<string>();
  for (const [i, word] of args.entries()) {
    if (word === "--") return;
    const [, flag, attached] = /^(--[^=]+)(?:=([^]*))?$/.exec(word) ?? [];
    const found = options.find(({ long }) => long === flag);
    if (flag === undefined || found === undefined) continue;
    if (seen.has(flag) && !found.variadic) {
      throw new InputError(
        `Cannot use ${flag} twice: give all values in one, separated by commas where it takes several`,
      );
    }
    seen.add(flag);
    if (found.isBoolean() || found.negate) {
      if (attached === undefined) continue;
      throw new InputError(`Cannot use ${word} as ${flag} takes no value: leave "=${attached}" out`);
    }
    const value = attached ?? args[i + 1] ?? "";
    if (found.optional && attached === undefined && (value === "" || value.startsWith("--"))) continue;
    if (value === "" || (attached === undefined && value.startsWith("--"))) {
      throw new InputError(`Cannot use ${flag} without a value: give ${optionTerm(found)}`);
    }
  }
}

/** @throws {InputError} If a required option is missing. */
function requireOptions(line: Command): void {
  const missing = line.options.find((item) =>
    item instanceof Flag && item.isDemanded && !line.getOptionValue(item.attributeName())
  );
  if (missing === undefined) return;
  throw new InputError(`Cannot run \`${usageOf(line)}\` without ${missing.long}: give ${optionTerm(missing)}`);
}

/** Gives what a person types to call a command. */
function usageOf(line: Command): string {
  return line.parent === null ? line.name() : `${usageOf(line.parent)} ${line.name()}`;
}

/** Says in our words what commander refused. */
function sentence(error: CommanderError, args: readonly string[], line: Command): InputError {
  const part = line.commands.find((item) => item.name() === args[0]) ?? line;
  const [quoted = "", other = ""] = [...error.message.matchAll(/'([^']*)'/g)].map((match) => match[1]!);
  const optionNamed = (flags: string) => part.options.find((item) => item.flags === flags);
  const longOf = (flags: string) => optionNamed(flags)?.long ?? flags;
  const meant = /\(Did you mean (?:one of )?(.*)\?\)/.exec(error.message)?.[1];
  const near = meant === undefined ? "" : `, perhaps ${meant} was meant`;
  switch (error.code) {
    case "commander.unknownOption": {
      const known = [...part.options.map(({ long }) => long), "--help"].join(", ");
      return new InputError(
        `Cannot use option ${quoted.split("=")[0]} as it is not known${near}: choose among ${known}`,
      );
    }
    case "commander.unknownCommand": {
      const known = line.commands.map((item) => item.name()).join(", ");
      return new InputError(
        `Cannot use command "${quoted}" as it is not known${near}: choose one of ${known}, or --help`,
      );
    }
    case "commander.excessArguments": {
      const word = part.args[part.registeredArguments.length];
      return new InputError(`Cannot use "${word}" as it belongs to no option: see --help`);
    }
    case "commander.missingArgument":
      return new InputError(`Cannot run \`${usageOf(part)}\` without ${quoted}: add it`);
    case "commander.conflictingOption":
      return new InputError(
        `Cannot use ${longOf(quoted)} together with ${longOf(other)}: ${(optionNamed(quoted) as Flag).remedy}`,
      );
    case "commander.invalidArgument": {
      const found = optionNamed(quoted);
      return unknownValue(found?.name() ?? quoted, other, found?.argChoices ?? []);
    }
    default:
      return new InputError(`Cannot read the command line: ${error.message.replace(/^error: /, "")}; see --help`);
  }
}

/** Reads `A,B`. @throws {InputError} If a value between its commas is empty. */
export function listOf(name: string): (text: string) => string[] {
  return (text) => {
    const items = text.split(",").map((item) => item.trim());
    if (!items.includes("")) return [...new Set(items)];
    throw new InputError(
      `Cannot use --${name} "${text}" as a value between its commas is empty: leave the comma out`,
    );
  };
}

/** Reads a whole number. @throws {InputError} If it is none, or out of range. */
export function wholeNumber(
  name: string,
  { from = 1, to, remedy }: { from?: number; to: number; remedy: string },
): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= from && value <= to) return value;
    throw new InputError(
      `Cannot use --${name} "${text}" as it must be a whole number from ${from} to ${to}: ${remedy}`,
    );
  };
}

/** Number of runs at once; auto: one per core, and on a GPU as many as fit and pay. */
export type Jobs = number | "auto";

/** `--jobs`, of every command that starts runs. */
export function jobsOption(): Flag {
  const parse = wholeNumber("jobs", { to: 1024, remedy: "leave it out for one per core" });
  const read = (text: string): Jobs => text === "auto" ? text : parse(text);
  return option("--jobs <N>", "runs at once, or auto", read).default("auto" satisfies Jobs);
}

/** `--engine`, of every command that computes. */
export function engineOption(): Flag {
  return choice("--engine <NAME>", "what computes", ENGINE_CHOICES).default("auto" satisfies EngineChoice);
}

/** `--precision` of the commands that open an engine or plan for it. */
export function precisionOption(): Flag {
  return choice("--precision <NAME>", "of convolutions: tf32 on a GPU; bf16 in gradients of engine onednn", [
    "auto",
    ...PRECISIONS,
  ]).default("auto" satisfies PrecisionChoice, "auto: tf32 on a GPU");
}

/** Values of `limitOptions`. */
export interface LimitValues {
  readonly timeout?: number;
  readonly memory?: number;
}

/** Options that limit a run, of every command that starts runs. */
export function limitOptions(): Flag[] {
  return [
    option("--timeout <MINUTES>", "end a run that takes longer", positive("timeout", "minutes, such as 90")),
    option("--memory <MIB>", "end a run that takes more memory", positive("memory", "MiB, such as 2000")),
  ];
}

/** The limits that were given. */
export function limitsOf({ timeout, memory }: LimitValues): RunLimits {
  return { timeoutMs: timeout === undefined ? null : timeout * 60_000, memoryMiB: memory ?? null };
}

function positive(name: string, what: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= 1e6) return value;
    throw new InputError(`Cannot use --${name} "${text}" as it must be a number above 0: give ${what}`);
  };
}
