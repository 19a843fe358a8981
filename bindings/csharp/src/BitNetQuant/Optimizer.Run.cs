using System;
using System.Threading;
using BitNetQuant.Interop;

namespace BitNetQuant;

// What an optimizer does, and the caller's metric.
public sealed unsafe partial class Optimizer
{
    /// <summary>Takes a metric of one's own, and <see cref="OptimizationObjective.Custom"/>.</summary>
    /// <param name="metric">Called by <c>Optimize</c> on the thread that called that, some forty times for each
    /// segment. An exception that it throws ends that call, which throws it again, unchanged. Null takes
    /// <see cref="OptimizationObjective.Mse"/> again.</param>
    public void SetMetric(QuantizationMetric? metric)
    {
        MetricReference? reference = metric is null ? null : new MetricReference(metric);
        reference?.AddUser();
        try
        {
            Native.Check(NativeMethods.bnq_optimizer_set_metric(
                Handle, reference is null ? null : MetricReference.Callback,
                reference is null ? null : reference.Opaque));
            Handle.Use(reference);
        }
        finally
        {
            reference?.RemoveUser();
        }
    }

    /// <summary>The importance of each column of the arrays to come, as in
    /// <see cref="QuantizedTensor.QuantizeWeighted"/>, for <see cref="OptimizationMethod.Grid"/> and
    /// <see cref="OptimizationMethod.Hqq"/>. Figures of the objective are weighted then, those of the mse are
    /// not.</summary>
    /// <param name="importance">A weight for each column; copied. None: all are 1.</param>
    public void SetImportance(ReadOnlySpan<float> importance)
    {
        fixed (float* pointer = importance)
        {
            Native.Check(NativeMethods.bnq_optimizer_set_importance(Handle, pointer, (ulong)importance.Length));
        }
    }

    /// <summary>Quantizes an array.</summary>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="config">What to quantize into; a format with scales, without outliers and stochastic
    /// rounding.</param>
    /// <param name="activations">Inputs of the linear layer whose weights the array is: [samples, K], or more
    /// dimensions the last of which is K, the array's columns. Null for methods that need none.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null. What it throws is thrown
    /// again.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>The result, which is the caller's to dispose.</returns>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    /// <exception cref="UnsupportedException">The method or the format does not do that.</exception>
    /// <exception cref="InvalidArgumentException">Method, config, shape and activations do not fit, or the metric
    /// returned NaN.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    /// <exception cref="NoDataException">The activations have no samples.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public OptimizationResult Optimize(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, Config config, SourceArray? activations = null,
        IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        var run = new Run(this, config, activations, progress, context, cancellationToken);
        NativeArray.Lend(values, DataType.Float32, shape, run.WithSource);
        return run.Result!;
    }

    /// <inheritdoc cref="Optimize(ReadOnlySpan{float}, ReadOnlySpan{long}, Config, SourceArray?, IProgress{ModelProgress}?, Context?, CancellationToken)"/>
    /// <param name="source">The array.</param>
    /// <param name="config">What to quantize into; a format with scales, without outliers and stochastic
    /// rounding.</param>
    /// <param name="activations">Inputs of the linear layer whose weights the array is: [samples, K], or more
    /// dimensions the last of which is K, the array's columns. Null for methods that need none.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null. What it throws is thrown
    /// again.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    public OptimizationResult Optimize(
        SourceArray source, Config config, SourceArray? activations = null,
        IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        var run = new Run(this, config, activations, progress, context, cancellationToken);
        NativeArray.Lend(source, run.WithSource);
        return run.Result!;
    }

    /// <summary>One optimisation. It checks the status itself, as that may stand for an exception.</summary>
    private sealed class Run(
        Optimizer optimizer, Config config, SourceArray? activations, IProgress<ModelProgress>? progress,
        Context? context, CancellationToken cancellationToken)
    {
        private readonly ConfigHandle _config = (config ?? throw new ArgumentNullException(nameof(config))).Handle;

        internal OptimizationResult? Result { get; private set; }

        internal int WithSource(BnqArray* source)
        {
            if (activations is null)
            {
                return WithAll(source, null);
            }

            NativeArray.Lend(activations, inputs => WithAll(source, inputs));
            return NativeMethods.BNQ_OK;
        }

        private int WithAll(BnqArray* source, BnqArray* inputs)
        {
            var inputScales = new float[inputs is null ? 0 : Columns(inputs)];
            var figures = new double[NativeMethods.bnq_figure_count()];
            using var watch = new ProgressWatch(progress, cancellationToken);
            fixed (float* scale = inputScales)
            fixed (double* figure = figures)
            {
                int status = NativeMethods.bnq_optimize(
                    ContextHandle.Of(context), optimizer.Handle, _config, source, inputs, watch.Callback, watch.Opaque,
                    out TensorHandle tensor, scale, (ulong)inputScales.Length, figure, (uint)figures.Length);
                MetricReference.Throw();
                watch.Check(status);
                Result = new OptimizationResult(new QuantizedTensor(tensor), inputScales, figures);
                return status;
            }
        }

        private static int Columns(BnqArray* array) => array->Rank == 0
            ? 1
            : Native.Length(array->Shape[array->Rank - 1], "The last dimension of the activations");
    }
}
