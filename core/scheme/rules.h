// What formats have in common: which option goes with which, and what an option
// makes of a range.
#ifndef BNQ_CORE_SCHEME_RULES_H_
#define BNQ_CORE_SCHEME_RULES_H_

#include <cstddef>

#include "core/scheme/format.h"

namespace bnq {

RoundingSteps StepsOf(Rounding rounding);
// UNSUPPORTED, naming the option, where the format cannot do what config says.
void CheckSupported(const Format& format, const Config& config);
Packing PackingOf(const Format& format, const Config& config);
CodeRule RuleOf(const Format& format, const Variant& variant);
// What a variant's range is made from, where it is not searched for.
Statistic StatisticOf(const Format& format, const Variant& variant);
// A segment's parameters from its statistic, with the scale as it is stored;
// or those of `count` segments, whose ranges may be changed.
Params ParamsOf(const Format& format, const Variant& variant, Range range);
void ParamsOf(const Format& format, const Variant& variant, Range* ranges,
              size_t count, Params* out);
// The nearest scale that the type holds: saturated, never infinite, and 0 only
// for 0.
float RoundScale(float scale, ScaleDType dtype);

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_RULES_H_
