// One SafeHandle for each kind of native handle. They make a call on a disposed object
// an ObjectDisposedException, keep the native object alive for as long as a call runs,
// and free what was not disposed.

using System;
using System.Buffers;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace BitNetQuant.Interop;

internal sealed class ContextHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    /// <summary>The NULL that stands for the defaults.</summary>
    internal static readonly ContextHandle None = new();

    private GCHandle _log, _interrupt;
    private nint _pool, _runner;

    public ContextHandle() : base(ownsHandle: true) { }

    internal static ContextHandle Of(Context? context) => context?.Handle ?? None;

    /// <summary>Takes over the handle of the log callback that is now set, and frees the last one's.</summary>
    internal void ReplaceLog(GCHandle log) => Replace(ref _log, log);

    /// <summary>The same of what its operations ask whether to go on.</summary>
    internal void ReplaceInterrupt(GCHandle interrupt) => Replace(ref _interrupt, interrupt);

    /// <summary>Takes over the number of the pool that memory comes from.</summary>
    internal void Use(nint pool) => _pool = pool;

    /// <summary>Takes over the number of what now runs its work, 0 for the library's own threads.</summary>
    internal void ReplaceRunner(nint runner)
    {
        ParallelRunner.Remove(_runner);
        _runner = runner;
    }

    private static void Replace(ref GCHandle old, GCHandle handle)
    {
        if (old.IsAllocated)
        {
            old.Free();
        }

        old = handle;
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_context_destroy(handle);
        ReplaceLog(default);
        ReplaceInterrupt(default);
        PoolAllocator.Remove(_pool);
        ParallelRunner.Remove(_runner);
        return true;
    }
}

internal sealed class ConfigHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    /// <summary>NULL: in a plan's rule, "leave unquantized".</summary>
    internal static readonly ConfigHandle None = new();

    public ConfigHandle() : base(ownsHandle: true) { }

    private ConfigHandle(nint config) : base(ownsHandle: false) => SetHandle(config);

    /// <summary>A config of the library's, which must outlive this.</summary>
    internal static ConfigHandle Borrow(nint config) => new(config);

    internal static ConfigHandle Of(Config? config) => config?.Handle ?? None;

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_config_destroy(handle);
        return true;
    }
}

internal sealed class TensorHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public TensorHandle() : base(ownsHandle: true) { }

    /// <summary>Owns a tensor that came in a list.</summary>
    internal TensorHandle(nint tensor) : this() => SetHandle(tensor);

    /// <summary>The memory that the tensor borrows, if it does: a file's, or codes and scales of its own.</summary>
    internal SharedMemory? Memory { get; private set; }

    internal void Use(SharedMemory? memory) => Memory = memory?.AddUser();

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_tensor_destroy(handle);
        Memory?.RemoveUser();
        return true;
    }
}

internal sealed class FileHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public FileHandle() : base(ownsHandle: true) { }

    /// <summary>The caller's memory that the file was opened from, if it was.</summary>
    internal SharedMemory? Memory { get; private set; }

    internal void Use(SharedMemory memory) => Memory = memory.AddUser();

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_file_close(handle);
        Memory?.RemoveUser();
        return true;
    }
}

internal sealed class WriterHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    private readonly List<MemoryHandle> _arrays = [];
    private readonly List<TensorHandle> _tensors = [];

    public WriterHandle() : base(ownsHandle: true) { }

    /// <summary>Keeps the data of an array pinned until the writer is destroyed.</summary>
    internal void Borrow(MemoryHandle array) => _arrays.Add(array);

    /// <summary>Keeps a tensor alive, even if disposed, until the writer is destroyed.</summary>
    internal void Borrow(TensorHandle tensor)
    {
        bool added = false;
        tensor.DangerousAddRef(ref added);
        _tensors.Add(tensor);
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_writer_destroy(handle);
        foreach (MemoryHandle array in _arrays)
        {
            array.Dispose();
        }

        foreach (TensorHandle tensor in _tensors)
        {
            tensor.DangerousRelease();
        }

        return true;
    }
}

internal sealed class PlanHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    private static readonly PlanHandle None = new();

    public PlanHandle() : base(ownsHandle: true) { }

    /// <summary>NULL for none.</summary>
    internal static PlanHandle Of(Plan? plan) => plan?.Handle ?? None;

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_plan_destroy(handle);
        return true;
    }
}

internal sealed class ReportHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public ReportHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_report_destroy(handle);
        return true;
    }
}

