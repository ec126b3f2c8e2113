import { Writable } from "node:stream";
import cliProgress from "cli-progress";
import { describeTotal, describeView, type Display } from "./progress_view.ts";

const DEFAULT_COLUMNS = 80;

/** The stream that cli-progress draws on, leading to `write`. */
class TerminalStream extends Writable {
  readonly isTTY = true;
  readonly columns: number;

  constructor(write: (text: string) => void, columns: number) {
    super({
      decodeStrings: false,
      write(chunk: unknown, _encoding: string, done: () => void): void {
        write(String(chunk));
        done();
      },
    });
    this.columns = columns;
  }
}

/** A bar a running run below one for all of them. */
export function createBars(options: { readonly write: (text: string) => void; readonly columns?: number }): Display {
  const multibar = new cliProgress.MultiBar({
    stream: new TerminalStream(options.write, options.columns ?? DEFAULT_COLUMNS),
    format: "{bar} {percentage}% {text}",
    barsize: 16,
    fps: 4,
    hideCursor: true,
    clearOnComplete: true,
    emptyOnZero: true,
    // Ctrl-C is the pool's to hear.
    gracefulExit: false,
  }, cliProgress.Presets.shades_classic);
  const totalBar = multibar.create(1, 0, { text: "" });
  const bars = new Map<string, typeof totalBar>();
  return {
    update(running, total): void {
      for (const [id, bar] of bars) {
        if (running.has(id)) continue;
        bar.stop();
        multibar.remove(bar);
        bars.delete(id);
      }
      for (const [id, view] of running) {
        let bar = bars.get(id);
        if (bar === undefined) bars.set(id, bar = multibar.create(1, 0, { text: "" }));
        bar.update(view.fraction, { text: describeView(view) });
      }
      totalBar.update(total.fraction, { text: describeTotal(total) });
    },
    say: (line) => multibar.log(line + "\n"),
    close(): void {
      multibar.update();
      multibar.stop();
    },
  };
}
