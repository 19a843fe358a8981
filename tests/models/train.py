"""Trains the digits network and writes the three files beside this script.

The data is scikit-learn's copy of the UCI handwritten digits (1797 images of
8 x 8 pixels of 0..16). A quarter is held out: never trained on, and stored for
measuring. The same versions of numpy and scikit-learn give the same files.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import digits

LEAST_ACCURACY = 0.97


def main():
    pixels, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        pixels, labels, test_size=0.25, random_state=0, stratify=labels
    )
    network = MLPClassifier((128, 64), max_iter=500, random_state=1)
    network.fit(train_x / 16, train_y)

    model = {}
    for i, (weight, bias) in enumerate(zip(network.coefs_, network.intercepts_)):
        # [outputs, inputs], as every framework stores a linear layer.
        model[f"layers.{i}.weight"] = np.ascontiguousarray(weight.T, np.float32)
        model[f"layers.{i}.bias"] = bias.astype(np.float32)
    digits.write_safetensors(
        digits.MODEL, model, {"description": "64-128-64-10 perceptron, ReLU"}
    )
    for path, x, y, what in (
        (digits.HELD_OUT, test_x, test_y, "held-out digits"),
        (digits.TRAINED_ON, train_x, train_y, "the digits the network was trained on"),
    ):
        digits.write_safetensors(
            path,
            {"images": x.astype(np.uint8), "labels": y.astype(np.uint8)},
            {"description": f"{what}, pixels of 0..16"},
        )

    accuracy = digits.accuracy(digits.MODEL)
    print(f"held-out accuracy {100 * accuracy:.2f} % of {len(test_y)} images")
    if accuracy < LEAST_ACCURACY:
        raise SystemExit(f"expected at least {100 * LEAST_ACCURACY} %")


if __name__ == "__main__":
    main()
