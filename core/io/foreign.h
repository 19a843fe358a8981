// What a file that is no model file of ours is, told by its first bytes.
#ifndef BNQ_CORE_IO_FOREIGN_H_
#define BNQ_CORE_IO_FOREIGN_H_

#include <cstdint>
#include <string>

namespace bnq {

// "a Git LFS pointer, not the file itself: `git lfs pull` fetches it", for text
// behind "<path> is "; "" for what is not recognized.
std::string DescribeForeign(const uint8_t* data, uint64_t size);

}  // namespace bnq

#endif  // BNQ_CORE_IO_FOREIGN_H_
