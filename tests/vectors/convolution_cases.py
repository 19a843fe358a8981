"""Cases of convolution.json: linear layers on patches of images (bnq.h, CONVOLUTIONS).

SPDX-License-Identifier: MIT
"""
import copy

import numpy as np

from common import INT4, INT4_ASYMMETRIC, INT8, NF4, TENSOR, TERNARY, channel, group, listed
from definitions import F32
from linear_cases import coarse, stored
from linear_definitions import Codes, Weights, linear, quantized

SIDES = {"stride": ("height", "width"), "dilation": ("height", "width"),
         "pad": ("top", "left", "bottom", "right")}


def option(options, name):
    first = 0 if name == "pad" else 1
    return [int(options.get(f"{name}_{side}", first)) for side in SIDES[name]]


def rows_of(w, rows):
    """Some outputs of a layer."""
    part = copy.copy(w)
    part.values = w.values[rows]
    if w.groups is not None:
        part.numbers, part.scales = w.numbers[rows], w.scales[rows]
        part.offsets = None if w.offsets is None else w.offsets[rows]
    return part


def patches(image, kernel, options, fill):
    """Of [channels, height, width]: [outputs down, outputs across, channels, *kernel]."""
    top, left, bottom, right = option(options, "pad")
    image = np.pad(image, ((0, 0), (top, bottom), (left, right)), constant_values=fill)
    (down, across), (tall, wide) = option(options, "stride"), option(options, "dilation")
    height = (image.shape[1] - tall * (kernel[0] - 1) - 1) // down + 1
    width = (image.shape[2] - wide * (kernel[1] - 1) - 1) // across + 1
    return np.array([[image[:, y * down:y * down + tall * kernel[0]:tall,
                            x * across:x * across + wide * kernel[1]:wide]
                      for x in range(width)] for y in range(height)])


