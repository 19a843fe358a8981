"""One block of a BitNet-style transformer on ternary weights.

    python transformer_block.py

The library has the projections (ternary weights, int8 activations as BitNet b1.58 makes
them, several of one input at once), RMS norms, the softmax and squared ReLU; attention
itself is four lines of numpy. The same block in float64, from the same weights, says what
int8 activations cost; and once more with the activations rounded as the library does, that
nothing else does.
"""
import numpy as np

import bitnet_quant as bq

WIDTH, HEADS, HIDDEN, EPS = 128, 4, 320, 1e-5


class Block:
    """Weights are those of a model: in float32 here, and ternary from then on."""

    def __init__(self, random, context):
        self.context = context
        shapes = {"q": (WIDTH, WIDTH), "k": (WIDTH, WIDTH), "v": (WIDTH, WIDTH),
                  "out": (WIDTH, WIDTH), "gate": (HIDDEN, WIDTH), "up": (HIDDEN, WIDTH),
                  "down": (WIDTH, HIDDEN)}
        config = bq.Config(format="ternary", granularity="tensor")
        self.weights = {name: bq.quantize(random.standard_normal(shape, np.float32), config)
                        for name, shape in shapes.items()}
        self.linears = {name: bq.QuantLinear(weight, input="bitnet")
                        for name, weight in self.weights.items()}
        self.norms = {name: random.uniform(0.5, 1.5, width).astype(np.float32)
                      for name, width in (("input", WIDTH), ("attention", WIDTH),
                                          ("hidden", WIDTH), ("down", HIDDEN))}

    def project(self, x, *names):
        return bq.run_many([self.linears[name] for name in names], x, context=self.context)

    def norm(self, x, name):
        return bq.rms_norm(x, self.norms[name], eps=EPS, context=self.context)

    def softmax(self, scores):
        return bq.softmax(scores.astype(np.float32), out_dtype="F32", context=self.context)

    def squared_relu(self, x):
        return bq.activate(x, "squared_relu", context=self.context)

    def __call__(self, x):
        """[tokens, WIDTH] to the same."""
        q, k, v = self.project(self.norm(x, "input"), "q", "k", "v")
        attended = self.norm(self.attend(q, k, v), "attention")
        x = x + self.project(attended, "out")[0]
        gate, up = self.project(self.norm(x, "hidden"), "gate", "up")
        gated = self.norm(self.squared_relu(gate) * up, "down")
        return x + self.project(gated, "down")[0]

    def attend(self, q, k, v):
        """Causal attention of all heads."""
        q, k, v = (part.reshape(len(part), HEADS, -1).swapaxes(0, 1) for part in (q, k, v))
        scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
        scores[:, np.triu(np.ones(scores.shape[1:], bool), 1)] = -np.inf
        return (self.softmax(scores) @ v).swapaxes(0, 1).reshape(q.shape[1], -1)


class Reference(Block):
    """The same by numpy in float64, with activations as they are, or as int8."""

    def __init__(self, block, int8):
        self.weights = {name: weight.dequantize().astype(float)
                        for name, weight in block.weights.items()}
        self.norms, self.int8 = block.norms, int8

    def project(self, x, *names):
        if self.int8:
            scale = 127 / np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5)
            x = np.rint(x * scale) / scale
        return [x @ self.weights[name].T for name in names]

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + EPS) * self.norms[name]

    def softmax(self, scores):
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def squared_relu(self, x):
        return np.maximum(x, 0) ** 2


def error(found, expected):
    """The length of the difference, in parts of that of the expected values."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def main():
    random = np.random.default_rng(0)
    block = Block(random, bq.Context(threads=0))
    x = random.standard_normal((24, WIDTH), np.float32)
    y = block(x)
    exact = Reference(block, int8=False)(x.astype(float))
    rounded = Reference(block, int8=True)(x.astype(float))
    nbytes = sum(weight.nbytes for weight in block.weights.values())
    print(f"{len(x)} tokens through {nbytes} bytes of weights")
    print(f"beside float64: {error(y, exact):.1e}")
    print(f"beside float64 with int8 activations: {error(y, rounded):.1e}")
    return y, exact, rounded


if __name__ == "__main__":
    main()
