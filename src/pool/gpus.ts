/** GPUs of this machine, as NVIDIA's tool lists them. */

/** GPU that processes of this one may use. */
export interface Gpu {
  /** Value of CUDA_VISIBLE_DEVICES that names it alone; null: processes take what CUDA gives them. */
  readonly visible: string | null;
  /** Name and driver, such as `NVIDIA H200, driver 580.159`; null: not known. */
  readonly name: string | null;
  /** Null: not known. */
  readonly memoryMiB: number | null;
}

/** Runs NVIDIA's tool; null: it is not installed, or reports nothing. */
function query(fields: string, id: string | null): string[][] | null {
  const args = [...(id === null ? [] : [`--id=${id}`]), `--query-gpu=${fields}`, "--format=csv,noheader,nounits"];
  try {
    const { success, stdout } = new Deno.Command("nvidia-smi", { args, stderr: "null" }).outputSync();
    const lines = success ? new TextDecoder().decode(stdout).split("\n").filter((line) => line.includes(",")) : [];
    return lines.length === 0 ? null : lines.map((line) => line.split(",").map((text) => text.trim()));
  } catch {
    return null;
  }
}

/**
 * Lists the GPUs that CUDA_VISIBLE_DEVICES leaves, in its order.
 * @returns Nothing where it hides them all; one without a name where NVIDIA's tool lists none.
 */
export function visibleGpus(): Gpu[] {
  const chosen = Deno.env.get("CUDA_VISIBLE_DEVICES")?.split(",").map((text) => text.trim());
  const rows = query("index,uuid,name,driver_version,memory.total", null);
  const gpuOf = (visible: string, row: readonly string[] | undefined): Gpu => {
    const [, , name, driver, memory] = row ?? [], memoryMiB = Number(memory);
    return {
      visible,
      name: name && driver ? `${name}, driver ${driver}` : null,
      memoryMiB: memoryMiB > 0 ? memoryMiB : null,
    };
  };
  if (chosen === undefined) {
    return rows?.map((row) => gpuOf(row[1]!, row)) ?? [{ visible: null, name: null, memoryMiB: null }];
  }
  // CUDA sees nothing behind the first entry that is none
  const end = chosen.findIndex((entry) => entry === "" || entry === "-1");
  return chosen.slice(0, end < 0 ? undefined : end).map((entry) =>
    gpuOf(entry, rows?.find(([index, uuid]) => index === entry || uuid!.startsWith(entry)))
  );
}

/** Reads how much of a GPU's memory all processes together use; null: not known. */
export function usedMiB({ visible }: Gpu): number | null {
  const used = Number(query("memory.used,index", visible)?.[0]?.[0]);
  return Number.isFinite(used) ? used : null;
}
