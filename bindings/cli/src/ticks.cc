#include "ticks.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "text.h"

namespace bnq::cli {
namespace {

constexpr double kBase = 10.0;

// 1, 2 or 5 times a power of ten, the least that is not below `step`.
double NiceStep(double step) {
  const double power = std::pow(kBase, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    // Rounding of the quotient must not lead to the next larger step.
    if (power * factor >= step * (1 - 1e-9)) return power * factor;
  }
  return power * kBase;
}

std::string TickText(double value, double step, double greatest) {
  if (greatest >= 1e6 || greatest < 1e-3) return GeneralText(value, 6);
  const int digits =
      std::max(0, -static_cast<int>(std::floor(std::log10(step) + 1e-9)));
  return FixedText(value, digits);
}

}  // namespace

std::vector<Tick> Ticks(double low, double high, double room, double character,
                        int wanted) {
  std::vector<Tick> ticks;
  const double greatest = std::max(std::fabs(low), std::fabs(high));
  for (; wanted >= 2; --wanted) {
    ticks.clear();
    const double step = NiceStep((high - low) / wanted);
    std::size_t widest = 0;
    for (double k = std::ceil(low / step); k * step <= high; k += 1) {
      // Not -0.
      const double value = k == 0 ? 0 : k * step;
      ticks.push_back({value, TickText(value, step, greatest)});
      widest = std::max(widest, ticks.back().text.size());
    }
    const double taken = static_cast<double>(ticks.size()) *
                         (static_cast<double>(widest) * character + 18);
    if (taken <= room) break;
  }
  return ticks;
}

std::string PowerText(int exponent) {
  static const char* const kDigits[] = {"⁰", "¹", "²", "³", "⁴",
                                        "⁵", "⁶", "⁷", "⁸", "⁹"};
  if (std::abs(exponent) <= 3) {
    return FixedText(std::pow(kBase, exponent), std::max(0, -exponent));
  }
  std::string text = exponent < 0 ? "10⁻" : "10";
  for (const char digit : std::to_string(std::abs(exponent))) {
    text += kDigits[digit - '0'];
  }
  return text;
}

}  // namespace bnq::cli
