// The target for libFuzzer (packaging/platforms/fuzz.sh): what it finds must be
// an Error of a damaged file.
#include <cstdlib>
#include <iostream>

#include "tests/fuzz/read_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string message;
  const bnq::Status status =
      bnq::ReadFuzzed(bnq::FuzzInput::FromBytes(data, size), &message);
  if (status != bnq::Status::kOk && status != bnq::Status::kCorruptFile &&
      status != bnq::Status::kUnsupported) {
    std::cerr << bnq::StatusName(static_cast<int>(status)) << ": " << message
              << '\n';
    std::abort();
  }
  return 0;
}
