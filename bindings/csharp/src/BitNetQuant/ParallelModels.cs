using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace BitNetQuant;

/// <summary>
/// Many models, files or tensors at once: as <see cref="Parallel.ForEachAsync{TSource}(IEnumerable{TSource},
/// ParallelOptions, Func{TSource, CancellationToken, ValueTask})"/>, with what the library's operations take. A job has
/// one thread and one tensor in memory at a time; what it makes is the same bytes whatever runs beside it.
/// </summary>
/// <example><code>
/// using Plan plan = Plan.Load("plan.txt");
/// Report[] reports = await ParallelModels.RunAsync(
///     Directory.GetFiles("models", "*.safetensors"),
///     (path, job) => Model.Quantize(
///         path, Path.ChangeExtension(path, ".bnq"), plan, progress: job.Progress, context: job.Context,
///         cancellationToken: job.CancellationToken),
///     new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = token });
///
/// // Calibrated from many files. Sets merge exactly (but those of methods that depend on the order of batches).
/// Calibration[] sets = await ParallelModels.RunAsync(files, (path, job) =>
/// {
///     var set = new Calibration();
///     set.ObserveFile(path, progress: job.Progress, context: job.Context);
///     return set;
/// });
/// foreach (Calibration set in sets[1..]) sets[0].Merge(set);
/// </code></example>
public static class ParallelModels
{
    /// <summary>Runs a job for each item, several at once.</summary>
    /// <typeparam name="TItem">Such as the path of a model.</typeparam>
    /// <typeparam name="TResult">Such as <see cref="Report"/>.</typeparam>
    /// <param name="items">Enumerated before the first job begins.</param>
    /// <param name="body">The job. It should hand on the job's context, or its token, so that it can be
    /// cancelled.</param>
    /// <param name="options">On which scheduler, how many at once and what cancels them; null for one for each
    /// processor, on the thread pool.</param>
    /// <param name="progress">Hears of all jobs, on their threads but of one at a time; may be null.</param>
    /// <returns>What the jobs returned, in the order of the items. Where one throws, those that run are cancelled, the
    /// others not begun, and the task has its exception, unchanged. What was finished before stays.</returns>
    /// <exception cref="OperationCanceledException">The options' token was cancelled.</exception>
    public static async Task<TResult[]> RunAsync<TItem, TResult>(
        IEnumerable<TItem> items, Func<TItem, ParallelJob, TResult> body, ParallelOptions? options = null,
        IProgress<ParallelProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(body);
        TItem[] all = items.ToArray();
        var results = new TResult[all.Length];
        Listener? listener = progress is null ? null : new Listener(progress, all.Length);
        await Parallel.ForEachAsync(Enumerable.Range(0, all.Length), options ?? new ParallelOptions(), (index, token) =>
        {
            using var context = new Context();
            context.SetCancellation(token);
            results[index] = body(all[index], new ParallelJob(index, context, listener?.Of(index), token));
            listener?.Finish(index);
            return ValueTask.CompletedTask;
        }).ConfigureAwait(false);
        return results;
    }

    /// <summary>Tells one receiver of all jobs, one at a time, so that it need not be made for several threads.</summary>
    private sealed class Listener(IProgress<ParallelProgress> progress, int count)
    {
        private readonly object _lock = new();
        private int _finished;

        internal IProgress<ModelProgress> Of(int index) => new Job(this, index);

        internal void Finish(int index)
        {
            lock (_lock)
            {
                progress.Report(new ParallelProgress(++_finished, count, index, null));
            }
        }

        private void Report(int index, ModelProgress value)
        {
            lock (_lock)
            {
                progress.Report(new ParallelProgress(_finished, count, index, value));
            }
        }

        private sealed class Job(Listener listener, int index) : IProgress<ModelProgress>
        {
            public void Report(ModelProgress value) => listener.Report(index, value);
        }
    }
}

/// <summary>What a job of <see cref="ParallelModels"/> hands on to the library.</summary>
/// <param name="Index">The number of its item, from 0.</param>
/// <param name="Context">Its own, of one thread, which the token cancels; disposed of when it is done.</param>
/// <param name="Progress">Hears of it; null where nobody does.</param>
/// <param name="CancellationToken">Cancelled with the options' token, and when another job fails.</param>
public sealed record ParallelJob(
    int Index, Context Context, IProgress<ModelProgress>? Progress, CancellationToken CancellationToken);

/// <summary>How far jobs have come.</summary>
/// <param name="Finished">How many are done.</param>
/// <param name="Count">Of how many.</param>
/// <param name="Index">The number of the item that this is of.</param>
/// <param name="Item">How far that one has come; null when it is done.</param>
public readonly record struct ParallelProgress(int Finished, int Count, int Index, ModelProgress? Item);
