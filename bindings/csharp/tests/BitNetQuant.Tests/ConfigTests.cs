using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Xunit;
using static BitNetQuant.Tests.Samples;

namespace BitNetQuant.Tests;

public sealed class ConfigTests
{
    [Fact]
    public void StartsWithTheDocumentedDefaults()
    {
        using var config = new Config();

        Assert.Equal(Format.Ternary, config.Format);
        Assert.Equal(Granularity.Group, config.Granularity);
        Assert.Equal(128, config.GroupSize);
        Assert.Equal(0, config.Axis);
        Assert.Equal(Scheme.Symmetric, config.Scheme);
        Assert.Equal(0, config.Clip);
        Assert.Equal(NonFinitePolicy.Error, config.NonFinite);
        Assert.Equal((Rounding.HalfEven, 0L), (config.Rounding, config.Seed));
        Assert.Equal((ScaleRule.Default, 99.9), (config.ScaleRule, config.Percentile));
        Assert.Equal(SymmetricRange.Narrow, config.SymmetricRange);
        Assert.Equal((ScaleDataType.Float32, false), (config.ScaleDataType, config.DoubleQuant));
        Assert.Equal(Packing.Default, config.Packing);
        Assert.Equal(0, config.OutlierThreshold);
        Assert.True(config.Saturate);
    }

    [Fact]
    public void PropertiesAndNamesReachTheSameOptions()
    {
        using var config = new Config
        {
            Format = Format.Int8, Granularity = Granularity.Channel, GroupSize = 64, Axis = -1,
            Scheme = Scheme.Asymmetric, Clip = 1.5, NonFinite = NonFinitePolicy.Zero,
            Rounding = Rounding.Stochastic, Seed = 1L << 53, ScaleRule = ScaleRule.Percentile, Percentile = 97.5,
            SymmetricRange = SymmetricRange.Extreme, ScaleDataType = ScaleDataType.BFloat16, DoubleQuant = true,
            Packing = Packing.Base3, OutlierThreshold = 6, Saturate = false,
        };
        using var named = new Config();
        foreach (OptionInfo option in Library.Options)
        {
            named.Set(option.Name, config.Get(option.Name));
        }

        Assert.Equal("int8", config.Get("format"));
        Assert.Equal("1.5", config.Get("clip"));
        Assert.Equal(Format.Int8, named.Format);
        Assert.Equal(Granularity.Channel, named.Granularity);
        Assert.Equal(64, named.GroupSize);
        Assert.Equal(-1, named.Axis);
        Assert.Equal(Scheme.Asymmetric, named.Scheme);
        Assert.Equal(1.5, named.Clip);
        Assert.Equal(NonFinitePolicy.Zero, named.NonFinite);
        Assert.Equal((Rounding.Stochastic, 1L << 53), (named.Rounding, named.Seed));
        Assert.Equal((ScaleRule.Percentile, 97.5), (named.ScaleRule, named.Percentile));
        Assert.Equal(SymmetricRange.Extreme, named.SymmetricRange);
        Assert.Equal((ScaleDataType.BFloat16, true), (named.ScaleDataType, named.DoubleQuant));
        Assert.Equal((Packing.Base3, 6.0, false), (named.Packing, named.OutlierThreshold, named.Saturate));
        Assert.Equal(config, named);

        // No option is without a property: all of them have left their defaults.
        Assert.All(
            Library.Options,
            option => Assert.Contains($"{option.Name}=", config.ToString(), StringComparison.Ordinal));
    }

