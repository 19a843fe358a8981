using System;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Threading;

using unsafe ProgressFn = delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int>;

namespace BitNetQuant.Interop;

/// <summary>
/// Carries progress out of one native operation and cancellation into it. An exception of
/// the receiver must not unwind through C++: it is kept, the operation is cancelled, and
/// <see cref="Check"/> throws it again.
/// </summary>
internal sealed unsafe class ProgressWatch : IDisposable
{
    private readonly IProgress<ModelProgress>? _progress;
    private readonly CancellationToken _token;
    private ExceptionDispatchInfo? _error;
    private GCHandle _self;

    internal ProgressWatch(IProgress<ModelProgress>? progress, CancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        _progress = progress;
        _token = token;
        if (progress is not null || token.CanBeCanceled)
        {
            _self = GCHandle.Alloc(this);
        }
    }

    internal ProgressFn Callback => _self.IsAllocated ? &OnProgress : null;

    internal void* Opaque => _self.IsAllocated ? (void*)GCHandle.ToIntPtr(_self) : null;

    /// <summary>Throws what the operation's status, the receiver or the token call for.</summary>
    internal void Check(int status)
    {
        _error?.Throw();
        if (status == NativeMethods.BNQ_ERROR_CANCELLED && _token.IsCancellationRequested)
        {
            throw new OperationCanceledException(Native.Error(status).Message, _token);
        }

        Native.Check(status);
    }

    public void Dispose()
    {
        if (_self.IsAllocated)
        {
            _self.Free();
        }
    }

    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static int OnProgress(void* opaque, ulong done, ulong total, byte* item)
    {
        var watch = (ProgressWatch)GCHandle.FromIntPtr((nint)opaque).Target!;
        try
        {
            watch._progress?.Report(new ModelProgress((long)done, (long)total, Native.Text(item)));
            return watch._token.IsCancellationRequested ? 1 : 0;
        }
        catch (Exception e)
        {
            watch._error ??= ExceptionDispatchInfo.Capture(e);
            return 1;
        }
    }
}
