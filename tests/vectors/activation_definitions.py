"""Activation functions, softmax and norms as bnq.h and core/kernels/function-inl.h
define them, in numpy's float32 and float64, operation by operation; and what they are
in float64, which the former must be near to.

SPDX-License-Identifier: MIT
"""
import math

import numpy as np

F32, F64 = np.float32, np.float64
EXP = ["0.5", "0x1.555554p-3", "0x1.5554fp-5", "0x1.111308p-7", "0x1.6d4388p-10",
       "0x1.9e0812p-13"]
CENTER = ["0x1.988454p-2", "-0x1.10585ep-4", "0x1.46d20cp-7", "-0x1.369bdcp-10",
          "0x1.bd0a0cp-14"]
TAIL = ["0x1.42938ap-4", "-0x1.2bd9f4p-3", "0x1.e07124p-4", "-0x1.48f55cp-4",
        "0x1.7aa1d6p-5", "-0x1.62ef34p-6", "0x1.fc476cp-8", "-0x1.cff72ap-10",
        "-0x1.466b7ep-17", "0x1.66a09ap-13"]
C1, C3 = 1.5957691216057308, 0.07135481627159985


def number(text):
    return F32(float.fromhex(text) if "x" in text else float(text))


def estrin(coefficients, x):
    """Neighbours by x, then pairs by x^2, and so on."""
    terms, power = [number(c) for c in coefficients], x
    while len(terms) > 1:
        pairs = [a + b * power for a, b in zip(terms[::2], terms[1::2])]
        terms = pairs + terms[2 * len(pairs):]
        power = power * power
    return terms[0]


def polynomial(coefficients, x):
    return number(coefficients[0]) + x * estrin(coefficients[1:], x)


def expm1_of_small(r):
    return r + r * r * estrin(EXP, r)


def nearest_power(v):
    return np.rint(v * F32(1.44269504))


def exp(v, less=F32(0)):
    """p and n of e^(v - less) = (1 + p) 2^n."""
    n = nearest_power(v)
    r = (v - n * F32(0.693359375)) + n * F32(2.12194440e-4)
    return expm1_of_small(r - less), n


def power_of_two(n):
    return np.ldexp(F32(1), n.astype(int))


def over_one_plus(top, p, n):
    """top / (1 + e^v)."""
    small = -np.abs(n)
    s = power_of_two(np.maximum(small, F32(-126)))
    quotient = top / ((F32(1) + s) + np.where(n > 0, p, s * p))
    return np.where(n > 0, np.ldexp(quotient, small.astype(int)), quotient)


def clamp(x, limit):
    return np.minimum(np.maximum(x, F32(-limit)), F32(limit))


def gelu(x):
    x = np.maximum(x, F32(-15))
    a = np.minimum(np.abs(x), F32(15))
    half, one = F32(0.5), F32(1)
    center = x * (half + x * polynomial(CENTER, x * x))
    b = (a.view(np.uint32) & np.uint32(0xFFFFF000)).view(F32)
    p, n = exp(-(b * b * half), (a - b) * (a + b) * half)
    q = polynomial(TAIL, (a - F32(4.875)) / (a + F32(4.875)))
    tail = q + q * p
    upper = x * (one - tail * power_of_two(np.maximum(n, F32(-126))))
    outside = np.where(x < 0, np.ldexp(x * tail, n.astype(int)), upper)
    return np.where(a < F32(0.7), center, outside)


def gelu_tanh(x):
    c = clamp(x, 11)
    n = nearest_power(-(c * (c * c * F32(C3) + F32(C1))))
    wide = c.astype(F64)
    r = wide * (wide * wide * -C3 - C1) - n.astype(F64) * 0.6931471805599453
    return over_one_plus(np.maximum(x, F32(-11)), expm1_of_small(r.astype(F32)), n)


def silu(x):
    return over_one_plus(np.maximum(x, F32(-112)), *exp(-clamp(x, 112)))


def sigmoid(x):
    return over_one_plus(F32(1), *exp(-clamp(x, 105)))


def tanh(x):
    p, n = exp(np.minimum(np.abs(x), F32(10)) * F32(-2))
    s = power_of_two(n)
    sp = s * p
    return np.copysign(((s - F32(1)) + sp) / ((s + F32(1)) + sp), x)


def hard_swish(x):
    sixth = F32(1) / F32(6)
    x = np.maximum(x, F32(-3))
    return x * np.where(x < F32(-1.5), (x + F32(3)) * sixth,
                        np.minimum(x * sixth + F32(0.5), F32(1)))


def relu(x):
    return np.where(x > 0, x, F32(0))


