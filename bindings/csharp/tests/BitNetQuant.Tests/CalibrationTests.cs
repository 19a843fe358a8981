using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using Xunit;
using static BitNetQuant.Tests.Samples;

namespace BitNetQuant.Tests;

public sealed class CalibrationTests
{
    [Fact]
    public void CalibratorsHaveThePrototypesOptions()
    {
        using var prototype = new Calibrator { Method = CalibrationMethod.Percentile, Percentile = 90 };
        prototype.Observe(Floats(1000f), [1]);
        using var calibration = new Calibration(prototype);
        using var expected = new Calibrator { Method = CalibrationMethod.Percentile, Percentile = 90 };
        float[] values = Samples.Values(200);
        expected.Observe(values, [200]);

        calibration.Observe("a", values, [200]);

        Assert.Equal(expected.ToBytes(), calibration["a"].ToBytes());
        using var defaults = new Calibration();
        defaults.Observe("a", values, [200]);
        Assert.Equal(CalibrationMethod.MinMax, defaults["a"].Method);
    }

    [Fact]
    public void EnumeratesByTheBytesOfTheNames()
    {
        // In UTF-16 the last two are the other way round.
        string[] names = ["", "a", "a.b", "b", "\uFF5E", "\U0001F600"];
        using var calibration = new Calibration();
        Assert.Empty(calibration);
        foreach ((string name, int i) in names.Select((name, i) => (name, i)).Skip(1).Reverse())
        {
            calibration.Observe(name, Floats(i, -i), [2]);
        }

        Assert.Equal(names.Skip(1), calibration.Names);
        Assert.Equal(5, calibration.Count);
        Assert.All(
            calibration.Select((item, index) => (item, index)),
            pair => Assert.Equal(pair.index + 1, pair.item.Value.GetRange().High));
        Assert.All(names.Skip(1), (name, i) => Assert.Equal(i + 1, calibration[name].GetRange().High));
        Assert.Throws<InvalidArgumentException>(() => calibration.Observe("", Floats(1f), [1]));
        Assert.False(calibration.Contains(""));
        Assert.False(calibration.Contains("aa"));
        Assert.False(calibration.TryGetCalibrator("c", out _));
        var error = Assert.Throws<NotFoundException>(() => calibration["c"]);
        Assert.Contains("a.b", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => calibration.Contains(null!));
        Assert.Throws<ArgumentException>(() => calibration.Observe("a\0", Floats(1f), [1]));
    }

    [Fact]
    public void CalibratorsAreViewsThatOnlyTheSetChanges()
    {
        using var calibration = new Calibration();
        calibration.Observe("a", Floats(1f), [1]);
        Calibrator view = calibration["a"];

        calibration.Observe("b", Floats(5f), [1]);
        calibration.Observe("a", Array.ConvertAll(Floats(2f), value => (double)value), [1]);
        calibration.Observe("a", Array.ConvertAll(Floats(3f), value => (Half)value), [1]);
        calibration.Observe("a", SourceArray.Of(Floats(4f), [1]));

        Assert.Equal((4, 4f), (view.BatchCount, view.GetRange().High));
        Assert.True(view.IsReadOnly);
        Assert.Throws<InvalidOperationException>(() => view.Observe(Floats(9f), [1]));
        Assert.Throws<InvalidOperationException>(() => view.ObserveFile("a.npy"));
        Assert.Throws<InvalidOperationException>(() => view.Reset());
        Assert.Throws<InvalidOperationException>(() => view.Merge(calibration["b"]));
        Assert.Throws<InvalidOperationException>(() => view.Bins = 64);
        Assert.Throws<InvalidOperationException>(() => view.Percentile = 64);
        Assert.Throws<InvalidOperationException>(() => view.Set("bins", "64"));
        using Calibrator clone = view.Clone();
        clone.Merge(calibration["b"]);
        Assert.Equal((false, 5f, 4f), (clone.IsReadOnly, clone.GetRange().High, view.GetRange().High));

        view.Dispose();
        Assert.Throws<ObjectDisposedException>(() => view.GetRange());
        Assert.Equal(4f, calibration["a"].GetRange().High);
    }

    [Fact]
    public void ViewsOutliveTheSet()
    {
        Calibrator view = ViewOfADisposedSet();
        GC.Collect();
        GC.WaitForPendingFinalizers();

        Assert.Equal(new ValueRange(-7, 7), view.GetRange());
    }

    [Fact]
    public void OptionsOfAllCanBeSet()
    {
        using var prototype = new Calibrator { KeepHistogram = true };
        using var calibration = new Calibration(prototype);
        calibration.Observe("a", Samples.Values(5000), [5000]);
        ValueRange whole = calibration["a"].GetRange();

        calibration.Set("method", "percentile");
        calibration.Set("percentile", "75");
        calibration.Observe("b", Samples.Values(5000), [5000]);

        Assert.True(calibration["a"].GetRange().High < whole.High);
        Assert.Equal(calibration["a"].GetRange(), calibration["b"].GetRange());
        var error = Assert.Throws<InvalidArgumentException>(() => calibration.Set("bins", "64"));
        Assert.Contains("\"a\"", error.Message, StringComparison.Ordinal);
        Assert.Throws<NotFoundException>(() => calibration.Set("colour", "red"));
    }

