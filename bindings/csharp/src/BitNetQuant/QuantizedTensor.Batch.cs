using System;
using System.Buffers;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using BitNetQuant.Interop;

namespace BitNetQuant;

// Many arrays or tensors in one call, shared out among the context's threads.
public sealed unsafe partial class QuantizedTensor
{
    /// <summary>Quantizes arrays in one call, shared out among the context's threads.</summary>
    /// <param name="sources">The arrays, of any shapes and types.</param>
    /// <param name="config">What to quantize all of them into; without outliers.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <returns>As many tensors, in the same order; what quantizing them singly gives.</returns>
    /// <exception cref="ArgumentException">An array is null.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names the array ("array 3") and
    /// the index.</exception>
    /// <exception cref="UnsupportedException">The config asks for what its format does not have.</exception>
    /// <exception cref="BitNetQuantException">The config or a shape is not legal, or both do not fit.</exception>
    public static QuantizedTensor[] QuantizeBatch(
        IReadOnlyList<SourceArray> sources, Config config, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(config);
        using var batch = new QuantizeLists(sources, config);
        return batch.Run(config, context);
    }

    /// <summary>Dequantizes tensors in one call, shared out among the context's threads.</summary>
    /// <param name="tensors">The tensors.</param>
    /// <param name="destinations">As many, each exactly as long as its tensor has elements.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">A tensor is null, or the numbers of tensors and destinations
    /// differ.</exception>
    /// <exception cref="InvalidArgumentException">A destination has another length than its tensor; the message
    /// names it ("tensor 3").</exception>
    public static void DequantizeBatch(
        IReadOnlyList<QuantizedTensor> tensors, IReadOnlyList<Memory<float>> destinations, Context? context = null) =>
        DequantizeBatch(tensors, destinations, DataType.Float32, context);

    /// <inheritdoc cref="DequantizeBatch(IReadOnlyList{QuantizedTensor}, IReadOnlyList{Memory{float}}, Context?)"/>
    /// <param name="tensors">The tensors.</param>
    /// <param name="destinations">As many, each exactly as long as its tensor has elements.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="overflow">What becomes of values that the type does not hold.</param>
    /// <remarks>Rounded to nearest, ties to even.</remarks>
    /// <exception cref="NonFiniteException">A value overflows; the message names tensor and index.</exception>
    public static void DequantizeBatch(
        IReadOnlyList<QuantizedTensor> tensors, IReadOnlyList<Memory<Half>> destinations, Context? context = null,
        Overflow overflow = Overflow.Error) =>
        DequantizeBatch(tensors, destinations, DataType.Float16, context, overflow);

    /// <inheritdoc cref="DequantizeBatch(IReadOnlyList{QuantizedTensor}, IReadOnlyList{Memory{Half}}, Context?, Overflow)"/>
    /// <param name="tensors">The tensors.</param>
    /// <param name="destinations">As many, which receive the bits of bfloat16 numbers; each exactly as long as its
    /// tensor has elements.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="overflow">What becomes of values that the type does not hold.</param>
    public static void DequantizeBatchBFloat16(
        IReadOnlyList<QuantizedTensor> tensors, IReadOnlyList<Memory<ushort>> destinations, Context? context = null,
        Overflow overflow = Overflow.Error) =>
        DequantizeBatch(tensors, destinations, DataType.BFloat16, context, overflow);

    /// <inheritdoc cref="DequantizeBatch(IReadOnlyList{QuantizedTensor}, IReadOnlyList{Memory{float}}, Context?)"/>
    /// <returns>As many arrays, in the same order.</returns>
    public static float[][] DequantizeBatch(IReadOnlyList<QuantizedTensor> tensors, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var values = new float[tensors.Count][];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = new float[Native.Length((ulong)Element(tensors, i).ElementCount, $"tensors[{i}]")];
        }

