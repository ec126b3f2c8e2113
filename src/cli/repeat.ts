/** `deno task repeat`: trains a recorded run again and compares the two, epoch by epoch and to the last digit. */
import { markdownTable } from "markdown-table";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { findTeachers, placeTeachers, type Teacher } from "../checkpoint/teachers.ts";
import type { EngineName } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import { listenForInterrupts } from "../pool/interrupts.ts";
import { startChild } from "../pool/process.ts";
import type { Epoch, RunRecord } from "../record/record.ts";
import { describeRun, runId } from "../record/spec.ts";
import { counted } from "../report/labels.ts";
import { existingFolder, findRun } from "../store/folder.ts";
import { readableRecords, readRecord } from "../store/store.ts";
import { commandLine, helpAlone, option, runCommand, wholeNumber } from "./command_line.ts";
import type { Output } from "./console.ts";
import { progressBar } from "./progress_bar.ts";

/** Folders of committed networks: where teachers are looked for. */
const COMMITTED = ["networks", "teachers"].map((name) =>
  fileURLToPath(new URL(`../../reports/${name}/`, import.meta.url))
);

/** Variable by which oneDNN leaves newer instructions out, and so computes as the recorded processor did. */
const INSTRUCTIONS = "ONEDNN_MAX_CPU_ISA";

/** Services of the command; left out: this machine's own. */
export interface RepeatServices extends Output {
  readonly records?: () => Promise<readonly RunRecord[]>;
  readonly command?: (place: { readonly out: string; readonly engine: EngineName }) => Promise<readonly string[]>;
  readonly prepareDataset?: (name: string, log: (line: string) => void) => Promise<void>;
  /** True: stderr is a terminal, which may show a bar. */
  readonly terminal?: boolean;
}

interface RepeatOptions {
  readonly epochs: number;
  readonly out?: string;
  readonly teachers?: string;
}

/** Runs the command. @returns The exit code: 0 the same, 1 not, 2 bad input. */
export async function repeat(args: readonly string[], services: RepeatServices): Promise<number> {
  const line = commandLine("repeat", "Trains a recorded run again and compares each epoch to the last digit", [
    "The record is a committed one, or with --out one of your own; the first digits of its id are enough",
    "Engine onednn uses the instruction set of the record, even on a newer processor",
    "Exit codes: 0 all epochs are the same, 1 one is not, 2 bad input, or stopped",
  ]).argument("<id>", "id of the run: tables Runs of reports/*.md show it")
    .addOption(
      option("--epochs <N>", "epochs to train", wholeNumber("epochs", { to: 1e6, remedy: "leave it out for one" }))
        .default(1, "1"),
    )
    .addOption(option("--out <DIR>", "folder of runs that has the record").default(undefined, "the committed records"))
    .addOption(
      option("--teachers <DIR>", "folder with the network that the run started from")
        .default(undefined, "that of --out, else reports/networks and reports/teachers"),
    );
  if (helpAlone(line, args, services)) return 0;
  return await runCommand<RepeatOptions>(line, args, {
    output: services,
    act: (options) => repeatOne(line.args[0]!, options, services),
  });
}

async function repeatOne(digits: string, options: RepeatOptions, services: RepeatServices): Promise<0 | 1> {
  const record = await recordOf(digits, options, services), { spec, curve, environment } = record;
  const epochs = Math.min(options.epochs, curve.length);
  const own = await import("./services.ts");
  await (services.prepareDataset ?? own.benchServices().prepareDataset)(
    spec.dataset.name,
    (line) => services.stderr(`${line}\n`),
  );
  const out = await Deno.makeTempDir({ prefix: "requant-repeat-" }), interrupts = listenForInterrupts();
  try {
    const given = options.teachers ?? options.out;
    await placeTeacher(record, { out, folders: given === undefined ? COMMITTED : [resolve(given)] });
    const command = await (services.command ?? own.childCommand)({ out, engine: spec.engine });
    const isa = environment.versions["isa"], processor = `${environment.cpu}${isa === undefined ? "" : `, ${isa}`}`;
    services.stdout(`Recorded: ${describeRun(spec)}, run ${record.id}, engine ${spec.engine} on ${processor}\n`);
    const again: Epoch[] = [];
    let bar: ReturnType<typeof progressBar> | null = null;
    const child = startChild({ id: record.id, spec }, {
      ...{ out, command, lock: null },
      ...(isa === undefined ? {} : { place: { variables: { [INSTRUCTIONS]: isa }, gpu: null } }),
      onMessage(message) {
        if (message.type === "progress") {
          if (services.terminal) bar ??= progressBar(epochs * message.steps / spec.recipe.epochs, "steps");
          bar?.update(message.step);
        }
        if (message.type !== "epoch" || again.length >= epochs) return;
        again.push(message.epoch);
        if (again.length >= epochs && epochs < spec.recipe.epochs) child.kill();
      },
    });
    interrupts.stop.addEventListener("abort", child.kill);
    const { lastLines } = await child.ended;
    (bar as ReturnType<typeof progressBar> | null)?.stop(); // assigned in a callback, which TypeScript does not see
    if (interrupts.stop.aborted) throw new InputError("Stopped: the same command starts again");
    if (again.length < epochs) {
      throw new InputError(
        `Cannot repeat run ${record.id} as its training ended after ${counted(again.length, "epoch")}: ` +
          (lastLines.at(-1) ?? "it left no log"),
      );
    }
    const engine = lastLines.find((text) => text.startsWith("Engine: ")) ?? "";
    services.stdout(`Here: ${engine.slice("Engine: ".length)}\n\n${comparison(curve, again)}\n\n`);
    return verdict(record, { again, repeated: readRecord(out, record.id), services });
  } finally {
    interrupts.dispose();
    await Deno.remove(out, { recursive: true });
  }
}

