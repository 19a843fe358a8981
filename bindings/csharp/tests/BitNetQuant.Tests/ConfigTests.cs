using System;
using System.Globalization;
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
    }

    [Fact]
    public void PropertiesAndNamesReachTheSameOptions()
    {
        using var config = new Config
        {
            Format = Format.Int8, Granularity = Granularity.Channel, GroupSize = 64, Axis = -1,
            Scheme = Scheme.Asymmetric, Clip = 1.5, NonFinite = NonFinitePolicy.Zero,
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
        Assert.Equal(config.ToString(), named.ToString());
        Assert.Contains("group_size=64", config.ToString(), StringComparison.Ordinal);
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
        Assert.ThrowsAny<BitNetQuantException>(() => config.Set("format", "int3"));
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
    public void SizesFollowFromTheShape(Format format, Scheme scheme, long codes, long scales, long zeroPoints)
    {
        using var config = new Config { Format = format, Scheme = scheme, GroupSize = 4 };

        Assert.Equal(new QuantizedSizes(codes, scales, zeroPoints), config.GetSizes([3, 5]));
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
    }
}
