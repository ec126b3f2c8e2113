import { resolve } from "node:path";
import { InputError } from "../errors.ts";
import { clean, CLEANABLE, type Cleanable, type Cleaning, cleaningOf } from "../store/clean.ts";
import { readTextIfThere } from "../store/files.ts";
import { findRun, readState, runIds } from "../store/folder.ts";
import { describeRun } from "../plan/plan.ts";
import { redact } from "../queue/url.ts";
import { logFile } from "../store/store.ts";
import { type Option, optionLines, readFlags } from "./flags.ts";
import { allTeachers, describeTeacher, placeTeachers } from "../checkpoint/teachers.ts";
import { listText, showText, stateDocument } from "./runs_text.ts";

/** What the command needs from outside. */
export interface RunsServices {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Aborted by Ctrl-C: `tail --follow` ends. */
  readonly stop: AbortSignal;
}

const DEFAULT_OUT = "runs";
const DEFAULT_LINES = 20;
const FOLLOW_EVERY_MS = 500;

const OUT: Option = { name: "out", value: "DIR", help: `folder that bench was given; default: ${DEFAULT_OUT}` };
const JSON_FLAG: Option = { name: "json", value: null, help: "print one JSON document" };
const HELP: Option = { name: "help", value: null, help: "print this" };
const KINDS = Object.keys(CLEANABLE) as Cleanable[];

interface Command {
  readonly takesRun: boolean;
  readonly about: string;
  readonly options: readonly Option[];
}

const COMMANDS: Readonly<Record<"list" | "show" | "tail" | "teachers" | "clean", Command>> = {
  list: { takesRun: false, about: "a line a run", options: [OUT, JSON_FLAG, HELP] },
  show: { takesRun: true, about: "all that is known of a run", options: [OUT, JSON_FLAG, HELP] },
  tail: {
    takesRun: true,
    about: "the last lines of a run's log",
    options: [
      OUT,
      { name: "lines", value: "N", help: `how many; default: ${DEFAULT_LINES}` },
      { name: "follow", value: null, help: "go on with what is added until the run is over, or Ctrl-C" },
      HELP,
    ],
  },
  teachers: {
    takesRun: false,
    about: "copies the full-precision runs that are done to a folder, for `bench --teachers`: record and network",
    options: [OUT, { name: "to", value: "DIR", help: "the folder (required)" }, HELP],
  },
  clean: {
    takesRun: false,
    about: "shows what could be deleted, and deletes it with --delete; a run that is running is left alone",
    options: [
      OUT,
      ...KINDS.map((name) => ({ name, value: null, help: CLEANABLE[name] })),
      { name: "delete", value: null, help: "delete what the flags above name" },
      HELP,
    ],
  },
};
type CommandName = keyof typeof COMMANDS;

function helpText(): string {
  const names = Object.keys(COMMANDS) as CommandName[];
  return [
    "Lists, shows, tails and cleans the runs of a folder",
    "",
    "Usage: deno task runs list|show ID|tail ID|teachers|clean [options]; the first digits of an id are enough",
    ...names.flatMap((name) => ["", `${name}: ${COMMANDS[name].about}`, ...optionLines(COMMANDS[name].options)]),
    "",
    "Exit codes: 0 done, 2 bad input",
    "",
  ].join("\n");
}

/** `deno task runs`. @returns The exit code: 0 done, 2 bad input. */
export async function runs(args: readonly string[], services: RunsServices): Promise<number> {
  try {
    await dispatch(args, services);
    return 0;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    services.stderr(redact(error.message) + "\n");
    return 2;
  }
}

async function dispatch(args: readonly string[], services: RunsServices): Promise<void> {
  const [name = "--help", ...rest] = args;
  if (name === "--help") return services.stdout(helpText());
  if (!Object.hasOwn(COMMANDS, name)) {
    const known = Object.keys(COMMANDS).join(", ");
    throw new InputError(`Cannot use command "${name}" as it is not known: choose one of ${known}, or --help`);
  }
  const { takesRun, options } = COMMANDS[name as CommandName];
  const run = takesRun ? rest[0] : undefined;
  if (run === "--help") return services.stdout(helpText());
  if (takesRun && (run === undefined || run.startsWith("--"))) {
    throw new InputError(`Cannot ${name} without a run: give \`deno task runs ${name} ID\``);
  }
  const flags = readFlags(takesRun ? rest.slice(1) : rest, options);
  if (flags.has("help")) return services.stdout(helpText());
  const out = resolve(flags.get("out") ?? DEFAULT_OUT);
  requireFolder(out);
  if (name === "list") return list(out, flags.has("json"), services);
  if (name === "teachers") return await copyTeachers(out, flags.get("to"), services);
  if (name === "clean") return cleanFolder(out, flags, services);
  const id = findRun(out, run!);
  if (name === "tail") return await tail(logFile(out, id), { out, id, flags, services });
  const state = readState(out, id);
  services.stdout(flags.has("json") ? JSON.stringify(stateDocument(state), null, 2) + "\n" : showText(state));
}

