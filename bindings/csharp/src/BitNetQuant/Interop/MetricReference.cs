using System;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

using unsafe MetricFn = delegate* unmanaged[Cdecl]<void*, float*, float*, ulong, double*, int>;

namespace BitNetQuant.Interop;

/// <summary>
/// A caller's metric, alive for as long as an optimizer or a clone of it may call it. An
/// exception of it must not unwind through C++: it is kept, the operation is cancelled, and
/// <see cref="Throw"/> throws it again. It is kept by thread, because optimizers may be
/// shared, and metrics are called by the thread that called the library.
/// </summary>
internal sealed unsafe class MetricReference : SharedMemory
{
    [ThreadStatic]
    private static ExceptionDispatchInfo? _error;

    private GCHandle _metric;

    internal MetricReference(QuantizationMetric metric) => _metric = GCHandle.Alloc(metric);

    internal static MetricFn Callback => &OnMetric;

    internal void* Opaque => (void*)GCHandle.ToIntPtr(_metric);

    /// <summary>Throws what a metric threw on this thread, if one did.</summary>
    internal static void Throw()
    {
        ExceptionDispatchInfo? error = _error;
        _error = null;
        error?.Throw();
    }

    protected override void Free() => _metric.Free();

    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static int OnMetric(
        void* opaque, float* original, float* dequantized, ulong count, double* error)
    {
        try
        {
            int length = checked((int)count);
            *error = ((QuantizationMetric)GCHandle.FromIntPtr((nint)opaque).Target!)(
                new ReadOnlySpan<float>(original, length), new ReadOnlySpan<float>(dequantized, length));
            return 0;
        }
        catch (Exception e)
        {
            _error ??= ExceptionDispatchInfo.Capture(e);
            return 1;
        }
    }
}
