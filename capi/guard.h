// What every function of the ABI is made of: the handles' contents, and the
// guard that turns whatever the core throws into a status and a text.
#ifndef BNQ_CAPI_GUARD_H_
#define BNQ_CAPI_GUARD_H_

#include <cstdint>
#include <memory>
#include <new>
#include <string>

#include "bnq/bnq.h"
#include "capi/options.h"
#include "core/base/context.h"
#include "core/base/error.h"
#include "core/base/fp_environment.h"
#include "core/base/shape.h"
#include "core/io/atomic_file.h"
#include "core/kernels/overflow.h"
#include "core/scheme/config.h"
#include "core/scheme/params.h"
#include "core/tensor/tensor.h"

struct bnq_context {
  bnq::Context core;
  bnq_log_fn log = nullptr;
  // Where outputs wait; null: they do not.
  std::shared_ptr<bnq::HeldOutputs> held;
};

struct bnq_config : bnq::capi::WithOptions<bnq_config, BNQ_OPTIONS_CONFIG> {
  bnq_config() = default;
  explicit bnq_config(const bnq::Config& config) : core(config) {}

  bnq::Config& settings() { return core; }
  const bnq::Config& options() const { return core; }

  bnq::Config core;
};

struct bnq_tensor : bnq::capi::WithOptions<bnq_tensor, BNQ_OPTIONS_CONFIG> {
  // Reached only by a caller that casts away const.
  bnq::Config& settings() {
    bnq::Fail(bnq::Status::kUnsupported, "a tensor's options cannot be set");
  }
  const bnq::Config& options() const { return core->config(); }

  // Operators keep it, too.
  std::shared_ptr<const bnq::QuantizedTensor> core;
};

namespace bnq {
namespace capi {

// Called while an exception is handled; sets the thread's last error.
bnq_status TranslateException() noexcept;

// A thread that is in a call of the ABI, unlike one that does tasks for it.
class CallScope {
 public:
  CallScope() noexcept;
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;
  static bool IsInCall() noexcept;
};

// Runs f, which may throw anything, at the boundary, in the library's own
// floating-point environment.
template <class F>
bnq_status Guard(F&& f) noexcept {
  const FpEnvironment environment;
  const CallScope scope;
  try {
    f();
    return BNQ_OK;
  } catch (...) {
    return TranslateException();
  }
}

// Calls back into the caller, in the caller's floating-point environment.
template <class F>
auto CallOut(F&& f) {
  const CallerFpEnvironment environment;
  return f();
}

template <class T>
T& Required(T* pointer, const char* name) {
  if (pointer == nullptr) {
    Fail(Status::kInvalidArgument, name, " is NULL");
  }
  return *pointer;
}

// A required output handle, set to NULL until there is something to return.
template <class T>
T*& Output(T** pointer, const char* name) {
  T*& out = Required(pointer, name);
  out = nullptr;
  return out;
}

// The context's, or the defaults.
const Context& ContextOf(const bnq_context* context);
// Checked; INVALID_ARGUMENT names the parameter.
ArrayView ViewOf(const bnq_array* array, const char* name);
// A dtype that can be dequantized into.
DType TargetDType(int32_t dtype);
// BNQ_OVERFLOW_*, checked.
Overflow OverflowOf(int32_t overflow);
// A C callback as the core's, which throws CANCELLED.
Progress ProgressOf(bnq_progress_fn progress, void* opaque);
// BNQ_WRITE_*; INVALID_ARGUMENT for a flag that is not in `allowed`.
// With the context's held outputs.
WriteOptions OptionsOf(const bnq_context* context, int32_t flags,
                       int32_t allowed);
// The count of a caller's buffer.
void CheckCount(uint64_t count, uint64_t expected, const char* name);
// Copies of as many parameters as a tensor of these sizes has; INVALID_ARGUMENT
// where they are NULL.
ParamSet GivenParams(const Parts& sizes, const float* scales,
                     const int8_t* zero_points, const float* offsets);
// Copies all dimensions; returns the rank.
int32_t CopyShape(const Shape& shape, uint64_t* out);
// With its NUL into text[size], unless that is NULL; INVALID_ARGUMENT where it
// is too small. The bytes that takes into *out_size, unless that is NULL.
void CopyText(const std::string& s, char* text, uint64_t size,
              uint64_t* out_size);
// Likewise, of a serialized state, whose size is always wanted.
void CopyBytes(const std::string& bytes, void* out, uint64_t out_bytes,
               uint64_t* out_size);
void CopyMetrics(const double* values, double* metrics, uint32_t count);
// The first value_count of `all`; INVALID_ARGUMENT where there are not so many.
template <size_t kCount>
void CopyValues(const double (&all)[kCount], double* values,
                uint32_t value_count) {
  if (value_count > kCount) {
    Fail(Status::kInvalidArgument, "value_count = ", value_count,
         ", must be at most ", kCount);
  }
  if (value_count != 0) Required(values, "values");
  std::copy_n(all, value_count, values);
}

}  // namespace capi
}  // namespace bnq

#endif  // BNQ_CAPI_GUARD_H_
