import { formatSeconds } from "../plan/estimate.ts";
import { type RunState, sizeMiB } from "../store/folder.ts";
import { describeRun } from "../plan/plan.ts";
import { describeEnd } from "../pool/progress.ts";

/** How a run stands, in a few words. */
export function describeState({ record, problem, holder, epochs, spec }: RunState): string {
  if (problem !== null) return "unreadable";
  if (record !== null) return describeEnd(record);
  const progress = spec === null ? "" : `, ${epochs} of ${spec.recipe.epochs} epochs`;
  return holder === null ? `not over${progress}` : `run by process ${holder.pid} on ${holder.host}${progress}`;
}

function nameOf({ spec }: RunState): string {
  return spec === null ? "spec cannot be read" : describeRun(spec);
}

/** A line a run: id, name, state; and how many there are of each status. */
export function listText(states: readonly RunState[], out: string): string {
  const width = Math.max(0, ...states.map((state) => nameOf(state).length));
  const counts = new Map<string, number>();
  for (const { record, problem } of states) {
    const status = problem !== null ? "unreadable" : record?.status ?? "not over";
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  const total = [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
  const size = states.reduce((sum, state) => sum + sizeMiB(state), 0);
  return [
    ...states.map((state) => `${state.id}  ${nameOf(state).padEnd(width)}  ${firstSentence(describeState(state))}`),
    states.length === 0 ? `No runs in ${out}` : `${states.length} runs: ${total}; ${size.toFixed(1)} MiB in ${out}`,
    "",
  ].join("\n");
}

/** Reasons hold parts of logs: a list shows their beginning. */
function firstSentence(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

/** All of a run that a person asks for first. */
export function showText(state: RunState): string {
  const { id, spec, record, problem, files } = state;
  const lines = [`${id}  ${nameOf(state)}`, `State: ${describeState(state)}`];
  if (problem !== null) lines.push(`Problem: ${problem}`);
  if (spec !== null) {
    const { method, dataset, recipe, engine, protocol, teacher } = spec;
    lines.push(
      `Method: ${method.name} ${JSON.stringify(method.options)}, protocol ${protocol}, engine ${engine}`,
      `Data: ${dataset.name}; ${recipe.epochs} epochs of batch ${recipe.batchSize}, rate ${recipe.learningRate}`,
      `Teacher: ${teacher ?? "none"}`,
    );
  }
  if (record !== null) {
    const { environment, startedAt, wallSeconds, imagesPerSecond, peakMemoryMiB } = record;
    lines.push(
      `Started ${startedAt}, took ${formatSeconds(wallSeconds)}, ${Math.round(imagesPerSecond)} images/s, ` +
        `${Math.round(peakMemoryMiB)} MiB`,
      `On ${environment.cpu}, ${environment.os}, commit ${environment.commit ?? "unknown"}`,
    );
    for (const epoch of record.curve) {
      lines.push(
        `  epoch ${epoch.epoch}: loss ${epoch.trainLoss.toFixed(4)}, test top-1 ${epoch.testTop1Percent.toFixed(2)} %`,
      );
    }
    if (record.log !== undefined) lines.push("Last lines of its log:", ...record.log.map((line) => `  ${line}`));
  }
  lines.push("Files:", ...files.map(({ name, bytes }) => `  ${name}  ${bytes} bytes`), "");
  return lines.join("\n");
}

/** A run for machines. */
export function stateDocument(state: RunState): unknown {
  return { ...state, status: state.record?.status ?? null };
}
