/** The Python with PyTorch: the user's, or a virtual environment in the cache. */
import { dirname, join } from "node:path";
import { cacheFolder } from "../../src/data/cache.ts";
import { InputError } from "../../src/errors.ts";
import type { SideName } from "./measurement.ts";

const TORCH = "torch==2.13.0", BREVITAS = "brevitas==0.13.4";

async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, { args: [...args], stdout: "null", stderr: "null" }).output();
    return success;
  } catch {
    return false;
  }
}

function imports(python: string, names: string): Promise<boolean> {
  return succeeds(python, ["-c", `import ${names}`]);
}

/**
 * A Python that imports torch; one that is made here imports brevitas too.
 * @throws {InputError} If the named one does not, or none can be made.
 */
export async function findPython(named: string | null, log: (line: string) => void): Promise<string> {
  if (named !== null) {
    if (await imports(named, "torch")) return named;
    throw new InputError(
      `Cannot use --torch ${named} as it is no Python that imports torch: install ${TORCH} there, ` +
        "or leave --torch out",
    );
  }
  const folder = join(dirname(cacheFolder("data")), "peers", TORCH.replace("==", "-"));
  const python = join(folder, "bin", "python"), both = "torch, brevitas";
  if (await imports(python, both)) return python;
  log(`installing ${TORCH} and ${BREVITAS} into ${folder} (some gigabytes)`);
  const made = (await imports(python, "torch") || await succeeds("python3", ["-m", "venv", "--clear", folder])) &&
    await succeeds(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", TORCH, BREVITAS]);
  if (made && await imports(python, both)) return python;
  throw new InputError(
    `Cannot install ${TORCH} and ${BREVITAS} into "${folder}" as python3 with venv, pip, a network or disk space is ` +
      "missing: name a Python that has them with --torch",
  );
}

/** The sides that cannot run with that Python, with the reason. */
export async function obstacles(python: string): Promise<Partial<Record<SideName, string>>> {
  const compiler = Deno.env.get("CXX") ?? "g++";
  return {
    ...(await succeeds(compiler, ["--version"])
      ? {}
      : { compile: `torch.compile needs a C++ compiler, and ${compiler} is not here` }),
    ...(await imports(python, "brevitas")
      ? {}
      : { brevitas: `${python} cannot import brevitas: install ${BREVITAS} there` }),
  };
}

/** Whether processes can be tied to a core. */
export function canPin(): Promise<boolean> {
  return succeeds("taskset", ["-V"]);
}
