#include "core/ops/options.h"

#include "core/ops/function.h"

namespace bnq {
namespace {

using Option = OperatorOption;

// Of images.
constexpr double kMaxSteps = 65536;

constexpr NamedValue kInputs[] = {
    {"float", "as they are, in float32 arithmetic"},
    {"int8", "each row as int8, symmetric, by its greatest magnitude"},
    {"int8_asymmetric", "each row as int8 with a zero point, by its range"},
    {"bitnet", "each row as int8 in the way of BitNet b1.58"},
    {"static", "as int8 with input_scale and input_zero_point"}};
constexpr NamedValue kOutputs[] = {
    {"float", "float32, float16 or bfloat16"},
    {"int8", "with output_scale and output_zero_point"},
    {"uint8", "with output_scale and output_zero_point"}};
constexpr NamedValue kLayouts[] = {
    {"nchw", "channels before height and width, as PyTorch"},
    {"nhwc", "channels behind them, as TensorFlow; in weights, too"}};

constexpr OptionInfo kOptions[kNumOperatorOptions] = {
    Choice(Option::kInput, "input", kInputs, InputMode::kFloat,
           "What becomes of inputs that are floats"),
    Real(Option::kInputScale, "input_scale", 0, kMaxFloat, 0,
         "Scale of static inputs, and of inputs of codes that have none; 0 for "
         "none"),
    Integer(Option::kInputZeroPoint, "input_zero_point", -128, 255, 0,
            "Zero point of static inputs, and of inputs of codes that have "
            "none"),
    Choice(Option::kFunction, "function", kFunctionNames, Function::kNone,
           "Function of the outputs"),
    Real(Option::kSlope, "slope", -kMaxFloat, kMaxFloat, 0.01,
         "Slope of leaky_relu below 0"),
    Choice(Option::kOutput, "output", kOutputs, OutputType::kFloat,
           "What outputs are"),
    Real(Option::kOutputScale, "output_scale", 0, kMaxFloat, 0,
         "Scale of outputs of codes; 0 for none"),
    Integer(Option::kOutputZeroPoint, "output_zero_point", -128, 255, 0,
            "Zero point of outputs of codes"),
    OnOff(Option::kAmx, "amx", true,
          "Whether AMX may be used, for which the process asks the system"),
    Integer(Option::kStrideHeight, "stride_height", 1, kMaxSteps, 1,
            "Rows from one output of a convolution to the next"),
    Integer(Option::kStrideWidth, "stride_width", 1, kMaxSteps, 1,
            "Columns from one output of a convolution to the next"),
    Integer(Option::kPadTop, "pad_top", 0, kMaxSteps, 0,
            "Rows of zeros above the images of a convolution"),
    Integer(Option::kPadLeft, "pad_left", 0, kMaxSteps, 0,
            "Columns of zeros left of the images of a convolution"),
    Integer(Option::kPadBottom, "pad_bottom", 0, kMaxSteps, 0,
            "Rows of zeros below the images of a convolution"),
    Integer(Option::kPadRight, "pad_right", 0, kMaxSteps, 0,
            "Columns of zeros right of the images of a convolution"),
    Integer(Option::kDilationHeight, "dilation_height", 1, kMaxSteps, 1,
            "Rows from one weight of a convolution's kernel to the next"),
    Integer(Option::kDilationWidth, "dilation_width", 1, kMaxSteps, 1,
            "Columns from one weight of a convolution's kernel to the next"),
    Integer(Option::kGroups, "groups", 1, 1 << 30, 1,
            "Groups of channels of a convolution, each with outputs of its "
            "own"),
    Choice(Option::kLayout, "layout", kLayouts, ImageLayout::kNchw,
           "Order of the dimensions of a convolution's images"),
};

static_assert(AreNumbered(kOptions), "options");
constexpr OptionTable kTable("operator", kOptions);

}  // namespace

const OptionTable& OperatorOptions::Table() { return kTable; }

}  // namespace bnq
