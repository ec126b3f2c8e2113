import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { z } from "zod";
import { InputError } from "../errors.ts";
import { codingLength, normaliseRows } from "../methods/coding_length.ts";
import type { NetworkTensors } from "../methods/types.ts";
import { forward, normaliseImages } from "../train/forward.ts";
import { disposeImages, meanAndError, measuredImages } from "./batches.ts";
import type { MeasurementDefinition, Measuring, Subject } from "./types.ts";

const optionsSchema = z.strictObject({
  /** Test images; all where there are fewer. */
  images: z.int().positive().default(10_000),
  /** m: images of one block; what does not fill a block is left out. */
  blockSize: z.int().min(2).default(500),
  /** eps_d; MEC-Quant's reconstruction trains with 1/8, MEC with 1/32. */
  distortions: z.array(z.number().positive()).min(1).default([1 / 8, 1 / 32]),
});
type Options = z.infer<typeof optionsSchema>;

type Inputs = { readonly network: NetworkTensors; readonly images: Tensor };

function start(subject: Subject, options: Options): Measuring {
  const { engine, model, dataset } = subject;
  const program = engine.compile(({ network, images }: Inputs) => {
    const how = { network, images: normaliseImages(images, dataset), training: false, quantized: true };
    const rows = normaliseRows(forward(model, subject.quantization, how).features); // [m, d]
    const block = tf.expandDims(rows, 0);
    const lengths = options.distortions.map((distortion) => tf.reshape(codingLength(block, { distortion }), []));
    return { rows, lengths: tf.stack(lengths) };
  });
  return {
    measure(network) {
      const blocks = Math.floor(Math.min(options.images, subject.testIndices.length) / options.blockSize);
      if (blocks === 0) {
        throw new InputError(
          `Cannot code features in blocks of ${options.blockSize} as there are ${subject.testIndices.length} test images ` +
            `and ${options.images} are asked for: take a blockSize of at most that`,
        );
      }
      const images = measuredImages(dataset.test, subject.testIndices, {
        ...dataset,
        count: blocks * options.blockSize,
        batchSize: options.blockSize,
      });
      const lengths: number[][] = [], rows: number[][] = [];
      for (const batch of images.batches) {
        const found = program({ network, images: batch.images });
        lengths.push([...found.lengths.dataSync()]);
        rows.push(...found.rows.arraySync() as number[][]);
        tf.dispose([found.rows, found.lengths]);
      }
      disposeImages(images);
      const coded = options.distortions.map((_, i) => lengths.map((block) => block[i]!));
      return {
        images: images.count,
        blocks,
        codingLengths: coded.map((values) => meanAndError(values).mean),
        ...(blocks > 1 ? { codingLengthsError: coded.map((values) => meanAndError(values).standardError) } : {}),
        ...spectra(rows),
      };
    },
    dispose: () => program.dispose(),
  };
}

/** Spectra and effective ranks of rows of length 1, [n, d]; float64. */
export function spectra(rows: readonly (readonly number[])[]): {
  spectrum: number[];
  effectiveRank: number;
  centredSpectrum: number[];
  centredEffectiveRank: number;
} {
  const z = new Matrix(rows as number[][]);
  const spectrum = eigenvalues(z), centredSpectrum = eigenvalues(z.clone().center("column"));
  return {
    spectrum,
    effectiveRank: effectiveRank(spectrum),
    centredSpectrum,
    centredEffectiveRank: effectiveRank(centredSpectrum),
  };
}

/** Below this an eigenvalue is rounding: rows are float32 of length 1, so all of them sum to 1 at most. */
const ROUNDING = 1e-12;

/** Eigenvalues of Zᵀ Z / n, the largest first. */
function eigenvalues(z: Matrix): number[] {
  const moment = z.transpose().mmul(z).div(z.rows);
  const found = new EigenvalueDecomposition(moment, { assumeSymmetric: true }).realEigenvalues;
  return found.map((value) => value < ROUNDING ? 0 : value).sort((a, b) => b - a);
}

/** exp of the entropy of the eigenvalues divided by their sum: d for a flat spectrum, 1 for a single direction, 0 for none. */
export function effectiveRank(spectrum: readonly number[]): number {
  const sum = spectrum.reduce((total, value) => total + value, 0);
  if (sum === 0) return 0;
  const shares = spectrum.map((value) => value / sum).filter((share) => share > 0);
  return Math.exp(-shares.reduce((total, share) => total + share * Math.log(share), 0));
}

/**
 * Coding length and spectrum of the representation: what MEC-Quant says that quantization biases and MEC restores.
 *
 *   Z [m, d]: pooled features before the dense layer of a block of test images, each row divided by its length
 *   codingLengths: eps_d log det(I + Zᵀ Z / (m eps_d)), exact, for each eps_d; mean over blocks and its standard error
 *   spectrum: eigenvalues of Zᵀ Z / n over all n images, what the coding length sees; they sum to 1
 *   centredSpectrum: the same of Z less its mean row: the covariance
 *   effectiveRank: exp(-sum_i p_i log p_i), p the eigenvalues divided by their sum
 *
 * The scale is that of training's loss (`src/methods/coding_length.ts`): no (m + d) / 2, times eps_d. The largest possible
 * value is eps_d d log(1 + 1 / (d eps_d)), for a flat spectrum.
 *
 * Assumption: which features are coded (MEC-Quant's abstract says only "representation"); the reconstruction's own Z.
 *
 * @see Ma et al. 2007; Liu et al. 2022, arXiv:2210.11464, Eq. 1; Roy and Vetterli 2007 (effective rank)
 */
export const featureCoding: MeasurementDefinition = {
  name: "feature_coding",
  options: optionsSchema,
  start,
};
