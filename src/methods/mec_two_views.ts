/** Parts of MEC for two views: the averaged teacher and the warm-up of lambda, as in MEC's code. */
import { runningAverage } from "./averaging.ts";
import { type NetworkTensors, OWN_PARAMETERS } from "./types.ts";

/** The teacher's place in the memory. */
export const TEACHER = runningAverage("teacher");

/** The network without what the method learns beside it. */
export function networkAlone({ params, state }: NetworkTensors): NetworkTensors {
  const own = Object.entries(params).filter(([path]) => !path.startsWith(OWN_PARAMETERS));
  return { params: Object.fromEntries(own), state };
}

/** 1/lambda of the first step, in units of the last one. */
const FIRST_INVERSE_LAMBDA = 8;

/** eps_d of a step: 1/lambda falls linearly from 8 times its value to its value in `warmupSteps`. */
export function warmedDistortion(step: number, options: { distortion: number; warmupSteps: number }): number {
  const { distortion, warmupSteps } = options, left = Math.max(0, 1 - step / Math.max(1, warmupSteps));
  return distortion * (1 + (FIRST_INVERSE_LAMBDA - 1) * left);
}
