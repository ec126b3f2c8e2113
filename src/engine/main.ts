// deno-lint-ignore-file no-console
/** CLI of `deno task engine`. */
import { parseArgs } from "node:util";
import { InputError, messageOf } from "../errors.ts";
import { diagnose, formatReport } from "./doctor.ts";
import { type Installed, installLibtensorflow, type InstallProgress } from "./install.ts";
import { cudaFolder, searchLibtensorflow } from "./locate.ts";
import { installOneDnn } from "./onednn/install.ts";
import { isSupported } from "./onednn/locate.ts";
import { ENGINE_CHOICES, type EngineChoice, openEngine } from "./mod.ts";

const HELP = `Usage: deno task engine <command> [flags]

Commands
  install   bring the fast engines' libraries into the cache by pip: libtensorflow (a wheel of 274 MB; 853 MB on disk)
            and, on Linux on x86-64, oneDNN (39 MB; 54 MB on disk)
  doctor    run every kernel that the suite uses against reference values, and measure the speed

Flags
  --gpu            install: with CUDA (Linux on x86-64, some gigabytes)
  --only NAME      install: libtensorflow or onednn alone
  --wheel PATH     install: from a wheel that is there already, without a network (of tensorflow, or of the one of --only)
  --engine NAME    doctor: ${ENGINE_CHOICES.join(", ")} (default auto: tensorflow where it is found,
                   else onednn, else wasm)
  --json           print one JSON document on stdout
  --help           print this

Environment
  REQUANT_LIBTENSORFLOW   a libtensorflow_cc of version 2.21, or its folder, to use instead of looking for one
  REQUANT_ONEDNN          a libdnnl.so.3 (oneDNN 3), or its folder, to use instead of the installed one
  REQUANT_CACHE           where downloads are kept (default ~/.cache/requant)

Exit codes: 0 all is well, 1 the doctor found something wrong, 2 bad input`;

/** Libraries that can be installed. */
const LIBRARIES = ["libtensorflow", "onednn"] as const;

interface Flags {
  /** Undefined: all that this machine can use. */
  readonly only: typeof LIBRARIES[number] | undefined;
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
        only: { type: "string" },
        engine: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new InputError(`${messageOf(error).split(". ")[0]}: see \`deno task engine --help\``);
  }
  const { values: { gpu = false, wheel, only, engine, json = false, help }, positionals: [command, ...extra] } = parsed;
  if (help) return { command: null, flags: { gpu, only: undefined, wheel, engine: "auto", json } };
  if (command !== "install" && command !== "doctor" || extra.length) {
    throw new InputError(
      `Command must be install or doctor: current value is "${[command, ...extra].filter(Boolean).join(" ")}"`,
    );
  }
  const misplaced = command === "install"
    ? engine !== undefined && "--engine"
    : gpu
    ? "--gpu"
    : wheel
    ? "--wheel"
    : only && "--only";
  if (misplaced) {
    throw new InputError(`Flag ${misplaced} does not belong to ${command}: see \`deno task engine --help\``);
  }
  if (only !== undefined && !LIBRARIES.includes(only as typeof LIBRARIES[number])) {
    throw new InputError(`Flag --only must be one of ${LIBRARIES.join(", ")}: current value is "${only}"`);
  }
  if (gpu && only === "onednn") throw new InputError("Cannot use --gpu with --only onednn as oneDNN computes on a CPU");
  if (engine !== undefined && !ENGINE_CHOICES.includes(engine as EngineChoice)) {
    throw new InputError(`Flag --engine must be one of ${ENGINE_CHOICES.join(", ")}: current value is "${engine}"`);
  }
  return {
    command,
    flags: { gpu, only: only as Flags["only"], wheel, engine: (engine ?? "auto") as EngineChoice, json },
  };
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

async function install({ gpu, only, wheel, json }: Flags): Promise<number> {
  const progress = progressLine(), from = wheel === undefined ? {} : { wheel };
  // a wheel is of one library; a GPU's machine computes by libtensorflow
  const chosen = only ? [only] : wheel !== undefined || gpu || !isSupported() ? ["libtensorflow"] : LIBRARIES;
  try {
    const all: Installed[] = [];
    for (const name of chosen) {
      const options = { progress: progress.show, ...from };
      all.push(name === "onednn" ? await installOneDnn(options) : await installLibtensorflow({ gpu, ...options }));
    }
    progress.end();
    if (json) console.log(JSON.stringify(all.length === 1 ? all[0] : all));
    else for (const { fresh, library } of all) console.log(`${fresh ? "Installed" : "Already there:"} ${library}`);
    return 0;
  } catch (error) {
    progress.end();
    throw error;
  }
}

async function doctor({ engine, json }: Flags): Promise<number> {
  const report = await diagnose(await openEngine(engine)), { found, passedOver } = await searchLibtensorflow();
  const hints = [...passedOver];
  if (report.engine === "wasm") {
    hints.push(
      "For a several times faster engine run `deno task engine install`, which brings libtensorflow and, on Linux on " +
        "x86-64, oneDNN",
    );
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
