import cliProgress from "cli-progress";
import process from "node:process";

/** A bar on stderr, for a terminal. */
export function progressBar(total: number, noun: string): Pick<cliProgress.SingleBar, "update" | "stop"> {
  const bar = new cliProgress.SingleBar(
    { format: `{bar} {value} of {total} ${noun}`, barsize: 24, clearOnComplete: true, stream: process.stderr },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0);
  return bar;
}
