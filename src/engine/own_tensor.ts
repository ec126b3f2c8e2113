import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "./types.ts";

/** @throws {Error} If an input of a program was disposed, or is not of this backend. @param path In the program's inputs. */
export function requireOwn(tensor: Tensor, path: string, backend: tf.KernelBackend): void {
  const { tensorInfo } = tf.engine().state, owner = tensor.isDisposed ? null : tensorInfo.get(tensor.dataId)?.backend;
  if (owner === backend) return;
  const name = path.replaceAll("\u0000", "/");
  throw new Error(
    `Cannot run a program with input "${name}" as ${owner ? "it is a tensor of another engine" : "it was disposed"}: ` +
      "make it while this engine is the current one",
  );
}
