#include "core/cache/options.h"

namespace bnq {
namespace {

using Option = CacheOption;

constexpr double kGiB = 1024.0 * 1024 * 1024;

constexpr OptionInfo kOptions[kNumCacheOptions] = {
    Integer(Option::kMemoryLimit, "memory_limit", 0, kMaxInt, 2 * kGiB,
            "Bytes of tensors that are kept in memory, besides those in use; 0 "
            "for none"),
    Integer(Option::kDiskLimit, "disk_limit", 0, kMaxInt, 50 * kGiB,
            "Bytes of entries on disk, beyond which those not used for longest "
            "are removed; 0 for any number"),
    OnOff(Option::kReadOnly, "read_only", false,
          "Whether the folder is left as it is"),
    OnOff(Option::kStrict, "strict", false,
          "Whether an entry that cannot be read or written now is an error, "
          "instead of a miss"),
    OnOff(Option::kCompress, "compress", false,
          "Whether entries are compressed, which makes them smaller but not "
          "mappable"),
    Real(Option::kKeepPercent, "keep_percent", 0, 100, 90,
         "Percent of disk_limit that is left when entries are removed")
        .Percent(),
};

static_assert(AreNumbered(kOptions), "options");
constexpr OptionTable kTable("cache", kOptions);

}  // namespace

const OptionTable& CacheOptions::Table() { return kTable; }

}  // namespace bnq
