/** Runs of many machines: BullMQ on Redis. Loaded only where a queue is asked for. */
export { type Artefacts, openArtefacts, RECORD } from "./artefacts.ts";
export { checkRedis, queueName } from "./connection.ts";
export { followPlan } from "./follow.ts";
export type { QueueTimes } from "./times.ts";
export { runWorker } from "./worker.ts";
