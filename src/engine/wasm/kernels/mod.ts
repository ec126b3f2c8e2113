/** Registers the suite's kernels, and tfjs's that its wasm backend lacks or has in a slow form. */
import { getKernel, registerKernel, unregisterKernel } from "@tensorflow/tfjs-core";
import { asKernelFunc, type WasmKernel } from "../heap.ts";
import { batchNormTraining, batchNormTrainingGrad } from "./batch_norm.ts";
import { cropFlip } from "./crop_flip.ts";
import { depthwiseFilterGradient } from "./depthwise_filter_gradient.ts";
import { conv2dFilterGradient } from "./filter_gradient.ts";
import { conv2dInputGradient, depthwiseInputGradient } from "./input_gradients.ts";
import { logDetInverse } from "./log_det.ts";
import { logSoftmax } from "./log_softmax.ts";
import { maxPoolAxis, maxPoolAxisGrad } from "./max_pool.ts";
import { relu6Grad, reluGrad } from "./relu_gradients.ts";
import { roundClip, roundClipGrad } from "./round_clip.ts";
import { uniformPerturbation } from "./uniform_perturbation.ts";

const KERNELS: Readonly<Record<string, WasmKernel>> = {
  RoundClip: roundClip,
  RoundClipGrad: roundClipGrad,
  BatchNormTraining: batchNormTraining,
  BatchNormTrainingGrad: batchNormTrainingGrad,
  ReluGrad: reluGrad,
  Relu6Grad: relu6Grad,
  UniformPerturbation: uniformPerturbation,
  CropFlip: cropFlip,
  LogDetInverse: logDetInverse,
  Conv2DBackpropInput: conv2dInputGradient,
  Conv2DBackpropFilter: conv2dFilterGradient,
  DepthwiseConv2dNativeBackpropInput: depthwiseInputGradient,
  DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGradient,
  LogSoftmax: logSoftmax,
  MaxPoolAxis: maxPoolAxis,
  MaxPoolAxisGrad: maxPoolAxisGrad,
};

/** Registers every kernel with tfjs's backend `wasm`; called once, when the engine opens. */
export function registerKernels(): void {
  for (const [kernelName, kernel] of Object.entries(KERNELS)) {
    // registering over a kernel prints a warning
    if (getKernel(kernelName, "wasm")) unregisterKernel(kernelName, "wasm");
    registerKernel({ kernelName, backendName: "wasm", kernelFunc: asKernelFunc(kernel) });
  }
}
