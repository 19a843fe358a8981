//! What the library says about itself, and configs made from it.

use bitnet_quant::{
    check_library, formats, options, targets, version, Config, ConfigOption, DType, Error, Format,
    Granularity, NonFinite, OptionValue, Scheme,
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
    assert!(formats.contains(&Format::TERNARY) && formats.contains(&Format::INT8));
    assert!(!formats.contains(&Format::NONE));
    for format in formats {
        assert_eq!(format.name().parse::<Format>().unwrap(), format);
        assert!(!format.description().is_empty());
        assert!(format.min_group_size().unwrap() >= 1);
        let codes = format.code_range().unwrap();
        let count = codes.end() - codes.start() + 1;
        assert!(
            count <= 1 << format.code_bits().unwrap(),
            "{:?} {:?}",
            format,
            codes
        );
        format.supports_asymmetric().unwrap();
    }
    assert_eq!(Format::TERNARY.code_range().unwrap(), -1..=1);
    assert_eq!(Format::TERNARY.code_bits().unwrap(), 2);
    assert!(!Format::TERNARY.supports_asymmetric().unwrap());
    assert_eq!(Format::INT8.code_range().unwrap(), -128..=127);
    assert!(Format::INT8.supports_asymmetric().unwrap());
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
fn typed_setters() {
    let config = Config::builder()
        .format(Format::INT8)
        .granularity(Granularity::Channel)
        .group_size(32)
        .axis(-1)
        .scheme(Scheme::Asymmetric)
        .clip(2.5)
        .non_finite(NonFinite::Zero)
        .build()
        .unwrap();
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

    // The same by name, and in a copy.
    let named = Config::builder()
        .set("format", Format::INT8)
        .set("granularity", Granularity::Channel)
        .set("group_size", 32)
        .set("axis", -1)
        .set("scheme", "asymmetric")
        .set("clip", 2.5)
        .set("non_finite", NonFinite::Zero)
        .build()
        .unwrap();
    assert_eq!(format!("{:?}", named), format!("{:?}", config));
    assert_eq!(format!("{:?}", config.clone()), format!("{:?}", config));
    assert!(
        format!("{:?}", config).contains("format: int8, granularity: channel"),
        "{:?}",
        config
    );

    let changed = config.to_builder().axis(1).build().unwrap();
    assert_eq!((changed.axis().unwrap(), config.axis().unwrap()), (1, -1));
    assert_eq!(changed.scheme().unwrap(), Scheme::Asymmetric);
}

#[test]
fn value_names_agree() {
    for (value, name) in [
        (Granularity::Tensor.to_string(), "tensor"),
        (Granularity::Channel.to_string(), "channel"),
        (Granularity::Group.to_string(), "group"),
        (Scheme::Symmetric.to_string(), "symmetric"),
        (Scheme::Asymmetric.to_string(), "asymmetric"),
        (NonFinite::Error.to_string(), "error"),
        (NonFinite::Zero.to_string(), "zero"),
    ] {
        assert_eq!(value, name);
    }
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
    let error = Config::builder().group_size(u64::MAX).build().unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{}", error);
    let error = Config::builder().clip(f64::NAN).build().unwrap_err();
    assert!(
        matches!(&error, Error::InvalidArgument(text) if text.contains("clip")),
        "{}",
        error
    );
    let error = Config::builder()
        .set("format", "int8\0")
        .build()
        .unwrap_err();
    assert!(
        matches!(&error, Error::InvalidArgument(text) if text.contains("NUL")),
        "{}",
        error
    );
}