/** Finds a record by the first digits of its id. @throws {InputError} If none or several fit, or it has no epoch. */
async function recordOf(
  digits: string,
  { out }: RepeatOptions,
  services: RepeatServices,
): Promise<RunRecord> {
  const records = out !== undefined
    ? readableRecords(existingFolder(out))
    : await (services.records ?? (await import("./services.ts")).committedRecords)();
  const id = findRun(digits, {
    ids: [...new Set(records.map((record) => record.id))],
    ...(out === undefined
      ? { place: "reports/records", list: "reports/*.md" }
      : { place: out, list: "deno task runs list --out DIR" }),
  });
  const record = records.findLast((record) => record.id === id)!;
  if (record.curve.length === 0 || record.spec.imported || runId(record.spec) !== record.id) {
    throw new InputError(
      `Cannot repeat run ${record.id} as its record ${
        record.curve.length === 0 ? "has no epoch" : "is of a training that this version cannot do"
      }: choose another`,
    );
  }
  return record;
}

/** Copies the network that the run started from. @throws {InputError} If no folder has it, or one has another. */
async function placeTeacher(
  { id, spec, teacherSha256 }: RunRecord,
  { out, folders }: { readonly out: string; readonly folders: readonly string[] },
): Promise<void> {
  if (spec.teacher === null) return;
  let found: Teacher | undefined;
  for (const folder of folders) found ??= (await findTeachers(folder, [{ id: spec.teacher }])).get(spec.teacher);
  if (found === undefined) {
    throw new InputError(
      `Cannot repeat run ${id} as it started from run ${spec.teacher}, whose network is not in ${
        folders.join(" or ")
      }: ` +
        "train that run first and name its folder with --teachers",
    );
  }
  const { networkSha256 } = found.record;
  if (teacherSha256 !== undefined && networkSha256 !== undefined && teacherSha256 !== networkSha256) {
    throw new InputError(
      `Cannot repeat run ${id} as it started from a network of SHA-256 ${teacherSha256} and that in ${
        folders.join(" or ")
      } has ` +
        `${networkSha256}: name the folder of the other with --teachers`,
    );
  }
  await placeTeachers(out, [found]);
}

const NUMBERS = ["trainLoss", "testLoss", "testTop1Percent"] as const;

/** Each repeated epoch beside the recorded one. */
function comparison(recorded: readonly Epoch[], again: readonly Epoch[]): string {
  const rows = again.map((epoch, i) => {
    const before = recorded[i]!;
    const cells = NUMBERS.map((name) =>
      epoch[name] === before[name] ? String(epoch[name]) : `${epoch[name]}, recorded ${before[name]}`
    );
    return [String(epoch.epoch), ...cells];
  });
  return markdownTable([["Epoch", "Training loss", "Test loss", "Test top-1, %"], ...rows], { align: ["r"] });
}

/** Says whether the two are the same; of a run that was repeated to its end the networks too. */
function verdict(
  record: RunRecord,
  { again, repeated, services: { stdout } }: {
    readonly again: readonly Epoch[];
    readonly repeated: RunRecord | null;
    readonly services: Output;
  },
): 0 | 1 {
  const first = again.find((epoch, i) => !isDeepStrictEqual({ ...epoch }, { ...record.curve[i]! }));
  const { networkSha256 } = record, network = repeated?.networkSha256;
  const compared = networkSha256 !== undefined && network !== undefined, sameNetwork = network === networkSha256;
  if (first !== undefined || (compared && !sameNetwork)) {
    stdout(
      `Not the same: ${
        first === undefined ? "the network at the end" : `epoch ${first.epoch}`
      } differs. Another kind of ` +
        "processor, version of a library or code can do that: see docs/reproducibility.md\n",
    );
    return 1;
  }
  stdout(
    `The same to the last digit: ${again.length} of ${record.curve.length} epochs` +
      `${compared ? `, and the network at the end (SHA-256 ${network!.slice(0, 16)}...)` : ""}\n`,
  );
  return 0;
}
