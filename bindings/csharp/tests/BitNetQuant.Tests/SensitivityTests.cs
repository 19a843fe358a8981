using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using System.Threading;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>Sensitivity, budgets and estimates of a small model of two matrices, a vector and integers.</summary>
public sealed class SensitivityTests : IDisposable
{
    private const string First = "fc1.weight", Second = "fc2.weight";

    private readonly TemporaryDirectory _directory = new();
    private readonly Config[] _candidates =
        [Config.Parse("ternary"), Config.Parse("int4_per_group_32"), Config.Parse("int8_per_channel")];

    public SensitivityTests()
    {
        using var writer = new ModelWriter(Input, ModelFileKind.Safetensors);
        writer.Add(First, Samples.Values(48 * 64), [48, 64]);
        writer.Add("fc1.bias", Samples.Values(48, 2), [48]);
        writer.Add(Second, Samples.Values(10 * 48, 3), [10, 48]);
        writer.Add("steps", new long[] { 1, 2, 3 }, [3]);
        writer.Finish();
    }

    private string Input => _directory["model.safetensors"];

    public void Dispose()
    {
        _directory.Dispose();
        Array.ForEach(_candidates, config => config.Dispose());
    }

    [Fact]
    public void AnalyzesAndKeepsJson()
    {
        using var all = new Sensitivity();
        var seen = new List<ModelProgress>();
        all.Analyze(Input, savePath: _directory["s.json"], progress: new Receiver(seen.Add));
        Assert.NotEmpty(seen);
        ImmutableArray<TensorSensitivity> tensors = all.GetTensors();
        Assert.Equal([First, Second], tensors.Select(tensor => tensor.Name));
        foreach (Config candidate in Library.DefaultCandidates)
        {
            CandidateSensitivity found = tensors[1].Candidates.Single(c => c.Config.Equals(candidate));
            Assert.True(found.Bytes > 0 && found.BitsPerWeight > 0 && found.RelativeError >= 0, $"{found}");
            Assert.True(found.Cosine > 0.5 && found.MaxError >= 0 && found.Loss >= 0, $"{found}");
        }

        string json = all.ToJson();
        Assert.Equal(json, File.ReadAllText(_directory["s.json"]));
        using Sensitivity loaded = Sensitivity.Load(_directory["s.json"]), read = Sensitivity.FromJson(json);
        Assert.Equal(json, loaded.ToJson());
        Assert.Equal(json, read.ToJson());
        Assert.Throws<AlreadyExistsException>(() => loaded.Save(_directory["s.json"]));
        Assert.Throws<CorruptFileException>(() => Sensitivity.FromJson("{}"));
    }

    [Fact]
    public void WorkersMerge()
    {
        using var merged = new Sensitivity();
        foreach (Config candidate in _candidates.Reverse())
        {
            using Sensitivity part = Analyzed(candidate);
            merged.Merge(part);
        }

        using Sensitivity all = Analyzed(_candidates);
        Assert.Equal(all.ToJson(), merged.ToJson());
        // A plan's config is the only one of its tensors.
        using Plan plan = Plan.Parse("fc1 -> nf4\nfc2 -> none");
        using var pinned = new Sensitivity();
        pinned.Analyze(Input, plan);
        using Config nf4 = Config.Parse("nf4");
        Assert.Equal(nf4, Assert.Single(Assert.Single(pinned.GetTensors()).Candidates).Config);
        Assert.Throws<ArgumentNullException>(() => pinned.Analyze(Input, candidates: [nf4, null!]));
    }

