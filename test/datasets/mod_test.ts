import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dataCache, DATASET_FAMILIES, datasetNamed, DATASETS, loadDataset } from "../../datasets/mod.ts";
import { withFolder } from "../data/fixtures.ts";

const FOLDER = fileURLToPath(new URL("../../datasets/", import.meta.url));
const KNOWN = [...DATASETS.map(({ name }) => name), ...DATASET_FAMILIES.map(({ pattern }) => pattern)];
const UNKNOWN = `Cannot use data set "imagenet" as it is not known: choose one of ${KNOWN.join(", ")}`;

/** `deno task data` with `args`. */
async function runCommand(args: string[], env: Record<string, string> = {}) {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", join(FOLDER, "../src/cli/main.ts"), "data", ...args],
    env,
  });
  const { code, stdout, stderr } = await command.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("DATASETS lists every data set in the folder", () => {
  const found = [...Deno.readDirSync(FOLDER)].map(({ name }) => name.replace(/\.ts$/, ""));
  const listed = [...DATASETS.map(({ name }) => name), ...DATASET_FAMILIES.map(() => "image_folder")].sort();
  assert.deepEqual(listed, found.filter((name) => !["mod"].includes(name)).sort());
});

Deno.test("datasetNamed() and loadDataset() name the known data sets for an unknown one", async () => {
  for (const name of ["cifar10", "synthetic", "folder:NAME@SIDE"]) assert.ok(KNOWN.includes(name), name);
  assert.throws(() => datasetNamed("imagenet"), { name: "InputError", message: UNKNOWN });
  await assert.rejects(loadDataset("imagenet"), { name: "InputError", message: UNKNOWN });
  assert.equal((await loadDataset("synthetic")).name, "synthetic");
});

Deno.test("dataCache() is the folder data of REQUANT_CACHE", () => {
  const before = Deno.env.get("REQUANT_CACHE");
  try {
    Deno.env.set("REQUANT_CACHE", "/some/where");
    assert.equal(dataCache(), join("/some/where", "data"));
  } finally {
    if (before === undefined) Deno.env.delete("REQUANT_CACHE");
    else Deno.env.set("REQUANT_CACHE", before);
  }
});

Deno.test("deno task data lists the data sets, and loads one", async () => {
  const list = await runCommand([]);
  assert.equal(list.code, 0);
  const lines = list.stdout.trim().split("\n");
  assert.deepEqual(lines.filter((line) => !line.startsWith(" ")).map((line) => line.split(" ")[0]), KNOWN);
  assert.ok(lines.every(({ length }) => length <= 80), list.stdout);
  const loaded = await runCommand(["synthetic"]);
  assert.match(loaded.stdout, /^synthetic: 2000 training and 500 test images, sha256 [0-9a-f]{64}\n$/);
});

Deno.test("deno task data ends bad input with one sentence and code 2", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(join(folder, "cifar10"));
    const cases: [string[], string][] = [
      [["imagenet"], UNKNOWN],
      [["synthetic", "cifar10"], 'Cannot use "cifar10" as it belongs to no option: see --help'],
      [["--fast"], "Cannot use option --fast as it is not known: choose among --cache, --fresh, --help"],
      [["synthetic", "--cache", ""], "Cannot use --cache without a value: give --cache DIR"],
      [
        ["cifar10", "--cache", folder],
        `Cannot read "${join(folder, "cifar10", "train-images.u8")}" as it is missing: ` +
        `delete the folder "${join(folder, "cifar10")}" or run \`deno task data cifar10 --fresh\` to fetch it again`,
      ],
    ];
    for (const [args, sentence] of cases) {
      assert.deepEqual(await runCommand(args), { code: 2, stdout: "", stderr: sentence + "\n" });
    }
  });
});
