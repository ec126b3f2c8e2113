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

/** Does what BullMQ does with a server, on a key of its own; the name of each step is for people. */
const PROBES: readonly {
  readonly name: string;
  readonly command: (key: string) => [string, ...(string | number)[]];
}[] = [
  { name: "INFO", command: () => ["INFO", "server"] },
  { name: "CLIENT SETNAME", command: () => ["CLIENT", "SETNAME", "requant"] },
  { name: "CLIENT LIST", command: () => ["CLIENT", "LIST", "TYPE", "normal"] },
  {
    name: "writing by a script (EVAL)",
    command: (key) => ["EVAL", "redis.call('ZADD', KEYS[1], 1, 'a') return redis.call('DEL', KEYS[1])", 1, key],
  },
  { name: "writing", command: (key) => ["HSET", key, "a", 1] },
  { name: "deleting", command: (key) => ["DEL", key] },
  { name: "waiting (BZPOPMIN)", command: (key) => ["BZPOPMIN", key, 0.01] },
  { name: "reading events (XREAD)", command: (key) => ["XREAD", "COUNT", 1, "STREAMS", key, "0"] },
];

/**
 * Checks that the server is there and does all that a queue needs.
 * @throws {InputError} If it cannot be reached, rejects the password, or refuses something: the message names it, and
 * never holds the password.
 */
export async function checkRedis(address: QueueAddress): Promise<void> {
  const client = new Redis({
    ...connectionOptions(address),
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let cause: unknown = null;
  let step = "";
  client.on("error", (error) => void (cause ??= error));
  try {
    await client.connect();
    for (const { name, command } of PROBES) {
      step = name;
      await client.call(...command(`bull:requant-probe:${crypto.randomUUID()}`));
    }
  } catch (error) {
    const reason = redact(oneLine(messageOf(cause ?? error)), [address.password]);
    if (/NOAUTH|WRONGPASS|invalid (username-)?password/i.test(reason)) {
      throw new InputError(
        `Cannot use the queue at ${address.shown} as it rejects the password, or requires one: give the right one ` +
          `in the URL or in ${PASSWORD_VARIABLE}`,
      );
    }
    if (/certificate|altnames/i.test(reason)) {
      throw new InputError(
        `Cannot trust the queue at ${address.shown} (${reason}): give the PEM file of its authority in ` +
          AUTHORITY_VARIABLE,
      );
    }
    if (isRefusal(error)) {
      const remedy = /^READONLY|\bREADONLY\b/.test(reason)
        ? "give the URL of the primary server, not of a replica"
        : /\bOOM\b/.test(reason)
        ? "give the server more memory"
        : `give its user all commands on keys that begin with "bull:" (ACL: +@all ~bull:*)`;
      throw new InputError(`Cannot use the queue at ${address.shown} as it refuses ${step} (${reason}): ${remedy}`);
    }
    throw new InputError(
      `Cannot reach the queue at ${address.shown} (${reason}): start redis-server there, or correct the URL`,
    );
  } finally {
    client.disconnect();
  }
}

/** Tells if an error is the server's own answer, such as a right that is missing, and no lost connection. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
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
