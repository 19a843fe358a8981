// Dot products of an instruction family, for a struct S of its vectors and
// instructions. Included once in the file of each family, within its
// attributes; S is that file's own, so that nothing here is shared by name.
//
// Weights are unsigned and activations signed, as the instructions have it.
// Planes of packed codes are masked, not shifted, where the family's products
// allow: plane i then counts 4^i or 16^i times, which is undone at the end of a
// row. The base-3 codes of a byte t are not taken apart at all: with t_0 = t
// and t_(n+1) = 3 t_n mod 256 digit n is (3 t_n - t_(n+1)) / 256, so that the
// sum over digits is (3 sum t_n x_n - sum t_(n+1) x_n) / 256; the sums may
// wrap, since the result does not.
#ifndef BNQ_CORE_KERNELS_DOT_FAMILY_INL_H_
#define BNQ_CORE_KERNELS_DOT_FAMILY_INL_H_

#include "core/kernels/dot.h"

#define BNQ_DOT_INLINE inline __attribute__((always_inline))

namespace bnq {

// How far ahead of where they are read codes are asked for, and the farthest
// that is worth it.
constexpr size_t kDotAhead = 4096, kDotFar = 16384;

template <class S>
struct DotFamily {
  using V = typename S::V;
  static constexpr size_t kBytes = S::kBytes;
  static constexpr size_t kPieces = kDotBytes / kBytes;

  // Piece h of the chunk at p, of which `left` bytes may be read.
  // Not inline: of ends alone.
  static __attribute__((noinline)) V LoadPiece(const uint8_t* p, size_t h,
                                               size_t left) {
    if (left >= (h + 1) * kBytes) return S::Load(p + h * kBytes);
    if (left <= h * kBytes) return S::Zero();
    return S::LoadPart(p + h * kBytes, left - h * kBytes);
  }

  // Of packed bytes w, plane i of its codes, times kScale.
  template <int kI>
  struct Plane2 {
    static constexpr int kShift = S::kMasks || kI < 3 ? 2 * kI : 0;
    static BNQ_DOT_INLINE V Of(V w) {
      if (kShift != 2 * kI) {
        return S::And(S::template ShiftRight<2 * kI>(w), S::Set(3));
      }
      return S::And(w, S::Set(static_cast<char>(3 << (2 * kI))));
    }
  };
  // The codes themselves.
  template <int kBits, int kI>
  static BNQ_DOT_INLINE V Codes(V w) {
    const V mask = S::Set(static_cast<char>((1 << kBits) - 1));
    return kI == 0 ? S::And(w, mask)
                   : S::And(S::template ShiftRight<kBits * kI>(w), mask);
  }
  static BNQ_DOT_INLINE V Map(V table, V codes) {
    return S::Shuffle(table, codes);
  }

  // ---- whole rows --------------------------------------------------------

  // Walks the chunks of kR rows: step(chunk number, piece, w[kR]).
  template <int kR, class F>
  static BNQ_DOT_INLINE void EachPiece(const DotArgs& a, size_t row, F step) {
    const uint8_t* rows[kR];
#pragma GCC unroll 16
    for (size_t r = 0; r < kR; ++r) rows[r] = a.data + (row + r) * a.stride;
    const size_t full = a.bytes / kDotBytes;
    // The same place of the rows after these; of long rows, further on.
    const size_t ahead =
        kR > 1 && kR * a.stride <= kDotFar ? kR * a.stride : kDotAhead;
    V w[kR];
    for (size_t c = 0; c < full; ++c) {
      const size_t at = c * kDotBytes;
#pragma GCC unroll 16
      for (size_t r = 0; r < kR; ++r) S::Prefetch(rows[r] + at + ahead);
#pragma GCC unroll 2
      for (size_t h = 0; h < kPieces; ++h) {
#pragma GCC unroll 16
        for (size_t r = 0; r < kR; ++r)
          w[r] = S::Load(rows[r] + at + h * kBytes);
        step(c, h, w);
      }
    }
    const size_t left = a.bytes - full * kDotBytes;
    if (left == 0) return;
#pragma GCC unroll 2
    for (size_t h = 0; h < kPieces; ++h) {
#pragma GCC unroll 16
      for (size_t r = 0; r < kR; ++r) {
        w[r] = LoadPiece(rows[r] + full * kDotBytes, h, left);
      }
      step(full, h, w);
    }
  }

