// Sections 12 and 13 of bnq.h.

using System.Runtime.InteropServices;

using unsafe ProgressFn = delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int>;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 12. Post-training quantization

    internal const int BNQ_ROLE_WEIGHTS = 0;
    internal const int BNQ_ROLE_ACTIVATIONS = 1;

    [LibraryImport(LibraryName)]
    internal static partial int bnq_post_training_config(int role, out ConfigHandle config);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_create_for(ConfigHandle config, out CalibratorHandle calibrator);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibrator_params(
        ContextHandle context, CalibratorHandle calibrator, ConfigHandle config, float* scales, sbyte* zeroPoints,
        float* offsets, ulong count);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_quantize_static(
        ContextHandle context, ConfigHandle config, BnqArray* source, float* scales, ulong scaleCount,
        sbyte* zeroPoints, ulong zeroPointCount, float* offsets, ulong offsetCount, out ulong clamped,
        out TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_quantize_calibrated(
        ContextHandle context, ConfigHandle config, CalibratorHandle calibrator, BnqArray* source, out ulong clamped,
        out TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_quantize_tensor_auto(
        ContextHandle context, ConfigHandle config, int method, BnqArray* source, out TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_quantize_tensor_percentile(
        ContextHandle context, ConfigHandle config, double percentile, BnqArray* source, out TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibration_create(CalibratorHandle prototype, out CalibrationHandle calibration);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_calibration_destroy(nint calibration);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_calibration_set_text(
        ContextHandle context, CalibrationHandle calibration, string option, string value);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_calibration_observe(
        ContextHandle context, CalibrationHandle calibration, string name, BnqArray* array);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_calibration_observe_file(
        ContextHandle context, CalibrationHandle calibration, string path, string? asName, ProgressFn progress,
        void* opaque);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_calibration_count(CalibrationHandle calibration);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_calibration_name(CalibrationHandle calibration, ulong index);

    /// <summary>The calibrator is the set's: <see cref="CalibratorHandle.Borrow"/> makes a handle of it.</summary>
    [LibraryImport(LibraryName)]
    internal static partial nint bnq_calibration_at(CalibrationHandle calibration, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibration_merge(
        ContextHandle context, CalibrationHandle calibration, CalibrationHandle other);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_calibration_save(
        ContextHandle context, CalibrationHandle calibration, string path, int flags);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_calibration_load(
        ContextHandle context, string path, out CalibrationHandle calibration);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibration_serialize(
        ContextHandle context, CalibrationHandle calibration, void* output, ulong outputBytes, out ulong size);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_calibration_deserialize(
        ContextHandle context, void* data, ulong bytes, out CalibrationHandle calibration);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_post_training_quantize_file(
        ContextHandle context, PlanHandle plan, CalibrationHandle calibration, ConfigHandle activationConfig,
        string input, string output, int flags, ulong maxShardBytes, ProgressFn progress, void* opaque,
        out ReportHandle report);

    // 13. Validation

    [LibraryImport(LibraryName)]
    internal static partial int bnq_compare_histogram(
        ContextHandle context, BnqArray* original, BnqArray* other, uint bins, ulong* counts, out double maxError,
        out double kl);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_compare_histogram(
        ContextHandle context, BnqArray* original, TensorHandle tensor, uint bins, ulong* counts, out double maxError,
        out double kl);
}
