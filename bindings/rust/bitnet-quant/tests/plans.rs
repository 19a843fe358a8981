//! Plans as text, mixed precision and recipes.

mod common;

use bitnet_quant::{
    Config, Context, Error, LayerKind, MixedPrecision, Plan, Recipes, Result, WriteOptions,
};
use common::{refused, TempDir};

const TEXT: &str = "kind attention = mixer\n\
                    lm_head -> none\n\
                    * kind=attention size>=64 -> int8_per_channel\n\
                    * -> nf4\n";

fn config_for(plan: &Plan, name: &str, shape: &[usize]) -> Result<Option<String>> {
    let found = plan.find_shape(name, shape)?;
    Ok(found.map(|found| {
        let config = found.config.as_ref();
        config.map_or("none".to_string(), Config::to_string)
    }))
}

#[test]
fn text_comes_back_and_decides() {
    let plan: Plan = TEXT.parse().unwrap();
    assert_eq!(plan.to_string(), TEXT);
    assert!(format!("{:?}", plan).contains("lm_head"));
    let config = |text: &str| Some(text.parse::<Config>().unwrap().to_string());
    let of = |name, shape: &[usize]| config_for(&plan, name, shape).unwrap();
    assert_eq!(of("lm_head.weight", &[8, 8]), Some("none".to_string()));
    assert_eq!(of("h.mixer.w", &[8, 8]), config("int8_per_channel"));
    assert_eq!(of("h.mixer.w", &[7, 9]), config("nf4"));
    assert_eq!(of("bias", &[64]), None);
    // A size that is not known meets no condition of one.
    let found = plan.find("h.mixer.w", 2).unwrap().unwrap();
    assert_eq!(found.rule, 2);
    assert_eq!(plan.layer_kind("h.mixer.w").unwrap(), LayerKind::ATTENTION);
    assert_eq!(LayerKind::of("h.mixer.w").unwrap(), LayerKind::OTHER);
    let names: Vec<_> = LayerKind::all().map(LayerKind::name).collect();
    assert_eq!(names[LayerKind::STATE_SPACE.id() as usize], "state_space");
    refused(plan.find_shape("x", &[1; 9]), &["shape", "rank 9"]);
}

#[test]
fn bad_text_names_its_line_and_changes_nothing() {
    let mut plan: Plan = TEXT.parse().unwrap();
    refused(
        plan.add_text("* -> nf4\n* rank>2 -> nf4", None),
        &["line 2"],
    );
    match plan.add_text("* -> int5x", None).unwrap_err() {
        Error::NotFound(message) => assert!(message.starts_with("line 1: "), "{}", message),
        error => panic!("{}", error),
    }
    assert_eq!(plan.to_string(), TEXT);
    refused("a -> nf4\0".parse::<Plan>(), &["text", "NUL"]);
}

#[test]
fn a_file_is_a_plan() {
    let dir = TempDir::new();
    let (path, context) = (dir.path("a.plan"), Context::new());
    let plan: Plan = TEXT.parse().unwrap();
    plan.save(&context, &path, WriteOptions::new()).unwrap();
    let again = Plan::load(&context, &path, None).unwrap();
    assert_eq!(again.to_string(), TEXT);
    let error = plan.save(&context, &path, WriteOptions::new());
    assert!(matches!(error, Err(Error::Exists(_))));
    let over = WriteOptions::new().overwrite(true);
    Plan::new().unwrap().save(&context, &path, over).unwrap();
    assert_eq!(Plan::load(&context, &path, None).unwrap().to_string(), "");
    let missing = Plan::load(&context, dir.path("none"), None);
    assert!(matches!(missing, Err(Error::NotFound(_))));
}

