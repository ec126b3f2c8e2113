/** The connection to Redis: its options, the check before it is used, and the name of the queue. */
import { isIP } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { RedisOptions } from "bullmq";
import { Redis } from "ioredis";
import { InputError, messageOf } from "../errors.ts";
import type { EngineName } from "../engine/types.ts";
import { createExclusive, pathBelow, readTextIfThere } from "../store/files.ts";
import { checkOut } from "../store/store.ts";
import { type BucketAddress, bucketId } from "./store_url.ts";
import { AUTHORITY_VARIABLE, PASSWORD_VARIABLE, type QueueAddress, redact } from "./url.ts";

const SAY_AGAIN_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5000;
const RETRY_STEP_MS = 200;
const RETRY_MOST_MS = 3000;
const ID_TRIES = 40;
const ID_WAIT_MS = 50;

/**
 * Makes the options of ioredis; a lost server is tried again until `ended`, as runs continue meanwhile.
 * @throws {InputError} If the file of the authority cannot be read.
 */
export function connectionOptions(address: QueueAddress, ended?: AbortSignal): RedisOptions {
  const { host, port, database, username, password, tls } = address;
  return {
    host,
    port,
    db: database,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(tls ? { tls: tlsOptions(host) } : {}),
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxRetriesPerRequest: null,
    retryStrategy: (times: number) => ended?.aborted ? null : Math.min(times * RETRY_STEP_MS, RETRY_MOST_MS),
  };
}

function tlsOptions(host: string): { servername?: string; ca?: string } {
  const path = Deno.env.get(AUTHORITY_VARIABLE);
  const ca = path ? readTextIfThere(path) : null;
  if (path && ca === null) {
    throw new InputError(`Cannot read ${path} as there is no such file: correct ${AUTHORITY_VARIABLE}`);
  }
  // A certificate names an address or a host; only a host is sent in the greeting.
  return { ...(isIP(host) === 0 ? { servername: host } : {}), ...(ca === null ? {} : { ca }) };
}

/**
 * Asks the server for a sign of life.
 * @throws {InputError} If it cannot be reached or refuses the password; the password is never in the message.
 */
export async function checkRedis(address: QueueAddress): Promise<void> {
  const client = new Redis({
    ...connectionOptions(address),
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let cause: unknown = null;
  client.on("error", (error) => void (cause ??= error));
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    const reason = redact(oneLine(messageOf(cause ?? error)), [address.password]);
    if (/NOAUTH|WRONGPASS|invalid (username-)?password/i.test(reason)) {
      throw new InputError(
        `Cannot use the queue at ${address.shown} as it refuses the password or its absence: give the right one in ` +
          `the URL or in ${PASSWORD_VARIABLE}`,
      );
    }
    if (/certificate|altnames/i.test(reason)) {
      throw new InputError(
        `Cannot trust the queue at ${address.shown} (${reason}): give the PEM file of its authority in ` +
          AUTHORITY_VARIABLE,
      );
    }
    throw new InputError(
      `Cannot reach the queue at ${address.shown} (${reason}): start redis-server there, or correct the URL`,
    );
  } finally {
    client.disconnect();
  }
}

function oneLine(text: string): string {
  return text.trim().split("\n")[0] || "no reason known";
}

/**
 * Names the queue of a folder and an engine: a worker gets only runs whose teachers and records are in its own folder
 * and whose engine it has. The folder's part is a random id, made once and kept in `<out>/queue_id`; a bucket's is a
 * hash of its address.
 * @throws {InputError} If the folder cannot be written.
 */
export async function queueName(out: string, engine: EngineName, bucket: BucketAddress | null = null): Promise<string> {
  return `requant-${bucket === null ? await folderId(out) : bucketId(bucket)}-${engine}`;
}

async function folderId(out: string): Promise<string> {
  checkOut(out);
  const path = pathBelow(out, "queue_id");
  // Only one of several machines that try at once succeeds.
  createExclusive(path, crypto.randomUUID().slice(0, 8) + "\n");
  for (let tries = 0; tries < ID_TRIES; tries++) {
    const id = readTextIfThere(path)?.trim() ?? "";
    if (/^[0-9a-f]{8}$/.test(id)) return id;
    await sleep(ID_WAIT_MS);
  }
  throw new InputError(`Cannot use ${path} as it must hold 8 hex digits: delete it and start all workers again`);
}

/** Makes a listener that says an error, but not the same one again within ten seconds, and never a password. */
export function outages(say: (line: string) => void, address: QueueAddress): (error: Error) => void {
  let last = "";
  let lastAt = -Infinity;
  return (error) => {
    const text = redact(oneLine(messageOf(error)), [address.password]);
    const now = performance.now();
    if (text === last && now - lastAt < SAY_AGAIN_MS) return;
    last = text;
    lastAt = now;
    say(`Queue at ${address.shown}: ${text}`);
  };
}
