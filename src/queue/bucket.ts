import { createHash } from "node:crypto";
import { AwsClient } from "aws4fetch";
import retry from "p-retry";
import { InputError, messageOf } from "../errors.ts";
import { type BucketAddress, ENDPOINT_VARIABLE, KEY_VARIABLES } from "./store_url.ts";
import { redact } from "./url.ts";

const TRIES = 5;
const WAIT_MS = 500;
/** Difference of clocks that S3 refuses. */
const MOST_SKEW_SECONDS = 15 * 60;

/** Bucket under its prefix. All throw an InputError if it cannot be reached or refuses. */
export interface Bucket {
  /** Checks that there is such a bucket. @throws {InputError} If not. */
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

  /** Sends a request, again where the server is away or overloaded. */
  async function send(method: string, key: string | null, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
    const whole = `${endpoint}/${bucket}`, url = key === null ? `${whole}?max-keys=1` : `${whole}/${prefix}${key}`;
    const digest = createHash("sha256").update(body ?? "").digest("hex");
    try {
      return await retry(async () => {
        const response = await client.fetch(url, {
          method,
          headers: { "x-amz-content-sha256": digest },
          // Elsewhere the signature would be refused, without a word on the region.
          redirect: "manual",
          ...(body === undefined ? {} : { body }),
          // Any other kind of error is not tried again.
        }).catch((error) => Promise.reject(new Error(messageOf(error))));
        if (response.status < 500 && response.status !== 429) return response;
        await response.body?.cancel();
        throw new Error(`status ${response.status}`);
      }, { retries: TRIES - 1, minTimeout: WAIT_MS });
    } catch (error) {
      const why = redact(messageOf(error).split("\n")[0]!, [secretKey, sessionToken]);
      throw new InputError(
        `Cannot reach the store ${shown} at ${endpoint} (${why}): start its server, or correct ${ENDPOINT_VARIABLE}`,
      );
    }
  }

  /** Explains a refusal. One without a body shows clock and region in its headers alone. */
  async function refuse(response: Response): Promise<never> {
    const text = await response.text(), { status, headers } = response;
    const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? `status ${status}`;
    const use = `Cannot use the store ${shown} as`;
    const other = headers.get("x-amz-bucket-region") ?? /<Region>([\w-]+)<\/Region>/.exec(text)?.[1];
    if (status === 301 || status === 307 || (other !== undefined && other !== region)) {
      const named = other === undefined ? "its own region" : other;
      throw new InputError(
        `${use} its bucket is in another region (${code}): set AWS_REGION to ${named}, not ${region}`,
      );
    }
    const secondsOff = (Date.parse(headers.get("date") ?? "") - Date.now()) / 1000;
    if (code === "RequestTimeTooSkewed" || (status === 403 && Math.abs(secondsOff) > MOST_SKEW_SECONDS)) {
      const by = Number.isFinite(secondsOff) ? ` by ${Math.round(Math.abs(secondsOff) / 60)} minutes` : "";
      throw new InputError(`${use} this machine's clock differs${by} from the server's (${code}): set the clock`);
    }
    if (code === "NoSuchBucket" || (status === 404 && text === "")) {
      throw new InputError(`${use} there is no such bucket at ${endpoint}: make it first`);
    }
    const remedy = /Token/.test(code)
      ? "renew AWS_SESSION_TOKEN"
      : code === "AccessDenied"
      ? `give the user of ${KEY_VARIABLES} the right to list, read, write and delete there`
      : [401, 403].includes(status)
      ? `correct ${KEY_VARIABLES}`
      : "ask whoever runs it";
    throw new InputError(`${use} its server refuses (${code}): ${remedy}`);
  }

  async function check(): Promise<void> {
    const response = await send("GET", null); // a HEAD's refusal would not say why
    if (!response.ok) await refuse(response);
    await response.body?.cancel();
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
