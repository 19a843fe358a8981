// Sections 6 and 7 of bnq.h.

using System.Runtime.InteropServices;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 6. Arrays and tensors

    internal const int BNQ_TENSOR_BORROW = 1;
    internal const int BNQ_MAX_RANK = 8;

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_quantize(
        ContextHandle context, ConfigHandle config, BnqArray* source, out TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_quantize_weighted(
        ContextHandle context, ConfigHandle config, BnqArray* source, float* importance, ulong importanceCount,
        out TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_quantized_sizes(
        ConfigHandle config, int rank, ulong* shape, ulong* codeBytes, ulong* scaleBytes, ulong* zeroPoints);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_quantize(
        ContextHandle context, ConfigHandle config, BnqArray* source, byte* codes, ulong codeBytes,
        void* scales, ulong scaleBytes, sbyte* zeroPoints, ulong zeroPointCount, nint* tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_quantize_batch(
        ContextHandle context, ConfigHandle config, ulong count, BnqArray* sources, byte** codes, ulong* codeBytes,
        void** scales, ulong* scaleBytes, sbyte** zeroPoints, ulong* zeroPointCounts, nint* tensors);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_part_name(int part);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_create(
        ContextHandle context, ConfigHandle config, int rank, ulong* shape, BnqPart* parts, uint partCount,
        int flags, out TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_tensor_destroy(nint tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_format(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_shape(TensorHandle tensor, ulong* shape);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_tensor_rows(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_tensor_columns(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_tensor_options(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_config(TensorHandle tensor, out ConfigHandle config);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_part(TensorHandle tensor, int part, out BnqPart result);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_read_scales(TensorHandle tensor, float* scales, ulong count);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_read_offsets(TensorHandle tensor, float* offsets, ulong count);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_tensor_saturated_scales(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial float* bnq_dynamic_map();

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_tensor_bytes(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial double bnq_tensor_bits_per_weight(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_unpack(
        ContextHandle context, TensorHandle tensor, sbyte* codes, ulong count);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_pack(
        ContextHandle context, ConfigHandle config, int rank, ulong* shape, sbyte* codes, ulong count,
        byte* packed, ulong packedBytes);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_repack(
        ContextHandle context, TensorHandle tensor, int packing, out TensorHandle repacked);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_dequantize(
        ContextHandle context, TensorHandle tensor, int dtype, int overflow, void* output, ulong bytes);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_dequantize_rows(
        ContextHandle context, TensorHandle tensor, ulong rowBegin, ulong rowCount, int dtype, int overflow,
        void* output, ulong bytes);

    /// <summary>Whoever calls it holds a reference to each tensor's <see cref="TensorHandle"/>.</summary>
    [LibraryImport(LibraryName)]
    internal static partial int bnq_dequantize_batch(
        ContextHandle context, ulong count, nint* tensors, int dtype, int overflow, void** outputs, ulong* bytes);

    // 7. Metrics

    [LibraryImport(LibraryName)]
    internal static partial int bnq_compare(
        ContextHandle context, BnqArray* original, BnqArray* other, double* metrics, uint metricCount);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_compare(
        ContextHandle context, BnqArray* original, TensorHandle tensor, double* metrics, uint metricCount);
}
