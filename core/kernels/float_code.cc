#include "core/kernels/float_code.h"

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/float_code.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/traversal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

constexpr int32_t kExponentBits = 0x7F800000;

// As SmallFloatCode and SmallFloatValue (base/small_float.h).
struct FloatCodec {
  // To nearest, ties to even or toward zero.
  enum { kEven, kTowardZero };
  static constexpr int kKinds = 2, kGeneral = kEven, kUnfitted = kTowardZero;
  static constexpr int kAny = kEven;
  static int KindOf(const CodeRule& rule) {
    return rule.rounding == Rounding::kHalfTowardZero ? kTowardZero : kEven;
  }

  template <class D>
  class Decoder;

  template <class D, int kKind>
  class Encoder {
   public:
    using V = hn::Vec<D>;
    using DI = hn::RebindToSigned<D>;
    using VI = hn::Vec<DI>;
    static constexpr bool kFast = kKind == kEven;

    HWY_INLINE Encoder(D d, const CodeRule& rule)
        : inv_scale_(hn::Zero(d)),
          mantissa_drop_(23 - rule.small_float->mantissa_bits) {
      const DI di;
      const SmallFloat& type = *rule.small_float;
      least_exponent_ = hn::Set(di, (type.min_exponent + 127) << 23);
      most_exponent_ = hn::Set(di, (type.greatest_exponent() + 1 + 127) << 23);
      to_unit_ = hn::Set(di, mantissa_drop_ << 23);
      const bool to_next = type.has_non_finite && !rule.saturate;
      most_ = hn::Set(di, static_cast<int32_t>(type.greatest) + to_next);
      // Codes of 8 bits are signed bytes.
      sign_ = hn::Set(
          di, type.sign == 0x80 ? -128 : static_cast<int32_t>(type.sign));
      greatest_ = hn::Set(d, SmallFloatValue(type, type.greatest));
      beyond_ = to_next ? hn::Set(d, HUGE_VALF) : greatest_;
    }
    HWY_INLINE void Begin(D /*d*/, V inv_scale, V /*shift*/) {
      inv_scale_ = inv_scale;
    }
    HWY_INLINE VI operator()(D d, V x, const uint32_t* /*random*/) const {
      if constexpr (kKind == kTowardZero) return CodeApart(d, x);
      return Code(d, x);
    }

    // The nearest number as a float, without its code.
    HWY_INLINE V Value(D d, V x, const uint32_t* /*random*/,
                       const Decoder<D>& decoder) const {
      if constexpr (kKind == kTowardZero) return decoder(d, CodeApart(d, x));
      const DI di;
      const V v = hn::Mul(x, inv_scale_);
      const VI unit = hn::Add(ExponentOf(hn::BitCast(di, v)), to_unit_);
      const V nearest =
          hn::Sub(Sum(d, hn::BitCast(di, v), unit), hn::BitCast(d, unit));
      const V held =
          hn::IfThenElse(hn::Gt(nearest, greatest_), beyond_, nearest);
      return decoder.Scaled(hn::CopySign(held, v));
    }

   private:
    // Of a kind that is too rare to be worth its code wherever it is called.
    HWY_NOINLINE VI CodeApart(D d, V x) const { return Code(d, x); }

    HWY_INLINE VI Code(D d, V x) const {
      const DI di;
      const VI bits = hn::BitCast(di, hn::Mul(x, inv_scale_));
      const VI exponent = ExponentOf(bits);
      const VI unit = hn::Add(exponent, to_unit_);
      const V sum = Sum(d, bits, unit);
      VI units = hn::Sub(hn::BitCast(di, sum), unit);
      if constexpr (kKind == kTowardZero) {
        // A tie that has gone up, by half of a unit.
        const V added =
            hn::Sub(hn::Sub(sum, hn::BitCast(d, unit)),
                    hn::BitCast(d, hn::And(bits, hn::Set(di, 0x7FFFFFFF))));
        const V tie = hn::BitCast(d, hn::Sub(unit, hn::Set(di, 24 << 23)));
        units = hn::Add(
            units, hn::VecFromMask(di, hn::RebindMask(di, hn::Eq(added, tie))));
      }
      const VI below = hn::ShiftRightSame(hn::Sub(exponent, least_exponent_),
                                          mantissa_drop_);
      const VI code = hn::Min(hn::Add(below, units), most_);
      auto negative = hn::Lt(bits, hn::Zero(di));
      if constexpr (kKind == kTowardZero) {
        negative = hn::And(negative, hn::Gt(code, hn::Zero(di)));
      }
      return OrWhere(negative, code, sign_);
    }

