// What calibration_study.cc says about its tables, and whether that holds.
#ifndef BNQ_BENCH_CALIBRATION_FINDINGS_H_
#define BNQ_BENCH_CALIBRATION_FINDINGS_H_

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/calibration_results.h"
#include "bnq/bnq.h"

namespace bnq_bench {

class Claims {
 public:
  bool Hold() const { return failures_ == 0; }
  void Expect(bool holds, const std::string& what) {
    if (holds) return;
    ++failures_;
    std::fprintf(stderr, "does not hold: %s\n", what.c_str());
  }

 private:
  int failures_ = 0;
};

// The least and the greatest of some numbers.
struct Span {
  double least = HUGE_VAL, greatest = -HUGE_VAL;
  void Add(double x) {
    least = std::min(least, x);
    greatest = std::max(greatest, x);
  }
};

inline bool IsInt4(const Target& target) {
  int64_t format = 0;
  Check(bnq_options_get_int(bnq_config_options(target.config.get()),
                            BNQ_OPT_FORMAT, &format));
  return format == BNQ_FORMAT_INT4;
}

// The text about the tables. What it says beyond its numbers is checked.
class Findings {
 public:
  Findings(const Results& results, Claims& claims)
      : r_(results), claims_(claims) {}

  void Print() {
    std::printf("## What stands out\n\n");
    PrintMse();
    PrintKl();
    PrintOthers();
    PrintAccuracies();
    std::printf("\n");
  }

 private:
  // The dB over min-max of the methods of this id, or with this label, with
  // int4 or int8, on these sets.
  Span Gains(int64_t id, const std::string& label, bool int4,
             const std::vector<int>& sets) const {
    Span span;
    for (const Target& target : r_.targets) {
      if (IsInt4(target) != int4) continue;
      for (const Method& method : r_.methods) {
        if (label.empty() ? method.id != id : method.label != label) continue;
        for (int s : sets) span.Add(r_.Gain(target.name, method.label, s));
      }
    }
    return span;
  }
  Span Gains(int64_t id, bool int4, const std::vector<int>& sets) const {
    return Gains(id, "", int4, sets);
  }
  Span Gains(const char* label, bool int4, const std::vector<int>& sets) const {
    return Gains(-1, label, int4, sets);
  }

  void PrintMse() {
    const std::vector<int> tails = {kStudentT, kOutliers};
    std::vector<int> all;
    for (int s = 0; s < kNumSets; ++s) all.push_back(s);
    const Span int8 = Gains(kExhaustive, false, tails);
    const Span int4 = Gains(kExhaustive, true, tails);
    claims_.Expect(int8.least > 0.5, "mse beats min-max on outliers, int8");
    claims_.Expect(int4.least > 10, "mse beats min-max on outliers, int4");
    for (bool narrow : {false, true}) {
      claims_.Expect(Gains(kExhaustive, narrow, all).least >= 0.0,
                     "mse never loses");
    }
    // How far the better of mse and the percentiles is from the best.
    Span behind;
    for (const Target& target : r_.targets) {
      for (int s : all) {
        Span best, ours;
        for (const Method& method : r_.methods) {
          const double gain = r_.Gain(target.name, method.label, s);
          best.Add(gain);
          if (method.label == kExhaustive ||
              method.id == BNQ_METHOD_PERCENTILE) {
            ours.Add(gain);
          }
        }
        behind.Add(best.greatest - ours.greatest);
      }
    }
    claims_.Expect(behind.greatest <= 0.1,
                   "mse or percentile is best, or within 0.1 dB of the best");
    std::printf(
        "- **mse** is the method to take where nothing is known of the data. "
        "Where they have outliers (Student-t, outliers) it wins %.1f to %.1f "
        "dB over min-max with int8 and %.1f to %.1f dB with int4, and nowhere "
        "does it lose any. In every column it or percentile is best, or within "
        "0.1 dB of the best.",
        int8.least, int8.greatest, int4.least, int4.greatest);
    const double found = r_.Gain("int4 symmetric", kExhaustive, kEqualOutliers);
    const double stuck = r_.Gain("int4 symmetric", kPyTorch, kEqualOutliers);
    claims_.Expect(stuck < 0.05 && found > 10,
                   "PyTorch's search does not get past equal outliers");
    std::printf(
        " PyTorch's search is one step by step: where narrowing the range only "
        "helps after many steps it stops early, as before the equal outliers "
        "(int4 symmetric: %.1f dB, where exhaustive search wins %.1f dB).\n",
        std::fabs(stuck), found);
  }

