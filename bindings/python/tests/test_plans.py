"""Plans as text, recipes, kinds of layers; sensitivity, budgets, estimates."""
import itertools
import json
import pickle

import numpy as np
import pytest

import bitnet_quant as bq

TEXT = """lm_head -> none
* kind=embedding,norm -> none
* kind=attention size>=64 -> int8_per_channel
* -> int4_per_group_32
"""


@pytest.fixture
def model(tmp_path):
    rng = np.random.default_rng(3)
    arrays = {f"h.{layer}.attn.{name}_proj.weight":
              rng.standard_normal((32, 64)).astype(np.float32) for layer in range(2)
              for name in "qkv"}
    arrays |= {f"h.{layer}.mlp.up.weight": rng.standard_normal((64, 64)).astype(np.float32)
               for layer in range(2)}
    arrays["norm.weight"] = np.ones(64, np.float32)
    path = tmp_path / "model.safetensors"
    with bq.Writer(path) as writer:
        for name, array in arrays.items():
            writer.add(name, array)
    return path


def test_text():
    plan = bq.Plan.from_text(TEXT)
    assert str(plan) == TEXT
    assert plan.match("lm_head.weight", (8, 8)) == bq.PlanMatch(0, None)
    assert plan.match("h.0.attn.w", (8, 8)).config == bq.Config.preset("int8_per_channel")
    assert plan.match("h.0.attn.w", (2, 2)).rule == 3
    assert plan.match("h.0.attn.w", 2).rule == 3
    assert str(pickle.loads(pickle.dumps(plan))) == TEXT
    with pytest.raises(bq.InvalidArgumentError, match="line 2: condition \"ran>=2\""):
        plan.add_text("a -> nf4\n* ran>=2 -> int4")
    assert str(plan) == TEXT


def test_files(tmp_path):
    plan = bq.Plan.from_text(TEXT)
    path = tmp_path / "plan.txt"
    plan.save(path)
    assert path.read_text() == TEXT
    assert str(bq.Plan.load(path)) == TEXT
    with pytest.raises(bq.ExistsError):
        plan.save(path)
    path.write_text("* -> int4x")
    with pytest.raises(bq.NotFoundError, match="plan.txt.*line 1"):
        bq.Plan.load(path)


def test_builders():
    plan = bq.Plan().layer("conv1", bits=8).layer("fc*", bits=1.58).layer("*", "nf4")
    assert str(plan) == ("conv1 rank>=2 -> int8_per_channel\n"
                         "fc* -> ternary_per_group_128\n* -> nf4\n")
    with pytest.raises(bq.InvalidArgumentError, match="bits = 7, must be one of"):
        plan.layer("x", bits=7)
    with pytest.raises(TypeError, match="one of config and bits"):
        plan.layer("x")
    adaptive = bq.Plan()
    adaptive.add_model_defaults()
    adaptive.add_adaptive("nf4", ffn="int4")
    assert adaptive.match("a.attn.w", 2).config.text == bq.Config.preset("int8_outliers").text
    assert adaptive.match("a.mlp.w", 2).config.format == "int4"
    assert adaptive.match("wte.weight", 2) == bq.PlanMatch(0, None)
    steps = [bq.Config.preset("nf4")]
    while steps[-1].format != "none":
        steps.append(steps[-1].step_up())
    assert [step.bits_per_weight for step in steps[:-1]] == sorted(
        step.bits_per_weight for step in steps[:-1])
    assert len(steps) == 4


def test_kinds():
    assert bq.layer_kind("model.layers.0.self_attn.q_proj.weight") == "attention"
    assert bq.layer_kind("x.mixer.w") == "other"
    assert bq.layer_kind("x.mixer.w", bq.Plan.from_text("kind ffn = mixer")) == "ffn"


def test_recipes(tmp_path):
    recipes = bq.Recipes("[configs]\nsmall = int3,group_size=32\n"
                         "[plan careful]\n* -> small,clip=2\n")
    recipes.add_config("mine", bq.Config(format="int5"))
    recipes.add_plan("mine", bq.Plan.from_text(TEXT))
    assert recipes.configs == ("mine", "small")
    assert recipes.plans == ("careful", "mine")
    assert recipes.config("small,group_size=64").to_dict()["group_size"] == 64
    assert str(recipes.plan("mine")) == TEXT
    assert bq.Plan.from_text("* -> mine", recipes).match("a", 2).config.format == "int5"
    recipes.save(tmp_path / "recipes.txt")
    assert str(bq.Recipes.load(tmp_path / "recipes.txt")) == str(recipes)
    assert str(pickle.loads(pickle.dumps(recipes))) == str(recipes)
    with pytest.raises(bq.ExistsError, match="preset or format"):
        recipes.add_config("nf4", "int4")
    with pytest.raises(bq.NotFoundError, match="did you mean \"careful\""):
        recipes.plan("carefull")


