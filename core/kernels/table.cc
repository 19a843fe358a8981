#include "core/kernels/table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/table.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/traversal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

// Lane i of the result is entry index[i] of a table, of as many entries as the
// name says, in two registers or in memory.
template <class D, class VI>
HWY_INLINE hn::Vec<D> EntryOf32(D /*d*/, const hn::Vec<D>* v, VI index) {
#if BNQ_AVX512
  if constexpr (hn::MaxLanes(D()) == 16) {
    if constexpr (sizeof(hn::TFromD<D>) == 4 && hwy::IsFloat<hn::TFromD<D>>()) {
      return hn::Vec<D>{_mm512_permutex2var_ps(v[0].raw, index.raw, v[1].raw)};
    } else {
      return hn::Vec<D>{
          _mm512_permutex2var_epi32(v[0].raw, index.raw, v[1].raw)};
    }
  }
#endif
  const D d;
  const hn::RebindToSigned<D> di;
  const auto lane = hn::And(index, hn::Set(di, 15));
  const auto upper =
      hn::RebindMask(d, hn::Ne(hn::And(index, hn::Set(di, 16)), hn::Zero(di)));
  const auto lanes = hn::IndicesFromVec(d, lane);
  return hn::IfThenElse(upper, hn::TableLookupLanes(v[1], lanes),
                        hn::TableLookupLanes(v[0], lanes));
}

template <class D, class VI>
HWY_INLINE hn::Vec<D> EntryOf16(D d, const hn::Vec<D>* v, VI index) {
  const hn::RebindToSigned<D> di;
  const auto lanes = hn::IndicesFromVec(d, hn::And(index, hn::Set(di, 7)));
  const auto upper = hn::RebindMask(d, hn::Gt(index, hn::Set(di, 7)));
  return hn::IfThenElse(upper, hn::TableLookupLanes(v[1], lanes),
                        hn::TableLookupLanes(v[0], lanes));
}

template <class D, class VI>
HWY_INLINE hn::Vec<D> LookupInMemory(D d, const hn::TFromD<D>* table,
                                     VI index) {
  HWY_ALIGN int32_t i[hn::MaxLanes(d)];
  HWY_ALIGN hn::TFromD<D> out[hn::MaxLanes(d)];
  hn::Store(index, hn::RebindToSigned<D>(), i);
  for (size_t k = 0; k < hn::Lanes(d); ++k) out[k] = table[i[k]];
  return hn::Load(d, out);
}

struct TableCodec {
  // With 16 lanes by buckets, which registers hold, where the table has some;
  // else, and with 8, a binary search of four steps over the thresholds, each
  // level of which fits a register; with fewer one comparison with each
  // threshold. Ranks are codes unless the table is mirrored.
  static constexpr size_t kLanesOf = hn::MaxLanes(DF());
  enum { kRanks, kMirrored, kSearched };
  static constexpr int kKinds = kLanesOf >= 16 ? 3 : 2;
  static constexpr int kGeneral = kLanesOf >= 16  ? kSearched
                                  : kLanesOf >= 8 ? kRanks
                                                  : kMirrored;
  static constexpr int kUnfitted = -1;
  static constexpr int kAny = kLanesOf >= 16 ? kSearched : kMirrored;
  static int KindOf(const CodeRule& rule) {
    if (kLanesOf >= 16 && rule.table->buckets == 0.0f) return kSearched;
    return rule.table->mirrored || kLanesOf < 8 ? kMirrored : kRanks;
  }

  template <class D>
  class Decoder;

  template <class D, int kKind>
  class Encoder {
   public:
    using V = hn::Vec<D>;
    using DI = hn::RebindToSigned<D>;
    using VI = hn::Vec<DI>;
    static constexpr size_t kLanesOf = hn::MaxLanes(D());
    static constexpr bool kBuckets = kLanesOf >= 16 && kKind != kSearched;
    static constexpr bool kFast = kKind != kSearched;

    HWY_INLINE Encoder(D d, const CodeRule& rule)
        : table_(*rule.table), a_(), b_() {
      if constexpr (kBuckets) {
        for (size_t i = 0; i < 2; ++i) {
          a_[i] = hn::LoadU(d, table_.bucket_thresholds + 16 * i);
          b_[i] = hn::LoadU(DI(), table_.bucket_codes + 16 * i);
          if constexpr (kKind == kRanks) {
            b_[i] = hn::And(b_[i], hn::Set(DI(), 15));
          }
        }
        negative_ = hn::Set(d, table_.thresholds[7]);
        buckets_ = hn::Set(d, table_.buckets);
      } else if constexpr (kLanesOf >= 8) {
        a_[0] = hn::Set(d, table_.levels[0][0]);
        for (int i = 1; i < 4; ++i) {
          a_[i] = hn::MaskedLoad(hn::FirstN(d, 8), d, table_.levels[i]);
        }
        for (size_t i = 0; i < 2; ++i) {
          b_[i] = hn::LoadU(DI(), table_.codes + (16 - kLanesOf) * i);
        }
      }
    }

