//! What to quantize into.

use crate::choice::{
    Choice, Granularity, NonFinite, Packing, Rounding, ScaleDType, ScaleRule, Scheme,
    SymmetricRange,
};
use crate::error::{check, Error, Result};
use crate::ffi::{self, Handle};
use crate::library::expect_library;
use crate::option::{self, ConfigOption, OptionValue};
use crate::registry::Format;
use bitnet_quant_sys as sys;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What to quantize into: a set of options, unchangeable once built.
///
/// Options are checked one by one when set and together when used: a format may
/// not support an otherwise legal combination
/// ([`Error::Unsupported`](crate::Error::Unsupported)). Configs are equal if all
/// their options are.
///
/// A config has a text form, `option=value` items between commas, the format first
/// and then every option that is not at its default. The reverse also takes the name
/// of a preset ([`presets`]) as the first item.
///
/// ```
/// use bitnet_quant::{Config, Format, Granularity};
///
/// let config = Config::builder()
///     .format(Format::INT8)
///     .granularity(Granularity::Group)
///     .group_size(64)
///     .set("scheme", "asymmetric") // any option, by name
///     .build()?;
/// assert_eq!(config.group_size()?, 64);
///
/// let config: Config = "nf4_double_quant,group_size=128".parse()?;
/// assert_eq!(config.format()?, Format::NF4);
/// assert_eq!(config.to_string().parse::<Config>()?, config);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct Config {
    handle: Handle<sys::bnq_config>,
}

// SAFETY: bnq.h lets any thread use a config, and several at once while nobody
// modifies it; nothing takes `&Config` to modify it.
unsafe impl Send for Config {}
// SAFETY: as above.
unsafe impl Sync for Config {}

impl Config {
    /// A config with every option at its default: ternary, groups of 128 columns.
    pub fn new() -> Result<Config> {
        // SAFETY: a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_config_create(out) })?;
        Ok(Config { handle })
    }

    /// The preset of that name, see [`presets`], or the format of that name where there
    /// is no such preset.
    /// [`NotFound`](crate::Error::NotFound) lists them.
    pub fn preset(name: &str) -> Result<Config> {
        let name = ffi::c_string("preset", name)?;
        // SAFETY: a C string and a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_config_from_preset(name.as_ptr(), out) })
            .map(Config::from_handle)
    }

    /// What post-training quantization makes of weights unless something else is asked for:
    /// int8, symmetric, per channel.
    pub fn for_weights() -> Result<Config> {
        Config::for_role(sys::BNQ_ROLE_WEIGHTS)
    }

    /// The same of activations: int8, symmetric, with one scale.
    pub fn for_activations() -> Result<Config> {
        Config::for_role(sys::BNQ_ROLE_ACTIVATIONS)
    }

    fn for_role(role: i32) -> Result<Config> {
        // SAFETY: any role is accepted; a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_post_training_config(role, out) })
            .map(Config::from_handle)
    }

    /// From options by name with values by name or number, as in
    /// [`ConfigBuilder::set`]: a `&BTreeMap<String, String>`, or any other pairs.
    pub fn from_map<K, V>(options: impl IntoIterator<Item = (K, V)>) -> Result<Config>
    where
        K: AsRef<str>,
        V: fmt::Display,
    {
        let set =
            |builder: ConfigBuilder, (option, value): (K, V)| builder.set(option.as_ref(), value);
        options.into_iter().fold(Config::builder(), set).build()
    }

    /// The format, and every option that is not at its default, by name with the name
    /// or number of its value: the items of the text form.
    pub fn to_map(&self) -> Result<BTreeMap<String, String>> {
        let text = self.to_text()?;
        let items = text.split(',').filter_map(|item| item.split_once('='));
        Ok(items.map(|(k, v)| (k.to_string(), v.to_string())).collect())
    }

    /// What is accepted but hardly meant, for people: "percentile = 0.999 is of a hundred,
    /// did you mean 99.9?"; empty where there is nothing to say.
    pub fn advice(&self) -> Result<String> {
        // SAFETY: a live config, whose options live as long.
        ffi::text_of(|text, size, out_size| unsafe {
            sys::bnq_options_advice(sys::bnq_config_options(self.raw()), text, size, out_size)
        })
    }

    /// Whether options and format go together.
    ///
    /// # Errors
    /// What quantizing would say: [`Unsupported`](crate::Error::Unsupported), or
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for the format none.
    pub fn check(&self) -> Result<()> {
        // SAFETY: a live config.
        check(unsafe { sys::bnq_config_check(self.raw()) })
    }

