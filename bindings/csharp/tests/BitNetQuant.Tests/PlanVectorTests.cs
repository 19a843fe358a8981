using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using BitNetQuant.Interop;
using Xunit;
using static BitNetQuant.Tests.Vectors;

namespace BitNetQuant.Tests;

/// <summary>All cases of tests/vectors/plans.json and allocation.json, which the tests of every language
/// share.</summary>
public sealed class PlanVectorTests
{
    private static readonly Dictionary<string, JsonElement> Plans = Load("plans.json");
    private static readonly Dictionary<string, JsonElement> Allocations = Load("allocation.json");

    public static TheoryData<string> PlanNames => new(Plans.Keys);

    public static TheoryData<string> AllocationNames => new(Allocations.Keys);

    [Theory]
    [MemberData(nameof(PlanNames))]
    public void PlansDecideAsTheVectorSays(string name)
    {
        JsonElement test = Plans[name];
        using var plan = new Plan();
        if (IsRefused(test, () => Fill(plan, test)))
        {
            Assert.Equal("", plan.ToString());
            return;
        }

        Assert.Equal(Text(test, "written"), plan.ToString());
        foreach (JsonElement decision in test.GetProperty("decisions").EnumerateArray())
        {
            PlanMatch? match = decision.GetProperty("shape").ValueKind == JsonValueKind.Null
                ? plan.Match(Text(decision, "name"), decision.GetProperty("rank").GetInt32())
                : plan.Match(Text(decision, "name"), Shape(decision));
            using Config? config = match?.Config;
            Assert.Equal(decision.GetProperty("rule").GetInt32(), match?.Rule ?? -1);
            Assert.Equal(
                decision.GetProperty("config").GetString(), match is null ? null : config?.ToString() ?? "none");
        }

        foreach (JsonProperty kind in test.GetProperty("kinds").EnumerateObject())
        {
            Assert.Equal(kind.Value.GetString(), Library.LayerKindNames[(int)plan.GetLayerKind(kind.Name)]);
        }
    }

    [Theory]
    [MemberData(nameof(AllocationNames))]
    public void BudgetsGiveWhatTheVectorSays(string name)
    {
        JsonElement test = Allocations[name];
        string json = test.GetProperty("sensitivity").GetRawText();
        if (IsRefused(test, () => Sensitivity.FromJson(json).Dispose()))
        {
            return;
        }

        using Sensitivity sensitivity = Sensitivity.FromJson(json);
        foreach (JsonElement run in test.GetProperty("runs").EnumerateArray())
        {
            if (!IsRefused(run, () => Allocate(sensitivity, run).Dispose()))
            {
                using Allocation found = Allocate(sensitivity, run);
                RequireSame(run, found);
            }
        }
    }

    private static void Fill(Plan plan, JsonElement test)
    {
        using Recipes? recipes = test.TryGetProperty("recipes", out JsonElement text)
            ? Recipes.Parse(text.GetString()!)
            : null;
        plan.AddText(Text(test, "text"), recipes);
    }

    private static Allocation Allocate(Sensitivity sensitivity, JsonElement run)
    {
        using Plan plan = Plan.Parse(Text(run, "plan"));
        double amount = run.GetProperty("budget").GetDouble();
        return sensitivity.Allocate(
            Text(run, "budget_kind") switch
            {
                "bytes" => Budget.Bytes((long)amount),
                "bits" => Budget.BitsPerWeight(amount),
                _ => Budget.Ratio(amount),
            },
            plan, (AllocationOptions)run.GetProperty("flags").GetInt32());
    }

    private static void RequireSame(JsonElement run, Allocation found)
    {
        AllocationTotals totals = found.Totals;
        Assert.Equal(
            new[] { "budget_bytes", "bytes", "min_bytes", "max_bytes" }.Select(key => run.GetProperty(key).GetInt64()),
            [totals.BudgetBytes, totals.Bytes, totals.MinBytes, totals.MaxBytes]);
        double loss = run.GetProperty("loss").GetDouble();
        Assert.Equal((loss, loss, true), (totals.Loss, totals.Bound, totals.IsProven));
        using Plan plan = found.GetPlan();
        Assert.Equal(run.GetProperty("configs").EnumerateObject().Count(), found.Rows.Length);
        foreach (AllocationRow row in found.Rows)
        {
            using Config? config = plan.Match(row.Name, 2)!.Config;
            Assert.Equal(Text(run.GetProperty("configs"), row.Name), config?.ToString() ?? "none");
            bool better = run.GetProperty("upgrades").TryGetProperty(row.Name, out JsonElement upgrade);
            Assert.Equal(better, row.Upgrade is not null);
            if (better)
            {
                using Config next = Config.Parse(row.Upgrade!.Config);
                Assert.Equal(
                    (upgrade[0].GetString(), upgrade[1].GetInt64(), upgrade[2].GetDouble()),
                    (next.ToString(), row.Upgrade.Bytes, row.Upgrade.Loss));
            }
        }
    }

    /// <summary>Whether the vector wants a refusal, which is then seen.</summary>
    private static unsafe bool IsRefused(JsonElement test, Action action)
    {
        if (!test.TryGetProperty("status", out JsonElement status))
        {
            action();
            return false;
        }

        var error = Assert.ThrowsAny<BitNetQuantException>(action);
        Assert.Equal(status.GetString(), Native.Text(NativeMethods.bnq_status_name((int)error.Status)));
        Assert.Contains(Text(test, "message"), error.Message);
        return true;
    }

    private static string Text(JsonElement test, string member) => test.GetProperty(member).GetString()!;
}
