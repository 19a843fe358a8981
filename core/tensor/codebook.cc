#include "core/tensor/codebook.h"

#include <algorithm>
#include <cmath>

#include "core/base/checked.h"
#include "core/kernels/reduce.h"
#include "core/scheme/rules.h"
#include "core/tensor/search.h"

namespace bnq {
namespace {

constexpr uint64_t kSample = 65536;
constexpr int kRounds = 8;
// Of longer segments blocks are taken, of this many elements.
constexpr uint64_t kLongSegment = 4096;
constexpr uint64_t kBlock = 256;
constexpr size_t kCandidates = kLanes;

// What is taken of one segment.
struct Piece {
  size_t begin, count;  // in the sample
  float extreme;        // of the whole segment, over the sample's unit
};

class Fitter {
 public:
  explicit Fitter(const Quantizer& quantizer)
      : quantizer_(quantizer),
        format_(quantizer.format()),
        searches_(quantizer.searches()),
        table_(format_.codebook,
               format_.codebook + CountOf(quantizer.rule().range)) {}

  std::vector<float> Run() {
    TakeSample();
    if (pieces_.empty()) return table_;
    for (int round = 1; round <= kRounds; ++round) Round(round == kRounds);
    return table_;
  }

 private:
  void TakeSample() {
    const Layout& layout = quantizer_.layout();
    const uint64_t segments = layout.num_params;
    const uint64_t size =
        std::max<uint64_t>(quantizer_.elements() / segments, 1);
    const uint64_t taken = std::min(size, kLongSegment);
    const uint64_t wanted = std::max<uint64_t>(kSample / taken, 1);
    const uint64_t step = DivCeil(segments, wanted);
    // Long ones share the sample out.
    const uint64_t each = kSample / DivCeil(segments, step);
    for (uint64_t p = 0; p < segments; p += step) {
      TakeSegment(Segment(quantizer_.source(), layout, p), each);
      quantizer_.context().Tick();
    }
    ScaleSample();
  }

  void TakeSegment(const Segment& segment, uint64_t most) {
    const SearchTask task = {
        format_, quantizer_.config(), quantizer_.rule(), segment, nullptr, {}};
    const Partial partial = OverChunks<Partial>(
        quantizer_.context(), task, [](const float* x, const float*, size_t n) {
          return Reduce(x, n, n, Statistic::kExtreme);
        });
    const uint64_t n = segment.count();
    if (!partial.finite() || n == 0) return;
    const Range range = partial.ToRange(Statistic::kExtreme, n);
    Piece piece = {x_.size(), 0, range.lo < 0.0f ? range.lo : range.hi};
    if (piece.extreme == 0.0f) return;
    const uint64_t block = n <= kLongSegment ? n : kBlock;
    const uint64_t blocks = std::max<uint64_t>(std::min(most, n) / block, 1);
    for (uint64_t b = 0; b < blocks; ++b) {
      Append(segment, b * (n / blocks), std::min(block, n));
    }
    piece.count = x_.size() - piece.begin;
    pieces_.push_back(piece);
  }

  void Append(const Segment& segment, uint64_t begin, uint64_t count) {
    const size_t n = static_cast<size_t>(count), at = x_.size();
    x_.resize(at + n + kLanes);  // a reader's slack
    segment.Read(begin, n, x_.data() + at);
    x_.resize(at + n);
    const Importance& importance = quantizer_.importance();
    if (importance.weights == nullptr) return;
    weights_.resize(at + n);
    segment.Weights(importance, begin, n, weights_.data() + at);
  }

  void ScaleSample() {
    float most = 0.0f;
    for (const Piece& piece : pieces_) {
      most = std::max(most, std::fabs(piece.extreme));
    }
    const float unit = UnitOf(most);
    for (float& x : x_) x *= unit;
    for (Piece& piece : pieces_) piece.extreme *= unit;
    x_.resize(x_.size() + kLanes);
  }

