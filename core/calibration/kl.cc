// The threshold at which the distribution of the quantized values is closest to
// that of the values, by the Kullback-Leibler divergence sum p ln(p / q). Two
// variants, which agree in name only (the option `kl_variant`):
//
// tensorrt (NVIDIA's pytorch-quantization, calib/histogram.py): of |x| in L
//   levels. The first bin takes the second's count (zeros say nothing about the
//   scale). For each i = L .. n: p is bins 0 .. i - 1, the last of which gets
//   all that lie beyond; q spreads the values of each of L equal-width cells
//   evenly over the cell's bins that are not empty, without those beyond. The
//   last i of least divergence wins; the range ends at edge i.
// onnxruntime (its quantization tools, calibrate.py): of x in L levels, with as
//   many bins below 0 as above. For each half-width i = L / 2 .. n / 2: p is
//   the bins about the middle, with all that lie beyond in the first and last
//   one; q adds them up in groups of floor(size / L), the rest in the last
//   group's sum, and spreads each sum over the group's bins (not those of the
//   rest), divided by the number of those where p is not 0, the quotient
//   truncated. Zeros in p and q become 1e-4, taken from the others. The first
//   least divergence wins. (The tools compute it in float32; we in float64.)
//
// L is the option `levels`, or else 2^(bits - 1): the levels of one sign. A
// histogram with fewer bins than L is taken as a whole.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/portable_math.h"
#include "core/calibration/methods.h"

namespace bnq {
namespace {

// Between two ticks; one takes a millisecond with the most bins.
constexpr size_t kTickCandidates = 8;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Divergence of weights p from q, each divided by its sum. p_i > 0 where q_i =
// 0 makes it infinite.
class Divergence {
 public:
  Divergence(double sum_p, double sum_q) : sum_p_(sum_p), sum_q_(sum_q) {}
  void Add(double p, double q) {
    if (p == 0.0) return;
    if (q == 0.0) {
      total_ = kInfinity;
    } else {
      p /= sum_p_;
      total_ += p * PortableLog(p / (q / sum_q_));
    }
  }
  double total() const { return total_; }

