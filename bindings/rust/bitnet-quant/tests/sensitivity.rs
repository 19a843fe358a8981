//! Sensitivity, budgets and estimates of a small model.

mod common;

use bitnet_quant::{
    default_candidates, estimate_file, no_progress, quantize_file, AllocateOptions, AnalyzeOptions,
    Budget, Config, Context, Error, LayerKind, Plan, Sensitivity, WriteOptions,
};
use common::{refused, write_model, TempDir};
use std::fmt;
use std::fs;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};

struct Model {
    dir: TempDir,
    context: Context,
    candidates: Vec<Config>,
}

impl Model {
    fn new() -> Model {
        let dir = TempDir::new();
        write_model(&dir.path("model.safetensors"));
        let candidates = ["ternary", "int4_per_group_32", "int8_per_channel"];
        Model {
            dir,
            context: Context::new(),
            candidates: candidates.map(|text| text.parse().unwrap()).to_vec(),
        }
    }

    fn analyze(&self, options: AnalyzeOptions<'_>) -> Sensitivity {
        let mut sensitivity = Sensitivity::new().unwrap();
        let input = self.dir.path("model.safetensors");
        sensitivity
            .analyze_file(&self.context, input, options, no_progress)
            .unwrap();
        sensitivity
    }

    fn of_candidates(&self) -> Sensitivity {
        self.analyze(AnalyzeOptions::new().candidates(&self.candidates))
    }
}

#[test]
fn analyzes_and_keeps_json() {
    let model = Model::new();
    let path = model.dir.path("s.json");
    let all = model.analyze(AnalyzeOptions::new().save_path(&path));
    let tensors = all.tensors().unwrap();
    let names: Vec<_> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["fc1.weight", "fc2.weight"]);
    for tensor in &tensors {
        for candidate in &default_candidates().unwrap() {
            let found = tensor.candidates.iter().find(|c| c.config == *candidate);
            let found = found.unwrap_or_else(|| panic!("{}: {}", tensor.name, candidate));
            assert!(found.bytes > 0 && found.bits > 0.0 && found.relative_error >= 0.0);
            assert!(found.cosine > 0.5 && found.max_error >= 0.0 && found.loss >= 0.0);
        }
    }
    assert!(format!("{:?}", all).contains("tensors: 2"));

    let json = all.to_json().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), json);
    assert_eq!(
        Sensitivity::from_json(&json).unwrap().to_json().unwrap(),
        json
    );
    let loaded = Sensitivity::load(&model.context, &path).unwrap();
    assert_eq!(loaded.tensors().unwrap(), tensors);
    let again = loaded.save(&model.context, &path, WriteOptions::new());
    assert!(matches!(again, Err(Error::Exists(_))));
    assert!(matches!(
        Sensitivity::from_json("{}"),
        Err(Error::CorruptFile(_))
    ));
}

#[test]
fn workers_merge() {
    let model = Model::new();
    let parts: Vec<_> = model
        .candidates
        .iter()
        .map(|one| model.analyze(AnalyzeOptions::new().candidates(std::slice::from_ref(one))))
        .collect();
    let mut merged = Sensitivity::new().unwrap();
    for part in parts.iter().rev() {
        merged.merge(part).unwrap();
    }
    assert_eq!(
        merged.to_json().unwrap(),
        model.of_candidates().to_json().unwrap()
    );
    // A plan's config is the only one of its tensors.
    let plan: Plan = "fc1 -> nf4\nfc2 -> none".parse().unwrap();
    let pinned = model
        .analyze(AnalyzeOptions::new().plan(&plan))
        .tensors()
        .unwrap();
    assert_eq!((pinned.len(), pinned[0].candidates.len()), (1, 1));
    assert_eq!(pinned[0].candidates[0].config, "nf4".parse().unwrap());
}

