// How the values of a model's tensors are distributed.
#ifndef BNQ_CLI_VALUE_HISTOGRAM_H_
#define BNQ_CLI_VALUE_HISTOGRAM_H_

#include <optional>
#include <string>

#include "page_charts.h"
#include "session.h"

namespace bnq::cli {

class ValueHistograms {
 public:
  ValueHistograms(const std::string& model, Session& session);

  // Reads the tensor as a whole. Empty where its values are no floating-point
  // numbers, or not finite.
  std::optional<PageHistogram> Of(const std::string& name);

 private:
  Session& session_;
  File file_;
};

}  // namespace bnq::cli

#endif  // BNQ_CLI_VALUE_HISTOGRAM_H_
