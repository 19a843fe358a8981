// One run of a fuzzer: a model file of any kind and layout, with a config.json,
// opened and read to its end. It must be an Error, or a file that can be read,
// in memory that its size bounds.
#ifndef BNQ_TESTS_FUZZ_READ_MODEL_H_
#define BNQ_TESTS_FUZZ_READ_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/io/bnq_format.h"
#include "core/io/endian.h"
#include "core/io/model_file.h"
#include "core/model/foreign_model.h"

namespace bnq {

// The input of a fuzzer: what a reader is told (a byte: bits 0 and 1 I2_S, 2
// and 3 BitNet's scale), the size of config.json (4 bytes, little-endian),
// config.json, the file.
struct FuzzInput {
  ImportOptions options;
  std::string config, file;

  static constexpr size_t kHeader = 5;

  std::string Bytes() const {
    std::string bytes(kHeader, '\0');
    bytes[0] = static_cast<char>(static_cast<int>(options.i2_s) |
                                 static_cast<int>(options.weight_scale) << 2);
    StoreLE(static_cast<uint32_t>(config.size()),
            reinterpret_cast<uint8_t*>(&bytes[1]));
    return bytes + config + file;
  }

  static FuzzInput FromBytes(const uint8_t* data, size_t size) {
    FuzzInput input;
    if (size < kHeader) return input;
    input.options.i2_s = static_cast<ImportOptions::I2S>((data[0] & 3) % 3);
    input.options.weight_scale =
        static_cast<ImportOptions::WeightScale>((data[0] >> 2 & 3) % 3);
    const std::string rest(reinterpret_cast<const char*>(data) + kHeader,
                           size - kHeader);
    const size_t cut =
        std::min<size_t>(LoadLE<uint32_t>(data + 1), rest.size());
    input.config = rest.substr(0, cut);
    input.file = rest.substr(cut);
    return input;
  }
};

// Every byte of every entry; how many bytes they are.
inline uint64_t ReadEntries(const Context& context, const ModelFile& file,
                            uint64_t maximum) {
  uint64_t total = 0;
  for (const ModelEntry& entry : file.entries()) {
    total += entry.raw_bytes;
    if (total > maximum) {
      Fail(Status::kInternal, "entries of more than ", maximum, " bytes");
    }
    const size_t sections = entry.format == 0 ? 1 : entry.sections.size();
    for (size_t i = 0; i < sections; ++i) {
      const auto reader = file.OpenSection(context, entry, i);
      std::string out(static_cast<size_t>(reader->remaining()), '\0');
      if (!out.empty()) reader->Read(&out[0], out.size());
    }
  }
  return total;
}

// What the file is refused for; OK where all of it was read.
inline Status ReadFuzzed(const FuzzInput& input, std::string* message) {
  const Context context;
  // Values of one bit become float32.
  const uint64_t maximum = (kBnqMaxExpansion + 64) * (input.file.size() + 64);
  try {
    JsonTree config;
    if (!input.config.empty()) config = ParseJson(input.config, "config.json");
    auto file = ForeignViewOf(
        context,
        ModelFile::FromMemory(
            context, reinterpret_cast<const uint8_t*>(input.file.data()),
            input.file.size()),
        std::move(config), input.options);
    ReadEntries(context, *file, maximum);
    ReadEntries(context, *DequantizedView(file), maximum);
  } catch (const Error& error) {
    *message = error.message();
    return error.status();
  }
  return Status::kOk;
}

}  // namespace bnq

#endif  // BNQ_TESTS_FUZZ_READ_MODEL_H_
