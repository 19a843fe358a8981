using System;
using System.Collections.Generic;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>Where a <see cref="TrainingSchedule"/> stands.</summary>
/// <param name="Phase">The number of the phase, from 0.</param>
/// <param name="PhaseStep">Steps of the phase that are done.</param>
/// <param name="Step">Steps of all phases that are done.</param>
/// <param name="Bits">Bits of the next step.</param>
/// <param name="Temperature">Temperature of the next step.</param>
/// <param name="Share">Of the elements, those that are quantized in it.</param>
/// <param name="Layers">Of the layers, those that are quantized in it.</param>
/// <param name="BestLoss">The best loss of the phase; null before there is one.</param>
/// <param name="SinceBest">Losses since then.</param>
/// <param name="Done">Whether the last phase has ended.</param>
public readonly record struct TrainingScheduleState(
    int Phase, long PhaseStep, long Step, double Bits, double Temperature, double Share, double Layers,
    double? BestLoss, long SinceBest, bool Done);

/// <summary>
/// Phases of training one after another: 8 to 4 to 2 to 1.58 bits, soft to hard, layer by layer. Its state can be kept as
/// bytes, so that training goes on where it was left.
/// </summary>
/// <remarks>May be used by several threads at once only while none of them steps.</remarks>
public sealed unsafe class TrainingSchedule : IDisposable
{
    private readonly ScheduleHandle _handle;

    /// <summary>At the first step of the first phase.</summary>
    /// <param name="phases">Are copied.</param>
    /// <exception cref="InvalidArgumentException">There are none, the bits of one are those of no codes, or nothing ends
    /// one that is not the last; the message names it.</exception>
    public TrainingSchedule(IReadOnlyList<TrainingPhase> phases)
    {
        ArgumentNullException.ThrowIfNull(phases);
        var handles = new PhaseHandle[phases.Count];
        var pointers = new nint[phases.Count];
        int held = 0;
        try
        {
            for (; held < handles.Length; held++)
            {
                ArgumentNullException.ThrowIfNull(phases[held], $"{nameof(phases)}[{held}]");
                handles[held] = phases[held].Handle;
                bool added = false;
                handles[held].DangerousAddRef(ref added);
                pointers[held] = handles[held].DangerousGetHandle();
            }

            fixed (nint* pointer = pointers)
            {
                Native.Check(NativeMethods.bnq_schedule_create(pointer, (ulong)pointers.Length, out _handle));
            }
        }
        finally
        {
            while (held > 0)
            {
                handles[--held].DangerousRelease();
            }
        }
    }

    private TrainingSchedule(ScheduleHandle handle) => _handle = handle;

    /// <summary>Where it stands.</summary>
    public TrainingScheduleState State
    {
        get
        {
            double* values = stackalloc double[NativeMethods.BNQ_NUM_SCHEDULE_VALUES];
            Native.Check(NativeMethods.bnq_schedule_values(_handle, values, NativeMethods.BNQ_NUM_SCHEDULE_VALUES));
            double best = values[NativeMethods.BNQ_SCHEDULE_BEST_LOSS];
            return new TrainingScheduleState(
                (int)values[NativeMethods.BNQ_SCHEDULE_PHASE],
                (long)values[NativeMethods.BNQ_SCHEDULE_PHASE_STEP],
                (long)values[NativeMethods.BNQ_SCHEDULE_STEP],
                values[NativeMethods.BNQ_SCHEDULE_BITS],
                values[NativeMethods.BNQ_SCHEDULE_TEMPERATURE],
                values[NativeMethods.BNQ_SCHEDULE_SHARE],
                values[NativeMethods.BNQ_SCHEDULE_LAYERS],
                double.IsNaN(best) ? null : best,
                (long)values[NativeMethods.BNQ_SCHEDULE_SINCE_BEST],
                values[NativeMethods.BNQ_SCHEDULE_DONE] != 0);
        }
    }

    /// <summary>A step of training is done. After the last phase it stays at that one's end.</summary>
    /// <param name="loss">Its loss; null where it is not known.</param>
    /// <param name="error">Its quantization error, by any measure of it; null where it is not known.</param>
    /// <returns>Whether a phase ended.</returns>
    /// <exception cref="InvalidArgumentException">One is infinite.</exception>
    public bool Step(double? loss = null, double? error = null)
    {
        int ended;
        Native.Check(NativeMethods.bnq_schedule_step(_handle, loss ?? double.NaN, error ?? double.NaN, &ended));
        return ended != 0;
    }

    /// <summary>What a layer is trained with in this step: a copy of a quantizer with the format, temperature and
    /// probability of now; null where it is not quantized yet.</summary>
    /// <param name="quantizer">For everything else; stays as it is.</param>
    /// <param name="layer">Its number from 0, in the order in which layers are quantized.</param>
    /// <param name="layers">The number of layers.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative.</exception>
    /// <exception cref="InvalidArgumentException">There is no such layer.</exception>
    public FakeQuantizer? Apply(FakeQuantizer quantizer, int layer = 0, int layers = 1)
    {
        ArgumentNullException.ThrowIfNull(quantizer);
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfNegative(layers);
        FakeQuantizer result = quantizer.Clone();
        int quantized = 0;
        try
        {
            Native.Check(NativeMethods.bnq_schedule_apply(
                _handle, (ulong)layer, (ulong)layers, result.Config.Handle, result.Training.Handle, &quantized));
            return quantized != 0 ? result : null;
        }
        finally
        {
            if (quantized == 0)
            {
                result.Dispose();
            }
        }
    }

    /// <summary>Phases and where it stands as bytes, the same ones on every machine.</summary>
    public byte[] ToBytes()
    {
        ulong size;
        Native.Check(NativeMethods.bnq_schedule_serialize(_handle, null, 0, &size));
        var bytes = new byte[Native.Length(size, "The result")];
        fixed (byte* pointer = bytes)
        {
            Native.Check(NativeMethods.bnq_schedule_serialize(_handle, pointer, size, &size));
        }

        return bytes;
    }

    /// <summary>The schedule of <see cref="ToBytes"/>.</summary>
    /// <param name="bytes">What that gave.</param>
    /// <exception cref="CorruptFileException">They are no schedule, or damaged.</exception>
    /// <exception cref="UnsupportedException">A later library has written them.</exception>
    public static TrainingSchedule FromBytes(ReadOnlySpan<byte> bytes)
    {
        byte none; // what an empty span points to is NULL
        fixed (byte* pointer = bytes)
        {
            Native.Check(NativeMethods.bnq_schedule_deserialize(
                bytes.IsEmpty ? &none : pointer, (ulong)bytes.Length, out ScheduleHandle handle));
            return new TrainingSchedule(handle);
        }
    }

    /// <summary>Frees the schedule.</summary>
    public void Dispose() => _handle.Dispose();
}
