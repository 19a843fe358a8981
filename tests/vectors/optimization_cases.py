"""Parameter optimisation: small arrays, and what each method makes of them.

The methods are written down here once more, from the papers and from what bnq.h and
the sources say of them, in float64 and without regard to speed: GPTQ with the inverse
of H and its Cholesky factor, as the paper has it, where the library needs no inverse.
A case in which two candidates, or a value and a boundary of codes, nearly agree is
refused: there the order of a sum would decide.

SPDX-License-Identifier: MIT
"""
import math

import numpy as np

import definitions
import tables
from common import INT4, INT4_ASYMMETRIC, INT8, NF4, TENSOR, channel, group, listed, noise, rough
from definitions import F32

CASES = []
INT4_OFFSET = {**INT4, "scheme": "offset"}

#: What two numbers must differ by, at least, for their order not to be a matter of
#: rounding: the library compares sums of float32.
CLOSE = 1e-5


def less(a, b):
    """a < b, which must not be a close race."""
    assert a == b or math.isinf(b) or abs(a - b) > CLOSE * max(a, b), ("a close race", a, b)
    return a < b


def to_float(v):
    """The nearest float32, from which v must not be half a step away."""
    assert F32(v * (1 - 1e-12)) == F32(v * (1 + 1e-12)) or v == 0, v
    return F32(v)


class Segment:
    """The values that share parameters, and what these make of them."""

    def __init__(self, x, o, weights=None):
        self.x, self.o = np.array(x, F32), o
        self.weights = np.ones(self.x.size) if weights is None else np.array(weights, float)
        self.start = self.of(self.x)

    def of(self, values):
        """The config's parameters for values: scale, zero point, offset."""
        return definitions.parameters(np.array(values, F32), self.o)

    def codes(self, params):
        return codes_of(self.x, params, self.o)

    def values(self, params):
        steps = definitions.code_values(self.codes(params), params[1], self.o)
        return steps * params[0] + params[2]

    def error(self, params):
        d = self.x.astype(float) - self.values(params).astype(float)
        return float((self.weights * d * d).mean())


def codes_of(x, params, o):
    if o.format in tables.TABLES:
        return tables.encode(definitions.scaled(x, params[0]), o.format)
    return definitions.integer_codes(x - params[2], params[0], params[1], o, np.arange(x.size))


def grid(segment, options):
    """The whole range times ratios; ends by themselves; zero points beside."""
    o = segment.o
    lo, hi = min(segment.x.min(), F32(0)), max(segment.x.max(), F32(0))

    def narrowed(low, high):
        if o.offset:
            least, most = float(segment.x.min()), float(segment.x.max())
            middle, half = (least + most) / 2, (most - least) / 2
            return segment.of([to_float(middle - half * low), to_float(middle + half * high)])
        return segment.of([to_float(float(lo) * low), to_float(float(hi) * high)])

    steps, least_ratio = int(options["steps"]), float(options["min_ratio"])
    best, at = segment.start, [1.0, 1.0]
    least = segment.error(best)

    def attempt(params, low, high):
        nonlocal best, least, at
        error = segment.error(params)
        if params == best or not less(error, least):
            return False
        best, least, at = params, error, [low, high]
        return True

    for k in range(steps + 1):
        ratio = least_ratio ** (k / steps)
        attempt(narrowed(ratio, ratio), ratio, ratio)

    def around(low, high):
        return low <= 1 and high <= 1 and attempt(narrowed(low, high), low, high)

    h = least_ratio ** (1 / steps)
    for _ in range(int(options["refinements"])):
        for _ in range(8 if o.scheme != "symmetric" else 0):
            low, high = at
            if not (around(low * h, high) or around(low / h, high)
                    or around(low, high * h) or around(low, high / h)):
                break
        h = math.sqrt(h)
        low, high = at
        if not around(low * h, high * h):
            around(low / h, high / h)
    if o.asymmetric:
        q = definitions.GREATEST[o.format]
        for direction in (1, -1):
            moved = False
            for _ in range(int(options["zero_point_steps"])):
                beside = (best[0], best[1] + direction, best[2])
                if not -q - 1 <= beside[1] <= q or not attempt(beside, *at):
                    break
                moved = True
            if moved:
                break
    return best


