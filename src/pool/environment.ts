import { cpus } from "node:os";
import type { Engine } from "../engine/types.ts";
import type { Environment } from "../record/record.ts";

const SOURCE_FOLDER = import.meta.dirname ?? ".";

/** What only other programs can tell of this checkout and machine. */
export interface HostFacts extends Pick<Environment, "commit" | "dirty"> {
  /** Name and driver of the first GPU that a process here sees; null: NVIDIA's tool is not here or names none. */
  readonly gpu: string | null;
}

/** Holds the facts for a run's process, which may start no program: `HostFacts` as JSON. */
export const HOST_FACTS = "REQUANT_HOST_FACTS";

/** Told by whoever started this process, else asked for. */
export function hostFacts(): HostFacts {
  const told = Deno.env.get(HOST_FACTS);
  return told === undefined ? { ...gitState(SOURCE_FOLDER), gpu: gpuName() } : JSON.parse(told) as HostFacts;
}

/** What a program prints; null: it is not on this machine, or failed. */
function printed(program: string, args: readonly string[]): string | null {
  try {
    const { success, stdout } = new Deno.Command(program, { args: [...args], stderr: "null" }).outputSync();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  } catch {
    return null;
  }
}

/** Commit of a checkout and whether it differs from it; both null outside a checkout or without git. */
export function gitState(folder: string): Pick<Environment, "commit" | "dirty"> {
  const commit = printed("git", ["-C", folder, "rev-parse", "HEAD"]);
  if (commit === null) return { commit: null, dirty: null };
  const changes = printed("git", ["-C", folder, "status", "--porcelain"]);
  return { commit, dirty: changes === null ? null : changes !== "" };
}

function gpuName(): string | null {
  const visible = Deno.env.get("CUDA_VISIBLE_DEVICES")?.split(",")[0];
  const asked = ["--query-gpu=name,driver_version", "--format=csv,noheader"];
  const told = printed("nvidia-smi", [...(visible ? [`--id=${visible}`] : []), ...asked]);
  const [name, driver] = (told ?? "").split("\n")[0]!.split(",").map((text) => text.trim());
  return name && driver ? `${name}, driver ${driver}` : null;
}

/** What computes a run on this machine. */
export function captureEnvironment(engine: Pick<Engine, "name" | "versions" | "device" | "threads">): Environment {
  const { gpu, ...checkout } = hostFacts(), fields = { ...checkout, ...machine(), ...engineFields(engine) };
  if (engine.device !== "gpu" || gpu === null) return fields;
  return { ...fields, versions: { ...fields.versions, gpu } };
}

/** The same for a run whose process ended before it could say: only the engine's name is known. */
export function environmentWithoutEngine(name: string): Environment {
  return {
    ...gitState(SOURCE_FOLDER),
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
