//! Configs: setters, names of values, text and map forms, presets.

use bitnet_quant::{
    presets, Config, ConfigOption, Error, Format, Granularity, NonFinite, OptionValue, Packing,
    Rounding, ScaleDType, ScaleRule, Scheme, SymmetricRange,
};
use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// Every option, none at its default.
fn everything() -> Config {
    Config::builder()
        .format(Format::INT8)
        .granularity(Granularity::Channel)
        .group_size(32)
        .axis(-1)
        .scheme(Scheme::Asymmetric)
        .clip(2.5)
        .non_finite(NonFinite::Zero)
        .rounding(Rounding::Stochastic)
        .seed(1 << 53)
        .scale_rule(ScaleRule::Percentile)
        .percentile(99.5)
        .symmetric_range(SymmetricRange::Extreme)
        .scale_dtype(ScaleDType::BF16)
        .double_quant(true)
        .packing(Packing::Base3)
        .outlier_threshold(6.25)
        .saturate(false)
        .build()
        .unwrap()
}

#[test]
fn typed_setters() {
    let config = everything();
    assert_eq!(config.format().unwrap(), Format::INT8);
    assert_eq!(config.granularity().unwrap(), Granularity::Channel);
    assert_eq!(config.group_size().unwrap(), 32);
    assert_eq!(config.axis().unwrap(), -1);
    assert_eq!(config.scheme().unwrap(), Scheme::Asymmetric);
    assert_eq!(config.clip().unwrap(), 2.5);
    assert_eq!(
        config.get(ConfigOption::CLIP).unwrap(),
        OptionValue::Float(2.5)
    );
    assert_eq!(config.non_finite().unwrap(), NonFinite::Zero);
    assert_eq!(config.rounding().unwrap(), Rounding::Stochastic);
    assert_eq!(config.seed().unwrap(), 1 << 53);
    assert_eq!(config.scale_rule().unwrap(), ScaleRule::Percentile);
    assert_eq!(config.percentile().unwrap(), 99.5);
    assert_eq!(config.symmetric_range().unwrap(), SymmetricRange::Extreme);
    assert_eq!(config.scale_dtype().unwrap(), ScaleDType::BF16);
    assert!(config.double_quant().unwrap());
    assert_eq!(config.packing().unwrap(), Packing::Base3);
    assert_eq!(config.outlier_threshold().unwrap(), 6.25);
    assert!(!config.saturate().unwrap());
    let defaults = Config::new().unwrap();
    for option in bitnet_quant::options() {
        assert_ne!(
            config.get(option).unwrap(),
            defaults.get(option).unwrap(),
            "{}: no setter was tried",
            option
        );
    }

    let changed = config.to_builder().axis(1).build().unwrap();
    assert_eq!((changed.axis().unwrap(), config.axis().unwrap()), (1, -1));
    assert_eq!(changed.scheme().unwrap(), Scheme::Asymmetric);
}

#[test]
fn setters_by_name() {
    let named = Config::builder()
        .set("format", Format::INT8)
        .set("granularity", Granularity::Channel)
        .set("group_size", 32)
        .set("axis", -1)
        .set("scheme", "asymmetric")
        .set("clip", 2.5)
        .set("non_finite", NonFinite::Zero)
        .set("rounding", "stochastic")
        .set("seed", 1u64 << 53)
        .set("scale_rule", ScaleRule::Percentile)
        .set("percentile", 99.5)
        .set("symmetric_range", "extreme")
        .set("scale_dtype", ScaleDType::BF16)
        .set("double_quant", "on")
        .set("packing", "base3")
        .set("outlier_threshold", 6.25)
        .set("saturate", "off")
        .build()
        .unwrap();
    assert_eq!(named, everything());
    let text = format!("{:?}", named);
    assert!(
        text.contains("format: int8, granularity: channel"),
        "{}",
        text
    );
}

#[test]
fn configs_are_equal_if_all_options_are() {
    let config = everything();
    assert_eq!(config, config.clone());
    for other in [
        config.to_builder().seed(1),
        config.to_builder().percentile(99.25),
        config.to_builder().packing(Packing::Default),
        config.to_builder().double_quant(false),
    ] {
        assert_ne!(config, other.build().unwrap());
    }
}

