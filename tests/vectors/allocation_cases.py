"""Budgets: which config each tensor gets, by trying all choices.

SPDX-License-Identifier: MIT
"""
import itertools
import math
import pathlib
import re
from fractions import Fraction

from common import noise
from refusals import BAD, PRESETS

UNSUPPORTED = "unsupported"
CORRUPT = "corrupt file"

FUSED_APART, EXPERTS_APART = 1, 2  # BNQ_ALLOCATE_*

# JSON of a sensitivity names the revision of the encoders that it was measured with.
REVISION = int(re.search(
    r"kCodecRevision = (\d+)",
    (pathlib.Path(__file__).parents[2] / "core/scheme/codec_revision.h").read_text()).group(1))


class Tensor:
    """options: {config: (bytes, loss)}, in the order of the configs' texts. by: what the
    losses are given as: the caller's metric, relative errors of a tensor of weight 1, or
    relative errors of one whose elements count."""

    def __init__(self, name, options, shape=(64, 64), by="elements", plain_bytes=None, crc=None):
        self.name, self.shape, self.by = name, list(shape), by
        self.options = dict(sorted(options.items()))
        self.plain_bytes = 4 * self.elements if plain_bytes is None else plain_bytes
        self.crc = sum(name.encode()) if crc is None else crc

    @property
    def elements(self):
        return math.prod(self.shape)

    def json(self):
        out = {"name": self.name, "dtype": "F32", "shape": self.shape, "sample_crc32": self.crc,
               "plain_bytes": self.plain_bytes, "candidates": []}
        if self.by == "weight":
            out["weight"] = 1.0
        for config, (size, loss) in self.options.items():
            error = float(Fraction(loss) / (self.elements if self.by == "elements" else 1))
            cell = {"config": config, "bytes": size, "max_error": 0.5, "cosine": 0.75,
                    "relative_error": 0.25 if self.by == "metric" else error}
            if self.by == "metric":
                cell["metric"] = float(loss)
            out["candidates"].append(cell)
        return out


class Model:
    def __init__(self, tensors, fixed_bytes=1000, fixed_elements=100, input_bytes=None):
        self.tensors = sorted(tensors, key=lambda t: t.name.encode())
        self.fixed_bytes, self.fixed_elements = fixed_bytes, fixed_elements
        self.elements = fixed_elements + sum(t.elements for t in tensors)
        self.input_bytes = 4 * self.elements if input_bytes is None else input_bytes

    def json(self, revision=REVISION):
        return {"bnq_sensitivity": 1, "codec_revision": revision, "fixed_bytes": self.fixed_bytes,
                "fixed_elements": self.fixed_elements, "input_bytes": self.input_bytes,
                "tensors": [t.json() for t in self.tensors]}


def options_of(group, allowed):
    """{config: (bytes, loss)} of those that all tensors of a group can have."""
    each = []
    for tensor in group:
        mine = allowed.get(tensor.name, list(tensor.options))
        plain = {"none": (tensor.plain_bytes, 0)} if mine == ["none"] else {}
        each.append({c: plain.get(c) or tensor.options[c] for c in mine})
    common = [c for c in each[0] if all(c in one for one in each)]
    return {c: (sum(one[c][0] for one in each), sum(Fraction(one[c][1]) for one in each))
            for c in common}


def upgrade(options, config):
    """The cheapest of those that are better and take more; of equal size the best."""
    size, loss = options[config]
    better = [(s - size, e - loss, c) for c, (s, e) in options.items() if e < loss and s > size]
    return min(better, key=lambda b: b[:2]) if better else None


def bytes_of(model, kind, budget):
    """A budget in bytes."""
    budget = Fraction(budget)
    return math.floor({"bytes": budget, "bits": budget * model.elements / 8,
                       "ratio": Fraction(model.input_bytes) / budget}[kind])


