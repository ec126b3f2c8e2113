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
