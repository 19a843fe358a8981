//! What fake quantization of a layer lost, over the steps of training.

use crate::error::{check, Result};
use crate::ffi::{length, Handle};
use bitnet_quant_sys as sys;
use std::fmt;
use std::ptr;

/// What [`TrainingStatistics`] add up to. NaN where there are no elements.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TrainingSummary {
    /// Arrays that were fake quantized.
    pub steps: u64,
    /// Their elements.
    pub elements: u64,
    /// Of these, those whose code would lie beyond those there are.
    pub clipped: u64,
    /// Their share.
    pub clipped_share: f64,
    /// The mean squared error.
    pub mse: f64,
    /// That over the mean square of the values.
    pub relative_mse: f64,
    /// The same in decibels.
    pub sqnr_db: f64,
    /// The greatest error.
    pub max_error: f64,
    /// The least of all scales.
    pub scale_min: f64,
    /// The greatest of all scales.
    pub scale_max: f64,
    /// The greatest share of a step that was clipped.
    pub worst_clipped_share: f64,
    /// The greatest relative mean squared error of a step.
    pub worst_relative_mse: f64,
}

/// A layer's: error and clipping of all arrays that
/// [`FakeQuantizer::quantize_and_record`](super::FakeQuantizer::quantize_and_record) was given
/// them with.
///
/// ```
/// use bitnet_quant::training::{FakeQuantizer, TrainingStatistics};
/// use bitnet_quant::{ArrayView, Context};
///
/// let (context, quantizer) = (Context::new(), FakeQuantizer::new("int4".parse()?));
/// let mut statistics = TrainingStatistics::new()?;
/// for step in 1..=3 {
///     let weights: Vec<f32> = (0..256).map(|i| (i as f32 * step as f32).sin()).collect();
///     let x = ArrayView::new(&weights, &[2, 128])?;
///     quantizer.quantize_and_record(&context, &x, None, &mut statistics)?;
/// }
/// let summary = statistics.summary()?;
/// assert_eq!((summary.steps, summary.elements, summary.clipped), (3, 768, 0));
/// assert!(summary.sqnr_db > 15.0);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct TrainingStatistics {
    handle: Handle<sys::bnq_training_statistics>,
}

// SAFETY: bnq.h: they may be read by threads while nobody adds to them, which takes
// `&mut TrainingStatistics`.
unsafe impl Send for TrainingStatistics {}
// SAFETY: as above.
unsafe impl Sync for TrainingStatistics {}

impl TrainingStatistics {
    /// Of no step.
    pub fn new() -> Result<TrainingStatistics> {
        // SAFETY: a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_training_statistics_create(out) })?;
        Ok(TrainingStatistics { handle })
    }

    pub(crate) fn raw_mut(&mut self) -> *mut sys::bnq_training_statistics {
        self.handle.as_ptr()
    }

    /// What they add up to.
    pub fn summary(&self) -> Result<TrainingSummary> {
        let mut values = [f64::NAN; sys::BNQ_NUM_TRAINING_STATISTICS as usize];
        // SAFETY: live statistics and a buffer of that many values.
        check(unsafe {
            sys::bnq_training_statistics_values(
                self.handle.as_ptr(),
                values.as_mut_ptr(),
                values.len() as u32,
            )
        })?;
        let value = |position: i32| values[position as usize];
        Ok(TrainingSummary {
            steps: value(sys::BNQ_TRAINING_STATISTIC_STEPS) as u64,
            elements: value(sys::BNQ_TRAINING_STATISTIC_ELEMENTS) as u64,
            clipped: value(sys::BNQ_TRAINING_STATISTIC_CLIPPED) as u64,
            clipped_share: value(sys::BNQ_TRAINING_STATISTIC_CLIPPED_SHARE),
            mse: value(sys::BNQ_TRAINING_STATISTIC_MSE),
            relative_mse: value(sys::BNQ_TRAINING_STATISTIC_RELATIVE_MSE),
            sqnr_db: value(sys::BNQ_TRAINING_STATISTIC_SQNR_DB),
            max_error: value(sys::BNQ_TRAINING_STATISTIC_MAX_ERROR),
            scale_min: value(sys::BNQ_TRAINING_STATISTIC_SCALE_MIN),
            scale_max: value(sys::BNQ_TRAINING_STATISTIC_SCALE_MAX),
            worst_clipped_share: value(sys::BNQ_TRAINING_STATISTIC_WORST_CLIPPED_SHARE),
            worst_relative_mse: value(sys::BNQ_TRAINING_STATISTIC_WORST_RELATIVE_MSE),
        })
    }

    /// Adds the steps of others. Sums are exact: the same bits in whatever order.
    pub fn merge(&mut self, other: &TrainingStatistics) -> Result<()> {
        // SAFETY: live statistics, of which those that change are borrowed mutably.
        check(unsafe {
            sys::bnq_training_statistics_merge(self.handle.as_ptr(), other.handle.as_ptr())
        })
    }

    /// As bytes, the same ones on every machine.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let raw = self.handle.as_ptr();
        let mut size = 0;
        // SAFETY: live statistics, no buffer, and a place for its size.
        check(unsafe {
            sys::bnq_training_statistics_serialize(raw, ptr::null_mut(), 0, &mut size)
        })?;
        let mut bytes = vec![0u8; length(size)];
        // SAFETY: live statistics and a buffer of that size.
        check(unsafe {
            sys::bnq_training_statistics_serialize(
                raw,
                bytes.as_mut_ptr().cast(),
                bytes.len() as u64,
                &mut size,
            )
        })?;
        Ok(bytes)
    }

    /// The statistics that [`to_bytes`](TrainingStatistics::to_bytes) was of.
    ///
    /// # Errors
    /// [`CorruptFile`](crate::Error::CorruptFile) for bytes that are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<TrainingStatistics> {
        // SAFETY: that many bytes, and a place for the handle.
        Handle::create(|out| unsafe {
            sys::bnq_training_statistics_deserialize(bytes.as_ptr().cast(), bytes.len() as u64, out)
        })
        .map(|handle| TrainingStatistics { handle })
    }
}

impl fmt::Debug for TrainingStatistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrainingStatistics")
            .field(&self.summary())
            .finish()
    }
}
