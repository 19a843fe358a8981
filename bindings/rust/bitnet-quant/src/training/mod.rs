//! Training with quantization: fake quantization and the gradient through it, noise, and
//! schedules.
//!
//! A network that is trained as it will be quantized loses less. What the training itself
//! needs for that is here, on plain arrays:
//!
//! | what it is called elsewhere | here |
//! |---|---|
//! | fake quantization | [`FakeQuantizer`] |
//! | straight-through estimator: standard, clipped, soft, learnable | [`Estimator`] |
//! | learned step size (LSQ), PACT | [`Gradients`] |
//! | noise injection | [`Noise`], [`TrainingBuilder::noise`] |
//! | error and clipping per layer | [`TrainingStatistics`] |
//! | temperature annealing | [`PhaseBuilder::temperature`] |
//! | progressive quantization | [`Schedule`] of [`Phase`]s |
//! | layer by layer, by share of the elements | [`PhaseBuilder::layers`], [`PhaseBuilder::share`] |
//!
//! ```
//! use bitnet_quant::training::{Estimator, FakeQuantizer, Phase, Schedule, Training};
//! use bitnet_quant::{ArrayView, Context};
//!
//! let context = Context::new();
//! let training = Training::builder().estimator(Estimator::Soft).build()?;
//! let quantizer = FakeQuantizer::new("int8".parse()?).with_training(training);
//! let mut schedule = Schedule::new(&[
//!     Phase::builder().bits(8.0).steps(2).build()?,
//!     Phase::builder().bits(1.58).steps(8).temperature(1.0, 0.0).build()?,
//! ])?;
//!
//! let mut weights: Vec<f32> = (0..256).map(|i| (i as f32).sin()).collect();
//! while !schedule.state()?.done {
//!     if let Some(now) = schedule.apply(&quantizer, 0, 1)? {
//!         let x = ArrayView::new(&weights, &[2, 128])?;
//!         let fake = now.quantize(&context, &x, None)?;
//!         // ... the network runs with the values, and gives the gradient by them ...
//!         let dy: Vec<f32> = fake.values.iter().map(|v| v - 0.5).collect();
//!         let dy = ArrayView::new(&dy, &[2, 128])?;
//!         let dx = now.gradient(&context, &x, &dy, &fake.params)?.x;
//!         weights.iter_mut().zip(dx).for_each(|(w, d)| *w -= 0.01 * d);
//!     }
//!     schedule.step(None, None)?;
//! }
//! # Ok::<(), bitnet_quant::Error>(())
//! ```

mod fake;
mod option;
mod schedule;
mod settings;
mod statistics;

pub use fake::{FakeQuantized, FakeQuantizer, Gradients, MeasuredFake, ParamGradients};
pub use option::{
    phase_options, training_options, DrawnBy, Estimator, Noise, PhaseOption, TrainingOption,
};
pub use schedule::{Phase, PhaseBuilder, Schedule, ScheduleState};
pub use settings::{Training, TrainingBuilder};
pub use statistics::{TrainingStatistics, TrainingSummary};
