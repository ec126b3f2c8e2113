/** The Python with PyTorch: the user's, or a virtual environment in the cache. */
import { dirname, join } from "node:path";
import { cacheFolder } from "../../src/data/cache.ts";
import { InputError } from "../../src/errors.ts";

const REQUIREMENT = "torch==2.13.0";

async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, { args: [...args], stdout: "null", stderr: "null" }).output();
    return success;
  } catch {
    return false;
  }
}

function hasTorch(python: string): Promise<boolean> {
  return succeeds(python, ["-c", "import torch"]);
}

/**
 * A Python that imports torch.
 * @throws {InputError} If the named one does not, or none can be made.
 */
export async function findPython(named: string | null, log: (line: string) => void): Promise<string> {
  if (named !== null) {
    if (await hasTorch(named)) return named;
    throw new InputError(
      `Cannot use --torch ${named} as it is no Python that imports torch: install ${REQUIREMENT} there, ` +
        "or leave --torch out",
    );
  }
  const folder = join(dirname(cacheFolder("data")), "peers", REQUIREMENT.replace("==", "-"));
  const python = join(folder, "bin", "python");
  if (await hasTorch(python)) return python;
  log(`installing ${REQUIREMENT} into ${folder} (some gigabytes)`);
  const made = await succeeds("python3", ["-m", "venv", "--clear", folder]) &&
    await succeeds(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT]);
  if (made && await hasTorch(python)) return python;
  throw new InputError(
    `Cannot install ${REQUIREMENT} into "${folder}" as python3 with venv, pip, a network or disk space is missing: ` +
      "name a Python that has it with --torch",
  );
}

/** Why torch.compile cannot run; null: it can. */
export async function compileObstacle(): Promise<string | null> {
  const compiler = Deno.env.get("CXX") ?? "g++";
  return await succeeds(compiler, ["--version"])
    ? null
    : `torch.compile needs a C++ compiler, and ${compiler} is not here`;
}

/** Whether processes can be tied to a core. */
export function canPin(): Promise<boolean> {
  return succeeds("taskset", ["-V"]);
}
