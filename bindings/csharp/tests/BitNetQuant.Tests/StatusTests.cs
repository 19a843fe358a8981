using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using BitNetQuant.Interop;
using Xunit;
using static BitNetQuant.Tests.Samples;

namespace BitNetQuant.Tests;

/// <summary>Every status, as the library really gives it, and the exception that it becomes.</summary>
public sealed unsafe class StatusTests
{
    private static readonly Dictionary<Status, (Type Exception, Action Cause)> Causes = new()
    {
        [Status.InvalidArgument] = (typeof(InvalidArgumentException), () => new Context(-1)),
        [Status.Unsupported] = (typeof(UnsupportedException), () =>
        {
            using var config = new Config { Format = Format.Ternary, Scheme = Scheme.Asymmetric };
            Quantize(config, null);
        }),
        [Status.OutOfMemory] = (typeof(OutOfMemoryException), () =>
        {
            var allocator = new BnqAllocator { Alloc = &NoMemory, Free = &FreeNothing };
            Native.Check(NativeMethods.bnq_context_create(&allocator, out ContextHandle handle));
            using var context = new Context(handle);
            using var config = new Config();
            Quantize(config, context);
        }),
        [Status.CorruptFile] = (typeof(CorruptFileException), () => ModelFile.Open(new byte[100])),
        [Status.InputOutput] = (typeof(InputOutputException), () =>
        {
            using var directory = new TemporaryDirectory();
            using var plan = new Plan();
            Model.Quantize(directory.Model(), directory[Path.Combine("missing", "out.bnq")], plan);
        }),
        [Status.NoData] = (typeof(NoDataException), () => Metrics.Compare([], Array.Empty<float>())),
        [Status.Cancelled] = (typeof(OperationCanceledException), () =>
        {
            using var directory = new TemporaryDirectory();
            using ModelFile file = ModelFile.Open(directory.Model());

            // Cancelled by the callback alone: there is no token to name.
            FileHandle handle = HandleOf(file);
            Native.Check(NativeMethods.bnq_file_verify(ContextHandle.None, handle, &Stop, null));
        }),
        [Status.Internal] = (typeof(InternalErrorException), () =>
        {
            using var context = new Context();
            var runner = new BnqRunner { Run = &RefuseToRun, Workers = 2 };
            Native.Check(NativeMethods.bnq_context_set_runner(context.Handle, &runner));
            using var config = new Config();
            Quantize(config, context);
        }),
        [Status.NonFinite] = (typeof(NonFiniteException), () =>
        {
            using var config = new Config();
            QuantizedTensor.Quantize(Floats(1f, float.NaN), [2], config);
        }),
        [Status.NotFound] = (typeof(NotFoundException), () => Library.FindFormat("int9")),
        [Status.AlreadyExists] = (typeof(AlreadyExistsException), () =>
        {
            using var directory = new TemporaryDirectory();
            _ = new ModelWriter(directory.Model(), ModelFileKind.Safetensors);
        }),
    };

    public static TheoryData<Status> Failures =>
        new(Enum.GetValues<Status>().Where(status => status != Status.Ok));

    [Theory]
    [MemberData(nameof(Failures))]
    public void EveryStatusHasItsException(Status status)
    {
        (Type type, Action cause) = Causes[status];

        Exception error = Assert.Throws(type, cause);

        Assert.NotEmpty(error.Message);
        if (error is BitNetQuantException ours)
        {
            Assert.Equal(status, ours.Status);
        }
    }

    [Fact]
    public void UnknownStatusIsTheBaseClass()
    {
        var error = Assert.IsType<BitNetQuantException>(BitNetQuantException.Create((Status)99, "text"));

        Assert.Equal((Status)99, error.Status);
        Assert.Equal("text", error.Message);
    }

    [Fact]
    public void MessagesNameParameterValueAndBounds()
    {
        using var config = new Config();

        var error = Assert.Throws<InvalidArgumentException>(() => config.GroupSize = -5);

        Assert.Contains("group_size", error.Message, StringComparison.Ordinal);
        Assert.Contains("-5", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void LastErrorBelongsToItsThread()
    {
        using var config = new Config();
        var errors = new string[4];
        System.Threading.Tasks.Parallel.For(0, errors.Length, i =>
        {
            for (int round = 0; round < 200; round++)
            {
                errors[i] = Assert.Throws<NotFoundException>(() => config.Set($"no-option-{i}", "1")).Message;
                Assert.Contains($"no-option-{i}", errors[i], StringComparison.Ordinal);
            }
        });
    }

    private static void Quantize(Config config, Context? context)
    {
        config.Granularity = Granularity.Tensor;
        QuantizedTensor.Quantize(Samples.Values(1 << 20), [1 << 10, 1 << 10], config, context).Dispose();
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_handle")]
    private static extern ref FileHandle HandleOf(ModelFile file);

    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static void* NoMemory(void* opaque, ulong bytes) => null;

    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static void FreeNothing(void* opaque, void* memory) { }

    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static int Stop(void* opaque, ulong done, ulong total, byte* item) => 1;

    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static int RefuseToRun(
        void* opaque, ulong count, delegate* unmanaged[Cdecl]<void*, ulong, uint, void> task, void* taskOpaque) => 1;
}
