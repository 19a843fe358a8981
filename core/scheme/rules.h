// What formats have in common: what an option makes of a range.
#ifndef BNQ_CORE_SCHEME_RULES_H_
#define BNQ_CORE_SCHEME_RULES_H_

#include <cstddef>

#include "core/scheme/format.h"

namespace bnq {

RoundingSteps StepsOf(Rounding rounding);
Packing PackingOf(const Format& format, const Config& config);
// Added to a code before packing, so that stored codes start at 0.
int32_t BiasOf(const Format& format, const CodeRule& rule);
CodeRule RuleOf(const Format& format, const Variant& variant);
// Whether codes are made with scales as they were found, not as they are
// stored: always where that is one by one; of double quantized scales, as
// bitsandbytes does it for its formats.
bool CodesAreExact(const Format& format, const Config& config);
// What a variant's range is made from, where it is not searched for.
Statistic StatisticOf(const Format& format, const Variant& variant);
// A segment's parameters from its statistic, with the scale as it is stored;
// or those of `count` segments, whose ranges may be changed.
Params ParamsOf(const Format& format, const Variant& variant, Range range);
void ParamsOf(const Format& format, const Variant& variant, Range* ranges,
              size_t count, Params* out);
// The nearest scale that the type holds: saturated, never infinite, and 0 only
// for 0. Powers of two are the next one up. What is stored together is left as
// it is (StoreScales).
float RoundScale(float scale, ScaleDType dtype);
// The same of a scale of which `most` are finite, and remain so: where it was
// rounded up too far it is the next lower one.
float RoundGivenScale(float scale, ScaleDType dtype, double most);
// The nearest offset that the type holds, never infinite.
float RoundOffset(float offset, ScaleDType dtype);
// The greatest magnitude of a value of scale 1.
double GreatestValue(const Format& format, CodeRange codes, int32_t zero_point);

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_RULES_H_
