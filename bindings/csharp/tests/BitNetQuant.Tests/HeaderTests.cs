using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using BitNetQuant.Interop;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>NativeMethods against capi/abi.json, the description of bnq.h: every function,
/// parameter, number and structure.</summary>
public sealed class HeaderTests
{
    private static readonly JsonSerializerOptions LowerCase = new(JsonSerializerDefaults.Web);

    private static readonly Description Abi = JsonSerializer.Deserialize<Description>(SourceTree.Abi, LowerCase)!;

    private static readonly Dictionary<string, Type> Scalars = new()
    {
        ["uint64_t"] = typeof(ulong), ["int64_t"] = typeof(long), ["uint32_t"] = typeof(uint),
        ["int32_t"] = typeof(int), ["uint8_t"] = typeof(byte), ["int8_t"] = typeof(sbyte),
        ["float"] = typeof(float), ["double"] = typeof(double), ["bnq_status"] = typeof(int),
        ["char"] = typeof(byte), ["void"] = typeof(void),
        ["bnq_array"] = typeof(BnqArray), ["bnq_allocator"] = typeof(BnqAllocator),
        ["bnq_runner"] = typeof(BnqRunner), ["bnq_part"] = typeof(BnqPart),
        ["bnq_matrix"] = typeof(BnqMatrix),
    };

    private static readonly Dictionary<string, Type> Handles = new()
    {
        ["bnq_context"] = typeof(ContextHandle), ["bnq_config"] = typeof(ConfigHandle),
        ["bnq_tensor"] = typeof(TensorHandle), ["bnq_file"] = typeof(FileHandle),
        ["bnq_writer"] = typeof(WriterHandle), ["bnq_plan"] = typeof(PlanHandle),
        ["bnq_recipes"] = typeof(RecipesHandle), ["bnq_sensitivity"] = typeof(SensitivityHandle),
        ["bnq_allocation"] = typeof(AllocationHandle),
        ["bnq_report"] = typeof(ReportHandle), ["bnq_calibrator"] = typeof(CalibratorHandle),
        ["bnq_batches"] = typeof(BatchesHandle),
        ["bnq_calibration"] = typeof(CalibrationHandle), ["bnq_optimizer"] = typeof(OptimizerHandle),
        ["bnq_operator"] = typeof(OperatorHandle), ["bnq_linear"] = typeof(LinearHandle),
        ["bnq_convolution"] = typeof(ConvolutionHandle),
        ["bnq_cache"] = typeof(CacheHandle), ["bnq_cache_list"] = typeof(CacheListHandle),
        ["bnq_layers"] = typeof(LayersHandle), ["bnq_layer"] = typeof(LayerHandle),
        ["bnq_interchange"] = typeof(InterchangeHandle),
        ["bnq_training"] = typeof(TrainingHandle), ["bnq_phase"] = typeof(PhaseHandle),
        ["bnq_training_statistics"] = typeof(TrainingStatisticsHandle), ["bnq_schedule"] = typeof(ScheduleHandle),
        ["bnq_options"] = typeof(OptionsHandle),
    };

    private static readonly Dictionary<string, Function> Functions = Abi.Functions.ToDictionary(function => function.Name);

    private static readonly Dictionary<string, Function> Callbacks = Abi.Callbacks.ToDictionary(callback => callback.Name);

    private static readonly Dictionary<string, MethodInfo> Methods = typeof(NativeMethods)
        .GetMethods(BindingFlags.Static | BindingFlags.NonPublic)
        .Where(method => method.Name.StartsWith("bnq_", StringComparison.Ordinal))
        .ToDictionary(method => method.Name);

    public static TheoryData<string> FunctionNames => new(Functions.Keys);

