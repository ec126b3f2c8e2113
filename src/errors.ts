/**
 * Bad input: a flag, spec, data file, checkpoint or record that cannot be used.
 *
 * Its message is one sentence that names the current value and the remedy; every `main.ts` prints it alone, without a
 * stack, and exits with code 2.
 */
export class InputError extends Error {
  override readonly name: string = "InputError";
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The value of a function; null: it found bad input. */
export function orNull<T>(compute: () => T): T | null {
  try {
    return compute();
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}

/** Checks whether an error says that the disk, or the user's share of it, is full. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "ENOSPC" || code === "EDQUOT" ||
    /os error (28|122)\b|ENOSPC|EDQUOT|No space left|Disk quota exceeded/i.test(messageOf(error));
}

/** One sentence on a name that is not known: the nearest known one, if one is near, and all of them. */
export function unknownValue(kind: string, value: string, known: readonly string[]): InputError {
  const near = nearest(value, known), meant = near === null ? "" : `, perhaps ${near} was meant`;
  return new InputError(`Cannot use ${kind} "${value}" as it is not known${meant}: choose one of ${known.join(", ")}`);
}

/** Finds the known name with the fewest letters changed, at most one in three; null: none, or several, are that near. */
function nearest(value: string, known: readonly string[]): string | null {
  const most = Math.max(1, Math.floor(value.length / 3));
  const close = known.map((name) => ({ name, edits: editsBetween(value, name) })).filter(({ edits }) => edits <= most);
  const [first, second] = close.sort((a, b) => a.edits - b.edits);
  return first === undefined || first.edits === second?.edits ? null : first.name;
}

/** Counts the letters to add, drop or change, as Levenshtein does. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (letter === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
