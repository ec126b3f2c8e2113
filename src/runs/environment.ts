import { cpus } from "node:os";
import type { Engine } from "../engine/types.ts";
import type { Environment } from "./record.ts";

const SOURCE_FOLDER = import.meta.dirname ?? ".";

async function git(folder: string, args: readonly string[]): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["-C", folder, ...args],
      stdout: "piped",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  } catch {
    // No git on this machine.
    return null;
  }
}

/** Commit of a checkout and whether it differs from it; both null outside a checkout or without git. */
export async function gitState(folder: string): Promise<Pick<Environment, "commit" | "dirty">> {
  const commit = await git(folder, ["rev-parse", "HEAD"]);
  if (commit === null) return { commit: null, dirty: null };
  const changes = await git(folder, ["status", "--porcelain"]);
  return { commit, dirty: changes === null ? null : changes !== "" };
}

/** What computes a run on this machine. */
export async function captureEnvironment(
  engine: Pick<Engine, "name" | "versions" | "device" | "threads">,
): Promise<Environment> {
  const fields = { ...(await gitState(SOURCE_FOLDER)), ...machine(), ...engineFields(engine) };
  if (engine.device !== "gpu") return fields;
  const gpu = await gpuName();
  return gpu === null ? fields : { ...fields, versions: { ...fields.versions, gpu } };
}

/** Name and driver of the first GPU that a process here sees, as NVIDIA's tool has them; null where that tool is not here. */
async function gpuName(): Promise<string | null> {
  const visible = Deno.env.get("CUDA_VISIBLE_DEVICES")?.split(",")[0];
  try {
    const { success, stdout } = await new Deno.Command("nvidia-smi", {
      args: [...(visible ? [`--id=${visible}`] : []), "--query-gpu=name,driver_version", "--format=csv,noheader"],
      stderr: "null",
    }).output();
    const [name, driver] = new TextDecoder().decode(stdout).split("\n")[0]!.split(",").map((text) => text.trim());
    return success && name && driver ? `${name}, driver ${driver}` : null;
  } catch {
    // not every machine with a GPU has the tool
    return null;
  }
}

/** The same for a run whose process ended before it could say: only the engine's name is known. */
export async function environmentWithoutEngine(name: string): Promise<Environment> {
  return {
    ...(await gitState(SOURCE_FOLDER)),
    ...machine(),
    engine: name,
    versions: { deno: Deno.version.deno },
    device: "unknown",
    threads: 1,
  };
}

function machine(): Pick<Environment, "os" | "cpu"> {
  const processors = cpus();
  return {
    os: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    cpu: `${processors[0]?.model.trim() || "unknown"}, ${Math.max(1, processors.length)} cores`,
  };
}

function engineFields(
  engine: Pick<Engine, "name" | "versions" | "device" | "threads">,
): Pick<Environment, "engine" | "versions" | "device" | "threads"> {
  return {
    engine: engine.name,
    versions: { deno: Deno.version.deno, v8: Deno.version.v8, ...engine.versions },
    device: engine.device,
    threads: engine.threads,
  };
}
