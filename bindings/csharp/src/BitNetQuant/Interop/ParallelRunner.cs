using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

using unsafe TaskFn = delegate* unmanaged[Cdecl]<void*, ulong, uint, void>;

namespace BitNetQuant.Interop;

/// <summary>The library's work as loops of <see cref="Parallel"/>, on the threads of a scheduler.</summary>
internal sealed unsafe class ParallelRunner
{
    private static readonly NumberedObjects<ParallelRunner> Runners = new();

    private readonly ParallelOptions _options;

    internal ParallelRunner(ParallelOptions options)
    {
        int level = options.MaxDegreeOfParallelism > 0 ? options.MaxDegreeOfParallelism : Environment.ProcessorCount;
        if (options.TaskScheduler is { } scheduler)
        {
            level = Math.Min(level, scheduler.MaximumConcurrencyLevel);
        }

        // A loop that its token ends would leave tasks out. The context asks the token itself.
        _options = new ParallelOptions { MaxDegreeOfParallelism = level, TaskScheduler = options.TaskScheduler };
    }

    internal static nint Add(ParallelRunner runner) => Runners.Add(runner);

    internal static void Remove(nint number) => Runners.Remove(number);

    internal BnqRunner Of(nint number) =>
        new() { Run = &Run, Opaque = (void*)number, Workers = (uint)_options.MaxDegreeOfParallelism };

    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static int Run(void* opaque, ulong count, TaskFn task, void* taskOpaque)
    {
        var loop = new Loop(count, task, taskOpaque);
        if (Runners.TryGet((nint)opaque, out ParallelRunner? runner))
        {
            try
            {
                Parallel.For(0, runner._options.MaxDegreeOfParallelism, runner._options, loop.Work);
            }
            catch
            {
                // The scheduler took no task, or not all. Those that began have ended, and this thread does the rest.
            }
        }

        loop.Work(worker: 0);
        return 0;
    }

    /// <summary>Tasks 0 .. count - 1, of which each worker takes the next one until there are none.</summary>
    private sealed class Loop(ulong count, TaskFn task, void* opaque)
    {
        private readonly TaskFn _task = task;
        private readonly void* _opaque = opaque;
        private ulong _next;

        internal void Work(int worker)
        {
            for (ulong index; (index = Interlocked.Increment(ref _next) - 1) < count;)
            {
                _task(_opaque, index, (uint)worker);
            }
        }
    }
}
