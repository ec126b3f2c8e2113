import assert from "node:assert/strict";
import { join } from "node:path";
import { bucketArtefacts } from "../../src/queue/artefacts.ts";
import { type Bucket, openBucket } from "../../src/queue/bucket.ts";
import { queueName } from "../../src/queue/mod.ts";
import { bucketId, parseStoreUrl } from "../../src/queue/store_url.ts";
import { runId } from "../../src/record/spec.ts";
import { openRun, runFolder } from "../../src/store/store.ts";
import { BUCKET, S3_KINDS, type S3Kind, startS3, type TestS3 } from "../support/fakes/s3.ts";
import { fpSpec, withFolder } from "../support/fakes/specs.ts";

const ID = runId(fpSpec());
const SECRET = "s3cret/key+plain";
const KEYS = { AWS_ACCESS_KEY_ID: "me", AWS_SECRET_ACCESS_KEY: SECRET };

Deno.test("parseStoreUrl() reads bucket and prefix, and keys, region and endpoint of the environment", () => {
  const address = parseStoreUrl("s3://grids/team/one/", { ...KEYS, AWS_REGION: "eu-west-1" });
  assert.deepEqual(address, {
    endpoint: "https://s3.eu-west-1.amazonaws.com",
    bucket: "grids",
    prefix: "team/one/",
    region: "eu-west-1",
    accessKey: "me",
    secretKey: SECRET,
    sessionToken: null,
    shown: "s3://grids/team/one",
  });
  const own = parseStoreUrl("s3://grids", { ...KEYS, REQUANT_S3_ENDPOINT: "http://box:9000/" });
  assert.deepEqual([own.endpoint, own.prefix], ["http://box:9000", ""]);
  assert.notEqual(bucketId(address), bucketId(own));
});

const BAD: readonly (readonly [url: string, environment: Record<string, string>, message: RegExp])[] = [
  [
    "http://box/grids",
    KEYS,
    /^Cannot use store "http:\/\/box\/grids" as it must be a bucket: write it such as s3:\/\//,
  ],
  ["s3://grids/../other", KEYS, /^Cannot use store ".*" as it must be a bucket: /],
  ["s3://me:hunter2@grids", KEYS, /^Cannot use store "s3:\/\/\*\*\*@grids" as it must be a bucket: /],
  [
    "s3://grids",
    {},
    /^Cannot use store "s3:\/\/grids" without keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in/,
  ],
  [
    "s3://grids",
    { ...KEYS, REQUANT_S3_ENDPOINT: "ftp://:pw@box" },
    /current value is "ftp:\/\/\*\*\*@box", write it such/,
  ],
];
for (const [url, environment, message] of BAD) {
  Deno.test(`parseStoreUrl() refuses ${url.replace("hunter2", "SECRET")} in one sentence: ${message.source.slice(1, 40)}`, () => {
    assert.throws(() => parseStoreUrl(url, environment), { name: "InputError", message });
  });
}

Deno.test("queueName() of a bucket is one on every machine, whatever its folder", async () => {
  const address = parseStoreUrl("s3://grids/one", KEYS);
  assert.equal(await queueName("/nowhere", "wasm", address), `requant-${bucketId(address)}-wasm`);
});

function s3Test(name: string, body: (s3: TestS3, folder: string, kind: S3Kind) => Promise<void>): void {
  for (const kind of S3_KINDS) {
    Deno.test(`${name} [${kind}]`, () =>
      withFolder(async (folder) => {
        const s3 = await startS3(kind, join(folder, "server"));
        try {
          await body(s3, folder, kind);
        } finally {
          await s3.kill();
        }
      }));
  }
}

s3Test("a bucket gives back what was put, null for what is not there, and forgets", async ({ address }) => {
  const bucket = openBucket(address);
  await bucket.check();
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  assert.equal(await bucket.get("runs/x/a b"), null);
  await bucket.put("runs/x/a.bin", bytes);
  assert.deepEqual(await bucket.get("runs/x/a.bin"), bytes);
  await bucket.remove("runs/x/a.bin");
  assert.equal(await bucket.get("runs/x/a.bin"), null);
  await bucket.remove("runs/x/a.bin");
});

