#include "core/scheme/code_table.h"

#include <cmath>

namespace bnq {

CodeTable FittedTable(const float* values, int count) {
  CodeTable table = {};
  for (int i = 0; i < 16; ++i) {
    table.codes[i] = i;
    // No rank gets to those that there are not.
    table.values[i] = values[i < count ? i : count - 1];
  }
  for (int i = 0; i < 15; ++i) {
    table.thresholds[i] =
        i + 1 < count ? (values[i] + values[i + 1]) * 0.5f : HUGE_VALF;
  }
  SetLevels(&table);
  return table;
}

}  // namespace bnq