def convolve(w, shape, x, images, bias, options):
    """x: rows of floats, or Codes, of images [items, *rest]; y [items, channels, down,
    across], or with nhwc the channels last."""
    nhwc = options.get("layout") == "nhwc"
    shape, images = list(shape), list(images)
    if len(shape) == 3:  # of height 1
        shape.insert(1 if nhwc else 2, 1)
        images.insert(1 if nhwc else 2, 1)
    if options.get("input", "float") != "float" and not isinstance(x, Codes):
        x = quantized(x, options)
    groups, outputs = int(options.get("groups", 1)), shape[0]
    kernel = shape[1:3] if nhwc else shape[2:4]
    items = []
    for item in range(images[0]):
        codes = isinstance(x, Codes)
        image = (x.q if codes else x)[item].reshape(images[1:])
        image = np.moveaxis(image, -1, 0) if nhwc else image
        found = patches(image, kernel, options, x.zeros[item] if codes else 0)
        size, down = image.shape[0] // groups, found.shape[:2]
        results = []
        for g in range(groups):
            part = found[:, :, g * size:(g + 1) * size]
            part = np.moveaxis(part, 2, -1) if nhwc else part
            part = part.reshape(down[0] * down[1], -1)
            rows = slice(g * outputs // groups, (g + 1) * outputs // groups)
            if codes:
                part = Codes(part, [x.scales[item]] * len(part), [x.zeros[item]] * len(part))
            results.append(linear(rows_of(w, rows), part, None if bias is None else bias[rows],
                                  {**options, "input": "float"}))
        y = np.concatenate(results, axis=1).reshape(*down, outputs)
        items.append(y if nhwc else np.moveaxis(y, -1, 0))
    return np.array(items)


def case(name, config, shape, images, options, *, dtype="F32", bias=None, output="F32", seed=1,
         codes=None):
    weight = [v / 2 for v in coarse(int(np.prod(shape)), seed)]
    x = coarse(int(np.prod(images)), seed + 500)
    entry = {"name": name, "source": "the definition", "config": config,
             "weight_shape": list(shape), "weight": listed(weight), "options": options,
             "shape": list(images), "dtype": dtype}
    if dtype in ("I8", "U8"):
        least = -128 if dtype == "I8" else 0
        x = [max(least, min(least + 255, int(v * 40) + least + 128)) for v in x]
        entry.update(input=x, scales=listed(np.array(codes[0], F32)), zero_points=codes[1])
        inputs = Codes(np.array(x).reshape(images[0], -1), *codes)
    else:
        entry["input"] = listed(x)
        inputs = np.array(x, F32).reshape(images[0], -1)
    if bias is not None:
        entry["bias_dtype"] = "I32" if isinstance(bias[0], int) else "F32"
        entry["bias"] = bias if isinstance(bias[0], int) else listed(np.array(bias, F32))
        bias = np.array(bias, np.int64 if isinstance(bias[0], int) else F32)
    y = convolve(Weights(config, shape, weight), shape, inputs, images, bias, options)
    if len(shape) == 3:
        y = y.squeeze(1 if options.get("layout") == "nhwc" else 2)
    entry.update(output_shape=list(y.shape), output_dtype=output,
                 output=stored(np.ascontiguousarray(y), output))
    return entry


def pads(top, left, bottom, right):
    return {f"pad_{side}": str(n) for side, n in zip(SIDES["pad"], (top, left, bottom, right))}


def cases():
    int8, int4 = {**INT8, **channel(0)}, {**INT4, **group(9)}
    in8, uneven = {"input": "int8"}, {"input": "int8_asymmetric"}
    around = pads(1, 1, 1, 1)
    yield case("plain", int8, [3, 4, 3, 3], [2, 4, 5, 6], in8, bias=[0.5, -1.0, 0.1])
    yield case("padded", int8, [3, 4, 3, 3], [2, 4, 5, 4], {**uneven, **around}, seed=2)
    yield case("strides", int8, [3, 4, 3, 2], [1, 4, 7, 6],
               {**uneven, **pads(2, 0, 1, 1), "stride_height": "3", "stride_width": "2"}, seed=3)
    yield case("dilation", int8, [2, 3, 2, 3], [1, 3, 6, 7],
               {**in8, **pads(0, 2, 1, 0), "dilation_height": "3", "dilation_width": "2"}, seed=4)
    yield case("groups", {**TERNARY, **TENSOR}, [6, 2, 3, 3], [2, 4, 4, 4],
               {"input": "bitnet", **around, "groups": "2", "function": "relu"}, seed=5)
    yield case("depthwise_nhwc", {**INT4_ASYMMETRIC, **channel(0)}, [5, 3, 3, 1], [1, 5, 4, 5],
               {**uneven, **around, "groups": "5", "layout": "nhwc"}, seed=6)
    yield case("nhwc", int4, [4, 3, 3, 3], [2, 5, 5, 3], {**uneven, **around, "layout": "nhwc"},
               seed=7)
    yield case("floats", {**NF4, **channel(0)}, [2, 3, 3, 3], [1, 3, 4, 5], around, seed=8)
    yield case("one_dimension", int8, [3, 4, 3], [2, 4, 9], {**in8, "pad_left": "2"}, seed=9)
    yield case("qlinear", int8, [4, 3, 3, 3], [2, 3, 4, 4],
               {**around, "output": "uint8", "output_scale": "0.07", "output_zero_point": "99"},
               dtype="U8", codes=([0.02, 0.03], [131, 7]), bias=[700, -31, 0, 4], output="U8",
               seed=10)
    yield case("static_to_int8", int4, [4, 3, 2, 2], [1, 3, 4, 4],
               {"input": "static", "input_scale": "0.0125", "input_zero_point": "-7",
                "output": "int8", "output_scale": "0.05"}, output="I8", seed=11)
    yield case("depthwise_to_uint8", int8, [12, 1, 3, 3], [2, 6, 5, 4],
               {**around, "groups": "6", "stride_width": "2", "output": "uint8",
                "output_scale": "0.15", "output_zero_point": "120"},
               dtype="U8", codes=([0.02, 0.03], [131, 7]), bias=list(range(-60, 60, 10)),
               output="U8", seed=12)
    yield case("depthwise_nhwc_to_int8", {**INT4, **channel(0)}, [18, 3, 2, 1], [1, 4, 5, 18],
               {**pads(1, 1, 0, 2), "groups": "18", "layout": "nhwc", "dilation_width": "2",
                "output": "int8", "output_scale": "0.1", "function": "relu"},
               dtype="I8", codes=([0.05], [-9]), output="I8", seed=13)
