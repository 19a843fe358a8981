// How the errors of a tensor are distributed: `bnq diff --histogram`.
#ifndef BNQ_CLI_ERROR_HISTOGRAM_H_
#define BNQ_CLI_ERROR_HISTOGRAM_H_

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "handles.h"
#include "json.h"
#include "session.h"

namespace bnq::cli {

// As bnq_compare_histogram: the bins part -max_error .. max_error.
struct ErrorHistogram {
  std::string name;
  double kl = 0, max_error = 0;
  std::vector<uint64_t> counts;
};

// Compares tensors of two model files. Each is read as a whole.
class ErrorHistograms {
 public:
  ErrorHistograms(const std::string& original, const std::string& other,
                  Session& session);

  // False where the tensor has no numbers that can be compared.
  bool Compare(const std::string& name, uint32_t bins, ErrorHistogram& result);

 private:
  Session& session_;
  File original_, other_;
};

// A line of numbers, and bars.
void PrintHistogram(const ErrorHistogram& histogram, std::ostream& out);

// Adds "histograms".
void AddHistograms(Json& object, const std::vector<ErrorHistogram>& histograms);

}  // namespace bnq::cli

#endif  // BNQ_CLI_ERROR_HISTOGRAM_H_
