import assert from "node:assert/strict";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import encodeJpeg, { init as initEncoder } from "@jsquash/jpeg/encode.js";
import { encode as encodePng } from "fast-png";
import { imageFolder, loadImageFolder } from "../../datasets/image_folder/load.ts";
import { childRights } from "../../src/cli/services.ts";
import { datasetNamed } from "../../datasets/mod.ts";
import { withFolder } from "../data/fixtures.ts";
import { type Colour, png, type Size } from "../support/png.ts";

const encoder = await WebAssembly.compile(
  await Deno.readFile(new URL(import.meta.resolve("@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm"))),
);
await initEncoder({
  instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
    const instance = new WebAssembly.Instance(encoder, imports);
    done(instance);
    return instance.exports;
  },
});

async function jpeg({ width, height }: Size, colour: Colour): Promise<Uint8Array<ArrayBuffer>> {
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) data.set(colour(i % width, Math.floor(i / width)), 4 * i);
  return new Uint8Array(await encodeJpeg({ data, width, height } as ImageData, { quality: 95 }));
}

const grey = (value: number): Colour => () => [value, value, value];
const SIZE = { width: 12, height: 10 };

/** A data set of 2 classes: 2 and 1 training images, 1 and 1 of validation. */
async function writeFlowers(root: string): Promise<void> {
  const files = {
    "train/tulip/b.png": png(SIZE, grey(20)),
    "train/rose/1.png": png(SIZE, grey(30)),
    "train/rose/2.JPEG": await jpeg(SIZE, grey(40)),
    "val/rose/v.png": png(SIZE, grey(50)),
    "val/tulip/v.png": png(SIZE, grey(60)),
  };
  for (const [path, bytes] of Object.entries(files)) {
    await Deno.mkdir(join(root, "flowers", path, ".."), { recursive: true });
    await Deno.writeFile(join(root, "flowers", path), bytes);
  }
  await Deno.writeTextFile(join(root, "flowers/train/rose/notes.txt"), "passed over");
}

function load(root: string, options: { log?: (line: string) => void; limitBytes?: number; name?: string } = {}) {
  const { log = () => {}, limitBytes = 1e6, name = "folder:flowers@8" } = options;
  return loadImageFolder(name, { cache: join(root, "cache"), log, surroundings: { limitBytes, ownData: root } });
}

const value = (images: Uint8Array, i: number) => images.subarray(i * 192, (i + 1) * 192);

Deno.test("folder:NAME@SIDE decodes JPEG and PNG, labels classes in order of their names, and lets them take turns", async () => {
  await withFolder(async (root) => {
    await writeFlowers(root);
    const { classes, imageShape, train, test, mean } = await load(root);
    assert.deepEqual([classes, imageShape, train.count, test.count], [2, [8, 8, 3], 3, 2]);
    assert.deepEqual([[...train.labels], [...test.labels]], [[0, 1, 0], [0, 1]]); // rose, tulip, rose
    assert.deepEqual([0, 1].map((i) => new Set(value(train.images, i))), [new Set([30]), new Set([20])]);
    assert.ok(value(train.images, 2).every((byte) => Math.abs(byte - 40) <= 1)); // JPEG is lossy
    assert.deepEqual([0, 1].map((i) => value(test.images, i)[0]), [50, 60]);
    assert.ok(Math.abs(mean[0]! - 90 / 3 / 255) < 1e-3);
  });
});

