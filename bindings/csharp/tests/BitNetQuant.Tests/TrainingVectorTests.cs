using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using Xunit;
using static BitNetQuant.Tests.Vectors;

namespace BitNetQuant.Tests;

/// <summary>All cases of training.json and schedules.json, which the tests of every language share.</summary>
public sealed class TrainingVectorTests
{
    private static readonly Dictionary<string, JsonElement> Cases = Load("training.json");

    private static readonly Dictionary<string, JsonElement> Schedules = Load("schedules.json");

    public static TheoryData<string> Names => new(Cases.Keys);

    public static TheoryData<string> ScheduleNames => new(Schedules.Keys);

    [Theory]
    [MemberData(nameof(Names))]
    public void GivesTheValuesAndGradientsOfTheVector(string name)
    {
        JsonElement test = Cases[name];
        using Config config = ConfigOf(test);
        using TrainingOptions training = TrainingOptions.FromDictionary(Options(test.GetProperty("training")));
        using var quantizer = new FakeQuantizer(config, training);
        using var threads = new Context(3);
        float[] x = Floats(test.GetProperty("input"));
        long[] shape = Shape(test);
        var parameters = new QuantizationParameters(
            [.. FloatBits(test.GetProperty("scales"))], [.. ZeroPoints(test)],
            [.. FloatBits(test.GetProperty("offsets"))]);
        if (test.TryGetProperty("range", out JsonElement range))
        {
            float[] ends = Floats(range);
            RequireParameters(test, quantizer.GetRangeParameters(ends[0], ends[1]));
        }

        MeasuredFake fake = quantizer.QuantizeAndMeasure(
            x, shape, test.GetProperty("given").GetBoolean() ? parameters : null, threads);
        Same("values", fake.Fake.Values);
        Assert.Equal(Integers(test.GetProperty("clipped")), fake.Clipped.Select(clipped => clipped ? 1 : 0));
        RequireParameters(test, fake.Fake.Parameters);
        if (!test.TryGetProperty("dy", out JsonElement dy))
        {
            Assert.Throws<UnsupportedException>(() => quantizer.Gradient(x, x, shape, parameters));
            return;
        }

        FakeGradients found = quantizer.Gradient(x, Floats(dy), shape, parameters, threads);
        Same("dx", found.Values);
        Same("scale_gradients", found.Parameters.Scales.ToArray());
        Same("shift_gradients", found.Parameters.Shifts.ToArray());
        Same("end_gradients", found.Parameters.Ends.ToArray());
        uint slope = Convert.ToUInt32(test.GetProperty("slope_gradient").GetString(), 16);
        Assert.Equal(slope, BitConverter.SingleToUInt32Bits(found.Parameters.Slope));

        void Same(string member, float[] values) =>
            Assert.Equal(Bits(FloatBits(test.GetProperty(member))), Bits(values));
    }

    [Theory]
    [MemberData(nameof(ScheduleNames))]
    public void StandsWhereTheVectorSays(string name)
    {
        JsonElement test = Schedules[name];
        TrainingPhase[] phases = test.GetProperty("phases").EnumerateArray()
            .Select(options => TrainingPhase.FromDictionary(Options(options))).ToArray();
        using var schedule = new TrainingSchedule(phases);
        JsonElement[] states = [.. test.GetProperty("states").EnumerateArray()];
        JsonElement[] ended = [.. test.GetProperty("ended").EnumerateArray()];
        Require(states[0], schedule);
        int done = 0;
        foreach (JsonElement step in test.GetProperty("steps").EnumerateArray())
        {
            bool over = schedule.Step(Known(step.GetProperty("loss")), Known(step.GetProperty("error")));
            Assert.Equal(ended[done].GetBoolean(), over);
            Require(states[++done], schedule);
        }

        Array.ForEach(phases, phase => phase.Dispose());
    }

    private static double? Known(JsonElement number) =>
        number.ValueKind == JsonValueKind.Null ? null : number.GetDouble();

    private static void Require(JsonElement expected, TrainingSchedule schedule)
    {
        double Value(string name) => expected.GetProperty(name).GetDouble();
        Assert.Equal(
            new TrainingScheduleState(
                (int)Value("phase"), (long)Value("phase_step"), (long)Value("step"), Value("bits"),
                Value("temperature"), Value("share"), Value("layers"), Known(expected.GetProperty("best_loss")),
                (long)Value("since_best"), Value("done") != 0),
            schedule.State);
        using Config config = Config.Parse("int8");
        using var quantizer = new FakeQuantizer(config);
        JsonElement[] formats = [.. expected.GetProperty("formats").EnumerateArray()];
        for (int layer = 0; layer < formats.Length; layer++)
        {
            using FakeQuantizer? now = schedule.Apply(quantizer, layer, formats.Length);
            using Config? made = now?.GetConfig();
            Assert.Equal(formats[layer].GetString(), made?.ToDictionary()["format"]);
        }
    }
}
