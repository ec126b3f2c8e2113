/** Registers the suite's kernels, and tfjs's that its wasm backend lacks, has in a slow form, or that hide NaN. */
import { getKernel, registerKernel, unregisterKernel } from "@tensorflow/tfjs-core";
import { asKernelFunc, type WasmKernel } from "../heap.ts";
import { batchNormTraining, batchNormTrainingGrad } from "./batch_norm.ts";
import { cropFlip } from "./crop_flip.ts";
import { depthwiseFilterGradient } from "./depthwise_filter_gradient.ts";
import { maximum, minimum } from "./extremes.ts";
import { conv2dFilterGradient } from "./filter_gradient.ts";
import { conv2dInputGradient, depthwiseInputGradient } from "./input_gradients.ts";
import { logDetInverse } from "./log_det.ts";
import { logSoftmax } from "./log_softmax.ts";
import { maxPoolAxis, maxPoolAxisGrad } from "./max_pool.ts";
import { clipByValue, relu, relu6, relu6Grad, reluGrad } from "./rectifiers.ts";
import { roundClip, roundClipGrad } from "./round_clip.ts";
import { uniformPerturbation } from "./uniform_perturbation.ts";

const KERNELS: Readonly<Record<string, WasmKernel>> = {
  RoundClip: roundClip,
  RoundClipGrad: roundClipGrad,
  BatchNormTraining: batchNormTraining,
  BatchNormTrainingGrad: batchNormTrainingGrad,
  Relu: relu,
  Relu6: relu6,
  ClipByValue: clipByValue,
  Maximum: maximum,
  Minimum: minimum,
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
