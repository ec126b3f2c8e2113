/**
 * Image data sets: one of your own is a `DatasetDefinition`.
 *
 * @example Make a data set of four grey images
 * ```ts
 * import { channelStatistics, type DatasetDefinition, sha256Of, type Split } from "@requant/requant/data";
 * import assert from "node:assert/strict";
 *
 * const images = Uint8Array.of(0, 51, 102, 255), labels = Uint8Array.of(0, 0, 1, 1); // 1 pixel each
 * const split: Split = { images, labels, count: 4 };
 * const tiny: DatasetDefinition = {
 *   name: "tiny",
 *   title: "4 grey pixels",
 *   sizes: () => ({ train: 4, test: 4, imageShape: [1, 1, 1] }),
 *   load: () =>
 *     Promise.resolve({
 *       name: "tiny",
 *       classes: 2,
 *       imageShape: [1, 1, 1],
 *       ...channelStatistics(images, 1),
 *       train: split,
 *       test: split,
 *       sha256: sha256Of(images, labels, images, labels),
 *     }),
 * };
 * const { mean } = await tiny.load({ cache: "unused" });
 * assert.deepEqual(mean, [0.4]); // (0 + 0.2 + 0.4 + 1) / 4
 * ```
 * @module
 */
export { type Purpose, PURPOSES, Stream, stream, type StreamAddress } from "../random/stream.ts";
export { sha256Of } from "./manifest.ts";
export { type ChannelStatistics, channelStatistics } from "./statistics.ts";
export type * from "./types.ts";
