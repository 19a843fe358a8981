using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using BitNetQuant.Interop;

namespace BitNetQuant;

// What the files hold, and how far they are.
public sealed partial class CalibrationDataset
{
    /// <summary>The files at a path that have batches, in order, as the library finds them.</summary>
    private static unsafe List<DataFile> Files(string path)
    {
        var files = new List<DataFile>();
        Native.Check(NativeMethods.bnq_batches_find(ContextHandle.Of(null), path, null, out BatchesHandle batches));
        using (batches)
        {
            ulong count = NativeMethods.bnq_batches_count(batches);
            for (ulong i = 0; i < count; i++)
            {
                string file = Native.Text(NativeMethods.bnq_batches_path(batches, i));
                if (files.Count == 0 || files[^1].Path != file)
                {
                    files.Add(new DataFile(file, []));
                }

                files[^1].ByteCount += checked((long)NativeMethods.bnq_batches_bytes(batches, i));
                files[^1].Arrays.Add(Native.Text(NativeMethods.bnq_batches_name(batches, i)));
            }
        }

        return files;
    }

    /// <summary>The batches of a file, which is open for as long as it is its turn.</summary>
    private static IEnumerable<CalibrationBatch> Batches(DataFile file, string? name, Context? context)
    {
        using ModelFile model = ModelFile.Open(file.Path, context);
        foreach (string array in file.Arrays)
        {
            TensorInfo tensor = model[array];
            yield return new CalibrationBatch(name ?? array, SourceArray.Of<byte>(
                model.Read<byte>(array, context), tensor.DataType!.Value, tensor.Shape.AsSpan()));
        }
    }

    private static long ByteCount(string path) => Files(path).Sum(file => file.ByteCount);

    /// <summary>A file, and the names and bytes of its batches.</summary>
    private sealed record DataFile(string Path, List<string> Arrays)
    {
        internal long ByteCount { get; set; }
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