  void PrintKl() {
    const Span int8 = Gains(BNQ_METHOD_KL, false, {kStudentT});
    const Span int4 = Gains(BNQ_METHOD_KL, true, {kStudentT, kOutliers});
    const Span lost = Gains(BNQ_METHOD_KL, false, {kOutliers});
    claims_.Expect(int8.least > 1, "kl beats min-max on Student-t, int8");
    claims_.Expect(int4.least > 10, "kl beats min-max on outliers, int4");
    claims_.Expect(lost.greatest < -5, "kl cuts off outliers, int8");
    std::printf(
        "- **kl** wins as much with int4 on the data with outliers (%.1f to "
        "%.1f dB) and on Student-t with int8 (%.1f to %.1f dB). But it looks "
        "at the shape of the distribution, not at the error: few outliers, far "
        "out, it cuts off even where int8 could hold them, and loses %.1f to "
        "%.1f dB.",
        int4.least, int4.greatest, int8.least, int8.greatest, -lost.greatest,
        -lost.least);
    const Span relu = Gains("kl onnxruntime", false, {kRelu});
    claims_.Expect(relu.greatest < -5, "kl onnxruntime loses on ReLU, int8");
    std::printf(
        " ONNX Runtime's variant also loses %.1f to %.1f dB on values after "
        "ReLU with int8.\n",
        -relu.greatest, -relu.least);
  }

  void PrintOthers() {
    const std::vector<int> generated = {kGaussian, kLaplace, kOutliers, kRelu};
    const Span int8 = Gains("percentile 99.9", false, generated);
    const Span int4 = Gains("percentile 99.9", true, generated);
    claims_.Expect(int8.greatest < -1, "percentile 99.9 is too low for int8");
    claims_.Expect(int4.least > 3, "percentile 99.9 is good for int4");
    std::printf(
        "- **percentile** takes a number that suits the bits: 99.9 wins %.1f "
        "to %.1f dB with int4 on Gaussian, Laplace, outliers and ReLU, and "
        "loses %.1f to %.1f dB with int8.\n",
        int4.least, int4.greatest, -int8.greatest, -int8.least);

    const Span weights = Gains(BNQ_METHOD_MOVING_AVERAGE, false, {kWeights});
    claims_.Expect(weights.greatest < -5, "moving_average loses on weights");
    double apart = 0;
    for (const Target& target : r_.targets) {
      for (int s = 0; s < kNumSets; ++s) {
        apart = std::max(
            apart, std::fabs(r_.Error(target.name, "adaptive", s) /
                                 r_.Error(target.name, "moving_average", s) -
                             1));
      }
    }
    claims_.Expect(apart < 1e-3, "adaptive does as moving_average");
    std::printf(
        "- **moving_average** is for many batches that are alike: after %d of "
        "them the range is mostly the first one's, which costs int8 %.1f to "
        "%.1f dB on the demo weights. **adaptive** does the same here, since "
        "no batch is wild enough for its bounds.\n",
        static_cast<int>(kBatches), -weights.greatest, -weights.least);

    const double relu = Decibel(r_.Error("int8 asymmetric", kMinMax, kRelu)) -
                        Decibel(r_.Error("int8 symmetric", kMinMax, kRelu));
    claims_.Expect(relu > 5, "asymmetric saves a bit after ReLU");
    std::printf(
        "- **asymmetric** is worth a bit for values of one sign: %.1f dB after "
        "ReLU (int8, min-max).\n",
        relu);
  }

  void PrintAccuracies() {
    Span int8, int4, tensorrt;
    for (const Target& target : r_.targets) {
      for (const Method& method : r_.methods) {
        const int right = r_.Right(target.name, method.label);
        const double lost = r_.Percent(r_.right_unquantized - right);
        const bool cut = IsInt4(target) && method.label == "kl tensorrt";
        (cut ? tensorrt : IsInt4(target) ? int4 : int8).Add(lost);
      }
    }
    claims_.Expect(int8.greatest < 0.5, "int8 activations cost no accuracy");
    claims_.Expect(int4.greatest < 2, "int4 activations cost two points");
    claims_.Expect(tensorrt.least > 30, "kl tensorrt cuts off too much, int4");
    std::printf(
        "- **The demo model** hardly notices int8 activations: whatever the "
        "method, %.1f points of accuracy are lost at most. int4 costs up to "
        "%.1f points, except with TensorRT's kl, which is made for 8 bits "
        "(it starts its search with as many bins as there are levels, here "
        "8): %.0f points.\n",
        std::max(int8.greatest, 0.0), int4.greatest, tensorrt.greatest);
  }

  const Results& r_;
  Claims& claims_;
};

}  // namespace bnq_bench

#endif  // BNQ_BENCH_CALIBRATION_FINDINGS_H_