def run(model, kind, budget, plan="", flags=0, tied=(), allowed=None, hand=None, refused=None):
    """All choices: that of the least loss, then of the fewest bytes, then the first, where
    configs of a tensor are in the order of their texts and the last tensor's change first.

    tied: names that have one config. allowed: {name: configs} of those that the plan does
    not let have all. hand: ([index of the option of each tensor], loss)."""
    out = {"budget_kind": kind, "budget": budget, "plan": plan, "flags": flags}
    groups = []
    for tensor in model.tensors:
        names = next((t for t in tied if tensor.name in t), [tensor.name])
        if tensor.name == min(names, key=str.encode):
            groups.append([t for t in model.tensors if t.name in names])
    if refused:
        return {**out, "status": BAD, "message": refused}
    items = [options_of(group, allowed or {}) for group in groups]
    limit = bytes_of(model, kind, budget)
    least = model.fixed_bytes + sum(min(s for s, _ in item.values()) for item in items)
    if least > limit:
        return {**out, "status": BAD, "message": f"must be at least {least} "}

    best = None
    for choice in itertools.product(*items):
        sizes, losses = zip(*(item[c] for item, c in zip(items, choice)))
        size = model.fixed_bytes + sum(sizes)
        if size <= limit and (best is None or (sum(losses), size) < best[:2]):
            best = (sum(losses), size, choice)
    loss, size, choice = best
    assert Fraction(float(loss)) == loss, "a sum that is not exact"
    if hand:
        assert [list(item).index(c) for item, c in zip(items, choice)] == hand[0], (choice, hand)
        assert float(loss) == hand[1]
    out |= {"budget_bytes": limit, "bytes": size, "loss": float(loss), "min_bytes": least,
            "max_bytes": model.fixed_bytes + sum(max(s for s, _ in i.values()) for i in items),
            "configs": {}, "upgrades": {}}
    for group, item, config in zip(groups, items, choice):
        out["configs"].update((t.name, config) for t in group)
        better = upgrade(item, config)
        if better:
            out["upgrades"][group[0].name] = [better[2], better[0], -float(better[1])]
    out["configs"] = dict(sorted(out["configs"].items(), key=lambda c: c[0].encode()))
    return out


def case(name, source, model, runs):
    return {"name": name, "source": source, "sensitivity": model.json(), "runs": runs}


TEXTS = ["format=int2", "format=int3", "format=int4", "format=int5", "format=int6", "format=int8"]


def by_index(*options):
    return dict(zip(TEXTS, options))


def golden():
    """By hand. Losses are multiples of 1/8, so that all sums are exact."""
    greedy = Model([Tensor("A", by_index((0, 10), (6, 4)), by="metric"),
                    Tensor("B", by_index((0, 10), (5, 5.5)), by="metric"),
                    Tensor("C", by_index((0, 10), (5, 5.5)), by="metric")], 0, 0)
    sweep = Model([Tensor("A", by_index((10, 8), (20, 3), (40, .5)), by="weight"),
                   Tensor("B", by_index((10, 9), (20, 5), (40, .375)), by="weight"),
                   Tensor("C", by_index((5, 2), (10, 1.5), (20, .125)), by="weight")], 0, 0)
    return [
        case("greedy_would_take_A_alone", "by hand", greedy,
             [run(greedy, "bytes", 10, hand=([0, 1, 1], 21))]),
        case("choices_by_budget", "by hand", sweep,
             [run(sweep, "bytes", budget, hand=(choice, loss)) for budget, choice, loss in (
                 (45, [1, 1, 0], 10), (50, [1, 1, 1], 9.5), (55, [1, 1, 1], 9.5),
                 (60, [1, 1, 2], 8.125), (70, [1, 2, 1], 4.875), (80, [1, 2, 2], 3.5),
                 (100, [2, 2, 2], 1), (1000, [2, 2, 2], 1), (25, [0, 0, 0], 19))]
             + [run(sweep, "bytes", 24)]),
    ]