        DequantizeBatch(tensors, Array.ConvertAll(values, array => array.AsMemory()), context);
        return values;
    }

    private static void DequantizeBatch<T>(
        IReadOnlyList<QuantizedTensor> tensors, IReadOnlyList<Memory<T>> destinations, DataType type, Context? context,
        Overflow overflow = Overflow.Error)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(destinations);
        int count = tensors.Count;
        if (destinations.Count != count)
        {
            throw new ArgumentException(
                $"destinations holds {destinations.Count} buffers for {count} tensors.", nameof(destinations));
        }

        var handles = new TensorHandle?[count];
        var pins = new MemoryHandle[count];
        var pointers = new nint[count];
        var outputs = new void*[count];
        var bytes = new ulong[count];
        try
        {
            for (int i = 0; i < count; i++)
            {
                TensorHandle handle = Element(tensors, i)._handle;
                bool added = false;
                handle.DangerousAddRef(ref added);
                handles[i] = handle;
                pointers[i] = handle.DangerousGetHandle();
                pins[i] = destinations[i].Pin();
                outputs[i] = pins[i].Pointer;
                bytes[i] = (ulong)destinations[i].Length * (ulong)sizeof(T);
            }

            fixed (nint* tensor = pointers)
            fixed (void** output = outputs)
            fixed (ulong* size = bytes)
            {
                Native.Check(NativeMethods.bnq_dequantize_batch(
                    ContextHandle.Of(context), (ulong)count, tensor, (int)type, (int)overflow, output, size));
            }
        }
        finally
        {
            for (int i = 0; i < count; i++)
            {
                pins[i].Dispose();
                handles[i]?.DangerousRelease();
            }
        }
    }

    private static T Element<T>(
        IReadOnlyList<T> list, int index, [CallerArgumentExpression(nameof(list))] string? name = null)
        where T : class =>
        list[index] ?? throw new ArgumentException($"{name}[{index}] is null.", name);

    /// <summary>The lists that the library takes: the arrays, pinned, and for each the memory of its tensor.</summary>
    private sealed class QuantizeLists : IDisposable
    {
        private readonly int _count;
        private readonly SourceArray[] _sources;
        private readonly MemoryHandle[] _pins;
        private readonly NativeBlock?[] _blocks;
        private readonly BnqArray[] _arrays;
        private readonly byte*[] _codes;
        private readonly void*[] _scales;
        private readonly sbyte*[] _zeroPoints;
        private readonly ulong[] _codeBytes;
        private readonly ulong[] _scaleBytes;
        private readonly ulong[] _zeroPointCounts;

        internal QuantizeLists(IReadOnlyList<SourceArray> sources, Config config)
        {
            _count = sources.Count;
            _sources = new SourceArray[_count];
            _pins = new MemoryHandle[_count];
            _blocks = new NativeBlock?[_count];
            _arrays = new BnqArray[_count];
            _codes = new byte*[_count];
            _scales = new void*[_count];
            _zeroPoints = new sbyte*[_count];
            _codeBytes = new ulong[_count];
            _scaleBytes = new ulong[_count];
            _zeroPointCounts = new ulong[_count];
            try
            {
                for (int i = 0; i < _count; i++)
                {
                    Add(i, Element(sources, i), config);
                }
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        internal QuantizedTensor[] Run(Config config, Context? context)
        {
            var pointers = new nint[_count];
            fixed (BnqArray* arrays = _arrays)
            fixed (byte** codes = _codes)
            fixed (void** scales = _scales)
            fixed (sbyte** zeroPoints = _zeroPoints)
            fixed (ulong* codeBytes = _codeBytes, scaleBytes = _scaleBytes, zeroPointCounts = _zeroPointCounts)
            fixed (nint* pointer = pointers)
            {
                Native.Check(NativeMethods.bnq_quantize_batch(
                    ContextHandle.Of(context), config.Handle, (ulong)_count, arrays, codes, codeBytes,
                    scales, scaleBytes, zeroPoints, zeroPointCounts, pointer));
            }

            GC.KeepAlive(_sources); // whose dimensions the arrays point to

            // All handles before anything that may throw: they own the tensors.
            TensorHandle[] handles = Array.ConvertAll(pointers, value => new TensorHandle(value));
            for (int i = 0; i < _count; i++)
            {
                handles[i].Use(_blocks[i]);
            }

            return Array.ConvertAll(handles, handle => new QuantizedTensor(handle));
        }

        /// <summary>Ends the use of the arrays, and of the memory that no tensor has taken over.</summary>
        public void Dispose()
        {
            for (int i = 0; i < _count; i++)
            {
                _pins[i].Dispose();
                _blocks[i]?.RemoveUser();
            }
        }

        private void Add(int i, SourceArray source, Config config)
        {
            _sources[i] = source;
            ulong codes, scales, zeroPoints;
            int status = NativeMethods.bnq_quantized_sizes(
                config.Handle, source.Rank, source.Dimensions, &codes, &scales, &zeroPoints);
            if (status != NativeMethods.BNQ_OK)
            {
                throw Native.Error(status, $"array {i}");
            }

            // One block: codes, scales at the next multiple of the alignment, zero points.
            const ulong Alignment = NativeBlock.Alignment;
            ulong scaleOffset = checked(codes + Alignment - 1) / Alignment * Alignment;
            ulong zeroPointOffset = checked(scaleOffset + scales);
            NativeBlock block = new(checked(zeroPointOffset + zeroPoints));
            block.AddUser();
            _blocks[i] = block;
            _codes[i] = block.Pointer;
            _codeBytes[i] = codes;
            _scales[i] = block.Pointer + scaleOffset;
            _scaleBytes[i] = scales;
            _zeroPoints[i] = (sbyte*)block.Pointer + zeroPointOffset;
            _zeroPointCounts[i] = zeroPoints;
            _pins[i] = source.Pin();
            _arrays[i] = new BnqArray
            {
                Data = _pins[i].Pointer, Shape = source.Dimensions, Dtype = (int)source.DataType, Rank = source.Rank,
            };
        }
    }
}
