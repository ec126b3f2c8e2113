import assert from "node:assert/strict";
import { InputError } from "../../../src/errors.ts";
import { parseRecords } from "../../../src/report/read/records.ts";
import type { RunRecord } from "../../../src/record/record.ts";
import { record } from "../fixtures.ts";

const LINE = JSON.stringify(record());

Deno.test("parseRecords() reads a record a line and skips empty lines", () => {
  const other = record({ seed: 1 });
  assert.deepEqual(parseRecords(`${LINE}\n\n${JSON.stringify(other)}\n`, "a.jsonl"), [record(), other]);
});

Deno.test("parseRecords() names file and line of a record cut in half", () => {
  const text = `${LINE}\n${LINE.slice(0, 100)}`;
  assert.throws(() => parseRecords(text, "reports/records/a.jsonl"), (error: Error) => {
    assert.ok(error instanceof InputError);
    assert.match(
      error.message,
      /^Cannot read line 2 of reports\/records\/a\.jsonl as it is not complete JSON \(\{"schema":1/,
    );
    assert.match(error.message, /delete the line or copy the record again$/);
    return true;
  });
});

Deno.test("parseRecords() refuses a foreign line, another schema and a changed spec by file and line", () => {
  const changed = JSON.parse(LINE);
  changed.spec.seed = 7;
  const cases: [string, RegExp][] = [
    ["[1]", /line 1 of a\.jsonl as its schema must be 1 or 2: current value is undefined/],
    [
      JSON.stringify({ ...JSON.parse(LINE), schema: 3 }),
      /line 1 of a\.jsonl as its schema must be 1 or 2: current value is 3/,
    ],
    [JSON.stringify({ ...JSON.parse(LINE), wallSeconds: -1 }), /line 1 of a\.jsonl as wallSeconds/],
    [JSON.stringify(changed), /Cannot trust the record in line 1 of a\.jsonl as its id is/],
  ];
  for (const [line, message] of cases) {
    assert.throws(() => parseRecords(line, "a.jsonl"), { name: "InputError", message });
  }
});

Deno.test("parseRecords() refuses a result that is not the last epoch's", () => {
  const best = { ...record({ top1Percent: 80 }), metrics: { top1Percent: 81, loss: 1 } };
  assert.throws(() => parseRecords(JSON.stringify(best), "a.jsonl"), {
    name: "InputError",
    message: /as the last epoch must count: its top1Percent is 81, but its last epoch's is 80$/,
  });
});

Deno.test("parseRecords() refuses a done run without a result", () => {
  const empty = { ...record(), metrics: null };
  assert.throws(() => parseRecords(JSON.stringify(empty), "a.jsonl"), {
    name: "InputError",
    message: /without a top1Percent/,
  });
});

Deno.test("parseRecords() refuses a done run that was cut short or whose epochs are out of order", () => {
  const whole = record({ top1Percent: 80 });
  const [first, last] = whole.curve;
  const cases: [RunRecord["curve"], string][] = [
    [[{ ...last!, epoch: 1 }], "1"],
    [[last!, { ...first!, testTop1Percent: 80 }], "2, 1"],
    [[], "none"],
  ];
  for (const [curve, told] of cases) {
    assert.throws(() => parseRecords(JSON.stringify({ ...whole, curve }), "a.jsonl"), {
      name: "InputError",
      message: new RegExp(
        `^Cannot trust the record in line 1 of a\\.jsonl as a done run must have epochs 1 to 2, each once and in ` +
          `order: current epochs are ${told}, so run it again$`,
      ),
    });
  }
});

Deno.test("parseRecords() keeps a diverged run with the epochs that it has", () => {
  const diverged = record({ top1Percent: null, status: "diverged" });
  assert.equal(diverged.curve.length, 1);
  assert.deepEqual(parseRecords(JSON.stringify(diverged), "a.jsonl"), [diverged]);
});

Deno.test("parseRecords() takes a byte order mark at the beginning for none", () => {
  assert.deepEqual(parseRecords(`\ufeff${LINE}\n`, "a.jsonl"), parseRecords(LINE, "a.jsonl"));
  assert.deepEqual(parseRecords("\ufeff", "a.jsonl"), []);
  assert.throws(
    () => parseRecords(`${LINE}\n\ufeff${LINE}`, "a.jsonl"),
    /line 2 of a\.jsonl as it is not complete JSON/,
  );
});
