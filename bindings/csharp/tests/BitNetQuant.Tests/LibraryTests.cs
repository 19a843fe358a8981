using System;
using System.Linq;
using Xunit;

namespace BitNetQuant.Tests;

public sealed class LibraryTests
{
    [Fact]
    public void ListsTargetsWithTheActiveOneSupported()
    {
        SimdTarget active = Assert.Single(Library.Targets, target => target.Name == Library.ActiveTarget);

        Assert.True(active.Supported);
        Assert.Equal(active, Library.Targets.First(target => target.Supported));
    }

    [Fact]
    public void ListsFormats()
    {
        FormatInfo ternary = Library.Formats.Single(format => format.Format == Format.Ternary);
        FormatInfo int8 = Library.Formats.Single(format => format.Format == Format.Int8);

        Assert.Equal(("ternary", 2, -1, 1, false),
            (ternary.Name, ternary.CodeBits, ternary.MinCode, ternary.MaxCode, ternary.SupportsAsymmetric));
        Assert.Equal(("int8", 8, -128, 127, true),
            (int8.Name, int8.CodeBits, int8.MinCode, int8.MaxCode, int8.SupportsAsymmetric));
        Assert.Equal(
            [Format.Ternary, Format.Int8, Format.Int4, Format.Int2, Format.Int3, Format.Int5, Format.Int6],
            Library.Formats.Where(format => format.IsInteger).Select(format => format.Format).Order());
        Assert.Equal(
            [Format.Float16, Format.BFloat16],
            Library.Formats.Where(format => !format.IsScaled).Select(format => format.Format).Order());
        Assert.Equal(
            Enum.GetValues<Format>().Where(format => format != Format.None).Order(),
            Library.Formats.Select(format => format.Format).Order());
        Assert.All(Library.Formats, format =>
        {
            Assert.Equal(format.Format, Library.FindFormat(format.Name));
            Assert.Equal(format.Name, Library.NameOf(format.Format));
            Assert.NotEmpty(format.Description);
            Assert.InRange(format.MinGroupSize, 1, long.MaxValue);
        });
    }

    [Fact]
    public void ListsOptions()
    {
        OptionInfo granularity = Library.Options.Single(option => option.Name == "granularity");
        OptionInfo clip = Library.Options.Single(option => option.Name == "clip");

        Assert.True(granularity.IsInteger);
        Assert.Equal<string>(["tensor", "channel", "group", "token", "block", "tile"], granularity.ValueNames);
        Assert.Equal((0.0, 5.0, 2.0), (granularity.Minimum, granularity.Maximum, granularity.Default));
        Assert.False(clip.IsInteger);
        Assert.Empty(clip.ValueNames);
        Assert.Equal((0.0, 0.0), (clip.Minimum, clip.Default));
    }

    [Fact]
    public void ListsPresets()
    {
        Assert.NotEmpty(Library.Presets);
        Assert.Equal(Library.Presets.Length, Library.Presets.DistinctBy(preset => preset.Name).Count());
        Assert.All(Library.Presets, preset =>
        {
            Assert.NotEmpty(preset.Description);
            using Config config = Config.Preset(preset.Name);
            using Config read = Config.Parse(config.ToString());
            Assert.Equal(config, read);
        });
    }

    [Fact]
    public void SaysWhatGoesWithAFormat()
    {
        Library.CheckSupport(Format.Int8, "scheme", "offset");
        using Config config = Config.Parse("nf4,scheme=offset");
        var alone = Assert.Throws<UnsupportedException>(() => Library.CheckSupport(Format.NF4, "scheme", "offset"));
        var whole = Assert.Throws<UnsupportedException>(config.Check);
        Assert.Equal(alone.Message, whole.Message);
        Assert.Throws<UnsupportedException>(() => config.GetBitsPerWeight());
        Assert.Throws<NotFoundException>(() => Library.CheckSupport(Format.NF4, "shceme", "offset"));
        using Config preset = Config.Preset("nf4");
        preset.Check();
        Assert.Equal(4.5, preset.GetBitsPerWeight());
        Assert.Empty(preset.GetAdvice());
        using Config share = Config.Parse("int8,percentile=0.999");
        Assert.EndsWith("did you mean 99.9?", share.GetAdvice(), StringComparison.Ordinal);
    }

    [Fact]
    public void DynamicMapAscendsToOne()
    {
        float[] map = Library.DynamicMap.ToArray();

        Assert.Equal(256, map.Length);
        Assert.Equal(map.Order(), map);
        Assert.Equal((0f, 1f), (map[127], map[255]));
    }

    [Fact]
    public void NamesEveryDataType()
    {
        Assert.All(Enum.GetValues<DataType>(), type =>
        {
            Assert.Equal(type, Library.FindDataType(Library.NameOf(type)!));
            Assert.InRange(Library.BitsOf(type), 4, 64);
        });
        Assert.Equal(DataType.BFloat16, Library.FindDataType("bf16"));
        Assert.Null(Library.NameOf((DataType)1000));
        Assert.Null(Library.NameOf((Format)1000));
        Assert.Equal(0, Library.BitsOf((DataType)1000));
    }

    [Fact]
    public void UnknownNamesSayWhatIsKnown()
    {
        var error = Assert.Throws<NotFoundException>(() => Library.FindFormat("int9"));

        Assert.Contains("int9", error.Message, StringComparison.Ordinal);
        Assert.Contains("ternary", error.Message, StringComparison.Ordinal);
        Assert.Throws<NotFoundException>(() => Library.FindDataType("F33"));
    }

    [Fact]
    public void StringsWithNulAreRefused()
    {
        Assert.Throws<ArgumentException>(() => Library.FindFormat("int8\0x"));
        Assert.Throws<ArgumentNullException>(() => Library.FindFormat(null!));
    }
}
