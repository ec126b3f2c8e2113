import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readTorchFile } from "../../src/checkpoint/torch_file.ts";
import { InputError } from "../../src/errors.ts";
import { goldenJson } from "../support/golden.ts";
import { withFolder } from "../support/fakes/specs.ts";

const GOLDEN = new URL("../golden/", import.meta.url);
const FILE = fileURLToPath(new URL("torch_file.safetensors", GOLDEN));

Deno.test("readTorchFile() reads each number type that PyTorch wrote, and names those it converted", () => {
  const { shapes, values } = goldenJson<{ shapes: Record<string, number[]>; values: Record<string, number[]> }>(
    "torch_file.json",
  );
  const { tensors, converted, sha256 } = readTorchFile(FILE);
  assert.deepEqual(Object.keys(tensors).sort(), Object.keys(shapes).sort());
  for (const [name, tensor] of Object.entries(tensors)) {
    assert.deepEqual([tensor.shape, [...tensor.values]], [shapes[name], values[name]], name);
  }
  assert.deepEqual(converted, ["BF16", "F16", "F64"]);
  assert.match(sha256, /^[0-9a-f]{64}$/);
});

Deno.test("readTorchFile() refuses a pickle, a cut file and what is no network, in one sentence each", () =>
  withFolder((folder) => {
    const bytes = Deno.readFileSync(FILE), path = join(folder, "x.safetensors");
    const again = ": copy the file again, or convert it to float32 safetensors";
    const header = new TextDecoder().decode(bytes.subarray(8)), at = header.indexOf('"BF16"') + 8;
    const changed = bytes.slice();
    changed.set(new TextEncoder().encode('"C128"').subarray(0, 6), at);
    const cases: [Uint8Array, string][] = [
      [
        Deno.readFileSync(new URL("torch_file.pth", GOLDEN)),
        "it is a pickle of PyTorch, which can run any code: convert it with " +
        "`safetensors.torch.save_file(torch.load(PATH, weights_only=True), NEW_PATH)`",
      ],
      [bytes.subarray(0, 5), `it is no safetensors file, or cut: it has 5 bytes${again}`],
      [bytes.subarray(0, 100), `it is no safetensors file, or cut: it has 100 bytes${again}`],
      [changed, `tensor bn1.bias has numbers of type C128${again}`],
      [new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 1, 2]), `its header is not JSON${again}`],
    ];
    for (const [content, reason] of cases) {
      Deno.writeFileSync(path, content);
      assert.throws(() => readTorchFile(path), new InputError(`Cannot import a network from ${path} as ${reason}`));
    }
    Deno.writeFileSync(path, bytes.subarray(0, bytes.length - 4));
    assert.throws(
      () => readTorchFile(path),
      /as it is cut: tensor [\w.]+ ends at byte \d+ of \d+: copy the file again/,
    );
    assert.throws(
      () => readTorchFile(join(folder, "none")),
      /as there is no such file: give the path of a \.safetensors/,
    );
    return Promise.resolve();
  }));
