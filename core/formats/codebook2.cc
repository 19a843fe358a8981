// codebook2: 4 values fitted to the tensor.
//
// Source   Lloyd (1982) and Max (1960), "Least squares quantization in PCM",
// under
//          scales of groups, as k-means codebooks of weights are
//          (arXiv:1510.00149, section 3; with scales arXiv:2306.07629); signed
//          scales as ggml's Q4_0.
// Codebook 4 float32, ascending, within -2 to 2, one for the tensor: a part of
//          it. core/tensor/codebook.h says how it is fitted.
// Segment  scale = M, the first x of the greatest |x|, with its sign: so that
// the
//          codebook has its long side where the extreme is. At least the least
//          normal float32, and so that twice it is finite.
// Code     v = x * (1 / scale); the number of midpoints (t[i] + t[i + 1]) * 0.5
//          that v is above
// Value    codebook[code] * scale
// Bytes    four codes each, the first in the lowest bits. Rows start on a byte.
// Zero     an all-zero segment has scale 0 and decodes to 0 (of either sign).
// Tails    a group may be short.

#include "core/formats/codebook.h"

namespace bnq {
namespace {

// Lloyd and Max's values for a half Gaussian, half Laplace mixture under scales
// of 20 columns, rounded.
constexpr float kStart[] = {-0.53f, -0.06f, 0.30f, 0.92f};

}  // namespace

extern const Format k_codebook2;
const Format k_codebook2 = CodebookOf<4, kStart>::Row(
    16, "codebook2", "4 values fitted to the tensor, times a scale",
    Packing::kBits2);

}  // namespace bnq
