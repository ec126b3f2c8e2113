import { createHash } from "node:crypto";
import { AwsClient } from "aws4fetch";
import { InputError, messageOf } from "../errors.ts";
import { type BucketAddress, ENDPOINT_VARIABLE, KEY_VARIABLES } from "./store_url.ts";
import { redact } from "./url.ts";

const TRIES = 4;
const WAIT_MS = 500;

/** A bucket under its prefix. All throw an InputError if it cannot be reached or refuses. */
export interface Bucket {
  /** @throws {InputError} If there is no such bucket. */
  check(): Promise<void>;
  /** Null: there is no such object. */
  get(key: string): Promise<Uint8Array | null>;
  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  remove(key: string): Promise<void>;
}

/** Opens a bucket; nothing is sent. Requests are signed by Signature Version 4, bodies with their SHA-256. */
export function openBucket(address: BucketAddress): Bucket {
  const { endpoint, bucket, prefix, region, accessKey, secretKey, sessionToken, shown } = address;
  const client = new AwsClient({
    accessKeyId: accessKey,
    secretAccessKey: secretKey,
    ...(sessionToken === null ? {} : { sessionToken }),
    service: "s3",
    region,
    retries: 0,
  });

  /** Tries again where the server is away or overloaded. */
  async function send(method: string, key: string | null, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
    const url = key === null ? `${endpoint}/${bucket}` : `${endpoint}/${bucket}/${prefix}${key}`;
    const digest = createHash("sha256").update(body ?? "").digest("hex");
    for (let left = TRIES - 1;; left--) {
      let why: string;
      try {
        const response = await client.fetch(url, {
          method,
          headers: { "x-amz-content-sha256": digest },
          ...(body === undefined ? {} : { body }),
        });
        if (response.status < 500 && response.status !== 429) return response;
        await response.body?.cancel();
        why = `status ${response.status}`;
      } catch (error) {
        why = redact(messageOf(error).split("\n")[0]!, [secretKey, sessionToken]);
      }
      if (left === 0) {
        throw new InputError(
          `Cannot reach the store ${shown} at ${endpoint} (${why}): start its server, or correct ${ENDPOINT_VARIABLE}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS * 2 ** (TRIES - 1 - left)));
    }
  }

  async function refuse(response: Response): Promise<never> {
    const text = await response.text();
    const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? `status ${response.status}`;
    if (code === "NoSuchBucket" || (response.status === 404 && text === "")) {
      throw new InputError(`Cannot use the store ${shown} as there is no such bucket at ${endpoint}: make it first`);
    }
    throw new InputError(`Cannot use the store ${shown} as its server refuses (${code}): correct ${KEY_VARIABLES}`);
  }

  async function check(): Promise<void> {
    const response = await send("HEAD", null);
    if (!response.ok) await refuse(response);
  }
  async function get(key: string): Promise<Uint8Array | null> {
    const response = await send("GET", key);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    if (response.status !== 404) return await refuse(response);
    const text = await response.text();
    if (text.includes("NoSuchBucket")) return await refuse(new Response(text, { status: 404 }));
    return null;
  }
  async function put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const response = await send("PUT", key, bytes);
    if (!response.ok) return await refuse(response);
    await response.body?.cancel();
  }
  async function remove(key: string): Promise<void> {
    const response = await send("DELETE", key);
    if (!response.ok && response.status !== 404) return await refuse(response);
    await response.body?.cancel();
  }
  return { check, get, put, remove };
}
