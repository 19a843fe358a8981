"""bnq analyze, bnq estimate, plans and budgets of bnq quantize."""

import json

import pytest
from conftest import by_name, run, run_json

CANDIDATES = ("--candidates", "ternary", "--candidates", "int4_per_group_32", "--candidates",
              "int8_per_channel")


def test_a_budget_is_met(model, tmp_path):
    out, plan = tmp_path / "out.bnq", tmp_path / "plan.txt"
    saved = tmp_path / "s.json"
    run("analyze", model, "-o", saved, *CANDIDATES)
    value = run_json("analyze", saved, "--target-bits", "6", "--save-plan", plan)
    budget = value["budget"]
    assert budget["proven"] and budget["gap"] == 0
    assert budget["bits_per_weight"] <= 6
    assert budget["min_bytes"] <= budget["bytes"] <= budget["budget_bytes"]
    assert sum(row["share"] for row in value["allocation"]) == pytest.approx(1)
    # The plan, the budget itself and what was measured give one file.
    run("quantize", model, "-o", out, "--plan", plan)
    assert 0 <= budget["bytes"] - out.stat().st_size < 64
    for options in (["--sensitivity", saved], CANDIDATES):
        again = tmp_path / "again.bnq"
        text = run("quantize", model, "-o", again, "--force", "--target-bits", "6",
                   *options).stdout
        assert again.read_bytes() == out.read_bytes()
        assert "(proven)" in text
    chosen = {row["name"]: row["config"] for row in value["allocation"]}
    written = {t["name"]: t["config"] for t in run_json("inspect", out)["tensors"]
               if "config" in t}
    assert set(chosen) == set(written)
    lines = plan.read_text().splitlines()
    assert len(lines) == len(chosen) and all(" -> " in line for line in lines)


def test_sizes_and_ratios(model, tmp_path):
    saved = tmp_path / "s.json"
    run("analyze", model, "-o", saved, *CANDIDATES)
    by_size = run_json("analyze", saved, "--target-size", "20KB")["budget"]
    assert by_size["budget_bytes"] == 20000
    by_ratio = run_json("analyze", saved, "--target-ratio", "4")["budget"]
    assert by_ratio["ratio"] >= 4
    curve = run_json("analyze", saved, "--sweep", "1:9:0.5")["sweep"]
    assert len(curve) > 5
    assert [p["loss"] for p in curve] == sorted((p["loss"] for p in curve), reverse=True)
    assert all(p["bits_per_weight"] <= p["target_bits"] and p["gap"] == 0 for p in curve)
    table = run("analyze", saved, "--sweep", "1:9:0.5").stdout.splitlines()
    assert len(table) == len(curve) + 1


def test_it_goes_on_and_merges(model, tmp_path):
    whole, parts, merged = (tmp_path / name for name in ("whole", "parts", "merged"))
    run("analyze", model, "-o", whole, *CANDIDATES)
    run("analyze", model, "-o", parts, *CANDIDATES[:2])
    assert "exists" in run("analyze", model, "-o", parts, code=4).stderr
    run("analyze", model, "-o", parts, "--resume", *CANDIDATES)
    assert parts.read_bytes() == whole.read_bytes()
    workers = [tmp_path / f"{i}.json" for i in range(3)]
    for i, worker in enumerate(workers):
        run("analyze", model, "-o", worker, *CANDIDATES[2 * i : 2 * i + 2])
    run("analyze", workers[2], "--merge", workers[0], "--merge", workers[1], "-o", merged)
    assert merged.read_bytes() == whole.read_bytes()


def test_metrics_of_your_own(model, tmp_path):
    saved, metrics = tmp_path / "s.json", tmp_path / "metrics.json"
    run("analyze", model, "-o", saved, "--candidates", "ternary", "--candidates",
        "int8_per_channel")
    sizes = {}
    for row in run_json("analyze", saved)["sensitivity"]:
        sizes.setdefault(row["name"], []).append(row["bytes"])
    least = run_json("analyze", saved, "--target-bits", "16")["budget"]["min_bytes"]
    for favourite in ("fc.weight", "conv.weight"):
        metrics.write_text(json.dumps({
            name: {"ternary": float(name == favourite), "int8_per_channel": 0} for name in sizes}))
        # What the favourite takes in eight bits, and no more.
        room = least + max(sizes[favourite]) - min(sizes[favourite])
        rows = run_json("analyze", saved, "--metrics", metrics, "--target-size", str(room))
        assert {row["loss"] for row in rows["allocation"]} == {0}
    metrics.write_text("[]")
    assert "metrics must be" in run("analyze", saved, "--metrics", metrics,
                                    "--target-bits", "9", code=3).stderr


def test_plans(model, tmp_path):
    plan = tmp_path / "plan.txt"
    plan.write_text("fc.weight -> nf4\n* -> mine\n")
    recipes = tmp_path / "recipes.txt"
    recipes.write_text("[configs]\nmine = int5,group_size=64\n")
    value = run_json("quantize", model, "--dry-run", "--plan", plan, "--recipes", recipes,
                     "--exclude", "conv.*")
    formats = {t["name"]: t.get("format") for t in value["tensors"]}
    assert formats["fc.weight"] == "nf4" and formats["conv.weight"] is None
    assert "int5" in formats.values()
    assert by_name(run_json("quantize", model, "--dry-run", "--recipes", recipes, "--preset",
                            "mine"))["fc.weight"]["format"] == "int5"
    assert "plan.txt\": line 2" in run("quantize", model, "--dry-run", "--plan", plan,
                                       code=3).stderr


@pytest.mark.parametrize("options, message", [
    (["--target-bits", "4", "--target-size", "4KB"], "exclude each other"),
    (["--target-bits", "4", "--preset", "nf4"], "a budget chooses configs"),
    (["--target-bits", "4", "--include", "*"], "a budget chooses configs"),
    (["--plan", "x", "--format", "int8"], "--plan says what tensors get"),
    (["--plan", "x", "--include", "*"], "exclude each other"),
    (["--candidates", "int8"], "are for a budget"),
    (["--sensitivity", "x"], "are for a budget"),
])
def test_what_does_not_go_together(model, options, message):
    assert message in run("quantize", model, "--dry-run", *options, code=2).stderr


def test_budgets_that_cannot_be(model):
    error = run("quantize", model, "--dry-run", "--target-bits", "0.5", code=2).stderr
    assert "must be at least" in error and "bits a weight" in error
    assert "--sweep: expected" in run("analyze", model, "--sweep", "1:2", code=2).stderr
    assert "needs a budget" in run("analyze", model, "--save-plan", "x", code=2).stderr


def test_estimate(model, tmp_path):
    for options in (["--preset", "nf4"], ["--format", "int4", "--include", "fc.*"],
                    ["--max-shard-size", "4KB"]):
        folder = tmp_path / options[1]
        folder.mkdir()
        run("quantize", model, "-o", folder / "model.bnq", *options)
        value = run_json("estimate", model, *options)
        assert value["file_bytes"] == sum(f.stat().st_size for f in folder.iterdir())
        assert "the file: " in run("estimate", model, *options).stdout
