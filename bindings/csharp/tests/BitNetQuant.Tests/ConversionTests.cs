using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>Conversion and comparison of whole model files.</summary>
public sealed class ConversionTests
{
    [Fact]
    public void QuantizesByThePlan()
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int8, GroupSize = 8 };
        using var plan = new Plan().Add("*", config, minRank: 2);
        var seen = new List<ModelProgress>();

        Report report = Model.Quantize(directory.Model(), directory["out.bnq"], plan, progress: new Receiver(seen.Add));

        using QuantizedTensor expected = QuantizedTensor.Quantize(Samples.Values(240), [12, 20], config);
        using ModelFile file = ModelFile.Open(directory["out.bnq"]);
        using QuantizedTensor tensor = file.ReadTensor("layer.weight");
        Assert.Equal(expected.Codes.ToArray(), tensor.Codes.ToArray());
        Assert.Equal(expected.Scales.ToArray(), tensor.Scales.ToArray());
        Assert.Equal(Samples.Values(12, 2), file.Read<float>("layer.bias"));
        Assert.Equal("test", file.Metadata["who"]);

        Assert.Equal(["ids", "layer.bias", "layer.weight"], report.Rows.Select(row => row.Name));
        ReportRow weight = report.Rows[2];
        Assert.Equal<long>([12, 20], weight.Shape);
        Assert.Equal((Format.Int8, null), (weight.Format, weight.DataType));
        Assert.Equal((960, expected.ByteCount), (weight.BytesBefore, weight.BytesAfter));
        Assert.Equal(expected.BitsPerWeight, weight.BitsPerWeight);
        Assert.Equal(expected.Compare(Samples.Values(240)), weight.Metrics);
        Assert.True(weight.HasMetrics);
        ReportRow ids = report.Rows[0];
        Assert.Equal((Format.None, DataType.Int64), (ids.Format, ids.DataType));
        Assert.False(ids.HasMetrics);
        Assert.Equal(960 + 48 + 24, report.BytesBefore);
        Assert.Equal(expected.ByteCount + 48 + 24, report.BytesAfter);

        Assert.NotEmpty(seen);
        Assert.Equal(seen.Select(progress => progress.Done).Order(), seen.Select(progress => progress.Done));
        Assert.Equal(seen[^1].Total, seen[^1].Done);
        Assert.Contains(seen, progress => progress.Item == "layer.weight");
    }

    [Fact]
    public void ImportanceWeighsTheErrorsOfColumns()
    {
        using var directory = new TemporaryDirectory();
        using Config config = Config.Parse("int4,group_size=20,scale_rule=mse");
        float[] values = Samples.Values(240);
        float[] importance = Enumerable.Range(0, 20).Select(i => i % 4 == 0 ? 500f : 1f).ToArray();
        using QuantizedTensor weighted = QuantizedTensor.QuantizeWeighted(
            SourceArray.Of(values, [12, 20]), config, importance);
        using QuantizedTensor plain = QuantizedTensor.Quantize(values, [12, 20], config);
        double Loss(QuantizedTensor tensor) => tensor.ToArray()
            .Select((value, i) => importance[i % 20] * Math.Pow(value - values[i], 2)).Sum();
        Assert.True(Loss(weighted) < Loss(plain));
        InvalidArgumentException wrong = Assert.Throws<InvalidArgumentException>(
            () => QuantizedTensor.QuantizeWeighted(SourceArray.Of(values, [12, 20]), config, importance.AsSpan(1)));
        Assert.Contains("19 weights, must be 20", wrong.Message);

        using var plan = new Plan().Add("*", config, minRank: 2).SetImportance("layer", importance);
        Model.Quantize(directory.Model(), directory["out.bnq"], plan);
        using ModelFile file = ModelFile.Open(directory["out.bnq"]);
        using QuantizedTensor tensor = file.ReadTensor("layer.weight");
        Assert.Equal(weighted.Codes.ToArray(), tensor.Codes.ToArray());
    }

    [Fact]
    public void QuantizesAnArrayOfNumPy()
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int8, GroupSize = 8 };
        using var plan = new Plan().Add("layer.weight", config);
        float[] values = Samples.Values(240);
        Samples.WriteNpy(directory["layer.weight.npy"], values, [12, 20]);

        Report report = Model.Quantize(directory["layer.weight.npy"], directory["out.bnq"], plan);

        using QuantizedTensor expected = QuantizedTensor.Quantize(values, [12, 20], config);
        using ModelFile file = ModelFile.Open(directory["out.bnq"]);
        using QuantizedTensor tensor = file.ReadTensor("layer.weight");
        Assert.Equal("layer.weight", Assert.Single(file.Tensors).Name);
        Assert.Equal<long>([12, 20], file["layer.weight"].Shape);
        Assert.Equal(expected.Codes.ToArray(), tensor.Codes.ToArray());
        Assert.Equal(expected.Scales.ToArray(), tensor.Scales.ToArray());
        ReportRow row = Assert.Single(report.Rows);
        Assert.Equal((960, expected.ByteCount), (row.BytesBefore, row.BytesAfter));
        ReportRow compared = Assert.Single(Model.Compare(directory["layer.weight.npy"], directory["out.bnq"]).Rows);
        Assert.Equal(row.Metrics, compared.Metrics);
    }

    [Fact]
    public void TheFirstRuleThatMatchesDecides()
    {
        using var directory = new TemporaryDirectory();
        using var int8 = new Config { Format = Format.Int8 };
        using var ternary = new Config { Format = Format.Ternary };
        using var plan = new Plan().Skip("*.bias").Add("layer.[a-w]*", int8).Add("*", ternary);

        Report report = Model.Quantize(directory.Model(), directory["out.bnq"], plan);

        Assert.Equal([Format.None, Format.None, Format.Int8], report.Rows.Select(row => row.Format));
        Assert.Throws<InvalidArgumentException>(() => plan.Add("*", int8, minRank: 9));
        Assert.Throws<ArgumentNullException>(() => plan.Add("*", null!));
        plan.Dispose();
        Assert.Throws<ObjectDisposedException>(() => plan.Match("a", 1));
        Assert.Throws<ObjectDisposedException>(() => plan.Skip("*"));
    }

    [Fact]
    public void MatchTellsTheRuleAndItsConfig()
    {
        using var int4 = Config.Preset("int4_per_group_32");
        using var none = new Config { Format = Format.None };
        using var plan = new Plan().Skip("*.bias").Add("head.*", none).Add("layer.*", int4, minRank: 2);

        Assert.Equal(new PlanMatch(0, null), plan.Match("layer.bias", 2));
        Assert.Equal(new PlanMatch(1, null), plan.Match("head.weight", 2));
        PlanMatch match = Assert.IsType<PlanMatch>(plan.Match("layer.weight", 2));
        using (match.Config)
        {
            Assert.Equal((2, int4), (match.Rule, match.Config));
        }

        Assert.Null(plan.Match("layer.weight", 1));
        Assert.Null(plan.Match("other", 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => plan.Match("layer.weight", -1));
        Assert.Throws<ArgumentNullException>(() => plan.Match(null!, 2));
    }

    [Theory]
    [InlineData(DataType.Float32)]
    [InlineData(DataType.Float16)]
    [InlineData(DataType.BFloat16)]
    public void DequantizesAndCompares(DataType type)
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int8 };
        using var plan = new Plan().Add("*", config, minRank: 2);
        string model = directory.Model();
        Model.Quantize(model, directory["a.bnq"], plan);

        Report report = Model.Dequantize(directory["a.bnq"], directory["a.safetensors"], type);

        using ModelFile file = ModelFile.Open(directory["a.safetensors"]);
        Assert.Equal(type, file["layer.weight"].DataType);
        Assert.Equal(type, report.Rows[2].DataType);
        Assert.Equal(DataType.Int64, file["ids"].DataType);
        ReportRow plain = Model.Compare(model, directory["a.safetensors"]).Rows[2];
        ReportRow quantized = Model.Compare(model, directory["a.bnq"]).Rows[2];
        Assert.InRange(plain.Metrics.SqnrDb, 30, 60);
        if (type == DataType.Float32)
        {
            Assert.Equal(quantized.Metrics, plain.Metrics);
        }
    }

    [Fact]
    public void ComparisonNotesWhatIsMissing()
    {
        using var directory = new TemporaryDirectory();
        using (var writer = new ModelWriter(directory["other.safetensors"], ModelFileKind.Safetensors))
        {
            writer.Add("ids", new long[] { 7, 8, 9 }, [3]);
            writer.Finish();
        }

        Report report = Model.Compare(directory.Model(), directory["other.safetensors"]);

        Assert.Equal((0.0, ""), (report.Rows[0].Metrics.Mse, report.Rows[0].Note));
        Assert.False(report.Rows[1].HasMetrics);
        Assert.NotEmpty(report.Rows[1].Note);
    }

    [Fact]
    public void OutputsAreNotOverwrittenUnasked()
    {
        using var directory = new TemporaryDirectory();
        using var plan = new Plan();
        string model = directory.Model();
        File.WriteAllText(directory["out.bnq"], "before");

        Assert.Throws<AlreadyExistsException>(() => Model.Quantize(model, directory["out.bnq"], plan));
        Assert.Throws<AlreadyExistsException>(() => Model.Quantize(model, model, plan, WriteOptions.Overwrite));
        Assert.Equal("before", File.ReadAllText(directory["out.bnq"]));
        Assert.Equal(Samples.Safetensors(), File.ReadAllBytes(model));

        Model.Quantize(model, directory["out.bnq"], plan, WriteOptions.Overwrite | WriteOptions.DryRun);
        Assert.Equal("before", File.ReadAllText(directory["out.bnq"]));

        Model.Quantize(model, directory["out.bnq"], plan, WriteOptions.Overwrite);
        using ModelFile file = ModelFile.Open(directory["out.bnq"]);
        Assert.Equal(ModelFileKind.Bnq, file.Kind);
    }

    [Fact]
    public void CallersExceptionsComeBackUnharmed()
    {
        using var directory = new TemporaryDirectory();
        using var plan = new Plan();
        string model = directory.Model();
        var thrown = new TimeoutException("the receiver's own");
        int calls = 0;
        var receiver = new Receiver(_ =>
        {
            calls++;
            throw thrown;
        });

        Exception caught = Assert.Throws<TimeoutException>(
            () => Model.Quantize(model, directory["out.bnq"], plan, progress: receiver));

        Assert.Same(thrown, caught);
        Assert.Contains(nameof(CallersExceptionsComeBackUnharmed), caught.StackTrace, StringComparison.Ordinal);
        Assert.Equal(1, calls);
        Assert.Equal(["model.safetensors"], directory.Files);
    }

    [Fact]
    public void CancellationLeavesNothing()
    {
        using var directory = new TemporaryDirectory();
        using var plan = new Plan();
        string model = directory.Model();
        using var source = new CancellationTokenSource();
        int calls = 0;
        var receiver = new Receiver(_ =>
        {
            calls++;
            source.Cancel();
        });

        var error = Assert.Throws<OperationCanceledException>(
            () => Model.Quantize(model, directory["out.bnq"], plan, progress: receiver, cancellationToken: source.Token));
        Assert.Equal(source.Token, error.CancellationToken);
        Assert.Equal(1, calls);

        // A token that is cancelled already: the library is not even called.
        Assert.Throws<OperationCanceledException>(() => Model.Compare(model, model, receiver, null, source.Token));
        Assert.Throws<OperationCanceledException>(
            () => Model.Dequantize(model, directory["out.safetensors"], cancellationToken: source.Token));
        Assert.Equal(1, calls);
        Assert.Equal(["model.safetensors"], directory.Files);
    }

    [Fact]
    public void NonFiniteWeightsNameTensorAndIndex()
    {
        using var directory = new TemporaryDirectory();
        using (var writer = new ModelWriter(directory["bad.safetensors"], ModelFileKind.Safetensors))
        {
            writer.Add("layer.weight", new[] { 1, 2, 3, float.NaN }, [4]);
            writer.Finish();
        }

        using var config = new Config();
        using var plan = new Plan().Add("*", config);

        var error = Assert.Throws<NonFiniteException>(
            () => Model.Quantize(directory["bad.safetensors"], directory["out.bnq"], plan));

        Assert.Contains("layer.weight", error.Message, StringComparison.Ordinal);
        Assert.Contains("3", error.Message, StringComparison.Ordinal);
        Assert.Equal(["bad.safetensors"], directory.Files);
    }

    [Fact]
    public void WhatWasInterruptedIsGoneOnWith()
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int8, GroupSize = 8 };
        using var plan = new Plan().Add("*", config, minRank: 2);
        string model = directory.Model();
        string output = directory["out.bnq"];
        Model.Quantize(model, output, plan);
        byte[] whole = File.ReadAllBytes(output);
        File.Delete(output);
        using var source = new CancellationTokenSource();
        var receiver = new Receiver(progress =>
        {
            if (progress.Item == "layer.weight")
            {
                source.Cancel();
            }
        });
        Assert.Throws<OperationCanceledException>(() => Model.Quantize(
            model, output, plan, WriteOptions.Resume, receiver, cancellationToken: source.Token));
        Assert.True(Directory.Exists(directory["out.bnq.part"]));
        Assert.Throws<AlreadyExistsException>(
            () => Model.Quantize(model, output, plan, WriteOptions.Resume | WriteOptions.Compress));

        Report report = Model.Quantize(model, output, plan, WriteOptions.Resume);

        Assert.Equal(output, report.Output);
        Assert.Equal(whole, File.ReadAllBytes(output));
        Assert.False(Directory.Exists(directory["out.bnq.part"]));
    }

    [Fact]
    public void FoldersBecomeFolders()
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int8, GroupSize = 8 };
        using var plan = new Plan().Add("*", config, minRank: 2);
        string folder = Directory.CreateDirectory(directory["folder"]).FullName;
        File.Move(directory.Model(), Path.Combine(folder, "model.safetensors"));
        File.WriteAllText(Path.Combine(folder, "config.json"), "{}");

        Report report = Model.Quantize(folder, directory["out"], plan);

        Assert.Equal(directory["out"], report.Output);
        Assert.Equal(12.0 / 252, report.DenseShare, 12);
        Assert.True(File.Exists(Path.Combine(directory["out"], "model.bnq")));
        Assert.True(File.Exists(Path.Combine(directory["out"], "config.json")));
    }

    [Fact]
    public void ThreadsGiveTheSameFile()
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Ternary, GroupSize = 5 };
        using var plan = new Plan().Add("*", config);
        using var context = new Context(4);
        string model = directory.Model();

        Model.Quantize(model, directory["one.bnq"], plan);
        Model.Quantize(model, directory["four.bnq"], plan, context: context);

        Assert.Equal(File.ReadAllBytes(directory["one.bnq"]), File.ReadAllBytes(directory["four.bnq"]));
    }
}
