import assert from "node:assert/strict";
import { encode as encodePng } from "fast-png";
import { squareDecoder } from "../../datasets/image_folder/decode.ts";
import { type Colour, png } from "../support/png.ts";

Deno.test("squareDecoder() takes the central square and averages what it shrinks", async () => {
  // 8 x 20, rows of their own value: the square is rows 6 to 13, and equals itself at side 8
  const decode = await squareDecoder(8), rows = await decode(png({ width: 8, height: 20 }, (_, y) => [y, 100 + y, 7]));
  for (let y = 0; y < 8; y++) assert.deepEqual([...rows.subarray(24 * y, 24 * y + 3)], [6 + y, 106 + y, 7]);
  // stripes of 0 and 200, one pixel each, shrunk fourfold: their mean inside, not one of the two
  const striped = await decode(png({ width: 32, height: 32 }, (x) => [x % 2 * 200, 0, 0]));
  for (let x = 1; x < 7; x++) assert.ok(Math.abs(striped[3 * x]! - 100) <= 1, `column ${x}: ${striped[3 * x]}`);
});

// Pillow 13.0.0: Image.fromarray(a).crop((4, 0, 26, 22)).resize((8, 8), Image.BILINEAR) of the colours below
const PILLOW = `
  39 6 212 57 9 192 75 12 170 95 15 148 114 18 126 134 21 104 152 24 82 170 28 62
  47 19 207 65 28 187 83 38 165 103 47 143 122 58 121 142 68 99 160 78 77 178 87 57
  55 33 201 73 49 181 91 66 159 111 83 137 130 101 115 150 119 93 168 135 71 186 151 51
  63 47 196 81 70 176 99 94 154 119 119 132 138 145 110 158 170 88 176 194 66 194 198 46
  72 61 190 90 91 170 108 123 148 128 156 126 147 189 104 167 198 82 185 141 60 203 78 40
  80 75 185 98 112 165 116 152 143 136 192 121 155 188 99 175 97 77 193 61 55 211 94 35
  88 90 179 106 133 159 124 180 137 144 202 115 163 86 93 183 70 71 201 114 49 219 158 29
  96 102 174 114 152 154 132 203 132 152 115 110 171 62 88 191 114 66 209 168 44 227 198 24
`.trim().split(/\s+/).map(Number);

Deno.test("squareDecoder() is within 1 of Pillow's crop and bilinear resize", async () => {
  const decode = await squareDecoder(8);
  const colour: Colour = (x, y) => [(7 * x + 3 * y) % 256, (x * y) % 256, (1023 - 8 * x - 2 * y) % 256];
  const actual = await decode(png({ width: 31, height: 22 }, colour));
  actual.forEach((byte, i) => assert.ok(Math.abs(byte - PILLOW[i]!) <= 1, `byte ${i} is ${byte}, not ${PILLOW[i]}`));
});

Deno.test("squareDecoder() reads grey, indexed, 16 bit and transparent PNGs as RGB", async () => {
  const decode = await squareDecoder(8), size = { width: 8, height: 8 };
  const cases = [
    encodePng({ ...size, data: new Uint8Array(64).fill(9), channels: 1, depth: 8 }),
    encodePng({ ...size, data: new Uint16Array(192).fill(9 * 256 + 200), channels: 3, depth: 16 }),
    encodePng({ ...size, data: new Uint8Array(256).fill(9), channels: 4, depth: 8 }),
    encodePng({ ...size, data: new Uint8Array(64).fill(1), channels: 1, depth: 8, palette: [[1, 2, 3], [9, 9, 9]] }),
  ];
  for (const bytes of cases) assert.deepEqual(new Set(await decode(new Uint8Array(bytes))), new Set([9]));
});