s3Test("a run that one machine stored is there on another, and only what changed is sent again", async (s3, folder) => {
  const [a, b] = [join(folder, "a"), join(folder, "b")];
  openRun(a, fpSpec());
  Deno.writeTextFileSync(join(runFolder(a, ID), "checkpoint.safetensors"), "weights");
  const puts: string[] = [];
  const bucket = openBucket(s3.address);
  const counting = {
    ...bucket,
    put: (key: string, bytes: Uint8Array<ArrayBuffer>) => (puts.push(key), bucket.put(key, bytes)),
  };
  const artefacts = bucketArtefacts(a, counting);
  await artefacts.push(ID);
  await artefacts.push(ID);
  assert.deepEqual(puts, [`runs/${ID}/spec.json`, `runs/${ID}/checkpoint.safetensors`]);
  await bucketArtefacts(b, bucket).pull([ID, "0".repeat(16)]);
  assert.equal(Deno.readTextFileSync(join(runFolder(b, ID), "checkpoint.safetensors")), "weights");
  Deno.writeTextFileSync(join(runFolder(a, ID), "record.json"), "{}");
  await artefacts.push(ID);
  await artefacts.forgetRecord(ID);
  assert.equal(await bucket.get(`runs/${ID}/record.json`), null);
});

Deno.test("a record that is written while a run is stored waits until its own checkpoint is stored", () =>
  withFolder(async (out) => {
    openRun(out, fpSpec());
    const [checkpoint, record] = ["checkpoint.safetensors", "record.json"].map((name) =>
      join(runFolder(out, ID), name)
    );
    Deno.writeTextFileSync(checkpoint!, "epoch 9");
    const stored = new Map<string, string>();
    const bucket: Bucket = {
      check: () => Promise.resolve(),
      get: () => Promise.resolve(null),
      remove: () => Promise.resolve(),
      put(key, bytes) {
        stored.set(key.split("/").at(-1)!, new TextDecoder().decode(bytes));
        // the run ends while its checkpoint is on the way
        if (key.endsWith("checkpoint.safetensors") && !stored.has("record.json")) {
          Deno.writeTextFileSync(checkpoint!, "epoch 10, the last");
          Deno.writeTextFileSync(record!, "done");
        }
        return Promise.resolve();
      },
    };
    const artefacts = bucketArtefacts(out, bucket);
    await artefacts.push(ID);
    assert.deepEqual([stored.get("checkpoint.safetensors"), stored.get("record.json")], ["epoch 9", undefined]);
    await artefacts.push(ID);
    assert.deepEqual([...stored].slice(1), [["checkpoint.safetensors", "epoch 10, the last"], ["record.json", "done"]]);
  }));

s3Test(
  "a server that is away, a bucket that is not there and a wrong key are one sentence without the key",
  async (s3, _, kind) => {
    const noBucket = parseStoreUrl("s3://other", s3.environment);
    await assert.rejects(openBucket(noBucket).check(), {
      name: "InputError",
      message: `Cannot use the store s3://other as there is no such bucket at ${s3.address.endpoint}: make it first`,
    });
    await assert.rejects(openBucket(noBucket).put("x", new Uint8Array(1)), /there is no such bucket/);
    const wrong = { ...s3.address, ...(kind === "s3rver" ? { accessKey: "not-it" } : { secretKey: SECRET }) };
    await assert.rejects(openBucket(wrong).put("x", new Uint8Array(1)), (error: Error) => {
      assert.match(
        error.message,
        /^Cannot use the store s3:\/\/requant\/grids\/one as its server refuses \(\w+\): correct AWS_ACCESS_KEY_ID and /,
      );
      assert.ok(!error.message.includes(SECRET));
      return true;
    });
    await s3.kill();
    await assert.rejects(openBucket(s3.address).check(), (error: Error) => {
      assert.match(
        error.message,
        /^Cannot reach the store s3:\/\/requant\/grids\/one at http:\/\/127\.0\.0\.1:\d+ \(.*\): start /,
      );
      return true;
    });
    // It comes back while a request is tried again.
    await Promise.all([openBucket(s3.address).put("late", new Uint8Array(3)), s3.restart()]);
    assert.equal((await openBucket(s3.address).get("late"))!.length, 3);
    assert.equal(s3.address.bucket, BUCKET);
  },
);

