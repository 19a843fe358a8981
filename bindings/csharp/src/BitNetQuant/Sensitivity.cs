using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Threading;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// What each tensor of a model costs and loses under each of several configs: measured once, kept as JSON, and used for
/// any number of budgets.
/// </summary>
/// <remarks>May be used by several threads at once only while none of them changes it.</remarks>
/// <example><code>
/// using var sensitivity = new Sensitivity();
/// sensitivity.Analyze("model.safetensors", savePath: "model.sensitivity.json");
/// using Allocation found = sensitivity.Allocate(Budget.BitsPerWeight(4.5));
/// using Plan plan = found.GetPlan();
/// Model.Quantize("model.safetensors", "model.bnq", plan);
/// </code></example>
public sealed unsafe class Sensitivity : IDisposable
{
    /// <summary>Without tensors.</summary>
    public Sensitivity()
    {
        Native.Check(NativeMethods.bnq_sensitivity_create(out SensitivityHandle handle));
        Handle = handle;
    }

    private Sensitivity(SensitivityHandle handle) => Handle = handle;

    internal SensitivityHandle Handle { get; }

    /// <summary>From JSON.</summary>
    /// <param name="json">What <see cref="ToJson"/> gave.</param>
    /// <exception cref="CorruptFileException">It is none.</exception>
    /// <exception cref="UnsupportedException">It is that of a library whose encoders give other bytes.</exception>
    public static Sensitivity FromJson(string json)
    {
        Native.Check(NativeMethods.bnq_sensitivity_from_json(Native.Argument(json), out SensitivityHandle handle));
        return new Sensitivity(handle);
    }

    /// <summary>From a file of JSON, of at most 256 MiB.</summary>
    /// <param name="path">The file.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="NotFoundException">There is no such file.</exception>
    /// <exception cref="CorruptFileException">It is damaged, or no such file.</exception>
    public static Sensitivity Load(string path, Context? context = null)
    {
        Native.Check(NativeMethods.bnq_sensitivity_load(
            ContextHandle.Of(context), Native.Argument(path), out SensitivityHandle handle));
        return new Sensitivity(handle);
    }

    /// <summary>As JSON.</summary>
    public string ToJson() => Native.Text((byte* text, ulong size, out ulong needed) =>
        NativeMethods.bnq_sensitivity_to_json(Handle, text, size, out needed));

    /// <summary>Into a file of JSON.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">Whether an existing file is replaced.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="AlreadyExistsException">The file exists, without
    /// <see cref="WriteOptions.Overwrite"/>.</exception>
    public void Save(string path, WriteOptions options = WriteOptions.None, Context? context = null) =>
        Native.Check(NativeMethods.bnq_sensitivity_save(
            ContextHandle.Of(context), Handle, Native.Argument(path), (int)options));