def test_budget(model, tmp_path):
    sensitivity = bq.analyze_file(model, ["int8_per_channel", "int4_per_group_32", "ternary"])
    allocation = sensitivity.allocate(bits=5.0)
    assert allocation.proven and allocation.gap == 0
    assert allocation.bits_per_weight <= 5.0
    assert {row.kind for row in allocation} == {"attention", "ffn"}
    # q, k and v of a layer have one config.
    for layer in range(2):
        assert len({row.config for row in allocation if f"h.{layer}.attn" in row.name}) == 1
    out = tmp_path / "out.bnq"
    report = bq.quantize_file(model, out, allocation.plan)
    assert 0 <= allocation.bytes - out.stat().st_size < 64
    assert str(pickle.loads(pickle.dumps(allocation.plan))) == str(allocation.plan)
    # By brute force: nothing that fits loses less.
    measured = {(m.tensor, m.config.text): m for m in sensitivity.measurements}
    groups = [[row.name for row in rows] for _, rows in itertools.groupby(
        sorted(allocation, key=lambda row: row.tied_to), key=lambda row: row.tied_to)]
    texts = sorted({text for _, text in measured})
    best = min(
        sum(measured[name, text].loss for names, text in zip(groups, choice) for name in names)
        for choice in itertools.product(texts, repeat=len(groups))
        if allocation.fixed_bytes + sum(
            measured[name, text].bytes for names, text in zip(groups, choice) for name in names)
        <= allocation.budget_bytes)
    assert allocation.loss == pytest.approx(best, rel=1e-12)
    assert sum(row.share for row in allocation) == pytest.approx(1)
    assert len(report) == 9
    with pytest.raises(bq.InvalidArgumentError, match="must be at least"):
        sensitivity.allocate(bits=1.0)
    with pytest.raises(TypeError, match="one of bits, size and ratio"):
        sensitivity.allocate(bits=1.0, size=3)
    pinned = sensitivity.allocate("*.mlp.* -> int8_per_channel", ratio=5)
    assert all(row.pinned == (row.kind == "ffn") for row in pinned)


def test_sensitivity_goes_on(model, tmp_path):
    whole = bq.analyze_file(model, ["int8", "nf4"])
    saved = tmp_path / "s.json"

    def stop(done, total, item):
        if "h.1" in item:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        bq.analyze_file(model, ["int8", "nf4"], save=saved, progress=stop)
    part = bq.Sensitivity.load(saved)
    assert 0 < len(part.measurements) < len(whole.measurements)
    assert bq.analyze_file(model, ["int8", "nf4"], into=part, save=saved) is part
    assert part.to_json() == whole.to_json() == saved.read_text()
    one, two = (bq.analyze_file(model, [text]) for text in ("nf4", "int8"))
    one.merge(two)
    assert one.to_json() == whole.to_json()
    assert pickle.loads(pickle.dumps(one)).to_json() == whole.to_json()
    with pytest.raises(bq.CorruptFileError):
        bq.Sensitivity.from_json("{}")


def test_metrics(model, tmp_path):
    sensitivity = bq.analyze_file(model, ["int8_per_channel", "ternary"])
    asked = []

    def loss_of(tensor, config):
        asked.append((tensor, config.text))
        return 1.0 if tensor == "h.0.mlp.up.weight" and config.format == "ternary" else 0.0

    sensitivity.measure(loss_of)
    assert asked == [(m.tensor, m.config.text) for m in sensitivity.measurements]
    chosen = {row.name: row.config for row in sensitivity.allocate(bits=6.5)}
    assert chosen["h.0.mlp.up.weight"] == "int8_per_channel"
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps({"h.1.mlp.up.weight": {"ternary": 9.0}}))
    sensitivity.load_metrics(path)
    assert max(m.loss for m in sensitivity.measurements) == 9.0
    other = bq.analyze_file(model, ["ternary"])

    def fails(tensor, config):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        other.measure(fails)
    with pytest.raises(bq.InvalidArgumentError, match="must be finite"):
        other.measure(lambda tensor, config: float("nan"))
    with pytest.raises(bq.NotFoundError, match="was not analyzed with nf4"):
        other.set_metric("h.1.mlp.up.weight", "nf4", 1.0)


def test_candidates():
    assert len(bq.candidates()) == 6
    assert len({config.text for config in bq.candidates()}) == 6


def test_estimate(model, tmp_path):
    plan = bq.Plan.from_text(TEXT)
    estimate = bq.estimate_file(model, plan)
    bq.quantize_file(model, tmp_path / "out.bnq", plan)
    assert estimate.file_bytes == (tmp_path / "out.bnq").stat().st_size
    assert np.isnan(estimate.report[0].metrics.mse)
    assert bq.estimate_file(model, format="int8").file_bytes > estimate.file_bytes