Deno.test("folder:NAME@SIDE decodes once, and anew when a file changes", async () => {
  await withFolder(async (root) => {
    await writeFlowers(root);
    const lines: string[] = [], log = (line: string) => void lines.push(line);
    const first = await load(root, { log }), again = await load(root, { log });
    const counts = "folder:flowers@8: 2 classes, training + validation images: rose 2 + 1, tulip 1 + 1";
    const skipped = "folder:flowers@8: skipped 1 entry that is no image by its name: train/rose/notes.txt";
    const decoding = "folder:flowers@8: decoding 3 training and 2 test images";
    assert.deepEqual(lines, [counts, skipped, decoding, counts, skipped]);
    assert.deepEqual([again.sha256, again.train.images], [first.sha256, first.train.images]);
    await Deno.writeFile(join(root, "flowers/val/rose/v.png"), png(SIZE, grey(51)));
    const changed = await load(root, { log });
    assert.equal(lines.length, 8);
    assert.notEqual(changed.sha256, first.sha256);
    assert.equal(changed.test.images[0], 51);
  });
});

Deno.test("folder:NAME@SIDE names what it skips: files that are no images by their ending, and other splits", async () => {
  await withFolder(async (root) => {
    await writeFlowers(root);
    await Deno.writeFile(join(root, "flowers/train/rose/noending"), png(SIZE, grey(1)));
    await Deno.writeTextFile(join(root, "flowers/val/README"), "");
    await Deno.mkdir(join(root, "flowers/test"));
    await Deno.writeTextFile(join(root, "flowers/.hidden"), "");
    const lines: string[] = [];
    await load(root, { log: (line: string) => void lines.push(line) });
    assert.equal(
      lines[1],
      "folder:flowers@8: skipped 4 entries that are no images by their names: test, train/rose/noending, " +
        "train/rose/notes.txt, val/README",
    );
    for (let i = 0; i < 20; i++) await Deno.writeTextFile(join(root, `flowers/train/rose/a${i}.txt`), "");
    await load(root, { log: (line: string) => void lines.push(line) });
    assert.match(lines.at(-1)!, /: skipped 24 entries that are no images by their names: test, .* and 4 more$/);
  });
});

const unreadable = (path: string, why: string) =>
  `Cannot use data set "folder:flowers@8" as 1 of 5 files cannot be read as images: "ROOT/flowers/${path}" (${why}): ` +
  "replace them or take them away";

