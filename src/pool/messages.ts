import { z } from "zod";
import { epochSchema } from "../record/record.ts";

/** What the process of a run tells its pool: one JSON object a line on stdout. */
export const childMessageSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("progress"),
    epoch: z.number(),
    epochs: z.number(),
    step: z.number(),
    steps: z.number(),
    /** Null: not a number. */
    loss: z.number().nullable(),
    imagesPerSecond: z.number(),
  }),
  z.strictObject({ type: z.literal("epoch"), epoch: epochSchema }),
  /** The run ended: `stopped` leaves a checkpoint, the other two a record. */
  z.strictObject({ type: z.literal("done"), status: z.enum(["done", "diverged", "stopped"]) }),
  /** The run ended by an error; the stack is in the log. */
  z.strictObject({ type: z.literal("failed"), reason: z.string() }),
]);
export type ChildMessage = Readonly<z.infer<typeof childMessageSchema>>;

/** A line of a child's stdout; null: some other text, which belongs in the log. */
export function parseChildMessage(line: string): ChildMessage | null {
  if (!line.startsWith("{")) return null;
  try {
    const result = childMessageSchema.safeParse(JSON.parse(line));
    return result.success ? result.data : null;
  } catch {
    return null;
  }
}

/** Text as lines, without their ends; the last line need not have one. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split(/\r?\n/);
    rest = lines.pop() ?? "";
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
