using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;
using BitNetQuant.Interop;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>NativeMethods against bnq.h: every function, parameter, number and structure.</summary>
public sealed partial class HeaderTests
{
    private static readonly string Code = Comments().Replace(SourceTree.Header, "");

    private static readonly Dictionary<string, Type> Scalars = new()
    {
        ["uint64_t"] = typeof(ulong), ["int64_t"] = typeof(long), ["uint32_t"] = typeof(uint),
        ["int32_t"] = typeof(int), ["uint8_t"] = typeof(byte), ["int8_t"] = typeof(sbyte),
        ["float"] = typeof(float), ["double"] = typeof(double), ["bnq_status"] = typeof(int),
        ["char"] = typeof(byte), ["void"] = typeof(void),
        ["bnq_array"] = typeof(BnqArray), ["bnq_allocator"] = typeof(BnqAllocator),
        ["bnq_runner"] = typeof(BnqRunner),
    };

    private static readonly Dictionary<string, Type> Handles = new()
    {
        ["bnq_context"] = typeof(ContextHandle), ["bnq_config"] = typeof(ConfigHandle),
        ["bnq_tensor"] = typeof(TensorHandle), ["bnq_file"] = typeof(FileHandle),
        ["bnq_writer"] = typeof(WriterHandle), ["bnq_plan"] = typeof(PlanHandle),
        ["bnq_report"] = typeof(ReportHandle), ["bnq_calibrator"] = typeof(CalibratorHandle),
        ["bnq_calibration"] = typeof(CalibrationHandle), ["bnq_optimizer"] = typeof(OptimizerHandle),
    };

    private static readonly Dictionary<string, (string Result, string[] Parameters)> Functions =
        Declarations().Matches(Code).ToDictionary(
            match => match.Groups["name"].Value,
            match => (match.Groups["result"].Value, Split(match.Groups["parameters"].Value)));

    private static readonly Dictionary<string, MethodInfo> Methods = typeof(NativeMethods)
        .GetMethods(BindingFlags.Static | BindingFlags.NonPublic)
        .Where(method => method.Name.StartsWith("bnq_", StringComparison.Ordinal))
        .ToDictionary(method => method.Name);

    public static TheoryData<string> FunctionNames => new(Functions.Keys);

    [Fact]
    public void DeclaresExactlyTheFunctionsOfTheHeader()
    {
        Assert.Equal(Regex.Count(Code, @"^BNQ_API\b", RegexOptions.Multiline), Functions.Count);
        Assert.NotEmpty(Functions);
        Assert.Equal(Functions.Keys.Order(StringComparer.Ordinal), Methods.Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(FunctionNames))]
    public void DeclaresTheSignature(string name)
    {
        (string result, string[] parameters) = Functions[name];
        MethodInfo method = Methods[name];
        ParameterInfo[] declared = method.GetParameters();

        Assert.Equal(parameters.Length, declared.Length);
        Assert.True(Fits(result, method.ReturnType, name, returned: true), $"{name} returns {result}, not {method.ReturnType}");
        for (int i = 0; i < parameters.Length; i++)
        {
            string type = Regex.Match(parameters[i], @"^(.*?)\w+$").Groups[1].Value;
            Assert.True(
                Fits(type, declared[i].ParameterType, name),
                $"{name}: '{parameters[i]}' is declared as {declared[i].ParameterType} {declared[i].Name}");
        }
    }

    [Fact]
    public void DeclaresEveryNumberOfTheHeader()
    {
        var expected = Numbers().Matches(Code).ToDictionary(
            match => match.Groups["name"].Value,
            match => decimal.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture));
        foreach (string macro in new[] { "BNQ_ABI_VERSION", "BNQ_MAX_RANK" })
        {
            expected.Add(macro, Macro(macro));
        }

        foreach (Match macro in Regex.Matches(Code, @"^#define (BNQ_\w+) UINT64_MAX$", RegexOptions.Multiline))
        {
            expected.Add(macro.Groups[1].Value, ulong.MaxValue);
        }

