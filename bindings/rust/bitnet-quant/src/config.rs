//! What to quantize into.

use crate::error::{check, Result};
use crate::ffi::{self, Handle};
use crate::option::{self, Choice, ConfigOption, Granularity, NonFinite, OptionValue, Scheme};
use crate::registry::Format;
use bitnet_quant_sys as sys;
use std::fmt;

/// What to quantize into: a set of options, unchangeable once built.
///
/// Options are checked one by one when set and together when used: a format may
/// not support an otherwise legal combination
/// ([`Error::Unsupported`](crate::Error::Unsupported)).
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

    pub(crate) fn raw(&self) -> *const sys::bnq_config {
        self.handle.as_ptr()
    }

    /// The value of any option.
    /// [`Error::Unsupported`](crate::Error::Unsupported) where the library does not
    /// have it.
    pub fn get(&self, option: ConfigOption) -> Result<OptionValue> {
        // SAFETY: a live config; read gives places for the values.
        option.read(
            |id, out| unsafe { sys::bnq_config_get_int(self.raw(), id, out) },
            |id, out| unsafe { sys::bnq_config_get_float(self.raw(), id, out) },
        )
    }

    fn choice<T: Choice>(&self) -> Result<T> {
        T::from_option(self.get(T::OPTION)?)
    }

    fn int(&self, option: ConfigOption) -> Result<i64> {
        let mut value = 0;
        // SAFETY: a live config and a place for the value.
        check(unsafe { sys::bnq_config_get_int(self.raw(), option.id(), &mut value) })?;
        Ok(value)
    }

    /// The format.
    pub fn format(&self) -> Result<Format> {
        self.choice()
    }

    /// How many elements share a scale.
    pub fn granularity(&self) -> Result<Granularity> {
        self.choice()
    }

    /// Columns of a group.
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
        let mut value = 0.0;
        // SAFETY: a live config and a place for the value.
        check(unsafe { sys::bnq_config_get_float(self.raw(), sys::BNQ_OPT_CLIP, &mut value) })?;
        Ok(value)
    }

    /// What NaN and infinity do.
    pub fn non_finite(&self) -> Result<NonFinite> {
        self.choice()
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
    fn then(mut self, set: impl FnOnce(*mut sys::bnq_config) -> Result<()>) -> ConfigBuilder {
        if let Ok(config) = &self.config {
            if let Err(error) = set(config.handle.as_ptr()) {
                self.config = Err(error);
            }
        }
        self
    }

    fn int(self, option: ConfigOption, value: i64) -> ConfigBuilder {
        // SAFETY: a live config that nobody else has.
        self.then(|raw| check(unsafe { sys::bnq_config_set_int(raw, option.id(), value) }))
    }

    /// The format; ternary by default.
    pub fn format(self, format: Format) -> ConfigBuilder {
        self.int(ConfigOption::FORMAT, i64::from(format.id()))
    }

    /// How many elements share a scale; those of a group by default.
    pub fn granularity(self, granularity: Granularity) -> ConfigBuilder {
        self.int(ConfigOption::GRANULARITY, granularity as i64)
    }

    /// Columns of a group, from the format's smallest up; 128 by default. The last
    /// group of a row is short where the size does not divide it.
    pub fn group_size(self, columns: u64) -> ConfigBuilder {
        // Beyond i64 the library names the bound and refuses, as for any other.
        self.int(
            ConfigOption::GROUP_SIZE,
            i64::try_from(columns).unwrap_or(i64::MAX),
        )
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
        // SAFETY: a live config that nobody else has.
        self.then(|raw| check(unsafe { sys::bnq_config_set_float(raw, sys::BNQ_OPT_CLIP, clip) }))
    }

    /// What NaN and infinity in the input do; an error by default.
    pub fn non_finite(self, policy: NonFinite) -> ConfigBuilder {
        self.int(ConfigOption::NON_FINITE, policy as i64)
    }

    /// Any option of the library by its name, and its value by name or number:
    /// `("format", "int8")`, `("group_size", 64)`, `("clip", 1.5)`. See
    /// [`options`](crate::options) for what there is.
    pub fn set(self, option: &str, value: impl fmt::Display) -> ConfigBuilder {
        self.then(|raw| {
            let value = ffi::c_string(option, &value.to_string())?;
            let option = ffi::c_string("option", option)?;
            // SAFETY: a live config that nobody else has, and C strings.
            check(unsafe { sys::bnq_config_set_text(raw, option.as_ptr(), value.as_ptr()) })
        })
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
