/** Names for people. A test fails on a model or data set without one. */
import type { Arm } from "./paper.ts";

const MODEL_TITLES: Readonly<Record<string, string>> = {
  resnet8: "ResNet-8",
  resnet18: "ResNet-18",
  resnet20: "ResNet-20",
  resnet50: "ResNet-50",
  // of a paper that does not give the version
  mobilenet: "MobileNet",
  mobilenetv1: "MobileNetV1",
  mobilenetv2: "MobileNetV2",
  mobilenetv2_narrow: "MobileNetV2 x 0.35",
  resnet18_imagenet: "ResNet-18 (ImageNet form)",
  resnet50_imagenet: "ResNet-50 (ImageNet form)",
  mobilenetv1_imagenet: "MobileNetV1 (ImageNet form)",
  mobilenetv2_imagenet: "MobileNetV2 (ImageNet form)",
};

const DATASET_TITLES: Readonly<Record<string, string>> = {
  cifar10: "CIFAR-10",
  cifar100: "CIFAR-100",
  fashion_mnist: "Fashion-MNIST",
  synthetic: "Synthetic",
};

/** Names a model for people; an unknown id is its own title. */
export function modelTitle(id: string): string {
  return Object.hasOwn(MODEL_TITLES, id) ? MODEL_TITLES[id]! : id;
}

/** Names a data set for people; an unknown id, such as a folder's, is its own title. */
export function datasetTitle(id: string): string {
  return Object.hasOwn(DATASET_TITLES, id) ? DATASET_TITLES[id]! : id;
}

/** The short name of a paper: its title before the colon. */
export function shortTitle({ title }: { readonly title: string }): string {
  return title.split(":")[0]!;
}

/** Names an arm, with the label of a reconstruction or a stand-in wherever its name is shown. */
export function armTitle({ arm: { title, label } }: { readonly arm: Pick<Arm, "title" | "label"> }): string {
  return label === null ? title : `${title} (${label})`;
}
