//! How training quantizes.

use crate::error::Result;
use crate::ffi::Handle;
use crate::option::{self, OptionValue};
use crate::training::{training_options, DrawnBy, Estimator, Noise, TrainingOption};
use bitnet_quant_sys as sys;
use std::fmt;

/// How training quantizes: the estimator of gradients, noise in place of rounding, values that
/// are quantized in part or at random. Unchangeable once built.
///
/// All draws are counter-based: the same for the same seed and position on every machine.
///
/// ```
/// use bitnet_quant::training::{Estimator, Noise, Training};
///
/// let training = Training::builder()
///     .estimator(Estimator::Slope)
///     .slope(0.1)
///     .noise(Noise::Gaussian, 0.5)
///     .seed(7)
///     .build()?;
/// let softer = training.to_builder().temperature(0.5).build()?;
/// assert_eq!(softer.get("slope".parse()?)?, training.get("slope".parse()?)?);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct Training {
    handle: Handle<sys::bnq_training>,
}

// SAFETY: bnq.h: it may be shared by threads while nobody sets its options, which takes
// `&mut Training`.
unsafe impl Send for Training {}
// SAFETY: as above.
unsafe impl Sync for Training {}

impl Training {
    /// Every option at its default: values of codes, and a gradient that passes within the
    /// range.
    pub fn new() -> Result<Training> {
        // SAFETY: a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_training_create(out) })?;
        Ok(Training { handle })
    }

    /// Starts from the defaults.
    pub fn builder() -> TrainingBuilder {
        TrainingBuilder {
            training: Training::new(),
        }
    }

    /// Starts from a copy of this one.
    pub fn to_builder(&self) -> TrainingBuilder {
        TrainingBuilder {
            training: self.try_clone(),
        }
    }

    pub(crate) fn try_clone(&self) -> Result<Training> {
        let mut copy = TrainingBuilder {
            training: Training::new(),
        };
        for option in training_options() {
            copy = match self.get(option)? {
                OptionValue::Int(value) => copy.int(option, value),
                OptionValue::Float(value) => copy.float(option, value),
            };
        }
        copy.build()
    }

    pub(crate) fn raw(&self) -> *const sys::bnq_training {
        self.handle.as_ptr()
    }

    pub(crate) fn raw_mut(&mut self) -> *mut sys::bnq_training {
        self.handle.as_ptr()
    }

    /// The value of any option. [`Unsupported`](crate::Error::Unsupported) where the library
    /// does not have it.
    pub fn get(&self, option: TrainingOption) -> Result<OptionValue> {
        // SAFETY: a live handle.
        unsafe { option.read(sys::bnq_training_options(self.raw())) }
    }
}

impl fmt::Debug for Training {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        option::debug("Training", f, |option| self.get(option))
    }
}

/// Sets the options of a [`Training`]. The first one that is refused is the error of
/// [`build`](TrainingBuilder::build); those set after it are ignored.
#[derive(Debug)]
#[must_use = "a builder makes nothing until build() is called"]
pub struct TrainingBuilder {
    training: Result<Training>,
}

impl TrainingBuilder {
    fn then(mut self, set: impl FnOnce(*mut sys::bnq_options) -> Result<()>) -> TrainingBuilder {
        if let Ok(training) = &mut self.training {
            // SAFETY: a live handle that nobody else has.
            let options = unsafe { sys::bnq_training_settings(training.raw_mut()) };
            if let Err(error) = set(options) {
                self.training = Err(error);
            }
        }
        self
    }

    fn int(self, option: TrainingOption, value: i64) -> TrainingBuilder {
        // SAFETY: the options of a live handle that nobody else has.
        self.then(|options| unsafe { option::set_int(options, option.id(), value) })
    }

    fn float(self, option: TrainingOption, value: f64) -> TrainingBuilder {
        // SAFETY: the options of a live handle that nobody else has.
        self.then(|options| unsafe { option::set_float(options, option.id(), value) })
    }

    /// How gradients pass; [`Estimator::Clipped`] by default.
    pub fn estimator(self, estimator: Estimator) -> TrainingBuilder {
        self.int(TrainingOption::ESTIMATOR, estimator as i64)
    }

    /// The slope of [`Estimator::Slope`].
    pub fn slope(self, slope: f64) -> TrainingBuilder {
        self.float(TrainingOption::SLOPE, slope)
    }

    /// The width of [`Estimator::Soft`].
    pub fn width(self, width: f64) -> TrainingBuilder {
        self.float(TrainingOption::WIDTH, width)
    }

    /// Whether gradients of scales, zero points and offsets have LSQ's factor
    /// 1 / sqrt(elements that share one * greatest code); not by default.
    pub fn gradient_factor(self, on: bool) -> TrainingBuilder {
        self.int(TrainingOption::GRADIENT_FACTOR, on.into())
    }

    /// Noise in place of rounding, and how much, in steps of codes.
    pub fn noise(self, noise: Noise, amount: f64) -> TrainingBuilder {
        self.int(TrainingOption::NOISE, noise as i64)
            .float(TrainingOption::NOISE_AMOUNT, amount)
    }

    /// y = q + temperature * (x - q), where q is the value of the code: 0, the default, is
    /// hard, 1 is no quantization.
    pub fn temperature(self, temperature: f64) -> TrainingBuilder {
        self.float(TrainingOption::TEMPERATURE, temperature)
    }

    /// The probability with which a value is quantized at all, and what it is drawn for.
    pub fn probability(self, probability: f64, of: DrawnBy) -> TrainingBuilder {
        self.float(TrainingOption::PROBABILITY, probability)
            .int(TrainingOption::PROBABILITY_OF, of as i64)
    }

    /// The seed of noise and probability. Stochastic rounding has one in the config.
    pub fn seed(self, seed: i64) -> TrainingBuilder {
        self.int(TrainingOption::SEED, seed)
    }

    /// Any option of the library by its name, and its value by name or number:
    /// `("estimator", "soft")`. See [`training_options`] for what there is.
    pub fn set(self, option: &str, value: impl fmt::Display) -> TrainingBuilder {
        // SAFETY: the options of a live handle that nobody else has.
        self.then(|options| unsafe { option::set_text(options, option, &value) })
    }

    /// The options.
    ///
    /// # Errors
    /// As [`ConfigBuilder::build`](crate::ConfigBuilder::build).
    pub fn build(self) -> Result<Training> {
        self.training
    }
}
