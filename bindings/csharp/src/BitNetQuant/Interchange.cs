using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>How another ecosystem holds quantized tensors.</summary>
/// <param name="Name">As <see cref="Model.Export"/> takes it: "gptq".</param>
/// <param name="Description">What it is, in a sentence.</param>
/// <param name="IsReadable">Whether its files can be opened.</param>
/// <param name="IsWritable">Whether they can be written.</param>
public sealed record Layout(string Name, string Description, bool IsReadable, bool IsWritable);

/// <summary>What a quantized tensor loses in an export.</summary>
public enum Verdict
{
    /// <summary>It is no quantized tensor, or was not exported.</summary>
    None = 0,

    /// <summary>Every value is the same.</summary>
    Exact = NativeMethods.BNQ_VERDICT_EXACT,

    /// <summary>Codes are the same; scales, zero points or offsets are rounded, which the note says.</summary>
    ScalesRounded = NativeMethods.BNQ_VERDICT_SCALES_ROUNDED,

    /// <summary>The layout cannot hold it (in a dry run); the note says why.</summary>
    NotRepresentable = NativeMethods.BNQ_VERDICT_NOT_REPRESENTABLE,

    /// <summary>Quantized anew, since <see cref="WriteOptions.Requantize"/> asked for that.</summary>
    Requantized = NativeMethods.BNQ_VERDICT_REQUANTIZED,
}

/// <summary>
/// How models are exported and imported: "scale_dtype", "weight_scale", "i2_s", "max_scale_change", and what else
/// <see cref="Library.InterchangeOptions"/> lists.
/// </summary>
/// <remarks>May be used by several threads at once only while none of them changes it.</remarks>
public sealed class InterchangeOptions : IDisposable
{
    private string? metadataFrom;

    /// <summary>Every option at its default.</summary>
    public InterchangeOptions()
    {
        Native.Check(NativeMethods.bnq_interchange_create(out InterchangeHandle handle));
        Handle = handle;
    }

    internal InterchangeHandle Handle { get; }

    /// <summary>Of exports to GGUF: the path of a GGUF file of the same model, from which keys (the tokenizer among
    /// them) and names of tensors are taken; null, the default, for none.</summary>
    public string? MetadataFrom
    {
        get => metadataFrom;
        set
        {
            Native.Check(NativeMethods.bnq_interchange_set_metadata_from(Handle, value));
            metadataFrom = value;
        }
    }

    /// <summary>Sets an option by its name and a value's name or number.</summary>
    /// <param name="option">A name of <see cref="Library.InterchangeOptions"/>, such as "i2_s".</param>
    /// <param name="value">Such as "x86"; numbers in the invariant culture.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">The value is not legal; the message says what is.</exception>
    public void Set(string option, string value) => Settings.Set(option, value);

    /// <summary>The value of an option as <see cref="Set"/> takes it.</summary>
    /// <param name="option">A name of <see cref="Library.InterchangeOptions"/>.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    public string Get(string option) => OptionsHandle.Of(Handle, NativeMethods.bnq_interchange_options).GetText(option);

    /// <summary>The options of a dictionary; others are at their defaults.</summary>
    /// <param name="options">Values, as <see cref="Set"/> takes them, by the options' names.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">A value is not legal; the message says what is.</exception>
    public static InterchangeOptions FromDictionary(IEnumerable<KeyValuePair<string, string>> options) =>
        OptionsHandle.Filled(new InterchangeOptions(), options, static (filled, option, value) => filled.Set(option, value));

    /// <summary>The values of all options by their names, as <see cref="FromDictionary"/> takes them.</summary>
    public Dictionary<string, string> ToDictionary() => Library.InterchangeOptions.ToDictionary(
        option => option.Name, option => Get(option.Name), StringComparer.Ordinal);

    /// <summary>Frees the options.</summary>
    public void Dispose() => Handle.Dispose();

    private OptionsHandle Settings => OptionsHandle.Of(Handle, NativeMethods.bnq_interchange_settings);
}

