// Where the axes of pictures have their numbers.
#ifndef BNQ_CLI_TICKS_H_
#define BNQ_CLI_TICKS_H_

#include <string>
#include <vector>

namespace bnq::cli {

struct Tick {
  double value;
  std::string text;
};

// Round numbers from `low` to `high`, at most `wanted` and about as many as
// there is room for in so many pixels, of text whose characters are
// `character` wide.
std::vector<Tick> Ticks(double low, double high, double room, double character,
                        int wanted = 10);

// "1", "10", "100", "1000", "10⁴"; "0.1", "0.01", "0.001", "10⁻⁴"
std::string PowerText(int exponent);

}  // namespace bnq::cli

#endif  // BNQ_CLI_TICKS_H_