    [Fact]
    public void ProgressCancelsAndExceptionsComeOut()
    {
        using var sensitivity = new Sensitivity();
        using var source = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => sensitivity.Analyze(
            Input, progress: new Receiver(_ => source.Cancel()), cancellationToken: source.Token));
        var mine = new InvalidDataException("mine");
        Assert.Same(mine, Assert.Throws<InvalidDataException>(
            () => sensitivity.Analyze(Input, progress: new Receiver(_ => throw mine))));
    }

    [Fact]
    public void AMetricOfOnesOwnDecides()
    {
        using Sensitivity sensitivity = Analyzed(_candidates);
        var asked = new List<(string Tensor, Config Config)>();
        var mine = new InvalidDataException("mine");
        Assert.Same(mine, Assert.Throws<InvalidDataException>(() => sensitivity.Measure((tensor, config) =>
        {
            asked.Add((tensor, config));
            return asked.Count == 1 ? 3.5 : throw mine;
        })));
        Assert.Equal(2, asked.Count);
        // What was measured stays, and is not asked for again.
        CandidateSensitivity first = sensitivity.GetTensors()[0].Candidates[0];
        Assert.Equal((3.5, asked[0].Config), (first.Loss, first.Config));
        Assert.Throws<InvalidArgumentException>(() => sensitivity.Measure((_, _) => double.NaN));
        int count = 0;
        sensitivity.Measure((tensor, config) =>
        {
            Assert.False(tensor == First && config.Equals(asked[0].Config));
            count++;
            return tensor == Second ? 100 : -1;
        });
        Assert.Equal(5, count);
        sensitivity.SetMetric(Second, _candidates[1], 0);
        Assert.Throws<NotFoundException>(() => sensitivity.SetMetric("fc3.weight", _candidates[1], 0));
        File.WriteAllText(_directory["m.json"], """{"fc1.weight": {"ternary": 5}}""");
        sensitivity.LoadMetrics(_directory["m.json"]);
        using Plan plan = Plan.Parse("fc1 -> ternary");
        using Allocation pinned = sensitivity.Allocate(Budget.BitsPerWeight(32), plan);
        Assert.Equal(5, pinned.Totals.Loss);
        File.WriteAllText(_directory["m.json"], "[]");
        Assert.Throws<CorruptFileException>(() => sensitivity.LoadMetrics(_directory["m.json"]));
        using Allocation found = sensitivity.Allocate(Budget.BitsPerWeight(32));
        Assert.Equal("int4_per_group_32", found.Rows[1].Config); // only this one loses nothing
    }

    [Fact]
    public void ABudgetGivesAPlan()
    {
        using Sensitivity sensitivity = Analyzed(_candidates);
        using Allocation most = sensitivity.Allocate(Budget.Ratio(1));
        Assert.All(most.Rows, row => Assert.Equal("int8_per_channel", row.Config));
        Assert.Equal(most.Totals.MaxBytes, most.Totals.Bytes);
        Assert.Equal((48 * 64) + 48 + (10 * 48) + 3, most.Totals.Elements);

        using Allocation found = sensitivity.Allocate(
            Budget.Bytes((most.Totals.MinBytes + most.Totals.MaxBytes) / 2));
        AllocationTotals totals = found.Totals;
        Assert.True(totals.IsProven && totals.Gap == 0 && totals.Bound == totals.Loss, $"{totals}");
        Assert.True(totals.Bytes <= totals.BudgetBytes && totals.FixedBytes < totals.MinBytes, $"{totals}");
        Assert.True(totals.Lambda > 0 && totals.Ratio > 1 && totals.BitsPerWeight > 1, $"{totals}");
        Assert.Equal(totals.Loss, found.Rows.Sum(row => row.Loss), 1e-12 * totals.Loss);
        Assert.Contains(found.Rows, row => row.Upgrade is { Bytes: > 0, Loss: > 0, Config.Length: > 0 });
        using Plan none = new();
        for (int i = 0; i < found.Rows.Length; i++)
        {
            AllocationRow row = found.Rows[i];
            Assert.Equal((i, false, none.GetLayerKind(row.Name)), (row.TiedTo, row.IsPinned, row.Kind));
            Assert.Equal(row.Bytes * 8.0 / row.Elements, row.BitsPerWeight);
        }

        // The plan takes what it says, and so does the estimate.
        using Plan plan = found.GetPlan();
        Model.Quantize(Input, _directory["model.bnq"], plan);
        long written = new FileInfo(_directory["model.bnq"]).Length;
        Assert.InRange(totals.Bytes, written, written + 63);
        ModelEstimate estimate = Model.Estimate(Input, plan);
        Assert.Equal((written, 4), (estimate.FileBytes, estimate.Report.Rows.Count));
        Assert.True(Model.Estimate(Input, plan, maxShardBytes: 1024).FileBytes > written);
    }

    [Fact]
    public void PlansPinAndTiesHold()
    {
        using Sensitivity sensitivity = Analyzed(_candidates);
        using Plan plan = Plan.Parse("fc1 -> ternary\ntie fc1 fc2");
        using Allocation tied = sensitivity.Allocate(Budget.BitsPerWeight(16), plan);
        Assert.True(tied.Rows[0].IsPinned);
        Assert.Equal((0, "ternary"), (tied.Rows[1].TiedTo, tied.Rows[1].Config));
        InvalidArgumentException little = Assert.Throws<InvalidArgumentException>(
            () => sensitivity.Allocate(Budget.Bytes(10)));
        Assert.Contains("budget = 10 bytes, must be at least", little.Message);
        Assert.Contains(First, little.Message);
        Assert.Throws<InvalidArgumentException>(() => sensitivity.Allocate(default));
    }

    [Fact]
    public void FusedTensorsComeApartOnRequest()
    {
        using Sensitivity analyzed = Analyzed(_candidates);
        using Sensitivity sensitivity = Sensitivity.FromJson(
            analyzed.ToJson().Replace(First, "q_proj").Replace(Second, "k_proj"));
        sensitivity.SetWeight("q_proj", 1e6);
        using Allocation fused = sensitivity.Allocate(Budget.BitsPerWeight(7.9));
        Assert.Equal(fused.Rows[0].TiedTo, fused.Rows[1].TiedTo);
        Assert.Equal(fused.Rows[0].Config, fused.Rows[1].Config);
        using Allocation apart = sensitivity.Allocate(
            Budget.BitsPerWeight(7.9), options: AllocationOptions.FusedApart | AllocationOptions.ExpertsApart);
        Assert.Equal([0, 1], apart.Rows.Select(row => row.TiedTo));
    }

    private Sensitivity Analyzed(params Config[] candidates)
    {
        var sensitivity = new Sensitivity();
        sensitivity.Analyze(Input, candidates: candidates);
        return sensitivity;
    }
}
