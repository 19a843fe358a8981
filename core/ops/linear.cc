#include "core/ops/linear.h"

#include <algorithm>
#include <cfloat>
#include <cstdlib>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/ops/linear_run.h"
#include "core/parallel/runner.h"
#include "core/scheme/support.h"

namespace bnq {
namespace {

void CheckOptions(const OperatorOptions& options) {
  if (options.input() == InputMode::kStatic) {
    if (options.input_scale() == 0.0f) {
      Fail(Status::kInvalidArgument,
           "input_scale = 0, must be above 0 for input = static");
    }
    if (options.input_scale() < FLT_MIN) {
      // Its reciprocal may be infinite.
      Fail(Status::kInvalidArgument, "input_scale = ", options.input_scale(),
           ", must be at least ", FLT_MIN, " for input = static");
    }
    if (options.input_zero_point() > 127) {
      Fail(Status::kInvalidArgument,
           "input_zero_point = ", options.input_zero_point(),
           ", must be at most 127 for input = static");
    }
  }
  if (options.output() != OutputType::kFloat) {
    if (options.output_scale() == 0.0f) {
      Fail(Status::kInvalidArgument,
           "output_scale = 0, must be above 0 for outputs of codes");
    }
    const int32_t zero = options.output_zero_point();
    const bool is_signed = options.output() == OutputType::kInt8;
    if (zero < (is_signed ? -128 : 0) || zero > (is_signed ? 127 : 255)) {
      Fail(Status::kInvalidArgument, "output_zero_point = ", zero, ", must be ",
           is_signed ? "-128 to 127" : "0 to 255");
    }
  }
}

// What a matrix of codes takes from the operator.
void CheckCodes(const Matrix& x, const OperatorOptions& options) {
  if (x.scales == nullptr && options.input_scale() == 0.0f) {
    Fail(Status::kInvalidArgument,
         "x has no scales, and the operator no input_scale");
  }
  const bool is_signed = x.dtype == DType::kI8;
  const int32_t lo = is_signed ? -128 : 0, hi = lo + 255;
  const int32_t zero = options.input_zero_point();
  if (x.scales == nullptr && (zero < lo || zero > hi)) {
    Fail(Status::kInvalidArgument, "input_zero_point = ", zero, ", must be ",
         lo, " to ", hi, " for x of ", Info(x.dtype).name);
  }
}

}  // namespace

bool CheckOperator(const OperatorOptions& options, const Config& weight,
                   Linear::Kind kind) {
  CheckOptions(options);
  for (const OptionInfo& info : OperatorOptions::Table()) {
    // Those of convolutions come last.
    if (kind == Linear::Kind::kConvolution ||
        info.id < static_cast<int32_t>(OperatorOption::kStrideHeight) ||
        options.Number(info) == info.initial) {
      continue;
    }
    Fail(Status::kUnsupported, "option ", info.name, " = ",
         OptionText(info, options.Number(info)), " is that of a convolution");
  }
  CheckSupported(FormatOf(weight), weight);
  const Granularity granularity = weight.granularity();
  const bool in_groups =
      granularity == Granularity::kGroup || granularity == Granularity::kTile;
  // Blocks end where rows do in some shapes alone.
  return options.input() != InputMode::kFloat &&
         granularity != Granularity::kBlock &&
         !(in_groups && weight.group_size() > kDotColumns) &&
         IntegerWeights::ObstacleOf(weight).empty();
}

Linear::Linear(const Context& context, const OperatorOptions& options,
               std::shared_ptr<const QuantizedTensor> weight, Bias bias,
               Kind kind)
    : context_(context),
      options_(options),
      weight_(std::move(weight)),
      bias_(std::move(bias)),
      rows_(weight_->shape().rows()),
      columns_(weight_->shape().columns()),
      integers_(*weight_),
      rule_(options, columns_),
      values_(context_, *weight_) {
  context_.tick = nullptr;
  CheckOperator(options_, weight_->config(), kind);
  if (weight_->shape().rank < 2) {
    Fail(Status::kInvalidArgument, "weight is of shape ",
         weight_->shape().ToString(), ", must have two dimensions or more");
  }
  const uint64_t biases = bias_.floats.size() + bias_.integers.size();
  if ((bias_.given || biases != 0) && biases != rows_) {
    Fail(Status::kInvalidArgument, "bias has ", biases, " elements, must have ",
         rows_);
  }
  int64_t most = 0;
  for (const int32_t b : bias_.integers) {
    most = std::max(most, std::abs(static_cast<int64_t>(b)));
  }
  // What is left of int32 for sums.
  long_sums_ = columns_ > kDotColumns ||
               255 * 255 * static_cast<int64_t>(columns_) + most > INT32_MAX ||
               (integers_.obstacle().empty() && integers_.has_offsets());
  if (bias_.integers.empty()) return;
  if (!integers_.obstacle().empty()) {
    Fail(Status::kUnsupported,
         "a bias of integers needs products of integers, but ",
         integers_.obstacle());
  }
  if (integers_.groups() > 1) {
    Fail(Status::kUnsupported,
         "a bias of integers needs one scale for a row of the weight, but it "
         "has ",
         integers_.groups());
  }
}

InputRows::Needs Linear::NeedsOf(bool codes) const {
  InputRows::Needs needs;
  needs.columns = columns_;
  needs.divided = weight_->input_scales() != nullptr;
  needs.codes = codes && integers_.obstacle().empty();
  if (needs.codes) {
    needs.group = integers_.group();
    needs.groups = integers_.groups();
    needs.outliers = weight_->outliers().columns;
    needs.num_outliers = weight_->outliers().count;
  }
  return needs;
}

uint64_t Linear::WorkspaceBytes(uint64_t rows) const {
  return std::max(InputRows::Bytes(NeedsOf(true), rows),
                  InputRows::Bytes(NeedsOf(false), rows));
}

void Linear::Check(const Matrix& x, const Matrix& y) const {
  if (x.columns != columns_) {
    Fail(Status::kInvalidArgument, "x has ", x.columns,
         " columns, must have those of the weight, ", columns_);
  }
  if (y.columns != rows_ || y.rows != x.rows) {
    Fail(Status::kInvalidArgument, "y is of shape [", y.rows, ", ", y.columns,
         "], must be [", x.rows, ", ", rows_, "]");
  }
  CheckTypes(x, y);
}

void Linear::CheckTypes(const Matrix& x, const Matrix& y) const {
  if (IsInteger(x.dtype)) {
    if (weight_->input_scales() != nullptr) {
      Fail(Status::kUnsupported, "x is of ", Info(x.dtype).name,
           ", but inputs are to be divided by the weight's input_scales; they "
           "must be floats");
    }
    CheckCodes(x, options_);
  }
  const OutputType output = options_.output();
  const bool fits = output == OutputType::kInt8    ? y.dtype == DType::kI8
                    : output == OutputType::kUInt8 ? y.dtype == DType::kU8
                                                   : !IsInteger(y.dtype);
  if (!fits) {
    Fail(Status::kInvalidArgument, "y is of ", Info(y.dtype).name,
         ", must be of ",
         output == OutputType::kInt8    ? "I8"
         : output == OutputType::kUInt8 ? "U8"
                                        : "F32, F16 or BF16",
         " for this operator's output");
  }
  if (!bias_.integers.empty() && !TakesCodes(x)) {
    Fail(Status::kUnsupported,
         "a bias of integers needs inputs of codes, but input = float");
  }
}

void Linear::Run(const Context& context, const Job* jobs, size_t count,
                 uint8_t* workspace) {
  std::vector<std::unique_ptr<LinearRun>> runs;
  runs.reserve(count);
  std::vector<uint64_t> inputs{0}, tasks{0};
  for (size_t i = 0; i < count; ++i) {
    const Job& job = jobs[i];
    runs.push_back(
        std::make_unique<LinearRun>(*job.linear, job.x, job.y, workspace));
    workspace += job.linear->WorkspaceBytes(job.x.rows);
    inputs.push_back(inputs.back() + runs.back()->num_inputs());
    tasks.push_back(tasks.back() + runs.back()->num_tasks());
  }
  const auto run_of = [](const std::vector<uint64_t>& ends, uint64_t* i) {
    size_t r = 0;
    while (*i >= ends[r + 1]) ++r;
    *i -= ends[r];
    return r;
  };
  ParallelFor(context, inputs.back(), [&](uint64_t i) {
    const size_t r = run_of(inputs, &i);
    runs[r]->PrepareInput(i);
  });
  for (const auto& run : runs) run->AllPrepared();
  ParallelFor(context, tasks.back(), [&](uint64_t i) {
    const size_t r = run_of(tasks, &i);
    runs[r]->RunTask(i);
  });
}

}  // namespace bnq
