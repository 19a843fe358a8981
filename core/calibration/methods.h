// How a range is found: one method, one file. A method either looks at what was
// seen of a channel in the end (find), or follows its batches (follow), or
// both.
#ifndef BNQ_CORE_CALIBRATION_METHODS_H_
#define BNQ_CORE_CALIBRATION_METHODS_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/context.h"
#include "core/calibration/histogram.h"
#include "core/calibration/options.h"
#include "core/scheme/format.h"

namespace bnq {

// What is known of a channel: of one value at least.
struct Observed {
  // Its tick is called within a long search.
  const Context& context;
  const CalibrationOptions& options;
  float min, max;
  // What `follow` has made of its batches.
  Range followed;
  // Only with needs_histogram; otherwise empty. What lay beyond limits, which
  // are min and max then, is counted at them: `counts` of the bins of the
  // window, and by Cells.
  uint64_t zeros;
  const BinCounts& histogram;
  const uint64_t* counts;

  const BinWindow& window() const { return histogram.window(); }

  float absmax() const;
};

struct Method {
  CalibrationMethod id;
  bool needs_histogram;
  // The range, within [min, max] or [-absmax, absmax].
  Range (*find)(const Observed& observed);
  // A batch of range `batch`: the first one that has values, or a later one.
  // nullptr: the order of batches does not matter.
  void (*follow)(const CalibrationOptions& options, bool first,
                 const Range& batch, Range* followed);
};

const Method& MethodOf(CalibrationMethod id);

extern const Method kMinMaxMethod;
extern const Method kMovingAverageMethod;
extern const Method kPercentileMethod;
extern const Method kKlMethod;
extern const Method kMseMethod;
extern const Method kAdaptiveMethod;

// The searches behind the methods, on any histogram. They call the context's
// tick.

// The upper edge of the bin of |x| up to which there are `count` values.
double MagnitudeOf(const std::vector<Cell>& cells, uint64_t count);
// The bins that stay when whole ones are cut off at both ends, no more than
// `cut` values at either: [first, second).
std::pair<size_t, size_t> CutTails(const std::vector<Cell>& cells,
                                   uint64_t cut);

struct KlThreshold {
  size_t begin = 0, end = 0;  // bins: edges begin and end
  double divergence = 0.0;
};
// Of |x|, into `levels` levels (TensorRT): bins 0 .. end - 1.
KlThreshold SearchKlTensorRt(const HistogramView& histogram, size_t levels,
                             const Context& context = Context());
// Of x, as many bins below 0 as above it (ONNX Runtime).
KlThreshold SearchKlOnnxRuntime(const HistogramView& histogram, size_t levels,
                                const Context& context = Context());
// The divergence of one candidate: half-width i.
double KlOnnxRuntime(const HistogramView& histogram, size_t levels, size_t i);

// The sum of the squared errors that quantizing into `levels` levels makes of
// the values of a histogram, in squares of its width (mse.cc has the
// definition).
class MseObjective {
 public:
  // Of values from min to max, `zeros` of them 0.
  MseObjective(const HistogramView& view, double min, double max,
               uint64_t zeros, size_t levels, bool symmetric);
  // Of the range lo .. hi.
  double operator()(double lo, double hi) const;

 private:
  struct Moments {
    double count = 0.0, sum = 0.0, squares = 0.0;
  };
  struct Bin {
    Moments before;  // of all bins below
    double begin = 0.0, length = 0.0, count = 0.0;
  };
  static Moments Until(const Bin& bin, double t);
  Moments Below(double t) const;

  double width_, first_;
  size_t levels_;
  bool symmetric_;
  std::vector<Bin> bins_;  // and an empty one behind them
};

struct MseBins {
  size_t first = 0, last = 0;  // inclusive
};
// Into `levels` levels (PyTorch's HistogramObserver).
MseBins SearchMsePyTorch(const HistogramView& histogram, size_t levels,
                         const Context& context = Context());

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_METHODS_H_
