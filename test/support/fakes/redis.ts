import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import type { QueueTimes } from "../../../src/queue/mod.ts";

/** Short enough for a test, long enough for a busy machine. */
export const TEST_TIMES: QueueTimes = {
  lockMs: 2000,
  retryDelayMs: 50,
  releaseDelayMs: 300,
  progressMs: 50,
  pushMs: 100,
  lookMs: 100,
  resubmitMs: 5000,
  closeMs: 3000,
};

/** A redis-server of a test, on a free loopback port, that keeps what it is told in a folder. */
export interface TestRedis {
  readonly port: number;
  readonly url: string;
  /** Ends it at once, as a power cut does. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. */
  restart(): Promise<void>;
}

/** Whether Debian's redis-server, or another, is on PATH. */
export async function hasRedis(): Promise<boolean> {
  try {
    return (await new Deno.Command("redis-server", { args: ["--version"], stdout: "null", stderr: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

/** A port that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a server that writes every change to the disk at once. */
export async function startRedis(
  folder: string,
  args: readonly string[] = [],
  portFlag = "--port",
): Promise<TestRedis> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  let child = await start();

  async function start(): Promise<Deno.ChildProcess> {
    const started = new Deno.Command("redis-server", {
      args: [
        ...[portFlag, String(port), "--bind", "127.0.0.1", "--dir", folder],
        ...["--save", "", "--appendonly", "yes", "--appendfsync", "always"],
        ...args,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    for (let tries = 0; tries < 200; tries++) {
      try {
        const answers = await Deno.connect({ port, hostname: "127.0.0.1" });
        answers.close();
        return started;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
    throw new Error("redis-server does not answer");
  }
  async function kill(): Promise<void> {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await child.status;
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill,
    restart: async () => void (child = await start()),
  };
}
