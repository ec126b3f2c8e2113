import { InputError } from "../errors.ts";
import type { CudaCheck } from "../engine/cuda.ts";
import type { Installed, InstallProgress } from "../engine/install.ts";
import type { EngineChoice, PrecisionChoice } from "../engine/types.ts";
import { listed } from "./columns.ts";
import { choice, commandLine, engineOption, helpAlone, option, precisionOption, runCommand } from "./command_line.ts";
import type { Console } from "./console.ts";

/** Libraries that can be installed. */
const LIBRARIES = ["libtensorflow", "onednn"] as const;

const STAGES = { download: "downloading", check: "checking", unpack: "unpacking" } as const;

/** `deno task engine`. @returns The exit code: 0 all is well, 1 the doctor found something wrong, 2 bad input. */
export async function engine(args: readonly string[], console: Console): Promise<number> {
  let code = 0;
  const line = commandLine("engine", "Installs the fast engine, or checks an engine", [
    "Environment",
    listed([
      ["REQUANT_LIBTENSORFLOW", "a libtensorflow_cc of version 2.21, or its folder, to use instead of looking for one"],
      ["REQUANT_ONEDNN", "a libdnnl.so.3 (oneDNN 3), or its folder, to use instead of the installed one"],
      ["REQUANT_CACHE", "folder of downloads; default: ~/.cache/requant"],
    ], 2),
    "Exit codes: 0 all is well, 1 the doctor found something wrong, 2 bad input",
  ]);
  line.command("install")
    .description(
      "bring the fast engines' libraries into the cache by pip: libtensorflow (a wheel of 274 MB; 853 MB on disk) and, on " +
        "Linux on x86-64, oneDNN (39 MB; 54 MB on disk)",
    )
    .addOption(option("--gpu", "with CUDA (Linux on x86-64; 3.4 GB to download, 5.7 GB on disk)"))
    .addOption(choice("--only <NAME>", "one library alone", LIBRARIES))
    .addOption(option("--wheel <PATH>", "from a wheel on disk, without a network: of tensorflow, or of --only"))
    .addOption(option("--json", "print one JSON document"))
    .action(async (options) => void (code = await install(options, console)));
  line.command("doctor")
    .description("run every kernel against reference values, and measure the speed")
    .addOption(engineOption())
    .addOption(precisionOption())
    .addOption(option("--json", "print one JSON document"))
    .action(async (options) => void (code = await doctor(options, console)));
  if (helpAlone(line, args, console)) return 0;
  const read = await runCommand(line, args, { output: console });
  return read === 0 ? code : read;
}

/** Shows the progress of an installation on stderr: one line that changes on a terminal, else a line per stage. */
function progressLine(
  { terminal, draw, stderr }: Console,
): { show: (progress: InstallProgress) => void; end: () => void } {
  let stage = "";
  return {
    show({ stage: next, doneBytes, totalBytes }) {
      const done = Math.round(doneBytes / 2 ** 20), of = totalBytes ? ` of ${Math.round(totalBytes / 2 ** 20)}` : "";
      if (terminal) draw(`\r${STAGES[next]}${doneBytes ? ` ${done}${of} MiB` : ""}\x1b[K`);
      else if (stage !== next) stderr(`${STAGES[next]}\n`);
      stage = next;
    },
    end() {
      if (terminal && stage) draw("\r\x1b[K");
    },
  };
}

/** Options of `install`. */
interface InstallFlags {
  /** Left out: all libraries that this machine can use. */
  readonly only?: typeof LIBRARIES[number];
  readonly wheel?: string;
  readonly gpu?: boolean;
  readonly json?: true;
}

/** @returns The exit code. */
async function install({ only, wheel, gpu = false, json }: InstallFlags, console: Console): Promise<0 | 1> {
  if (gpu && only === "onednn") {
    throw new InputError("Cannot use --gpu with --only onednn as oneDNN computes on a CPU: leave one out");
  }
  const { checkCuda } = await import("../engine/cuda.ts");
  const { installLibtensorflow } = await import("../engine/install.ts");
  const { installOneDnn } = await import("../engine/onednn/install.ts");
  const { isSupported } = await import("../engine/onednn/locate.ts");
  // a wheel is of one library; a GPU's machine computes by libtensorflow
  const chosen = only ? [only] : wheel !== undefined || gpu || !isSupported() ? ["libtensorflow"] : LIBRARIES;
  const progress = progressLine(console), installed: Installed[] = [];
  try {
    const say = (line: string) => (progress.end(), console.stderr(`${line}\n`));
    const options = { progress: progress.show, say, ...(wheel === undefined ? {} : { wheel }) };
    for (const name of chosen) {
      installed.push(
        name === "onednn" ? await installOneDnn(options) : await installLibtensorflow({ gpu, ...options }),
      );
    }
    progress.end();
    const cuda = gpu ? await checkCuda(installed[0]!.library) : null;
    const lines = installed.map(({ fresh, library }) => `${fresh ? "Installed" : "Already there:"} ${library}`);
    const document = installed.length === 1 ? { ...installed[0], ...(cuda === null ? {} : { cuda }) } : installed;
    console.stdout(`${json ? JSON.stringify(document) : [...lines, ...cudaLines(cuda)].join("\n")}\n`);
    return cuda === null || cuda.problems.length === 0 ? 0 : 1;
  } finally {
    progress.end();
  }
}

/** Lines for people about NVIDIA's libraries. */
function cudaLines(cuda: CudaCheck | null): string[] {
  if (cuda === null) return [];
  const versions = Object.entries(cuda.versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const found = cuda.problems.length === 0 ? `${cuda.libraries} libraries of NVIDIA's, all found` : "FAILED";
  return [`CUDA: ${found}`, ...cuda.problems.map((problem) => `  ${problem}`), ...(versions ? [`  ${versions}`] : [])];
}

/** @returns The exit code. */
async function doctor(
  { engine, precision, json }: { engine: EngineChoice; precision: PrecisionChoice; json?: true },
  { stdout }: Console,
): Promise<0 | 1> {
  const { diagnose, formatReport } = await import("../engine/doctor.ts");
  const { checkCuda } = await import("../engine/cuda.ts");
  const { searchLibtensorflow } = await import("../engine/locate.ts");
  const { openEngine } = await import("../engine/mod.ts");
  const opened = await openEngine(engine, precision === "auto" ? {} : { precision });
  const report = await diagnose(opened), { found, passedOver } = await searchLibtensorflow();
  const hints = [...passedOver], ours = report.engine === "tensorflow" && found !== null;
  const cuda = ours ? await checkCuda(found.library) : null;
  if (report.engine === "wasm") {
    hints.push(
      "For a several times faster engine run `deno task engine install`, which brings libtensorflow and, on Linux on " +
        "x86-64, oneDNN",
    );
  }
  if (cuda !== null && report.device === "cpu") {
    hints.push(
      "The library has CUDA, but no GPU was found, so runs compute on the CPU: see whether `nvidia-smi` shows one and its " +
        "driver serves CUDA 12.5",
    );
  }
  const text = json
    ? JSON.stringify({ ...report, ...(cuda === null ? {} : { cuda }), hints }, null, 2)
    : [...formatReport(report), ...cudaLines(cuda), ...hints].join("\n");
  stdout(`${text}\n`);
  return report.ok && (cuda?.problems ?? []).length === 0 ? 0 : 1;
}
