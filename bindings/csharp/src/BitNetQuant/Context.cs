using System;
using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// Where work runs: how many threads, and who hears of it. Every operation takes one, and null stands for
/// one thread and no log. What is made with a context may outlive it.
/// </summary>
/// <remarks>Operations of one context may run at the same time on several threads; the setters may not be
/// called while one does.</remarks>
public sealed class Context : IDisposable
{
    /// <summary>A context with the given number of threads.</summary>
    /// <param name="threads">1 to 256; 0 for one for each processor that the process may use.</param>
    /// <exception cref="InvalidArgumentException"><paramref name="threads"/> is out of its range.</exception>
    public unsafe Context(int threads = 1)
    {
        Native.Check(NativeMethods.bnq_context_create(null, out ContextHandle handle));
        Handle = handle;
        try
        {
            Threads = threads;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>A context whose bulk memory is the caller's: codes, scales, buffers of files and scratch space are rented
    /// from a pool, and given back when what has them is disposed of.</summary>
    /// <param name="pool">Rented from by any thread, also the library's own. It must outlive the context, and everything
    /// made with it that is not disposed of; what outlives the context itself keeps its memory, and has more from the
    /// system. Want of memory, and whatever the pool throws, is an <see cref="OutOfMemoryException"/>; so are blocks of
    /// more than its <see cref="MemoryPool{T}.MaxBufferSize"/>.</param>
    /// <param name="threads">1 to 256; 0 for one for each processor that the process may use.</param>
    /// <exception cref="InvalidArgumentException"><paramref name="threads"/> is out of its range.</exception>
    public unsafe Context(MemoryPool<byte> pool, int threads = 1)
    {
        ArgumentNullException.ThrowIfNull(pool);
        nint number = PoolAllocator.Add(pool);
        ContextHandle? handle = null;
        try
        {
            BnqAllocator allocator = PoolAllocator.Of(number);
            Native.Check(NativeMethods.bnq_context_create(&allocator, out handle));
            handle.Use(number);
            Handle = handle;
            Threads = threads;
        }
        catch
        {
            handle?.Dispose();
            PoolAllocator.Remove(number);
            throw;
        }
    }

    /// <summary>A context whose work runs on .NET's threads: see <see cref="SetParallelism"/>.</summary>
    /// <param name="options">On which, on how many at once, and what ends it.</param>
    /// <exception cref="InvalidArgumentException">More than 4096 at once.</exception>
    public Context(ParallelOptions options)
        : this()
    {
        try
        {
            SetParallelism(options);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    internal Context(ContextHandle handle) => Handle = handle;

    internal ContextHandle Handle { get; }

    /// <summary>
    /// The number of threads of its operations. Setting it takes threads of the library's own, 0 one for each processor
    /// that the process may use; the result of an operation never depends on it.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is not in 0..256.</exception>
    public int Threads
    {
        get => NativeMethods.bnq_context_threads(Handle);
        set
        {
            Native.Check(NativeMethods.bnq_context_set_threads(Handle, value));
            Handle.ReplaceRunner(0);
        }
    }

    /// <summary>
    /// Runs its work as loops of <see cref="Parallel"/> do, in place of threads of the library's own: on the calling
    /// thread and those of the options' scheduler, at most <see cref="ParallelOptions.MaxDegreeOfParallelism"/> at once
    /// (where that is -1, one for each processor). The result of an operation never depends on it.
    /// </summary>
    /// <param name="options">Copied. Its token becomes the context's (<see cref="SetCancellation"/>).</param>
    /// <remarks>The calling thread waits in the loop, as that of any loop of <see cref="Parallel"/> does: it should not
    /// be one that the scheduler cannot do without.</remarks>
    /// <exception cref="InvalidArgumentException">More than 4096 at once.</exception>
    public unsafe void SetParallelism(ParallelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var runner = new ParallelRunner(options);
        nint number = ParallelRunner.Add(runner);
        try
        {
            BnqRunner native = runner.Of(number);
            Native.Check(NativeMethods.bnq_context_set_runner(Handle, &native));
        }
        catch
        {
            ParallelRunner.Remove(number);
            throw;
        }

        Handle.ReplaceRunner(number);
        SetCancellation(options.CancellationToken);
    }

    /// <summary>
    /// Sets whether files are mapped into memory (the default) or read into it by everything that takes a path. A
    /// mapped file must not be cut short while it, or a tensor read from it, is in use: the system would end the
    /// process.
    /// </summary>
    public void SetMapping(bool mapping) =>
        Native.Check(NativeMethods.bnq_context_set_mapping(Handle, mapping ? 1 : 0));

    /// <summary>Makes every operation end with an <see cref="OperationCanceledException"/> soon after
    /// <paramref name="token"/> is cancelled, also those that take no token of their own.</summary>
    /// <param name="token">In place of the last one; <see cref="CancellationToken.None"/> for none.</param>
    public unsafe void SetCancellation(CancellationToken token)
    {
        GCHandle asked = token.CanBeCanceled ? GCHandle.Alloc(token) : default;
        try
        {
            Native.Check(NativeMethods.bnq_context_set_interrupt(
                Handle, asked.IsAllocated ? &OnInterrupt : null, asked.IsAllocated ? (void*)GCHandle.ToIntPtr(asked) : null));
        }
        catch
        {
            Free(asked);
            throw;
        }

        Handle.ReplaceInterrupt(asked);
    }

    /// <summary>Sends messages to <paramref name="log"/>, in place of the last receiver.</summary>
    /// <param name="log">Called with each line by the thread that called the library; null for none. It should
    /// not throw: there is nobody to throw to, and what it throws is dropped.</param>
    /// <param name="level">The most talkative level that is wanted.</param>
    public unsafe void SetLog(Action<LogLevel, string>? log, LogLevel level = LogLevel.Warning)
    {
        GCHandle receiver = log is null ? default : GCHandle.Alloc(log);
        int status;
        try
        {
            status = NativeMethods.bnq_context_set_log(
                Handle, log is null ? null : &OnLog, log is null ? null : (void*)GCHandle.ToIntPtr(receiver), (int)level);
        }
        catch (ObjectDisposedException)
        {
            Free(receiver);
            throw;
        }

        if (status != NativeMethods.BNQ_OK)
        {
            Free(receiver);
            throw Native.Error(status);
        }

        Handle.ReplaceLog(receiver);
    }

    /// <summary>Ends its threads. Not while an operation of it runs.</summary>
    public void Dispose() => Handle.Dispose();

    private static void Free(GCHandle handle)
    {
        if (handle.IsAllocated)
        {
            handle.Free();
        }
    }

    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static unsafe int OnInterrupt(void* opaque) =>
        ((CancellationToken)GCHandle.FromIntPtr((nint)opaque).Target!).IsCancellationRequested ? 1 : 0;

    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static unsafe void OnLog(void* opaque, int level, byte* message)
    {
        try
        {
            ((Action<LogLevel, string>)GCHandle.FromIntPtr((nint)opaque).Target!)((LogLevel)level, Native.Text(message));
        }
        catch
        {
            // An exception must not unwind through native frames, and no caller expects one from a log.
        }
    }
}
