//! Schedules: phases of training one after another.

use crate::error::{check, Result};
use crate::ffi::{length, Handle};
use crate::option::{self, OptionValue};
use crate::training::{FakeQuantizer, PhaseOption, Training};
use bitnet_quant_sys as sys;
use std::fmt;
use std::ptr;

/// A phase of a [`Schedule`]: bits, what ends it, and what is quantized from its begin to its
/// end. Unchangeable once built.
pub struct Phase {
    handle: Handle<sys::bnq_phase>,
}

// SAFETY: bnq.h: options are used as a config is: by any thread, and by several at once while
// nobody modifies them, which only the builder does.
unsafe impl Send for Phase {}
// SAFETY: as above.
unsafe impl Sync for Phase {}

impl Phase {
    /// Every option at its default: 8 bits, without an end.
    pub fn new() -> Result<Phase> {
        // SAFETY: a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_phase_create(out) })?;
        Ok(Phase { handle })
    }

    /// Starts from the defaults.
    pub fn builder() -> PhaseBuilder {
        PhaseBuilder {
            phase: Phase::new(),
        }
    }

    /// The value of any option. [`Unsupported`](crate::Error::Unsupported) where the library
    /// does not have it.
    pub fn get(&self, option: PhaseOption) -> Result<OptionValue> {
        // SAFETY: a live handle.
        unsafe { option.read(sys::bnq_phase_options(self.handle.as_ptr())) }
    }
}

impl fmt::Debug for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        option::debug("Phase", f, |option| self.get(option))
    }
}

/// Sets the options of a [`Phase`]. The first one that is refused is the error of
/// [`build`](PhaseBuilder::build); those set after it are ignored.
#[derive(Debug)]
#[must_use = "a builder makes nothing until build() is called"]
pub struct PhaseBuilder {
    phase: Result<Phase>,
}

impl PhaseBuilder {
    fn then(mut self, set: impl FnOnce(*mut sys::bnq_options) -> Result<()>) -> PhaseBuilder {
        if let Ok(phase) = &self.phase {
            // SAFETY: a live handle that nobody else has.
            let options = unsafe { sys::bnq_phase_settings(phase.handle.as_ptr()) };
            if let Err(error) = set(options) {
                self.phase = Err(error);
            }
        }
        self
    }

    fn int(self, option: PhaseOption, value: i64) -> PhaseBuilder {
        // SAFETY: the options of a live handle that nobody else has.
        self.then(|options| unsafe { option::set_int(options, option.id(), value) })
    }

    fn float(self, option: PhaseOption, value: f64) -> PhaseBuilder {
        // SAFETY: the options of a live handle that nobody else has.
        self.then(|options| unsafe { option::set_float(options, option.id(), value) })
    }

    /// Of codes: 1, 1.58, 2, 3, 4, 5, 6, 8, 16, or 32 for no quantization; 8 by default.
    pub fn bits(self, bits: f64) -> PhaseBuilder {
        self.float(PhaseOption::BITS, bits)
    }

    /// It ends after so many steps.
    pub fn steps(self, steps: i64) -> PhaseBuilder {
        self.int(PhaseOption::STEPS, steps)
    }

    /// It ends after so many losses in a row none of which was less than the best by
    /// [`improvement`](PhaseBuilder::improvement).
    pub fn patience(self, losses: i64) -> PhaseBuilder {
        self.int(PhaseOption::PATIENCE, losses)
    }

    /// The share of the best loss by which one is less that is better.
    pub fn improvement(self, share: f64) -> PhaseBuilder {
        self.float(PhaseOption::IMPROVEMENT, share)
    }

    /// It ends once the quantization error is this or less; 0, the default: not by that.
    pub fn max_error(self, error: f64) -> PhaseBuilder {
        self.float(PhaseOption::MAX_ERROR, error)
    }

    /// The temperature ([`TrainingBuilder::temperature`](super::TrainingBuilder::temperature))
    /// of its first and last step: from 1 to 0, soft to hard. Without steps it is at the end
    /// from the start; so below.
    pub fn temperature(self, begin: f64, end: f64) -> PhaseBuilder {
        self.float(PhaseOption::TEMPERATURE_BEGIN, begin)
            .float(PhaseOption::TEMPERATURE_END, end)
    }

