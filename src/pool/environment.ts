/** The environment of a run: what its record holds of program and machine, and the variables its process gets. */
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { cpuInfo } from "../engine/cpu_info.ts";
import type { Engine } from "../engine/types.ts";
import type { Environment } from "../record/environment.ts";
import { type Checkout, checkoutOf } from "../store/git.ts";
import { visibleGpus } from "./gpus.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Facts about this checkout and machine that only other programs can find out. */
export interface HostFacts extends Checkout {
  /** Name and driver of the first visible GPU; null: NVIDIA's tool is not installed or names none. */
  readonly gpu: string | null;
  /** Family and model of the processor, as processors of one name differ in both: "AMD EPYC". Null: not known. */
  readonly generation: string | null;
}

/** Variable with the facts for a run's process, which may start no program: `HostFacts` as JSON. */
export const HOST_FACTS = "REQUANT_HOST_FACTS";

/** Variable with the nonce of the run's lock, without which its process may not write. */
export const RUN_LOCK = "REQUANT_RUN_LOCK";

/** Returns the facts that whoever started this process gave it; else finds them out. */
export function hostFacts(): HostFacts {
  const given = Deno.env.get(HOST_FACTS);
  return given === undefined
    ? { ...checkoutOf(ROOT), gpu: visibleGpus()[0]?.name ?? null, generation: generationIn(cpuInfo()) }
    : JSON.parse(given) as HostFacts;
}

/** Reads family and model of the first processor in the text of /proc/cpuinfo; null: it names none, as on ARM. */
export function generationIn(text: string): string | null {
  const [family, model] = ["cpu family", "model"].map((name) =>
    text.match(new RegExp(`^${name}\\s*:\\s*(\\d+)$`, "m"))?.[1]
  );
  return family && model ? `family ${family}, model ${model}` : null;
}

/** Describes what computes a run on this machine. */
export function captureEnvironment(engine: Pick<Engine, "name" | "versions" | "device" | "threads">): Environment {
  const { gpu, generation, commit, dirty } = hostFacts(), { name, versions, device, threads } = engine;
  return {
    ...{ commit, dirty, ...machine(generation), engine: name, device, threads },
    versions: {
      ...{ deno: Deno.version.deno, v8: Deno.version.v8, ...versions },
      ...(device === "gpu" && gpu !== null ? { gpu } : {}),
    },
  };
}

/** Does the same for a run whose process ended before it could say: only the engine's name is known. */
export function environmentWithoutEngine(name: string): Environment {
  const { commit, dirty } = checkoutOf(ROOT), versions = { deno: Deno.version.deno };
  return { commit, dirty, ...machine(generationIn(cpuInfo())), engine: name, versions, device: "unknown", threads: 1 };
}

/** `AMD EPYC (family 26, model 2)`. */
export function processorName(generation: string | null = generationIn(cpuInfo())): string {
  const name = cpus()[0]?.model.trim() || "unknown";
  return generation === null ? name : `${name} (${generation})`;
}

function machine(generation: string | null): Pick<Environment, "os" | "cpu"> {
  return {
    os: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    cpu: `${processorName(generation)}, ${Math.max(1, cpus().length)} cores`,
  };
}

/** Variables of the system that programs and libraries of a run read; none holds a password or token. */
const PASSED_ON = new RegExp(
  `^(${
    [
      "PATH|HOME|USER|LOGNAME|TMPDIR|TMP|TEMP|TZ|TERM|NO_COLOR|LANG|LANGUAGE",
      "LC_(ALL|COLLATE|CTYPE|MESSAGES|NUMERIC|TIME)",
      "SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMDATA",
      "XDG_CACHE_HOME|DENO_DIR|DENO_NO_UPDATE_CHECK|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH",
      "REQUANT_(CACHE|DATA|LIBTENSORFLOW|ONEDNN)",
      "CUDA_(VISIBLE_DEVICES|DEVICE_ORDER|CACHE_[A-Z]+|HOME|PATH|LAUNCH_BLOCKING|MODULE_LOADING|MPS_[A-Z_]+)",
      "NVIDIA_(TF32_OVERRIDE|VISIBLE_DEVICES|DRIVER_CAPABILITIES)|XLA_FLAGS|TF_XLA_FLAGS",
      "TF_(CPP|CUDNN|DETERMINISTIC|ENABLE|FORCE|GPU|NUM)_[A-Z0-9_]+",
      "(OMP|KMP|MKL|OPENBLAS)_(NUM_THREADS|BLOCKTIME|AFFINITY|PROC_BIND|PLACES)|(DNNL|ONEDNN)_[A-Z_]+",
    ].join("|")
  })$`,
  "i",
);

/** Chooses the variables that a run's process gets: those of a list, as any other may hold a secret. */
export function childEnvironment(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => PASSED_ON.test(name)));
}
