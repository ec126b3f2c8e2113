/** Images and feature maps between channels last, as the engines have them, and channels first, as ONNX has them. */

/** [n, height, width, channels] to [n, channels, height, width]. */
export function channelsFirst<Values extends Uint8Array | Float32Array>(
  values: Values,
  [height, width, channels]: readonly [number, number, number],
): Values {
  return moved(values, { places: height * width, channels, first: true });
}

/** [n, channels, height, width] to [n, height, width, channels]. */
export function channelsBehind<Values extends Uint8Array | Int8Array | Float32Array>(
  values: Values,
  [channels, height, width]: readonly [number, number, number],
): Values {
  return moved(values, { places: height * width, channels, first: false });
}

function moved<Values extends Uint8Array | Int8Array | Float32Array>(
  values: Values,
  { places, channels, first }: { places: number; channels: number; first: boolean },
): Values {
  const to = values.slice() as Values, size = places * channels;
  for (let start = 0; start < values.length; start += size) {
    for (let place = 0; place < places; place++) {
      for (let channel = 0; channel < channels; channel++) {
        const last = start + place * channels + channel, ahead = start + channel * places + place;
        if (first) to[ahead] = values[last]!;
        else to[last] = values[ahead]!;
      }
    }
  }
  return to;
}