def of_hardness(name, hardness, shape=(64, 64), crc=None):
    """Bytes of 2, 3, 4 and 8 bits; a loss that falls by a quarter for each bit."""
    elements = math.prod(shape)
    return Tensor(name, {c: (elements * b // 8, Fraction(hardness * elements, 4**(b - 2)))
                         for c, b in zip(("format=int2", "format=int3", "format=int4",
                                          "format=int8"), (2, 3, 4, 8))}, shape, crc=crc)


def budgets():
    model = Model([of_hardness("easy", 1), of_hardness("hard", 32),
                   of_hardness("small", 8, (16, 16))])
    mixed = [run(model, kind, budget) for kind, budget in (
        ("bits", 4.5), ("bits", 3.25), ("bits", 6), ("bits", 32), ("ratio", 8), ("ratio", 10.5),
        ("bytes", 5000), ("bits", 1), ("ratio", 100))]
    return [case("bits_and_ratios", "all choices", model, mixed)]


def plans():
    model = Model([of_hardness("a", 4), of_hardness("h.attn.w", 1), of_hardness("b", 4),
                   of_hardness("c", 1, (16, 32))])
    pin = {"a": ["format=int2"]}
    floor = {"h.attn.w": ["format=int4", "format=int8"]}
    text = "a -> format=int2\n* kind=attention -> bits>=3.5\n"
    return [case("pins_floors_and_ties", "all choices", model, [
        run(model, "bits", 4.5, text, allowed={**pin, **floor}),
        run(model, "bits", 8, text, allowed={**pin, **floor}),
        run(model, "bits", 3, text, allowed={**pin, **floor}),
        run(model, "bits", 8, "c -> none\nb -> format=int8\n",
            allowed={"c": ["none"], "b": ["format=int8"]}),
        run(model, "bits", 4, "tie a b\n", tied=[["a", "b"]]),
        run(model, "bits", 4, "tie_all a c h.*\n", tied=[["a", "c", "h.attn.w"]]),
        run(model, "bits", 4, "tie a b\nb -> format=int3\n", tied=[["a", "b"]],
            allowed={"b": ["format=int3"]}),
        run(model, "bits", 8, "a -> nf4\n", refused="was not analyzed with nf4"),
        run(model, "bits", 8, "* -> bits>=9\n", refused="the least of 9 bits a weight"),
        run(model, "bits", 8, "tie a b\na -> format=int2\nb -> format=int3\n",
            refused="have no config in common"),
        run(model, "bits", 0, refused="budget = 0"),
        run(model, "ratio", -1, refused="budget = -1"),
    ])]


def fused():
    q, k, v, o = (f"l.0.attn.{x}_proj.weight" for x in "qkvo")
    experts = [f"l.0.experts.{e}.{w}.weight" for e in (0, 1) for w in ("w1", "w3")]
    # An embedding that is the head, too, is analyzed under one name. These are two.
    head, embedding = "lm_head.weight", "embed_tokens.weight"
    hard = {q: 32, experts[0]: 16, head: 8}
    model = Model([of_hardness(name, hard.get(name, 1), (32, 32),
                               crc=7 if name in (head, embedding) else None)
                   for name in (q, k, v, o, *experts, head, embedding)])
    one = [[q, k, v]]
    pairs = [experts[:2], experts[2:]]
    return [case("what_is_fused_has_one_config", "all choices", model, [
        run(model, "bits", 4.5, flags=flags, tied=tied) for flags, tied in (
            (0, [*one, experts]), (EXPERTS_APART, [*one, *pairs]), (FUSED_APART, [experts]))])]


def random_models():
    """Small numbers, so that many choices are equally good; and others."""
    out = []
    for index in range(12):
        values = iter(noise(400, 1000 + 7 * index))

        def number(below):
            return int(next(values) * 1024 + 2046) % below

        coarse = index % 2 == 0
        tensors = [Tensor(f"t{t}", by_index(*(
            (number(6 if coarse else 1000), Fraction(number(8 if coarse else 4096), 4))
            for _ in range(2 + number(4)))), (4, 4), by="elements" if t % 2 else "metric")
            for t in range(2 + number(4))]
        model = Model(tensors, 0 if coarse else 77)
        least = model.fixed_bytes + sum(min(s for s, _ in t.options.values()) for t in tensors)
        most = model.fixed_bytes + sum(max(s for s, _ in t.options.values()) for t in tensors)
        budgets = sorted({max(1, least + (most - least) * share // 6) for share in range(7)})
        out.append(case(f"random_{index}", "all choices", model,
                        [run(model, "bytes", budget) for budget in budgets]))
    return out


def refused():
    """JSON that is none."""
    good = Model([of_hardness("a", 1)])

    def bad(name, status, message, **change):
        return {"name": name, "source": "bnq.h", "sensitivity": {**good.json(), **change},
                "status": status, "message": message}

    twice = good.json()["tensors"] * 2
    return [
        bad("of_other_encoders", UNSUPPORTED, f"revision {REVISION + 1}",
            codec_revision=REVISION + 1),
        bad("of_another_version", UNSUPPORTED, "version 2", bnq_sensitivity=2),
        bad("no_tensors", CORRUPT, "tensors", tensors=None),
        bad("bytes_below_0", CORRUPT, "fixed_bytes", fixed_bytes=-1),
        bad("a_tensor_twice", CORRUPT, "twice", tensors=twice),
    ]


def cases():
    assert all(PRESETS.get(text, text) == text for text in TEXTS)
    out = golden() + budgets() + plans() + fused() + random_models() + refused()
    names = [entry["name"] for entry in out]
    assert len(names) == len(set(names)), "a name twice"
    return out