    // Elements with another scale follow.
    HWY_INLINE void Begin(D /*d*/, V inv_scale, V /*shift*/) {
      inv_scale_ = inv_scale;
    }

    HWY_INLINE VI operator()(D d, V x, const uint32_t* /*random*/) const {
      const DI di;
      const auto v = hn::Mul(x, inv_scale_);
      if constexpr (kBuckets) {
        const auto one = hn::Set(d, 1.0f);
        const auto u = kKind == kRanks ? v : hn::Abs(v);
        auto bounded = hn::Min(u, one);
        if constexpr (kKind == kRanks) bounded = hn::Max(bounded, hn::Neg(one));
        // The nearest integer in the low bits; which of two it is at an edge,
        // so how it was rounded, does not matter: no threshold is near.
        const auto bucket = hn::BitCast(
            di, hn::MulAdd(bounded, buckets_, hn::Set(d, 12582912.0f)));
        const auto above =
            hn::RebindMask(di, hn::Gt(u, EntryOf32(d, a_, bucket)));
        const auto codes = EntryOf32(di, b_, bucket);
        if constexpr (kKind == kRanks) {
          return AddWhere(above, codes, hn::Set(di, 1));
        }
        const auto code =
            hn::And(hn::IfThenElse(above, hn::ShiftRight<4>(codes), codes),
                    hn::Set(di, 15));
        return OrWhere(hn::RebindMask(di, hn::Le(v, negative_)), code,
                       hn::Set(di, 8));
      } else if constexpr (kLanesOf >= 8) {
        const auto above = [&](V threshold) HWY_ATTR {
          return hn::VecFromMask(di, hn::RebindMask(di, hn::Gt(v, threshold)));
        };
        // A mask is -1.
        auto rank = hn::Sub(hn::Zero(di), above(a_[0]));
        for (int i = 1; i < 4; ++i) {
          const auto threshold =
              hn::TableLookupLanes(a_[i], hn::IndicesFromVec(d, rank));
          rank = hn::Sub(hn::Add(rank, rank), above(threshold));
        }
        if constexpr (kKind == kRanks) return rank;
        if constexpr (kLanesOf >= 16) {
          return hn::TableLookupLanes(b_[0], hn::IndicesFromVec(di, rank));
        } else {
          return EntryOf16(di, b_, rank);
        }
      } else {
        auto rank = hn::Zero(di);
        HWY_UNROLL(1)
        for (float threshold : table_.thresholds) {
          const auto above = hn::Gt(v, hn::Set(d, threshold));
          rank = hn::Sub(rank, hn::VecFromMask(di, hn::RebindMask(di, above)));
        }
        return LookupInMemory(di, table_.codes, rank);
      }
    }

    HWY_INLINE V Value(D d, V x, const uint32_t* random,
                       const Decoder<D>& decoder) const {
      return decoder(d, (*this)(d, x, random));
    }

   private:
    V inv_scale_;
    const CodeTable& table_;
    V a_[kBuckets || kLanesOf < 8 ? 2 : 4];
    VI b_[2];
    V negative_, buckets_;
  };

  template <class D>
  class Decoder {
   public:
    static constexpr size_t kLanesOf = hn::MaxLanes(D());

    HWY_INLINE Decoder(D d, const CodeRule& rule)
        : table_(rule.table->values), v_(), scale_(hn::Zero(d)) {
      if constexpr (kLanesOf >= 8) {
        v_[0] = hn::LoadU(d, table_);
        v_[1] = hn::LoadU(d, table_ + 16 - kLanesOf);
      }
    }
    HWY_INLINE void Begin(D /*d*/, hn::Vec<D> scale, hn::Vec<D> /*shift*/) {
      scale_ = scale;
    }
    HWY_INLINE hn::Vec<D> operator()(
        D d, hn::Vec<hn::RebindToSigned<D>> code) const {
      if constexpr (kLanesOf >= 16) {
        return hn::Mul(hn::TableLookupLanes(v_[0], hn::IndicesFromVec(d, code)),
                       scale_);
      } else if constexpr (kLanesOf == 8) {
        return hn::Mul(EntryOf16(d, v_, code), scale_);
      } else {
        // Whole vectors are decoded: behind a span, lanes may hold anything.
        const auto entry = hn::And(code, hn::Set(hn::RebindToSigned<D>(), 15));
        return hn::Mul(LookupInMemory(d, table_, entry), scale_);
      }
    }

   private:
    const float* table_;
    hn::Vec<D> v_[2], scale_;
  };
};

}  // namespace

const Kernels* GetTable() { return MakeKernels<TableCodec>(); }

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(GetTable);

const Kernels& TableKernels() { return *HWY_DYNAMIC_DISPATCH(GetTable)(); }

}  // namespace bnq
#endif  // HWY_ONCE
