// Quantizes the matrices of a safetensors model into a .bnq file and prints what it cost:
//
//   QuantizeModel model.safetensors model.bnq [preset] [option=value]...
//
// Presets and options are those of the library's registry: nf4 group_size=128 ...

using System;
using System.Globalization;
using System.Threading;
using BitNetQuant;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args.Length < 2)
{
    Console.Error.WriteLine("usage: QuantizeModel MODEL.safetensors OUTPUT.bnq [preset] [option=value]...");
    try
    {
        Console.Error.WriteLine("options:");
        foreach (OptionInfo option in Library.Options)
        {
            string values = option.ValueNames.IsEmpty
                ? $"{option.Minimum} to {option.Maximum}"
                : string.Join(", ", option.ValueNames);
            Console.Error.WriteLine($"  {option.Name}: {values}");
        }

        Console.Error.WriteLine("presets:");
        foreach (PresetInfo preset in Library.Presets)
        {
            Console.Error.WriteLine($"  {preset.Name}: {preset.Description}");
        }
    }
    catch (NativeLibraryException error)
    {
        Console.Error.WriteLine(error.Message);
    }

    return 2;
}

using var cancel = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    cancel.Cancel();
};

try
{
    using Config config = args.Length > 2 ? Config.Parse(string.Join(',', args[2..])) : new Config();
    using var plan = new Plan().Add("*", config, minRank: 2);
    using var context = new Context(threads: 0);
    Console.WriteLine($"libbnq {Library.Version}, {Library.ActiveTarget}, {context.Threads} threads: {config}");

    Report report = Model.Quantize(
        args[0], args[1], plan, WriteOptions.Overwrite, new Bar(), context, cancellationToken: cancel.Token);

    Console.WriteLine($"{"tensor",-32} {"shape",-16} {"format",-9} {"bits",6} {"before",12} {"after",12} {"SQNR dB",8}");
    foreach (ReportRow row in report.Rows)
    {
        string format = row.DataType is { } type ? Library.NameOf(type)! : Library.NameOf(row.Format)!;
        string sqnr = row.HasMetrics ? row.Metrics.SqnrDb.ToString("F2") : "-";
        string line = $"{row.Name,-32} {string.Join('x', row.Shape),-16} {format,-9} {row.BitsPerWeight,6:F2} "
            + $"{row.BytesBefore,12:N0} {row.BytesAfter,12:N0} {sqnr,8} {row.Note}";
        Console.WriteLine(line.TrimEnd());
    }

    Console.WriteLine($"{"total",-66} {report.BytesBefore,12:N0} {report.BytesAfter,12:N0}");
    return 0;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("Cancelled; nothing was written.");
    return 130;
}
catch (Exception error) when (error is BitNetQuantException or NativeLibraryException)
{
    Console.Error.WriteLine($"error: {error.Message}");
    return 1;
}

/// <summary>A progress line on a terminal, and nothing elsewhere.</summary>
internal sealed class Bar : IProgress<ModelProgress>
{
    public void Report(ModelProgress value)
    {
        if (Console.IsErrorRedirected || value.Total == 0)
        {
            return;
        }

        Console.Error.Write($"\r{100.0 * value.Done / value.Total,5:F1} % {value.Item,-40}");
        if (value.Done == value.Total)
        {
            Console.Error.Write("\r" + new string(' ', 50) + "\r");
        }
    }
}