    /// The share of the elements that are quantized in its first and last step.
    pub fn share(self, begin: f64, end: f64) -> PhaseBuilder {
        self.float(PhaseOption::SHARE_BEGIN, begin)
            .float(PhaseOption::SHARE_END, end)
    }

    /// The share of the layers that are quantized in its first and last step, from the first
    /// on.
    pub fn layers(self, begin: f64, end: f64) -> PhaseBuilder {
        self.float(PhaseOption::LAYERS_BEGIN, begin)
            .float(PhaseOption::LAYERS_END, end)
    }

    /// Any option of the library by its name, and its value by name or number. See
    /// [`phase_options`](super::phase_options) for what there is.
    pub fn set(self, option: &str, value: impl fmt::Display) -> PhaseBuilder {
        // SAFETY: the options of a live handle that nobody else has.
        self.then(|options| unsafe { option::set_text(options, option, &value) })
    }

    /// The phase.
    ///
    /// # Errors
    /// As [`ConfigBuilder::build`](crate::ConfigBuilder::build).
    pub fn build(self) -> Result<Phase> {
        self.phase
    }
}

/// Where a [`Schedule`] stands.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ScheduleState {
    /// The number of the phase, from 0.
    pub phase: usize,
    /// Steps of the phase that are done.
    pub phase_step: u64,
    /// Steps of all phases that are done.
    pub step: u64,
    /// Bits of the next step.
    pub bits: f64,
    /// Temperature of the next step.
    pub temperature: f64,
    /// Of the elements, those that are quantized in it.
    pub share: f64,
    /// Of the layers, those that are quantized in it.
    pub layers: f64,
    /// The best loss of the phase.
    pub best_loss: Option<f64>,
    /// Losses since then.
    pub since_best: u64,
    /// Whether the last phase has ended.
    pub done: bool,
}

/// Phases of training one after another: 8 to 4 to 2 to 1.58 bits, soft to hard, layer by
/// layer. Its state can be kept as bytes, so that training goes on where it was left.
///
/// ```
/// use bitnet_quant::training::{FakeQuantizer, Phase, Schedule};
/// use bitnet_quant::Format;
///
/// let mut schedule = Schedule::new(&[
///     Phase::builder().bits(8.0).steps(100).build()?,
///     Phase::builder().bits(4.0).patience(5).build()?,
///     Phase::builder().bits(1.58).steps(500).layers(0.0, 1.0).build()?,
/// ])?;
/// let quantizer = FakeQuantizer::new("int8,granularity=group,group_size=64".parse()?);
/// for step in 0..100 {
///     let ended = schedule.step(Some(1.0 / f64::from(step + 1)), None)?;
///     assert_eq!(ended, step == 99);
/// }
/// let now = schedule.apply(&quantizer, 0, 3)?.expect("quantized");
/// assert_eq!(now.config().format()?, Format::INT4);
/// let kept = schedule.to_bytes()?;
/// assert_eq!(Schedule::from_bytes(&kept)?.state()?.bits, 4.0);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct Schedule {
    handle: Handle<sys::bnq_schedule>,
}

// SAFETY: bnq.h: it may be shared by threads while nobody steps, which takes `&mut Schedule`.
unsafe impl Send for Schedule {}
// SAFETY: as above.
unsafe impl Sync for Schedule {}

impl Schedule {
    /// At the first step of the first phase.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument), naming the phase, for none at all,
    /// for bits that no codes have, and for a phase that nothing ends and that is not the
    /// last.
    pub fn new(phases: &[Phase]) -> Result<Schedule> {
        let raw: Vec<*const sys::bnq_phase> = phases
            .iter()
            .map(|phase| phase.handle.as_ptr() as *const _)
            .collect();
        // SAFETY: that many live phases, which are copied, and a place for the handle.
        Handle::create(|out| unsafe {
            sys::bnq_schedule_create(raw.as_ptr(), raw.len() as u64, out)
        })
        .map(|handle| Schedule { handle })
    }

