// Section 16 of bnq.h.

using System.Runtime.InteropServices;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 16. Training

    internal const int BNQ_TRAINING_ESTIMATOR = 1;
    internal const int BNQ_TRAINING_SLOPE = 2;
    internal const int BNQ_TRAINING_WIDTH = 3;
    internal const int BNQ_TRAINING_GRADIENT_FACTOR = 4;
    internal const int BNQ_TRAINING_NOISE = 5;
    internal const int BNQ_TRAINING_NOISE_AMOUNT = 6;
    internal const int BNQ_TRAINING_TEMPERATURE = 7;
    internal const int BNQ_TRAINING_PROBABILITY = 8;
    internal const int BNQ_TRAINING_PROBABILITY_OF = 9;
    internal const int BNQ_TRAINING_SEED = 10;
    internal const int BNQ_NUM_TRAINING_OPTIONS = 10;
    internal const int BNQ_ESTIMATOR_CLIPPED = 0;
    internal const int BNQ_ESTIMATOR_STRAIGHT_THROUGH = 1;
    internal const int BNQ_ESTIMATOR_SOFT = 2;
    internal const int BNQ_ESTIMATOR_SLOPE = 3;
    internal const int BNQ_NOISE_NONE = 0;
    internal const int BNQ_NOISE_UNIFORM = 1;
    internal const int BNQ_NOISE_GAUSSIAN = 2;
    internal const int BNQ_DRAWN_BY_ELEMENT = 0;
    internal const int BNQ_DRAWN_BY_LAYER = 1;
    internal const int BNQ_PHASE_STEPS = 1;
    internal const int BNQ_PHASE_BITS = 2;
    internal const int BNQ_PHASE_PATIENCE = 3;
    internal const int BNQ_PHASE_IMPROVEMENT = 4;
    internal const int BNQ_PHASE_MAX_ERROR = 5;
    internal const int BNQ_PHASE_TEMPERATURE_BEGIN = 6;
    internal const int BNQ_PHASE_TEMPERATURE_END = 7;
    internal const int BNQ_PHASE_SHARE_BEGIN = 8;
    internal const int BNQ_PHASE_SHARE_END = 9;
    internal const int BNQ_PHASE_LAYERS_BEGIN = 10;
    internal const int BNQ_PHASE_LAYERS_END = 11;
    internal const int BNQ_NUM_PHASE_OPTIONS = 11;
    internal const int BNQ_SCHEDULE_PHASE = 0;
    internal const int BNQ_SCHEDULE_PHASE_STEP = 1;
    internal const int BNQ_SCHEDULE_STEP = 2;
    internal const int BNQ_SCHEDULE_BITS = 3;
    internal const int BNQ_SCHEDULE_TEMPERATURE = 4;
    internal const int BNQ_SCHEDULE_SHARE = 5;
    internal const int BNQ_SCHEDULE_LAYERS = 6;
    internal const int BNQ_SCHEDULE_BEST_LOSS = 7;
    internal const int BNQ_SCHEDULE_SINCE_BEST = 8;
    internal const int BNQ_SCHEDULE_DONE = 9;
    internal const int BNQ_NUM_SCHEDULE_VALUES = 10;
    internal const int BNQ_TRAINING_STATISTIC_STEPS = 0;
    internal const int BNQ_TRAINING_STATISTIC_ELEMENTS = 1;
    internal const int BNQ_TRAINING_STATISTIC_CLIPPED = 2;
    internal const int BNQ_TRAINING_STATISTIC_CLIPPED_SHARE = 3;
    internal const int BNQ_TRAINING_STATISTIC_MSE = 4;
    internal const int BNQ_TRAINING_STATISTIC_RELATIVE_MSE = 5;
    internal const int BNQ_TRAINING_STATISTIC_SQNR_DB = 6;
    internal const int BNQ_TRAINING_STATISTIC_MAX_ERROR = 7;
    internal const int BNQ_TRAINING_STATISTIC_SCALE_MIN = 8;
    internal const int BNQ_TRAINING_STATISTIC_SCALE_MAX = 9;
    internal const int BNQ_TRAINING_STATISTIC_WORST_CLIPPED_SHARE = 10;
    internal const int BNQ_TRAINING_STATISTIC_WORST_RELATIVE_MSE = 11;
    internal const int BNQ_NUM_TRAINING_STATISTICS = 12;

    [LibraryImport(LibraryName)]
    internal static partial int bnq_training_create(out TrainingHandle training);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_training_destroy(nint training);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_training_options(TrainingHandle training);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_training_settings(TrainingHandle training);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_training_statistics_create(out TrainingStatisticsHandle statistics);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_training_statistics_destroy(nint statistics);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_training_statistics_values(
        TrainingStatisticsHandle statistics, double* values, uint valueCount);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_training_statistics_merge(
        TrainingStatisticsHandle statistics, TrainingStatisticsHandle other);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_training_statistics_serialize(
        TrainingStatisticsHandle statistics, void* output, ulong outBytes, ulong* outSize);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_training_statistics_deserialize(
        void* data, ulong bytes, out TrainingStatisticsHandle statistics);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_param_count(ConfigHandle config, int rank, ulong* shape, ulong* outCount);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_range_params(
        ConfigHandle config, float lo, float hi, float* scale, sbyte* zeroPoint, float* offset);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_fake_quantize(
        ContextHandle context, ConfigHandle config, TrainingHandle training, BnqArray* source, int given,
        float* scales, sbyte* zeroPoints, float* offsets, ulong paramCount, int dtype, int overflow,
        void* output, ulong outBytes, byte* clipped, ulong clippedBytes, ulong* outClipped, double* metrics,
        uint metricCount, TrainingStatisticsHandle statistics);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_fake_quantize_gradient(
        ContextHandle context, ConfigHandle config, TrainingHandle training, BnqArray* x, BnqArray* dy,
        float* scales, sbyte* zeroPoints, float* offsets, ulong paramCount, int dtype, void* dx, ulong dxBytes,
        float* scaleGradients, float* shiftGradients, float* endGradients, float* slopeGradient);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_phase_create(out PhaseHandle phase);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_phase_destroy(nint phase);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_phase_options(PhaseHandle phase);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_phase_settings(PhaseHandle phase);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_schedule_create(nint* phases, ulong count, out ScheduleHandle schedule);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_schedule_destroy(nint schedule);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_schedule_step(ScheduleHandle schedule, double loss, double error, int* outEnded);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_schedule_values(ScheduleHandle schedule, double* values, uint valueCount);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_schedule_apply(
        ScheduleHandle schedule, ulong layer, ulong layers, ConfigHandle config, TrainingHandle training,
        int* outQuantized);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_schedule_serialize(
        ScheduleHandle schedule, void* output, ulong outBytes, ulong* outSize);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_schedule_deserialize(void* data, ulong bytes, out ScheduleHandle schedule);
}
