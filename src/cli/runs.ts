import { resolve } from "node:path";
import { InputError } from "../errors.ts";
import { describeTeacher } from "./plan_text.ts";
import { allNetworks, placeTeachers } from "../checkpoint/teachers.ts";
import { formatSeconds } from "../plan/estimate.ts";
import { describeRun } from "../record/spec.ts";
import { listenForInterrupts } from "../pool/interrupts.ts";
import { describeEnd } from "../pool/progress.ts";
import { clean, CLEANABLE, type Cleanable, type Cleaning, cleaningOf } from "../store/clean.ts";
import { readTextIfThere } from "../store/files.ts";
import { existingFolder, findRun, readState, runsOf, type RunState, sizeMiB } from "../store/folder.ts";
import { logFile, runIds } from "../store/store.ts";
import { commandLine, helpAlone, option, runCommand, wholeNumber } from "./command_line.ts";
import type { Output } from "./console.ts";

const FOLLOW_EVERY_MS = 500;
const KINDS = Object.keys(CLEANABLE) as Cleanable[];

/** Services of the command. */
interface RunsServices extends Output {
  /** Aborted by Ctrl-C: `tail --follow` ends. Left out: the signals of this process. */
  readonly stop?: AbortSignal;
}

/** `deno task runs`. @returns The exit code: 0 done, 2 bad input. */
export async function runs(args: readonly string[], { stop, ...output }: RunsServices): Promise<number> {
  const line = commandLine("runs", "Lists, shows, tails and cleans the runs of a folder", [
    "The first digits of an id are enough",
    "Exit codes: 0 done, 2 bad input",
  ]);
  const command = (name: string, about: string) =>
    line.command(name).description(about)
      .addOption(option("--out <DIR>", "folder that bench was given").default("runs"));
  const json = () => option("--json", "print one JSON document");
  command("list", "list the runs, one per line").addOption(json())
    .action(({ out, json }) => list(existingFolder(out), json, output));
  command("show", "show all that is known of a run").argument("<ID>").addOption(json())
    .action((id, { out, json }) => show(existingFolder(out), id, { json, output }));
  command("tail", "show the last lines of a run's log").argument("<ID>")
    .addOption(
      option("--lines <N>", "how many", wholeNumber("lines", { to: 1e6, remedy: "give such as 50" })).default(20, "20"),
    )
    .addOption(option("--follow", "continue with what is added until the run is over, or Ctrl-C"))
    .action(async (id, { out, lines, follow = false }) => {
      const interrupts = stop === undefined ? listenForInterrupts() : { stop, dispose: () => {} };
      await tail(existingFolder(out), id, { lines, follow, stop: interrupts.stop, output });
      interrupts.dispose();
    });
  command("networks", "copy record and network of finished runs, for `bench --teachers` and `export`")
    .addOption(option("--to <DIR>", "the folder").demanded())
    .action(({ out, to }) => copyNetworks(existingFolder(out), to, output));
  const cleaning = command(
    "clean",
    "show what could be deleted; with --delete, delete it; running runs are left alone",
  );
  for (const kind of KINDS) cleaning.addOption(option(`--${kind}`, CLEANABLE[kind]));
  cleaning.addOption(option("--delete", "delete what the options above name"))
    .action((options) => cleanFolder(existingFolder(options.out), options, output));
  return helpAlone(line, args, output) ? 0 : await runCommand(line, args, { output });
}

function list(out: string, json: boolean, { stdout }: Output): void {
  const states = runIds(out).map((id) => readState(out, id));
  const document = { schema: 1, out, runs: states.map(stateDocument) };
  stdout(json ? JSON.stringify(document, null, 2) + "\n" : listText(states, out));
}

function show(out: string, digits: string, { json, output }: { json: boolean; output: Output }): void {
  const state = readState(out, findRun(digits, runsOf(out)));
  output.stdout(json ? JSON.stringify(stateDocument(state), null, 2) + "\n" : showText(state));
}

async function tail(
  out: string,
  digits: string,
  { lines, follow, stop, output: { stdout } }: { lines: number; follow: boolean; stop: AbortSignal; output: Output },
): Promise<void> {
  const id = findRun(digits, runsOf(out)), path = logFile(out, id);
  let text = readTextIfThere(path);
  if (text === null) throw new InputError(`Cannot tail run ${id} as it has no log yet: wait until it has started`);
  stdout(text.trimEnd().split("\n").slice(-lines).join("\n") + "\n");
  while (follow && !stop.aborted && readState(out, id).record === null) {
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_EVERY_MS));
    const now = readTextIfThere(path) ?? "";
    stdout(now.slice(now.startsWith(text) ? text.length : 0));
    text = now;
  }
}

async function copyNetworks(out: string, to: string, { stdout, stderr }: Output): Promise<void> {
  const { networks, gone } = await allNetworks(out);
  for (const id of gone) stderr(`Left out ${id} as its checkpoint is gone\n`);
  const placed = await placeTeachers(resolve(to), networks, { say: (line) => stderr(`${line}\n`) });
  for (const record of placed) stdout(`Copied ${record.id}, ${describeTeacher(record)}\n`);
  stdout(`${placed.length} copied to ${to}, ${networks.length - placed.length} there before\n`);
}