  template <int kR>
  static BNQ_DOT_INLINE void Whole2(const DotArgs& a, size_t row) {
    V acc[kR][4];
    for (auto& of_row : acc) {
      for (V& v : of_row) v = S::Zero();
    }
    EachPiece<kR>(a, row, [&](size_t c, size_t h, const V* w) {
      const int8_t* const x = a.x + c * 4 * kDotBytes + h * kBytes;
      const V x0 = S::Load(x), x1 = S::Load(x + kDotBytes);
      const V x2 = S::Load(x + 2 * kDotBytes), x3 = S::Load(x + 3 * kDotBytes);
#pragma GCC unroll 16
      for (size_t r = 0; r < kR; ++r) {
        acc[r][0] = S::Dot(acc[r][0], Plane2<0>::Of(w[r]), x0);
        acc[r][1] = S::Dot(acc[r][1], Plane2<1>::Of(w[r]), x1);
        acc[r][2] = S::Dot(acc[r][2], Plane2<2>::Of(w[r]), x2);
        acc[r][3] = S::Dot(acc[r][3], Plane2<3>::Of(w[r]), x3);
      }
    });
#pragma GCC unroll 16
    for (size_t r = 0; r < kR; ++r) {
      const V sum = S::Add32(
          S::Add32(acc[r][0],
                   S::template ShiftRight32<Plane2<1>::kShift>(acc[r][1])),
          S::Add32(S::template ShiftRight32<Plane2<2>::kShift>(acc[r][2]),
                   S::template ShiftRight32<Plane2<3>::kShift>(acc[r][3])));
      a.sums[(row + r) * a.sums_stride] = S::Sum(sum);
    }
  }

  template <int kR, bool kMap, bool kHighFirst>
  static BNQ_DOT_INLINE void Whole4(const DotArgs& a, size_t row) {
    constexpr bool kMask = S::kMasks && !kMap;
    constexpr int kShift = kMask ? 4 : 0;
    const V table = kMap ? S::Table(a.codes.map) : S::Zero();
    V low[kR], high[kR];
#pragma GCC unroll 16
    for (size_t r = 0; r < kR; ++r) low[r] = high[r] = S::Zero();
    EachPiece<kR>(a, row, [&](size_t c, size_t h, const V* w) {
      const int8_t* const x = a.x + c * 2 * kDotBytes + h * kBytes;
      const V of_low = S::Load(x + (kHighFirst ? kDotBytes : 0));
      const V of_high = S::Load(x + (kHighFirst ? 0 : kDotBytes));
#pragma GCC unroll 16
      for (size_t r = 0; r < kR; ++r) {
        V l = Codes<4, 0>(w[r]);
        V u = kMask ? S::And(w[r], S::Set(static_cast<char>(0xF0)))
                    : Codes<4, 1>(w[r]);
        if (kMap) {
          l = Map(table, l);
          u = Map(table, u);
        }
        low[r] = S::Dot(low[r], l, of_low);
        high[r] = S::Dot(high[r], u, of_high);
      }
    });
#pragma GCC unroll 16
    for (size_t r = 0; r < kR; ++r) {
      a.sums[(row + r) * a.sums_stride] =
          S::Sum(S::Add32(low[r], S::template ShiftRight32<kShift>(high[r])));
    }
  }

  template <int kR>
  static BNQ_DOT_INLINE void Whole8(const DotArgs& a, size_t row) {
    const V flip = S::Set(static_cast<char>(a.codes.flip ? 0x80 : 0));
    V acc[kR];
    for (V& v : acc) v = S::Zero();
    EachPiece<kR>(a, row, [&](size_t c, size_t h, const V* w) {
      const V x = S::Load(a.x + c * kDotBytes + h * kBytes);
#pragma GCC unroll 16
      for (size_t r = 0; r < kR; ++r) {
        acc[r] = S::DotWide(acc[r], S::Xor(w[r], flip), x);
      }
    });
#pragma GCC unroll 16
    for (size_t r = 0; r < kR; ++r) {
      a.sums[(row + r) * a.sums_stride] = S::Sum(acc[r]);
    }
  }

  // Digits 0, 1, 2 of t, as bytes.
  static BNQ_DOT_INLINE V Digit(V t) { return S::DigitOf(t); }

