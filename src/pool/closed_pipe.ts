import process from "node:process";

/**
 * A reader that closes the pipe, such as `| head`, ends no work: what is printed after that goes nowhere.
 * @param onClosed Called once, for commands that only print.
 */
export function outliveClosedPipe(onClosed: () => void = () => {}): void {
  let closed = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      if ((error as { code?: string }).code !== "EPIPE") throw error;
      if (!closed) onClosed();
      closed = true;
    });
  }
}
