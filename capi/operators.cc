#include <algorithm>
#include <vector>

#include "capi/guard.h"
#include "capi/matrix.h"
#include "core/ops/convolution.h"
#include "core/ops/embedding.h"
#include "core/ops/linear.h"

using namespace bnq;
using namespace bnq::capi;

struct bnq_operator : WithOptions<bnq_operator, BNQ_OPTIONS_OPERATOR> {
  OperatorOptions& settings() { return core; }
  const OperatorOptions& options() const { return core; }

  OperatorOptions core;
};

struct bnq_convolution {
  std::unique_ptr<const Convolution> core;
};

struct bnq_linear {
  std::unique_ptr<const Linear> core;
};

namespace {

#define BNQ_SAME(option, id)                                                   \
  static_assert(static_cast<int>(OperatorOption::option) == BNQ_OPERATOR_##id, \
                #id)
BNQ_SAME(kInput, INPUT);
BNQ_SAME(kInputScale, INPUT_SCALE);
BNQ_SAME(kInputZeroPoint, INPUT_ZERO_POINT);
BNQ_SAME(kFunction, FUNCTION);
BNQ_SAME(kSlope, SLOPE);
BNQ_SAME(kOutput, OUTPUT);
BNQ_SAME(kOutputScale, OUTPUT_SCALE);
BNQ_SAME(kOutputZeroPoint, OUTPUT_ZERO_POINT);
BNQ_SAME(kAmx, AMX);
BNQ_SAME(kStrideHeight, STRIDE_HEIGHT);
BNQ_SAME(kStrideWidth, STRIDE_WIDTH);
BNQ_SAME(kPadTop, PAD_TOP);
BNQ_SAME(kPadLeft, PAD_LEFT);
BNQ_SAME(kPadBottom, PAD_BOTTOM);
BNQ_SAME(kPadRight, PAD_RIGHT);
BNQ_SAME(kDilationHeight, DILATION_HEIGHT);
BNQ_SAME(kDilationWidth, DILATION_WIDTH);
BNQ_SAME(kGroups, GROUPS);
BNQ_SAME(kLayout, LAYOUT);
#undef BNQ_SAME
#define BNQ_SAME(value, id) \
  static_assert(static_cast<int>(value) == BNQ_##id, #id)
BNQ_SAME(InputMode::kFloat, INPUT_FLOAT);
BNQ_SAME(InputMode::kInt8, INPUT_INT8);
BNQ_SAME(InputMode::kInt8Asymmetric, INPUT_INT8_ASYMMETRIC);
BNQ_SAME(InputMode::kBitNet, INPUT_BITNET);
BNQ_SAME(InputMode::kStatic, INPUT_STATIC);
BNQ_SAME(OutputType::kFloat, OUTPUT_FLOAT);
BNQ_SAME(OutputType::kInt8, OUTPUT_INT8);
BNQ_SAME(OutputType::kUInt8, OUTPUT_UINT8);
BNQ_SAME(ImageLayout::kNchw, LAYOUT_NCHW);
BNQ_SAME(ImageLayout::kNhwc, LAYOUT_NHWC);
#undef BNQ_SAME

OperatorOptions OptionsOf(const bnq_operator* options) {
  return options != nullptr ? options->core : OperatorOptions();
}

Bias BiasOf(const bnq_array* bias) {
  Bias result;
  if (bias == nullptr) return result;
  const bool integers = bias->dtype == BNQ_DTYPE_I32;
  const DTypeInfo* const type = FindDType(bias->dtype);
  if (!integers && (type == nullptr || !IsSource(type->dtype))) {
    Fail(Status::kInvalidArgument, "bias: dtype = ", bias->dtype, " (",
         type != nullptr ? type->name : "unknown",
         "), must be F32, F16, BF16, F64 or I32");
  }
  bnq_array array = *bias;
  // Of the same size; a view checks the rest.
  if (integers) array.dtype = BNQ_DTYPE_F32;
  const ArrayView view = ViewOf(&array, "bias");
  if (view.shape.rank != 1) {
    Fail(Status::kInvalidArgument, "bias is of shape ", view.shape.ToString(),
         ", must have one dimension");
  }
  const size_t count = static_cast<size_t>(view.shape.elements());
  result.given = true;
  if (integers) {
    result.integers.resize(count);
    if (count != 0) std::memcpy(result.integers.data(), view.data, 4 * count);
    return result;
  }
  SourceView source;
  source.data = view.data;
  source.dtype = view.dtype;
  result.floats.resize(count + kLanes);
  LoadElements(source, 0, count, result.floats.data());
  result.floats.resize(count);
  return result;
}

// The jobs, checked.
std::vector<Linear::Job> JobsOf(const bnq_linear* const* linears,
                                uint64_t count, const bnq_matrix* x,
                                const bnq_matrix* ys) {
  constexpr uint64_t kMostLayers = 65536;
  if (count > kMostLayers) {
    Fail(Status::kInvalidArgument, "count = ", count, ", must be at most ",
         kMostLayers);
  }
  std::vector<Linear::Job> jobs(static_cast<size_t>(count));
  const Matrix input = MatrixOf(x, "x");
  for (uint64_t i = 0; i < count; ++i) {
    Linear::Job& job = jobs[i];
    const auto check = [&] {
      job.linear = Required(linears[i], "linear").core.get();
      job.x = input;
      job.y = MatrixOf(ys + i, "y");
      job.linear->Check(job.x, job.y);
      CheckAliasing(job.x, job.y, Aliasing::kDisjoint, "x", "y");
      for (uint64_t j = 0; j < i; ++j) {
        CheckAliasing(jobs[j].y, job.y, Aliasing::kDisjoint, "another y", "y");
      }
    };
    if (count == 1) {
      check();
    } else {
      Within([&] { return Message("layer ", i); }, check);
    }
  }
  return jobs;
}

// run(memory) with the caller's workspace, or one of the context's allocator.
template <class F>
void WithWorkspace(const Context& context, void* workspace,
                   uint64_t workspace_bytes, uint64_t bytes, F run) {
  if (workspace == nullptr) {
    Buffer own = context.Allocate(bytes);
    return run(own.data());
  }
  if (workspace_bytes < bytes) {
    Fail(Status::kInvalidArgument, "workspace_bytes = ", workspace_bytes,
         ", must be at least ", bytes);
  }
  const uintptr_t address = reinterpret_cast<uintptr_t>(workspace);
  if (address % Buffer::kAlignment != 0) {
    Fail(Status::kInvalidArgument, "workspace = ", Hex(address, 1),
         ", must be aligned to ", Buffer::kAlignment, " bytes");
  }
  run(static_cast<uint8_t*>(workspace));
}

void RunJobs(const bnq_context* context, const std::vector<Linear::Job>& jobs,
             void* workspace, uint64_t workspace_bytes) {
  const Context& core = ContextOf(context);
  uint64_t bytes = 0;
  for (const Linear::Job& job : jobs) {
    bytes = CheckedAdd(bytes, job.linear->WorkspaceBytes(job.x.rows),
                       "size of the workspace");
  }
  WithWorkspace(core, workspace, workspace_bytes, bytes, [&](uint8_t* memory) {
    Linear::Run(core, jobs.data(), jobs.size(), memory);
  });
}

}  // namespace

bnq_status bnq_operator_create(bnq_operator** out_operator) {
  return Guard([&] {
    bnq_operator*& out = Output(out_operator, "out_operator");
    out = new bnq_operator();
  });
}

bnq_status bnq_operator_clone(const bnq_operator* options,
                              bnq_operator** out_operator) {
  return Guard([&] {
    bnq_operator*& out = Output(out_operator, "out_operator");
    out = new bnq_operator(Required(options, "options"));
  });
}

void bnq_operator_destroy(bnq_operator* options) { delete options; }

const bnq_options* bnq_operator_options(const bnq_operator* options) {
  return options;
}

bnq_options* bnq_operator_settings(bnq_operator* options) { return options; }

bnq_status bnq_operator_check(const bnq_operator* options,
                              const bnq_config* config, int32_t* out_integers) {
  return Guard([&] {
    const bool integers =
        CheckOperator(OptionsOf(options), Required(config, "config").core);
    if (out_integers != nullptr) *out_integers = integers ? 1 : 0;
  });
}

bnq_status bnq_linear_create(bnq_context* context, const bnq_operator* options,
                             const bnq_tensor* weight, const bnq_array* bias,
                             bnq_linear** out_linear) {
  return Guard([&] {
    bnq_linear*& out = Output(out_linear, "out_linear");
    auto linear = std::make_unique<bnq_linear>();
    linear->core = std::make_unique<const Linear>(
        ContextOf(context), OptionsOf(options), Required(weight, "weight").core,
        BiasOf(bias));
    out = linear.release();
  });
}

void bnq_linear_destroy(bnq_linear* linear) { delete linear; }

uint64_t bnq_linear_inputs(const bnq_linear* linear) {
  return linear != nullptr ? linear->core->inputs() : 0;
}

uint64_t bnq_linear_outputs(const bnq_linear* linear) {
  return linear != nullptr ? linear->core->outputs() : 0;
}

bnq_status bnq_linear_workspace(const bnq_linear* linear, uint64_t rows,
                                uint64_t* out_bytes) {
  return Guard([&] {
    Required(out_bytes, "out_bytes") =
        Required(linear, "linear").core->WorkspaceBytes(rows);
  });
}

bnq_status bnq_linear_run(const bnq_linear* linear, bnq_context* context,
                          const bnq_matrix* x, const bnq_matrix* y,
                          void* workspace, uint64_t workspace_bytes) {
  return Guard([&] {
    Required(y, "y");
    RunJobs(context, JobsOf(&linear, 1, x, y), workspace, workspace_bytes);
  });
}

bnq_status bnq_linear_run_many(const bnq_linear* const* linears, uint64_t count,
                               bnq_context* context, const bnq_matrix* x,
                               const bnq_matrix* ys, void* workspace,
                               uint64_t workspace_bytes) {
  return Guard([&] {
    if (count != 0) {
      Required(linears, "linears");
      Required(ys, "ys");
    }
    RunJobs(context, JobsOf(linears, count, x, ys), workspace, workspace_bytes);
  });
}

bnq_status bnq_embedding(bnq_context* context, const bnq_tensor* table,
                         const int64_t* indices, uint64_t count,
                         const bnq_matrix* y) {
  return Guard([&] {
    if (count != 0) Required(indices, "indices");
    Embed(ContextOf(context), *Required(table, "table").core, indices, count,
          MatrixOf(y, "y"));
  });
}

bnq_status bnq_convolution_create(bnq_context* context,
                                  const bnq_operator* options,
                                  const bnq_tensor* weight,
                                  const bnq_array* bias,
                                  bnq_convolution** out_convolution) {
  return Guard([&] {
    bnq_convolution*& out = Output(out_convolution, "out_convolution");
    auto convolution = std::make_unique<bnq_convolution>();
    convolution->core = std::make_unique<const Convolution>(
        ContextOf(context), OptionsOf(options), Required(weight, "weight").core,
        BiasOf(bias));
    out = convolution.release();
  });
}

void bnq_convolution_destroy(bnq_convolution* convolution) {
  delete convolution;
}

bnq_status bnq_convolution_output(const bnq_convolution* convolution,
                                  uint64_t height, uint64_t width,
                                  uint64_t* out_channels, uint64_t* out_height,
                                  uint64_t* out_width) {
  return Guard([&] {
    const Convolution& core = *Required(convolution, "convolution").core;
    // Checks that they are no more than images have.
    core.WorkspaceBytes({0, height, width});
    if (out_channels != nullptr) *out_channels = core.output_channels();
    if (out_height != nullptr) *out_height = core.vertical().Outputs(height);
    if (out_width != nullptr) *out_width = core.horizontal().Outputs(width);
  });
}

bnq_status bnq_convolution_workspace(const bnq_convolution* convolution,
                                     uint64_t items, uint64_t height,
                                     uint64_t width, uint64_t* out_bytes) {
  return Guard([&] {
    Required(out_bytes, "out_bytes") =
        Required(convolution, "convolution")
            .core->WorkspaceBytes({items, height, width});
  });
}

bnq_status bnq_convolution_run(const bnq_convolution* convolution,
                               bnq_context* context, const bnq_matrix* x,
                               uint64_t height, uint64_t width,
                               const bnq_matrix* y, void* workspace,
                               uint64_t workspace_bytes) {
  return Guard([&] {
    const Convolution& core = *Required(convolution, "convolution").core;
    const Matrix input = MatrixOf(x, "x"), output = MatrixOf(y, "y");
    const Convolution::Size size = {input.rows, height, width};
    core.Check(size, input, output);
    CheckAliasing(input, output, Aliasing::kDisjoint, "x", "y");
    const Context& own = ContextOf(context);
    WithWorkspace(
        own, workspace, workspace_bytes, core.WorkspaceBytes(size),
        [&](uint8_t* memory) { core.Run(own, size, input, output, memory); });
  });
}