  template <int kR>
  static BNQ_DOT_INLINE void WholeBase3(const DotArgs& a, size_t row) {
    V first[kR], second[kR];
#pragma GCC unroll 16
    for (size_t r = 0; r < kR; ++r) first[r] = second[r] = S::Zero();
    EachPiece<kR>(a, row, [&](size_t c, size_t h, const V* w) {
      const int8_t* const x = a.x + c * 5 * kDotBytes + h * kBytes;
      V t[kR];
#pragma GCC unroll 16
      for (size_t r = 0; r < kR; ++r) t[r] = w[r];
#pragma GCC unroll 16
      for (size_t n = 0; n < 5; ++n) {
        const V xn = S::Load(x + n * kDotBytes);
#pragma GCC unroll 16
        for (size_t r = 0; r < kR; ++r) {
          if (S::kMasks) {
            first[r] = S::Dot(first[r], t[r], xn);
            t[r] = S::Add8(t[r], S::Add8(t[r], t[r]));
            second[r] = S::Dot(second[r], t[r], xn);
          } else {
            first[r] = S::Dot(first[r], Digit(t[r]), xn);
            t[r] = S::Add8(t[r], S::Add8(t[r], t[r]));
          }
        }
      }
    });
#pragma GCC unroll 16
    for (size_t r = 0; r < kR; ++r) {
      V sum = first[r];
      if (S::kMasks) {
        sum = S::Add32(sum, S::Add32(sum, sum));
        sum = S::template ShiftRight32<8>(S::Sub32(sum, second[r]));
      }
      a.sums[(row + r) * a.sums_stride] = S::Sum(sum);
    }
  }

  // f.template operator()<rows>(row) for all rows, kR at a time.
  template <int kR, class F>
  static BNQ_DOT_INLINE void EachRows(size_t rows, F f) {
    size_t row = 0;
    for (; row + kR <= rows; row += kR) f.template Do<kR>(row);
    for (; row < rows; ++row) f.template Do<1>(row);
  }
  struct Run2 {
    const DotArgs& a;
    template <int kR>
    BNQ_DOT_INLINE void Do(size_t row) {
      Whole2<kR>(a, row);
    }
  };
  template <bool kMap, bool kHighFirst>
  struct Run4 {
    const DotArgs& a;
    template <int kR>
    BNQ_DOT_INLINE void Do(size_t row) {
      Whole4<kR, kMap, kHighFirst>(a, row);
    }
  };
  struct Run8 {
    const DotArgs& a;
    template <int kR>
    BNQ_DOT_INLINE void Do(size_t row) {
      Whole8<kR>(a, row);
    }
  };
  struct RunBase3 {
    const DotArgs& a;
    template <int kR>
    BNQ_DOT_INLINE void Do(size_t row) {
      WholeBase3<kR>(a, row);
    }
  };

  static void Whole(const DotArgs& a) {
    const bool map = a.codes.map != nullptr;
    switch (a.codes.packing) {
      case Packing::kBits2:
        return EachRows<S::kRows2>(a.rows, Run2{a});
      case Packing::kBits4:
        if (map) return EachRows<4>(a.rows, Run4<true, false>{a});
        return EachRows<4>(a.rows, Run4<false, false>{a});
      case Packing::kBits4High:
        if (map) return EachRows<4>(a.rows, Run4<true, true>{a});
        return EachRows<4>(a.rows, Run4<false, true>{a});
      case Packing::kBase3:
        return EachRows<S::kRowsBase3>(a.rows, RunBase3{a});
      default:
        return EachRows<4>(a.rows, Run8{a});
    }
  }

  // ---- groups ------------------------------------------------------------