/** The sentence that refuses a change of a good folder; `ROOT` stands for the folder. */
const REFUSED: [string, (root: string) => Promise<void>, string | RegExp][] = [
  [
    "a truncated JPEG",
    async (root) => {
      const bytes = await jpeg({ width: 64, height: 64 }, (x, y) => [x * 3, y * 3, (x * y) % 256]);
      await Deno.writeFile(join(root, "flowers/train/rose/2.JPEG"), bytes.subarray(0, bytes.length / 2));
    },
    unreadable("train/rose/2.JPEG", "Premature end of JPEG file"),
  ],
  [
    "a file that is no image",
    (root) => Deno.writeTextFile(join(root, "flowers/val/tulip/v.png"), "none"),
    unreadable("val/tulip/v.png", "it is neither a JPEG nor a PNG"),
  ],
  [
    "a PNG of one bit",
    (root) =>
      Deno.writeFile(
        join(root, "flowers/val/tulip/v.png"),
        encodePng({ width: 8, height: 8, channels: 1, depth: 1, data: new Uint8Array(8) }),
      ),
    unreadable("val/tulip/v.png", "it is a PNG of 1 bits, and only 8 and 16 can be read"),
  ],
  [
    "a PNG that is cut",
    async (root) => {
      const bytes = await Deno.readFile(join(root, "flowers/val/tulip/v.png"));
      await Deno.writeFile(join(root, "flowers/val/tulip/v.png"), bytes.subarray(0, bytes.length - 20));
    },
    unreadable("val/tulip/v.png", "its PNG data is cut or damaged"),
  ],
  [
    "a link that leads nowhere",
    async (root) => {
      await Deno.remove(join(root, "flowers/val/tulip/v.png"));
      await Deno.symlink(join(root, "gone.png"), join(root, "flowers/val/tulip/v.png"));
    },
    'Cannot use data set "folder:flowers@8" as "ROOT/flowers/val/tulip/v.png" is a link to a file that is not there: ' +
    "replace it or take it away",
  ],
  [
    "a folder that is named as an image",
    async (root) => {
      await Deno.remove(join(root, "flowers/val/tulip/v.png"));
      await Deno.mkdir(join(root, "flowers/val/tulip/v.png"));
    },
    'Cannot use data set "folder:flowers@8" as "ROOT/flowers/val/tulip/v.png" is no file: put the images of a class ' +
    "directly into its folder",
  ],
  [
    "a class folder that is a link to nothing",
    (root) => Deno.symlink(join(root, "gone"), join(root, "flowers/train/daisy")),
    'Cannot use data set "folder:flowers@8" as "ROOT/flowers/train/daisy" is a link to a file that is not there: ' +
    "replace it or take it away",
  ],
  [
    "a class folder whose name is not UTF-8",
    async (root) => {
      // a name of the byte 0xff, which no string of JavaScript can write
      const { success } = await new Deno.Command("bash", {
        args: ["-c", "mkdir $'caf\\xff'"],
        cwd: join(root, "flowers/train"),
      }).output();
      assert.ok(success);
    },
    'Cannot use data set "folder:flowers@8" as "ROOT/flowers/train/caf\ufffd" has a name that is not UTF-8: rename it',
  ],
  [
    "an image beside the classes",
    (root) => Deno.writeFile(join(root, "flowers/val/v.png"), png(SIZE, grey(1))),
    'Cannot use data set "folder:flowers@8" as "ROOT/flowers/val/v.png" lies in no class: move it into a folder of ' +
    '"ROOT/flowers/val"',
  ],
  [
    "an image of another format",
    (root) => Deno.writeTextFile(join(root, "flowers/val/rose/w.webp"), "RIFF"),
    'Cannot use data set "folder:flowers@8" as "ROOT/flowers/val/rose/w.webp" is neither JPEG nor PNG by its name: ' +
    "convert it or take it away",
  ],
  [
    "a folder within a class",
    (root) => Deno.mkdir(join(root, "flowers/val/rose/more")),
    'Cannot use data set "folder:flowers@8" as "ROOT/flowers/val/rose/more" is no file: put the images of a class ' +
    "directly into its folder",
  ],
  [
    "a JPEG that is cut in its middle and still ends with its end marker",
    async (root) => {
      const bytes = await jpeg({ width: 64, height: 64 }, (x, y) => [x * 3, y * 3, (x * y) % 256]);
      const cut = new Uint8Array([...bytes.subarray(0, bytes.length / 2), 0xff, 0xd9]);
      await Deno.writeFile(join(root, "flowers/train/rose/2.JPEG"), cut);
    },
    unreadable("train/rose/2.JPEG", "Corrupt JPEG data: premature end of data segment"),
  ],
  [
    "a JPEG with damaged data",
    async (root) => {
      const bytes = await jpeg({ width: 64, height: 64 }, (x, y) => [x * 3, y * 3, (x * y) % 256]);
      bytes.set([0xff, 0xd4], bytes.length >> 1); // a restart marker where none may be
      await Deno.writeFile(join(root, "flowers/train/rose/2.JPEG"), bytes);
    },
    /^Cannot use data set "folder:flowers@8" as 1 of 5 files cannot be read as images: "ROOT\/flowers\/train\/rose\/2.JPEG" \(Corrupt JPEG data: .+\): replace them or take them away$/,
  ],
  [
    "a CMYK JPEG",
    async (root) => {
      const bytes = await jpeg(SIZE, grey(4)),
        frame = bytes.findIndex((byte, i) => byte === 0xff && bytes[i + 1] === 0xc2);
      const sof = frame >= 0 ? frame : bytes.findIndex((byte, i) => byte === 0xff && bytes[i + 1] === 0xc0);
      bytes[sof + 9] = 4; // components
      await Deno.writeFile(join(root, "flowers/train/rose/2.JPEG"), bytes);
    },
    unreadable("train/rose/2.JPEG", "it is a CMYK JPEG, and only grey and RGB can be read"),
  ],
  [
    "a PNG that claims 2^31 - 1 pixels a side",
    async (root) => {
      const bytes = png(SIZE, grey(1)), header = new DataView(bytes.buffer);
      header.setUint32(16, 2 ** 31 - 1);
      header.setUint32(20, 2 ** 31 - 1);
      await Deno.writeFile(join(root, "flowers/val/tulip/v.png"), bytes);
    },
    unreadable("val/tulip/v.png", "it claims 2147483647 x 2147483647 pixels, and at most 100 million are read"),
  ],
  [
    "a PNG of few pixels whose data unpacks to more",
    async (root) => {
      const bytes = png({ width: 400, height: 400 }, grey(1)), header = new DataView(bytes.buffer);
      header.setUint32(16, 8);
      header.setUint32(20, 8);
      header.setUint32(29, crc32(bytes.subarray(12, 29)));
      await Deno.writeFile(join(root, "flowers/val/tulip/v.png"), bytes);
    },
    unreadable("val/tulip/v.png", "its PNG data is more than its 8 x 8 pixels"),
  ],
  [
    "a pipe among the classes",
    async (root) => {
      await new Deno.Command("mkfifo", { args: [join(root, "flowers/val/daisy")] }).output();
    },
    'Cannot use data set "folder:flowers@8" as "ROOT/flowers/val/daisy" is neither a file nor a folder: take it away',
  ],
  [
    "several bad files at once, by the first 20 and their number",
    async (root) => {
      const names = Array.from({ length: 22 }, (_, i) => `bad${String(i).padStart(2, "0")}.png`);
      for (const name of names) await Deno.writeTextFile(join(root, "flowers/val/tulip", name), "none");
    },
    /^Cannot use data set "folder:flowers@8" as 22 of 27 files cannot be read as images: "ROOT\/flowers\/val\/tulip\/bad00.png" \(it is neither a JPEG nor a PNG\), .*bad19.png" \(it is neither a JPEG nor a PNG\) and 2 more: replace them or take them away$/,
  ],
  [
    "an empty class",
    (root) => Deno.remove(join(root, "flowers/train/tulip/b.png")),
    'Cannot use data set "folder:flowers@8" as "ROOT/flowers/train/tulip" has no .jpg, .jpeg or .png file: put images there',
  ],
  [
    "a class without validation images",
    (root) => Deno.remove(join(root, "flowers/val/tulip"), { recursive: true }),
    'Cannot use data set "folder:flowers@8" as class "tulip" is in train and not in val: give both the same folders',
  ],
  [
    "a class that is only in val",
    (root) => Deno.mkdir(join(root, "flowers/val/daisy")),
    'Cannot use data set "folder:flowers@8" as class "daisy" is in val and not in train: give both the same folders',
  ],
  [
    "no val folder",
    (root) => Deno.remove(join(root, "flowers/val"), { recursive: true }),
    'Cannot use data set "folder:flowers@8" as "ROOT/flowers/val" is no folder: put images into train/CLASS and val/CLASS ' +
    'of "ROOT/flowers"',
  ],
];