def hqq(segment, options):
    """Half-quadratic splitting: what is shrunk away, then least squares."""
    o, x = segment.o, segment.x.astype(float)
    q = definitions.GREATEST[o.format]
    beta, p = float(options.get("beta", 10)), float(options.get("norm", 0.7))
    params = best = segment.start
    least, least_mean = segment.error(best), math.inf
    for _ in range(int(options.get("iterations", 20))):
        codes = segment.codes(params).astype(float)
        error = x - segment.values(params).astype(float)
        w = segment.weights
        magnitude = float((w * np.abs(error)).sum())
        if not less(magnitude, least_mean):
            break
        least_mean = magnitude
        with np.errstate(divide="ignore"):
            kept = np.maximum(np.abs(error) - np.abs(error) ** (p - 1) / beta, 0)
        t = x - np.copysign(kept, error)
        zero = 0
        if o.asymmetric:
            mean = float((w * (codes - t / float(params[0]))).sum() / w.sum())
            assert abs(abs(mean - math.floor(mean)) - 0.5) > 1e-6
            zero = int(np.clip(np.rint(mean), -q - 1, q))
        if o.offset:
            c = codes + q + 1
            root = np.sqrt(w)
            slope, offset = np.linalg.lstsq(np.stack([c * root, root], 1), t * root, None)[0]
            following = (to_float(float(slope)), -q - 1, to_float(float(offset)))
        else:
            c = codes - zero
            following = (to_float(float((w * t * c).sum() / (w * c * c).sum())), zero, F32(0))
        if following == params:
            break
        params = following
        beta *= float(options.get("kappa", 1.01))
        error = segment.error(params)
        if less(error, least):
            best, least = params, error
    return best


class Adam:
    def __init__(self, value, rate):
        self.value, self.rate, self.m, self.v, self.t = float(value), rate, 0.0, 0.0, 0

    def step(self, gradient, left):
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * gradient
        self.v = 0.999 * self.v + 0.001 * gradient**2
        size = math.sqrt(self.v / (1 - 0.999**self.t))
        if size > 0:
            self.value -= self.rate * left * (self.m / (1 - 0.9**self.t)) / size


def gradient(segment, options):
    """Learned step size: Adam along the straight-through gradient."""
    o, x = segment.o, segment.x
    iterations, rate = int(options["iterations"]), float(options.get("learning_rate", 0.01))
    params = best = segment.start
    scale = Adam(params[0], rate * abs(float(params[0])))
    zero = Adam(params[1], rate * 10)
    if o.offset:
        zero = Adam(params[2], rate * 10 * float(params[0]))
    q = definitions.GREATEST.get(o.format)
    least = math.inf
    for i in range(iterations + 1):
        error = segment.values(params).astype(float) - x.astype(float)
        total = float((error * error).sum())
        if less(total, least):
            least, best = total, params
        v = definitions.scaled(x - params[2], params[0])
        if q is None:
            within = np.abs(v) <= 1
        else:
            low = -q if o.scheme == "symmetric" and o.symmetric_range == "narrow" else -q - 1
            within = (np.rint(v) + params[1] >= low) & (np.rint(v) + params[1] <= q)
        units = definitions.code_values(segment.codes(params), params[1], o).astype(float)
        by_scale = np.where(within, error / float(params[0]), units)
        by_zero = np.where(within, 0.0, 1.0 if o.offset else -float(params[0]))
        left = 1 - i / iterations
        scale.step(float((error * by_scale).sum()), left)
        zero.step(float((error * by_zero).sum()), left)
        if o.asymmetric:
            assert abs(abs(zero.value - math.floor(zero.value)) - 0.5) > 1e-6
        if o.offset:
            params = (to_float(scale.value), -q - 1, to_float(zero.value))
        else:
            params = (to_float(scale.value),
                      int(np.clip(np.rint(zero.value), -q - 1, q)) if o.asymmetric else 0, F32(0))
    return best


def output_errors(weights, values, inputs):
    """Of each row, the mean squared error of the outputs."""
    y = inputs @ (weights - values).T
    return (y * y).mean(axis=0)