  // Sums of a chunk whose lanes are elements in order: plane products of codes
  // that are shifted to their place.
  struct Products2 {
    static constexpr size_t kPlanes = 4;
    const DotArgs& a;
    BNQ_DOT_INLINE V Of(V w, size_t c, size_t h) const {
      const int8_t* const x = a.x + c * 4 * kDotBytes + h * kBytes;
      V acc = S::Dot(S::Zero(), Codes<2, 0>(w), S::Load(x));
      acc = S::Dot(acc, Codes<2, 1>(w), S::Load(x + kDotBytes));
      acc = S::Dot(acc, Codes<2, 2>(w), S::Load(x + 2 * kDotBytes));
      return S::Dot(acc, Codes<2, 3>(w), S::Load(x + 3 * kDotBytes));
    }
  };
  template <bool kMap, bool kHighFirst>
  struct Products4 {
    static constexpr size_t kPlanes = 2;
    const DotArgs& a;
    V table;
    explicit Products4(const DotArgs& args)
        : a(args), table(kMap ? S::Table(args.codes.map) : S::Zero()) {}
    BNQ_DOT_INLINE V Of(V w, size_t c, size_t h) const {
      const int8_t* const x = a.x + c * 2 * kDotBytes + h * kBytes;
      V low = Codes<4, 0>(w), high = Codes<4, 1>(w);
      if (kMap) {
        low = Map(table, low);
        high = Map(table, high);
      }
      const V acc =
          S::Dot(S::Zero(), low, S::Load(x + (kHighFirst ? kDotBytes : 0)));
      return S::Dot(acc, high, S::Load(x + (kHighFirst ? 0 : kDotBytes)));
    }
  };
  struct Products8 {
    static constexpr size_t kPlanes = 1;
    const DotArgs& a;
    V flip;
    explicit Products8(const DotArgs& args)
        : a(args),
          flip(S::Set(static_cast<char>(args.codes.flip ? 0x80 : 0))) {}
    BNQ_DOT_INLINE V Of(V w, size_t c, size_t h) const {
      return S::DotWide(S::Zero(), S::Xor(w, flip),
                        S::Load(a.x + c * kDotBytes + h * kBytes));
    }
  };

  // Groups of kLanes dwords within a chunk; of four chunks at a time.
  template <int kLanes, class P>
  static BNQ_DOT_INLINE void Small(const DotArgs& a, const P& products) {
    constexpr size_t kChunk = P::kPlanes * kDotBytes;
    const size_t per_piece = kBytes / 4 / kLanes;
    const size_t full = a.bytes / kDotBytes;
    const size_t chunks = DivCeil(a.bytes, kDotBytes);
    // Whole chunks of groups that are there.
    const size_t groups = DivCeil(a.columns, a.group);
    const size_t complete = groups * a.group / kChunk;
    for (size_t row = 0; row < a.rows; ++row) {
      const uint8_t* const w = a.data + row * a.stride;
      int32_t* sums = a.sums + row * a.sums_stride;
      V v[4];
      size_t c = 0;
      // Reduced together, where the family gains from it.
      for (; S::kReducesFour && c + 4 <= full && c + 4 <= complete; c += 4) {
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; ++i) {
          const uint8_t* const p = w + (c + i) * kDotBytes;
          S::Prefetch(p + kDotAhead);
          v[i] = products.Of(S::Load(p), c + i, 0);
        }
        S::template StoreSums4<kLanes>(v, sums);
        sums += 4 * per_piece;
      }
      for (; !S::kReducesFour && c < full && c < complete; ++c) {
        S::Prefetch(w + c * kDotBytes + kDotAhead);
        for (size_t h = 0; h < kPieces; ++h) {
          v[0] = products.Of(S::Load(w + c * kDotBytes + h * kBytes), c, h);
          S::template StoreSums<kLanes>(v[0], sums);
          sums += per_piece;
        }
      }
      size_t left = groups - c * kPieces * per_piece;
      for (; c < chunks; ++c) {
#pragma GCC unroll 2
        for (size_t h = 0; h < kPieces; ++h) {
          v[0] = products.Of(
              LoadPiece(w + c * kDotBytes, h, a.bytes - c * kDotBytes), c, h);
          int32_t part[kBytes / 8];
          S::template StoreSums<kLanes>(v[0], part);
          const size_t n = left < per_piece ? left : per_piece;
          for (size_t i = 0; i < n; ++i) *sums++ = part[i];
          left -= n;
        }
      }
    }
  }
  // Groups of one or several pieces.
  template <class P>
  static BNQ_DOT_INLINE void Large(const DotArgs& a, const P& products) {
    const size_t pieces = a.group / (P::kPlanes * kBytes);
    for (size_t row = 0; row < a.rows; ++row) {
      int32_t* sums = a.sums + row * a.sums_stride;
      V acc = S::Zero();
      size_t n = 0;
      EachPiece<1>(a, row, [&](size_t c, size_t h, const V* w) {
        acc = S::Add32(acc, products.Of(w[0], c, h));
        if (++n == pieces) {
          *sums++ = S::Sum(acc);
          acc = S::Zero();
          n = 0;
        }
      });
      // What is behind the last column adds nothing, but its group may be
      // there.
      if (n != 0) *sums = S::Sum(acc);
    }
  }
  template <class P>
  static BNQ_DOT_INLINE void GroupsOf(const DotArgs& a, const P& products) {
    const size_t lanes = a.group / (4 * P::kPlanes);
    if (lanes > kBytes / 4) return Large(a, products);
    if (lanes == kBytes / 4) return Small<kBytes / 4>(a, products);
    if (lanes == 2) return Small<2>(a, products);
    if (lanes == 4) return Small<4>(a, products);
    // As many as that only 64-byte vectors have.
    return Small < kBytes == 64 ? 8 : 4 > (a, products);
  }
  static void Groups(const DotArgs& a) {
    const bool map = a.codes.map != nullptr;
    switch (a.codes.packing) {
      case Packing::kBits2:
        return GroupsOf(a, Products2{a});
      case Packing::kBits4:
        if (map) return GroupsOf(a, Products4<true, false>(a));
        return GroupsOf(a, Products4<false, false>(a));
      case Packing::kBits4High:
        if (map) return GroupsOf(a, Products4<true, true>(a));
        return GroupsOf(a, Products4<false, true>(a));
      default:
        return GroupsOf(a, Products8(a));
    }
  }