    [Fact]
    public void DeclaresExactlyTheFunctionsOfTheHeader()
    {
        Assert.NotEmpty(Functions);
        Assert.Equal(Functions.Keys.Order(StringComparer.Ordinal), Methods.Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(FunctionNames))]
    public void DeclaresTheSignature(string name)
    {
        Function function = Functions[name];
        MethodInfo method = Methods[name];
        ParameterInfo[] declared = method.GetParameters();

        Assert.Equal(function.Parameters.Length, declared.Length);
        Assert.True(
            Fits(function.Returns, method.ReturnType, name, returned: true),
            $"{name} returns {function.Returns}, not {method.ReturnType}");
        foreach ((Named parameter, ParameterInfo managed) in function.Parameters.Zip(declared))
        {
            Assert.True(
                Fits(parameter.Type, managed.ParameterType, name),
                $"{name}: '{parameter.Type} {parameter.Name}' is declared as {managed.ParameterType} {managed.Name}");
        }
    }

    [Fact]
    public void DeclaresEveryNumberOfTheHeader()
    {
        // What only tells the version of the header is asked of the library instead.
        var expected = Abi.Enums.SelectMany(values => values).ToDictionary(value => value.Name, value => value.Value);
        foreach ((string name, decimal value) in Abi.Macros.Where(macro => !macro.Key.StartsWith("BNQ_VERSION", StringComparison.Ordinal)))
        {
            expected.Add(name, value);
        }

        var declared = typeof(NativeMethods).GetFields(BindingFlags.Static | BindingFlags.NonPublic)
            .Where(field => field.Name.StartsWith("BNQ_", StringComparison.Ordinal))
            .ToDictionary(field => field.Name, field => Convert.ToDecimal(field.GetRawConstantValue(), null));

        Assert.Equal(expected.OrderBy(pair => pair.Key), declared.OrderBy(pair => pair.Key));
    }

    [Theory]
    [InlineData(typeof(Status), "BNQ_OK")]
    [InlineData(typeof(DataType), "BNQ_DTYPE_F32")]
    [InlineData(typeof(Format), "BNQ_FORMAT_NONE")]
    [InlineData(typeof(Granularity), "BNQ_GRANULARITY_TENSOR")]
    [InlineData(typeof(Scheme), "BNQ_SCHEME_SYMMETRIC")]
    [InlineData(typeof(NonFinitePolicy), "BNQ_NON_FINITE_ERROR")]
    [InlineData(typeof(Rounding), "BNQ_ROUNDING_HALF_EVEN")]
    [InlineData(typeof(ScaleRule), "BNQ_SCALE_RULE_DEFAULT")]
    [InlineData(typeof(SymmetricRange), "BNQ_SYMMETRIC_RANGE_NARROW")]
    [InlineData(typeof(ScaleDataType), "BNQ_SCALE_DTYPE_F32")]
    [InlineData(typeof(Packing), "BNQ_PACKING_DEFAULT")]
    [InlineData(typeof(ModelFileKind), "BNQ_FILE_SAFETENSORS")]
    [InlineData(typeof(LogLevel), "BNQ_LOG_WARNING")]
    [InlineData(typeof(CalibrationMethod), "BNQ_METHOD_MINMAX")]
    [InlineData(typeof(KLVariant), "BNQ_KL_TENSORRT")]
    [InlineData(typeof(MseVariant), "BNQ_MSE_EXHAUSTIVE")]
    [InlineData(typeof(NonFiniteObservation), "BNQ_OBSERVE_ERROR")]
    [InlineData(typeof(OutlierRule), "BNQ_OUTLIERS_NONE")]
    [InlineData(typeof(OptimizationMethod), "BNQ_OPTIMIZE_GRID")]
    [InlineData(typeof(OptimizationObjective), "BNQ_OBJECTIVE_MSE")]
    [InlineData(typeof(OptimizationScope), "BNQ_SCOPE_SEGMENT")]
    [InlineData(typeof(InputMode), "BNQ_INPUT_FLOAT")]
    [InlineData(typeof(OutputType), "BNQ_OUTPUT_FLOAT")]
    [InlineData(typeof(ImageLayout), "BNQ_LAYOUT_NCHW")]
    [InlineData(typeof(LayerKind), "BNQ_LAYER_OTHER")]
    public void EnumerationsAreComplete(Type enumeration, string first)
    {
        Constant[] header = Abi.Enums.Single(values => values[0].Name == first);

        // A count at the end is no value.
        var values = header.Where(value => !value.Name.StartsWith("BNQ_NUM_", StringComparison.Ordinal));
        Assert.Equal(values.Select(value => (int)value.Value).Order(), Enum.GetValues(enumeration).Cast<int>().Order());
    }

