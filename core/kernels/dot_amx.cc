// Products with panels by AMX-INT8. A panel is what the instructions want as
// their second operand, 16 dwords of 16 rows of weights in a tile; the rows of
// activations are the first as they are. So nothing is rearranged, and only the
// product is another than that of AVX-512 VNNI.
#include "core/kernels/dot_amx.h"

#include <string.h>

#include <algorithm>

namespace bnq {
namespace {

// What LDTILECFG reads: palette 1, the rows and the bytes of a row of each
// tile.
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64, "LDTILECFG");

// Tiles 0 to 3 are sums (of inputs 0 and 1 with weights 0 and 1), 4 and 5
// inputs, 6 and 7 weights.
TileConfig ConfigOf(size_t first, size_t second) {
  TileConfig config;
  const size_t rows[8] = {first, first, second, second, first, second, 16, 16};
  for (int t = 0; t < 8; ++t) {
    config.rows[t] = static_cast<uint8_t>(rows[t]);
    config.row_bytes[t] = 64;
  }
  return config;
}

constexpr size_t kTileDwords = 16, kLine = 4 * kPanelRows;

// One or two tiles of inputs with all of a panel.
template <class Tiles, bool kTwo>
void Block(const ProductOfPanelArgs& a, size_t row, Tiles& t) {
  int32_t* const sums = a.sums + row * kPanelRows;
  int32_t* const below = sums + 16 * kPanelRows;
  if (a.add) {
    t.template Load<0>(sums, kLine);
    t.template Load<1>(sums + 16, kLine);
    if (kTwo) t.template Load<2>(below, kLine);
    if (kTwo) t.template Load<3>(below + 16, kLine);
  } else {
    t.template Zero<0>();
    t.template Zero<1>();
    if (kTwo) t.template Zero<2>();
    if (kTwo) t.template Zero<3>();
  }
  for (size_t part = 0; part < a.parts; ++part) {
    const size_t first = part * a.part_stride;
    const uint8_t* w = a.panel + first * kLine;
    const int8_t* x = a.x + row * a.x_stride + 4 * first;
    for (size_t d = 0; d < a.count; d += kTileDwords) {
      t.template Load<4>(x, a.x_stride);
      t.template Load<6>(w, kLine);
      t.template Dot<0, 4, 6>();
      t.template Load<7>(w + 64, kLine);
      t.template Dot<1, 4, 7>();
      if (kTwo) {
        t.template Load<5>(x + 16 * a.x_stride, a.x_stride);
        t.template Dot<2, 5, 6>();
        t.template Dot<3, 5, 7>();
      }
      x += 4 * kTileDwords;
      w += kTileDwords * kLine;
    }
  }
  t.template Store<0>(sums, kLine);
  t.template Store<1>(sums + 16, kLine);
  if (kTwo) t.template Store<2>(below, kLine);
  if (kTwo) t.template Store<3>(below + 16, kLine);
}

template <class Tiles>
void Product(const ProductOfPanelArgs& a) {
  Tiles t;
  const size_t full = a.rows / 32 * 32;
  if (full != 0) t.Configure(ConfigOf(16, 16));
  for (size_t row = 0; row < full; row += 32) Block<Tiles, true>(a, row, t);
  const size_t left = a.rows - full;
  if (left > 16) {
    t.Configure(ConfigOf(16, left - 16));
    Block<Tiles, true>(a, full, t);
  } else if (left != 0) {
    t.Configure(ConfigOf(left, left));
    Block<Tiles, false>(a, full, t);
  }
  t.Release();
}

// Few rows, or pieces that are no whole tiles, are not worth the tiles.
bool IsForTiles(const ProductOfPanelArgs& a) {
  return a.rows >= 8 && a.count % kTileDwords == 0;
}

// What the instructions do, one number after another.
class EmulatedTiles {
 public:
  void Configure(const TileConfig& config) {
    config_ = config;
    memset(tiles_, 0, sizeof tiles_);
  }
  void Release() {}
  template <int kTile>
  void Zero() {
    memset(tiles_[kTile], 0, sizeof tiles_[kTile]);
  }
  template <int kTile>
  void Load(const void* from, size_t stride) {
    for (size_t r = 0; r < config_.rows[kTile]; ++r) {
      memcpy(tiles_[kTile][r], static_cast<const uint8_t*>(from) + r * stride,
             config_.row_bytes[kTile]);
    }
  }
  template <int kTile>
  void Store(void* to, size_t stride) const {
    for (size_t r = 0; r < config_.rows[kTile]; ++r) {
      memcpy(static_cast<uint8_t*>(to) + r * stride, tiles_[kTile][r],
             config_.row_bytes[kTile]);
    }
  }
  // TDPBSUD: signed bytes of kA times unsigned ones of kB.
  template <int kC, int kA, int kB>
  void Dot() {
    for (size_t m = 0; m < config_.rows[kC]; ++m) {
      for (size_t n = 0; n < 16; ++n) {
        uint32_t sum;
        memcpy(&sum, tiles_[kC][m] + 4 * n, 4);
        for (size_t k = 0; k < 64; ++k) {
          const int32_t product =
              static_cast<int8_t>(tiles_[kA][m][k]) *
              static_cast<int32_t>(tiles_[kB][k / 4][4 * n + k % 4]);
          sum += static_cast<uint32_t>(product);
        }
        memcpy(tiles_[kC][m] + 4 * n, &sum, 4);
      }
    }
  }

