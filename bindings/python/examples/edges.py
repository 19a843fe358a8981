"""Finds the edges of pictures by a convolution whose weights are ternary: three times
three of -1, 0 and 1 for each of four directions (Prewitt), in integers on the pixels where
they lie in a mapped file. Prints the first pictures and their edges, and the FNV-1a of all
outputs: in every language the same.

    python edges.py IMAGES.safetensors

IMAGES has "images", uint8 0..16, each of 8 x 8 pixels.
"""
import argparse

import bitnet_quant as bq
import numpy as np

SIDE, SHOWN, SHADES = 8, 3, " .:-=+*#%@"

FILTERS = np.array([[[1, 1, 1], [0, 0, 0], [-1, -1, -1]],     # up
                    [[1, 1, 0], [1, 0, -1], [0, -1, -1]],     # up left
                    [[1, 0, -1], [1, 0, -1], [1, 0, -1]],     # left
                    [[0, -1, -1], [1, 0, -1], [1, 1, 0]]],    # down left
                   np.float32)


def make_filters():
    """Pixels of 1/16 each, with a frame of 0 around them."""
    weight = bq.quantize(FILTERS[:, None], "ternary,granularity=tensor,scale_rule=absmax")
    return bq.QuantConvolution(weight, input_scale=1 / 16, pad_top=1, pad_left=1, pad_bottom=1,
                               pad_right=1)


def show(picture, strength):
    """The picture, and what its edges are as strong as, 0 to 3."""
    for row in zip(picture.astype(int) * 9 // 16, (strength * 3).astype(int)):
        print("   ".join("".join(SHADES[level] for level in part) for part in row))


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("images")
    with bq.open_file(parser.parse_args().images) as file:
        pictures = file["images"].reshape(-1, 1, SIDE, SIDE)
        y = make_filters()(pictures)
        # The strongest of all directions.
        for picture, strength in zip(pictures[:SHOWN, 0], np.abs(y[:SHOWN]).max(axis=1)):
            show(picture, strength)
        print(f"{len(pictures)} pictures: {fnv1a(y.tobytes()):016x}")


if __name__ == "__main__":
    main()
