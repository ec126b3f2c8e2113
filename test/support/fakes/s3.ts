/** S3-compatible servers of a test, on a free loopback port: s3rver of npm, and versitygw, which checks signatures, if it is on PATH. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseStoreUrl } from "../../../src/queue/store_url.ts";
import { freePort } from "./redis.ts";

export const BUCKET = "requant";
/** s3rver knows no other. */
const KEY = "S3RVER";

/** A server with one empty bucket. */
export interface TestS3 {
  readonly port: number;
  /** What a user has in the environment. */
  readonly environment: Record<string, string>;
  readonly address: ReturnType<typeof parseStoreUrl>;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

export type S3Kind = "s3rver" | "versitygw";

/** The servers of this machine. */
export const S3_KINDS: readonly S3Kind[] = await has("versitygw") ? ["s3rver", "versitygw"] : ["s3rver"];

async function has(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

function commandOf(kind: S3Kind, folder: string, port: number): Deno.Command {
  if (kind === "s3rver") {
    const main = fileURLToPath(new URL("./s3_main.ts", import.meta.url));
    // without it Deno would add the stand-in's packages to the lockfile of the product
    const lock = fileURLToPath(new URL("../../deno.lock", import.meta.url));
    return new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", `--lock=${lock}`, main, String(port), folder, BUCKET],
      stdout: "null",
      stderr: "null",
    });
  }
  mkdirSync(`${folder}/${BUCKET}`, { recursive: true });
  return new Deno.Command("versitygw", {
    args: ["--port", `127.0.0.1:${port}`, "--access", KEY, "--secret", KEY, "posix", "--nometa", folder],
    stdout: "null",
    stderr: "null",
  });
}

export async function startS3(kind: S3Kind, folder: string): Promise<TestS3> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  let child = await start();

  async function start(): Promise<Deno.ChildProcess> {
    const started = commandOf(kind, folder, port).spawn();
    for (let tries = 0; tries < 400; tries++) {
      try {
        (await Deno.connect({ port, hostname: "127.0.0.1" })).close();
        return started;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
    throw new Error(`${kind} does not answer`);
  }
  async function kill(): Promise<void> {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await child.status;
  }
  const environment = {
    AWS_ACCESS_KEY_ID: KEY,
    AWS_SECRET_ACCESS_KEY: KEY,
    REQUANT_S3_ENDPOINT: `http://127.0.0.1:${port}`,
  };
  return {
    port,
    environment,
    address: parseStoreUrl(`s3://${BUCKET}/grids/one`, environment),
    kill,
    restart: async () => void (child = await start()),
  };
}
