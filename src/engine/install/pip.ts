/** Downloads wheels by pip, for another Python and platform than the one that runs it: only their files matter. */
import { join } from "node:path";
import { InputError, isDiskFull } from "../../errors.ts";

/** Description of a download. */
export interface Download {
  /** pip requirements, such as `tensorflow-cpu==2.21.0`. */
  readonly requirements: readonly string[];
  /** pip's names of platforms; a wheel of any of them serves. */
  readonly platforms: readonly string[];
  /** The folder that the wheels go to. */
  readonly folder: string;
  /** pip's folder for what is not complete; watched for the progress. */
  readonly scratch: string;
  /** Called now and then with the bytes that have arrived. */
  readonly progress?: (doneBytes: number) => void;
}

/** Any Python for which the wheels exist. */
const PYTHON_VERSION = "3.11";

/**
 * Downloads wheels without their dependencies.
 * @returns Their paths.
 * @throws {InputError} If Python or pip is missing, the disk is full, or pip fails.
 */
export async function downloadWheels(
  { requirements, platforms, folder, scratch, progress }: Download,
): Promise<string[]> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.mkdir(scratch, { recursive: true });
  const options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check", "--quiet"];
  const named = platforms.flatMap((platform) => ["--platform", platform]);
  const target = ["--python-version", PYTHON_VERSION, ...named, "--dest", folder];
  const command = new Deno.Command("python3", {
    args: ["-m", "pip", "download", ...options, ...target, ...requirements],
    // a pip that can continue a broken connection does so; others pass the second one over
    env: { TMPDIR: scratch, PIP_RESUME_RETRIES: "5" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  });
  let timer: ReturnType<typeof setInterval> | undefined;
  try {
    const child = command.spawn();
    timer = progress && setInterval(() => progress(bytesIn(scratch) + bytesIn(folder)), 500);
    const { success, stderr } = await child.output();
    if (!success) throw pipFailure(requirements, new TextDecoder().decode(stderr));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw noPip();
    throw error;
  } finally {
    clearInterval(timer);
  }
  const wheels = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".whl"));
  return wheels.map(({ name }) => join(folder, name));
}

function noPip(): InputError {
  return new InputError(
    "Cannot download libtensorflow or oneDNN as python3 with pip was not found: install Python 3 with pip, " +
      "give a wheel by --wheel, or set REQUANT_LIBTENSORFLOW or REQUANT_ONEDNN",
  );
}

function pipFailure(requirements: readonly string[], said: string): Error {
  if (/No module named pip/.test(said)) return noPip();
  if (isDiskFull(new Error(said))) return new Error("No space left on device");
  const lines = said.split("\n").map((line) => line.trim()).filter(Boolean);
  const reason = lines.findLast((line) => line.startsWith("ERROR:")) ?? lines.at(-1) ?? "no reason given";
  return new InputError(
    `Cannot download ${requirements.join(", ")} as pip failed (${reason.replace(/^ERROR: /, "")}): ` +
      "check the network and pip's index, or give a wheel by --wheel",
  );
}

/** Bytes of all files below a folder, while others write to it. */
function bytesIn(folder: string): number {
  let bytes = 0;
  try {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      const path = join(folder, name);
      bytes += isDirectory ? bytesIn(path) : Deno.statSync(path).size;
    }
  } catch {
    // what pip has just moved away counts again next time
  }
  return bytes;
}
