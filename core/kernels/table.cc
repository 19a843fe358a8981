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

// 16 floats or integers looked up by lanes of indices 0..15.
template <class D>
class Table16 {
 public:
  using T = hn::TFromD<D>;
  using DI = hn::RebindToSigned<D>;

  HWY_INLINE Table16(D d, const T* HWY_RESTRICT table) {
    if constexpr (hn::MaxLanes(d) >= 16) {
      v_[0] = hn::LoadU(d, table);
    } else if constexpr (hn::MaxLanes(d) == 8) {
      v_[0] = hn::LoadU(d, table);
      v_[1] = hn::LoadU(d, table + 8);
    } else {
      table_ = table;
    }
  }

  HWY_INLINE hn::Vec<D> operator()(D d, hn::Vec<DI> index) const {
    if constexpr (hn::MaxLanes(d) >= 16) {
      return hn::TableLookupLanes(v_[0], hn::IndicesFromVec(d, index));
    } else if constexpr (hn::MaxLanes(d) == 8) {
      const auto low = hn::And(index, hn::Set(DI(), 7));
      const auto lanes = hn::IndicesFromVec(d, low);
      const auto upper = hn::RebindMask(d, hn::Gt(index, hn::Set(DI(), 7)));
      return hn::IfThenElse(upper, hn::TableLookupLanes(v_[1], lanes),
                            hn::TableLookupLanes(v_[0], lanes));
    } else {
      HWY_ALIGN int32_t i[hn::MaxLanes(d)];
      HWY_ALIGN T out[hn::MaxLanes(d)];
      hn::Store(index, DI(), i);
      for (size_t k = 0; k < hn::Lanes(d); ++k) out[k] = table_[i[k]];
      return hn::Load(d, out);
    }
  }

 private:
  hn::Vec<D> v_[hn::MaxLanes(D()) == 8 ? 2 : 1];
  const T* table_ = nullptr;
};

struct TableCodec {
  static constexpr bool kRounds = false;

  // Where vectors have the lanes for it, a binary search of four steps over the
  // thresholds, each level of which fits a register; else one comparison with
  // each threshold.
  template <class D, Rounding>
  class Encoder {
   public:
    using V = hn::Vec<D>;
    using DI = hn::RebindToSigned<D>;
    using VI = hn::Vec<DI>;
    static constexpr size_t kLanesOf = hn::MaxLanes(D());

    HWY_INLINE Encoder(D d, const CodeRule& rule, V inv_scale, V /*zero*/)
        : inv_scale_(inv_scale),
          table_(*rule.table),
          codes_(DI(), rule.table->codes) {
      if constexpr (kLanesOf >= 8) {
        root_ = hn::Set(d, table_.levels[0][0]);
        for (int i = 0; i < 3; ++i) {
          level_[i] =
              hn::LoadU(d, kLanesOf >= 16 ? table_.levels[i + 1]
                                          : table_.packed_levels[i + 1]);
        }
      }
    }

    HWY_INLINE VI operator()(D d, V x, const uint32_t* /*random*/) const {
      const DI di;
      const auto v = hn::Mul(x, inv_scale_);
      VI rank;
      if constexpr (kLanesOf >= 16) {
        // Bits are set where they stay.
        rank = hn::IfThenElseZero(hn::RebindMask(di, hn::Gt(v, root_)),
                                  hn::Set(di, 8));
        for (int i = 0; i < 3; ++i) {
          const auto threshold =
              hn::TableLookupLanes(level_[i], hn::IndicesFromVec(d, rank));
          const auto above = hn::RebindMask(di, hn::Gt(v, threshold));
          rank = OrWhere(above, rank, hn::Set(di, 4 >> i));
        }
      } else if constexpr (kLanesOf == 8) {
        const auto above = [&](V threshold) HWY_ATTR {
          return hn::VecFromMask(di, hn::RebindMask(di, hn::Gt(v, threshold)));
        };
        // A mask is -1.
        rank = hn::Sub(hn::Zero(di), above(root_));
        for (const V& level : level_) {
          const auto threshold =
              hn::TableLookupLanes(level, hn::IndicesFromVec(d, rank));
          rank = hn::Sub(hn::Add(rank, rank), above(threshold));
        }
      } else {
        rank = hn::Zero(di);
        for (float threshold : table_.thresholds) {
          const auto above = hn::Gt(v, hn::Set(d, threshold));
          rank = hn::Sub(rank, hn::VecFromMask(di, hn::RebindMask(di, above)));
        }
      }
      return codes_(di, rank);
    }

   private:
    V inv_scale_;
    const CodeTable& table_;
    Table16<DI> codes_;
    V root_, level_[3];
  };

  template <class D>
  class Decoder {
   public:
    HWY_INLINE Decoder(D d, const CodeRule& rule)
        : values_(d, rule.table->values) {}
    HWY_INLINE hn::Vec<D> operator()(D d, hn::Vec<hn::RebindToSigned<D>> code,
                                     hn::Vec<D> scale,
                                     hn::Vec<D> /*zero_point*/) const {
      return hn::Mul(values_(d, code), scale);
    }

   private:
    Table16<D> values_;
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