    /// Bits that a weight of a large matrix (4096 x 4096) takes, with its share of
    /// scales and all other parts, without outliers.
    ///
    /// # Errors
    /// As [`check`](Config::check).
    pub fn bits_per_weight(&self) -> Result<f64> {
        let mut bits = 0.0;
        // SAFETY: a live config and a place for the number.
        check(unsafe { sys::bnq_config_bits_per_weight(self.raw(), &mut bits) })?;
        Ok(bits)
    }

    /// The next config of the ladder nf4 (and whatever has less than 8 bits a weight),
    /// int8_outliers, int8_per_channel, none.
    pub fn step_up(&self) -> Result<Config> {
        // SAFETY: a live config and a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_config_step_up(self.raw(), out) })
            .map(Config::from_handle)
    }

    fn to_text(&self) -> Result<String> {
        // SAFETY: a live config.
        ffi::text_of(|text, size, out_size| unsafe {
            sys::bnq_config_to_text(self.raw(), text, size, out_size)
        })
    }

    /// Starts from the defaults.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder {
            config: Config::new(),
        }
    }

    /// Starts from a copy of this config.
    pub fn to_builder(&self) -> ConfigBuilder {
        ConfigBuilder {
            config: self.try_clone(),
        }
    }

    fn try_clone(&self) -> Result<Config> {
        // SAFETY: a live config and a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_config_clone(self.raw(), out) })?;
        Ok(Config { handle })
    }

    pub(crate) fn from_handle(handle: Handle<sys::bnq_config>) -> Config {
        Config { handle }
    }

    pub(crate) fn raw(&self) -> *const sys::bnq_config {
        self.handle.as_ptr()
    }

    pub(crate) fn raw_mut(&mut self) -> *mut sys::bnq_config {
        self.handle.as_ptr()
    }

    /// The value of any option.
    /// [`Error::Unsupported`](crate::Error::Unsupported) where the library does not
    /// have it.
    pub fn get(&self, option: ConfigOption) -> Result<OptionValue> {
        // SAFETY: a live config.
        unsafe { option.read(self.options()) }
    }

    fn choice<T: Choice<Of = ConfigOption>>(&self) -> Result<T> {
        T::from_option(self.get(T::OPTION)?)
    }

    fn options(&self) -> *const sys::bnq_options {
        // SAFETY: a live config.
        unsafe { sys::bnq_config_options(self.raw()) }
    }

    fn int(&self, option: ConfigOption) -> Result<i64> {
        // SAFETY: the options of a live config.
        unsafe { option::int(self.options(), option.id()) }
    }

    fn float(&self, option: ConfigOption) -> Result<f64> {
        // SAFETY: the options of a live config.
        unsafe { option::float(self.options(), option.id()) }
    }

    /// The format.
    pub fn format(&self) -> Result<Format> {
        self.choice()
    }

    /// How many elements share a scale.
    pub fn granularity(&self) -> Result<Granularity> {
        self.choice()
    }

    /// Columns of a group, or elements of a block.
    pub fn group_size(&self) -> Result<u64> {
        Ok(self.int(ConfigOption::GROUP_SIZE)? as u64)
    }

    /// The dimension of per-channel parameters; negative from the end.
    pub fn axis(&self) -> Result<i32> {
        Ok(self.int(ConfigOption::AXIS)? as i32)
    }

    /// Symmetric or asymmetric.
    pub fn scheme(&self) -> Result<Scheme> {
        self.choice()
    }

    /// Values beyond +-clip count as +-clip; 0 for none.
    pub fn clip(&self) -> Result<f64> {
        self.float(ConfigOption::CLIP)
    }

    /// What NaN and infinity do.
    pub fn non_finite(&self) -> Result<NonFinite> {
        self.choice()
    }

    /// How x / scale becomes an integer.
    pub fn rounding(&self) -> Result<Rounding> {
        self.choice()
    }

    /// The seed of stochastic rounding.
    pub fn seed(&self) -> Result<u64> {
        Ok(self.int(ConfigOption::SEED)? as u64)
    }

    /// What a scale is made from.
    pub fn scale_rule(&self) -> Result<ScaleRule> {
        self.choice()
    }

    /// The percentage of [`ScaleRule::Percentile`].
    pub fn percentile(&self) -> Result<f64> {
        self.float(ConfigOption::PERCENTILE)
    }

    /// The codes and scale of symmetric integers.
    pub fn symmetric_range(&self) -> Result<SymmetricRange> {
        self.choice()
    }

    /// How scales are stored.
    pub fn scale_dtype(&self) -> Result<ScaleDType> {
        self.choice()
    }

    /// Whether scales are stored in 8 bits with scales of their own.
    pub fn double_quant(&self) -> Result<bool> {
        Ok(self.int(ConfigOption::DOUBLE_QUANT)? != 0)
    }

    /// How codes become bytes.
    pub fn packing(&self) -> Result<Packing> {
        self.choice()
    }

    /// Columns with some |x| at or above it are outliers; 0 for none.
    pub fn outlier_threshold(&self) -> Result<f64> {
        self.float(ConfigOption::OUTLIER_THRESHOLD)
    }

    /// Whether e4m3 and e5m2 take what is beyond their greatest value for it.
    pub fn saturate(&self) -> Result<bool> {
        Ok(self.int(ConfigOption::SATURATE)? != 0)
    }
}

