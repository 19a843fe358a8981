// The page of `bnq quantize --report`.
#ifndef BNQ_CLI_QUANTIZE_PAGE_H_
#define BNQ_CLI_QUANTIZE_PAGE_H_

#include <vector>

#include "conversion.h"
#include "html_report.h"
#include "rows.h"
#include "session.h"

namespace bnq::cli {

// Rows with configs. Reads the worst tensors of the input again, for the
// histograms of their values.
Page QuantizePage(const ConversionOptions& options,
                  const std::vector<Row>& rows, Session& session);

}  // namespace bnq::cli

#endif  // BNQ_CLI_QUANTIZE_PAGE_H_
