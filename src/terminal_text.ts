/**
 * Makes text safe to print: control characters of arms, reasons, logs and file names are shown, not obeyed.
 *
 * Each becomes its escape, such as `\u001b`, so JSON stays JSON of the same content. Line feeds and tabs stay; so do all
 * letters. Marks that change the direction of writing are shown too, as they could make one value look like another.
 */
export function terminalText(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(
    // deno-lint-ignore no-control-regex
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