type CleanOptions = Partial<Record<Cleanable | "delete", true>>;

async function cleanFolder(out: string, options: CleanOptions, { stdout, stderr }: Output): Promise<void> {
  const given = KINDS.filter((kind) => options[kind]), really = options.delete ?? false;
  if (really && given.length === 0) {
    throw new InputError(`Cannot delete as nothing is selected: add ${flagsOf(KINDS)}`);
  }
  const states = runIds(out).map((id) => readState(out, id));
  for (const { id, problem } of states) {
    if (problem !== null) stderr(`Run ${id} is left as it is: ${problem}\n`);
  }
  const kinds = given.length === 0 ? KINDS : given;
  const chosen = states.flatMap((state) => cleaningOf(state, new Set(kinds)) ?? []);
  const left = really
    ? await clean(out, chosen, { say: (line) => stderr(`${line}\n`) })
    : chosen.filter(({ state }) => state.holder !== null).map(({ state }) => state.id);
  for (const cleaning of chosen) stdout(cleanLine(cleaning, { really, held: left.includes(cleaning.state.id) }) + "\n");
  const bytes = chosen.filter(({ state }) => !left.includes(state.id)).reduce((sum, item) => sum + item.bytes, 0);
  const size = `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  if (really) stdout(`Deleted ${size}\n`);
  else if (chosen.length === 0) stdout("Nothing to delete\n");
  else stdout(`${size} could be deleted: give --delete together with ${flagsOf(kinds)}\n`);
}

function flagsOf(kinds: readonly Cleanable[]): string {
  return kinds.map((kind) => `--${kind}`).join(" or ");
}

function cleanLine({ state, names }: Cleaning, { really, held }: { really: boolean; held: boolean }): string {
  const what = names === null ? "its whole folder" : names.join(", ");
  const done = held ? "left, as a process has it" : really ? `deleted ${what}` : what;
  return `${state.id}  ${state.spec === null ? "" : describeRun(state.spec)}: ${done}`;
}

/** Describes the state of a run in a few words. */
function describeState({ record, problem, holder, epochs, spec }: RunState): string {
  if (problem !== null) return "unreadable";
  if (record !== null) return describeEnd(record);
  const progress = spec === null ? "" : `, ${epochs} of ${spec.recipe.epochs} epochs`;
  return holder === null ? `not over${progress}` : `run by process ${holder.pid} on ${holder.host}${progress}`;
}

function nameOf({ spec }: RunState): string {
  return spec === null ? "spec cannot be read" : describeRun(spec);
}

/** Lists runs, one per line: id, name, state; and how many there are of each status. */
function listText(states: readonly RunState[], out: string): string {
  const width = Math.max(0, ...states.map((state) => nameOf(state).length));
  const counts = new Map<string, number>();
  for (const { record, problem } of states) {
    const status = problem !== null ? "unreadable" : record?.status ?? "not over";
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  const total = [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
  const size = states.reduce((sum, state) => sum + sizeMiB(state), 0);
  return [
    ...states.map((state) => `${state.id}  ${nameOf(state).padEnd(width)}  ${firstSentence(describeState(state))}`),
    states.length === 0 ? `No runs in ${out}` : `${states.length} runs: ${total}; ${size.toFixed(1)} MiB in ${out}`,
    "",
  ].join("\n");
}

/** Reasons hold parts of logs: a list shows their beginning. */
function firstSentence(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

/** Shows what a person asks for first. */
function showText(state: RunState): string {
  const { id, spec, record, problem, files } = state;
  const lines = [`${id}  ${nameOf(state)}`, `State: ${describeState(state)}`];
  if (problem !== null) lines.push(`Problem: ${problem}`);
  if (spec !== null) {
    const { method, dataset, recipe, engine, protocol, teacher } = spec;
    lines.push(
      `Method: ${method.name} ${JSON.stringify(method.options)}, protocol ${protocol}, engine ${engine}`,
      `Data: ${dataset.name}; ${recipe.epochs} epochs of batch ${recipe.batchSize}, rate ${recipe.learningRate}`,
      `Teacher: ${teacher ?? "none"}`,
    );
  }
  if (record !== null) {
    const { environment, startedAt, wallSeconds, imagesPerSecond, peakMemoryMiB } = record;
    lines.push(
      `Started ${startedAt}, took ${formatSeconds(wallSeconds)}, ${Math.round(imagesPerSecond)} images/s, ` +
        `${Math.round(peakMemoryMiB)} MiB`,
      `On ${environment.cpu}, ${environment.os}, commit ${environment.commit ?? "unknown"}` +
        (environment.dirty ? " with uncommitted changes" : ""),
    );
    for (const epoch of record.curve) {
      lines.push(
        `  epoch ${epoch.epoch}: loss ${epoch.trainLoss.toFixed(4)}, test top-1 ${epoch.testTop1Percent.toFixed(2)} %`,
      );
    }
    if (record.log !== undefined) lines.push("Last lines of its log:", ...record.log.map((line) => `  ${line}`));
  }
  lines.push("Files:", ...files.map(({ name, bytes }) => `  ${name}  ${bytes} bytes`), "");
  return lines.join("\n");
}

/** Gives a run for machines. */
function stateDocument(state: RunState): unknown {
  return { ...state, status: state.record?.status ?? null };
}