    // Driven by the registry, so that an option added to the library is tested as well.
    [Fact]
    public void EveryOptionHasItsDefaultAndItsBounds()
    {
        using var config = new Config();
        Assert.NotEmpty(Library.Options);
        Assert.All(Library.Options, option =>
        {
            int index = (int)(option.Default - option.Minimum);
            Assert.Equal(
                option.ValueNames.IsEmpty ? option.Default.ToString(CultureInfo.InvariantCulture) : option.ValueNames[index],
                config.Get(option.Name));
            string below = (option.Minimum - 1).ToString("F0", CultureInfo.InvariantCulture);
            var error = Assert.Throws<InvalidArgumentException>(() => config.Set(option.Name, below));
            Assert.Contains(option.Name, error.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void CloneIsIndependent()
    {
        using var config = new Config { GroupSize = 32 };
        using Config clone = config.Clone();

        config.GroupSize = 64;

        Assert.Equal(32, clone.GroupSize);
    }

    [Fact]
    public void UnknownOptionsAndValuesAreRefused()
    {
        using var config = new Config();

        Assert.Throws<NotFoundException>(() => config.Set("grupo", "1"));
        Assert.Throws<NotFoundException>(() => config.Get("grupo"));
        Assert.ThrowsAny<BitNetQuantException>(() => config.Set("format", "int9"));
        Assert.Throws<InvalidArgumentException>(() => config.Set("group_size", "many"));
        Assert.Throws<ArgumentNullException>(() => config.Set("format", null!));
        Assert.Throws<ArgumentException>(() => config.Set("group_size", "64\0"));
        Assert.Throws<InvalidArgumentException>(() => config.Clip = double.NaN);
    }

    [Fact]
    public void FailedSettingChangesNothing()
    {
        using var config = new Config();

        Assert.Throws<InvalidArgumentException>(() => config.GroupSize = 0);

        Assert.Equal(128, config.GroupSize);
    }

    [Theory]
    [InlineData(Format.Ternary, Scheme.Symmetric, 3 * 2, 3 * 2, 0)]
    [InlineData(Format.Int8, Scheme.Asymmetric, 3 * 5, 3 * 2, 3 * 2)]
    [InlineData(Format.Int4, Scheme.Asymmetric, 3 * 3, 3 * 2, 3 * 2)]
    public void SizesFollowFromTheShape(Format format, Scheme scheme, long codes, long scales, long zeroPoints)
    {
        using var config = new Config { Format = format, Scheme = scheme, GroupSize = 4 };

        Assert.Equal(new QuantizedSizes(codes, scales * 4, zeroPoints), config.GetSizes([3, 5]));
        config.ScaleDataType = ScaleDataType.Float16;
        Assert.Equal(new QuantizedSizes(codes, scales * 2, zeroPoints), config.GetSizes([3, 5]));
    }

    [Fact]
    public void PresetsAreFoundByName()
    {
        using Config config = Config.Preset("nf4_double_quant");

        Assert.Equal((Format.NF4, Granularity.Block, 64L, true),
            (config.Format, config.Granularity, config.GroupSize, config.DoubleQuant));
        var error = Assert.Throws<NotFoundException>(() => Config.Preset("nf4,group_size=128"));
        Assert.Contains("nf4,group_size=128", error.Message, StringComparison.Ordinal);
        Assert.Contains("nf4_double_quant", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => Config.Preset(null!));
    }

    [Fact]
    public void TextIsTriedWithoutExceptions()
    {
        Assert.True(Config.TryParse("int4_per_group_32, scale_rule = mse", out Config? config));
        using (config)
        {
            Assert.Equal((Format.Int4, 32L, ScaleRule.Mse), (config.Format, config.GroupSize, config.ScaleRule));
        }

        foreach (string? text in new[] { null, "format=int9", "grupo=1", "format=int8\0" })
        {
            Assert.False(Config.TryParse(text, out Config? none));
            Assert.Null(none);
        }

        Assert.Throws<ArgumentNullException>(() => Config.Parse(null!));
        Assert.Throws<ArgumentException>(() => Config.Parse("format=int8\0"));
    }

    [Fact]
    public void DictionariesHoldEveryOption()
    {
        using var config = new Config { Format = Format.Int8, Clip = 0.1, Seed = 7 };
        Dictionary<string, string> options = config.ToDictionary();

        Assert.Equal(Library.Options.Select(option => option.Name).Order(), options.Keys.Order());
        Assert.Equal(("int8", "0.1", "7"), (options["format"], options["clip"], options["seed"]));
        using Config read = Config.FromDictionary(options);
        Assert.Equal(config, read);

        using Config some = Config.FromDictionary(new Dictionary<string, string> { ["group_size"] = "64" });
        Assert.Equal((64L, Format.Ternary), (some.GroupSize, some.Format));
        Assert.Throws<NotFoundException>(
            () => Config.FromDictionary(new Dictionary<string, string> { ["colour"] = "red" }));
        Assert.Throws<ArgumentNullException>(() => Config.FromDictionary(null!));
    }

    [Fact]
    public void EqualityIsThatOfAllOptions()
    {
        using var config = new Config { Format = Format.Int4 };
        using var same = new Config { Format = Format.Int4 };

        Assert.Equal(config, same);
        Assert.Equal(config.GetHashCode(), same.GetHashCode());
        Assert.True(config.Equals((object)same));
        Assert.False(config.Equals((Config?)null));
        Assert.False(config.Equals((object)"format=int4"));

        same.Percentile = 50; // an option that is not used is an option
        Assert.NotEqual(config, same);
    }

    [Fact]
    public void IllegalShapesAreRefused()
    {
        using var config = new Config();

        Assert.Throws<ArgumentOutOfRangeException>(() => config.GetSizes([3, -1]));
        Assert.Throws<InvalidArgumentException>(() => config.GetSizes([1, 1, 1, 1, 1, 1, 1, 1, 1]));
        Assert.Throws<InvalidArgumentException>(() => config.GetSizes([long.MaxValue, long.MaxValue]));
    }

    [Fact]
    public void DisposedConfigsAreRefused()
    {
        var config = new Config();
        config.Dispose();
        config.Dispose();

        Assert.Throws<ObjectDisposedException>(() => config.Format);
        Assert.Throws<ObjectDisposedException>(() => config.Set("format", "int8"));
        Assert.Throws<ObjectDisposedException>(() => QuantizedTensor.Quantize(Floats(1f), [1], config));
        Assert.Equal("Config", config.ToString());
        using var alive = new Config();
        Assert.False(config.Equals(alive) || alive.Equals(config));
        Assert.True(config.Equals((object)config));
    }
}
