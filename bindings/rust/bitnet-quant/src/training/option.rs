//! The options of training and of phases, and the values that have names.

use crate::choice::choices;
use crate::option::option_type;
use crate::training::{Phase, Training};
use bitnet_quant_sys as sys;

option_type! {
    /// An option of a [`Training`].
    TrainingOption {
        /// The [`Estimator`].
        ESTIMATOR = BNQ_TRAINING_ESTIMATOR;
        /// The slope of [`Estimator::Slope`].
        SLOPE = BNQ_TRAINING_SLOPE;
        /// The width of [`Estimator::Soft`].
        WIDTH = BNQ_TRAINING_WIDTH;
        /// 1 for LSQ's factor of the gradients of parameters, else 0.
        GRADIENT_FACTOR = BNQ_TRAINING_GRADIENT_FACTOR;
        /// The [`Noise`].
        NOISE = BNQ_TRAINING_NOISE;
        /// How much of it, in steps of codes.
        NOISE_AMOUNT = BNQ_TRAINING_NOISE_AMOUNT;
        /// 0 is hard, 1 is no quantization.
        TEMPERATURE = BNQ_TRAINING_TEMPERATURE;
        /// That with which a value is quantized at all.
        PROBABILITY = BNQ_TRAINING_PROBABILITY;
        /// What it is drawn for: [`DrawnBy`].
        PROBABILITY_OF = BNQ_TRAINING_PROBABILITY_OF;
        /// Of noise and probability.
        SEED = BNQ_TRAINING_SEED;
    }
    /// The options of training that the library has.
    fn training_options() of BNQ_OPTIONS_TRAINING;
    parse(option, text) {
        Training::builder().set(option.name(), text).build()?.get(option)
    }
}

option_type! {
    /// An option of a [`Phase`].
    PhaseOption {
        /// It ends after so many.
        STEPS = BNQ_PHASE_STEPS;
        /// Of codes.
        BITS = BNQ_PHASE_BITS;
        /// It ends after so many losses in a row none of which was better.
        PATIENCE = BNQ_PHASE_PATIENCE;
        /// By what share of the best a loss is less that is better.
        IMPROVEMENT = BNQ_PHASE_IMPROVEMENT;
        /// It ends once the quantization error is this or less; 0: not by that.
        MAX_ERROR = BNQ_PHASE_MAX_ERROR;
        /// The temperature in its first step.
        TEMPERATURE_BEGIN = BNQ_PHASE_TEMPERATURE_BEGIN;
        /// The temperature in its last step.
        TEMPERATURE_END = BNQ_PHASE_TEMPERATURE_END;
        /// The share of the elements that are quantized in its first step.
        SHARE_BEGIN = BNQ_PHASE_SHARE_BEGIN;
        /// The same in its last step.
        SHARE_END = BNQ_PHASE_SHARE_END;
        /// The share of the layers that are quantized in its first step.
        LAYERS_BEGIN = BNQ_PHASE_LAYERS_BEGIN;
        /// The same in its last step.
        LAYERS_END = BNQ_PHASE_LAYERS_END;
    }
    /// The options of phases that the library has.
    fn phase_options() of BNQ_OPTIONS_PHASE;
    parse(option, text) {
        Phase::builder().set(option.name(), text).build()?.get(option)
    }
}

choices! {
    /// How a gradient dy passes through quantization. A value is clipped where its code would
    /// lie beyond those there are.
    Estimator: TrainingOption::ESTIMATOR {
        /// dy, and 0 where clipped: the default.
        Clipped = BNQ_ESTIMATOR_CLIPPED,
        /// dy: the standard straight-through estimator.
        StraightThrough = BNQ_ESTIMATOR_STRAIGHT_THROUGH,
        /// dy * (1 - tanh(u / width)^2), u from -1 at the least to 1 at the greatest code.
        Soft = BNQ_ESTIMATOR_SOFT,
        /// dy, and slope * dy where clipped; the slope may be learned.
        Slope = BNQ_ESTIMATOR_SLOPE,
    }
    /// What is added to a value, held within the range, in place of rounding it.
    Noise: TrainingOption::NOISE {
        /// Nothing: it is rounded.
        None = BNQ_NOISE_NONE,
        /// amount * scale * u, u uniform in -0.5 to 0.5.
        Uniform = BNQ_NOISE_UNIFORM,
        /// The same with u normal, of standard deviation 1.
        Gaussian = BNQ_NOISE_GAUSSIAN,
    }
    /// For what is drawn whether it is quantized.
    DrawnBy: TrainingOption::PROBABILITY_OF {
        /// Each element.
        Element = BNQ_DRAWN_BY_ELEMENT,
        /// The whole array.
        Layer = BNQ_DRAWN_BY_LAYER,
    }
}
