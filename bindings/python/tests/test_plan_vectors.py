"""plans.json and allocation.json: what plans decide, and the best choices for budgets."""
import json

import bitnet_quant as bq
import pytest
from test_vectors import by_name, check_error


def plan_of(case):
    recipes = bq.Recipes(case["recipes"]) if "recipes" in case else None
    return bq.Plan.from_text(case["text"], recipes)


@by_name("plans.json")
def test_plans(case):
    if "status" in case:
        with pytest.raises(bq.BitNetQuantError) as caught:
            plan_of(case)
        check_error(caught.value, case)
        return
    plan = plan_of(case)
    assert str(plan) == case["written"]
    for decision in case["decisions"]:
        shape = decision["rank"] if decision["shape"] is None else decision["shape"]
        found = plan.match(decision["name"], shape)
        assert found.rule == (None if decision["rule"] < 0 else decision["rule"]), decision
        # A rule of none, and none, have no config.
        config = None if decision["config"] == "none" else decision["config"]
        assert (found.config and str(found.config)) == config, decision
    for name, kind in case["kinds"].items():
        assert bq.layer_kind(name, plan) == kind, name


def check_run(run, sensitivity):
    budget = {{"bytes": "size"}.get(run["budget_kind"], run["budget_kind"]): run["budget"]}
    allocated = sensitivity.allocate(run["plan"], fused_apart=bool(run["flags"] & 1),
                                     experts_apart=bool(run["flags"] & 2), **budget)
    for key in ("budget_bytes", "bytes", "min_bytes", "max_bytes", "loss"):
        assert getattr(allocated, key) == run[key], key
    assert allocated.proven and allocated.bound == run["loss"]
    plan = allocated.plan
    configs = {row.name: plan.match(row.name, 2).config for row in allocated}
    assert {name: str(config or "none") for name, config in configs.items()} == run["configs"]
    assert {row.name: [str(bq.Config.from_text(row.upgrade)), row.upgrade_bytes,
                       row.upgrade_loss]
            for row in allocated if row.upgrade} == run["upgrades"]


@by_name("allocation.json")
def test_allocations(case):
    text = json.dumps(case["sensitivity"])
    if "status" in case:
        with pytest.raises(bq.BitNetQuantError) as caught:
            bq.Sensitivity.from_json(text)
        check_error(caught.value, case)
        return
    sensitivity = bq.Sensitivity.from_json(text)
    for run in case["runs"]:
        if "status" in run:
            with pytest.raises(bq.BitNetQuantError) as caught:
                check_run(run, sensitivity)
            check_error(caught.value, run)
        else:
            check_run(run, sensitivity)