public static unsafe partial class Model
{
    /// <summary>
    /// Writes a model of any kind as programs of another ecosystem load it: into a file, or a folder with a config.json
    /// into a folder, whose config.json then says how it is quantized. Codes are transcoded, never derived anew, unless
    /// <see cref="WriteOptions.Requantize"/> asks for what the layout cannot hold otherwise.
    /// </summary>
    /// <param name="input">The path of the model.</param>
    /// <param name="output">The path of the file or folder.</param>
    /// <param name="layout">A name of <see cref="Library.Layouts"/>: "compressed-tensors", "gguf", ...</param>
    /// <param name="interchange">How; null for the defaults.</param>
    /// <param name="options">How the output is written; a dry run has verdicts and sizes from headers alone.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="maxShardBytes">As in <see cref="Quantize"/>.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>A row for each tensor, with its <see cref="ReportRow.Verdict"/>.</returns>
    /// <exception cref="InvalidArgumentException">There is no such layout; the message lists them.</exception>
    /// <exception cref="UnsupportedException">The layout cannot hold a tensor; the message names it and says
    /// why.</exception>
    /// <exception cref="AlreadyExistsException">The output exists, without
    /// <see cref="WriteOptions.Overwrite"/>, or is also the input.</exception>
    /// <exception cref="CorruptFileException">The input is truncated or damaged.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Report Export(
        string input, string output, string layout, InterchangeOptions? interchange = null,
        WriteOptions options = WriteOptions.None, IProgress<ModelProgress>? progress = null, Context? context = null,
        ulong maxShardBytes = 0, CancellationToken cancellationToken = default)
    {
        using InterchangeOptions? defaults = interchange is null ? new InterchangeOptions() : null;
        using var watch = new ProgressWatch(progress, cancellationToken);
        int status = NativeMethods.bnq_export_file(
            ContextHandle.Of(context), (interchange ?? defaults)!.Handle, Native.Argument(layout), Native.Argument(input),
            Native.Argument(output), (int)options, maxShardBytes, watch.Callback, watch.Opaque, out ReportHandle report);
        return Finish(watch, status, report);
    }

    /// <summary>Writes a model of any layout as a .bnq file, or a folder into a folder, with the codes that it has.</summary>
    /// <param name="input">The path of the model.</param>
    /// <param name="output">The path of the .bnq file, or folder.</param>
    /// <param name="interchange">How; null for the defaults.</param>
    /// <param name="options">How the output is written.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="maxShardBytes">As in <see cref="Quantize"/>.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>A row for each tensor, whose note says which layout it had.</returns>
    /// <exception cref="AlreadyExistsException">The output exists, without
    /// <see cref="WriteOptions.Overwrite"/>, or is also the input.</exception>
    /// <exception cref="CorruptFileException">The input is truncated or damaged.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Report Import(
        string input, string output, InterchangeOptions? interchange = null, WriteOptions options = WriteOptions.None,
        IProgress<ModelProgress>? progress = null, Context? context = null, ulong maxShardBytes = 0,
        CancellationToken cancellationToken = default)
    {
        using InterchangeOptions? defaults = interchange is null ? new InterchangeOptions() : null;
        using var watch = new ProgressWatch(progress, cancellationToken);
        int status = NativeMethods.bnq_import_file(
            ContextHandle.Of(context), (interchange ?? defaults)!.Handle, Native.Argument(input), Native.Argument(output),
            (int)options, maxShardBytes, watch.Callback, watch.Opaque, out ReportHandle report);
        return Finish(watch, status, report);
    }

    /// <summary><see cref="Export"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Export"/>
    /// <returns>The report, when it is done. Arguments are not to be changed or disposed of before.</returns>
    public static Task<Report> ExportAsync(
        string input, string output, string layout, InterchangeOptions? interchange = null,
        WriteOptions options = WriteOptions.None, IProgress<ModelProgress>? progress = null, Context? context = null,
        ulong maxShardBytes = 0, CancellationToken cancellationToken = default) => Task.Run(
            () => Export(input, output, layout, interchange, options, progress, context, maxShardBytes, cancellationToken),
            cancellationToken);

    /// <summary><see cref="Import"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Import"/>
    /// <returns>The report, when it is done. Arguments are not to be changed or disposed of before.</returns>
    public static Task<Report> ImportAsync(
        string input, string output, InterchangeOptions? interchange = null, WriteOptions options = WriteOptions.None,
        IProgress<ModelProgress>? progress = null, Context? context = null, ulong maxShardBytes = 0,
        CancellationToken cancellationToken = default) => Task.Run(
            () => Import(input, output, interchange, options, progress, context, maxShardBytes, cancellationToken),
            cancellationToken);
}
