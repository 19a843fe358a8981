using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>Models of other ecosystems: the golden files of tests/golden/interchange.</summary>
public sealed class InterchangeTests
{
    [Theory]
    [InlineData("gptq-v2", "gptq-v2")]
    [InlineData("bitsandbytes-nf4-nested", "bitsandbytes-nf4-nested")]
    [InlineData("gguf/blocks.gguf", "gguf-blocks")]
    public void FilesOfOthersAreFiles(string path, string expected)
    {
        using ModelFile file = ModelFile.Open(SourceTree.Interchange(path));
        ExpectValues(file, expected);
        using ModelFile raw = ModelFile.Open(SourceTree.Interchange(path), raw: true);
        Assert.True(raw.Tensors.Length >= file.Tensors.Length);
        Assert.All(raw.Tensors, tensor => Assert.Equal((false, ""), (tensor.IsQuantized, tensor.Layout)));
    }

    [Fact]
    public async Task CodesGoThereAndBack()
    {
        using var directory = new TemporaryDirectory();
        await Model.ImportAsync(SourceTree.Interchange("gptq-v2"), directory["ours"]);
        using InterchangeOptions options = InterchangeOptions.FromDictionary(
            new Dictionary<string, string> { ["max_scale_change"] = "0" });
        Assert.Equal("0", options.Get("max_scale_change"));

        Report report = await Model.ExportAsync(directory["ours"], directory["theirs"], "compressed-tensors", options);

        Assert.Contains(report.Rows, row => row.Verdict == Verdict.Exact);
        Assert.Contains(report.Rows, row => row.Verdict == Verdict.None);
        using ModelFile file = ModelFile.Open(directory["theirs"]);
        ExpectValues(file, "gptq-v2");
        Assert.Contains("compressed-tensors", File.ReadAllText(Path.Combine(directory["theirs"], "config.json")));
    }

    [Fact]
    public void WhatCannotBeIsRefused()
    {
        using var directory = new TemporaryDirectory();
        string input = SourceTree.Interchange("mlx-int6");
        Assert.Throws<UnsupportedException>(() => Model.Export(input, directory["out"], "bitnet"));
        Assert.Contains(
            Model.Export(input, directory["out"], "bitnet", options: WriteOptions.DryRun).Rows,
            row => row.Verdict == Verdict.NotRepresentable && row.Note.Length != 0);
        Assert.Contains(
            "compressed-tensors",
            Assert.Throws<InvalidArgumentException>(() => Model.Export(input, directory["out"], "none such")).Message,
            StringComparison.Ordinal);
        Assert.False(Path.Exists(directory["out"]));
    }

    [Fact]
    public void OptionsAndLayoutsAreListed()
    {
        Assert.Contains(Library.Layouts, layout => layout is { Name: "gguf", IsReadable: true, IsWritable: true });
        using var options = new InterchangeOptions { MetadataFrom = "donor.gguf" };
        Assert.Equal("donor.gguf", options.MetadataFrom);
        options.Set("i2_s", "x86");
        Assert.Equal("x86", options.ToDictionary()["i2_s"]);
        Assert.Throws<InvalidArgumentException>(() => options.Set("i2_s", "vax"));
    }

    /// <summary>Of every quantized tensor, to the last bit.</summary>
    private static void ExpectValues(ModelFile file, string expected)
    {
        using ModelFile values = ModelFile.Open(SourceTree.Interchange($"expected/{expected}.safetensors"));
        Assert.Equal(values.Tensors.Select(tensor => tensor.Name), file.Tensors.Select(tensor => tensor.Name));
        Assert.Contains(file.Tensors, tensor => tensor.IsQuantized);
        foreach (TensorInfo info in file.Tensors.Where(tensor => tensor.IsQuantized))
        {
            Assert.NotEqual("", info.Layout);
            using QuantizedTensor tensor = file.ReadTensor(info.Name);
            float[] expectedValues = values.Read<float>(info.Name);
            var decoded = new float[expectedValues.Length];
            tensor.Dequantize(decoded);
            Assert.Equal(
                expectedValues.Select(BitConverter.SingleToInt32Bits), decoded.Select(BitConverter.SingleToInt32Bits));
        }
    }
}
