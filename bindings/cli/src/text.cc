#include "text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace bnq::cli {
namespace {

// As printf's %.*f or %.*g, but in every locale with a point.
std::string NumberText(std::chars_format format, double value, int digits) {
  if (std::isnan(value)) return "-";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // The longest fixed text of a double has 309 digits before the point.
  char buffer[400];
  return std::string(
      buffer,
      std::to_chars(buffer, buffer + sizeof buffer, value, format, digits).ptr);
}

}  // namespace

bool EndsWith(std::string_view text, std::string_view ending) {
  return text.size() >= ending.size() &&
         text.substr(text.size() - ending.size()) == ending;
}

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const auto escape = [&out](unsigned char byte) {
    char buffer[5];
    std::snprintf(buffer, sizeof buffer, "\\x%02x", byte);
    out += buffer;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F, the C1 controls, are C2 80 to C2 9F in UTF-8.
    const bool c1 = byte == 0xc2 && i + 1 < text.size() &&
                    static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c1) {
      escape(byte);
      escape(static_cast<unsigned char>(text[++i]));
    } else if (byte < 0x20 || byte == 0x7f) {
      escape(byte);
    } else {
      out += text[i];
    }
  }
  return out;
}

std::size_t TextWidth(std::string_view text) {
  std::size_t width = 0;
  for (const char c : text) {
    width += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }
  return width;
}

std::string Shortened(const std::string& text, std::size_t width) {
  std::size_t excess = TextWidth(text);
  if (excess <= width) return text;
  if (width <= 3) return "";
  excess = excess - width + 3;
  std::size_t begin = 0;
  while (begin < text.size() && excess > 0) {
    ++begin;
    while (begin < text.size() &&
           (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) {
      ++begin;
    }
    --excess;
  }
  return "..." + text.substr(begin);
}

std::string BytesText(uint64_t bytes) {
  static const char* const kUnits[] = {"KiB", "MiB", "GiB",
                                       "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.995 would be printed as 1024.00.
  while (value >= 1023.995 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return FixedText(value, 2) + " " + kUnits[unit];
}

std::string ShapeText(const std::vector<uint64_t>& shape) {
  if (shape.empty()) return "scalar";
  std::string out;
  for (const uint64_t dimension : shape) {
    if (!out.empty()) out += 'x';
    out += std::to_string(dimension);
  }
  return out;
}

std::string FixedText(double value, int digits) {
  return NumberText(std::chars_format::fixed, value, digits);
}

std::string GeneralText(double value, int digits) {
  return NumberText(std::chars_format::general, value, digits);
}

std::string SignificantText(double value, int digits) {
  const double size = std::fabs(value);
  if (!(size >= 1e-4 && size < 1e6)) return GeneralText(value, digits);
  const int decades = static_cast<int>(std::floor(std::log10(size)));
  return FixedText(value, std::max(0, digits - 1 - decades));
}

std::string CountText(uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) out += "\u202f";
    out += digits[i];
  }
  return out;
}

}  // namespace bnq::cli
