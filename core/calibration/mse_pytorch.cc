// PyTorch's HistogramObserver, a variant of the method mse: values are taken to
// be spread evenly within their bins, the levels to lie at the middles of equal
// steps, and the range is narrowed quantile by quantile (1e-5 of the values at
// a time, on the side where that skips more bins) as long as the error does not
// grow. It stops early where narrowing helps only after many steps, and accepts
// the first step unseen, so that its range never is the whole one: even of
// evenly spread values it drops the last bin.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/calibration/methods.h"

namespace bnq {
namespace {

// The integral of density * u^2 from a to b.
double Norm(double a, double b, double density) {
  return density * ((b * b * b - a * a * a) / 3);
}

// Error of quantizing to `levels` values, evenly spaced over bins first..last.
double ErrorOf(const HistogramView& histogram, size_t first, size_t last,
               size_t levels) {
  const double width = histogram.width;
  const double step = width * static_cast<double>(last - first + 1) /
                      static_cast<double>(levels);
  const double greatest = static_cast<double>(levels - 1);
  if (step == 0.0) return 0.0;
  const double whole = Norm(-step / 2, step / 2, 1.0);
  double error = 0.0;
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    if (histogram.counts[i] == 0) continue;
    const double density = static_cast<double>(histogram.counts[i]) / width;
    const double begin =
        (static_cast<double>(i) - static_cast<double>(first)) * width;
    const double end = begin + width;
    const double level_begin =
        std::min(std::max(std::floor(begin / step), 0.0), greatest);
    const double level_end =
        std::min(std::max(std::floor(end / step), 0.0), greatest);
    // To the end of the first level, over those between, into the last one; in
    // a single level the parts beyond it cancel out.
    error += Norm(begin - (level_begin + 0.5) * step, step / 2, density);
    error += (level_end - level_begin - 1) * density * whole;
    error += Norm(-step / 2, end - (level_end * step + step / 2), density);
  }
  return error;
}

}  // namespace

MseBins SearchMsePyTorch(const HistogramView& histogram, size_t levels,
                         const Context& context) {
  const size_t n = histogram.counts.size();
  MseBins best;
  if (n == 0) return best;
  best.last = n - 1;
  std::vector<double> cumulative(n);
  uint64_t sum = 0;
  for (size_t i = 0; i < n; ++i) {
    sum += histogram.counts[i];
    cumulative[i] = static_cast<double>(sum);
  }
  const double total = static_cast<double>(sum);
  constexpr double kStep = 1e-5;
  double alpha = 0.0, beta = 1.0;
  double least = std::numeric_limits<double>::infinity();
  while (alpha < beta) {
    context.Tick();
    const double next_alpha = alpha + kStep, next_beta = beta - kStep;
    size_t l = best.first, r = best.last;
    while (l < best.last && cumulative[l] < next_alpha * total) ++l;
    while (r > best.first && cumulative[r] > next_beta * total) --r;
    MseBins next = best;
    if (l - best.first > best.last - r) {
      next.first = l;
      alpha = next_alpha;
    } else {
      next.last = r;
      beta = next_beta;
    }
    if (next.first == best.first && next.last == best.last) continue;
    const double error = ErrorOf(histogram, next.first, next.last, levels);
    if (error > least) break;
    least = error;
    best = next;
  }
  return best;
}

}  // namespace bnq