/** @throws {InputError} If there is no such folder: one that is misspelt must not pass for one without runs. */
function requireFolder(out: string): void {
  let isFolder = false;
  try {
    isFolder = Deno.statSync(out).isDirectory;
  } catch {
    // said below
  }
  if (!isFolder) {
    throw new InputError(
      `Cannot look for runs in ${out} as there is no such folder: give the --out folder of a \`deno task bench\``,
    );
  }
}

function list(out: string, json: boolean, { stdout }: RunsServices): void {
  const states = runIds(out).map((id) => readState(out, id));
  stdout(
    json ? JSON.stringify({ schema: 1, out, runs: states.map(stateDocument) }, null, 2) + "\n" : listText(states, out),
  );
}

async function tail(
  path: string,
  { out, id, flags, services }: {
    out: string;
    id: string;
    flags: ReadonlyMap<string, string>;
    services: RunsServices;
  },
): Promise<void> {
  const count = flags.get("lines") ?? String(DEFAULT_LINES);
  if (!/^[1-9]\d{0,5}$/.test(count)) {
    throw new InputError(`Cannot use --lines "${count}" as it must be a whole number from 1: give such as 50`);
  }
  let text = readTextIfThere(path);
  if (text === null) throw new InputError(`Cannot tail run ${id} as it has no log yet: wait until it has started`);
  const lines = text.trimEnd().split("\n").slice(-Number(count));
  services.stdout(lines.join("\n") + "\n");
  while (flags.has("follow") && !services.stop.aborted && readState(out, id).record === null) {
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_EVERY_MS));
    const now = readTextIfThere(path) ?? "";
    services.stdout(now.slice(now.startsWith(text) ? text.length : 0));
    text = now;
  }
}

async function copyTeachers(out: string, to: string | undefined, { stdout }: RunsServices): Promise<void> {
  if (to === undefined) throw new InputError("Cannot copy teachers without a folder: give --to DIR");
  const teachers = await allTeachers(out);
  const placed = await placeTeachers(resolve(to), teachers);
  for (const record of placed) stdout(`Copied ${record.id}, ${describeTeacher(record)}\n`);
  stdout(`${placed.length} copied to ${to}, ${teachers.length - placed.length} there before\n`);
}

function cleanFolder(out: string, flags: ReadonlyMap<string, string>, { stdout, stderr }: RunsServices): void {
  const given = KINDS.filter((kind) => flags.has(kind));
  const really = flags.has("delete");
  if (really && given.length === 0) {
    const names = KINDS.map((kind) => `--${kind}`).join(", ");
    throw new InputError(`Cannot delete without a word on what: give ${names} together with --delete`);
  }
  const states = runIds(out).map((id) => readState(out, id));
  for (const { id, problem } of states) {
    if (problem !== null) stderr(`Run ${id} is left as it is: ${problem}\n`);
  }
  const kinds = given.length === 0 ? KINDS : given;
  const chosen = states.flatMap((state) => cleaningOf(state, new Set(kinds)) ?? []);
  const left = really
    ? clean(out, chosen)
    : chosen.filter(({ state }) => state.holder !== null).map(({ state }) => state.id);
  for (const cleaning of chosen) stdout(cleanLine(cleaning, { really, held: left.includes(cleaning.state.id) }) + "\n");
  const bytes = chosen.filter(({ state }) => !left.includes(state.id)).reduce((sum, item) => sum + item.bytes, 0);
  const size = `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  if (really) stdout(`Deleted ${size}\n`);
  else if (chosen.length === 0) stdout("Nothing to delete\n");
  else {stdout(`${size} could be deleted: give --delete together with ${
      kinds.map((kind) => `--${kind}`).join(" or ")
    }\n`);}
}

function cleanLine({ state, names }: Cleaning, { really, held }: { really: boolean; held: boolean }): string {
  const what = names === null ? "its whole folder" : names.join(", ");
  const done = held ? "left, as a process has it" : really ? `deleted ${what}` : what;
  return `${state.id}  ${state.spec === null ? "" : describeRun(state.spec)}: ${done}`;
}