internal sealed class RecipesHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    private static readonly RecipesHandle None = new();

    public RecipesHandle() : base(ownsHandle: true) { }

    /// <summary>NULL for none.</summary>
    internal static RecipesHandle Of(Recipes? recipes) => recipes?.Handle ?? None;

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_recipes_destroy(handle);
        return true;
    }
}

internal sealed class SensitivityHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public SensitivityHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_sensitivity_destroy(handle);
        return true;
    }
}

internal sealed class AllocationHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public AllocationHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_allocation_destroy(handle);
        return true;
    }
}

internal sealed class CalibratorHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    /// <summary>NULL: the default options, for a set's prototype.</summary>
    internal static readonly CalibratorHandle None = new();

    private CalibrationHandle? _set;

    public CalibratorHandle() : base(ownsHandle: true) { }

    /// <summary>Whether the calibrator is a set's, which only the set may change.</summary>
    internal bool IsBorrowed => _set is not null;

    /// <summary>A calibrator of a set, which stays alive, even if disposed, until this handle is released.</summary>
    internal static CalibratorHandle Borrow(CalibrationHandle set, ulong index)
    {
        var handle = new CalibratorHandle();
        bool added = false;
        set.DangerousAddRef(ref added);
        handle._set = set;
        handle.SetHandle(NativeMethods.bnq_calibration_at(set, index));
        return handle;
    }

    protected override bool ReleaseHandle()
    {
        if (_set is null)
        {
            NativeMethods.bnq_calibrator_destroy(handle);
        }
        else
        {
            _set.DangerousRelease();
        }

        return true;
    }
}

internal sealed class BatchesHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public BatchesHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_batches_destroy(handle);
        return true;
    }
}

internal sealed class CalibrationHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public CalibrationHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_calibration_destroy(handle);
        return true;
    }
}

internal sealed class OptimizerHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public OptimizerHandle() : base(ownsHandle: true) { }

    /// <summary>What the caller's metric is called by, if there is one.</summary>
    internal MetricReference? Metric { get; private set; }

    internal void Use(MetricReference? metric)
    {
        metric?.AddUser();
        Metric?.RemoveUser();
        Metric = metric;
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_optimizer_destroy(handle);
        Use(null);
        return true;
    }
}

internal sealed class OperatorHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    /// <summary>NULL: the default options.</summary>
    internal static readonly OperatorHandle None = new();

    public OperatorHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_operator_destroy(handle);
        return true;
    }
}

/// <summary>An operator with weights.</summary>
internal abstract class WeightedHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    private TensorHandle? _weight;

    protected WeightedHandle() : base(ownsHandle: true) { }

    /// <summary>Keeps what the tensor borrows, even if it is disposed, until the operator is destroyed.</summary>
    internal void Borrow(TensorHandle weight)
    {
        bool added = false;
        weight.DangerousAddRef(ref added);
        _weight = weight;
    }

    protected override bool ReleaseHandle()
    {
        Destroy(handle);
        _weight?.DangerousRelease();
        return true;
    }

    private protected abstract void Destroy(nint layer);
}

internal sealed class LinearHandle : WeightedHandle
{
    private protected override void Destroy(nint layer) => NativeMethods.bnq_linear_destroy(layer);
}

internal sealed class ConvolutionHandle : WeightedHandle
{
    private protected override void Destroy(nint layer) => NativeMethods.bnq_convolution_destroy(layer);
}

internal sealed class CacheHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    /// <summary>NULL: nothing is kept.</summary>
    internal static readonly CacheHandle None = new();

    public CacheHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_cache_destroy(handle);
        return true;
    }
}

internal sealed class CacheListHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public CacheListHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_cache_list_destroy(handle);
        return true;
    }
}

internal sealed class LayersHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public LayersHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_layers_close(handle);
        return true;
    }
}

internal sealed class LayerHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public LayerHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_layer_destroy(handle);
        return true;
    }
}

internal sealed class InterchangeHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public InterchangeHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_interchange_destroy(handle);
        return true;
    }
}

internal sealed class TrainingHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public TrainingHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_training_destroy(handle);
        return true;
    }
}

internal sealed class TrainingStatisticsHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    /// <summary>NULL: nothing is added up.</summary>
    internal static readonly TrainingStatisticsHandle None = new();

    public TrainingStatisticsHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_training_statistics_destroy(handle);
        return true;
    }
}

internal sealed class PhaseHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public PhaseHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_phase_destroy(handle);
        return true;
    }
}

internal sealed class ScheduleHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public ScheduleHandle() : base(ownsHandle: true) { }

    protected override bool ReleaseHandle()
    {
        NativeMethods.bnq_schedule_destroy(handle);
        return true;
    }
}
