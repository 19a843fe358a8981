using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;

namespace BitNetQuant;

// What the files hold, and how far they are.
public sealed partial class CalibrationDataset
{
    private static bool IsObservable(DataType type) =>
        type is DataType.Float64 or DataType.Float32 or DataType.Float16 or DataType.BFloat16;

    private static IEnumerable<TensorInfo> Arrays(ModelFile model) =>
        model.Tensors.Where(tensor => tensor.DataType is { } type && IsObservable(type));

    /// <summary>The files at a path that have batches, open for as long as it is their turn; null for one that is no
    /// model file, which is a .npy file or damaged. As the library does when it observes a directory.</summary>
    private static IEnumerable<(string Path, ModelFile? Model)> Files(string path)
    {
        bool any = false;
        foreach (string file in Paths(path))
        {
            using ModelFile? model = OpenModel(file);
            if (model is null || Arrays(model).Any())
            {
                any = true;
                yield return (file, model);
            }
        }

        if (!any)
        {
            throw new NotFoundException($"\"{path}\" has no floating-point array");
        }
    }

    private static string[] Paths(string path)
    {
        if (!Directory.Exists(path))
        {
            return [path];
        }

        string[] files;
        try
        {
            files = Array.FindAll(Directory.GetFileSystemEntries(path), IsData);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputOutputException($"cannot read directory \"{path}\": {e.Message}");
        }

        if (files.Length == 0)
        {
            throw new NotFoundException($"directory \"{path}\" has no file *.npy or *.safetensors");
        }

        Array.Sort(files, (a, b) => Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b)));
        return files;
    }

    // A name that is only an ending is that of a hidden file.
    private static bool IsData(string path) =>
        Path.GetExtension(path) is ".npy" or ".safetensors" && Path.GetFileNameWithoutExtension(path).Length > 0;

    private static ModelFile? OpenModel(string path)
    {
        try
        {
            return ModelFile.Open(path);
        }
        catch (CorruptFileException)
        {
            return null;
        }
    }

    private static IEnumerable<CalibrationBatch> Batches(
        string path, ModelFile? model, string? name, Context? context)
    {
        if (model is null)
        {
            ByteCountOfNpy(path); // says what is wrong with a damaged one
            throw new UnsupportedException(
                $"\"{path}\" is a .npy file, which can be observed but not read: feed it to a calibrator, or not under "
                + "a name to a set, or add its values as an array");
        }

        foreach (TensorInfo tensor in Arrays(model))
        {
            yield return new CalibrationBatch(name ?? tensor.Name, SourceArray.Of<byte>(
                model.Read<byte>(tensor.Name, context), tensor.DataType!.Value, tensor.Shape.AsSpan()));
        }
    }

    private static long ByteCount(string path) => Files(path).Sum(
        file => file.Model is { } model ? Arrays(model).Sum(tensor => tensor.ByteCount) : ByteCountOfNpy(file.Path));

    /// <summary>As the library says before it reads the data, which it is kept from.</summary>
    private static long ByteCountOfNpy(string path)
    {
        using var calibrator = new Calibrator();
        using var source = new CancellationTokenSource();
        var probe = new Probe(source);
        try
        {
            calibrator.ObserveFile(path, progress: probe, cancellationToken: source.Token);
        }
        catch (OperationCanceledException) when (source.IsCancellationRequested)
        {
        }

        return probe.Total;
    }

    private sealed class Probe(CancellationTokenSource source) : IProgress<ModelProgress>
    {
        internal long Total { get; private set; }

        public void Report(ModelProgress value)
        {
            Total = value.Total;
            source.Cancel();
        }
    }

    /// <summary>Makes one progress of those of arrays and files.</summary>
    private sealed class Meter(IProgress<ModelProgress>? progress, long total, CancellationToken token)
        : IProgress<ModelProgress>
    {
        private long _done;
        private long _file;

        internal void Array(string? name, SourceArray array, Action observe)
        {
            Tell(name);
            observe();
            _done += array.ByteCount;
            Tell(name);
        }

        internal void File(Action<IProgress<ModelProgress>?> observe)
        {
            observe(progress is null ? null : this);
            _done += _file;
            _file = 0;
        }

        /// <summary>Called by the library about a file.</summary>
        public void Report(ModelProgress value)
        {
            _file = value.Total;
            progress!.Report(new ModelProgress(_done + value.Done, total, value.Item));
        }

        private void Tell(string? name)
        {
            progress?.Report(new ModelProgress(_done, total, name ?? ""));
            token.ThrowIfCancellationRequested();
        }
    }
}
