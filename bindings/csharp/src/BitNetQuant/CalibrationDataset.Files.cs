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

    /// <summary>The files at a path that have batches, open for as long as it is their turn.</summary>
    private static IEnumerable<(string Path, ModelFile Model)> Files(string path)
    {
        bool any = false;
        foreach (string file in Paths(path))
        {
            using ModelFile model = ModelFile.Open(file);
            if (Arrays(model).Any())
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

    private static IEnumerable<CalibrationBatch> Batches(ModelFile model, string? name, Context? context) =>
        Arrays(model).Select(tensor => new CalibrationBatch(name ?? tensor.Name, SourceArray.Of<byte>(
            model.Read<byte>(tensor.Name, context), tensor.DataType!.Value, tensor.Shape.AsSpan())));

    private static long ByteCount(string path) =>
        Files(path).Sum(file => Arrays(file.Model).Sum(tensor => tensor.ByteCount));

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