impl Clone for Config {
    /// # Panics
    /// If there is no memory for the copy.
    fn clone(&self) -> Config {
        self.try_clone()
            .unwrap_or_else(|error| panic!("copying a config: {}", error))
    }
}

impl PartialEq for Config {
    fn eq(&self, other: &Config) -> bool {
        let mut equal = 0;
        // SAFETY: live configs and a place for the answer.
        check(unsafe { sys::bnq_config_equal(self.raw(), other.raw(), &mut equal) })
            .expect("live configs can be compared");
        equal != 0
    }
}

// No option can be NaN.
impl Eq for Config {}

impl FromStr for Config {
    type Err = Error;

    /// From the text form; blanks around its items do not count.
    ///
    /// # Errors
    /// [`NotFound`](crate::Error::NotFound) for an unknown option or preset,
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for a bad value.
    fn from_str(text: &str) -> Result<Config> {
        let text = ffi::c_string("config", text)?;
        // SAFETY: a C string and a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_config_from_text(text.as_ptr(), out) })
            .map(Config::from_handle)
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_text().map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        option::debug("Config", f, |option| self.get(option))
    }
}

/// Sets the options of a [`Config`]. The first one that is refused is the error of
/// [`build`](ConfigBuilder::build); those set after it are ignored.
#[derive(Debug)]
#[must_use = "a builder makes nothing until build() is called"]
pub struct ConfigBuilder {
    config: Result<Config>,
}

impl ConfigBuilder {
    fn then(mut self, set: impl FnOnce(*mut sys::bnq_options) -> Result<()>) -> ConfigBuilder {
        if let Ok(config) = &self.config {
            // SAFETY: a live config.
            if let Err(error) = set(unsafe { sys::bnq_config_settings(config.handle.as_ptr()) }) {
                self.config = Err(error);
            }
        }
        self
    }

    fn int(self, option: ConfigOption, value: i64) -> ConfigBuilder {
        // SAFETY: a live config that nobody else has.
        self.then(|options| unsafe { option::set_int(options, option.id(), value) })
    }

    /// Beyond i64 the library names the bound and refuses, as for any other.
    fn unsigned(self, option: ConfigOption, value: u64) -> ConfigBuilder {
        self.int(option, i64::try_from(value).unwrap_or(i64::MAX))
    }

    fn float(self, option: ConfigOption, value: f64) -> ConfigBuilder {
        // SAFETY: a live config that nobody else has.
        self.then(|options| unsafe { option::set_float(options, option.id(), value) })
    }

    /// The format; ternary by default. With [`Format::NONE`] a
    /// [`Plan`](crate::Plan) carries tensors through.
    pub fn format(self, format: Format) -> ConfigBuilder {
        self.int(ConfigOption::FORMAT, i64::from(format.id()))
    }

    /// How many elements share a scale; those of a group by default.
    pub fn granularity(self, granularity: Granularity) -> ConfigBuilder {
        self.int(ConfigOption::GRANULARITY, granularity as i64)
    }

    /// Columns of a group, or elements of a block, from the format's smallest up; 128
    /// by default. The last group of a row, or the last block, is short where the size
    /// does not divide it.
    pub fn group_size(self, size: u64) -> ConfigBuilder {
        self.unsigned(ConfigOption::GROUP_SIZE, size)
    }

    /// The dimension of per-channel parameters, -8 to 7, negative from the end; 0
    /// by default (the output channels of a weight matrix).
    pub fn axis(self, axis: i32) -> ConfigBuilder {
        self.int(ConfigOption::AXIS, i64::from(axis))
    }

    /// Symmetric (the default) or asymmetric.
    pub fn scheme(self, scheme: Scheme) -> ConfigBuilder {
        self.int(ConfigOption::SCHEME, scheme as i64)
    }