    /// <summary>
    /// Measures the tensors of a safetensors file, or of the index of a sharded one, under each candidate, one tensor in
    /// memory at a time. What has been measured already is not measured again, and what has been until a failure stays,
    /// so that a run can be gone on with.
    /// </summary>
    /// <param name="input">The path of the model.</param>
    /// <param name="plan">Tensors that a rule gives a config are measured under that alone, those that a rule leaves are
    /// not; those that no rule is for, of rank 2 and more, under all candidates. Null: all of these.</param>
    /// <param name="candidates">The configs to choose from, of which one of <see cref="Format.None"/> is the tensor as it
    /// is; null for <see cref="Library.DefaultCandidates"/>.</param>
    /// <param name="savePath">Where what there is is saved every few seconds, and at the end, whatever it is; null for
    /// nowhere.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null. What it throws is thrown
    /// again.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <exception cref="InvalidArgumentException">This is of another model.</exception>
    /// <exception cref="NotFoundException">There is no such input.</exception>
    /// <exception cref="CorruptFileException">The input is truncated or damaged.</exception>
    /// <exception cref="NonFiniteException">A tensor holds NaN or infinity; the message names it and the
    /// index.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Analyze(
        string input, Plan? plan = null, IReadOnlyList<Config>? candidates = null, string? savePath = null,
        IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        using var watch = new ProgressWatch(progress, cancellationToken);
        candidates ??= [];
        var handles = new List<ConfigHandle>(candidates.Count);
        var pointers = new nint[candidates.Count];
        try
        {
            for (int i = 0; i < pointers.Length; i++)
            {
                ConfigHandle handle = (candidates[i]
                    ?? throw new ArgumentNullException(nameof(candidates), $"candidates[{i}] is null.")).Handle;
                bool added = false;
                handle.DangerousAddRef(ref added);
                handles.Add(handle);
                pointers[i] = handle.DangerousGetHandle();
            }

            fixed (nint* pointer = pointers)
            {
                watch.Check(NativeMethods.bnq_analyze_file(
                    ContextHandle.Of(context), PlanHandle.Of(plan), pointer, (ulong)pointers.Length,
                    Native.Argument(input), savePath is null ? null : Native.Argument(savePath), watch.Callback,
                    watch.Opaque, Handle));
            }
        }
        finally
        {
            handles.ForEach(handle => handle.DangerousRelease());
        }
    }

    /// <summary>Adds what another one has measured of the same model; the same in any order.</summary>
    /// <param name="other">The other one.</param>
    /// <exception cref="InvalidArgumentException">They contradict each other; nothing is added then.</exception>
    public void Merge(Sensitivity other)
    {
        ArgumentNullException.ThrowIfNull(other);
        Native.Check(NativeMethods.bnq_sensitivity_merge(Handle, other.Handle));
    }

    /// <summary>Your own loss of a tensor under a config that was measured, in place of relative error times
    /// weight.</summary>
    /// <param name="tensor">Its name.</param>
    /// <param name="config">The config.</param>
    /// <param name="metric">Finite; below 0 counts as 0.</param>
    /// <exception cref="NotFoundException">It was not measured under that.</exception>
    public void SetMetric(string tensor, Config config, double metric)
    {
        ArgumentNullException.ThrowIfNull(config);
        Native.Check(NativeMethods.bnq_sensitivity_set_metric(
            Handle, Native.Argument(tensor), config.Handle, metric));
    }

    /// <summary>The same of a JSON file, <c>{"TENSOR": {"CONFIG": NUMBER}}</c>: all of them, or none.</summary>
    /// <param name="path">The file.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="NotFoundException">There is no such file, or a tensor was not measured under a
    /// config.</exception>
    /// <exception cref="CorruptFileException">It is no such JSON.</exception>
    public void LoadMetrics(string path, Context? context = null) =>
        Native.Check(NativeMethods.bnq_sensitivity_load_metrics(
            ContextHandle.Of(context), Handle, Native.Argument(path)));

    /// <summary>What a tensor's relative error counts in place of the number of its elements.</summary>
    /// <param name="tensor">Its name.</param>
    /// <param name="weight">0 or more; 0 for that number.</param>
    /// <exception cref="NotFoundException">It was not measured.</exception>
    public void SetWeight(string tensor, double weight) =>
        Native.Check(NativeMethods.bnq_sensitivity_set_weight(Handle, Native.Argument(tensor), weight));

    /// <summary>Asks for the loss of the model with one tensor under one config, of every tensor and config that has none
    /// yet, in order. What was measured stays whatever comes later.</summary>
    /// <param name="metric">Called on this thread with the tensor's name and a copy of the config. An exception that it
    /// throws ends this, which throws it again, unchanged.</param>
    /// <exception cref="InvalidArgumentException">It gave what is not finite.</exception>
    public void Measure(Func<string, Config, double> metric)
    {
        ArgumentNullException.ThrowIfNull(metric);
        using var reference = new MeasureReference(metric);
        reference.Check(NativeMethods.bnq_sensitivity_measure(Handle, MeasureReference.Callback, reference.Opaque));
    }

    /// <summary>The configs of least loss that fit a budget: proven to be the best there are, where the proof fits
    /// 64 MiB; the same on every machine.</summary>
    /// <param name="budget">What the model may take.</param>
    /// <param name="plan">Rules that give a config pin it, rules of none leave tensors as they are, rules of
    /// <c>bits>=</c> are floors, and its ties hold; null for none.</param>
    /// <param name="options">What need not have one config.</param>
    /// <exception cref="InvalidArgumentException">Nothing fits: the message names the least budget and what takes most.
    /// Or a tensor was not measured under what it is pinned to, or tied tensors have no config in common.</exception>
    public Allocation Allocate(
        Budget budget, Plan? plan = null, AllocationOptions options = AllocationOptions.None)
    {
        Native.Check(NativeMethods.bnq_allocate(
            Handle, PlanHandle.Of(plan), budget.Kind, budget.Amount, (int)options, out AllocationHandle handle));
        return new Allocation(handle);
    }

    /// <summary>What was measured of each tensor, sorted by name. Configs are copies, which are the caller's to
    /// dispose.</summary>
    public ImmutableArray<TensorSensitivity> GetTensors()
    {
        ulong count = NativeMethods.bnq_sensitivity_count(Handle);
        var tensors = ImmutableArray.CreateBuilder<TensorSensitivity>(Native.Length(count, "The sensitivity"));
        for (ulong i = 0; i < count; i++)
        {
            ulong configs = NativeMethods.bnq_sensitivity_config_count(Handle, i);
            var candidates = ImmutableArray.CreateBuilder<CandidateSensitivity>(Native.Length(configs, "The tensor"));
            for (ulong c = 0; c < configs; c++)
            {
                candidates.Add(Candidate(i, c));
            }

            tensors.Add(new TensorSensitivity(
                Native.Text(NativeMethods.bnq_sensitivity_name(Handle, i)), candidates.MoveToImmutable()));
        }

        return tensors.MoveToImmutable();
    }

    /// <summary>Frees it.</summary>
    public void Dispose() => Handle.Dispose();

    private CandidateSensitivity Candidate(ulong index, ulong candidate)
    {
        const int Count = NativeMethods.BNQ_NUM_SENSITIVITY_VALUES;
        double* values = stackalloc double[Count];
        Native.Check(NativeMethods.bnq_sensitivity_values(Handle, index, candidate, values, Count));
        Native.Check(NativeMethods.bnq_sensitivity_config(Handle, index, candidate, out ConfigHandle config));
        return new CandidateSensitivity(
            new Config(config),
            Bytes: (long)values[NativeMethods.BNQ_SENSITIVITY_BYTES],
            BitsPerWeight: values[NativeMethods.BNQ_SENSITIVITY_BITS],
            RelativeError: values[NativeMethods.BNQ_SENSITIVITY_RELATIVE_ERROR],
            MaxError: values[NativeMethods.BNQ_SENSITIVITY_MAX_ERROR],
            Cosine: values[NativeMethods.BNQ_SENSITIVITY_COSINE],
            Loss: values[NativeMethods.BNQ_SENSITIVITY_LOSS]);
    }
}

/// <summary>What was measured of a tensor.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Candidates">It under each config, sorted by the configs' texts.</param>
public sealed record TensorSensitivity(string Name, ImmutableArray<CandidateSensitivity> Candidates);

/// <summary>A tensor under a config.</summary>
/// <param name="Config">The config; of <see cref="Format.None"/> it is the tensor as it is.</param>
/// <param name="Bytes">What the tensor adds to a .bnq file that is not compressed, exactly.</param>
/// <param name="BitsPerWeight">The same in bits a weight.</param>
/// <param name="RelativeError">The sum of squared errors over the sum of squares, each weighted by the importance of
/// columns where there is some.</param>
/// <param name="MaxError">The greatest absolute error.</param>
/// <param name="Cosine">The cosine between the tensor and what it dequantizes to.</param>
/// <param name="Loss">What counts in a budget: the metric that was set or measured, or the relative error times the
/// weight of the tensor.</param>
public sealed record CandidateSensitivity(
    Config Config, long Bytes, double BitsPerWeight, double RelativeError, double MaxError, double Cosine, double Loss);
