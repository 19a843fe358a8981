"""Trains the digits network ternary, from the float one, and writes digits_ternary.bnq.

    python3 train_ternary.py [--activations BITS] [--seed N] [-o FILE]

A progressive schedule: weights of 8, then 4, then 2, then 1.58 bits, the last with fewer
and fewer values left as they are. In each step the network runs with the values that its
codes will have, and the gradient passes straight through to the float weights, which Adam
moves. --activations quantizes the hidden activations, too, to codes of so many bits within
a range whose end is learned (PACT).

Needs numpy and bitnet_quant: the library has the quantization, its gradients and the
schedule, this file a perceptron's own. What is trained is what is used: the file has the
codes of `bnq quantize --preset ternary_per_group_128`.
"""

import argparse

import bitnet_quant as bq
import numpy as np

import digits

PRESET = "ternary_per_group_128"
BATCH = 64
PHASES = [
    dict(bits=8, steps=200),
    dict(bits=4, steps=400),
    dict(bits=2, steps=800),
    dict(bits=1.58, steps=1500, temperature_begin=0.5, share_begin=0.5),
    dict(bits=1.58, steps=3000),
]


class Adam:
    """Kingma and Ba, arXiv:1412.6980; the rate falls as a cosine to 0."""

    def __init__(self, arrays, rate, steps):
        self.arrays, self.rate, self.steps, self.t = arrays, rate, steps, 0
        self.m = [np.zeros_like(a) for a in arrays]
        self.v = [np.zeros_like(a) for a in arrays]

    def step(self, gradients):
        self.t += 1
        rate = self.rate * 0.5 * (1 + np.cos(np.pi * min(1, self.t / self.steps)))
        for a, g, m, v in zip(self.arrays, gradients, self.m, self.v):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            a -= rate * (m / (1 - 0.9**self.t)) / (np.sqrt(v / (1 - 0.999**self.t)) + 1e-8)


class Network:
    def __init__(self, model, activation_bits):
        self.weights = [model[f"layers.{i}.weight"].copy() for i in range(3)]
        self.biases = [model[f"layers.{i}.bias"].copy() for i in range(3)]
        # Of activations in the end, and of the schedule's codes now.
        self.bits, self.now = activation_bits, 8
        # The ends of the ranges of hidden activations.
        self.ends = [np.zeros(1, np.float32) for _ in range(2)] if activation_bits else []

    def parameters(self):
        return self.weights + self.biases + self.ends

    def observe(self, images):
        """Finds where the ranges end, for a start, from what the float network has there."""
        x = images
        for end, weight, bias in zip(self.ends, self.weights, self.biases):
            x = np.maximum(x @ weight.T + bias, 0)
            calibrator = bq.Calibrator(method="percentile", percentile=95)
            calibrator.observe(x)
            end[0] = calibrator.range().hi[0]

    def hold_activations(self, layer, x):
        """x within its range and in codes; what its gradient needs."""
        config = f"int{max(self.bits, self.now)}"
        params = bq.range_params(0, float(self.ends[layer][0]), config, scheme="asymmetric",
                                 granularity="tensor")
        return bq.fake_quantize(x, params.config, params=params)

    def forward(self, x, weights):
        """The logits, and each layer's input, output before ReLU, and held activations."""
        trace = []
        for layer, (weight, bias) in enumerate(zip(weights, self.biases)):
            z = x @ weight.T + bias
            if layer == 2:
                return z, trace + [(x, z, None)]
            h = np.maximum(z, 0)
            held = self.hold_activations(layer, h) if self.bits else None
            trace.append((x, z, (h, held)))
            x = held.values if held else h

    def gradients(self, dz, trace, weights):
        """Of the weights that it ran with, the biases and the ends of ranges."""
        dw, db, ends = [None] * 3, [None] * 3, [np.zeros(1, np.float32)] * 2
        for layer in (2, 1, 0):
            x, _, _ = trace[layer]
            dw[layer], db[layer] = dz.T @ x, dz.sum(0)
            if layer == 0:
                break
            dx = np.ascontiguousarray(dz @ weights[layer])
            h, held = trace[layer - 1][2]
            if held:
                own = bq.fake_quantize_gradient(h, dx, held)
                dx, ends[layer - 1] = own.x, own.ends[0, 1:]
            dz = dx * (trace[layer - 1][1] > 0)
        return dw, db, ends

    def accuracy(self, images, labels, config):
        weights = [bq.fake_quantize(w, config).values for w in self.weights]
        return float((self.forward(images, weights)[0].argmax(1) == labels).mean())