#[test]
fn defaults_and_the_ladder() {
    let nf4: Config = "nf4".parse().unwrap();
    let mut plan = Plan::new().unwrap();
    plan.add_model_defaults()
        .unwrap()
        .add_adaptive(&nf4, None, None)
        .unwrap();
    let up = nf4.step_up().unwrap();
    assert_eq!(up, "int8_outliers".parse().unwrap());
    let of = |name| config_for(&plan, name, &[8, 8]).unwrap();
    assert_eq!(of("wte.weight"), Some("none".to_string()));
    assert_eq!(of("h.0.attn.c_attn.weight"), Some(up.to_string()));
    assert_eq!(of("h.0.mlp.c_fc.weight"), Some(nf4.to_string()));
    let (fp4, int4) = ("fp4".parse().unwrap(), "int4".parse().unwrap());
    let mut given = Plan::new().unwrap();
    given.add_adaptive(&nf4, Some(&fp4), Some(&int4)).unwrap();
    let text = "* kind=attention -> fp4\n* kind=ffn -> int4_per_group_128\n* -> nf4\n";
    assert_eq!(given.to_string(), text);
}

#[test]
fn mixed_precision_by_bits() {
    let nf4: Config = "nf4".parse().unwrap();
    let plan = MixedPrecision::new()
        .layer("conv1", 2.0)
        .layer_config("fc.*", &nf4)
        .skip("head")
        .others(1.58)
        .build()
        .unwrap();
    let bits = |text: &str| Some(text.parse::<Config>().unwrap().to_string());
    let of = |name, shape: &[usize]| config_for(&plan, name, shape).unwrap();
    assert_eq!(of("conv1.weight", &[4, 4, 3, 3]), bits("bits=2"));
    assert_eq!(of("fc.weight", &[8, 8]), Some(nf4.to_string()));
    assert_eq!(of("head.weight", &[8, 8]), Some("none".to_string()));
    assert_eq!(of("x", &[8, 8]), bits("bits=1.58"));
    assert_eq!(of("x", &[8]), None);
    refused(
        MixedPrecision::new().layer("a", 7.0).build(),
        &["bits = 7", "must be one of"],
    );
    let rest = MixedPrecision::new().others_config(&nf4).build().unwrap();
    assert_eq!(rest.to_string(), "* -> nf4\n");
}

#[test]
fn recipes_have_names() {
    let small: Config = "int3,group_size=32".parse().unwrap();
    let mut recipes: Recipes = "* -> bf16\n[configs]\nb = nf4,group_size=256\n"
        .parse()
        .unwrap();
    recipes
        .add_config("small", &small)
        .unwrap()
        .add_plan("mine", &"* -> fp4".parse().unwrap())
        .unwrap()
        .add_text("[plan careful]\n* -> small\n")
        .unwrap();
    assert_eq!(recipes.config_names().collect::<Vec<_>>(), ["b", "small"]);
    assert_eq!(
        recipes.plan_names().collect::<Vec<_>>(),
        ["", "careful", "mine"]
    );
    let expected: Config = "int3,group_size=32,clip=2".parse().unwrap();
    assert_eq!(recipes.config("small,clip=2").unwrap(), expected);
    assert_eq!(recipes.plan("mine").unwrap().to_string(), "* -> fp4\n");
    assert!(matches!(recipes.plan("carefull"), Err(Error::NotFound(_))));
    let taken = recipes.add_config("nf4", &small).map(|_| ());
    assert!(matches!(taken, Err(Error::Exists(_))));

    let mut plan = Plan::new().unwrap();
    assert!(matches!(
        plan.add_text("* -> small", None),
        Err(Error::NotFound(_))
    ));
    plan.add_text("* -> small", Some(&recipes)).unwrap();
    assert_eq!(plan.find("a", 2).unwrap().unwrap().config, Some(small));

    let dir = TempDir::new();
    let (path, context) = (dir.path("recipes"), Context::new());
    recipes.save(&context, &path, WriteOptions::new()).unwrap();
    let again = Recipes::load(&context, &path).unwrap();
    assert_eq!(again.to_string(), recipes.to_string());
    let file = dir.path("a.plan");
    std::fs::write(&file, "* -> b\n").unwrap();
    assert!(Plan::load(&context, &file, None).is_err());
    assert!(Plan::load(&context, &file, Some(&again)).is_ok());
}
