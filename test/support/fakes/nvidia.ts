/** NVIDIA's programs, as scripts on the PATH of a test. */
import { join } from "node:path";

const VARIABLES = ["PATH", "CUDA_VISIBLE_DEVICES", "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"] as const;

/** Two GPUs with 1000 and 2000 MiB in use, whatever the driver. */
export const TWO_GPUS = `
case "$*" in
  *--id=1*memory.used*|*--id=GPU-bb*memory.used*) echo "2000, 1";;
  *memory.used*) echo "1000, 0";;
  *) echo "0, GPU-aa11, NVIDIA X1, 580.1, 81920"; echo "1, GPU-bb22, NVIDIA X2, 580.1, 40960";;
esac`;

/** A daemon that runs as long as its folder (by default \`default\` beside the log) has a file \`running\`. */
export function mpsScript(folder: string): string {
  return `
pipe="\${CUDA_MPS_PIPE_DIRECTORY:-${folder}/default}"
if [ "$1" = -d ]; then echo "start $pipe$CUDA_VISIBLE_DEVICES" >> ${folder}/log; : > "$pipe/running"; exit 0; fi
[ -e "$pipe/running" ] || exit 1
read command
echo "$command" >> ${folder}/log
[ "$command" != quit ] || /bin/rm "$pipe/running"`;
}

/** Runs \`body\` with these programs alone on the PATH, and none of the caller's variables about GPUs. */
export async function withNvidia(
  folder: string,
  scripts: Readonly<Record<string, string>>,
  body: () => Promise<void> | void,
): Promise<void> {
  const before = VARIABLES.map((name) => [name, Deno.env.get(name)] as const), bin = join(folder, "bin");
  Deno.mkdirSync(bin, { recursive: true });
  for (const [name, script] of Object.entries(scripts)) {
    Deno.writeTextFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  for (const [name] of before) Deno.env.delete(name);
  Deno.env.set("PATH", bin);
  try {
    await body();
  } finally {
    for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    Deno.removeSync(bin, { recursive: true });
  }
}