  // The best scale of a piece for the codebook as it is.
  float ScaleOf(const Piece& piece, const CodeRule& rule) const {
    if (!searches_) return piece.extreme;
    const float* const weights =
        weights_.empty() ? nullptr : weights_.data() + piece.begin;
    alignas(64) float scales[kCandidates];
    const float shifts[kCandidates] = {};
    for (size_t i = 0; i < kCandidates; ++i) {
      scales[i] = piece.extreme * (0.79f + 0.03f * static_cast<float>(i));
    }
    double errors[kCandidates] = {};
    for (size_t at = 0; at < piece.count; at += kChunk) {
      double part[kCandidates];
      ErrorsArgs args;
      args.rule = rule;
      args.scales = scales;
      args.shifts = shifts;
      args.candidates = kCandidates;
      args.x = x_.data() + piece.begin + at;
      args.weights = weights == nullptr ? nullptr : weights + at;
      args.count = std::min(kChunk, piece.count - at);
      args.errors = part;
      format_.kernels().errors(args);
      for (size_t i = 0; i < kCandidates; ++i) errors[i] += part[i];
    }
    const float best =
        scales[std::min_element(errors, errors + kCandidates) - errors];
    FitSums sums;
    for (size_t at = 0; at < piece.count; at += kChunk) {
      FitArgs args;
      args.rule = rule;
      args.params.scale = best;
      args.x = x_.data() + piece.begin + at;
      args.weights = weights == nullptr ? nullptr : weights + at;
      args.count = std::min(kChunk, piece.count - at);
      sums.Merge(format_.kernels().fit(args));
    }
    const float least_squares = static_cast<float>(sums.xq / sums.qq);
    return std::isnormal(least_squares) ? least_squares : best;
  }

  void Round(bool last) {
    const int count = static_cast<int>(table_.size());
    const CodeTable table = FittedTable(table_.data(), count);
    CodeRule rule = quantizer_.rule();
    rule.table = &table;
    Sums sums[16];
    for (const Piece& piece : pieces_) {
      quantizer_.context().Tick();
      const float scale = ScaleOf(piece, rule);
      const float inverse = InverseScale(scale);
      const double s = static_cast<double>(scale);
      for (size_t i = piece.begin; i < piece.begin + piece.count; ++i) {
        const float v = x_[i] * inverse;
        size_t rank = 0;
        for (size_t level = 0; level < 4; ++level) {
          rank = 2 * rank + (v > table.levels[level][rank] ? 1 : 0);
        }
        const double w =
            weights_.empty() ? 1.0 : static_cast<double>(weights_[i]);
        const double x = static_cast<double>(x_[i]);
        sums[rank].ss += w * (s * s);
        sums[rank].sx += w * (s * x);
        sums[rank].xx += w * (x * x);
      }
    }
    std::vector<double> values(table_.begin(), table_.end());
    for (size_t i = 0; i < values.size(); ++i) {
      if (sums[i].ss > 0.0) values[i] = sums[i].sx / sums[i].ss;
    }
    if (!last) UseAll(sums, &values);
    const double most = static_cast<double>(kGreatestEntry);
    for (size_t i = 0; i < values.size(); ++i) {
      table_[i] =
          static_cast<float>(std::min(std::max(values[i], -most), most));
    }
    std::sort(table_.begin(), table_.end());
  }

  // Of the weights of one code.
  struct Sums {
    double ss = 0.0, sx = 0.0, xx = 0.0;
    double error() const { return ss > 0.0 ? xx - sx * sx / ss : 0.0; }
  };

  // An entry that nothing is coded with helps that of the greatest error: they
  // become what this is, less and more its values' deviation.
  static void UseAll(Sums* sums, std::vector<double>* values) {
    for (size_t i = 0; i < values->size(); ++i) {
      if (sums[i].ss > 0.0) continue;
      size_t worst = i;
      for (size_t k = 0; k < values->size(); ++k) {
        if (sums[k].error() > sums[worst].error()) worst = k;
      }
      if (worst == i) return;
      const double deviation = std::sqrt(sums[worst].error() / sums[worst].ss);
      (*values)[i] = (*values)[worst] - deviation;
      (*values)[worst] += deviation;
      // A half of it, whose deviation is half as great.
      Sums half;
      half.ss = 0.5 * sums[worst].ss;
      half.sx = 0.5 * sums[worst].sx;
      half.xx = half.sx * half.sx / half.ss + 0.125 * sums[worst].error();
      sums[i] = sums[worst] = half;
    }
  }

  const Quantizer& quantizer_;
  const Format& format_;
  const bool searches_;
  std::vector<float> table_;
  std::vector<float> x_, weights_;
  std::vector<Piece> pieces_;
};

}  // namespace

std::vector<float> FitCodebook(const Quantizer& quantizer) {
  return Fitter(quantizer).Run();
}

}  // namespace bnq
