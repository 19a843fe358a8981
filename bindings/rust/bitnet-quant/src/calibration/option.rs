//! The options of a calibrator and those of their values that have names.

use crate::calibration::Calibrator;
use crate::choice::choices;
use crate::option::option_type;
use bitnet_quant_sys as sys;

option_type! {
    /// An option of a [`Calibrator`].
    CalibrationOption {
        /// The [`CalibrationMethod`].
        METHOD = BNQ_CALIBRATION_METHOD;
        /// The [`Granularity`](crate::Granularity): that of a tensor or of a channel.
        GRANULARITY = BNQ_CALIBRATION_GRANULARITY;
        /// The dimension of channels; negative from the end.
        AXIS = BNQ_CALIBRATION_AXIS;
        /// The [`Scheme`](crate::Scheme).
        SCHEME = BNQ_CALIBRATION_SCHEME;
        /// The least number of bins over a histogram's range.
        BINS = BNQ_CALIBRATION_BINS;
        /// Bits of the codes to come.
        BITS = BNQ_CALIBRATION_BITS;
        /// The number of codes in place of bits; 0 for as bits say.
        LEVELS = BNQ_CALIBRATION_LEVELS;
        /// The weight of a new batch.
        AVERAGING = BNQ_CALIBRATION_AVERAGING;
        /// The most an end moves outwards in a step, in widths of the range.
        MAX_GROWTH = BNQ_CALIBRATION_MAX_GROWTH;
        /// The most of its width that the range loses in a step.
        MAX_SHRINK = BNQ_CALIBRATION_MAX_SHRINK;
        /// The percentage of [`CalibrationMethod::Percentile`].
        PERCENTILE = BNQ_CALIBRATION_PERCENTILE;
        /// The [`KlVariant`].
        KL_VARIANT = BNQ_CALIBRATION_KL_VARIANT;
        /// The [`MseVariant`].
        MSE_VARIANT = BNQ_CALIBRATION_MSE_VARIANT;
        /// The policy for NaN and infinity, [`ObserveNonFinite`].
        NON_FINITE = BNQ_CALIBRATION_NON_FINITE;
        /// The [`OutlierRule`].
        OUTLIERS = BNQ_CALIBRATION_OUTLIERS;
        /// Percent of the values that are not outliers.
        OUTLIER_PERCENTILE = BNQ_CALIBRATION_OUTLIER_PERCENTILE;
        /// Standard deviations from the mean from which on values are outliers.
        OUTLIER_DEVIATIONS = BNQ_CALIBRATION_OUTLIER_DEVIATIONS;
        /// 1 keeps what the mean and higher moments are made of, else 0.
        MOMENTS = BNQ_CALIBRATION_MOMENTS;
        /// 1 keeps a histogram even where the method needs none, else 0.
        HISTOGRAM = BNQ_CALIBRATION_HISTOGRAM;
    }
    /// The options of a calibrator that the library has.
    fn calibration_options() of BNQ_OPTIONS_CALIBRATOR;
    parse(option, text) {
        Calibrator::builder().set(option.name(), text).build()?.get(option)
    }
}

choices! {
    /// How a [`Calibrator`] finds the range of what it has observed.
    CalibrationMethod: CalibrationOption::METHOD {
        /// Minimum and maximum.
        MinMax = BNQ_METHOD_MINMAX,
        /// Those of each batch, averaged: m += c (current - m), as PyTorch's moving
        /// average observer. Depends on the order of batches.
        MovingAverage = BNQ_METHOD_MOVING_AVERAGE,
        /// The range that holds a percentage of the values.
        Percentile = BNQ_METHOD_PERCENTILE,
        /// The least Kullback-Leibler divergence of the quantized values.
        Kl = BNQ_METHOD_KL,
        /// The least mean squared error.
        Mse = BNQ_METHOD_MSE,
        /// An online follower: an average whose steps are bounded. Depends on the order
        /// of batches. See
        /// [`AdaptiveActivationQuantizer`](crate::AdaptiveActivationQuantizer).
        Adaptive = BNQ_METHOD_ADAPTIVE,
    }
    /// Whose definition [`CalibrationMethod::Kl`] follows.
    KlVariant: CalibrationOption::KL_VARIANT {
        /// TensorRT's.
        TensorRt = BNQ_KL_TENSORRT,
        /// ONNX Runtime's.
        OnnxRuntime = BNQ_KL_ONNXRUNTIME,
    }
    /// Whose search [`CalibrationMethod::Mse`] is.
    MseVariant: CalibrationOption::MSE_VARIANT {
        /// Ends of the range in all bins.
        Exhaustive = BNQ_MSE_EXHAUSTIVE,
        /// PyTorch's, step by step: it may stop early, and never finds the whole range.
        PyTorch = BNQ_MSE_PYTORCH,
    }
    /// What NaN and infinity in a batch do.
    ObserveNonFinite: CalibrationOption::NON_FINITE {
        /// Refuse the batch with [`NonFinite`](crate::Error::NonFinite), which names the
        /// first index.
        Error = BNQ_OBSERVE_ERROR,
        /// Are counted and left out.
        Skip = BNQ_OBSERVE_SKIP,
    }
    /// Which values count as the limit nearest to them when the range is found, as far as
    /// bins tell.
    OutlierRule: CalibrationOption::OUTLIERS {
        /// None.
        None = BNQ_OUTLIERS_NONE,
        /// Half of 100 - [`OUTLIER_PERCENTILE`](CalibrationOption::OUTLIER_PERCENTILE)
        /// percent of them on each side at most.
        Percentile = BNQ_OUTLIERS_PERCENTILE,
        /// Those more than
        /// [`OUTLIER_DEVIATIONS`](CalibrationOption::OUTLIER_DEVIATIONS) standard
        /// deviations from the mean.
        Deviations = BNQ_OUTLIERS_DEVIATIONS,
    }
}
