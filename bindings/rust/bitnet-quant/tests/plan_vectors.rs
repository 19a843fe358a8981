//! All cases of the vectors of plans and budgets that every language shares.

mod common;

use bitnet_quant::{
    AllocateOptions, Budget, Config, Error, Plan, PlanMatch, Recipes, Result, Sensitivity,
};
use common::cases;
use common::json::{list, number, text};
use serde_json::Value;

fn refused<T>(case: &Value, result: Result<T>, name: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{} was taken", name));
    let expected = (text(&case["status"]), text(&case["message"]));
    let said = error.to_string();
    assert!(said.starts_with(expected.0), "{}: {}", name, said);
    assert!(error.message().contains(expected.1), "{}: {}", name, said);
}

/// As the vectors write it; "none" where the tensor is left as it is.
fn config_text(config: Option<&Config>) -> String {
    config.map_or("none".to_string(), Config::to_string)
}

fn plan_of(case: &Value, plan: &mut Plan) -> Result<()> {
    let recipes: Option<Recipes> = case
        .get("recipes")
        .map(|recipes| text(recipes).parse())
        .transpose()?;
    plan.add_text(text(&case["text"]), recipes.as_ref())?;
    Ok(())
}

fn check_decision(decision: &Value, plan: &Plan) {
    let name = text(&decision["name"]);
    let found: Option<PlanMatch> = match decision["shape"].is_null() {
        true => plan.find(name, decision["rank"].as_u64().unwrap() as usize),
        false => plan.find_shape(name, &dimensions(&decision["shape"])),
    }
    .expect(name);
    let rule = found.as_ref().map_or(-1, |found| found.rule as i64);
    assert_eq!(Some(rule), decision["rule"].as_i64(), "{}", decision);
    let config = found.map(|found| config_text(found.config.as_ref()));
    assert_eq!(
        config.as_deref(),
        decision["config"].as_str(),
        "{}",
        decision
    );
}

/// Some are beyond 32 bits.
fn dimensions(value: &Value) -> Vec<usize> {
    list(value)
        .iter()
        .map(|d| d.as_u64().unwrap() as usize)
        .collect()
}

#[test]
fn plans() {
    for case in cases("plans.json") {
        let name = text(&case["name"]);
        let mut plan = Plan::new().unwrap();
        let outcome = plan_of(&case, &mut plan);
        if case.get("status").is_some() {
            refused(&case, outcome, name);
            assert_eq!(plan.to_string(), "", "{}", name);
            continue;
        }
        outcome.expect(name);
        assert_eq!(plan.to_string(), text(&case["written"]), "{}", name);
        for decision in list(&case["decisions"]) {
            check_decision(decision, &plan);
        }
        for (tensor, kind) in case["kinds"].as_object().expect("kinds") {
            let found = plan.layer_kind(tensor).unwrap();
            assert_eq!(found.name(), text(kind), "{}: {}", name, tensor);
        }
    }
}

fn budget(run: &Value) -> Budget {
    let amount = number(&run["budget"]);
    match text(&run["budget_kind"]) {
        "bytes" => Budget::Bytes(amount as u64),
        "bits" => Budget::Bits(amount),
        "ratio" => Budget::Ratio(amount),
        kind => panic!("{}", kind),
    }
}

fn check_run(run: &Value, sensitivity: &Sensitivity, name: &str) -> Result<()> {
    let plan: Plan = text(&run["plan"]).parse().expect(name);
    let flags = run["flags"].as_u64().unwrap();
    let options = AllocateOptions::new()
        .plan(&plan)
        .fused_apart(flags & 1 != 0)
        .experts_apart(flags & 2 != 0);
    let found = sensitivity.allocate(budget(run), options)?;
    let totals = found.totals()?;
    for (value, key) in [
        (totals.budget_bytes, "budget_bytes"),
        (totals.bytes, "bytes"),
        (totals.min_bytes, "min_bytes"),
        (totals.max_bytes, "max_bytes"),
    ] {
        assert_eq!(Some(value), run[key].as_u64(), "{}: {}", name, key);
    }
    assert_eq!(totals.loss, number(&run["loss"]), "{}", name);
    assert!(totals.proven && totals.bound == totals.loss, "{}", name);

    let plan = found.plan()?;
    let rows = found.rows()?;
    assert_eq!(rows.len(), run["configs"].as_object().unwrap().len());
    for row in &rows {
        let matched = plan.find(&row.name, 2)?.expect("a rule");
        let config = config_text(matched.config.as_ref());
        assert_eq!(config, text(&run["configs"][&row.name]), "{}", name);
        let expected = run["upgrades"].get(&row.name);
        assert_eq!(row.upgrade.is_some(), expected.is_some(), "{}", name);
        if let (Some(upgrade), Some(expected)) = (&row.upgrade, expected) {
            let config: Config = upgrade.config.parse()?;
            assert_eq!(config.to_string(), text(&expected[0]), "{}", name);
            assert_eq!(Some(upgrade.bytes), expected[1].as_u64(), "{}", name);
            assert_eq!(upgrade.loss, number(&expected[2]), "{}", name);
        }
    }
    Ok(())
}

#[test]
fn allocations() {
    for case in cases("allocation.json") {
        let name = text(&case["name"]);
        let sensitivity = Sensitivity::from_json(&case["sensitivity"].to_string());
        if case.get("status").is_some() {
            refused(&case, sensitivity, name);
            continue;
        }
        let sensitivity = sensitivity.expect(name);
        for run in list(&case["runs"]) {
            let outcome: Result<(), Error> = check_run(run, &sensitivity, name);
            match run.get("status") {
                Some(_) => refused(run, outcome, name),
                None => outcome.expect(name),
            }
        }
    }
}