def gptq(weights, o, inputs, options, start):
    """Codes, and parameters by row and column, with the inverse's Cholesky factor."""
    rows, columns = weights.shape
    h = 2 * inputs.T @ inputs / inputs.shape[0]
    dead = np.diag(h) == 0
    h[dead, dead] = 1
    w = weights.copy()
    w[:, dead] = 0
    h += float(options.get("damping", 0.01)) * np.diag(h).mean() * np.eye(columns)
    order = np.arange(columns)
    act_order = options.get("act_order") == "1"
    if act_order:
        order = np.argsort(-np.diag(h), kind="stable")
        assert len(set(np.diag(h))) == columns
    h, w = h[order][:, order], w[:, order]
    u = np.linalg.cholesky(np.linalg.inv(h)).T
    size = int(o.group_size) if o.granularity == "group" and not act_order else 0
    params = [list(row) for row in start]
    codes = np.zeros(weights.shape, int)
    for r in range(rows):
        for k in range(columns):
            if size and k % size == 0:
                found = Segment(w[r, k:k + size], o).start
                for j in range(k, min(k + size, columns)):
                    params[r][j] = found
            column = order[k]
            scale, zero, _ = params[r][column]
            steps = w[r, k] / float(scale)
            assert abs(abs(steps - math.floor(steps)) - 0.5) > 1e-5, "next to a boundary"
            code = codes_of(np.array([w[r, k]], F32), params[r][column], o)[0]
            codes[r, column] = code
            value = float(F32(code - zero) * scale)
            w[r, k + 1:] -= (w[r, k] - value) / u[k, k] * u[k, k + 1:]
    return codes, params


def by_layer(method, config, shape, x, activations, options):
    """What GPTQ or AWQ makes of weights, and of the figures."""
    o = definitions.Options(config)
    rows, columns = shape
    weights = np.array(x, F32).reshape(shape)
    inputs = np.array(activations[1], float).reshape(activations[0])
    plain = definitions.quantize(config, shape, x)
    before = decoded(plain).reshape(shape)
    errors = output_errors(weights.astype(float), before, inputs)
    if method == "awq":
        a, best, chosen = np.abs(inputs).mean(axis=0), plain, None
        least, ratios = math.inf, int(options["ratios"])
        for i in range(ratios):
            s = np.maximum(a ** (i / ratios), 1e-4)
            s = np.array([to_float(v) for v in s / math.sqrt(s.max() * s.min())])
            made = definitions.quantize(config, shape, (weights * s).ravel())
            values = decoded(made).reshape(shape) / s.astype(float)
            error = float(output_errors(weights.astype(float), values, inputs).sum())
            if less(error, least):
                least, best, chosen = error, made, s
        # What the tensor is compared by is float32.
        after = (decoded(best).reshape(shape).astype(F32) / chosen).astype(float)
        return best, [definitions.float_bits(v) for v in chosen], (
            before, after, errors.sum() / rows, least / rows)
    count, index = definitions.segments(shape, o)
    index = index.reshape(shape)
    start = [[(definitions.from_bits(plain["scales"][s]), 0, F32(0)) for s in row]
             for row in index]
    codes, params = gptq(weights.astype(float), o, inputs, options, start)
    values = np.array([[float(F32(codes[r, k] - params[r][k][1]) * params[r][k][0])
                        for k in range(columns)] for r in range(rows)])
    improved = output_errors(weights.astype(float), values, inputs)
    given = [None] * count
    for r in range(rows):
        if not less(improved[r], errors[r]):
            codes[r] = np.array(plain["codes"]).reshape(shape)[r]
            params[r], values[r], improved[r] = start[r], before[r], errors[r]
        for k in range(columns):
            given[index[r, k]] = params[r][k]
    made = {"codes": [int(c) for c in codes.ravel()], "zero_points": [],
            "scales": [definitions.float_bits(p[0]) for p in given]}
    return made, [definitions.float_bits(1)] * columns, (
        before, values, errors.sum() / rows, improved.sum() / rows)


def decoded(result):
    return np.array([definitions.from_bits(b) for b in result["dequantized"]], float)


def case(name, config, method, options, shape, x, activations=None, importance=None):
    """Adds a case. The optimizer's options are texts, the method apart; importance is
    a weight for each column, of which the greatest is from 0.5 to 1."""
    o = definitions.Options(config)
    figures = dict.fromkeys(("objective_before", "objective_after", "mse_before", "mse_after"))
    scales = []
    if activations is None:
        _, index = definitions.segments(shape, o)
        values = np.array(x, F32)
        weights = np.resize(np.ones(1) if importance is None else importance, values.size)
        found = [METHODS[method](Segment(values[index == s], o, weights[index == s]), options)
                 for s in range(index.max() + 1)]
        made = definitions.quantize(config, shape, x, found)
        before = decoded(definitions.quantize(config, shape, x))
        after = decoded(made)
        losses = [float((weights * (values.astype(float) - y) ** 2).mean())
                  for y in (before, after)]
    else:
        made, scales, (before, after, *losses) = by_layer(
            method, config, shape, x, activations, options)
    assert losses[1] < losses[0] * (1 - CLOSE), (name, "nothing to be won")
    exact = np.array(x, float).reshape(before.shape)
    figures.update(objective_before=float(losses[0]), objective_after=float(losses[1]),
                   mse_before=float(((exact - before) ** 2).mean()),
                   mse_after=float(((exact - after) ** 2).mean()))
    CASES.append({
        "name": name, "source": "the definition", "config": config,
        "options": {"method": method, **options}, "shape": list(shape), "input": listed(x),
        "activations": None if activations is None else
        {"shape": list(activations[0]), "input": listed(activations[1])},
        "codes": made["codes"], "scales": made["scales"], "zero_points": made["zero_points"],
        "offsets": made.get("offsets", []), "input_scales": scales,
        "attached": scales if options.get("attach_input_scales") == "1" else [],
        "figures": figures,
        **({} if importance is None else {"importance": listed(importance)})})