FUNCTIONS = {
    "none": lambda x, slope: x, "relu": lambda x, slope: relu(x),
    "relu6": lambda x, slope: np.minimum(relu(x), F32(6)),
    "leaky_relu": lambda x, slope: np.where(x < 0, x * F32(slope), x),
    "squared_relu": lambda x, slope: relu(x) * relu(x), "gelu": lambda x, slope: gelu(x),
    "gelu_tanh": lambda x, slope: gelu_tanh(x), "silu": lambda x, slope: silu(x),
    "sigmoid": lambda x, slope: sigmoid(x), "tanh": lambda x, slope: tanh(x),
    "hard_swish": lambda x, slope: hard_swish(x),
}
#: Of float32 results, in units of the last place; GELU's below -0.7.
BOUNDS = {"none": 0, "relu": 0, "relu6": 0, "leaky_relu": 0.5, "squared_relu": 0.5, "gelu": 6,
          "gelu_tanh": 3, "silu": 2.5, "sigmoid": 2.5, "tanh": 2, "hard_swish": 1.7}


def sigmoid64(x):
    e = math.exp(-abs(x))
    return (1 if x >= 0 else e) / (1 + e)


def exact(function, slope, x):
    """In float64."""
    return {
        "none": lambda: x, "relu": lambda: max(x, 0.0), "relu6": lambda: min(max(x, 0.0), 6.0),
        "leaky_relu": lambda: x * slope if x < 0 else x, "squared_relu": lambda: max(x, 0.0)**2,
        "gelu": lambda: x / 2 * math.erfc(-x / math.sqrt(2)),
        "gelu_tanh": lambda: x * sigmoid64(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3)),
        "silu": lambda: x * sigmoid64(x), "sigmoid": lambda: sigmoid64(x),
        "tanh": lambda: math.tanh(x),
        "hard_swish": lambda: x * min(max(x + 3, 0.0), 6.0) / 6,
    }[function]()


def activate(function, slope, x):
    """The float32 definition; near the float64 one."""
    x = np.asarray(x, F32)
    with np.errstate(all="ignore"):
        y = np.where(np.isnan(x), x, FUNCTIONS[function](x, slope)).astype(F32)
    for value, result in zip(x.ravel(), y.ravel()):
        if not np.isfinite(value):
            continue
        wanted = exact(function, float(F32(slope)), float(value))
        if abs(wanted) >= float(np.finfo(F32).max):
            assert np.isinf(result), (function, value)
            continue
        ulp = math.ldexp(1, max(math.frexp(wanted)[1] - 24, -149))
        bound = 2 if function == "gelu" and value >= -0.7 else BOUNDS[function]
        assert abs(float(result) - wanted) <= bound * ulp, (function, value, result, wanted)
    return y


def activate_codes(function, slope, x, scale, zero_point, out):
    """Of the codes of a row; out is (dtype, scale, zero point), or ("F32",)."""
    results = []
    for code in x:
        value = exact(function, slope, (code - zero_point) * float(F32(scale)))
        if out[0] == "F32":
            results.append(F32(value))
            continue
        quotient = value / float(F32(out[1]))
        assert abs(abs(quotient % 1) - 0.5) > 1e-9, "a tie of what is not exact"
        least = -128 if out[0] == "I8" else 0
        results.append(min(max(round(quotient) + out[2], least), least + 255))
    return results


def lane_sum(terms):
    lanes = np.zeros(16)
    for begin in range(0, len(terms), 16):
        part = terms[begin:begin + 16]
        lanes[:len(part)] += part
    for half in (8, 4, 2, 1):
        lanes = lanes[:half] + lanes[half:2 * half]
    return float(lanes[0])


NAN = np.array([0x7FC00000], np.uint32).view(F32)[0]


def softmax(x):
    x = np.asarray(x, F32)
    most = np.max(x) if x.size else F32(0)
    if np.isnan(most) or most == np.inf:
        return np.full(x.shape, NAN)
    if most == -np.inf:
        return np.zeros(x.shape, F32)
    with np.errstate(all="ignore"):
        p, n = exp(np.maximum(x - most, F32(-110)))
        e = np.ldexp(F32(1) + p, n.astype(int))
        y = e * F32(1 / lane_sum(e.astype(F64)))
    wanted = np.exp(x.astype(F64) - float(most))
    wanted /= wanted.sum()
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-44)
    return y


def norm(x, centered, eps, weight, bias):
    x = np.asarray(x, F32).astype(F64)
    mean = lane_sum(x) / x.size if centered else 0.0
    with np.errstate(invalid="ignore"):
        squares = lane_sum((x - mean) * (x - mean))
    if not math.isfinite(squares):
        return np.full(x.shape, NAN)
    root = math.sqrt(squares / x.size + eps)
    y = (x - mean) * (1 / root if root > 0 else 0.0)
    if weight is not None:
        y = y * np.asarray(weight, F32).astype(F64)
    if bias is not None:
        y = y + np.asarray(bias, F32).astype(F64)
    return y.astype(F32)
