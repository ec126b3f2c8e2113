/** The networks in reports/networks: each with its record, its files, its card and its rows in reports/exports.md. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { digestIn } from "../../src/export/card.ts";
import { sha256Of } from "../../src/data/manifest.ts";
import { FILES } from "../../src/export/export_run.ts";
import { parseOnnx, statedRun } from "../../src/export/onnx_file.ts";
import { parseRecords } from "../../src/report/mod.ts";
import { readRecord, runIds } from "../../src/store/store.ts";

const REPORTS = join(import.meta.dirname!, "../../reports"), NETWORKS = join(REPORTS, "networks");
const RECORDS = join(REPORTS, "records/reduced.jsonl");

/** Forms in ONNX that a folder holds. */
function onnxFiles(id: string): string[] {
  const names = [...Deno.readDirSync(join(NETWORKS, "runs", id, "export"))].map(({ name }) => name);
  assert.ok(names.includes(FILES.card), `${id} has no ${FILES.card}`);
  assert.ok(names.includes(FILES.safetensors), `${id} has no ${FILES.safetensors}`);
  return [FILES.onnx, FILES.integer].filter((name) => names.includes(name));
}

Deno.test("every committed network is that of its committed record, and its card states its bytes", () => {
  const committed = new Map(parseRecords(Deno.readTextFileSync(RECORDS), RECORDS).map((record) => [record.id, record]));
  const ids = runIds(NETWORKS);
  assert.ok(ids.length > 0);
  for (const id of ids) {
    const record = readRecord(NETWORKS, id)!, folder = join(NETWORKS, "runs", id, "export");
    assert.deepEqual(record, committed.get(id), id);
    const card = Deno.readTextFileSync(join(folder, FILES.card)), files = onnxFiles(id);
    assert.deepEqual(files, record.spec.quantization === null ? [FILES.onnx] : [FILES.onnx, FILES.integer], id);
    for (const name of [...files, FILES.safetensors]) {
      assert.equal(digestIn(card, name), sha256Of(Deno.readFileSync(join(folder, name))), `${id} ${name}`);
    }
    for (const name of files) {
      const file = parseOnnx(Deno.readFileSync(join(folder, name)), name), stated = statedRun(file, name)!;
      assert.deepEqual([file.metadata["run"], file.metadata["networkSha256"]], [id, record.networkSha256]);
      assert.deepEqual([stated.spec, stated.top1], [record.spec, record.metrics!["top1Percent"]]);
    }
  }
});

Deno.test("reports/exports.md has a row for each committed ONNX file, with the record's accuracy", () => {
  const page = Deno.readTextFileSync(join(REPORTS, "exports.md"));
  for (const id of runIds(NETWORKS)) {
    const rows = page.split("\n").filter((line) => line.includes(`\`${id}\``));
    assert.equal(rows.length, onnxFiles(id).length, id);
    const cells = rows[0]!.split("|").map((cell) => cell.trim());
    const top1 = readRecord(NETWORKS, id)!.metrics!["top1Percent"]!;
    assert.equal(cells[5], top1.toFixed(2), id);
    // as in `verify`: at most 2 of 10,000 images have another class, but for those that ties explain, which are few
    const others = Number.parseInt(cells[7]!);
    assert.ok(
      others <= 50 && Math.abs(Number(cells[6]) - top1) < Math.max(others, 2) / 100 + 0.005,
      `${id}: ${rows[0]}`,
    );
  }
  const stated = [...page.matchAll(/`([0-9a-f]{16})`/g)].map(([, id]) => id!);
  assert.deepEqual([...new Set(stated)].sort(), [...runIds(NETWORKS)].sort());
});