  // ---- panels ------------------------------------------------------------

  // Dword j of kRowsOfV rows in one vector.
  static constexpr size_t kRowsOfV = kBytes / 4;

  // Bytes of a dword of all rows; of a plane of a chunk.
  static constexpr size_t kLine = 4 * kPanelRows, kPlane = 16 * kLine;

  // What is stored of dword w of kRowsOfV rows: its codes, plane by plane.
  struct Store2 {
    static constexpr size_t kPlanes = 4;
    BNQ_DOT_INLINE void operator()(V w, uint8_t* to) const {
      S::Store(to, Codes<2, 0>(w));
      S::Store(to + kPlane, Codes<2, 1>(w));
      S::Store(to + 2 * kPlane, Codes<2, 2>(w));
      S::Store(to + 3 * kPlane, Codes<2, 3>(w));
    }
  };
  template <bool kMap>
  struct Store4 {
    static constexpr size_t kPlanes = 2;
    V table;
    size_t low, high;  // where planes go
    explicit Store4(const PanelArgs& a)
        : table(kMap ? S::Table(a.codes.map) : S::Zero()),
          low(a.codes.packing == Packing::kBits4High ? kPlane : 0),
          high(kPlane - low) {}
    BNQ_DOT_INLINE void operator()(V w, uint8_t* to) const {
      const V l = Codes<4, 0>(w), h = Codes<4, 1>(w);
      S::Store(to + low, kMap ? Map(table, l) : l);
      S::Store(to + high, kMap ? Map(table, h) : h);
    }
  };
  struct StoreBase3 {
    static constexpr size_t kPlanes = 5;
    BNQ_DOT_INLINE void operator()(V w, uint8_t* to) const {
#pragma GCC unroll 16
      for (size_t n = 0; n < 5; ++n) {
        S::Store(to + n * kPlane, Digit(w));
        w = S::Add8(w, S::Add8(w, w));
      }
    }
  };
  struct Store8 {
    static constexpr size_t kPlanes = 1;
    V flip;
    BNQ_DOT_INLINE void operator()(V w, uint8_t* to) const {
      S::Store(to, S::Xor(w, flip));
    }
  };