 private:
  double sum_p_, sum_q_, total_ = 0.0;
};

// Bins 0 .. n - 1, of which `inside` counts are there and `beyond` are not.
double KlTensorRt(const std::vector<double>& counts, size_t n, size_t levels,
                  double inside, double beyond) {
  if (inside == 0.0) return kInfinity;
  Divergence divergence(inside + beyond, inside);
  // Cell c holds the bins k with floor(k * levels / n) = c.
  for (size_t c = 0, begin = 0; c < levels; ++c) {
    const size_t end = ((c + 1) * n + levels - 1) / levels;
    double sum = 0.0, used = 0.0;
    for (size_t k = begin; k < end; ++k) {
      sum += counts[k];
      used += counts[k] != 0.0;
    }
    for (size_t k = begin; k < end; ++k) {
      const double p = counts[k] + (k + 1 == n ? beyond : 0.0);
      divergence.Add(p, counts[k] != 0.0 ? sum / used : 0.0);
    }
    begin = end;
  }
  return divergence.total();
}

// As the tools' smooth_distribution; false where there is nothing to take from.
bool Smooth(std::vector<double>* weights) {
  constexpr double kEpsilon = 1e-4;
  const double zeros =
      static_cast<double>(std::count(weights->begin(), weights->end(), 0.0));
  const double others = static_cast<double>(weights->size()) - zeros;
  if (others == 0) return false;
  const double taken = kEpsilon * zeros / others;
  if (taken >= 1.0) return false;
  for (double& w : *weights) w = w == 0.0 ? kEpsilon : w - taken;
  return true;
}

size_t LevelsOf(const CalibrationOptions& options) {
  if (options.levels() != 0) return static_cast<size_t>(options.levels());
  return size_t{1} << (options.bits() - 1);
}

Range Find(const Observed& o) {
  const size_t levels = LevelsOf(o.options);
  Range range;
  if (o.options.kl_variant() == KlVariant::kOnnxRuntime) {
    const HistogramView view =
        SymmetricViewOf(o.window(), o.counts, o.min, o.max);
    const KlThreshold best = SearchKlOnnxRuntime(view, levels, o.context);
    range.lo = std::max(o.min, static_cast<float>(view.Edge(best.begin)));
    range.hi = std::min(o.max, static_cast<float>(view.Edge(best.end)));
    return range;
  }
  const HistogramView view = AbsViewOf(o.window(), o.counts, o.min, o.max);
  const KlThreshold best = SearchKlTensorRt(view, levels, o.context);
  const float amax =
      std::min(o.absmax(), static_cast<float>(view.Edge(best.end)));
  range.lo = std::max(o.min, -amax);
  range.hi = std::min(o.max, amax);
  return range;
}

}  // namespace

KlThreshold SearchKlTensorRt(const HistogramView& histogram, size_t levels,
                             const Context& context) {
  std::vector<double> counts(histogram.counts.begin(), histogram.counts.end());
  const size_t n = counts.size();
  KlThreshold best;
  best.end = n;
  best.divergence = kInfinity;
  if (n < 2) return best;
  counts[0] = counts[1];
  double total = 0.0, inside = 0.0;
  for (double c : counts) total += c;
  for (size_t i = 0; i < n; ++i) {
    inside += counts[i];
    if (i + 1 < levels) continue;
    if (i % kTickCandidates == 0) context.Tick();
    const double d = KlTensorRt(counts, i + 1, levels, inside, total - inside);
    if (d <= best.divergence) best = {0, i + 1, d};
  }
  return best;
}

double KlOnnxRuntime(const HistogramView& histogram, size_t levels, size_t i) {
  const std::vector<uint64_t>& counts = histogram.counts;
  const size_t n = counts.size(), middle = n / 2;
  const size_t begin = middle - i, end = std::min(middle + i + 1, n);
  const size_t size = end - begin;
  std::vector<double> p(counts.begin() + static_cast<ptrdiff_t>(begin),
                        counts.begin() + static_cast<ptrdiff_t>(end));
  const std::vector<double> slice = p;
  for (size_t k = 0; k < begin; ++k)
    p.front() += static_cast<double>(counts[k]);
  for (size_t k = end; k < n; ++k) p.back() += static_cast<double>(counts[k]);
  std::vector<double> q(size, 0.0);
  const size_t merged = size / levels;
  for (size_t level = 0; level < levels; ++level) {
    const size_t from = level * merged, to = from + merged;
    double sum = 0.0, used = 0.0;
    for (size_t k = from; k < to; ++k) {
      sum += slice[k];
      used += p[k] != 0.0;
    }
    if (level + 1 == levels) {
      for (size_t k = to; k < size; ++k) sum += slice[k];
    }
    if (used == 0.0) continue;
    std::fill(q.begin() + static_cast<ptrdiff_t>(from),
              q.begin() + static_cast<ptrdiff_t>(to), std::floor(sum / used));
  }
  if (!Smooth(&p) || !Smooth(&q)) return kInfinity;
  double sum_p = 0.0, sum_q = 0.0;
  for (size_t k = 0; k < size; ++k) {
    sum_p += p[k];
    sum_q += q[k];
  }
  Divergence divergence(sum_p, sum_q);
  for (size_t k = 0; k < size; ++k) divergence.Add(p[k], q[k]);
  return divergence.total();
}

KlThreshold SearchKlOnnxRuntime(const HistogramView& histogram, size_t levels,
                                const Context& context) {
  const size_t n = histogram.counts.size(), middle = n / 2;
  KlThreshold best;
  best.end = n;
  best.divergence = kInfinity;
  if (n < levels || levels < 2) return best;
  for (size_t i = levels / 2; i <= middle; ++i) {
    if (i % kTickCandidates == 0) context.Tick();
    const double d = KlOnnxRuntime(histogram, levels, i);
    // Where all are infinite, the first of them is the reference's choice and
    // would be a bad one: the whole histogram stays.
    if (d < best.divergence) {
      best = {middle - i, std::min(middle + i + 1, n), d};
    }
  }
  return best;
}

const Method kKlMethod = {CalibrationMethod::kKl, true, Find, nullptr};

}  // namespace bnq
