/** Which wheels carry libtensorflow 2.21.0. */
import { InputError } from "../../errors.ts";
import { LIBTENSORFLOW_VERSION } from "../locate.ts";

/** A wheel to download and check. */
export interface Wheel {
  /** pip's name of the project. */
  readonly project: "tensorflow" | "tensorflow-cpu";
  /** pip's names of platforms, the wheel's own first. */
  readonly platforms: readonly string[];
  readonly sha256: string;
}

/** For a named platform pip takes no wheels of older ones, which NVIDIA's are in part: name them all. */
const X86_LINUX = ["manylinux_2_27", "manylinux_2_17", "manylinux2014", "manylinux_2_12", "manylinux2010"]
  .map((platform) => `${platform}_x86_64`);
const ARM_LINUX: Wheel = {
  project: "tensorflow",
  platforms: ["manylinux_2_27_aarch64"],
  sha256: "4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c",
};

/** By `<os>-<architecture>-<device>`, for Python 3.11. */
const WHEELS: Readonly<Record<string, Wheel>> = {
  "linux-x86_64-cpu": {
    project: "tensorflow-cpu",
    platforms: X86_LINUX,
    sha256: "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
  },
  "linux-x86_64-gpu": {
    project: "tensorflow",
    platforms: X86_LINUX,
    sha256: "9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124",
  },
  "linux-aarch64-cpu": ARM_LINUX,
  "darwin-aarch64-cpu": {
    project: "tensorflow",
    platforms: ["macosx_12_0_arm64"],
    sha256: "51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88",
  },
};

/** CUDA libraries that libtensorflow opens from `../nvidia`, as `tensorflow[and-cuda]` 2.21.0 requires them. */
export const CUDA_REQUIREMENTS: readonly string[] = [
  "nvidia-cublas-cu12>=12.5.3.2,<13.0",
  "nvidia-cuda-cupti-cu12>=12.5.82,<13.0",
  "nvidia-cuda-nvcc-cu12>=12.5.82,<13.0",
  "nvidia-cuda-nvrtc-cu12>=12.5.82,<13.0",
  "nvidia-cuda-runtime-cu12>=12.5.82,<13.0",
  "nvidia-cudnn-cu12>=9.3.0.75,<10.0",
  "nvidia-cufft-cu12>=11.2.3.61,<12.0",
  "nvidia-curand-cu12>=10.3.6.82,<11.0",
  "nvidia-cusolver-cu12>=11.6.3.83,<12.0",
  "nvidia-cusparse-cu12>=12.5.1.3,<13.0",
  "nvidia-nccl-cu12>=2.27.7,<3.0",
  "nvidia-nvjitlink-cu12>=12.5.82,<13.0",
];

/** Gigabytes (10^9 bytes) of an installation: to download, on disk, and free disk needed meanwhile. */
export const SIZES = {
  cpu: { downloadGB: 0.3, diskGB: 0.9, roomGB: 1.2 },
  gpu: { downloadGB: 3.4, diskGB: 5.7, roomGB: 9.2 },
} as const;

/**
 * The wheel for this machine.
 * @throws {InputError} If there is none.
 */
export function wheelFor(device: "cpu" | "gpu", { os, arch }: { os: string; arch: string } = Deno.build): Wheel {
  const wheel = WHEELS[`${os}-${arch}-${device}`];
  if (wheel) return wheel;
  throw new InputError(
    `Cannot install libtensorflow ${LIBTENSORFLOW_VERSION} for ${device.toUpperCase()} as it must run on Linux or, for ` +
      `CPU, on an ARM Mac: current machine is ${os} on ${arch}; use --engine wasm`,
  );
}
