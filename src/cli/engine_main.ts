// deno-lint-ignore-file no-console
/** CLI of `deno task engine`. */
import { parseArgs } from "node:util";
import { InputError, messageOf } from "../errors.ts";
import { diagnose, formatReport } from "../engine/doctor.ts";
import { installLibtensorflow, type InstallProgress } from "../engine/install.ts";
import { cudaFolder, searchLibtensorflow } from "../engine/locate.ts";
import { ENGINE_CHOICES, type EngineChoice, openEngine } from "../engine/mod.ts";

const HELP = `Usage: deno task engine <command> [flags]

Commands
  install   bring libtensorflow, the fast engine, into the cache by pip (a wheel of 274 MB; 853 MB on disk)
  doctor    run every kernel that the suite uses against reference values, and measure the speed

Flags
  --gpu            install: with CUDA (Linux on x86-64, some gigabytes)
  --wheel PATH     install: from a wheel of tensorflow that is there already, without a network
  --engine NAME    doctor: ${ENGINE_CHOICES.join(", ")} (default auto: tensorflow where it is found, else wasm)
  --json           print one JSON document on stdout
  --help           print this

Environment
  REQUANT_LIBTENSORFLOW   a libtensorflow_cc of version 2.21, or its folder, to use instead of looking for one
  REQUANT_CACHE           where downloads are kept (default ~/.cache/requant)

Exit codes: 0 all is well, 1 the doctor found something wrong, 2 bad input`;

interface Flags {
  readonly gpu: boolean;
  readonly wheel: string | undefined;
  readonly engine: EngineChoice;
  readonly json: boolean;
}

function parse(args: string[]): { command: string | null; flags: Flags } {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        gpu: { type: "boolean" },
        wheel: { type: "string" },
        engine: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new InputError(`${messageOf(error).split(". ")[0]}: see \`deno task engine --help\``);
  }
  const { values: { gpu = false, wheel, engine, json = false, help }, positionals: [command, ...extra] } = parsed;
  if (help) return { command: null, flags: { gpu, wheel, engine: "auto", json } };
  if (command !== "install" && command !== "doctor" || extra.length) {
    throw new InputError(
      `Command must be install or doctor: current value is "${[command, ...extra].filter(Boolean).join(" ")}"`,
    );
  }
  const misplaced = command === "install" ? engine !== undefined && "--engine" : gpu ? "--gpu" : wheel && "--wheel";
  if (misplaced) {
    throw new InputError(`Flag ${misplaced} does not belong to ${command}: see \`deno task engine --help\``);
  }
  if (engine !== undefined && !ENGINE_CHOICES.includes(engine as EngineChoice)) {
    throw new InputError(`Flag --engine must be one of ${ENGINE_CHOICES.join(", ")}: current value is "${engine}"`);
  }
  return { command, flags: { gpu, wheel, engine: (engine ?? "auto") as EngineChoice, json } };
}

const STAGES = { download: "downloading", check: "checking", unpack: "unpacking" } as const;

/** Shows where an installation stands, on stderr: one line that changes on a terminal, else a line a stage. */
function progressLine(): { show: (progress: InstallProgress) => void; end: () => void } {
  const terminal = Deno.stderr.isTerminal(), encoder = new TextEncoder();
  let stage = "";
  return {
    show({ stage: next, doneBytes, totalBytes }) {
      if (terminal) {
        const done = Math.round(doneBytes / 2 ** 20), of = totalBytes ? ` of ${Math.round(totalBytes / 2 ** 20)}` : "";
        Deno.stderr.writeSync(encoder.encode(`\r${STAGES[next]}${doneBytes ? ` ${done}${of} MiB` : ""}\x1b[K`));
      } else if (stage !== next) {
        console.error(STAGES[next]);
      }
      stage = next;
    },
    end() {
      if (terminal && stage) Deno.stderr.writeSync(encoder.encode("\r\x1b[K"));
    },
  };
}

async function install({ gpu, wheel, json }: Flags): Promise<number> {
  const progress = progressLine();
  try {
    const options = { gpu, progress: progress.show, ...(wheel === undefined ? {} : { wheel }) };
    const installed = await installLibtensorflow(options);
    progress.end();
    if (json) console.log(JSON.stringify(installed));
    else console.log(`${installed.fresh ? "Installed" : "Already there:"} ${installed.library}`);
    return 0;
  } catch (error) {
    progress.end();
    throw error;
  }
}

async function doctor({ engine, json }: Flags): Promise<number> {
  const report = await diagnose(await openEngine(engine)), { found, passedOver } = await searchLibtensorflow();
  const hints = [...passedOver];
  if (report.engine === "wasm" && !found) {
    hints.push("For a several times faster engine run `deno task engine install`, which brings libtensorflow");
  }
  if (report.engine === "tensorflow" && report.device === "cpu" && found && cudaFolder(found.library)) {
    hints.push(
      "The library has CUDA, but no GPU was found, so runs compute on the CPU: see whether `nvidia-smi` shows one and its " +
        "driver serves CUDA 12.5",
    );
  }
  if (json) console.log(JSON.stringify({ ...report, hints }, null, 2));
  else for (const line of [...formatReport(report), ...hints]) console.log(line);
  return report.ok ? 0 : 1;
}

async function main(args: string[]): Promise<number> {
  try {
    const { command, flags } = parse(args);
    if (command === null) {
      console.log(HELP);
      return 0;
    }
    return command === "install" ? await install(flags) : await doctor(flags);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    console.error(error.message);
    return 2;
  }
}

Deno.exit(await main(Deno.args));