METHODS = {"grid": grid, "hqq": hqq, "gradient": gradient}


def with_outlier(count, seed, at=5, factor=2):
    x = noise(count, seed)
    return [v * factor if i % count == at else v for i, v in enumerate(x)]


def cases():
    """The cases of optimization.json."""
    two_rows = with_outlier(32, 3) + with_outlier(32, 7)
    wide = {"steps": "16", "min_ratio": "0.5", "refinements": "2", "zero_point_steps": "2"}
    case("grid_int8", {**INT8, **channel(0)}, "grid", {**wide, "min_ratio": "0.98"}, (2, 32),
         rough(64, 31))
    for name, config in (("int4", {**INT4, **channel(0)}),
                         ("int4_asymmetric", {**INT4_ASYMMETRIC, **group(16)}),
                         ("int4_offset", {**INT4_OFFSET, **group(16)}),
                         ("nf4", {**NF4, **group(32)})):
        case(f"grid_{name}", config, "grid", wide, (2, 32), two_rows)
    for name, config in (("int4", {**INT4, **channel(0)}),
                         ("int4_asymmetric", {**INT4_ASYMMETRIC, **TENSOR}),
                         ("int4_offset", {**INT4_OFFSET, **group(16)})):
        case(f"hqq_{name}", config, "hqq", {"iterations": "6"}, (2, 32), two_rows)
        case(f"gradient_{name}", config, "gradient", {"iterations": "12"}, (2, 32), two_rows)
    # The greatest value is in a column of little importance.
    weights = [(i * 7 % 16 + 1) / 22 for i in range(32)]
    weights[5] = 1 / 64
    for name, config in (("int4", {**INT4, **channel(0)}),
                         ("int4_asymmetric", {**INT4_ASYMMETRIC, **group(16)}),
                         ("nf4", {**NF4, **group(32)})):
        case(f"grid_{name}_importance", config, "grid", wide, (2, 32), two_rows,
             importance=[float(F32(w)) for w in weights])
    case("hqq_int4_importance", {**INT4, **channel(0)}, "hqq", {"iterations": "6"}, (2, 32),
         two_rows, importance=[float(F32(w)) for w in weights])
    # Inputs that go together, so that one column can make up for another.
    inputs = np.array(noise(12 * 8, 21)).reshape(12, 8)
    inputs[:, 1::2] = inputs[:, ::2] + inputs[:, 1::2] / 8
    weights = noise(3 * 8, 22)
    together = ((12, 8), inputs.ravel())
    case("gptq_channel", {**INT4, **channel(0)}, "gptq", {}, (3, 8), weights, together)
    case("gptq_group", {**INT4, **group(4)}, "gptq", {"block": "3"}, (3, 8), weights, together)
    case("gptq_act_order", {**INT4, **TENSOR}, "gptq", {"act_order": "1"}, (3, 8), weights,
         together)
    large = np.array(noise(12 * 8, 23)).reshape(12, 8) * np.array([8, 1, 1, 1, 2, 1, 1, 1])
    case("awq_channel", {**INT4, **channel(0)}, "awq", {"ratios": "5"}, (3, 8), weights,
         ((12, 8), large.ravel()))
    case("awq_nf4", {**NF4, **group(4)}, "awq", {"ratios": "4"}, (3, 8), weights,
         ((12, 8), large.ravel()))
    case("awq_attached", {**INT4, **channel(0)}, "awq",
         {"ratios": "5", "attach_input_scales": "1"}, (3, 8), weights, ((12, 8), large.ravel()))
    return CASES