for (const [what, change, sentence] of REFUSED) {
  Deno.test(`folder:NAME@SIDE refuses ${what} with one sentence, and caches nothing`, async () => {
    await withFolder(async (root) => {
      await writeFlowers(root);
      await change(root);
      const message = typeof sentence === "string"
        ? sentence.replaceAll("ROOT", root)
        : new RegExp(sentence.source.replaceAll("ROOT", root));
      await assert.rejects(load(root), { name: "InputError", message });
      assert.throws(() => Deno.readDirSync(join(root, "cache")));
    });
  });
}

Deno.test("folder:NAME@SIDE refuses images that do not fit into memory, before it decodes one", async () => {
  await withFolder(async (root) => {
    await writeFlowers(root);
    await Deno.writeTextFile(join(root, "flowers/val/tulip/v.png"), "no image"); // would be found
    await assert.rejects(load(root, { limitBytes: 5 * 192 - 1 }), {
      name: "InputError",
      message:
        'Cannot hold data set "folder:flowers@8" in memory as 5 images of 8 x 8 pixels take 9.60e-7 GB and half of ' +
        "this machine's memory is 9.59e-7 GB: take a smaller side or fewer images",
    });
  });
});

Deno.test("deno task data folder:NAME@SIDE decodes a folder of REQUANT_DATA", async () => {
  await withFolder(async (root) => {
    await writeFlowers(root);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", join(import.meta.dirname!, "../../src/cli/main.ts"), "data", "folder:flowers@8"],
      env: { REQUANT_DATA: root, REQUANT_CACHE: join(root, "cache") },
    }).output();
    const { sha256 } = await load(root);
    assert.equal(
      new TextDecoder().decode(stdout),
      `folder:flowers@8: 3 training and 2 test images, sha256 ${sha256}\n`,
      new TextDecoder().decode(stderr),
    );
  });
});

