using System;
using System.Linq;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>Phases of training one after another.</summary>
public sealed class TrainingScheduleTests
{
    [Fact]
    public void GoesThroughItsPhasesAndOnWhereItWasLeft()
    {
        using var first = new TrainingPhase { Bits = 8, Steps = 2 };
        using var second = new TrainingPhase { Bits = 4, Patience = 1 };
        using var third = new TrainingPhase
        {
            Bits = 1.58, Steps = 5, LayersBegin = 0.5, TemperatureBegin = 1, TemperatureEnd = 0,
        };
        using var fourth = new TrainingPhase { Bits = 1, MaxError = 0.1 };
        using var before = new TrainingSchedule([first, second, third, fourth]);
        using Config config = Config.Parse("int8,granularity=group,group_size=64");
        using var training = new TrainingOptions { Estimator = GradientEstimator.Soft };
        using var own = new FakeQuantizer(config, training);
        Check(before, own, Format.Int8, 0);

        Assert.Null(before.State.BestLoss);
        Assert.Equal([false, true, false], new[] { before.Step(1), before.Step(1), before.Step(1) });
        TrainingScheduleState state = before.State;
        Assert.Equal((1, 3, 4.0, 1.0), (state.Phase, state.Step, state.Bits, state.BestLoss));

        using TrainingSchedule after = TrainingSchedule.FromBytes(before.ToBytes());
        Assert.Equal(before.ToBytes(), after.ToBytes());
        Assert.Equal(state, after.State);
        Assert.True(after.Step(1.5));
        for (int step = 0; step < 5; step++)
        {
            Check(after, own, Format.Ternary, 1 - (step / 4.0));
            using FakeQuantizer? late = after.Apply(own, 1, 2);
            Assert.Equal(step > 0, late is not null);
            Assert.Equal(step == 4, after.Step());
        }

        Assert.False(after.Step(error: 0.2));
        Assert.True(after.Step(error: 0.1));
        Assert.True(after.State.Done);
        using Config still = own.GetConfig();
        Assert.Equal(Format.Int8, still.Format);
    }

    private static void Check(TrainingSchedule schedule, FakeQuantizer own, Format format, double temperature)
    {
        using FakeQuantizer? now = schedule.Apply(own, 0, 2);
        Assert.NotNull(now);
        using Config config = now.GetConfig();
        using TrainingOptions training = now.GetTraining();
        Assert.Equal((format, Granularity.Group, 64), (config.Format, config.Granularity, config.GroupSize));
        Assert.Equal((GradientEstimator.Soft, temperature), (training.Estimator, training.Temperature));
    }

    [Fact]
    public void WhatCannotBeIsRefused()
    {
        using var endless = new TrainingPhase();
        Assert.Contains("phases", Assert.Throws<InvalidArgumentException>(() => new TrainingSchedule([])).Message,
            StringComparison.Ordinal);
        Assert.Contains("phase 0", Assert.Throws<InvalidArgumentException>(
            () => new TrainingSchedule([endless, endless])).Message, StringComparison.Ordinal);
        Assert.Contains("phases[1]", Assert.Throws<ArgumentNullException>(
            () => new TrainingSchedule([endless, null!])).Message, StringComparison.Ordinal);
        using var schedule = new TrainingSchedule([endless]);
        using var config = new Config();
        using var quantizer = new FakeQuantizer(config);
        Assert.Contains("loss", Assert.Throws<InvalidArgumentException>(
            () => schedule.Step(double.PositiveInfinity)).Message, StringComparison.Ordinal);
        Assert.Contains("layer", Assert.Throws<InvalidArgumentException>(
            () => schedule.Apply(quantizer, 2, 2)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => schedule.Apply(quantizer, -1));
        Assert.Throws<CorruptFileException>(() => TrainingSchedule.FromBytes("BNQS and nothing else"u8));
        Assert.Throws<CorruptFileException>(() => TrainingSchedule.FromBytes([]));
        endless.Dispose();
        Assert.Throws<ObjectDisposedException>(() => new TrainingSchedule([endless]));
    }

    [Fact]
    public void PhasesHaveTheOptionsOfTheLibrary()
    {
        using var phase = new TrainingPhase { Bits = 1.58, ShareBegin = 0.1, ShareEnd = 0.9, LayersEnd = 0.5 };
        phase.Set("patience", "3");

        using TrainingPhase copy = phase.Clone();

        Assert.Equal(phase.ToDictionary(), copy.ToDictionary());
        Assert.Equal((1.58, 3, 0.1, 0.9, 0.5),
            (copy.Bits, copy.Patience, copy.ShareBegin, copy.ShareEnd, copy.LayersEnd));
        Assert.Equal(Library.PhaseOptions.Length, copy.ToDictionary().Count);
        Assert.Throws<InvalidArgumentException>(() => phase.Steps = -1);
    }
}
