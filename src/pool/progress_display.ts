/** Display of progress: bars on a terminal, plain lines elsewhere. */
import { Writable } from "node:stream";
import cliProgress from "cli-progress";
import { formatSeconds } from "../plan/estimate.ts";
import { terminalText } from "../terminal_text.ts";

/** Running run, as people see it. */
export interface RunView {
  readonly name: string;
  /** From 1; 0: not started. */
  readonly epoch: number;
  readonly epochs: number;
  /** 0 to 1. */
  readonly fraction: number;
  readonly loss: number | null;
  readonly imagesPerSecond: number;
  readonly top1Percent: number | null;
  /** Start of its process, on the clock of the progress. */
  readonly startedMs: number;
  /** Fraction at its start, as a resumed run starts after others' work; null: not started. */
  readonly startFraction: number | null;
}

/** Whole grid, as people see it. */
export interface TotalView {
  readonly ended: number;
  readonly runs: number;
  readonly fraction: number;
  /** Null: too early to say. */
  readonly etaSeconds: number | null;
}

/** Display of views. */
export interface Display {
  update(running: ReadonlyMap<string, RunView>, total: TotalView): void;
  say(line: string): void;
  close(): void;
}

/**
 * Describes a running run in one line.
 *
 * @param width Columns that there are. Loss and accuracy are left out first, then the name is cut; the speed stays whole.
 */
export function describeView(view: RunView, width = Infinity): string {
  const name = terminalText(view.name);
  if (view.epoch === 0) return cut(name, width - " starting".length) + " starting";
  const epoch = ` epoch ${view.epoch}/${view.epochs},`, loss = ` loss ${view.loss?.toFixed(3) ?? "NaN"},`;
  const top1 = view.top1Percent === null ? "" : ` top-1 ${view.top1Percent.toFixed(2)} %,`;
  const speed = ` ${Math.round(view.imagesPerSecond)} images/s`;
  const forms = [epoch + loss + top1 + speed, epoch + top1 + speed, epoch + speed];
  const fitting = forms.find((form) => name.length + form.length <= width);
  if (fitting !== undefined) return name + fitting;
  const rest = [epoch + speed, speed].find((form) => form.length + SHORTEST_NAME <= width) ?? speed;
  return cut(name, width - rest.length) + rest;
}

const SHORTEST_NAME = 12;

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1)).trimEnd()}…`;
}

/** Describes all runs in one line. */
export function describeTotal(total: TotalView): string {
  const left = total.etaSeconds === null ? "no estimate yet" : `about ${formatSeconds(total.etaSeconds)} left`;
  return `${total.ended} of ${total.runs} runs ended, ${left}`;
}

const DEFAULT_COLUMNS = 80;
/** Columns of a line that are neither bar nor text: ` 100% `. */
const BETWEEN = 6;

/** Stream that cli-progress draws on, leading to `write`. */
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

/** Makes a display with one bar per running run, and one for all of them. */
export function createBars(
  { write, columns = DEFAULT_COLUMNS }: { readonly write: (text: string) => void; readonly columns?: number },
): Display {
  const barsize = columns < 60 ? 6 : 16, width = columns - barsize - BETWEEN;
  const multibar = new cliProgress.MultiBar({
    stream: new TerminalStream(write, columns),
    format: "{bar} {percentage}% {text}",
    barsize,
    fps: 4,
    hideCursor: true,
    clearOnComplete: true,
    emptyOnZero: true,
    // The pool handles Ctrl-C.
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
        bar.update(view.fraction, { text: describeView(view, width) });
      }
      totalBar.update(total.fraction, { text: cut(describeTotal(total), width) });
    },
    say: (line) => multibar.log(folded(terminalText(line), columns) + "\n"),
    close(): void {
      multibar.update();
      multibar.stop();
    },
  };
}

/** Folds a line at the edge of the terminal, where cli-progress would write over its end. */
function folded(line: string, columns: number): string {
  return line.replace(new RegExp(`.{${columns}}(?=.)`, "g"), "$&\n");
}

/** Milliseconds between two plain lines about running runs. */
const LINE_EVERY_MS = 60_000;

/** Makes a display of plain lines. */
export function createLines(
  { write, now }: { readonly write: (text: string) => void; readonly now: () => number },
): Display {
  let last = now();
  return {
    update(running, total): void {
      if (now() - last < LINE_EVERY_MS || running.size === 0) return;
      last = now();
      write(`${describeTotal(total)}; ${[...running.values()].map((view) => describeView(view)).join("; ")}\n`);
    },
    say: (line) => write(terminalText(line) + "\n"),
    close: () => {},
  };
}
