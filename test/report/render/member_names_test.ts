import assert from "node:assert/strict";
import { parseRecords, renderReports } from "../../../src/report/mod.ts";
import { PAGE, record } from "../fixtures.ts";

for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
  Deno.test(`a model, arm, method or data set of the name ${name} is reported like any other`, () => {
    const plain = record({ arm: "lsq", top1Percent: 80 }), { spec } = record({ arm: name, model: name });
    assert.equal(spec.model, name);
    const odd = record({ arm: name, model: name, seed: 1, top1Percent: 70 });
    const records = parseRecords([plain, odd].map((item) => JSON.stringify(item)).join("\n"), "a.jsonl");
    assert.equal(records.length, 2);
    const files = renderReports({ pages: [PAGE], records, deviations: {} } as never);
    assert.ok([...files].some(({ text }) => text.includes(name)), "no page mentions it");
  });
}
