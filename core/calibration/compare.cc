#include "core/calibration/compare.h"

#include <algorithm>
#include <cmath>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/portable_math.h"
#include "core/parallel/runner.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/quantize.h"

namespace bnq {
namespace {

constexpr uint64_t kTask = 65536;
// Added to each share, so that a value which only the original has does not
// make the divergence infinite.
constexpr double kSmoothing = 1e-10;

// f(task, a, b, count) for chunks of both sides, on the context's threads;
// chunks of one task follow each other.
template <class F>
void OverChunks(const Context& context, uint64_t elements,
                const ErrorSums::Side& a, const ErrorSums::Side& b, F f) {
  ParallelFor(context, DivCeil(elements, kTask), [&](uint64_t task) {
    std::vector<float> x(kChunk + kLanes), y(kChunk + kLanes);
    const uint64_t end = std::min(elements, (task + 1) * kTask);
    for (uint64_t at = task * kTask; at < end; at += kChunk) {
      const size_t n =
          static_cast<size_t>(std::min<uint64_t>(end - at, kChunk));
      a(at, n, x.data());
      b(at, n, y.data());
      f(task, x.data(), y.data(), n);
    }
  });
}

struct Extent {
  float lo = 3.4028234663852886e38f, hi = -3.4028234663852886e38f;
  double max_error = 0.0;
  bool finite = true;
};

uint32_t BinOf(double x, double lo, double width, uint32_t bins) {
  if (!(width > 0.0)) return bins / 2;
  const double at = std::floor((x - lo) / width);
  return at < 0.0 ? 0
                  : static_cast<uint32_t>(
                        std::min(at, static_cast<double>(bins - 1)));
}

// Divergence of q from p, each counts of the same bins.
double Divergence(const std::vector<uint64_t>& p,
                  const std::vector<uint64_t>& q) {
  const auto shares = [](const std::vector<uint64_t>& counts) {
    double total = 0.0;
    for (uint64_t c : counts) total += static_cast<double>(c);
    const double sum = 1.0 + kSmoothing * static_cast<double>(counts.size());
    std::vector<double> out;
    for (uint64_t c : counts) {
      out.push_back((static_cast<double>(c) / total + kSmoothing) / sum);
    }
    return out;
  };
  const std::vector<double> a = shares(p), b = shares(q);
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += a[i] * PortableLog(a[i] / b[i]);
  }
  return std::max(sum, 0.0);
}

Extent ExtentOf(const Context& context, uint64_t elements,
                const ErrorSums::Side& a, const ErrorSums::Side& b) {
  std::vector<Extent> extents(DivCeil(elements, kTask));
  OverChunks(context, elements, a, b,
             [&](uint64_t task, const float* x, const float* y, size_t n) {
               Extent& extent = extents[task];
               for (size_t i = 0; i < n; ++i) {
                 const double e =
                     static_cast<double>(x[i]) - static_cast<double>(y[i]);
                 extent.max_error = std::max(extent.max_error, std::fabs(e));
                 extent.lo = std::min(extent.lo, std::min(x[i], y[i]));
                 extent.hi = std::max(extent.hi, std::max(x[i], y[i]));
                 extent.finite = extent.finite && std::isfinite(x[i]) &&
                                 std::isfinite(y[i]);
               }
             });
  Extent all;
  for (const Extent& extent : extents) {
    all.max_error = std::max(all.max_error, extent.max_error);
    all.lo = std::min(all.lo, extent.lo);
    all.hi = std::max(all.hi, extent.hi);
    all.finite = all.finite && extent.finite;
  }
  return all;
}

// How many elements fall into each bin.
struct Counts {
  explicit Counts(uint32_t bins = 0) : errors(bins), a(bins), b(bins) {}
  std::vector<uint64_t> errors, a, b;
};

// As many sets of counters as tasks run at once; whole numbers, so in any
// order.
std::vector<Counts> CountIn(const Context& context, uint64_t elements,
                            const ErrorSums::Side& a, const ErrorSums::Side& b,
                            uint32_t bins, const Extent& all) {
  const double lo = all.lo;
  const double width = (static_cast<double>(all.hi) - lo) / bins;
  const double error_width = 2.0 * all.max_error / bins;
  const uint64_t tasks = DivCeil(elements, kTask);
  const uint64_t workers = context.runner ? context.runner->workers() : 1;
  const uint64_t shares = std::min(tasks, workers);
  std::vector<Counts> counts(shares, Counts(bins));
  ParallelFor(context, shares, [&](uint64_t share) {
    Counts& c = counts[share];
    // On this thread, with the tick.
    Context serial;
    serial.tick = context.tick;
    const uint64_t begin = tasks * share / shares * kTask;
    const uint64_t end =
        std::min(elements, tasks * (share + 1) / shares * kTask);
    const auto shifted = [begin](const ErrorSums::Side& side) {
      return ErrorSums::Side([&side, begin](uint64_t at, size_t n, float* out) {
        side(begin + at, n, out);
      });
    };
    OverChunks(
        serial, end - begin, shifted(a), shifted(b),
        [&](uint64_t, const float* x, const float* y, size_t n) {
          for (size_t i = 0; i < n; ++i) {
            const double vx = x[i], vy = y[i];
            ++c.errors[BinOf(vx - vy, -all.max_error, error_width, bins)];
            ++c.a[BinOf(vx, lo, width, bins)];
            ++c.b[BinOf(vy, lo, width, bins)];
          }
        });
  });
  return counts;
}

ErrorHistogram CompareSides(const Context& context, uint64_t elements,
                            const ErrorSums::Side& a, const ErrorSums::Side& b,
                            uint32_t bins, bool* finite) {
  const Extent all = ExtentOf(context, elements, a, b);
  *finite = all.finite;
  ErrorHistogram out;
  if (!all.finite) return out;
  out.max_error = all.max_error;
  out.counts.resize(bins);
  std::vector<uint64_t> p(bins), q(bins);
  for (const Counts& c : CountIn(context, elements, a, b, bins, all)) {
    for (uint32_t i = 0; i < bins; ++i) {
      out.counts[i] += c.errors[i];
      p[i] += c.a[i];
      q[i] += c.b[i];
    }
  }
  out.kl = Divergence(p, q);
  return out;
}

}  // namespace

ErrorHistogram CompareHistogram(const Context& context,
                                const ArrayView& original,
                                const ArrayView& other, uint32_t bins) {
  CheckComparable(original.shape, other.shape);
  bool finite = true;
  const ErrorHistogram out =
      CompareSides(context, original.shape.elements(), ArraySide(original),
                   ArraySide(other), bins, &finite);
  if (!finite) {
    CheckFinite(original, 0, original.shape.elements(), "original");
    CheckFinite(other, 0, other.shape.elements(), "other");
  }
  return out;
}

ErrorHistogram CompareHistogram(const Context& context,
                                const ArrayView& original,
                                const QuantizedTensor& tensor, uint32_t bins) {
  CheckComparable(original.shape, tensor.shape());
  const Dequantizer dequantizer(context, tensor);
  bool finite = true;
  const ErrorHistogram out =
      CompareSides(context, original.shape.elements(), ArraySide(original),
                   TensorSide(dequantizer), bins, &finite);
  if (!finite) {
    CheckFinite(original, 0, original.shape.elements(), "original");
    Fail(Status::kNonFinite, "other: a value that is not finite");
  }
  return out;
}

}  // namespace bnq
