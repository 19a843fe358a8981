// The range of least mean squared error. What is summed is the error of the
// quantizer itself, over values that are spread evenly within their bins, of
// which the outer ones end at the minimum and the maximum; zeros are exact, and
// so is their code:
//   symmetric: levels i * s for |i| <= q = (levels - 1) / 2, s = hi / q;
//   asymmetric: s = (hi - lo) / (levels - 1) for the range widened to 0, and
//     levels (i - round(-lo / s)) * s for i = 0 .. levels - 1.
//
// The search. Ends are edges of bins: all within 64 bins of 0, beyond that
// those next to multiples of 1 + 1 / 64, then all between the neighbours of the
// best. First both ends at one magnitude. Where the scheme is asymmetric then
// all pairs of ends, of 1 + 1 / 256 or of a step as coarse as makes them some
// 10^6 levels together, and from the best of them each end by turns, until
// neither moves. The range from minimum to maximum comes first, and another
// must be better.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/calibration/methods.h"

namespace bnq {
namespace {

// Between two ticks.
constexpr size_t kTickAttempts = 8;

// Edges out to `last` bins from 0, in bins, ascending: all to `dense`, then as
// many to each doubling.
std::vector<int64_t> Edges(int64_t last, int64_t dense) {
  std::vector<int64_t> edges;
  for (int64_t k = 0; k < last; k += 1 + k / dense) edges.push_back(k);
  edges.push_back(last);
  return edges;
}

// The least error of ends at k bins from 0: error_of(k), for some k in 0 ..
// last. True where it is below *least, which it becomes.
template <class ErrorOf>
bool SearchEnd(const Context& context, int64_t last, const ErrorOf& error_of,
               double* least, int64_t* found) {
  bool better = false;
  size_t attempts = 0;
  const auto attempt = [&](int64_t k) {
    const double error = error_of(k);
    if (++attempts % kTickAttempts == 0) context.Tick();
    if (!(error < *least)) return false;
    *least = error;
    *found = k;
    return better = true;
  };
  const std::vector<int64_t> edges = Edges(last, 64);
  // Where none is better, what is next to the whole range may yet be.
  size_t best = edges.size() - 1;
  for (size_t i = 0; i < edges.size(); ++i) {
    if (attempt(edges[i])) best = i;
  }
  const int64_t from = edges[best == 0 ? 0 : best - 1];
  const int64_t to = edges[std::min(best + 1, edges.size() - 1)];
  // Of values far from 0 and close together there are more than are of use.
  const int64_t step = 1 + (to - from) / 256;
  for (int64_t k = from + step; k < to; k += step) attempt(k);
  return better;
}

// The best pair of ends, below and above 0; the objective looks at `levels`
// levels of each.
template <class ErrorOf>
bool SearchPairs(const Context& context, int64_t last_below, int64_t last_above,
                 size_t levels, const ErrorOf& error_of, double* least,
                 std::pair<int64_t, int64_t>* found) {
  constexpr size_t kMost = 1 << 20;
  std::vector<int64_t> below, above;
  for (const int64_t dense : {256, 64, 16, 8, 4}) {
    below = Edges(last_below, dense);
    above = Edges(last_above, dense);
    if (below.size() * above.size() * levels <= kMost) break;
  }
  bool better = false;
  for (const int64_t lo : below) {
    context.Tick();
    for (const int64_t hi : above) {
      const double error = error_of(lo, hi);
      if (!(error < *least)) continue;
      *least = error;
      *found = {lo, hi};
      better = true;
    }
  }
  return better;
}

// Within what was seen, where that does not reach to 0.
Range RangeOfEnds(const std::pair<double, double>& best, const Observed& o) {
  Range range;
  range.lo = std::max(o.min, static_cast<float>(best.first));
  range.hi = std::min(o.max, static_cast<float>(best.second));
  if (range.lo > range.hi) {
    (o.min > 0 ? range.lo : range.hi) =
        static_cast<float>(o.min > 0 ? best.second : best.first);
  }
  return range;
}

Range Search(const MseObjective& objective, const HistogramView& view,
             size_t levels, const Observed& o) {
  const double min = std::min(o.min, 0.0f), max = std::max(o.max, 0.0f);
  const auto edge = [&](int64_t k) {
    return static_cast<double>(k) * view.width;
  };
  const auto last = [&](double end) {
    return static_cast<int64_t>(std::ceil(end / view.width));
  };
  const auto narrowed = [&](int64_t k) {
    return std::make_pair(std::max(min, -edge(k)), std::min(max, edge(k)));
  };
  int64_t found = 0;
  std::pair<double, double> best = {min, max};
  double least = objective(min, max);
  if (SearchEnd(
          o.context, last(std::max(-min, max)),
          [&](int64_t k) {
            const auto range = narrowed(k);
            return objective(range.first, range.second);
          },
          &least, &found)) {
    best = narrowed(found);
  }
  // One end of a range with values of one sign has been found.
  bool moves = !o.options.symmetric() && min < 0 && max > 0;
  std::pair<int64_t, int64_t> ends;
  if (moves && SearchPairs(
                   o.context, last(-min), last(max),
                   std::min(levels, view.counts.size()),
                   [&](int64_t lo, int64_t hi) {
                     return objective(std::max(min, -edge(lo)),
                                      std::min(max, edge(hi)));
                   },
                   &least, &ends)) {
    best = {std::max(min, -edge(ends.first)), std::min(max, edge(ends.second))};
  }
  for (int round = 0; moves && round < 4; ++round) {
    moves = false;
    if (SearchEnd(
            o.context, last(max),
            [&](int64_t k) {
              return objective(best.first, std::min(max, edge(k)));
            },
            &least, &found)) {
      best.second = std::min(max, edge(found));
      moves = true;
    }
    if (SearchEnd(
            o.context, last(-min),
            [&](int64_t k) {
              return objective(std::max(min, -edge(k)), best.second);
            },
            &least, &found)) {
      best.first = std::max(min, -edge(found));
      moves = true;
    }
  }
  return RangeOfEnds(best, o);
}

Range Find(const Observed& o) {
  const HistogramView view = ViewOf(o.window(), o.counts, o.min, o.max);
  const size_t levels = o.options.levels() != 0
                            ? static_cast<size_t>(o.options.levels())
                            : size_t{1} << o.options.bits();
  if (o.options.mse_variant() == MseVariant::kExhaustive) {
    return Search(MseObjective(view, o.min, o.max, o.zeros, levels,
                               o.options.symmetric()),
                  view, levels, o);
  }
  const MseBins bins = SearchMsePyTorch(view, levels, o.context);
  Range range;
  range.lo = std::max(o.min, static_cast<float>(view.Edge(bins.first)));
  range.hi = std::min(o.max, static_cast<float>(view.Edge(bins.last + 1)));
  return range;
}

}  // namespace

// Lengths are in bins: x / width.
MseObjective::MseObjective(const HistogramView& view, double min, double max,
                           uint64_t zeros, size_t levels, bool symmetric)
    : width_(view.width),
      first_(view.first / view.width),
      levels_(std::max<size_t>(levels, symmetric ? 3 : 2)),
      symmetric_(symmetric) {
  const size_t n = view.counts.size();
  bins_.resize(n + 1);
  Moments sum;
  for (size_t i = 0; i < n; ++i) {
    Bin& bin = bins_[i];
    const double edge = first_ + static_cast<double>(i);
    bin.begin = std::max(edge, min / width_);
    bin.length = std::max(std::min(edge + 1, max / width_) - bin.begin, 0.0);
    uint64_t count = view.counts[i];
    if (edge == 0.0) count -= std::min(count, zeros);
    bin.count = static_cast<double>(count);
    bin.before = sum;
    sum = Until(bin, edge + 1);
  }
  bins_[n].begin = first_ + static_cast<double>(n);
  bins_[n].before = sum;
}

MseObjective::Moments MseObjective::Until(const Bin& bin, double t) {
  const double into = t - bin.begin;
  if (into <= 0.0) return bin.before;
  const double part = into < bin.length ? into / bin.length : 1.0;
  const double a = bin.begin, b = a + part * bin.length;
  const double count = bin.count * part;
  Moments m = bin.before;
  m.count += count;
  m.sum += count * ((a + b) / 2);
  m.squares += count * ((a * a + a * b + b * b) / 3);
  return m;
}

// Of the values below t.
MseObjective::Moments MseObjective::Below(double t) const {
  const double at = std::floor(t - first_);
  const double n = static_cast<double>(bins_.size() - 1);
  if (at < 0.0) return Moments();
  if (at >= n) return bins_.back().before;
  return Until(bins_[static_cast<size_t>(at)], t);
}

double MseObjective::operator()(double lo, double hi) const {
  lo = std::min(lo, 0.0) / width_;
  hi = std::max(hi, 0.0) / width_;
  // Levels first .. last times the step.
  double step, first, last;
  if (symmetric_) {
    last = static_cast<double>((levels_ - 1) / 2);
    first = -last;
    step = std::max(-lo, hi) / last;
  } else {
    step = (hi - lo) / static_cast<double>(levels_ - 1);
    first = step > 0.0 ? -std::floor(-lo / step + 0.5) : 0.0;
    last = first + static_cast<double>(levels_ - 1);
  }
  const auto error = [](const Moments& from, const Moments& to, double level) {
    return (to.squares - from.squares) -
           level * (2 * (to.sum - from.sum) - level * (to.count - from.count));
  };
  const Moments none, all = bins_.back().before;
  if (!(step > 0.0)) return error(none, all, 0.0);
  if (step < 1.0) {
    // Finer than what is known: even errors between the outer levels.
    const Moments from = Below((first - 0.5) * step);
    const Moments to = Below((last + 0.5) * step);
    return error(none, from, first * step) + error(to, all, last * step) +
           (to.count - from.count) * (step * step / 12);
  }
  // Levels beyond the values have no part.
  const double low = std::floor(bins_.front().begin / step) - 1;
  const double high = std::ceil(bins_.back().begin / step) + 1;
  double sum = 0.0;
  Moments from;
  for (double i = std::max(first, low); i <= last; ++i) {
    const bool end = i == last || i >= high;
    const Moments to = end ? all : Below((i + 0.5) * step);
    sum += error(from, to, i * step);
    if (end) break;
    from = to;
  }
  return sum;
}

const Method kMseMethod = {CalibrationMethod::kMse, true, Find, nullptr};

}  // namespace bnq
