// Which bytes a config gives.
#ifndef BNQ_CORE_SCHEME_CODEC_REVISION_H_
#define BNQ_CORE_SCHEME_CODEC_REVISION_H_

#include <cstdint>

namespace bnq {

// Raised whenever some input gives other codes, scales or files under some
// config than it did: what was made before is then not gone on with, and not
// taken from a cache.
constexpr int32_t kCodecRevision = 1;

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_CODEC_REVISION_H_
