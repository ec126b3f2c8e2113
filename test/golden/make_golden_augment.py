"""Golden values from PIL for test/data/strong_test.ts and augment_test.ts: augment.json says what lies where in augment.bin.

Made with: python make_golden_augment.py (Pillow 13.0.0, numpy 2.4.6, Python 3.11), in this folder. What is called, and with
which amounts, is what FixMatch's RandAugment calls on CIFAR; PIL does the arithmetic.
"""
import json

import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageOps

rng = np.random.default_rng(0)


def smooth(height, width):
    """Ramps and waves with some noise: all values, edges for sharpness, no symmetry."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [110 + 60 * np.sin(0.5 * x + 0.2 * y + 2 * c) + 50 * np.cos(0.7 * y - 0.1 * x * (c + 1)) for c in range(3)]
    return np.clip(np.stack(waves, -1) + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)


IMAGES = {
    "smooth": smooth(20, 16),
    "noise": rng.integers(0, 256, (20, 16, 3), dtype=np.uint8),
    # one channel constant, one of two values, one narrow: the special cases of autoContrast and equalize
    "narrow": np.stack([np.full((32, 32), 77), rng.choice([3, 200], (32, 32)), rng.integers(90, 140, (32, 32))], -1).astype(np.uint8),
    # 3 or 4 values a step of equalize: some sums pass 255
    "large": smooth(32, 32),
    # 1,019 pixels before the highest value: step 3, so the last entries of equalize's table are cut at 255
    "steep": np.repeat(np.sort(np.concatenate([np.arange(1019) // 5, np.full(5, 255)])).reshape(32, 32, 1), 3, -1).astype(np.uint8),
}
ENHANCE = {"brightness": ImageEnhance.Brightness, "color": ImageEnhance.Color, "contrast": ImageEnhance.Contrast,
           "sharpness": ImageEnhance.Sharpness}
LEVELS = range(1, 10)


def affine(image, matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix)


def cases():
    """(image, operation, level, sign, amount, result)"""
    for name, array in IMAGES.items():
        image, all_levels = Image.fromarray(array), name == "smooth"
        yield name, "autoContrast", 1, 1, 0, ImageOps.autocontrast(image)
        yield name, "equalize", 1, 1, 0, ImageOps.equalize(image)
        for k in LEVELS if all_levels else (2, 7):
            factor = float(k) * 0.9 / 10 + 0.05
            for operation, enhance in ENHANCE.items():
                yield name, operation, k, 1, factor, enhance(image).enhance(factor)
        if not all_levels:
            continue
        width, height = image.size
        for k in LEVELS:
            bits, threshold = int(k * 4 / 10) + 4, 256 - int(k * 256 / 10)
            yield name, "posterize", k, 1, bits, ImageOps.posterize(image, bits)
            yield name, "solarize", k, 1, threshold, ImageOps.solarize(image, threshold)
            for sign in (1, -1):
                angle, slope = sign * int(k * 30 / 10), sign * (float(k) * 0.3 / 10)
                yield name, "rotate", k, sign, angle, image.rotate(angle)
                yield name, "shearX", k, sign, slope, affine(image, (1, slope, 0, 0, 1, 0))
                yield name, "shearY", k, sign, slope, affine(image, (1, 0, 0, slope, 1, 0))
                yield name, "translateX", k, sign, slope, affine(image, (1, 0, int(slope * width), 0, 1, 0))
                yield name, "translateY", k, sign, slope, affine(image, (1, 0, 0, 0, 1, int(slope * height)))


def crops(array):
    """torchvision's RandomCrop(size, padding=4), then RandomHorizontalFlip, at given places."""
    padded = ImageOps.expand(Image.fromarray(array), 4, 0)
    height, width = array.shape[:2]
    for top, left, flip in [(0, 0, False), (8, 3, True), (4, 4, True), (2, 7, False), (7, 0, True)]:
        result = padded.crop((left, top, left + width, top + height))
        yield top, left, flip, ImageOps.mirror(result) if flip else result


blobs, offset = [], 0


def put(array):
    global offset
    data = np.ascontiguousarray(array, dtype=np.uint8)
    blobs.append(data.tobytes())
    offset += data.size
    return offset - data.size


meta = {
    "pillow": PIL.__version__,
    "images": {name: {"shape": list(array.shape), "offset": put(array)} for name, array in IMAGES.items()},
    "cases": [{"image": image, "operation": operation, "level": k, "sign": sign, "amount": amount, "offset": put(np.asarray(result))}
              for image, operation, k, sign, amount, result in cases()],
    "crops": [{"top": top, "left": left, "flip": flip, "offset": put(np.asarray(result))}
              for top, left, flip, result in crops(IMAGES["smooth"])],
}
with open("augment.bin", "wb") as file:
    file.write(b"".join(blobs))
with open("augment.json", "w") as file:
    json.dump(meta, file)
print(f"{len(meta['cases'])} cases, {offset} bytes")