/** Message of a bucket about a server's answer. */
async function refusalOf(answer: () => Response, use: (bucket: Bucket) => Promise<unknown>): Promise<string> {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, answer);
  const endpoint = `http://127.0.0.1:${server.addr.port}`;
  try {
    await use(openBucket(parseStoreUrl("s3://grids", { ...KEYS, REQUANT_S3_ENDPOINT: endpoint })));
    return "no error";
  } catch (error) {
    assert.equal((error as Error).name, "InputError");
    return (error as Error).message;
  } finally {
    await server.shutdown();
  }
}

const LATE = new Date(Date.now() + 3_600_000).toUTCString(), NOW = new Date().toUTCString();
const xml = (code: string, more = "") => `<Error><Code>${code}</Code>${more}</Error>`;

const ANSWERS: Readonly<Record<string, [() => Response, RegExp]>> = {
  "a clock that differs": [
    () => new Response(xml("RequestTimeTooSkewed"), { status: 403, headers: { date: LATE } }),
    /as this machine's clock differs by 60 minutes from the server's \((RequestTimeTooSkewed|status 403)\): set the clock$/,
  ],
  "another region": [
    () => new Response(xml("PermanentRedirect"), { status: 301, headers: { "x-amz-bucket-region": "eu-west-1" } }),
    /as its bucket is in another region \(.*\): set AWS_REGION to eu-west-1, not us-east-1$/,
  ],
  "another region, in a signature's refusal": [
    () =>
      new Response(xml("AuthorizationHeaderMalformed"), {
        status: 400,
        headers: { "x-amz-bucket-region": "eu-north-1" },
      }),
    /as its bucket is in another region \(.*\): set AWS_REGION to eu-north-1, not us-east-1$/,
  ],
  "a redirect to a region it does not name": [
    () => new Response(null, { status: 307, headers: { location: "http://127.0.0.1:1/" } }),
    /as its bucket is in another region \(status 307\): set AWS_REGION to its own region, not us-east-1$/,
  ],
  "another region, named in the body alone": [
    () => new Response(xml("AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>"), { status: 400 }),
    /as its bucket is in another region \(AuthorizationHeaderMalformed\): set AWS_REGION to eu-north-1, not us-east-1$/,
  ],
  "a token that has expired": [
    () => new Response(xml("ExpiredToken"), { status: 400 }),
    /as its server refuses \(ExpiredToken\): renew AWS_SESSION_TOKEN$/,
  ],
  "rights that lack": [
    () => new Response(xml("AccessDenied"), { status: 403, headers: { date: NOW } }),
    /as its server refuses \(AccessDenied\): give the user of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY the right to list/,
  ],
  "a refusal that is about no key": [
    () => new Response(xml("OperationAborted"), { status: 409 }),
    /as its server refuses \(OperationAborted\): ask whoever runs it$/,
  ],
  "keys that are wrong": [
    () => new Response(xml("InvalidAccessKeyId"), { status: 403, headers: { date: NOW } }),
    /as its server refuses \((InvalidAccessKeyId|status 403)\): correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY$/,
  ],
};

for (const [name, [answer, message]] of Object.entries(ANSWERS)) {
  Deno.test(`a bucket names ${name} as the cause of a refusal, with and without a body`, async () => {
    assert.match(await refusalOf(answer, (bucket) => bucket.get("key")), message);
    assert.match(await refusalOf(answer, (bucket) => bucket.check()), message);
  });
}
