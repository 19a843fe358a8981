#include "core/scheme/registry.h"
#include "bnq/bnq_x.h"
#include "capi/guard.h"
#include "core/base/dtype.h"
#include "core/base/names.h"
#include "core/base/targets.h"
#include "core/kernels/overflow.h"
#include "core/scheme/format.h"
#include "core/scheme/support.h"
#include "core/tensor/metrics.h"

using namespace bnq;
using namespace bnq::capi;

namespace {

#define BNQ_SAME(type, id) \
  static_assert(static_cast<int>(DType::type) == BNQ_DTYPE_##id, #id)
BNQ_SAME(kF32, F32);
BNQ_SAME(kF16, F16);
BNQ_SAME(kBF16, BF16);
BNQ_SAME(kF64, F64);
BNQ_SAME(kI8, I8);
BNQ_SAME(kU8, U8);
BNQ_SAME(kI16, I16);
BNQ_SAME(kU16, U16);
BNQ_SAME(kI32, I32);
BNQ_SAME(kU32, U32);
BNQ_SAME(kI64, I64);
BNQ_SAME(kU64, U64);
BNQ_SAME(kBool, BOOL);
BNQ_SAME(kC64, C64);
BNQ_SAME(kF8E4M3, F8_E4M3);
BNQ_SAME(kF8E5M2, F8_E5M2);
BNQ_SAME(kF8E8M0, F8_E8M0);
BNQ_SAME(kF8E4M3FNUZ, F8_E4M3FNUZ);
BNQ_SAME(kF8E5M2FNUZ, F8_E5M2FNUZ);
BNQ_SAME(kF6E2M3, F6_E2M3);
BNQ_SAME(kF6E3M2, F6_E3M2);
BNQ_SAME(kF4, F4);
#undef BNQ_SAME

const Format& KnownFormat(int32_t id) {
  const Format* format = FindFormat(id);
  if (format == nullptr) {
    Fail(Status::kNotFound, "format = ", id,
         ", must be the id of one of: ", FormatNames());
  }
  return *format;
}

static_assert(kNumMetrics == BNQ_NUM_METRICS, "metrics");
static_assert(static_cast<int>(Metric::kMse) == BNQ_METRIC_MSE, "mse");
static_assert(static_cast<int>(Metric::kMae) == BNQ_METRIC_MAE, "mae");
static_assert(static_cast<int>(Metric::kMaxError) == BNQ_METRIC_MAX_ERROR, "");
static_assert(static_cast<int>(Metric::kSqnrDb) == BNQ_METRIC_SQNR_DB, "sqnr");
static_assert(static_cast<int>(Metric::kCosine) == BNQ_METRIC_COSINE, "cosine");

}  // namespace

const char* bnq_dtype_name(int32_t dtype) {
  const DTypeInfo* info = FindDType(dtype);
  return info ? info->name : nullptr;
}

bnq_status bnq_dtype_id(const char* name, int32_t* out_dtype) {
  return Guard([&] {
    int32_t& out = Required(out_dtype, "out_dtype");
    const DTypeInfo* info = FindDType(&Required(name, "name"), false);
    if (info == nullptr) {
      std::string names;
      Nearest nearest(name);
      for (int32_t id = 1; const DTypeInfo* known = FindDType(id); ++id) {
        names += Message(names.empty() ? "" : ", ", known->name);
        nearest.Consider(known->name);
      }
      Fail(Status::kNotFound, "dtype ", Quoted(name), " is not one of: ", names,
           nearest.Question());
    }
    out = static_cast<int32_t>(info->dtype);
  });
}

int32_t bnq_dtype_is_source(int32_t dtype) {
  const DTypeInfo* info = FindDType(dtype);
  return info != nullptr && IsSource(info->dtype);
}

int32_t bnq_dtype_is_target(int32_t dtype) {
  const DTypeInfo* info = FindDType(dtype);
  return info != nullptr && IsTarget(info->dtype);
}

const char* bnq_overflow_name(int32_t overflow) {
  return OverflowAt(overflow).name;
}

const char* bnq_overflow_description(int32_t overflow) {
  return OverflowAt(overflow).description;
}

bnq_status bnq_overflow_id(const char* name, int32_t* out_overflow) {
  return Guard([&] {
    int32_t& out = Required(out_overflow, "out_overflow");
    out = static_cast<int32_t>(OverflowNamed(&Required(name, "name")));
  });
}

uint32_t bnq_dtype_bits(int32_t dtype) {
  const DTypeInfo* info = FindDType(dtype);
  return info ? info->bits : 0;
}

uint32_t bnq_format_count(void) { return static_cast<uint32_t>(NumFormats()); }

bnq_status bnq_format_at(uint32_t index, int32_t* out_format) {
  return Guard([&] {
    int32_t& out = Required(out_format, "out_format");
    if (index >= bnq_format_count()) {
      Fail(Status::kInvalidArgument, "index = ", index, ", must be below ",
           bnq_format_count());
    }
    out = FormatAt(static_cast<int>(index)).id;
  });
}

const char* bnq_format_name(int32_t format) {
  if (format == BNQ_FORMAT_NONE) return "none";
  const Format* f = FindFormat(format);
  return f ? f->name : nullptr;
}

bnq_status bnq_format_id(const char* name, int32_t* out_format) {
  return Guard([&] {
    int32_t& out = Required(out_format, "out_format");
    const std::string wanted = &Required(name, "name");
    const Format* f = FindFormat(wanted);
    if (f == nullptr && !IsName(wanted, "none")) {
      Nearest nearest(wanted);
      for (int i = 0; i < NumFormats(); ++i) nearest.Consider(FormatAt(i).name);
      Fail(Status::kNotFound, "format ", Quoted(wanted),
           " is not one of: ", FormatNames(), ", none", nearest.Question());
    }
    out = f ? f->id : BNQ_FORMAT_NONE;
  });
}

const char* bnq_format_description(int32_t format) {
  if (format == BNQ_FORMAT_NONE) return "not quantized";
  const Format* f = FindFormat(format);
  return f ? f->description : nullptr;
}

bnq_status bnq_format_property(int32_t format, int32_t property,
                               int64_t* out_value) {
  return Guard([&] {
    int64_t& out = Required(out_value, "out_value");
    const Format* const f = &KnownFormat(format);
    // The widest range that the format's options can ask for.
    Variant widest;
    if (f->Has(kAsymmetric)) widest.scheme = Scheme::kAsymmetric;
    const CodeRange range = f->code_range(widest);
    switch (property) {
      case BNQ_FORMAT_CODE_BITS:
        out = CodeBits(f->packing);
        break;
      case BNQ_FORMAT_MIN_GROUP:
        out = static_cast<int64_t>(f->min_group);
        break;
      case BNQ_FORMAT_ASYMMETRIC:
        out = f->Has(kAsymmetric) ? 1 : 0;
        break;
      case BNQ_FORMAT_MIN_CODE:
        out = range.lo;
        break;
      case BNQ_FORMAT_MAX_CODE:
        out = range.hi;
        break;
      case BNQ_FORMAT_INTEGER:
        out = f->Has(kInteger) ? 1 : 0;
        break;
      case BNQ_FORMAT_SCALED:
        out = f->Has(kScaled) ? 1 : 0;
        break;
      default:
        Fail(Status::kUnsupported, "property = ", property,
             " is not known to this library");
    }
  });
}

bnq_status bnq_format_supports(int32_t format, const char* option,
                               const char* value) {
  return Guard([&] {
    double number = 0.0;
    const OptionInfo& info = Config::Table().Parse(
        &Required(option, "option"), &Required(value, "value"), &number);
    CheckSupported(KnownFormat(format), info, number);
  });
}

uint32_t bnq_metric_count(void) { return kNumMetrics; }

const char* bnq_metric_name(uint32_t index) {
  return index < bnq_metric_count() ? MetricName(static_cast<int>(index))
                                    : nullptr;
}

uint32_t bnq_target_count(void) {
  return static_cast<uint32_t>(Targets().size());
}

const char* bnq_target_name(uint32_t index) {
  return index < Targets().size() ? Targets()[index].name : nullptr;
}

int32_t bnq_target_supported(uint32_t index) {
  return index < Targets().size() && Targets()[index].supported ? 1 : 0;
}

const char* bnq_target_active(void) { return ActiveTarget(); }

bnq_status bnq_x_force_target(const char* name) {
  return Guard([&] { ForceTarget(name); });
}

// Fails to compile where a format has no id in bnq.h; the test of the registry
// compares the values.
namespace {
constexpr int32_t kIds[] = {
#define BNQ_FORMAT(name, ID) BNQ_FORMAT_##ID,
#include "core/formats/formats.def"
#undef BNQ_FORMAT
};
static_assert(sizeof kIds > 0, "formats");
}  // namespace
