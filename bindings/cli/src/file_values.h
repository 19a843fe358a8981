// A tensor of a model file as an array of numbers, in memory.
#ifndef BNQ_CLI_FILE_VALUES_H_
#define BNQ_CLI_FILE_VALUES_H_

#include <bnq/bnq.h>

#include <cstdint>
#include <string>
#include <vector>

#include "handles.h"
#include "session.h"

namespace bnq::cli {

File OpenFile(const std::string& path, Session& session);

struct FileValues {
  std::vector<unsigned char> bytes;
  uint64_t shape[BNQ_MAX_RANK];
  // Of the two above.
  bnq_array array;
};

// A quantized tensor is dequantized into float32.
void ReadValues(const bnq_file* file, uint64_t index, Session& session,
                FileValues& values);

}  // namespace bnq::cli

#endif  // BNQ_CLI_FILE_VALUES_H_
