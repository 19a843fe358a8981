// Configs of the registry, as texts: every combination of what options can be.
#ifndef BNQ_BENCH_FIDELITY_CONFIGS_H_
#define BNQ_BENCH_FIDELITY_CONFIGS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/study.h"
#include "bnq/bnq.h"

namespace bnq_bench {

using Strings = std::vector<std::string>;

inline std::string With(const std::string& text, const char* option,
                        const char* value) {
  const Handle<bnq_config> config = Parse(text);
  Check(bnq_options_set_text(bnq_config_settings(config.get()), option, value));
  return ToText(config.get());
}

inline int64_t Get(const std::string& text, int32_t option) {
  int64_t value = 0;
  Check(bnq_options_get_int(bnq_config_options(Parse(text).get()), option,
                            &value));
  return value;
}

inline int64_t Property(int32_t format, int32_t property) {
  int64_t value = 0;
  Check(bnq_format_property(format, property, &value));
  return value;
}

// "option=value" for every value of the option that has a name.
inline Strings Values(int32_t option) {
  Strings items;
  double least = 0, greatest = 0;
  Check(bnq_option_bounds(BNQ_OPTIONS_CONFIG, option, nullptr, &least,
                          &greatest, nullptr));
  for (int64_t v = static_cast<int64_t>(least); v <= greatest; ++v) {
    const char* name = bnq_option_value_name(BNQ_OPTIONS_CONFIG, option, v);
    if (!name) break;
    items.push_back(std::string(bnq_option_name(BNQ_OPTIONS_CONFIG, option)) +
                    "=" + name);
  }
  return items;
}

// Every combination of one item of each list, the last list fastest.
inline Strings Product(const std::vector<Strings>& lists) {
  Strings result = {""};
  for (const Strings& list : lists) {
    Strings longer;
    for (const std::string& head : result) {
      for (const std::string& item : list) {
        longer.push_back(head.empty() ? item : head + "," + item);
      }
    }
    result = std::move(longer);
  }
  return result;
}

inline Strings Granularities() {
  Strings result;
  for (const std::string& item : Values(BNQ_OPT_GRANULARITY)) {
    if (item == "granularity=token") continue;  // of a matrix: its channels
    if (item == "granularity=group") {
      for (const char* size : {"128", "64", "32"}) {
        result.push_back(item + ",group_size=" + size);
      }
    } else {
      result.push_back(item == "granularity=block" ? item + ",group_size=64"
                                                   : item);
    }
  }
  return result;
}

// Those by name, without "default", which is one of them; and a second, smaller
// percentage.
inline Strings Rules() {
  Strings rules = Values(BNQ_OPT_SCALE_RULE);
  rules.erase(std::remove(rules.begin(), rules.end(), "scale_rule=default"),
              rules.end());
  rules.push_back("scale_rule=percentile,percentile=99");
  return rules;
}

}  // namespace bnq_bench

#endif  // BNQ_BENCH_FIDELITY_CONFIGS_H_
