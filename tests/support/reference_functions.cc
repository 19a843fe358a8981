#include "tests/support/reference_functions.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "core/base/half.h"

namespace bnq_test {
namespace {

using bnq::Function;

struct Power {
  float p;  // e^v = (1 + p) 2^n
  int n;
};

float Estrin(const std::vector<float>& c, float x) {
  if (c.size() == 1) return c[0];
  size_t half = 1;
  float power = x;
  while (2 * half < c.size()) {
    half *= 2;
    power *= power;
  }
  const auto middle = c.begin() + static_cast<std::ptrdiff_t>(half);
  return Estrin({c.begin(), middle}, x) + Estrin({middle, c.end()}, x) * power;
}

float Polynomial(const std::vector<float>& c, float x) {
  return c[0] + x * Estrin({c.begin() + 1, c.end()}, x);
}

float Expm1(float r) {
  const float sum = Estrin({0.5f, 0x1.555554p-3f, 0x1.5554fp-5f, 0x1.111308p-7f,
                            0x1.6d4388p-10f, 0x1.9e0812p-13f},
                           r);
  const float square = r * r;
  return r + square * sum;
}

int NearestPower(float v) {
  const float quotient = v * 1.44269504f;
  return static_cast<int>(std::nearbyint(quotient));
}

Power Exp(float v, float less = 0.0f) {
  const int n = NearestPower(v);
  const float high = static_cast<float>(n) * 0.693359375f;
  const float low = static_cast<float>(n) * 2.12194440e-4f;
  const float r = (v - high) + low;
  return {Expm1(r - less), n};
}

// top / (1 + e^v)
float OverOnePlus(float top, const Power& e) {
  const float s = std::ldexp(1.0f, std::max(-std::abs(e.n), -126));
  const float bottom = (1.0f + s) + (e.n > 0 ? e.p : s * e.p);
  const float quotient = top / bottom;
  return e.n > 0 ? std::ldexp(quotient, -e.n) : quotient;
}

float Clamp(float x, float limit) {
  return std::min(std::max(x, -limit), limit);
}

float Tanh(float x) {
  const Power e = Exp(std::min(std::fabs(x), 10.0f) * -2.0f);
  const float s = std::ldexp(1.0f, e.n), sp = s * e.p;
  return std::copysign(((s - 1.0f) + sp) / ((s + 1.0f) + sp), x);
}

float GeluTanh(float x) {
  const double c1 = 1.5957691216057308, c3 = 0.07135481627159985;
  const float c = Clamp(x, 11.0f);
  const float inner = c * c * static_cast<float>(c3) + static_cast<float>(c1);
  Power e;
  e.n = NearestPower(-(c * inner));
  const double v = static_cast<double>(c);
  const double exponent = v * (v * v * -c3 - c1);
  e.p = Expm1(static_cast<float>(exponent - e.n * 0.6931471805599453));
  return OverOnePlus(std::max(x, -11.0f), e);
}

float Gelu(float x) {
  x = std::max(x, -15.0f);
  const float a = std::min(std::fabs(x), 15.0f);
  if (a < 0.7f) {
    const float c = Polynomial({0x1.988454p-2f, -0x1.10585ep-4f, 0x1.46d20cp-7f,
                                -0x1.369bdcp-10f, 0x1.bd0a0cp-14f},
                               x * x);
    return x * (0.5f + x * c);
  }
  const float b = bnq::F32OfBits(bnq::BitsOfF32(a) & 0xFFFFF000u);
  const float rest = (a - b) * (a + b);
  const Power e = Exp(-(b * b * 0.5f), rest * 0.5f);
  const float u = (a - 4.875f) / (a + 4.875f);
  const float q = Polynomial(
      {0x1.42938ap-4f, -0x1.2bd9f4p-3f, 0x1.e07124p-4f, -0x1.48f55cp-4f,
       0x1.7aa1d6p-5f, -0x1.62ef34p-6f, 0x1.fc476cp-8f, -0x1.cff72ap-10f,
       -0x1.466b7ep-17f, 0x1.66a09ap-13f},
      u);
  const float tail = q + q * e.p;
  if (x < 0) return std::ldexp(x * tail, e.n);
  return x * (1.0f - tail * std::ldexp(1.0f, std::max(e.n, -126)));
}

float HardSwish(float x) {
  const float sixth = 1.0f / 6.0f;
  x = std::max(x, -3.0f);
  return x *
         (x < -1.5f ? (x + 3.0f) * sixth : std::min(x * sixth + 0.5f, 1.0f));
}

// 16 lanes, folded in halves.
double LaneSum(const std::vector<double>& terms) {
  double lanes[16] = {};
  for (size_t i = 0; i < terms.size(); ++i) lanes[i % 16] += terms[i];
  for (int half = 8; half != 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

}  // namespace

float ReferenceFunction(Function function, float slope, float x) {
  if (function == Function::kNone) return x;
  if (std::isnan(x)) return bnq::F32OfBits(bnq::BitsOfF32(x) | 0x00400000u);
  const float up = x > 0 ? x : 0.0f;
  switch (function) {
    case Function::kNone:
      return x;
    case Function::kRelu:
      return up;
    case Function::kRelu6:
      return std::min(up, 6.0f);
    case Function::kLeakyRelu:
      return slope == 0 ? up : x < 0 ? x * slope : x;
    case Function::kSquaredRelu:
      return up * up;
    case Function::kGelu:
      return Gelu(x);
    case Function::kGeluTanh:
      return GeluTanh(x);
    case Function::kSilu:
      return OverOnePlus(std::max(x, -112.0f), Exp(-Clamp(x, 112.0f)));
    case Function::kSigmoid:
      return OverOnePlus(1.0f, Exp(-Clamp(x, 105.0f)));
    case Function::kTanh:
      return Tanh(x);
    case Function::kHardSwish:
      return HardSwish(x);
  }
  return x;
}

std::vector<float> ReferenceSoftmax(const std::vector<float>& x) {
  float most = -HUGE_VALF;
  bool nan = false;
  for (const float v : x) {
    nan = nan || std::isnan(v);
    most = std::max(most, v);
  }
  if (nan || most == HUGE_VALF) return std::vector<float>(x.size(), NAN);
  std::vector<float> y(x.size(), 0.0f);
  if (most == -HUGE_VALF) return y;
  std::vector<double> terms;
  for (size_t i = 0; i < x.size(); ++i) {
    const Power e = Exp(std::max(x[i] - most, -110.0f));
    y[i] = std::ldexp(1.0f + e.p, e.n);
    terms.push_back(static_cast<double>(y[i]));
  }
  const float factor = static_cast<float>(1.0 / LaneSum(terms));
  for (float& v : y) v *= factor;
  return y;
}

std::vector<float> ReferenceNorm(const std::vector<float>& x, bool centered,
                                 double eps, const std::vector<float>& weight,
                                 const std::vector<float>& bias) {
  const double n = static_cast<double>(x.size());
  std::vector<double> terms(x.begin(), x.end());
  const double mean = centered ? LaneSum(terms) / n : 0.0;
  for (double& v : terms) v = (v - mean) * (v - mean);
  const double squares = LaneSum(terms);
  if (!std::isfinite(squares)) return std::vector<float>(x.size(), NAN);
  const double root = std::sqrt(squares / n + eps);
  const double factor = root > 0 ? 1.0 / root : 0.0;
  std::vector<float> y;
  for (size_t i = 0; i < x.size(); ++i) {
    double v = (static_cast<double>(x[i]) - mean) * factor;
    if (!weight.empty()) v *= static_cast<double>(weight[i]);
    if (!bias.empty()) v += static_cast<double>(bias[i]);
    y.push_back(static_cast<float>(v));
  }
  return y;
}

}  // namespace bnq_test
