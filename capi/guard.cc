#include "capi/guard.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <system_error>

#include "core/tensor/metrics.h"

namespace bnq {
namespace capi {
namespace {

#define BNQ_SAME(id, status) \
  static_assert(static_cast<int>(Status::id) == status, #status)
BNQ_SAME(kOk, BNQ_OK);
BNQ_SAME(kInvalidArgument, BNQ_ERROR_INVALID_ARGUMENT);
BNQ_SAME(kUnsupported, BNQ_ERROR_UNSUPPORTED);
BNQ_SAME(kOutOfMemory, BNQ_ERROR_OUT_OF_MEMORY);
BNQ_SAME(kCorruptFile, BNQ_ERROR_CORRUPT_FILE);
BNQ_SAME(kIo, BNQ_ERROR_IO);
BNQ_SAME(kNoData, BNQ_ERROR_NO_DATA);
BNQ_SAME(kCancelled, BNQ_ERROR_CANCELLED);
BNQ_SAME(kInternal, BNQ_ERROR_INTERNAL);
BNQ_SAME(kNonFinite, BNQ_ERROR_NON_FINITE);
BNQ_SAME(kNotFound, BNQ_ERROR_NOT_FOUND);
BNQ_SAME(kExists, BNQ_ERROR_EXISTS);
#undef BNQ_SAME

// A fixed buffer: reporting that memory ran out must not need any.
thread_local char g_last_error[4096] = "";

bnq_status Set(Status status, const char* message) noexcept {
  size_t n = std::char_traits<char>::length(message);
  if (n > sizeof g_last_error - 1) {
    n = sizeof g_last_error - 1;
    // Not in the middle of a UTF-8 sequence.
    while (n > 0 && (message[n] & 0xC0) == 0x80) --n;
  }
  std::copy_n(message, n, g_last_error);
  g_last_error[n] = '\0';
  return static_cast<bnq_status>(status);
}

}  // namespace

bnq_status TranslateException() noexcept {
  try {
    throw;
  } catch (const Error& e) {
    return Set(e.status(), e.message().c_str());
  } catch (const std::bad_alloc&) {
    return Set(Status::kOutOfMemory, "memory could not be allocated");
  } catch (const std::exception& e) {
    return Set(Status::kInternal, e.what());
  } catch (...) {
    return Set(Status::kInternal, "an unknown exception was thrown");
  }
}

namespace {

thread_local uint32_t calls = 0;  // one within a callback of another

}  // namespace

CallScope::CallScope() noexcept { ++calls; }

CallScope::~CallScope() { --calls; }

bool CallScope::IsInCall() noexcept { return calls != 0; }

const Context& ContextOf(const bnq_context* context) {
  static const Context defaults;
  return context != nullptr ? context->core : defaults;
}

ArrayView ViewOf(const bnq_array* array, const char* name) {
  Required(array, name);
  const DTypeInfo* info = FindDType(array->dtype);
  if (info == nullptr) {
    Fail(Status::kInvalidArgument, name, ": dtype = ", array->dtype,
         ", must be one of BNQ_DTYPE_*");
  }
  ArrayView view;
  view.dtype = info->dtype;
  view.data = static_cast<const uint8_t*>(array->data);
  Within([&] { return std::string(name); },
         [&] { view.shape = Shape::Make(array->rank, array->shape); });
  if (view.data == nullptr && view.shape.elements() != 0) {
    Fail(Status::kInvalidArgument, name,
         ": data is NULL for an array of shape ", view.shape.ToString());
  }
  return view;
}

DType TargetDType(int32_t dtype) {
  const DTypeInfo* info = FindDType(dtype);
  if (info == nullptr || !IsTarget(info->dtype)) {
    Fail(Status::kInvalidArgument, "dtype = ", dtype, " (",
         info ? info->name : "unknown", "), must be F32, F16 or BF16");
  }
  return info->dtype;
}

Overflow OverflowOf(int32_t overflow) {
  if (OverflowAt(overflow).name == nullptr) {
    Fail(Status::kInvalidArgument, "overflow = ", overflow, ", must be ",
         BNQ_OVERFLOW_ERROR, " to ", BNQ_OVERFLOW_KEEP);
  }
  return static_cast<Overflow>(overflow);
}

Progress ProgressOf(bnq_progress_fn progress, void* opaque) {
  if (progress == nullptr) return nullptr;
  return [progress, opaque](uint64_t done, uint64_t total,
                            const std::string& item) {
    if (CallOut([&] { return progress(opaque, done, total, item.c_str()); }) !=
        0) {
      Fail(Status::kCancelled, "cancelled by the progress callback at ", done,
           " of ", total, " bytes");
    }
  };
}

WriteOptions OptionsOf(const bnq_context* context, int32_t flags,
                       int32_t allowed) {
  if ((flags & ~allowed) != 0) {
    Fail(Status::kInvalidArgument, "flags = ", flags, ", may have the bits of ",
         allowed, " only");
  }
  WriteOptions options;
  options.overwrite = (flags & BNQ_WRITE_OVERWRITE) != 0;
  options.compress = (flags & BNQ_WRITE_COMPRESS) != 0;
  options.dry_run = (flags & BNQ_WRITE_DRY_RUN) != 0;
  options.replace_link = (flags & BNQ_WRITE_REPLACE_LINK) != 0;
  if (context != nullptr) options.held = context->held;
  return options;
}

void CheckCount(uint64_t count, uint64_t expected, const char* name) {
  if (count != expected) {
    Fail(Status::kInvalidArgument, name, " = ", count, ", must be ", expected);
  }
}

ParamSet GivenParams(const Parts& sizes, const float* scales,
                     const int8_t* zero_points, const float* offsets) {
  const auto copy = [&](Part part, const auto* data, const char* name,
                        auto* to) {
    const uint64_t count = sizes[part].count;
    if (count == 0) return;
    Required(data, name);
    to->assign(data, data + count);
  };
  ParamSet given;
  copy(Part::kScales, scales, "scales", &given.scales);
  copy(Part::kZeroPoints, zero_points, "zero_points", &given.zero_points);
  copy(Part::kOffsets, offsets, "offsets", &given.offsets);
  return given;
}

int32_t CopyShape(const Shape& shape, uint64_t* out) {
  if (out != nullptr) {
    for (int i = 0; i < kMaxRank; ++i) {
      out[i] = i < shape.rank ? shape.dims[i] : 1;
    }
  }
  return shape.rank;
}

void CopyText(const std::string& s, char* text, uint64_t size,
              uint64_t* out_size) {
  const uint64_t needed = s.size() + 1;
  if (text != nullptr) {
    if (size < needed) {
      Fail(Status::kInvalidArgument, "size = ", size, ", must be at least ",
           needed);
    }
    std::memcpy(text, s.c_str(), needed);
  }
  if (out_size) *out_size = needed;
}

void CopyBytes(const std::string& bytes, void* out, uint64_t out_bytes,
               uint64_t* out_size) {
  uint64_t& size = Required(out_size, "out_size");
  if (out != nullptr) {
    if (out_bytes < bytes.size()) {
      Fail(Status::kInvalidArgument, "out_bytes = ", out_bytes,
           ", must be at least ", bytes.size());
    }
    std::memcpy(out, bytes.data(), bytes.size());
  }
  size = bytes.size();
}

void CopyMetrics(const double* values, double* metrics, uint32_t count) {
  if (count > static_cast<uint32_t>(kNumMetrics)) {
    Fail(Status::kInvalidArgument, "metric_count = ", count, ", must be 0 to ",
         kNumMetrics);
  }
  if (count > 0) Required(metrics, "metrics");
  std::copy_n(values, count, metrics);
}

}  // namespace capi
}  // namespace bnq

uint32_t bnq_version(void) { return BNQ_VERSION; }
uint32_t bnq_abi_version(void) { return BNQ_ABI_VERSION; }

#define BNQ_TEXT2(x) #x
#define BNQ_TEXT(x) BNQ_TEXT2(x)
const char* bnq_version_string(void) {
  return BNQ_TEXT(BNQ_VERSION_MAJOR) "." BNQ_TEXT(
      BNQ_VERSION_MINOR) "." BNQ_TEXT(BNQ_VERSION_PATCH);
}

const char* bnq_status_name(bnq_status status) {
  return bnq::StatusName(status);
}

const char* bnq_last_error(void) { return bnq::capi::g_last_error; }
