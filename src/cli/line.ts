import { type Command, CommanderError } from "commander";
import { InputError } from "../errors.ts";

/** Where a command prints: results on stdout, all else on stderr. */
export interface Output {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/**
 * Reads a command line and does what it asks for.
 * @returns The exit code: that of `act`; 0 for help; 2 for bad input, of which stderr gets one sentence.
 */
export async function runLine<Values>(
  line: Command,
  args: readonly string[],
  { output, act }: { output: Output; act: (words: readonly string[], values: Values) => Promise<number> },
): Promise<number> {
  let code = 0;
  line.exitOverride().allowExcessArguments(false).helpOption("--help", "print this")
    .configureOutput({ writeOut: output.stdout, writeErr: () => {} })
    .action(async () => void (code = await act(line.args, line.opts<Values & Record<string, unknown>>())));
  try {
    await line.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (!(error instanceof InputError || error instanceof CommanderError)) throw error;
    const message = error instanceof InputError
      ? error.message
      : `Cannot run \`${line.name()}\`: ${error.message.replace(/^error: /, "")}; see --help`;
    output.stderr(`${message}\n`);
    return 2;
  }
}
