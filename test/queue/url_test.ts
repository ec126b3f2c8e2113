import assert from "node:assert/strict";
import { addressWarning, parseQueueUrl, redact } from "../../src/queue/url.ts";
import { ENCODED, SECRET } from "../support/fakes/queue.ts";

Deno.test("parseQueueUrl() reads host, port, user, password, database and TLS", () => {
  assert.deepEqual(parseQueueUrl(`rediss://me:${ENCODED}@box:7000/3`, undefined), {
    host: "box",
    port: 7000,
    database: 3,
    tls: true,
    username: "me",
    password: SECRET,
    shown: "rediss://box:7000/3",
  });
  const plain = parseQueueUrl("redis://[::1]", "from the environment");
  assert.deepEqual([plain.host, plain.port, plain.tls, plain.password, plain.shown], [
    "::1",
    6379,
    false,
    "from the environment",
    "redis://[::1]:6379",
  ]);
});

const BAD_URLS: readonly (readonly [url: string, shown: string])[] = [
  ["http://box:6379", "http://box:6379"],
  ["box", "box"],
  ["redis://", "redis://"],
  ["redis://box/x", "redis://box/x"],
  [`http://:${ENCODED}@box:6379`, "http://***@box:6379"],
  [`redis://:${SECRET}@box:6379/x`, "redis://***@box:6379/x"],
  [`redis//:${SECRET}@box`, "***@box"],
  ["redis:hunter2", "***"],
];
for (const [url, shown] of BAD_URLS) {
  Deno.test(`parseQueueUrl() refuses ${shown} (${BAD_URLS.findIndex(([bad]) => bad === url)}) in one sentence`, () => {
    assert.throws(() => parseQueueUrl(url), {
      name: "InputError",
      message: `Cannot use queue "${shown}" as it must be the URL of a Redis server: write it such as ` +
        `redis://host:6379, or rediss://host:6379/0 for TLS`,
    });
  });
}

Deno.test("redact() hides user and password of every URL, and secrets plain and encoded", () => {
  assert.equal(
    redact("at redis://me:pw@a:1 and rediss://:p@w@b, not redis://c:2"),
    "at redis://***@a:1 and rediss://***@b, not redis://c:2",
  );
  assert.equal(redact(`${SECRET} ${ENCODED} x`, [SECRET, null, ""]), "*** *** x");
});

Deno.test("addressWarning() warns only without a password on an address that others reach", () => {
  assert.match(
    addressWarning(parseQueueUrl("redis://10.0.0.5", undefined))!,
    /^Warning: redis:\/\/10.0.0.5:6379 is used without a password, so /,
  );
  for (const url of ["redis://localhost", "redis://127.0.0.1", "redis://[::1]", "redis://:pw@10.0.0.5"]) {
    assert.equal(addressWarning(parseQueueUrl(url, undefined)), null, url);
  }
});