        var declared = typeof(NativeMethods).GetFields(BindingFlags.Static | BindingFlags.NonPublic)
            .Where(field => field.Name.StartsWith("BNQ_", StringComparison.Ordinal))
            .ToDictionary(field => field.Name, field => Convert.ToDecimal(field.GetRawConstantValue(), null));

        Assert.Equal(expected.OrderBy(pair => pair.Key), declared.OrderBy(pair => pair.Key));
    }

    [Theory]
    [InlineData(typeof(Status), "BNQ_OK|BNQ_ERROR_")]
    [InlineData(typeof(DataType), "BNQ_DTYPE_")]
    [InlineData(typeof(Format), "BNQ_FORMAT_(?!CODE_BITS|MIN_|MAX_|ASYMMETRIC|INTEGER|SCALED)")]
    [InlineData(typeof(Granularity), "BNQ_GRANULARITY_")]
    [InlineData(typeof(Scheme), "BNQ_SCHEME_")]
    [InlineData(typeof(NonFinitePolicy), "BNQ_NON_FINITE_")]
    [InlineData(typeof(Rounding), "BNQ_ROUNDING_")]
    [InlineData(typeof(ScaleRule), "BNQ_SCALE_RULE_")]
    [InlineData(typeof(SymmetricRange), "BNQ_SYMMETRIC_RANGE_")]
    [InlineData(typeof(ScaleDataType), "BNQ_SCALE_DTYPE_")]
    [InlineData(typeof(Packing), "BNQ_PACKING_")]
    [InlineData(typeof(ModelFileKind), "BNQ_FILE_")]
    [InlineData(typeof(LogLevel), "BNQ_LOG_")]
    [InlineData(typeof(CalibrationMethod), "BNQ_METHOD_")]
    [InlineData(typeof(KLVariant), "BNQ_KL_")]
    [InlineData(typeof(LastBin), "BNQ_LAST_BIN_")]
    [InlineData(typeof(NonFiniteObservation), "BNQ_OBSERVE_")]
    [InlineData(typeof(OutlierRule), "BNQ_OUTLIERS_")]
    [InlineData(typeof(OptimizationMethod), "BNQ_OPTIMIZE_")]
    [InlineData(typeof(OptimizationObjective), "BNQ_OBJECTIVE_")]
    [InlineData(typeof(OptimizationScope), "BNQ_SCOPE_")]
    public void EnumerationsAreComplete(Type enumeration, string prefix)
    {
        var header = Numbers().Matches(Code)
            .Where(match => Regex.IsMatch(match.Groups["name"].Value, $"^(?:{prefix})"))
            .Select(match => int.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture));

        Assert.Equal(header.Order(), Enum.GetValues(enumeration).Cast<int>().Order());
    }

    [Fact]
    public void StructuresHaveTheLayoutOfTheHeader()
    {
        Assert.Equal(Layout("bnq_array"), ManagedLayout<BnqArray>());
        Assert.Equal(Layout("bnq_allocator"), ManagedLayout<BnqAllocator>());
        Assert.Equal(Layout("bnq_runner"), ManagedLayout<BnqRunner>());
    }

    [Fact]
    public void LibraryHasTheVersionOfTheHeader()
    {
        Assert.Equal(
            new Version(Macro("BNQ_VERSION_MAJOR"), Macro("BNQ_VERSION_MINOR"), Macro("BNQ_VERSION_PATCH")),
            Library.Version);
        Assert.Equal(Macro("BNQ_ABI_VERSION"), Library.AbiVersion);
    }

    private static int Macro(string name) => int.Parse(
        Regex.Match(Code, $@"^#define {name} (\d+)$", RegexOptions.Multiline).Groups[1].Value, CultureInfo.InvariantCulture);

    private static bool Fits(string native, Type type, string function, bool returned = false)
    {
        string name = native.Replace("const", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal);
        string target = name.TrimEnd('*');
        int stars = name.Length - target.Length;
        if (Handles.TryGetValue(target, out Type? handle))
        {
            bool frees = function.EndsWith("_destroy", StringComparison.Ordinal)
                || function.EndsWith("_close", StringComparison.Ordinal);

            // What a function returns is borrowed: a handle would free it.
            bool bare = frees || returned;
            bool list = Regex.IsMatch(native, @"\* *const *\*");
            return list ? type == typeof(nint).MakePointerType()
                : stars == 2 ? type == handle.MakeByRefType()
                : type == (bare ? typeof(nint) : handle);
        }

        if (target.EndsWith("_fn", StringComparison.Ordinal))
        {
            string[] parameters = Split(Regex.Match(Code, $@"\(\*{target}\)\(([^)]*)\)").Groups[1].Value);
            Type[] declared = type.IsUnmanagedFunctionPointer ? type.GetFunctionPointerParameterTypes() : [];
            return stars == 0 && parameters.Length > 0 && declared.Length == parameters.Length
                && parameters.Zip(declared).All(pair =>
                    Fits(Regex.Match(pair.First, @"^(.*?)\w+$").Groups[1].Value, pair.Second, target));
        }

        if (type == typeof(string))
        {
            return name == "char*";
        }

        Type expected = Scalars[target];
        for (int i = 1; i < stars; i++)
        {
            expected = expected.MakePointerType();
        }

        return stars == 0 ? type == expected : type == expected.MakePointerType() || type == expected.MakeByRefType();
    }

    /// <summary>Size and offsets that C gives a structure of pointers and 32-bit integers.</summary>
    private static List<int> Layout(string structure)
    {
        string body = Regex.Match(Code, $@"typedef struct {structure} \{{(.*?)\}} {structure};", RegexOptions.Singleline)
            .Groups[1].Value;
        var result = new List<int>();
        int offset = 0;
        foreach (string field in body.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int size = field.Contains('*', StringComparison.Ordinal) ? IntPtr.Size : sizeof(int);
            offset = (offset + size - 1) / size * size;
            result.Add(offset);
            offset += size;
        }

        result.Add((offset + IntPtr.Size - 1) / IntPtr.Size * IntPtr.Size);
        return result;
    }

    /// <summary>Where the runtime has put the fields of a structure, found by writing to each.</summary>
    private static unsafe List<int> ManagedLayout<T>() where T : unmanaged
    {
        var result = new List<int>();
        foreach (FieldInfo field in typeof(T).GetFields(BindingFlags.Instance | BindingFlags.NonPublic)
                     .OrderBy(field => field.MetadataToken))
        {
            object boxed = default(T);
            bool pointer = field.FieldType.IsPointer || field.FieldType.IsFunctionPointer;
            object one = field.FieldType.IsPointer ? Pointer.Box((void*)-1, field.FieldType)
                : pointer ? (nint)(-1)
                : field.FieldType == typeof(uint) ? uint.MaxValue : -1;
            field.SetValue(boxed, one);
            T value = (T)boxed;
            var bytes = new ReadOnlySpan<byte>(&value, sizeof(T));
            result.Add(bytes.IndexOf((byte)0xFF));
        }

        result.Add(sizeof(T));
        return result;
    }

    private static string[] Split(string parameters)
    {
        string text = Regex.Replace(parameters, @"\s+", " ").Trim();
        return text is "void" or "" ? [] : text.Split(',', StringSplitOptions.TrimEntries);
    }

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comments();

    [GeneratedRegex(@"^BNQ_API\s+(?<result>[\w\s*]*?)(?<name>bnq_\w+)\((?<parameters>[^)]*)\);", RegexOptions.Multiline)]
    private static partial Regex Declarations();

    [GeneratedRegex(@"(?<name>BNQ_[A-Z0-9_]+) = (?<value>-?\d+)")]
    private static partial Regex Numbers();
}