#[test]
fn progress_cancels_and_panics_go_on() {
    let model = Model::new();
    let input = model.dir.path("model.safetensors");
    let mut sensitivity = Sensitivity::new().unwrap();
    let stop = |_: &bitnet_quant::Progress<'_>| ControlFlow::Break(());
    let error = sensitivity
        .analyze_file(&model.context, &input, AnalyzeOptions::new(), stop)
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled(_)), "{}", error);
    let run = || {
        let _ = sensitivity.analyze_file(&model.context, &input, AnalyzeOptions::new(), |_| {
            panic!("mine")
        });
    };
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"mine"));
}

/// An error of the caller's own.
#[derive(Debug)]
enum Mine {
    Broken(u32),
    Library(Error),
}

impl fmt::Display for Mine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self)
    }
}

impl From<Error> for Mine {
    fn from(error: Error) -> Mine {
        Mine::Library(error)
    }
}

#[test]
fn a_metric_of_ones_own_decides() {
    let model = Model::new();
    let mut sensitivity = model.of_candidates();
    let mut asked = Vec::new();
    let stopped = sensitivity.measure(|tensor, config| {
        asked.push((tensor.to_string(), config.to_string()));
        match asked.len() {
            1 => Ok(3.5),
            _ => Err(Mine::Broken(7)),
        }
    });
    assert!(matches!(stopped, Err(Mine::Broken(7))), "{:?}", stopped);
    assert_eq!(asked.len(), 2);
    // What was measured stays, and is not asked for again.
    let first = &sensitivity.tensors().unwrap()[0].candidates[0];
    assert_eq!(
        (first.loss, first.config.to_string()),
        (3.5, asked[0].1.clone())
    );
    let panics = catch_unwind(AssertUnwindSafe(|| {
        sensitivity.measure(|_, _| -> Result<f64, Error> { panic!("mine") })
    }));
    assert_eq!(panics.unwrap_err().downcast_ref::<&str>(), Some(&"mine"));
    let bad = sensitivity.measure(|_, _| -> Result<f64, Mine> { Ok(f64::NAN) });
    assert!(
        matches!(bad, Err(Mine::Library(Error::InvalidArgument(_)))),
        "{:?}",
        bad
    );
    let mut count = 0;
    sensitivity
        .measure(|tensor, config| -> Result<f64, Error> {
            assert_ne!(
                (tensor, config.to_string().as_str()),
                ("fc1.weight", asked[0].1.as_str())
            );
            count += 1;
            Ok(if tensor == "fc2.weight" { 100.0 } else { -1.0 })
        })
        .unwrap();
    assert_eq!(count, 5);
    sensitivity
        .set_metric("fc2.weight", &model.candidates[1], 0.0)
        .unwrap();
    let unknown = sensitivity.set_metric("fc3.weight", &model.candidates[1], 0.0);
    assert!(matches!(unknown, Err(Error::NotFound(_))));
    let path = model.dir.path("metrics.json");
    fs::write(&path, r#"{"fc1.weight": {"ternary": 5}}"#).unwrap();
    sensitivity.load_metrics(&model.context, &path).unwrap();
    let loss = sensitivity.allocate(
        Budget::Bits(32.0),
        AllocateOptions::new().plan(&"fc1 -> ternary".parse().unwrap()),
    );
    assert_eq!(loss.unwrap().totals().unwrap().loss, 5.0);
    fs::write(&path, "[]").unwrap();
    let bad = sensitivity.load_metrics(&model.context, &path);
    assert!(matches!(bad, Err(Error::CorruptFile(_))), "{:?}", bad);
    let rows = sensitivity
        .allocate(Budget::Bits(32.0), AllocateOptions::new())
        .unwrap()
        .rows()
        .unwrap();
    // Only this one loses nothing.
    assert_eq!(rows[1].config, "int4_per_group_32");
}

#[test]
fn a_budget_gives_a_plan() {
    let model = Model::new();
    let sensitivity = model.of_candidates();
    let most = sensitivity
        .allocate(Budget::Ratio(1.0), AllocateOptions::new())
        .unwrap();
    assert!(most
        .rows()
        .unwrap()
        .iter()
        .all(|row| row.config == "int8_per_channel"));
    let totals = most.totals().unwrap();
    assert_eq!(totals.elements, 48 * 64 + 48 + 10 * 48 + 3);
    assert_eq!(totals.bytes, totals.max_bytes);

    let budget = Budget::Bytes((totals.min_bytes + totals.max_bytes) / 2);
    let found = sensitivity
        .allocate(budget, AllocateOptions::new())
        .unwrap();
    let totals = found.totals().unwrap();
    assert!(totals.proven && totals.gap == 0.0 && totals.bound == totals.loss);
    assert!(totals.bytes <= totals.budget_bytes && totals.fixed_bytes < totals.min_bytes);
    assert!(totals.lambda > 0.0 && totals.ratio > 1.0 && totals.bits > 1.0);
    let rows = found.rows().unwrap();
    let losses: f64 = rows.iter().map(|row| row.loss).sum();
    assert!((losses - totals.loss).abs() <= 1e-12 * totals.loss);
    assert!(rows.iter().any(|row| row.upgrade.is_some()));
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row.kind, LayerKind::of(&row.name).unwrap());
        assert_eq!((row.tied_to, row.pinned), (index, false));
        assert_eq!(row.bits, row.bytes as f64 * 8.0 / row.elements as f64);
    }

    // The plan takes what it says, and so does the estimate.
    let (plan, input) = (found.plan().unwrap(), model.dir.path("model.safetensors"));
    let output = model.dir.path("model.bnq");
    let options = WriteOptions::new();
    quantize_file(&model.context, &plan, &input, &output, options, no_progress).unwrap();
    let written = fs::metadata(&output).unwrap().len();
    assert!(written <= totals.bytes && totals.bytes <= written + 63);
    let estimate = estimate_file(&model.context, &plan, &input, 0).unwrap();
    assert_eq!(estimate.file_bytes, written);
    assert_eq!(estimate.report.len(), 4);
    let shards = estimate_file(&model.context, &plan, &input, 1024).unwrap();
    assert!(shards.file_bytes > written);
}

