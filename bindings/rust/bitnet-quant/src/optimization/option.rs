//! The options of an optimizer and those of their values that have names.

use crate::choice::choices;
use crate::optimization::Optimizer;
use crate::option::option_type;
use bitnet_quant_sys as sys;

option_type! {
    /// An option of an [`Optimizer`]. A method does not look at those of others.
    OptimizationOption {
        /// The [`OptimizationMethod`].
        METHOD = BNQ_OPTIMIZATION_METHOD;
        /// The [`Objective`].
        OBJECTIVE = BNQ_OPTIMIZATION_OBJECTIVE;
        /// The [`OptimizationScope`].
        SCOPE = BNQ_OPTIMIZATION_SCOPE;
        /// Steps of grid from the whole range of the values down.
        STEPS = BNQ_OPTIMIZATION_STEPS;
        /// The least part of the range that grid tries.
        MIN_RATIO = BNQ_OPTIMIZATION_MIN_RATIO;
        /// How often grid searches the neighbourhood of the best in half steps.
        REFINEMENTS = BNQ_OPTIMIZATION_REFINEMENTS;
        /// How far grid moves zero points.
        ZERO_POINT_STEPS = BNQ_OPTIMIZATION_ZERO_POINT_STEPS;
        /// The number of bins of [`Objective::Kl`].
        BINS = BNQ_OPTIMIZATION_BINS;
        /// The most iterations of gradient and hqq; 0 for the method's own number.
        ITERATIONS = BNQ_OPTIMIZATION_ITERATIONS;
        /// Of gradient, in parts of a scale.
        LEARNING_RATE = BNQ_OPTIMIZATION_LEARNING_RATE;
        /// The weight of hqq's penalty.
        BETA = BNQ_OPTIMIZATION_BETA;
        /// The norm of hqq's error.
        NORM = BNQ_OPTIMIZATION_NORM;
        /// What hqq's beta is multiplied by each iteration.
        KAPPA = BNQ_OPTIMIZATION_KAPPA;
        /// Added to gptq's diagonal, in parts of its mean.
        DAMPING = BNQ_OPTIMIZATION_DAMPING;
        /// Columns whose errors gptq passes on at once.
        BLOCK = BNQ_OPTIMIZATION_BLOCK;
        /// 1 for gptq to take columns by descending diagonal, 0 for as they come.
        ACT_ORDER = BNQ_OPTIMIZATION_ACT_ORDER;
        /// How many exponents awq tries.
        RATIOS = BNQ_OPTIMIZATION_RATIOS;
        /// 1 for awq's input scales to be a part of the tensor, 0 for them to come apart.
        ATTACH_INPUT_SCALES = BNQ_OPTIMIZATION_ATTACH_INPUT_SCALES;
    }
    /// The options of an optimizer that the library has.
    fn optimization_options() of BNQ_OPTIONS_OPTIMIZER;
    parse(option, text) {
        Optimizer::builder().set(option.name(), text).build()?.get(option)
    }
}

choices! {
    /// How an [`Optimizer`] searches.
    OptimizationMethod: OptimizationOption::METHOD {
        /// Narrower ranges (and other zero points) of a segment, or of all, one after
        /// another; any format with scales.
        Grid = BNQ_OPTIMIZE_GRID,
        /// Learned step size (LSQ, arXiv:1902.08153): scales and zero points follow the
        /// gradient of the squared error of the values or, with activations, of the
        /// layer's outputs.
        Gradient = BNQ_OPTIMIZE_GRADIENT,
        /// HQQ's half-quadratic refinement; integer formats.
        Hqq = BNQ_OPTIMIZE_HQQ,
        /// GPTQ (arXiv:2210.17323): each column's error is made up for by the columns
        /// after it. Needs activations.
        Gptq = BNQ_OPTIMIZE_GPTQ,
        /// AWQ (arXiv:2306.00978): weights of large inputs are scaled up before they are
        /// quantized. Needs activations; see
        /// [`input_scales`](crate::Optimized::input_scales).
        Awq = BNQ_OPTIMIZE_AWQ,
    }
    /// What is made small, for each segment (the elements that share parameters). That of a
    /// tensor is the mean over its segments, weighted by their elements. With activations
    /// it is the mean squared error of the layer's outputs.
    Objective: OptimizationOption::OBJECTIVE {
        /// The mean squared error.
        Mse = BNQ_OBJECTIVE_MSE,
        /// The Kullback-Leibler divergence of the histogram of the values from itself with
        /// each code's values spread evenly; of use for segments of thousands of values.
        Kl = BNQ_OBJECTIVE_KL,
        /// 1 - cosine.
        Cosine = BNQ_OBJECTIVE_COSINE,
        /// The metric of [`Optimizer::optimize_by`], which takes it by itself.
        Custom = BNQ_OBJECTIVE_CUSTOM,
    }
    /// How many ratios of its range grid finds.
    OptimizationScope: OptimizationOption::SCOPE {
        /// One for each segment.
        Segment = BNQ_SCOPE_SEGMENT,
        /// The same one for all.
        Tensor = BNQ_SCOPE_TENSOR,
    }
}
