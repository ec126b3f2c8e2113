import assert from "node:assert/strict";
import { terminalText } from "../src/terminal_text.ts";

Deno.test("terminalText() shows control characters and keeps letters, tabs and line feeds", () => {
  const plain = 'FPQ ± 0.30\t"ü日本"\nnext …';
  assert.equal(terminalText(plain), plain);
  assert.equal(terminalText("a\r\nb"), "a\nb");
  assert.equal(terminalText("\x1b]0;title\x07\x1b[2J"), "\\u001b]0;title\\u0007\\u001b[2J");
  assert.equal(terminalText("done\rfailed\b\x7f"), "done\\u000dfailed\\u0008\\u007f");
  assert.equal(terminalText("\x9b31m\x85"), "\\u009b31m\\u0085", "the second set of control characters");
  assert.equal(terminalText("a\u202eb\u2066c\u2028d"), "a\\u202eb\\u2066c\\u2028d", "direction and line separators");
});

Deno.test("terminalText() leaves the content of JSON as it is", () => {
  const value = { arm: "\x1b[31m", reason: "\x9b\u202e\x7f", list: ["a\nb"] };
  assert.deepEqual(JSON.parse(terminalText(JSON.stringify(value, null, 2))), value);
});
