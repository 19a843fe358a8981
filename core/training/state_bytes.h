// Bytes of a state that training keeps with a checkpoint: little-endian fields,
// then the crc32 of all of them.
#ifndef BNQ_CORE_TRAINING_STATE_BYTES_H_
#define BNQ_CORE_TRAINING_STATE_BYTES_H_

#include <cstdint>
#include <cstring>
#include <string>

#include "core/io/endian.h"
#include "zlib.h"

namespace bnq {

constexpr uint64_t kStateSeal = 4;  // bytes of the crc32

// As its bits.
inline void AppendNumber(double x, std::string* out) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  AppendLE(bits, out);
}

inline double LoadNumber(const uint8_t* p) {
  const uint64_t bits = LoadLE<uint64_t>(p);
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

inline uint32_t StateCrc(const uint8_t* data, uint64_t size) {
  return static_cast<uint32_t>(crc32_z(0, data, static_cast<size_t>(size)));
}

inline void SealState(std::string* bytes) {
  AppendLE(
      StateCrc(reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()),
      bytes);
}

// Whether the crc32 of `size` bytes with it, kStateSeal at least, is right.
inline bool IsSealed(const uint8_t* data, uint64_t size) {
  const uint64_t fields = size - kStateSeal;
  return LoadLE<uint32_t>(data + fields) == StateCrc(data, fields);
}

}  // namespace bnq

#endif  // BNQ_CORE_TRAINING_STATE_BYTES_H_