 private:
  TileConfig config_;
  uint8_t tiles_[8][16][64];
};

void (*g_emulated_rest)(const ProductOfPanelArgs&) = nullptr;

}  // namespace

DotKernels WithEmulatedTiles(const DotKernels& kernels) {
  DotKernels result = kernels;
  result.name = "emulated tiles";
  g_emulated_rest = kernels.product;
  result.product = [](const ProductOfPanelArgs& a) {
    if (!IsForTiles(a)) return g_emulated_rest(a);
    Product<EmulatedTiles>(a);
  };
  return result;
}

}  // namespace bnq

#if BNQ_DOT_AMX
#include <cpuid.h>
#include <immintrin.h>

#include <sys/syscall.h>
#include <unistd.h>
#include "core/kernels/dot_avx512vnni.h"

#include "hwy/base.h"

HWY_PUSH_ATTRIBUTES("amx-tile,amx-int8")
namespace bnq {
namespace N_AVX512_AMX {
namespace {

// GCC's intrinsics do not say what memory they read and write.
#define BNQ_TILES_OF_MEMORY __asm__ volatile("" ::: "memory")

struct Tiles {
  void Configure(const TileConfig& config) {
    BNQ_TILES_OF_MEMORY;
    _tile_loadconfig(&config);
  }
  void Release() { _tile_release(); }
  // Numbers of tiles are parts of instructions.
#define BNQ_EACH_TILE(CASE) \
  CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
  template <int kTile>
  void Zero() {
#define BNQ_ZERO(n) \
  if (kTile == n) _tile_zero(n);
    BNQ_EACH_TILE(BNQ_ZERO)
#undef BNQ_ZERO
  }
  template <int kTile>
  void Load(const void* from, size_t stride) {
    BNQ_TILES_OF_MEMORY;
#define BNQ_LOAD(n) \
  if (kTile == n) _tile_loadd(n, from, stride);
    BNQ_EACH_TILE(BNQ_LOAD)
#undef BNQ_LOAD
  }
  template <int kTile>
  void Store(void* to, size_t stride) {
#define BNQ_STORE(n) \
  if (kTile == n) _tile_stored(n, to, stride);
    BNQ_EACH_TILE(BNQ_STORE)
#undef BNQ_STORE
    BNQ_TILES_OF_MEMORY;
  }
#undef BNQ_EACH_TILE
  template <int kC, int kA, int kB>
  void Dot() {
    if (kC == 0) _tile_dpbsud(0, 4, 6);
    if (kC == 1) _tile_dpbsud(1, 4, 7);
    if (kC == 2) _tile_dpbsud(2, 5, 6);
    if (kC == 3) _tile_dpbsud(3, 5, 7);
  }
};

}  // namespace

const DotKernels* Kernels() {
  static const DotKernels kKernels = [] {
    DotKernels kernels = *N_AVX512_VNNI::Kernels();
    kernels.name = "amx_int8";
    kernels.product = [](const ProductOfPanelArgs& a) {
      if (!IsForTiles(a)) return N_AVX512_VNNI::Kernels()->product(a);
      Product<Tiles>(a);
    };
    return kernels;
  }();
  return &kKernels;
}

}  // namespace N_AVX512_AMX
}  // namespace bnq
HWY_POP_ATTRIBUTES

namespace bnq {
namespace N_AVX512_AMX {

bool IsUsable() {
  static const bool usable = [] {
    unsigned a, b, c, d;
    // AMX-TILE and AMX-INT8, and what the system saves: XTILECFG and XTILEDATA.
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d >> 24 & 3) != 3) {
      return false;
    }
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c >> 27 & 1) == 0) return false;
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low >> 17 & 3) != 3) return false;
#if defined(SYS_arch_prctl)
    constexpr long kGetPermission = 0x1022, kRequestPermission = 0x1023;
    constexpr unsigned long kTileData = 18;
    unsigned long granted = 0;
    if (syscall(SYS_arch_prctl, kRequestPermission, kTileData) != 0 ||
        syscall(SYS_arch_prctl, kGetPermission, &granted) != 0) {
      return false;
    }
    return (granted >> kTileData & 1) != 0;
#else
    return false;
#endif
  }();
  return usable;
}

}  // namespace N_AVX512_AMX
}  // namespace bnq
#endif  // BNQ_DOT_AMX
