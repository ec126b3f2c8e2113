/** The process that speed_bench.ts measures: `deno run -A test/report/speed_child.ts RECORDS OUT` prints seconds and MiB as JSON. */
import process from "node:process";
import { report } from "../../reports/report.ts";
import { SPEED_PAGE } from "./speed_page.ts";

const [records, out] = Deno.args;
const code = report(["--records", records!, "--out", out!], {
  pages: [SPEED_PAGE],
  deviations: {},
  stdout: () => {},
  stderr: (text) => void process.stderr.write(text),
});
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
process.stdout.write(
  JSON.stringify({ userSeconds: userCPUTime / 1e6, systemSeconds: systemCPUTime / 1e6, peakMiB: maxRSS / 1024 }) + "\n",
);
Deno.exit(code);
