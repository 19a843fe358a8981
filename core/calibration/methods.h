// How a range is found: one method, one file. A method either looks at what was
// seen of a channel in the end (find), or follows its batches (follow), or
// both.
#ifndef BNQ_CORE_CALIBRATION_METHODS_H_
#define BNQ_CORE_CALIBRATION_METHODS_H_

#include <cstddef>
#include <cstdint>

#include "core/calibration/histogram.h"
#include "core/calibration/options.h"
#include "core/scheme/format.h"

namespace bnq {

// What is known of a channel: of one value at least.
struct Observed {
  const CalibrationOptions& options;
  float min, max;
  // What `follow` has made of its batches.
  Range followed;
  // Only with needs_histogram; otherwise empty.
  const BinWindow& window;
  const uint64_t* counts;

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

// The searches behind the methods, on any histogram.

// The first bin at which the share of the values up to it reaches `share`.
size_t PercentileBin(const HistogramView& histogram, double share);

struct KlThreshold {
  size_t begin = 0, end = 0;  // bins: edges begin and end
  double divergence = 0.0;
};
// Of |x|, into `levels` levels (TensorRT): bins 0 .. end - 1.
KlThreshold SearchKlTensorRt(const HistogramView& histogram, size_t levels);
// Of x, as many bins below 0 as above it (ONNX Runtime).
KlThreshold SearchKlOnnxRuntime(const HistogramView& histogram, size_t levels);
// The divergence of one candidate: half-width i.
double KlOnnxRuntime(const HistogramView& histogram, size_t levels, size_t i);

struct MseBins {
  size_t first = 0, last = 0;  // inclusive
};
// Into `levels` levels (PyTorch's HistogramObserver).
MseBins SearchMse(const HistogramView& histogram, size_t levels,
                  LastBin last_bin);

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_METHODS_H_
