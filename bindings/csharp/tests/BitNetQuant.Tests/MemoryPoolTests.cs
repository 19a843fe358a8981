using System;
using System.Buffers;
using System.IO;
using System.Threading;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>The caller's memory: that it is used, given back, and what happens where it ends.</summary>
public sealed class MemoryPoolTests
{
    [Fact]
    public void IsUsedAndGetsEverythingBack()
    {
        using var pool = new CountingPool();
        using Config config = Config.Parse("nf4_double_quant");
        float[] values = Samples.Values(64 * 512);
        using QuantizedTensor plain = QuantizedTensor.Quantize(values, [64, 512], config);
        QuantizedTensor tensor;
        using (var context = new Context(pool, threads: 3))
        {
            tensor = QuantizedTensor.Quantize(values, [64, 512], config, context);
            Assert.True(pool.Bytes >= tensor.ByteCount, $"{pool.Bytes} bytes of the pool, {tensor.ByteCount} of the tensor");
            Assert.Equal(3, context.Threads);
        }

        // The tensor outlives the context.
        Assert.Equal(plain.ToArray(), tensor.ToArray());
        Assert.True(pool.Blocks > 0);
        tensor.Dispose();
        Assert.Equal((0, 0L), (pool.Blocks, pool.Bytes));
    }

    [Fact]
    public void WhatOutlivesItsContextGoesOn()
    {
        using var directory = new TemporaryDirectory();
        using var pool = new CountingPool();
        using Config config = Config.Parse("int8");
        using var plan = new Plan().Add("*", config, minRank: 2);
        byte[] codes;
        ModelFile file;
        using (var context = new Context(pool))
        {
            Model.Quantize(
                directory.Model(), directory["model.bnq"], plan, WriteOptions.Compress, context: context);
            Assert.Equal(0, pool.Blocks);
            file = ModelFile.Open(directory["model.bnq"], context: context);
        }

        using QuantizedTensor expected = QuantizedTensor.Quantize(Samples.Values(12 * 20), [12, 20], config);
        int rented = pool.Rented;
        using (file)
        using (QuantizedTensor tensor = file.ReadTensor("layer.weight"))
        {
            codes = tensor.Codes.ToArray();
        }

        Assert.Equal(expected.Codes.ToArray(), codes);
        Assert.Equal(rented, pool.Rented); // its memory is the system's now
        Assert.Equal(0, pool.Blocks);
    }

    [Fact]
    public void WantOfMemoryIsAnExceptionAndLeavesNothing()
    {
        using var small = new CountingPool { Limit = 4096 };
        using var throwing = new CountingPool { Limit = -1 };
        using Config config = Config.Parse("int8");
        foreach (CountingPool pool in new[] { small, throwing })
        {
            using var context = new Context(pool);
            Assert.Throws<OutOfMemoryException>(
                () => QuantizedTensor.Quantize(Samples.Values(64 * 512), [64, 512], config, context));
            Assert.Equal(0, pool.Blocks);
        }

        Assert.Throws<ArgumentNullException>("pool", () => new Context((MemoryPool<byte>)null!));
        Assert.Throws<InvalidArgumentException>(() => new Context(small, threads: 257));
    }

    [Fact]
    public void TheSharedPoolServes()
    {
        using var context = new Context(MemoryPool<byte>.Shared, threads: 2);
        using Config config = Config.Parse("int4_per_group_32");
        float[] values = Samples.Values(32 * 256);
        using QuantizedTensor plain = QuantizedTensor.Quantize(values, [32, 256], config);
        for (int i = 0; i < 20; i++)
        {
            using QuantizedTensor tensor = QuantizedTensor.Quantize(values, [32, 256], config, context);
            GC.Collect(); // would move what is not pinned
            Assert.Equal(plain.ToArray(), tensor.ToArray(context));
        }
    }

    /// <summary>Arrays, counted; none beyond a limit.</summary>
    private sealed class CountingPool : MemoryPool<byte>
    {
        private int _blocks, _rented;
        private long _bytes;

        internal long Limit { get; init; } = long.MaxValue;

        internal int Blocks => _blocks;

        internal int Rented => _rented;

        internal long Bytes => _bytes;

        public override int MaxBufferSize => Array.MaxLength;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            if (_bytes + minBufferSize > Limit)
            {
                throw new InsufficientMemoryException("no more");
            }

            Interlocked.Increment(ref _blocks);
            Interlocked.Increment(ref _rented);
            Interlocked.Add(ref _bytes, minBufferSize);
            return new Owner(this, minBufferSize);
        }

        protected override void Dispose(bool disposing)
        {
        }

        private sealed class Owner(CountingPool pool, int bytes) : IMemoryOwner<byte>
        {
            public Memory<byte> Memory { get; private set; } = new byte[bytes];

            public void Dispose()
            {
                Assert.Equal(bytes, Memory.Length); // once only
                Memory.Span.Fill(0xff); // what still reads it, reads this
                Memory = default;
                Interlocked.Decrement(ref pool._blocks);
                Interlocked.Add(ref pool._bytes, -bytes);
            }
        }
    }
}