    [Fact]
    public void MergesNameByName()
    {
        float[] values = Samples.Values(300);
        using var one = new Calibration();
        using var other = new Calibration();
        using var all = new Calibration();
        one.Observe("a", values.AsSpan(0, 100), [100]);
        other.Observe("a", values.AsSpan(100, 100), [100]);
        other.Observe("b", values.AsSpan(200), [100]);
        all.Observe("b", values.AsSpan(200), [100]);
        all.Observe("a", values.AsSpan(100, 100), [100]);
        all.Observe("a", values.AsSpan(0, 100), [100]);

        one.Merge(other);

        Assert.Equal(all.Names, one.Names);
        Assert.All(all.Names, name => Assert.Equal(all[name].ToBytes(), one[name].ToBytes()));
        using var prototype = new Calibrator { KeepMoments = true };
        using var different = new Calibration(prototype);
        different.Observe("a", values, [300]);
        Assert.Throws<InvalidArgumentException>(() => one.Merge(different));
        Assert.Throws<ArgumentNullException>(() => one.Merge(null!));
        Assert.Equal(all["a"].ToBytes(), one["a"].ToBytes());
    }

    [Fact]
    public void SavesAndLoads()
    {
        using var directory = new TemporaryDirectory();
        using var prototype = new Calibrator { Method = CalibrationMethod.Mse, Bins = 128 };
        using var calibration = new Calibration(prototype);
        calibration.Observe("layer.0", Samples.Values(100), [100]);
        calibration.Observe("layer.1", Samples.Values(100, 2), [100]);
        string path = directory["calibration.bnq"];

        calibration.Save(path);

        using Calibration loaded = Calibration.Load(path);
        Assert.Equal(calibration.Names, loaded.Names);
        Assert.All(calibration.Names, name => Assert.Equal(calibration[name].ToBytes(), loaded[name].ToBytes()));
        loaded.Observe("layer.2", Samples.Values(10), [10]);
        Assert.Equal((CalibrationMethod.Mse, 128), (loaded["layer.2"].Method, loaded["layer.2"].Bins));

        byte[] before = File.ReadAllBytes(path);
        Assert.Equal(before, calibration.ToBytes());
        using Calibration read = Calibration.FromBytes(before);
        Assert.Equal(before, read.ToBytes());
        Assert.Throws<CorruptFileException>(() => Calibration.FromBytes([]));
        Assert.Throws<AlreadyExistsException>(() => loaded.Save(path));
        Assert.Equal(before, File.ReadAllBytes(path));
        loaded.Save(path, WriteOptions.Overwrite);
        Assert.NotEqual(before, File.ReadAllBytes(path));
        Assert.Throws<NotFoundException>(() => Calibration.Load(directory["missing"]));
        Assert.Throws<CorruptFileException>(() => Calibration.Load(directory.Model()));
        before[before.Length / 2] ^= 1;
        File.WriteAllBytes(path, before);
        Assert.Throws<CorruptFileException>(() => Calibration.Load(path));
    }

    [Fact]
    public void ObservesFilesEachArrayByItsName()
    {
        using var directory = new TemporaryDirectory();
        directory.Model();
        WriteNpy(directory["batch.npy"], Floats(3f, -4f));
        var seen = new List<ModelProgress>();
        using var calibration = new Calibration();

        calibration.ObserveFile(Path.GetDirectoryName(directory["x"])!, progress: new Receiver(seen.Add));

        Assert.Equal(["batch", "layer.bias", "layer.weight"], calibration.Names);
        Assert.Equal(new ValueRange(-4, 4), calibration["batch"].GetRange());
        Assert.Equal(240, calibration["layer.weight"].GetStatistics().Count);
        Assert.Equal(seen[^1].Total, seen[^1].Done);
        Assert.Throws<NotFoundException>(() => calibration.ObserveFile(directory["missing"]));

        calibration.ObserveFile(directory["batch.npy"], asName: "layer.bias");
        Assert.Equal(2, calibration["layer.bias"].BatchCount);
    }

    [Fact]
    public void FailedFilesLeaveNothingObserved()
    {
        using var directory = new TemporaryDirectory();
        string model = directory.Model();
        WriteNpy(directory["x.npy"], Floats(1f, float.NaN));
        using var calibration = new Calibration();
        using var source = new CancellationTokenSource();
        var thrown = new TimeoutException("the receiver's own");

        Assert.Throws<NonFiniteException>(() => calibration.ObserveFile(Path.GetDirectoryName(model)!));
        Assert.Same(thrown, Assert.Throws<TimeoutException>(
            () => calibration.ObserveFile(model, progress: new Receiver(_ => throw thrown))));
        Assert.Throws<OperationCanceledException>(() => calibration.ObserveFile(
            model, progress: new Receiver(_ => source.Cancel()), cancellationToken: source.Token));

        Assert.Empty(calibration);
    }

    [Fact]
    public void DisposedSetsAreRefused()
    {
        var calibration = new Calibration();
        calibration.Observe("a", Floats(1f), [1]);
        calibration.Dispose();
        calibration.Dispose();

        Assert.Throws<ObjectDisposedException>(() => calibration.Count);
        Assert.Throws<ObjectDisposedException>(() => calibration["a"]);
        Assert.Throws<ObjectDisposedException>(() => calibration.Observe("a", Floats(1f), [1]));
    }

    // By itself, so that nothing but the view refers to the set.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Calibrator ViewOfADisposedSet()
    {
        using var calibration = new Calibration();
        calibration.Observe("a", Floats(7f), [1]);
        return calibration["a"];
    }
}
