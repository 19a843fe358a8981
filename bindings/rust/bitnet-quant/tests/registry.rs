//! What the library says about itself.

use bitnet_quant::{
    check_library, dynamic_map, formats, options, targets, version, Config, ConfigOption, DType,
    Error, Format,
};

#[test]
fn library() {
    check_library().unwrap();
    let version = version();
    assert!((version.major, version.minor) >= (0, 1), "{}", version);
    assert_eq!(version.to_string().split('.').count(), 3);
    let targets = targets();
    let active: Vec<_> = targets.iter().filter(|target| target.active).collect();
    assert_eq!(active.len(), 1, "{:?}", targets);
    assert!(active[0].supported, "{:?}", targets);
}

#[test]
fn dtypes() {
    let known = [
        DType::F32,
        DType::F16,
        DType::BF16,
        DType::F64,
        DType::I8,
        DType::U8,
        DType::I16,
        DType::U16,
        DType::I32,
        DType::U32,
        DType::I64,
        DType::U64,
        DType::BOOL,
        DType::C64,
        DType::F8_E4M3,
        DType::F8_E5M2,
        DType::F8_E8M0,
        DType::F8_E4M3FNUZ,
        DType::F8_E5M2FNUZ,
        DType::F6_E2M3,
        DType::F6_E3M2,
        DType::F4,
    ];
    for dtype in known {
        assert_eq!(dtype.name().parse::<DType>().unwrap(), dtype);
        assert_eq!(dtype.name().to_lowercase().parse::<DType>().unwrap(), dtype);
        assert!((4..=64).contains(&dtype.bits()), "{:?}", dtype);
    }
    assert_eq!(DType::BF16.to_string(), "BF16");
    assert_eq!(DType::F32.bits(), 32);
    assert!(matches!("F31".parse::<DType>(), Err(Error::NotFound(text)) if text.contains("F31")));
    assert!(matches!(
        "F3\x002".parse::<DType>(),
        Err(Error::InvalidArgument(_))
    ));
}

#[test]
fn formats_and_their_properties() {
    let formats = formats();
    for format in [
        Format::TERNARY,
        Format::INT8,
        Format::INT4,
        Format::NF4,
        Format::FP4,
        Format::F16,
        Format::BF16,
        Format::INT2,
        Format::INT3,
        Format::INT5,
        Format::INT6,
        Format::BINARY,
        Format::E2M1,
        Format::E4M3,
        Format::E5M2,
        Format::CODEBOOK2,
        Format::CODEBOOK3,
        Format::CODEBOOK4,
    ] {
        assert!(formats.contains(&format), "{:?}", format);
    }
    assert!(!formats.contains(&Format::NONE));
    for format in formats {
        assert_eq!(format.name().parse::<Format>().unwrap(), format);
        assert!(!format.description().is_empty());
        assert!(format.min_group_size().unwrap() >= 1);
        let codes = format.code_range().unwrap();
        // Binary has no code for 0.
        let count = codes.end() - codes.start() + i64::from(format != Format::BINARY);
        assert!(
            count <= 1 << format.code_bits().unwrap(),
            "{:?} {:?}",
            format,
            codes
        );
        // Zero points and rounding are of integers, which have scales.
        let integer = format.is_integer().unwrap();
        assert!(integer || !format.supports_asymmetric().unwrap());
        assert!(!integer || format.has_scales().unwrap());
    }
    assert_eq!(Format::TERNARY.code_range().unwrap(), -1..=1);
    assert_eq!(Format::TERNARY.code_bits().unwrap(), 2);
    assert!(!Format::TERNARY.supports_asymmetric().unwrap());
    assert_eq!(Format::INT8.code_range().unwrap(), -128..=127);
    assert!(Format::INT8.supports_asymmetric().unwrap());
    assert_eq!(Format::INT4.code_range().unwrap(), -8..=7);
    assert_eq!(Format::NF4.code_range().unwrap(), 0..=15);
    assert!(!Format::NF4.is_integer().unwrap() && Format::NF4.has_scales().unwrap());
    assert!(!Format::BF16.has_scales().unwrap());
    assert_eq!(Format::NONE.name(), "none");
    let error = "int9".parse::<Format>().unwrap_err();
    assert!(
        matches!(&error, Error::NotFound(text) if text.contains("ternary")),
        "{}",
        error
    );
}

#[test]
fn options_and_their_bounds() {
    let defaults = Config::new().unwrap();
    let options = options();
    for option in [
        ConfigOption::FORMAT,
        ConfigOption::GRANULARITY,
        ConfigOption::GROUP_SIZE,
        ConfigOption::AXIS,
        ConfigOption::SCHEME,
        ConfigOption::CLIP,
        ConfigOption::NON_FINITE,
        ConfigOption::ROUNDING,
        ConfigOption::SEED,
        ConfigOption::SCALE_RULE,
        ConfigOption::PERCENTILE,
        ConfigOption::SYMMETRIC_RANGE,
        ConfigOption::SCALE_DTYPE,
        ConfigOption::DOUBLE_QUANT,
        ConfigOption::PACKING,
        ConfigOption::OUTLIER_THRESHOLD,
    ] {
        assert!(options.contains(&option), "{:?}", option);
    }
    for option in options {
        assert_eq!(option.name().parse::<ConfigOption>().unwrap(), option);
        let bounds = option.bounds().unwrap();
        assert_eq!(
            defaults.get(option).unwrap(),
            bounds.default,
            "{:?}",
            option
        );
        // Every default can be set by name, as a number and as its name.
        let text = match option.value_name(bounds.default) {
            Some(name) => name.to_string(),
            None => bounds.default.to_string(),
        };
        let config = Config::builder().set(option.name(), text).build().unwrap();
        assert_eq!(config.get(option).unwrap(), bounds.default, "{:?}", option);
    }
    assert!(matches!(
        "group_sise".parse::<ConfigOption>(),
        Err(Error::NotFound(_))
    ));
}

#[test]
fn the_dynamic_map_ascends_from_minus_1_to_1() {
    let map = dynamic_map();
    assert_eq!(map.len(), 256);
    assert!(map.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", map);
    assert!(
        map.contains(&0.0) && map[0] > -1.0 && map[255] == 1.0,
        "{:?}",
        map
    );
}

#[test]
fn what_goes_with_a_format() {
    Format::INT8.check("scheme", "offset").unwrap();
    Format::INT8.check("outlier_threshold", 6.5).unwrap();
    let refused: Config = "nf4,scheme=offset".parse().unwrap();
    let alone = Format::NF4.check("scheme", "offset").unwrap_err();
    assert!(matches!(&alone, Error::Unsupported(text) if text.contains("scheme = offset")));
    let whole = refused.check().unwrap_err();
    assert_eq!(alone.to_string(), whole.to_string());
    assert!(refused.bits_per_weight().is_err());
    let misspelt = Format::NF4.check("shceme", "offset");
    assert!(
        matches!(misspelt, Err(Error::NotFound(_))),
        "{:?}",
        misspelt
    );
    let preset = Config::preset("nf4").unwrap();
    preset.check().unwrap();
    assert_eq!(preset.bits_per_weight().unwrap(), 4.5);
    assert_eq!(preset.advice().unwrap(), "");
    let share: Config = "int8,percentile=0.999".parse().unwrap();
    assert!(share.advice().unwrap().ends_with("did you mean 99.9?"));
}
