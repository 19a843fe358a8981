// Section 10 of bnq.h.

using System.Runtime.InteropServices;

using unsafe ProgressFn = delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int>;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 10. Calibration

    internal const int BNQ_CALIBRATION_METHOD = 1;
    internal const int BNQ_CALIBRATION_GRANULARITY = 2;
    internal const int BNQ_CALIBRATION_AXIS = 3;
    internal const int BNQ_CALIBRATION_SCHEME = 4;
    internal const int BNQ_CALIBRATION_BINS = 5;
    internal const int BNQ_CALIBRATION_BITS = 6;
    internal const int BNQ_CALIBRATION_LEVELS = 7;
    internal const int BNQ_CALIBRATION_AVERAGING = 8;
    internal const int BNQ_CALIBRATION_MAX_GROWTH = 9;
    internal const int BNQ_CALIBRATION_MAX_SHRINK = 10;
    internal const int BNQ_CALIBRATION_PERCENTILE = 11;
    internal const int BNQ_CALIBRATION_KL_VARIANT = 12;
    internal const int BNQ_CALIBRATION_MSE_VARIANT = 13;
    internal const int BNQ_CALIBRATION_NON_FINITE = 14;
    internal const int BNQ_CALIBRATION_OUTLIERS = 15;
    internal const int BNQ_CALIBRATION_OUTLIER_PERCENTILE = 16;
    internal const int BNQ_CALIBRATION_OUTLIER_DEVIATIONS = 17;
    internal const int BNQ_CALIBRATION_MOMENTS = 18;
    internal const int BNQ_CALIBRATION_HISTOGRAM = 19;
    internal const int BNQ_METHOD_MINMAX = 0;
    internal const int BNQ_METHOD_MOVING_AVERAGE = 1;
    internal const int BNQ_METHOD_PERCENTILE = 2;
    internal const int BNQ_METHOD_KL = 3;
    internal const int BNQ_METHOD_MSE = 4;
    internal const int BNQ_METHOD_ADAPTIVE = 5;
    internal const int BNQ_KL_TENSORRT = 0;
    internal const int BNQ_KL_ONNXRUNTIME = 1;
    internal const int BNQ_MSE_EXHAUSTIVE = 0;
    internal const int BNQ_MSE_PYTORCH = 1;
    internal const int BNQ_OUTLIERS_NONE = 0;
    internal const int BNQ_OUTLIERS_PERCENTILE = 1;
    internal const int BNQ_OUTLIERS_DEVIATIONS = 2;
    internal const int BNQ_OBSERVE_ERROR = 0;
    internal const int BNQ_OBSERVE_SKIP = 1;
    internal const int BNQ_STATISTIC_COUNT = 0;
    internal const int BNQ_STATISTIC_MIN = 1;
    internal const int BNQ_STATISTIC_MAX = 2;
    internal const int BNQ_STATISTIC_MEAN = 3;
    internal const int BNQ_STATISTIC_VARIANCE = 4;
    internal const int BNQ_STATISTIC_ABSMAX = 5;
    internal const int BNQ_STATISTIC_ABSMEAN = 6;
    internal const int BNQ_STATISTIC_SKEWNESS = 7;
    internal const int BNQ_STATISTIC_KURTOSIS = 8;
    internal const int BNQ_STATISTIC_ZERO_SHARE = 9;
    internal const int BNQ_STATISTIC_NON_FINITE = 10;
    internal const int BNQ_STATISTIC_OUTLIERS = 11;
    internal const int BNQ_NUM_STATISTICS = 12;
    internal const ulong BNQ_ALL_CHANNELS = ulong.MaxValue;

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_create(out CalibratorHandle calibrator);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_calibrator_destroy(nint calibrator);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_clone(
        ContextHandle context, CalibratorHandle calibrator, out CalibratorHandle clone);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_calibrator_options(CalibratorHandle calibrator);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_calibrator_settings(CalibratorHandle calibrator);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_observe(
        ContextHandle context, CalibratorHandle calibrator, BnqArray* array);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_batches_find(
        ContextHandle context, string path, string? name, out BatchesHandle batches);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_batches_destroy(nint batches);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_batches_count(BatchesHandle batches);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_batches_path(BatchesHandle batches, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_batches_name(BatchesHandle batches, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_batches_bytes(BatchesHandle batches, ulong index);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_calibrator_observe_file(
        ContextHandle context, CalibratorHandle calibrator, string path, string? name, ProgressFn progress,
        void* opaque);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_calibrator_channels(CalibratorHandle calibrator);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_calibrator_batches(CalibratorHandle calibrator);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_range(
        ContextHandle context, CalibratorHandle calibrator, float* lo, float* hi, ulong count);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_statistic_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_statistic_name(uint index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_statistics(
        ContextHandle context, CalibratorHandle calibrator, ulong channel, double* statistics, uint statisticCount);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_histogram(
        CalibratorHandle calibrator, ulong channel, ulong* counts, ulong capacity, out ulong bins, out double first,
        out double width);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_reset(CalibratorHandle calibrator);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_merge(
        ContextHandle context, CalibratorHandle calibrator, CalibratorHandle other);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_serialize(
        ContextHandle context, CalibratorHandle calibrator, void* output, ulong bytes, out ulong size);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_deserialize(
        ContextHandle context, void* data, ulong bytes, out CalibratorHandle calibrator);
}