#[test]
fn plans_pin_and_ties_hold() {
    let model = Model::new();
    let sensitivity = model.of_candidates();
    let plan: Plan = "fc1 -> ternary\ntie fc1 fc2".parse().unwrap();
    let options = AllocateOptions::new().plan(&plan);
    let rows = sensitivity
        .allocate(Budget::Bits(16.0), options)
        .unwrap()
        .rows()
        .unwrap();
    assert!(rows[0].pinned && rows[1].tied_to == 0, "{:?}", rows);
    assert_eq!(
        (rows[0].config.as_str(), rows[1].config.as_str()),
        ("ternary", "ternary")
    );
    refused(
        sensitivity.allocate(Budget::Bytes(10), AllocateOptions::new()),
        &["budget = 10", "must be at least", "fc1.weight"],
    );
    let pinned: Plan = "fc1 -> nf4".parse().unwrap();
    refused(
        sensitivity.allocate(Budget::Bits(8.0), AllocateOptions::new().plan(&pinned)),
        &["fc1.weight", "nf4"],
    );
}

/// Names that are tied unless somebody wants them apart.
#[test]
fn fused_tensors_come_apart_on_request() {
    let model = Model::new();
    let json = model.of_candidates().to_json().unwrap();
    let json = json
        .replace("fc1.weight", "q_proj")
        .replace("fc2.weight", "k_proj");
    let mut sensitivity = Sensitivity::from_json(&json).unwrap();
    sensitivity.set_weight("q_proj", 1e6).unwrap();
    let fused = sensitivity
        .allocate(Budget::Bits(7.9), AllocateOptions::new())
        .unwrap()
        .rows()
        .unwrap();
    assert_eq!(fused[0].tied_to, fused[1].tied_to);
    assert_eq!(fused[0].config, fused[1].config);
    let apart = AllocateOptions::new().fused_apart(true).experts_apart(true);
    let apart = sensitivity
        .allocate(Budget::Bits(7.9), apart)
        .unwrap()
        .rows()
        .unwrap();
    assert_eq!((apart[0].tied_to, apart[1].tied_to), (0, 1));
}
