// SHA-256 (FIPS 180-4): names for contents, which nobody can give to others.
#ifndef BNQ_CORE_BASE_SHA256_H_
#define BNQ_CORE_BASE_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace bnq {

using Sha256Digest = std::array<uint8_t, 32>;

Sha256Digest Sha256(const void* data, size_t bytes);
// The same without instructions that only some CPUs have, for tests.
Sha256Digest PortableSha256(const void* data, size_t bytes);

// 64 digits, of a to f in lower case.
std::string HexOf(const Sha256Digest& digest);
std::string Sha256Hex(const std::string& text);

}  // namespace bnq

#endif  // BNQ_CORE_BASE_SHA256_H_
