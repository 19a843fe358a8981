using System;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

using unsafe SensitivityFn = delegate* unmanaged[Cdecl]<void*, byte*, nint, double*, int>;

namespace BitNetQuant.Interop;

/// <summary>
/// Carries a caller's measure into one native operation. An exception of it must not unwind
/// through C++: it is kept, the operation is cancelled, and <see cref="Check"/> throws it
/// again.
/// </summary>
internal sealed unsafe class MeasureReference : IDisposable
{
    private readonly Func<string, Config, double> _measure;
    private ExceptionDispatchInfo? _error;
    private GCHandle _self;

    internal MeasureReference(Func<string, Config, double> measure)
    {
        _measure = measure;
        _self = GCHandle.Alloc(this);
    }

    internal static SensitivityFn Callback => &OnMeasure;

    internal void* Opaque => (void*)GCHandle.ToIntPtr(_self);

    /// <summary>Throws what the measure threw, or what the operation's status calls for.</summary>
    internal void Check(int status)
    {
        _error?.Throw();
        Native.Check(status);
    }

    public void Dispose() => _self.Free();

    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static int OnMeasure(void* opaque, byte* tensor, nint config, double* metric)
    {
        var reference = (MeasureReference)GCHandle.FromIntPtr((nint)opaque).Target!;
        try
        {
            // A copy, because nobody knows how long the measure keeps it.
            Native.Check(NativeMethods.bnq_config_clone(ConfigHandle.Borrow(config), out ConfigHandle copy));
            *metric = reference._measure(Native.Text(tensor), new Config(copy));
            return 0;
        }
        catch (Exception e)
        {
            reference._error = ExceptionDispatchInfo.Capture(e);
            return 1;
        }
    }
}
