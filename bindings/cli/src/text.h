// Text for people: nothing here is used for --json.
#ifndef BNQ_CLI_TEXT_H_
#define BNQ_CLI_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bnq::cli {

// Names come out of files that may be hostile: control characters become \xNN,
// so that a terminal does not obey them and a line stays a line.
std::string Printable(std::string_view text);

bool EndsWith(std::string_view text, std::string_view ending);

// Columns a UTF-8 text takes, counting one for each code point.
std::size_t TextWidth(std::string_view text);

// At most `width` columns of text: whole, or its end, which tells tensors
// apart better than the beginning.
std::string Shortened(const std::string& text, std::size_t width);

// "512 B", "1.50 KiB", ...
std::string BytesText(uint64_t bytes);

// "64x128"; "scalar" for rank 0.
std::string ShapeText(const std::vector<uint64_t>& shape);

// `digits` after the point; "inf" and "-inf"; "-" for NaN.
std::string FixedText(double value, int digits);

// `digits` significant digits, in exponent form where that is shorter; "-" for
// NaN.
std::string GeneralText(double value, int digits);

// `digits` significant digits, also those that are 0, so that numbers of one
// size stand below each other; "0" for 0.
std::string SignificantText(double value, int digits);

// "17 226", with narrow spaces that do not break.
std::string CountText(uint64_t count);

}  // namespace bnq::cli

#endif  // BNQ_CLI_TEXT_H_
