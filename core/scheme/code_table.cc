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
  for (int l = 0; l < 4; ++l) {
    for (int i = 0; i < 1 << l; ++i) {
      table.levels[l][i] = table.thresholds[(2 * i + 1) * (8 >> l) - 1];
    }
  }
  return table;
}

}  // namespace bnq
