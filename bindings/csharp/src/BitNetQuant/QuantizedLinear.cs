using System;
using System.Buffers;
using System.Collections.Generic;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// A linear layer y = function(x W^T + b) on a quantized weight [outputs, inputs] (further dimensions are inputs), which
/// is read where it is, also in a mapped file. Results are the same bits on every CPU and for any number of threads, and
/// a row's do not depend on other rows; bnq.h has their definition.
/// </summary>
/// <remarks>Any number of threads may run one at once, each with a workspace of its own.</remarks>
/// <example><code>
/// using var options = new OperatorOptions { Input = InputMode.Int8, Function = ActivationFunction.Relu };
/// using var linear = new QuantizedLinear(weight, options);
/// linear.Run(MatrixView.Of&lt;float&gt;(x, rows, linear.Inputs), MatrixSpan.Of&lt;float&gt;(y, rows, linear.Outputs));
/// </code></example>
public sealed unsafe class QuantizedLinear : IDisposable
{
    private readonly LinearHandle _handle;

    /// <summary>A layer of a weight, which it keeps: the tensor may be disposed of.</summary>
    /// <param name="weight">Of two dimensions or more.</param>
    /// <param name="options">What it does; null for the defaults.</param>
    /// <param name="bias">A number for each output, copied: floats, or <see cref="int"/>, which are added to the sums of
    /// integers; null for none.</param>
    /// <param name="context">Where memory comes from; null for the defaults.</param>
    /// <exception cref="InvalidArgumentException">The bias has another length, the weight fewer than two dimensions, or
    /// the options lack a scale.</exception>
    /// <exception cref="UnsupportedException">A bias of integers where there are no sums of integers.</exception>
    public QuantizedLinear(
        QuantizedTensor weight, OperatorOptions? options = null, SourceArray? bias = null, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(weight);
        OperatorHandle given = options?.Handle ?? OperatorHandle.None;
        LinearHandle? layer = null;
        int Create(BnqArray* array) => NativeMethods.bnq_linear_create(
            ContextHandle.Of(context), given, weight.Handle, array, out layer);
        if (bias is null)
        {
            Native.Check(Create(null));
        }
        else
        {
            NativeArray.Lend(bias, Create);
        }

        _handle = layer!;
        _handle.Borrow(weight.Handle);
    }

    /// <summary>Columns of x.</summary>
    public int Inputs => checked((int)NativeMethods.bnq_linear_inputs(_handle));

    /// <summary>Columns of y.</summary>
    public int Outputs => checked((int)NativeMethods.bnq_linear_outputs(_handle));

    /// <summary>Bytes that a run takes for so many rows of x.</summary>
    /// <param name="rows">0 or more.</param>
    public long GetWorkspaceBytes(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        Native.Check(NativeMethods.bnq_linear_workspace(_handle, (ulong)rows, out ulong bytes));
        return checked((long)bytes);
    }

    /// <summary>y of x.</summary>
    /// <param name="x">Floats; or codes, with scales unless the options have
    /// <see cref="OperatorOptions.InputScale"/>.</param>
    /// <param name="y">Apart from x: floats, or the codes of <see cref="OperatorOptions.Output"/>.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="workspace">Of <see cref="GetWorkspaceBytes"/> or more; null: every run allocates memory.</param>
    /// <exception cref="InvalidArgumentException">Shapes or types do not fit, or the memory overlaps.</exception>
    /// <exception cref="NonFiniteException">x becomes codes, but has an element that is not finite.</exception>
    /// <exception cref="OperationCanceledException">The context's token was cancelled. y is then in part
    /// written.</exception>
    public void Run(MatrixView x, MatrixSpan y, Context? context = null, Workspace? workspace = null)
    {
        using Workspace.Lease lease = Workspace.Lend(workspace);
        (nint memory, ulong bytes) = ((nint)lease.Pointer, lease.ByteCount);
        NativeMatrix.Lend(x, y, (from, to) => NativeMethods.bnq_linear_run(
            _handle, ContextHandle.Of(context), from, to, (void*)memory, bytes));
    }

    /// <summary>y of x, in an array of its own.</summary>
    /// <param name="x">Rows of <see cref="Inputs"/>, one after the other.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <returns>As many rows of <see cref="Outputs"/>.</returns>
    /// <exception cref="ArgumentException">x is not of whole rows.</exception>
    /// <inheritdoc cref="Run(MatrixView, MatrixSpan, Context?, Workspace?)" path="/exception"/>
    public float[] Run(ReadOnlySpan<float> x, Context? context = null)
    {
        int inputs = Inputs;
        int rows = inputs == 0 ? 0 : x.Length / inputs;
        var y = new float[checked(rows * Outputs)];
        Run(MatrixView.Of(x, rows, inputs), MatrixSpan.Of<float>(y, rows, Outputs), context);
        return y;
    }

    /// <summary>Several layers on one x (query, key and value; experts), as one piece of work for the context's
    /// threads.</summary>
    /// <typeparam name="T">The type of all outputs, as in <see cref="MatrixSpan"/>.</typeparam>
    /// <param name="layers">The layers.</param>
    /// <param name="x">As in <see cref="Run(MatrixView, MatrixSpan, Context?, Workspace?)"/>.</param>
    /// <param name="ys">For each layer as many rows as x has, of its outputs, row after row.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="workspace">Of the bytes of all layers together; null: memory is allocated.</param>
    /// <exception cref="ArgumentException">There is not one output for each layer, or not of its length.</exception>
    public static void RunMany<T>(
        IReadOnlyList<QuantizedLinear> layers, MatrixView x, IReadOnlyList<Memory<T>> ys, Context? context = null,
        Workspace? workspace = null) where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(layers);
        ArgumentNullException.ThrowIfNull(ys);
        if (ys.Count != layers.Count)
        {
            throw new ArgumentException($"ys has {ys.Count} outputs; {layers.Count} are needed.", nameof(ys));
        }

        var owners = new LinearHandle?[layers.Count];
        var pins = new MemoryHandle[layers.Count];
        var handles = new nint[layers.Count];
        var outputs = new BnqMatrix[layers.Count];
        using Workspace.Lease lease = Workspace.Lend(workspace);
        try
        {
            for (int i = 0; i < handles.Length; i++)
            {
                LinearHandle handle = (layers[i] ?? throw new ArgumentException($"layers[{i}] is null.", nameof(layers)))._handle;
                bool added = false;
                handle.DangerousAddRef(ref added);
                owners[i] = handle;
                handles[i] = handle.DangerousGetHandle();
                pins[i] = ys[i].Pin();
                outputs[i] = NativeMatrix.Raw(
                    MatrixView.Of<T>(ys[i].Span, x.Rows, layers[i].Outputs), pins[i].Pointer, null, null);
            }

            RunMany(handles, outputs, x, context, (nint)lease.Pointer, lease.ByteCount);
        }
        finally
        {
            for (int i = 0; i < handles.Length; i++)
            {
                pins[i].Dispose();
                owners[i]?.DangerousRelease();
            }
        }
    }

    private static void RunMany(
        nint[] layers, BnqMatrix[] outputs, MatrixView x, Context? context, nint memory, ulong bytes)
    {
        fixed (nint* first = layers)
        fixed (BnqMatrix* output = outputs)
        {
            nint* handles = first;
            BnqMatrix* ys = output;
            NativeMatrix.Lend(x, from => NativeMethods.bnq_linear_run_many(
                handles, (ulong)layers.Length, ContextHandle.Of(context), from, ys, (void*)memory, bytes));
        }
    }

    /// <summary>Frees the layer.</summary>
    public void Dispose() => _handle.Dispose();
}
