/** Wheels of a large download: each that is complete is kept, so that the next installation continues. */
import { basename, join } from "node:path";
import { type Download, downloadWheels } from "./pip.ts";

/** Description of a large download. */
export interface KeptDownload extends Download {
  /** Folder of the wheels that are complete. */
  readonly kept: string;
}

/** The wheels in `kept` that meet these requirements, by requirement. */
export function wheelsIn(kept: string, requirements: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name } of listed(kept)) {
    const project = name.split("-")[0]!.toLowerCase();
    const requirement = requirements.find((text) => /^[\w-]+/.exec(text)![0].replaceAll("-", "_") === project);
    if (requirement !== undefined && name.endsWith(".whl")) found.set(requirement, join(kept, name));
  }
  return found;
}

function listed(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch {
    return [];
  }
}

/**
 * Downloads wheels one by one and renames each into `kept` once pip has checked it; what is there is not asked for.
 * @returns Their paths, in the order of the requirements.
 * @throws {InputError} If Python or pip is missing, the disk is full, or pip fails.
 */
export async function downloadKept({ kept, requirements, progress, ...download }: KeptDownload): Promise<string[]> {
  await Deno.mkdir(kept, { recursive: true });
  const wheels: string[] = [];
  let doneBytes = 0;
  for (const requirement of requirements) {
    let wheel = wheelsIn(kept, [requirement]).get(requirement);
    if (wheel === undefined) {
      const report = progress && ((bytes: number) => progress(doneBytes + bytes));
      const [fresh] = await downloadWheels({
        ...download,
        requirements: [requirement],
        ...(report === undefined ? {} : { progress: report }),
      });
      wheel = join(kept, basename(fresh!));
      await Deno.rename(fresh!, wheel);
    }
    doneBytes += (await Deno.stat(wheel)).size;
    progress?.(doneBytes);
    wheels.push(wheel);
  }
  return wheels;
}
