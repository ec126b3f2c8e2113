/** Mean and standard deviation per channel of values divided by 255. */
export interface ChannelStatistics {
  /** Mean of each channel. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel. */
  readonly std: readonly number[];
}

/**
 * Statistics of images: std = sqrt(E x² - (E x)²), the population's.
 * @param images [count, height, width, channels].
 */
export function channelStatistics(images: Uint8Array, channels: number): ChannelStatistics {
  const sum = new Array<number>(channels).fill(0), squares = new Array<number>(channels).fill(0);
  for (let i = 0; i < images.length;) {
    for (let c = 0; c < channels; c++) {
      const value = images[i++]!;
      sum[c]! += value;
      squares[c]! += value * value;
    }
  }
  const count = images.length / channels, mean = sum.map((total) => total / count);
  return {
    mean: mean.map((value) => value / 255),
    std: squares.map((total, c) => Math.sqrt(total / count - mean[c]! ** 2) / 255),
  };
}
