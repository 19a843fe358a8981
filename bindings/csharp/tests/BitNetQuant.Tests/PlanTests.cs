using System;
using System.IO;
using System.Linq;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>Plans as text, mixed precision and recipes.</summary>
public sealed class PlanTests
{
    private const string Text =
        "kind attention = mixer\nlm_head -> none\n* kind=attention size>=64 -> int8_per_channel\n* -> nf4\n";

    [Fact]
    public void TextComesBackAndDecides()
    {
        using Plan plan = Plan.Parse(Text);
        Assert.Equal(Text, plan.ToString());
        Assert.Equal("none", ConfigFor(plan, "lm_head.weight", 8, 8));
        Assert.Equal(Canonical("int8_per_channel"), ConfigFor(plan, "h.mixer.w", 8, 8));
        Assert.Equal(Canonical("nf4"), ConfigFor(plan, "h.mixer.w", 7, 9));
        Assert.Null(ConfigFor(plan, "bias", 64));
        Assert.Null(ConfigFor(plan, "scalar"));
        Assert.Equal(2, plan.Match("h.mixer.w", 2)!.Rule); // of a size that is not known
        Assert.Equal(LayerKind.Attention, plan.GetLayerKind("h.mixer.w"));
        using var none = new Plan();
        Assert.Equal(LayerKind.Other, none.GetLayerKind("h.mixer.w"));
        Assert.Equal("state_space", Library.LayerKindNames[(int)LayerKind.StateSpace]);
        plan.Dispose();
        Assert.Equal("Plan", plan.ToString());
    }

    [Fact]
    public void BadTextNamesItsLineAndChangesNothing()
    {
        using Plan plan = Plan.Parse(Text);
        Assert.Contains("line 2", Assert.Throws<InvalidArgumentException>(
            () => plan.AddText("* -> nf4\n* rank>2 -> nf4")).Message);
        Assert.StartsWith("line 1: ", Assert.Throws<NotFoundException>(() => plan.AddText("* -> int5x")).Message);
        Assert.Equal(Text, plan.ToString());
        Assert.Throws<ArgumentNullException>(() => Plan.Parse(null!));
    }

    [Fact]
    public void AFileIsAPlan()
    {
        using var directory = new TemporaryDirectory();
        using Plan plan = Plan.Parse(Text);
        plan.Save(directory["a.plan"]);
        using Plan again = Plan.Load(directory["a.plan"]);
        Assert.Equal(Text, again.ToString());
        Assert.Throws<AlreadyExistsException>(() => plan.Save(directory["a.plan"]));
        new Plan().Save(directory["a.plan"], WriteOptions.Overwrite);
        Assert.Equal("", File.ReadAllText(directory["a.plan"]));
        Assert.Throws<NotFoundException>(() => Plan.Load(directory["none"]));
    }

    [Fact]
    public void DefaultsAndTheLadder()
    {
        using Config nf4 = Config.Parse("nf4"), fp4 = Config.Parse("fp4"), int4 = Config.Parse("int4");
        using Config up = nf4.StepUp(), expected = Config.Parse("int8_outliers");
        Assert.Equal(expected, up);
        using Plan plan = new Plan().AddModelDefaults().AddAdaptive(nf4);
        Assert.Equal("none", ConfigFor(plan, "wte.weight", 8, 8));
        Assert.Equal(up.ToString(), ConfigFor(plan, "h.0.attn.c_attn.weight", 8, 8));
        Assert.Equal(nf4.ToString(), ConfigFor(plan, "h.0.mlp.c_fc.weight", 8, 8));
        using Plan given = new Plan().AddAdaptive(nf4, attention: fp4, feedForward: int4);
        Assert.Equal("* kind=attention -> fp4\n* kind=ffn -> int4_per_group_128\n* -> nf4\n", given.ToString());
    }

    [Fact]
    public void MixedPrecisionByBits()
    {
        using Config nf4 = Config.Parse("nf4");
        using Plan plan = new MixedPrecision()
            .Layer("conv1", bits: 2).Layer("fc.*", nf4).Skip("head").Others(bits: 1.58)
            .ToPlan();
        Assert.Equal(Canonical("bits=2"), ConfigFor(plan, "conv1.weight", 4, 4, 3, 3));
        Assert.Equal(nf4.ToString(), ConfigFor(plan, "fc.weight", 8, 8));
        Assert.Equal("none", ConfigFor(plan, "head.weight", 8, 8));
        Assert.Equal(Canonical("bits=1.58"), ConfigFor(plan, "x", 8, 8));
        Assert.Null(ConfigFor(plan, "x", 8));
        Assert.Contains("bits = 7, must be one of", Assert.Throws<InvalidArgumentException>(
            () => new MixedPrecision().Layer("a", bits: 7).ToPlan()).Message);
        using Plan rest = new MixedPrecision().Others(nf4).ToPlan();
        Assert.Equal("* -> nf4\n", rest.ToString());
    }

    [Fact]
    public void RecipesHaveNames()
    {
        using Config small = Config.Parse("int3,group_size=32"), clipped = Config.Parse("int3,group_size=32,clip=2");
        using Plan mine = Plan.Parse("* -> fp4");
        using Recipes recipes = Recipes.Parse("* -> bf16\n[configs]\nb = nf4,group_size=256\n")
            .Add("small", small).Add("mine", mine).AddText("[plan careful]\n* -> small\n");
        Assert.Equal(["b", "small"], recipes.ConfigNames.AsEnumerable());
        Assert.Equal(["", "careful", "mine"], recipes.PlanNames.AsEnumerable());
        using Config found = recipes.GetConfig("small,clip=2");
        Assert.Equal(clipped, found);
        using Plan copy = recipes.GetPlan("mine");
        Assert.Equal("* -> fp4\n", copy.ToString());
        Assert.Throws<NotFoundException>(() => recipes.GetPlan("carefull"));
        Assert.Throws<AlreadyExistsException>(() => recipes.Add("nf4", small));

        Assert.Throws<NotFoundException>(() => Plan.Parse("* -> small"));
        using Plan plan = Plan.Parse("* -> small", recipes);
        Assert.Equal(small.ToString(), ConfigFor(plan, "a", 2, 2));

        using var directory = new TemporaryDirectory();
        recipes.Save(directory["recipes"]);
        using Recipes again = Recipes.Load(directory["recipes"]);
        Assert.Equal(recipes.ToString(), again.ToString());
        File.WriteAllText(directory["a.plan"], "* -> b\n");
        Assert.Throws<NotFoundException>(() => Plan.Load(directory["a.plan"]));
        using Plan named = Plan.Load(directory["a.plan"], again);
        Assert.NotNull(ConfigFor(named, "a", 2, 2));
    }

    /// <summary>The text of a tensor's config, "none", or null where no rule is for it.</summary>
    internal static string? ConfigFor(Plan plan, string name, params long[] shape)
    {
        PlanMatch? match = plan.Match(name, shape);
        using Config? config = match?.Config;
        return match is null ? null : config?.ToString() ?? "none";
    }

    private static string Canonical(string text)
    {
        using Config config = Config.Parse(text);
        return config.ToString();
    }
}
