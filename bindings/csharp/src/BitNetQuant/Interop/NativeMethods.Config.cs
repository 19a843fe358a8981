// Section 5 of bnq.h.

using System.Runtime.InteropServices;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 5. Options and config

    internal const int BNQ_OPT_FORMAT = 1;
    internal const int BNQ_OPT_GRANULARITY = 2;
    internal const int BNQ_OPT_GROUP_SIZE = 3;
    internal const int BNQ_OPT_AXIS = 4;
    internal const int BNQ_OPT_SCHEME = 5;
    internal const int BNQ_OPT_CLIP = 6;
    internal const int BNQ_OPT_NON_FINITE = 7;
    internal const int BNQ_OPT_ROUNDING = 8;
    internal const int BNQ_OPT_SEED = 9;
    internal const int BNQ_OPT_SCALE_RULE = 10;
    internal const int BNQ_OPT_PERCENTILE = 11;
    internal const int BNQ_OPT_SYMMETRIC_RANGE = 12;
    internal const int BNQ_OPT_SCALE_DTYPE = 13;
    internal const int BNQ_OPT_DOUBLE_QUANT = 14;
    internal const int BNQ_OPT_PACKING = 15;
    internal const int BNQ_OPT_OUTLIER_THRESHOLD = 16;
    internal const int BNQ_OPT_SATURATE = 17;
    internal const int BNQ_GRANULARITY_TENSOR = 0;
    internal const int BNQ_GRANULARITY_CHANNEL = 1;
    internal const int BNQ_GRANULARITY_GROUP = 2;
    internal const int BNQ_GRANULARITY_TOKEN = 3;
    internal const int BNQ_GRANULARITY_BLOCK = 4;
    internal const int BNQ_GRANULARITY_TILE = 5;
    internal const int BNQ_SCHEME_SYMMETRIC = 0;
    internal const int BNQ_SCHEME_ASYMMETRIC = 1;
    internal const int BNQ_SCHEME_OFFSET = 2;
    internal const int BNQ_NON_FINITE_ERROR = 0;
    internal const int BNQ_NON_FINITE_ZERO = 1;
    internal const int BNQ_NON_FINITE_KEEP = 2;
    internal const int BNQ_PART_CODES = 1;
    internal const int BNQ_PART_SCALES = 2;
    internal const int BNQ_PART_ZERO_POINTS = 3;
    internal const int BNQ_PART_OUTLIER_COLUMNS = 4;
    internal const int BNQ_PART_OUTLIER_VALUES = 5;
    internal const int BNQ_PART_OFFSETS = 6;
    internal const int BNQ_PART_TENSOR_SCALE = 7;
    internal const int BNQ_PART_CODEBOOK = 8;
    internal const int BNQ_PART_INPUT_SCALES = 9;
    internal const int BNQ_NUM_PARTS = 9;
    internal const int BNQ_OVERFLOW_ERROR = 0;
    internal const int BNQ_OVERFLOW_SATURATE = 1;
    internal const int BNQ_OVERFLOW_KEEP = 2;
    internal const int BNQ_ROUNDING_HALF_EVEN = 0;
    internal const int BNQ_ROUNDING_HALF_AWAY = 1;
    internal const int BNQ_ROUNDING_HALF_UP = 2;
    internal const int BNQ_ROUNDING_FLOOR = 3;
    internal const int BNQ_ROUNDING_CEIL = 4;
    internal const int BNQ_ROUNDING_TOWARD_ZERO = 5;
    internal const int BNQ_ROUNDING_STOCHASTIC = 6;
    internal const int BNQ_ROUNDING_HALF_TOWARD_ZERO = 7;
    internal const int BNQ_SCALE_RULE_DEFAULT = 0;
    internal const int BNQ_SCALE_RULE_ABSMAX = 1;
    internal const int BNQ_SCALE_RULE_ABSMEAN = 2;
    internal const int BNQ_SCALE_RULE_PERCENTILE = 3;
    internal const int BNQ_SCALE_RULE_MSE = 4;
    internal const int BNQ_SYMMETRIC_RANGE_NARROW = 0;
    internal const int BNQ_SYMMETRIC_RANGE_FULL = 1;
    internal const int BNQ_SYMMETRIC_RANGE_EXTREME = 2;
    internal const int BNQ_SCALE_DTYPE_F32 = 0;
    internal const int BNQ_SCALE_DTYPE_F16 = 1;
    internal const int BNQ_SCALE_DTYPE_BF16 = 2;
    internal const int BNQ_SCALE_DTYPE_E8M0 = 3;
    internal const int BNQ_SCALE_DTYPE_E4M3 = 4;
    internal const int BNQ_PACKING_DEFAULT = 0;
    internal const int BNQ_PACKING_BASE3 = 1;
    internal const int BNQ_OPTIONS_CONFIG = 1;
    internal const int BNQ_OPTIONS_CALIBRATOR = 2;
    internal const int BNQ_OPTIONS_OPTIMIZER = 3;
    internal const int BNQ_OPTIONS_OPERATOR = 4;
    internal const int BNQ_OPTIONS_CACHE = 6;
    internal const int BNQ_OPTIONS_TRAINING = 7;
    internal const int BNQ_OPTIONS_PHASE = 8;
    internal const int BNQ_OPTIONS_INTERCHANGE = 9;
    internal const int BNQ_OPTION_INT = 0;
    internal const int BNQ_OPTION_FLOAT = 1;

    [LibraryImport(LibraryName)]
    internal static partial int bnq_options_kind(OptionsHandle options);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_options_set_int(OptionsHandle options, int option, long value);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_options_set_float(OptionsHandle options, int option, double value);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_options_set_text(OptionsHandle options, string option, string value);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_options_get_int(OptionsHandle options, int option, out long value);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_options_get_float(OptionsHandle options, int option, out double value);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_options_get_text(
        OptionsHandle options, string option, byte* text, ulong size, out ulong needed);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_options_advice(OptionsHandle options, byte* text, ulong size, out ulong needed);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_option_kind_count();

    [LibraryImport(LibraryName)]
    internal static partial int bnq_option_kind_at(uint index, out int kind);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_option_kind_name(int kind);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_option_count(int kind);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_option_at(int kind, uint index, out int option);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_option_name(int kind, int option);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_option_description(int kind, int option);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_option_id(int kind, string name, out int option);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_option_bounds(
        int kind, int option, int* type, double* min, double* max, double* defaultValue);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_option_value_name(int kind, int option, long value);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_option_value_description(int kind, int option, long value);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_create(out ConfigHandle config);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_clone(ConfigHandle config, out ConfigHandle clone);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_config_destroy(nint config);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_config_options(ConfigHandle config);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_config_settings(ConfigHandle config);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_equal(ConfigHandle a, ConfigHandle b, out int equal);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_check(ConfigHandle config);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_bits_per_weight(ConfigHandle config, out double bits);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_to_text(ConfigHandle config, byte* text, ulong size, out ulong needed);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_config_from_text(string text, out ConfigHandle config);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_preset_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_preset_name(uint index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_preset_description(uint index);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_config_from_preset(string name, out ConfigHandle config);
}
