using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace BitNetQuant;

/// <summary>
/// What takes long, on a thread of the pool in place of the calling one. Objects and arguments are not to be changed or
/// disposed of before the task is done; progress is reported on that thread.
/// </summary>
public static class LongOperations
{
    /// <summary><see cref="Sensitivity.Analyze"/>.</summary>
    /// <inheritdoc cref="Sensitivity.Analyze"/>
    public static Task AnalyzeAsync(
        this Sensitivity sensitivity, string input, Plan? plan = null, IReadOnlyList<Config>? candidates = null,
        string? savePath = null, IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sensitivity);
        return Task.Run(
            () => sensitivity.Analyze(input, plan, candidates, savePath, progress, context, cancellationToken),
            cancellationToken);
    }

    /// <summary><see cref="Calibration.ObserveFile"/>.</summary>
    /// <inheritdoc cref="Calibration.ObserveFile"/>
    public static Task ObserveFileAsync(
        this Calibration calibration, string path, string? asName = null, IProgress<ModelProgress>? progress = null,
        Context? context = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(calibration);
        return Task.Run(
            () => calibration.ObserveFile(path, asName, progress, context, cancellationToken), cancellationToken);
    }

    /// <summary><see cref="Calibrator.ObserveFile"/>.</summary>
    /// <inheritdoc cref="Calibrator.ObserveFile"/>
    public static Task ObserveFileAsync(
        this Calibrator calibrator, string path, string? name = null, IProgress<ModelProgress>? progress = null,
        Context? context = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(calibrator);
        return Task.Run(
            () => calibrator.ObserveFile(path, name, progress, context, cancellationToken), cancellationToken);
    }

    /// <summary><see cref="CalibrationDataset.Feed(Calibrator, IProgress{ModelProgress}?, Context?, CancellationToken)"/>.</summary>
    /// <inheritdoc cref="CalibrationDataset.Feed(Calibrator, IProgress{ModelProgress}?, Context?, CancellationToken)"/>
    public static Task FeedAsync(
        this CalibrationDataset dataset, Calibrator calibrator, IProgress<ModelProgress>? progress = null,
        Context? context = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        return Task.Run(() => dataset.Feed(calibrator, progress, context, cancellationToken), cancellationToken);
    }

    /// <summary><see cref="CalibrationDataset.Feed(Calibration, IProgress{ModelProgress}?, Context?, CancellationToken)"/>.</summary>
    /// <inheritdoc cref="CalibrationDataset.Feed(Calibration, IProgress{ModelProgress}?, Context?, CancellationToken)"/>
    public static Task FeedAsync(
        this CalibrationDataset dataset, Calibration calibration, IProgress<ModelProgress>? progress = null,
        Context? context = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        return Task.Run(() => dataset.Feed(calibration, progress, context, cancellationToken), cancellationToken);
    }

    /// <summary><see cref="Optimizer.Optimize(SourceArray, Config, SourceArray?, IProgress{ModelProgress}?, Context?, CancellationToken)"/>.</summary>
    /// <inheritdoc cref="Optimizer.Optimize(SourceArray, Config, SourceArray?, IProgress{ModelProgress}?, Context?, CancellationToken)"/>
    public static Task<OptimizationResult> OptimizeAsync(
        this Optimizer optimizer, SourceArray source, Config config, SourceArray? activations = null,
        IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        return Task.Run(
            () => optimizer.Optimize(source, config, activations, progress, context, cancellationToken),
            cancellationToken);
    }

    /// <summary><see cref="Layers.Load"/>.</summary>
    /// <inheritdoc cref="Layers.Load"/>
    /// <returns>The layer, which is the caller's to dispose.</returns>
    public static Task<Layer> LoadAsync(
        this Layers layers, int index, IProgress<ModelProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(layers);
        return Task.Run(() => layers.Load(index, progress, cancellationToken), cancellationToken);
    }

    /// <summary><see cref="Layers.Prepare"/>.</summary>
    /// <inheritdoc cref="Layers.Prepare"/>
    public static Task PrepareAsync(
        this Layers layers, IProgress<ModelProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(layers);
        return Task.Run(() => layers.Prepare(progress, cancellationToken), cancellationToken);
    }

    /// <summary><see cref="Cache.Verify"/>.</summary>
    /// <inheritdoc cref="Cache.Verify"/>
    /// <returns>How many entries are damaged.</returns>
    public static Task<long> VerifyAsync(
        this Cache cache, IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        return Task.Run(() => cache.Verify(progress, context, cancellationToken), cancellationToken);
    }
}
