/** NVIDIA's MPS: lets the kernels of several processes run on a GPU at the same time, instead of in turns. */
import { messageOf } from "../errors.ts";

const PROGRAM = "nvidia-cuda-mps-control";
/** Time that the daemon has for an answer, such as that of its end. */
const LIMIT_MS = 20_000;

/** MPS, or the reason why there is none. */
export interface Mps {
  /** Variables with which a process uses it. */
  readonly variables: Readonly<Record<string, string>>;
  /** Way in which processes share a GPU, for people: the end of a sentence. */
  readonly how: string;
  /** Stops the daemon if `startMps` started it. */
  stop(): Promise<void>;
}

/** Runs the control program; `input` is a command to the daemon, null starts one. Throws if it fails. */
async function control(input: string | null, env: Readonly<Record<string, string>>): Promise<void> {
  // a daemon that sees fewer GPUs numbers them anew, and the entries of its processes would name others
  const { CUDA_VISIBLE_DEVICES: _, ...own } = Deno.env.toObject();
  const child = new Deno.Command(PROGRAM, {
    args: input === null ? ["-d"] : [],
    clearEnv: true,
    env: { ...own, ...env },
    stdin: "piped",
    stdout: "null", // the daemon keeps it open
    stderr: "null",
    signal: AbortSignal.timeout(LIMIT_MS),
  }).spawn();
  const writer = child.stdin.getWriter();
  if (input !== null) await writer.write(new TextEncoder().encode(`${input}\n`)).catch(() => {});
  await writer.close().catch(() => {});
  const { code } = await child.status;
  if (code !== 0) throw new Error(`${PROGRAM} ended with code ${code}`);
}

/** Uses the MPS daemon that runs, else starts one in a folder of its own; where it cannot, processes take turns. */
export async function startMps(): Promise<Mps> {
  async function none(): Promise<void> {}
  const runs = await control("get_server_list", {}).then(() => true, () => false);
  if (runs) return { variables: {}, how: "by NVIDIA's MPS, which was running", stop: none };
  const folder = await Deno.makeTempDir({ prefix: "requant-mps-" });
  const variables = { CUDA_MPS_PIPE_DIRECTORY: folder, CUDA_MPS_LOG_DIRECTORY: folder };
  const remove = async () => await Deno.remove(folder, { recursive: true }).catch(() => {});
  try {
    await control(null, variables);
    // it must answer: where the driver forbids MPS, the daemon starts and ends
    await control("get_server_list", variables);
  } catch (error) {
    await remove();
    const reason = error instanceof Deno.errors.NotFound ? `${PROGRAM} is not installed` : messageOf(error);
    return { variables: {}, how: `in turns, as NVIDIA's MPS could not be started: ${reason}`, stop: none };
  }
  return {
    variables,
    how: "by NVIDIA's MPS, started here and stopped at the end",
    stop: async () => {
      await control("quit", variables).catch(() => {});
      await remove();
    },
  };
}