    [Fact]
    public void StructuresHaveTheLayoutOfTheHeader()
    {
        Assert.Equal(
            ["bnq_allocator", "bnq_array", "bnq_matrix", "bnq_part", "bnq_runner"],
            Abi.Structs.Select(structure => structure.Name).Order());
        Assert.Equal(Layout("bnq_array"), ManagedLayout<BnqArray>());
        Assert.Equal(Layout("bnq_allocator"), ManagedLayout<BnqAllocator>());
        Assert.Equal(Layout("bnq_runner"), ManagedLayout<BnqRunner>());
        Assert.Equal(Layout("bnq_part"), ManagedLayout<BnqPart>());
        Assert.Equal(Layout("bnq_matrix"), ManagedLayout<BnqMatrix>());
    }

    [Fact]
    public void LibraryHasTheVersionOfTheHeader()
    {
        Assert.Equal(
            new Version(Macro("BNQ_VERSION_MAJOR"), Macro("BNQ_VERSION_MINOR"), Macro("BNQ_VERSION_PATCH")),
            Library.Version);
        Assert.Equal(Macro("BNQ_ABI_VERSION"), Library.AbiVersion);
    }

    private static int Macro(string name) => (int)Abi.Macros[name];

    private static bool Fits(string native, Type type, string function, bool returned = false)
    {
        string name = native.Replace("const", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal);
        string target = name.TrimEnd('*');
        int stars = name.Length - target.Length;
        if (Handles.TryGetValue(target, out Type? handle))
        {
            bool frees = function.EndsWith("_destroy", StringComparison.Ordinal)
                || function.EndsWith("_close", StringComparison.Ordinal);

            // What a function returns, and what a callback is given, is borrowed: a handle would free it.
            bool bare = frees || returned || Callbacks.ContainsKey(function);
            // Lists of handles, and the place of one that is optional.
            bool list = Regex.IsMatch(native, @"\* *const *\*") || type == typeof(nint).MakePointerType();
            return list ? type == typeof(nint).MakePointerType()
                : stars == 2 ? type == handle.MakeByRefType()
                : type == (bare ? typeof(nint) : handle);
        }

        if (target.EndsWith("_fn", StringComparison.Ordinal))
        {
            Named[] parameters = Callbacks[target].Parameters;
            Type[] declared = type.IsUnmanagedFunctionPointer ? type.GetFunctionPointerParameterTypes() : [];
            return stars == 0 && parameters.Length > 0 && declared.Length == parameters.Length
                && Fits(Callbacks[target].Returns, type.GetFunctionPointerReturnType(), target)
                && parameters.Zip(declared).All(pair => Fits(pair.First.Type, pair.Second, target));
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

    /// <summary>Size and offsets that C gives a structure of pointers and 32-bit or 64-bit integers.</summary>
    private static List<int> Layout(string structure)
    {
        var result = new List<int>();
        int offset = 0;
        foreach (Named field in Abi.Structs.Single(candidate => candidate.Name == structure).Fields)
        {
            // A callback has parameters and no type.
            int size = field.Type is null || field.Type.EndsWith('*') ? IntPtr.Size
                : field.Type.EndsWith("64_t", StringComparison.Ordinal) ? sizeof(long) : sizeof(int);
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
                : field.FieldType == typeof(ulong) ? ulong.MaxValue
                : field.FieldType == typeof(uint) ? uint.MaxValue : -1;
            field.SetValue(boxed, one);
            T value = (T)boxed;
            var bytes = new ReadOnlySpan<byte>(&value, sizeof(T));
            result.Add(bytes.IndexOf((byte)0xFF));
        }

        result.Add(sizeof(T));
        return result;
    }

    private sealed record Description(
        Function[] Functions, Function[] Callbacks, Structure[] Structs, Constant[][] Enums, Dictionary<string, decimal> Macros);

    private sealed record Function(string Name, string Returns, Named[] Parameters);

    private sealed record Named(string Name, string Type);

    private sealed record Structure(string Name, Named[] Fields);

    private sealed record Constant(string Name, decimal Value);
}
