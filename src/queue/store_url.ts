import { createHash } from "node:crypto";
import { InputError } from "../errors.ts";
import { redact } from "./url.ts";

/** Where the server is, for buckets that are not Amazon's: such as `https://minio.example:9000`. */
export const ENDPOINT_VARIABLE = "REQUANT_S3_ENDPOINT";

/** Who uses a bucket: as every S3 client has it. */
export const KEY_VARIABLES = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

const DEFAULT_REGION = "us-east-1";

/** A bucket of an S3-compatible server, and who uses it. */
export interface BucketAddress {
  readonly endpoint: string;
  readonly bucket: string;
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken: string | null;
  /** The URL for people. */
  readonly shown: string;
}

/**
 * Reads `s3://bucket` or `s3://bucket/prefix`; keys, region and endpoint come from the environment, as every S3 client has
 * them, so that none is in a list of processes.
 * @throws {InputError} If it is no such URL or the keys are missing; the message never holds a key.
 */
export function parseStoreUrl(
  text: string,
  environment: Readonly<Record<string, string | undefined>> = Deno.env.toObject(),
): BucketAddress {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)\/?$/.exec(text);
  if (match === null) {
    throw new InputError(
      `Cannot use store "${
        redact(text)
      }" as it must be a bucket: write it such as s3://bucket or s3://bucket/prefix, ` +
        `with ${KEY_VARIABLES} in the environment`,
    );
  }
  const [accessKey, secretKey] = [environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]];
  if (!accessKey || !secretKey) {
    throw new InputError(`Cannot use store "${text}" without keys: set ${KEY_VARIABLES} in the environment`);
  }
  const region = environment["AWS_REGION"] || environment["AWS_DEFAULT_REGION"] || DEFAULT_REGION;
  const endpoint = environment[ENDPOINT_VARIABLE] || `https://s3.${region}.amazonaws.com`;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (
    url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "" || url.search !== ""
  ) {
    throw new InputError(
      `Cannot use ${ENDPOINT_VARIABLE} as it must be the URL of an S3 server: current value is "${
        redact(endpoint)
      }", ` +
        `write it such as https://host:9000`,
    );
  }
  const path = match[2]!.slice(1);
  return {
    endpoint: url.href.replace(/\/$/, ""),
    bucket: match[1]!,
    prefix: path === "" ? "" : `${path}/`,
    region,
    accessKey,
    secretKey,
    sessionToken: environment["AWS_SESSION_TOKEN"] || null,
    shown: text.replace(/\/$/, ""),
  };
}

/** Eight hex digits of where a bucket is: what a folder's `queue_id` is for a shared folder. */
export function bucketId({ endpoint, bucket, prefix }: BucketAddress): string {
  return createHash("sha256").update(`${endpoint}/${bucket}/${prefix}`).digest("hex").slice(0, 8);
}
