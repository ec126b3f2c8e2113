import { InputError } from "../errors.ts";

/** Where the password may be given instead of in the URL, which other users of the machine can see in a process list. */
export const PASSWORD_VARIABLE = "REQUANT_REDIS_PASSWORD";

/** A PEM file with the authority of a `rediss://` server whose certificate no public authority signed. */
export const AUTHORITY_VARIABLE = "REQUANT_REDIS_CA";

const DEFAULT_PORT = 6379;
const HIDDEN = "***";

/** A Redis server. */
export interface QueueAddress {
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly tls: boolean;
  readonly username: string | null;
  readonly password: string | null;
  /** The URL for people: without user and password. */
  readonly shown: string;
}

/**
 * Hides what is secret in a text: user and password of every URL, and the given secrets, plain or percent-encoded.
 * @param secrets Such as a password; null and empty ones are ignored.
 */
export function redact(text: string, secrets: readonly (string | null)[] = []): string {
  // Up to the last @ of the word, as a password may itself hold one.
  let hidden = text.replace(/([a-z][a-z0-9+.-]*:\/\/)\S*@/gi, `$1${HIDDEN}@`);
  for (const secret of secrets) {
    if (!secret) continue;
    hidden = hidden.replaceAll(secret, HIDDEN).replaceAll(encodeURIComponent(secret), HIDDEN);
  }
  return hidden;
}

/**
 * Reads the URL of a queue: `redis://[[user]:password@]host[:port][/database]`, `rediss://` over TLS.
 * @param password Used where the URL has none.
 * @throws {InputError} If it is no such URL; the message never holds a password.
 */
export function parseQueueUrl(text: string, password = Deno.env.get(PASSWORD_VARIABLE)): QueueAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  const database = /^\/?$/.test(url?.pathname ?? "") ? "0" : url!.pathname.slice(1);
  const known = url !== null && ["redis:", "rediss:"].includes(url.protocol) && url.hostname !== "";
  if (!known || !/^\d{1,5}$/.test(database) || url.search !== "" || url.hash !== "") {
    throw new InputError(
      `Cannot use queue "${shownText(text)}" as it must be the URL of a Redis server: write it such as ` +
        `redis://host:6379, or rediss://host:6379/0 for TLS`,
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
  return {
    host,
    port,
    database: Number(database),
    tls: url.protocol === "rediss:",
    username: url.username === "" ? null : decode(url.username),
    password: url.password === "" ? password || null : decode(url.password),
    shown: `${url.protocol}//${url.hostname}:${port}${database === "0" ? "" : `/${database}`}`,
  };
}

/** A bad URL for people: nothing of what stands before an @, and nothing at all where a password may stand elsewhere. */
function shownText(text: string): string {
  if (text.includes("@")) return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, `$1${HIDDEN}@`);
  return text.includes("://") || !text.includes(":") ? text : HIDDEN;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray % means itself.
    return text;
  }
}

/** Checks if only processes of this machine reach the address. */
export function isLoopback({ host }: QueueAddress): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}

/** Returns the warning to show about an address before it is used; null: none. */
export function addressWarning(address: QueueAddress): string | null {
  if (address.password !== null || isLoopback(address)) return null;
  return `Warning: ${address.shown} is used without a password, so whoever reaches it can read and change the queue: ` +
    `set one on the server and give it in the URL or in ${PASSWORD_VARIABLE}`;
}