    HWY_INLINE VI ExponentOf(VI bits) const {
      return hn::Min(
          hn::Max(hn::And(bits, hn::Set(DI(), kExponentBits)), least_exponent_),
          most_exponent_);
    }
    // Adding 2^23 units of the last mantissa bit leaves the nearest number of
    // them, ties to even.
    HWY_INLINE V Sum(D d, VI bits, VI unit) const {
      const VI a = hn::And(bits, hn::Set(DI(), 0x7FFFFFFF));
      return hn::Add(hn::BitCast(d, a), hn::BitCast(d, unit));
    }

    V inv_scale_, greatest_, beyond_;
    VI least_exponent_, most_exponent_, to_unit_, most_, sign_;
    int mantissa_drop_;
  };

  template <class D>
  class Decoder {
   public:
    using V = hn::Vec<D>;
    using DI = hn::RebindToSigned<D>;
    using VI = hn::Vec<DI>;

    HWY_INLINE Decoder(D d, const CodeRule& rule)
        : scale_(hn::Zero(d)),
          shift_(23 - rule.small_float->mantissa_bits),
          sign_shift_(rule.small_float->sign == 0x80 ? 24 : 28) {
      const DI di;
      const SmallFloat& type = *rule.small_float;
      const int32_t sign = static_cast<int32_t>(type.sign);
      magnitude_ = hn::Set(di, sign - 1);
      subnormal_ = hn::Set(di, 1 << type.mantissa_bits);
      bias_ = hn::Set(di, (type.min_exponent - 1 + 127) << 23);
      least_ = hn::BitCast(
          d, hn::Set(di, (type.min_exponent - type.mantissa_bits + 127) << 23));
      greatest_ = hn::Set(
          di, type.has_non_finite ? static_cast<int32_t>(type.greatest) : sign);
    }
    HWY_INLINE void Begin(D /*d*/, V scale, V /*shift*/) { scale_ = scale; }
    HWY_INLINE V Scaled(V value) const { return hn::Mul(value, scale_); }
    HWY_INLINE V operator()(D d, VI code) const {
      const DI di;
      const VI c = hn::And(code, magnitude_);
      const VI normal = hn::Add(hn::ShiftLeftSame(c, shift_), bias_);
      const VI small = hn::BitCast(di, hn::Mul(hn::ConvertTo(d, c), least_));
      VI bits = hn::IfThenElse(hn::Lt(c, subnormal_), small, normal);
      bits = OrWhere(hn::Gt(c, greatest_), bits, hn::Set(di, kExponentBits));
      // What is above the sign is a copy of it, or 0.
      const VI sign =
          hn::And(hn::ShiftLeftSame(code, sign_shift_), hn::Set(di, INT32_MIN));
      return Scaled(hn::BitCast(d, hn::Or(bits, sign)));
    }

   private:
    V scale_, least_;
    VI magnitude_, subnormal_, bias_, greatest_;
    int shift_, sign_shift_;
  };
};

}  // namespace

const Kernels* GetFloatCode() { return MakeKernels<FloatCodec>(); }

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(GetFloatCode);

const Kernels& FloatCodeKernels() {
  return *HWY_DYNAMIC_DISPATCH(GetFloatCode)();
}

}  // namespace bnq
#endif  // HWY_ONCE