    /// A step of training is done, with its loss and its quantization error (any measure of
    /// it), where they are known. Whether a phase ended. After the last one it stays at that
    /// one's end.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for infinity.
    pub fn step(&mut self, loss: Option<f64>, error: Option<f64>) -> Result<bool> {
        let mut ended = 0;
        // SAFETY: a live schedule, borrowed mutably, and a place for the answer.
        check(unsafe {
            sys::bnq_schedule_step(
                self.handle.as_ptr(),
                loss.unwrap_or(f64::NAN),
                error.unwrap_or(f64::NAN),
                &mut ended,
            )
        })?;
        Ok(ended != 0)
    }

    /// Where it stands.
    pub fn state(&self) -> Result<ScheduleState> {
        let mut values = [f64::NAN; sys::BNQ_NUM_SCHEDULE_VALUES as usize];
        // SAFETY: a live schedule and a buffer of that many values.
        check(unsafe {
            sys::bnq_schedule_values(
                self.handle.as_ptr(),
                values.as_mut_ptr(),
                values.len() as u32,
            )
        })?;
        let value = |position: i32| values[position as usize];
        let best_loss = value(sys::BNQ_SCHEDULE_BEST_LOSS);
        Ok(ScheduleState {
            phase: value(sys::BNQ_SCHEDULE_PHASE) as usize,
            phase_step: value(sys::BNQ_SCHEDULE_PHASE_STEP) as u64,
            step: value(sys::BNQ_SCHEDULE_STEP) as u64,
            bits: value(sys::BNQ_SCHEDULE_BITS),
            temperature: value(sys::BNQ_SCHEDULE_TEMPERATURE),
            share: value(sys::BNQ_SCHEDULE_SHARE),
            layers: value(sys::BNQ_SCHEDULE_LAYERS),
            best_loss: (!best_loss.is_nan()).then_some(best_loss),
            since_best: value(sys::BNQ_SCHEDULE_SINCE_BEST) as u64,
            done: value(sys::BNQ_SCHEDULE_DONE) != 0.0,
        })
    }

    /// What layer `layer` of `layers`, in the order in which they are quantized, is trained
    /// with in this step: a copy of `quantizer` with the format, temperature and probability
    /// of now. `None` where it is not quantized yet.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for `layer >= layers`.
    pub fn apply(
        &self, quantizer: &FakeQuantizer, layer: usize, layers: usize,
    ) -> Result<Option<FakeQuantizer>> {
        let mut config = quantizer.config().to_builder().build()?;
        let mut training = match quantizer.training() {
            Some(training) => training.try_clone()?,
            None => Training::new()?,
        };
        let mut quantized = 0;
        // SAFETY: live handles, of which those that change are borrowed mutably, and a place
        // for the answer.
        check(unsafe {
            sys::bnq_schedule_apply(
                self.handle.as_ptr(),
                layer as u64,
                layers as u64,
                config.raw_mut(),
                training.raw_mut(),
                &mut quantized,
            )
        })?;
        Ok((quantized != 0).then(|| FakeQuantizer::new(config).with_training(training)))
    }

    /// Phases and where it stands as bytes, the same ones on every machine.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let raw = self.handle.as_ptr();
        let mut size = 0;
        // SAFETY: a live schedule, no buffer, and a place for its size.
        check(unsafe { sys::bnq_schedule_serialize(raw, ptr::null_mut(), 0, &mut size) })?;
        let mut bytes = vec![0u8; length(size)];
        // SAFETY: a live schedule and a buffer of that size.
        check(unsafe {
            sys::bnq_schedule_serialize(
                raw,
                bytes.as_mut_ptr().cast(),
                bytes.len() as u64,
                &mut size,
            )
        })?;
        Ok(bytes)
    }

    /// The schedule that [`to_bytes`](Schedule::to_bytes) was of.
    ///
    /// # Errors
    /// [`CorruptFile`](crate::Error::CorruptFile) for bytes that are no schedule,
    /// [`Unsupported`](crate::Error::Unsupported) for those of a later library.
    pub fn from_bytes(bytes: &[u8]) -> Result<Schedule> {
        // SAFETY: that many bytes, and a place for the handle.
        Handle::create(|out| unsafe {
            sys::bnq_schedule_deserialize(bytes.as_ptr().cast(), bytes.len() as u64, out)
        })
        .map(|handle| Schedule { handle })
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state() {
            Ok(state) => f.debug_tuple("Schedule").field(&state).finish(),
            Err(error) => f.debug_tuple("Schedule").field(&error).finish(),
        }
    }
}