#[test]
fn text_and_map() {
    let config = everything();
    let text = config.to_string();
    assert!(text.starts_with("format=int8,"), "{}", text);
    assert_eq!(text.parse::<Config>().unwrap(), config);
    let map: BTreeMap<String, String> = config.to_map().unwrap();
    assert_eq!(map.len(), bitnet_quant::options().len());
    assert_eq!(map["rounding"], "stochastic");
    assert_eq!(map["outlier_threshold"].parse::<f64>().unwrap(), 6.25);
    assert_eq!(Config::from_map(&map).unwrap(), config);
    assert_eq!(
        Config::from_map([("group_size", 64), ("seed", 7)]).unwrap(),
        Config::builder().group_size(64).seed(7).build().unwrap()
    );
    // What is at its default is left out, but for the format.
    let defaults = Config::new().unwrap();
    let map = defaults.to_map().unwrap();
    assert_eq!(
        map.into_iter().collect::<Vec<_>>(),
        [("format".into(), "ternary".into())]
    );
    assert_eq!(Config::from_map([] as [(&str, &str); 0]).unwrap(), defaults);
    assert_eq!(format!("{:>16}", defaults), "  format=ternary");

    let error = "format=int8,gruop_size=64".parse::<Config>().unwrap_err();
    assert!(
        matches!(&error, Error::NotFound(text) if text.contains("gruop_size")),
        "{}",
        error
    );
    let error = Config::from_map([("scheme", "lopsided")]).unwrap_err();
    assert!(
        matches!(&error, Error::InvalidArgument(text) if text.contains("lopsided")),
        "{}",
        error
    );
    let error = "format=int8\0".parse::<Config>().unwrap_err();
    assert!(
        matches!(&error, Error::InvalidArgument(text) if text.contains("NUL")),
        "{}",
        error
    );
}

#[test]
fn presets_are_configs_with_names() {
    let presets = presets();
    for preset in &presets {
        assert!(!preset.description.is_empty(), "{}", preset.name);
        let config = preset.config().unwrap();
        assert_eq!(Config::preset(preset.name).unwrap(), config);
        assert_eq!(config.to_string().parse::<Config>().unwrap(), config);
        let more = format!("{}, clip=1.5", preset.name);
        let clipped = config.to_builder().clip(1.5).build().unwrap();
        assert_eq!(more.parse::<Config>().unwrap(), clipped);
    }
    assert_eq!(Config::preset("default").unwrap(), Config::new().unwrap());
    let error = Config::preset("int9").unwrap_err();
    match &error {
        Error::NotFound(text) => {
            assert!(text.contains("int9"), "{}", text);
            assert!(presets.iter().all(|p| text.contains(p.name)), "{}", text);
        }
        error => panic!("{}", error),
    }
    // Only names: what else from text is accepted is no preset.
    assert!(matches!(Config::preset("clip=1"), Err(Error::NotFound(_))));
}

/// Names and values there and back, and a value of a newer library.
fn choice<T>(all: &[T], names: &[&str])
where
    T: Copy + Debug + Display + PartialEq + FromStr<Err = Error>,
    T: Into<OptionValue> + TryFrom<OptionValue, Error = Error>,
{
    let found: Vec<_> = all.iter().map(T::to_string).collect();
    assert_eq!(found, names);
    for (&value, name) in all.iter().zip(names) {
        assert_eq!(name.parse::<T>().unwrap(), value);
        assert_eq!(T::try_from(value.into()).unwrap(), value);
    }
    assert!(matches!(
        "neither".parse::<T>(),
        Err(Error::InvalidArgument(_))
    ));
    assert!(matches!(
        T::try_from(OptionValue::Int(4711)),
        Err(Error::Unsupported(text)) if text.contains("4711")
    ));
    assert!(T::try_from(OptionValue::Float(0.0)).is_err());
}

#[test]
fn values_have_names() {
    choice(
        Granularity::ALL,
        &["tensor", "channel", "group", "token", "block", "tile"],
    );
    choice(Scheme::ALL, &["symmetric", "asymmetric", "offset"]);
    choice(NonFinite::ALL, &["error", "zero", "keep"]);
    choice(
        Rounding::ALL,
        &[
            "half_even",
            "half_away",
            "half_up",
            "floor",
            "ceil",
            "toward_zero",
            "stochastic",
            "half_toward_zero",
        ],
    );
    choice(
        ScaleRule::ALL,
        &["default", "absmax", "absmean", "percentile", "mse"],
    );
    choice(SymmetricRange::ALL, &["narrow", "full", "extreme"]);
    choice(ScaleDType::ALL, &["f32", "f16", "bf16", "e8m0", "e4m3"]);
    choice(Packing::ALL, &["default", "base3"]);
    assert_eq!(OptionValue::from(Format::NF4), OptionValue::Int(4));
    assert_eq!(Format::try_from(OptionValue::Int(4)).unwrap(), Format::NF4);
}

#[test]
fn the_first_bad_option_is_the_error() {
    let builder = Config::builder()
        .group_size(0)
        .set("no_such_option", 1)
        .axis(99);
    let error = builder.build().unwrap_err();
    assert!(
        matches!(&error, Error::InvalidArgument(text) if text.contains("group_size")),
        "{}",
        error
    );
    for (name, builder) in [
        ("group_size", Config::builder().group_size(u64::MAX)),
        ("clip", Config::builder().clip(f64::NAN)),
        ("seed", Config::builder().seed((1 << 53) + 1)),
        ("percentile", Config::builder().percentile(100.5)),
        (
            "outlier_threshold",
            Config::builder().outlier_threshold(-1.0),
        ),
        ("NUL", Config::builder().set("format", "int8\0")),
    ] {
        let error = builder.build().unwrap_err();
        assert!(
            matches!(&error, Error::InvalidArgument(text) if text.contains(name)),
            "{}",
            error
        );
    }
}
