/** The models: one line here for each. */
import { unknownValue } from "../errors.ts";
import { mobilenetV1, mobilenetV1ImageNet } from "./mobilenet_v1.ts";
import { mobilenetV2, mobilenetV2ImageNet, mobilenetV2Narrow } from "./mobilenet_v2.ts";
import { resnet18, resnet18ImageNet, resnet20, resnet8 } from "./resnet.ts";
import { resnet50, resnet50ImageNet } from "./resnet50.ts";
import type { ModelDefinition } from "./types.ts";

export const MODELS: readonly ModelDefinition[] = [
  resnet8,
  resnet20,
  resnet18,
  resnet50,
  mobilenetV1,
  mobilenetV2,
  mobilenetV2Narrow,
  resnet18ImageNet,
  resnet50ImageNet,
  mobilenetV1ImageNet,
  mobilenetV2ImageNet,
];

/** @throws {InputError} If there is no model of that name. */
export function modelNamed(name: string): ModelDefinition {
  const found = MODELS.find((model) => model.name === name);
  if (found) return found;
  throw unknownValue("model", name, MODELS.map(({ name }) => name));
}