  template <class Store>
  static void PanelOf(const PanelArgs& a, const Store& store) {
    const size_t chunks = DivCeil(a.bytes, kDotBytes);
    for (size_t c = 0; c < chunks; ++c) {
      const size_t left = a.bytes - c * kDotBytes;
      uint8_t* const to = a.panel + c * Store::kPlanes * kPlane;
      for (size_t v = 0; v < kPanelRows / kRowsOfV; ++v) {
        for (size_t h = 0; h < kPieces; ++h) {
          const uint8_t* from =
              a.data + v * kRowsOfV * a.stride + c * kDotBytes;
          V w[kRowsOfV];
#pragma GCC unroll 16
          for (size_t r = 0; r < kRowsOfV; ++r, from += a.stride) {
            w[r] = v * kRowsOfV + r >= a.rows ? S::Zero()
                   : left >= kDotBytes        ? S::Load(from + h * kBytes)
                                              : LoadPiece(from, h, left);
          }
          S::Transpose(w);
          // Lane l of a plane is dword l of it.
#pragma GCC unroll 16
          for (size_t l = 0; l < kRowsOfV; ++l) {
            store(w[l], to + (h * kRowsOfV + l) * kLine + v * kBytes);
          }
        }
      }
    }
  }
  static void Panel(const PanelArgs& a) {
    const bool map = a.codes.map != nullptr;
    switch (a.codes.packing) {
      case Packing::kBits2:
        return PanelOf(a, Store2());
      case Packing::kBits4:
      case Packing::kBits4High:
        if (map) return PanelOf(a, Store4<true>(a));
        return PanelOf(a, Store4<false>(a));
      case Packing::kBase3:
        return PanelOf(a, StoreBase3());
      default:
        return PanelOf(
            a, Store8{S::Set(static_cast<char>(a.codes.flip ? 0x80 : 0))});
    }
  }

  template <int kM, int kN, bool kWide>
  static BNQ_DOT_INLINE void Tile(const ProductOfPanelArgs& a, size_t row,
                                  size_t at) {
    V acc[kM][kN];
#pragma GCC unroll 16
    for (size_t m = 0; m < kM; ++m) {
#pragma GCC unroll 16
      for (size_t n = 0; n < kN; ++n) {
        acc[m][n] = a.add ? S::Load(reinterpret_cast<const uint8_t*>(
                                        a.sums + (row + m) * kPanelRows) +
                                    at + n * kBytes)
                          : S::Zero();
      }
    }
    for (size_t part = 0; part < a.parts; ++part) {
      const size_t first = part * a.part_stride;
      const uint8_t* w = a.panel + first * 4 * kPanelRows + at;
      const int8_t* x = a.x + row * a.x_stride + 4 * first;
      for (size_t d = 0; d < a.count; ++d, w += 4 * kPanelRows, x += 4) {
        V weights[kN];
#pragma GCC unroll 16
        for (size_t n = 0; n < kN; ++n) weights[n] = S::Load(w + n * kBytes);
#pragma GCC unroll 16
        for (size_t m = 0; m < kM; ++m) {
          const V of_row = S::Broadcast32(x + m * a.x_stride);
#pragma GCC unroll 16
          for (size_t n = 0; n < kN; ++n) {
            acc[m][n] = kWide ? S::DotWide(acc[m][n], weights[n], of_row)
                              : S::Dot(acc[m][n], weights[n], of_row);
          }
        }
      }
    }
#pragma GCC unroll 16
    for (size_t m = 0; m < kM; ++m) {
#pragma GCC unroll 16
      for (size_t n = 0; n < kN; ++n) {
        S::Store(reinterpret_cast<uint8_t*>(a.sums + (row + m) * kPanelRows) +
                     at + n * kBytes,
                 acc[m][n]);
      }
    }
  }
  template <bool kWide>
  static void ProductOf(const ProductOfPanelArgs& a) {
    constexpr int kN = 2, kM = S::kTileRows;
    for (size_t at = 0; at < 4 * kPanelRows; at += kN * kBytes) {
      size_t row = 0;
      for (; row + kM <= a.rows; row += kM) Tile<kM, kN, kWide>(a, row, at);
      for (; row + 4 <= a.rows; row += 4) Tile<4, kN, kWide>(a, row, at);
      for (; row < a.rows; ++row) Tile<1, kN, kWide>(a, row, at);
    }
  }
  static void Product(const ProductOfPanelArgs& a) {
    if (a.wide && !S::kMasks) return ProductOf<true>(a);
    ProductOf<false>(a);
  }

  static bool Reads(Packing packing, bool groups) {
    switch (packing) {
      case Packing::kBits2:
      case Packing::kBits4:
      case Packing::kBits4High:
      case Packing::kBits8:
        return true;
      case Packing::kBase3:
        // A group of a power of two does not end on a byte.
        return !groups;
      default:
        return false;
    }
  }
  static constexpr DotKernels Row(const char* name) {
    return {name, Reads, Whole, Groups, Panel, Product};
  }
};

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_DOT_FAMILY_INL_H_
