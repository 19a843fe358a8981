#include "core/training/soften.h"

#include <algorithm>
#include <cmath>

#include "core/base/portable_math.h"
#include "core/kernels/chunk.h"
#include "core/kernels/random.h"
#include "core/scheme/rules.h"

namespace bnq {
namespace {

// Of the stream that noise is drawn from, which is not that of probability.
constexpr uint64_t kNoiseStream = uint64_t{1} << 63;
constexpr double kPerWord = 1.0 / 4294967296.0;

template <size_t kCount>
double Polynomial(const double (&c)[kCount], double x) {
  double sum = 0.0;
  for (size_t i = kCount; i-- > 0;) sum = sum * x + c[i];
  return sum;
}

}  // namespace

double NormalQuantile(double p) {
  static constexpr double kA[] = {
      3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
      1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
      3.3430575583588128105e4, 2.5090809287301226727e3};
  static constexpr double kB[] = {1.0,
                                  4.2313330701600911252e1,
                                  6.8718700749205790830e2,
                                  5.3941960214247511077e3,
                                  2.1213794301586595867e4,
                                  3.9307895800092710610e4,
                                  2.8729085735721942674e4,
                                  5.2264952788528545610e3};
  static constexpr double kC[] = {
      1.42343711074968357734e0,  4.63033784615654529590e0,
      5.76949722146069140550e0,  3.64784832476320460504e0,
      1.27045825245236838258e0,  2.41780725177450611770e-1,
      2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr double kD[] = {1.0,
                                  2.05319162663775882187e0,
                                  1.67638483018380384940e0,
                                  6.89767334985100004550e-1,
                                  1.48103976427480074590e-1,
                                  1.51986665636164571966e-2,
                                  5.47593808499534494600e-4,
                                  1.05075007164441684324e-9};
  static constexpr double kE[] = {
      6.65790464350110377720e0,  5.46378491116411436990e0,
      1.78482653991729133580e0,  2.96560571828504891230e-1,
      2.65321895265761230930e-2, 1.24266094738807843860e-3,
      2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr double kF[] = {1.0,
                                  5.99832206555887937690e-1,
                                  1.36929880922735805310e-1,
                                  1.48753612908506148525e-2,
                                  7.86869131145613259100e-4,
                                  1.84631831751005468180e-5,
                                  1.42151175831644588870e-7,
                                  2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * Polynomial(kA, r) / Polynomial(kB, r);
  }
  const double r = std::sqrt(-PortableLog(q < 0.0 ? p : 1.0 - p));
  const double z = r <= 5.0 ? Polynomial(kC, r - 1.6) / Polynomial(kD, r - 1.6)
                            : Polynomial(kE, r - 5.0) / Polynomial(kF, r - 5.0);
  return q < 0.0 ? -z : z;
}

NoiseRange NoiseRangeOf(const Format& format, CodeRange codes, Params params) {
  const float size = std::fabs(params.scale);
  const float most = static_cast<float>(GreatestValue(format, codes, 0));
  if (!format.Has(kInteger)) {
    const float steps = static_cast<float>(CountOf(codes) - 1);
    return {-most * size, most * size, 2.0f * most * size / steps};
  }
  const float a = static_cast<float>(codes.lo - params.zero_point);
  const float b = static_cast<float>(codes.hi - params.zero_point);
  const bool turned = params.scale < 0.0f;
  return {params.offset + (turned ? -b : a) * size,
          params.offset + (turned ? -a : b) * size, size};
}

Softening::Softening(const TrainingOptions& options) : options_(options) {
  none_ = options.plain();
  if (none_ || options.probability_of() == DrawnBy::kElement) return;
  uint32_t word;
  RandomWords(options.seed(), 0, 1, &word);
  all_ = !(word * kPerWord < options.probability());
  none_ = !all_ && !makes_noise() && options.temperature() == 0.0f;
}

void Softening::MakeNoise(uint64_t at, const float* x, size_t count,
                          const NoiseRange& range, float* y) const {
  uint32_t words[kChunk];
  const float amount = options_.noise_amount() * range.step;
  for (size_t done = 0; done < count; done += kChunk) {
    const size_t n = std::min(count - done, kChunk);
    RandomWords(options_.seed() ^ kNoiseStream, at + done, n, words);
    for (size_t i = 0; i < n; ++i) {
      const double share = (words[i] + 0.5) * kPerWord;
      const double z = options_.noise() == Noise::kUniform
                           ? share - 0.5
                           : NormalQuantile(share);
      const float held = std::min(std::max(x[done + i], range.lo), range.hi);
      y[done + i] = held + amount * static_cast<float>(z);
    }
  }
}

void Softening::Shares(uint64_t at, size_t count, float* shares) const {
  const float share = all_ ? 1.0f : options_.temperature();
  std::fill_n(shares, count, share);
  if (options_.probability_of() == DrawnBy::kLayer ||
      options_.probability() == 1.0) {
    return;
  }
  uint32_t words[kChunk];
  for (size_t done = 0; done < count; done += kChunk) {
    const size_t n = std::min(count - done, kChunk);
    RandomWords(options_.seed(), at + done, n, words);
    for (size_t i = 0; i < n; ++i) {
      if (!(words[i] * kPerWord < options_.probability())) {
        shares[done + i] = 1.0f;
      }
    }
  }
}

void Softening::Blend(const float* x, const float* shares, size_t count,
                      float* y) {
  for (size_t i = 0; i < count; ++i) {
    const float t = shares[i];
    const float mixed = y[i] + t * (x[i] - y[i]);
    y[i] = t == 0.0f ? y[i] : t == 1.0f ? x[i] : mixed;
  }
}

}  // namespace bnq
