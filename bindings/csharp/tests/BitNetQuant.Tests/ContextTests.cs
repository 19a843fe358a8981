using System;
using System.Collections.Generic;
using System.Threading;
using Xunit;
using static BitNetQuant.Tests.Samples;

namespace BitNetQuant.Tests;

public sealed class ContextTests
{
    [Fact]
    public void ThreadsCanBeSet()
    {
        using var context = new Context(3);
        Assert.Equal(3, context.Threads);

        context.Threads = 0;
        Assert.InRange(context.Threads, 1, 256);

        Assert.Throws<InvalidArgumentException>(() => context.Threads = 257);
        Assert.Throws<InvalidArgumentException>(() => context.Threads = -1);
        using var single = new Context();
        Assert.Equal(1, single.Threads);
    }

    [Theory]
    [InlineData(Format.Ternary)]
    [InlineData(Format.Int8)]
    public void ResultsDoNotDependOnThreads(Format format)
    {
        float[] values = Samples.Values(1000 * 301);
        using var config = new Config { Format = format, GroupSize = 37 };
        using QuantizedTensor one = QuantizedTensor.Quantize(values, [1000, 301], config);
        foreach (int threads in new[] { 2, 8 })
        {
            using var context = new Context(threads);
            using QuantizedTensor many = QuantizedTensor.Quantize(values, [1000, 301], config, context);

            Assert.True(one.Codes.Span.SequenceEqual(many.Codes.Span));
            Assert.True(one.Scales.Span.SequenceEqual(many.Scales.Span));
            Assert.Equal(one.ToArray(), many.ToArray(context));
            Assert.Equal(one.Compare(values), many.Compare(values, context));
        }
    }

    [Fact]
    public void CancellationEndsWhatHasNoTokenOfItsOwn()
    {
        using var source = new CancellationTokenSource();
        using var context = new Context(2);
        context.SetCancellation(source.Token);
        Samples.AssertCancels(context, source, () => context.SetCancellation(CancellationToken.None));
    }

    [Fact]
    public void LogReceiversCanBeReplacedAndRemoved()
    {
        var lines = new List<(LogLevel Level, string Text)>();
        using var directory = new TemporaryDirectory();
        using var context = new Context();
        using var plan = new Plan();

        context.SetLog((_, _) => throw new InvalidOperationException("dropped"), LogLevel.Info);
        Model.Quantize(directory.Model(), directory["a.bnq"], plan, context: context);
        context.SetLog((level, text) => lines.Add((level, text)), LogLevel.Info);
        Model.Quantize(directory.Model(), directory["b.bnq"], plan, context: context);
        Assert.All(lines, line => Assert.True(Enum.IsDefined(line.Level) && line.Text.Length > 0));

        context.SetLog(null);
        int count = lines.Count;
        Model.Quantize(directory.Model(), directory["c.bnq"], plan, context: context);
        Assert.Equal(count, lines.Count);
    }

    [Fact]
    public void TensorsOutliveTheirContext()
    {
        using var config = new Config { Format = Format.Int8 };
        QuantizedTensor tensor;
        using (var context = new Context(2))
        {
            tensor = QuantizedTensor.Quantize(Floats(0.5f, -1f), [2], config, context);
        }

        using (tensor)
        {
            Assert.Equal([64, -127], tensor.Unpack());
        }
    }

    [Fact]
    public void DisposedContextsAreRefused()
    {
        var context = new Context();
        context.Dispose();
        context.Dispose();
        using var config = new Config();

        Assert.Throws<ObjectDisposedException>(() => context.Threads);
        Assert.Throws<ObjectDisposedException>(() => context.SetLog((_, _) => { }));
        Assert.Throws<ObjectDisposedException>(() => QuantizedTensor.Quantize(Floats(1f), [1], config, context));
    }
}
