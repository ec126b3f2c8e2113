/** Networks that stand for those of the papers on CIFAR-10: none of the papers says which form it used. */
import type { Table } from "../src/catalog/paper.ts";
import { modelTitle } from "../src/catalog/titles.ts";

/** The network of `src/nn` that stands for a network of a paper on CIFAR-10: the only place that says so. */
const ON_CIFAR10 = {
  resnet18: "resnet18_imagenet",
  resnet50: "resnet50_imagenet",
  mobilenetv1: "mobilenetv1_imagenet",
  mobilenetv2: "mobilenetv2_imagenet",
} as const;

/** A network as the papers name it. */
export type PaperNetwork = keyof typeof ON_CIFAR10;

/** The network that stands for `name`: in ImageNet form on CIFAR-10, in CIFAR form on other data sets. */
export function networkFor(name: string, dataset: string): string {
  return dataset === "cifar10" && Object.hasOwn(ON_CIFAR10, name) ? ON_CIFAR10[name as PaperNetwork] : name;
}

/** The models of a table on CIFAR-10, by the paper's names. */
export function onCifar10(...names: readonly PaperNetwork[]): Pick<Table, "models" | "networks"> {
  return {
    models: names.map((name) => ON_CIFAR10[name]),
    networks: Object.fromEntries(names.map((name) => [name, ON_CIFAR10[name]])),
  };
}

/** The same for print: `ResNet-18 (ImageNet form) for ResNet-18, ...`. */
export function networksText(...names: readonly PaperNetwork[]): string {
  return names.map((name) => `${modelTitle(ON_CIFAR10[name])} for ${modelTitle(name)}`).join(", ");
}