Deno.test("folder:NAME@SIDE is read from the cache with the rights of a run's process", async () => {
  await withFolder(async (root) => {
    await writeFlowers(root);
    const env = { REQUANT_DATA: root, REQUANT_CACHE: join(root, "cache") };
    const loads = `import { loadDataset } from "${import.meta.resolve("../../datasets/mod.ts")}";
      console.log((await loadDataset("folder:flowers@8")).train.count);`;
    await Deno.writeTextFile(join(root, "loads.ts"), loads);
    const run = async (rights: readonly string[]) => {
      const config = join(import.meta.dirname!, "../../deno.json");
      const args = ["run", "--quiet", "--no-check", "--config", config, ...rights, join(root, "loads.ts")];
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env }).output();
      return new TextDecoder().decode(stdout) || new TextDecoder().decode(stderr);
    };
    assert.equal(await run(["-A"]), "3\n");
    const rights = childRights({ out: root, library: null }).filter((flag) => !flag.startsWith("--allow-read"));
    assert.equal(await run([...rights, `--allow-read=${join(import.meta.dirname!, "../..")},${root}`]), "3\n");
  });
});

Deno.test("folder:NAME@SIDE tells its sizes before it is loaded, where its folder can be listed", async () => {
  const before = Deno.env.get("REQUANT_DATA"), { sizes } = imageFolder.named("folder:flowers@64");
  await withFolder(async (root) => {
    try {
      Deno.env.set("REQUANT_DATA", root);
      assert.equal(sizes(), null);
      await writeFlowers(root);
      assert.deepEqual(sizes(), { train: 3, test: 2, imageShape: [64, 64, 3] });
      Deno.env.delete("REQUANT_DATA");
      assert.equal(sizes(), null);
    } finally {
      before === undefined ? Deno.env.delete("REQUANT_DATA") : Deno.env.set("REQUANT_DATA", before);
    }
  });
});

Deno.test("folder:NAME@SIDE takes no path, no small or huge side, and needs REQUANT_DATA", async () => {
  for (
    const name of [
      "folder:",
      "folder:a",
      "folder:../a@8",
      "folder:/a@8",
      "folder:a/b@8",
      "folder:..@8",
      "folder:a@7",
      "folder:a@513",
      "folder:a@08",
    ]
  ) {
    assert.throws(() => datasetNamed(name), {
      name: "InputError",
      message:
        `Cannot use data set "${name}" as it must be folder:NAME@SIDE, NAME a folder in REQUANT_DATA and SIDE from 8 ` +
        "to 512 pixels: write it such as folder:flowers@64",
    });
  }
  const surroundings = { limitBytes: 1e6, ownData: undefined };
  await assert.rejects(loadImageFolder("folder:flowers@8", { cache: "unused", surroundings }), {
    name: "InputError",
    message:
      'Cannot use data set "folder:flowers@8" as REQUANT_DATA is not set: set it to the folder that "flowers" lies in',
  });
});