    /// Values beyond +-clip count as +-clip; 0 (the default) for none.
    pub fn clip(self, clip: f64) -> ConfigBuilder {
        self.float(ConfigOption::CLIP, clip)
    }

    /// What NaN and infinity in the input do; an error by default.
    pub fn non_finite(self, policy: NonFinite) -> ConfigBuilder {
        self.int(ConfigOption::NON_FINITE, policy as i64)
    }

    /// How x / scale becomes an integer, of integer formats; half to even by default.
    pub fn rounding(self, rounding: Rounding) -> ConfigBuilder {
        self.int(ConfigOption::ROUNDING, rounding as i64)
    }

    /// The seed of [`Rounding::Stochastic`], 0 (the default) to 2^53.
    pub fn seed(self, seed: u64) -> ConfigBuilder {
        self.unsigned(ConfigOption::SEED, seed)
    }

    /// What a scale is made from; the format's own rule by default.
    pub fn scale_rule(self, rule: ScaleRule) -> ConfigBuilder {
        self.int(ConfigOption::SCALE_RULE, rule as i64)
    }

    /// The percentage of [`ScaleRule::Percentile`], 0 to 100; 99.9 by default.
    pub fn percentile(self, percent: f64) -> ConfigBuilder {
        self.float(ConfigOption::PERCENTILE, percent)
    }

    /// The codes and scale of symmetric integers; narrow by default.
    pub fn symmetric_range(self, range: SymmetricRange) -> ConfigBuilder {
        self.int(ConfigOption::SYMMETRIC_RANGE, range as i64)
    }

    /// How scales are stored; as `f32` by default.
    pub fn scale_dtype(self, dtype: ScaleDType) -> ConfigBuilder {
        self.int(ConfigOption::SCALE_DTYPE, dtype as i64)
    }

    /// Whether scales are stored in 8 bits with scales of their own (QLoRA), about 8.13
    /// bits a scale. Only with [`ScaleDType::F32`].
    pub fn double_quant(self, on: bool) -> ConfigBuilder {
        self.int(ConfigOption::DOUBLE_QUANT, on.into())
    }

    /// How codes become bytes; the format's own packing by default.
    pub fn packing(self, packing: Packing) -> ConfigBuilder {
        self.int(ConfigOption::PACKING, packing as i64)
    }

    /// Keeps every column of the last dimension in which some |x| is at or above
    /// `threshold` out of the codes, in 16 bits (LLM.int8); 0 (the default) keeps none.
    /// Of integer formats with [`Granularity::Token`].
    pub fn outlier_threshold(self, threshold: f64) -> ConfigBuilder {
        self.float(ConfigOption::OUTLIER_THRESHOLD, threshold)
    }

    /// Whether [`Format::E4M3`] and [`Format::E5M2`] take what is beyond their greatest
    /// value for it (the default), instead of for NaN or infinity.
    pub fn saturate(self, on: bool) -> ConfigBuilder {
        self.int(ConfigOption::SATURATE, on.into())
    }

    /// Any option of the library by its name, and its value by name or number:
    /// `("format", "int8")`, `("group_size", 64)`, `("clip", 1.5)`. See
    /// [`options`](crate::options) for what there is.
    pub fn set(self, option: &str, value: impl fmt::Display) -> ConfigBuilder {
        // SAFETY: the options of a live config that nobody else has.
        self.then(|options| unsafe { option::set_text(options, option, &value) })
    }

    /// The config.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for a value out of its
    /// bounds, [`NotFound`](crate::Error::NotFound) for an unknown option,
    /// [`Unsupported`](crate::Error::Unsupported) for one that the library is too
    /// old for, [`Incompatible`](crate::Error::Incompatible),
    /// [`OutOfMemory`](crate::Error::OutOfMemory).
    pub fn build(self) -> Result<Config> {
        self.config
    }
}

/// A config with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preset {
    /// Its name, for example "int4_per_group_128".
    pub name: &'static str,
    /// One sentence about it.
    pub description: &'static str,
}

impl Preset {
    /// The config.
    pub fn config(&self) -> Result<Config> {
        self.name.parse()
    }
}

/// The presets of the library.
///
/// # Panics
/// If the loaded library does not fit; see [`check_library`](crate::check_library).
pub fn presets() -> Vec<Preset> {
    expect_library();
    // SAFETY: names of the registry live for ever; any index is accepted.
    unsafe {
        (0..sys::bnq_preset_count())
            .filter_map(|index| {
                Some(Preset {
                    name: ffi::text(sys::bnq_preset_name(index))?,
                    description: ffi::text(sys::bnq_preset_description(index))?,
                })
            })
            .collect()
    }
}
