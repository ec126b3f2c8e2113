import process from "node:process";
import { InputError, isDiskFull } from "../errors.ts";
import { terminalText } from "../terminal_text.ts";

/** Where a command prints: results on stdout, all else on stderr. */
export interface Output {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** A console with what is known of it. */
export interface Console extends Output {
  /** Writes on stderr without `terminalText`: for cursor movements of our own. */
  readonly draw: (text: string) => void;
  /** Columns and rows of the terminal that stdout leads to; null: it leads elsewhere. */
  readonly screen: { readonly columns: number; readonly rows: number } | null;
  /** Writes on stdout without `terminalText`: for colours of our own. */
  readonly paint: (text: string) => void;
  /** True if the terminal shows colours, and whoever uses it wants them. */
  readonly colours: boolean;
  /** True if stderr is a terminal that can move its cursor; `columns` is its width. */
  readonly terminal: boolean;
  readonly columns: number;
}

/**
 * The console of this process. A reader that closes the pipe, such as `| head`, ends no work: what is printed after that goes
 * nowhere.
 *
 * @param onClosed Called once when a pipe is closed, for commands that only print.
 */
export function openConsole(onClosed: () => void = () => {}): Console {
  const stdout = writer(Deno.stdout, {
    onClosed,
    onFull() {
      throw new InputError("Cannot write the output as the disk is full: free some space, or write it elsewhere");
    },
  });
  const stderr = writer(Deno.stderr, { onClosed, onFull: () => {} }); // news are no reason to end the work
  const { columns = 80, rows = 24 } = process.stdout;
  return {
    stdout: (text) => stdout(terminalText(text)),
    stderr: (text) => stderr(terminalText(text)),
    draw: stderr,
    paint: stdout,
    screen: process.stdout.isTTY === true ? { columns, rows } : null,
    colours: !Deno.noColor && Deno.env.get("TERM") !== "dumb",
    terminal: process.stderr.isTTY === true,
    columns: process.stderr.columns ?? 80,
  };
}

/** Writes all of a text before it returns; nothing once the pipe is closed. */
function writer(
  stream: typeof Deno.stdout,
  { onClosed, onFull }: { onClosed: () => void; onFull: () => void },
): (text: string) => void {
  let closed = false;
  return (text) => {
    const bytes = new TextEncoder().encode(text);
    for (let written = 0; written < bytes.length && !closed;) {
      try {
        written += stream.writeSync(bytes.subarray(written));
      } catch (error) {
        if (isDiskFull(error)) return onFull();
        if (error instanceof Deno.errors.WouldBlock) { // a pipe that is full and was opened so that it does not wait
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
          continue;
        }
        if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
        closed = true;
        onClosed();
      }
    }
  };
}