def train(activation_bits, seed, quiet=False):
    data = digits.read_safetensors(digits.TRAINED_ON)
    images, labels = data["images"].astype(np.float32) / 16, data["labels"]
    network = Network(digits.read_safetensors(digits.MODEL), activation_bits)
    network.observe(images)
    config, schedule = bq.Config.preset(PRESET), bq.Schedule(PHASES)
    steps = sum(phase["steps"] for phase in PHASES)
    adam = Adam(network.parameters(), 2e-3, steps)
    random = np.random.default_rng(seed)
    while not schedule.done:
        picked = random.integers(0, len(labels), BATCH)
        # A pixel to any side, and a little noise, so that few images go further.
        x = shifted(images[picked], random) + random.normal(0, 0.05, (BATCH, 64)).astype("f4")
        step = schedule.state.step
        layers = [schedule.apply(config, layer=i, layers=3) for i in range(3)]
        fakes = [
            bq.fake_quantize(w, now.config, training=now.training.replace(seed=int(step) * 3 + i))
            for i, (w, now) in enumerate(zip(network.weights, layers))
        ]
        weights = [fake.values for fake in fakes]
        network.now = int(schedule.state.bits)
        z, trace = network.forward(x, weights)
        share = np.exp(z - z.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
        loss = float(-np.log(share[np.arange(BATCH), labels[picked]] + 1e-9).mean())
        share[np.arange(BATCH), labels[picked]] -= 1
        dw, db, ends = network.gradients(share / BATCH, trace, weights)
        dw = [
            bq.fake_quantize_gradient(
                w, d, fake, training=bq.Training(estimator="straight_through")).x
            for w, d, fake in zip(network.weights, dw, fakes)
        ]
        adam.step(dw + db + ends[:len(network.ends)])
        if schedule.step(loss) and not quiet:
            print(f"{int(step) + 1:5} steps, {layers[0].config.format:8} "
                  f"loss {loss:.3f}")
    return network, config


def shifted(images, random):
    """Each moved by up to a pixel to any side."""
    out = np.zeros((len(images), 10, 10), np.float32)
    down, right = random.integers(0, 3, (2, len(images)))
    for i, image in enumerate(images.reshape(-1, 8, 8)):
        out[i, down[i]:down[i] + 8, right[i]:right[i] + 8] = image
    return out[:, 1:9, 1:9].reshape(-1, 64)


def write(network, path):
    with bq.Writer(path, overwrite=True) as writer:
        writer.set_metadata("description", "the digits network, trained ternary")
        for i, (weight, bias) in enumerate(zip(network.weights, network.biases)):
            writer.add(f"layers.{i}.weight", bq.quantize(weight, PRESET))
            writer.add(f"layers.{i}.bias", bias)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--activations", type=int, default=0, metavar="BITS",
                        help="bits of the hidden activations; 0: floats")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", default=digits.TERNARY,
                        help="where the file goes (digits_ternary.bnq beside this script)")
    options = parser.parse_args()
    network, config = train(options.activations, options.seed)
    images, labels = digits.held_out()
    print(f"held-out accuracy {100 * network.accuracy(images, labels, config):.2f} %, float "
          f"{100 * digits.accuracy(digits.MODEL):.2f} %")
    write(network, options.output)


if __name__ == "__main__":
    main()
