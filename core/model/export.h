// Models to the layouts of other ecosystems, and theirs to ours: codes are
// transcoded, never derived anew unless that is asked for.
#ifndef BNQ_CORE_MODEL_EXPORT_H_
#define BNQ_CORE_MODEL_EXPORT_H_

#include <string>

#include "core/base/context.h"
#include "core/base/tick.h"
#include "core/interchange/options.h"
#include "core/model/conversion.h"
#include "core/model/report.h"

namespace bnq {

// As bnq_export_file and bnq_import_file. One tensor is in memory at a time.
// Rows have their verdict. An error in a tensor names it.
Report ExportFile(const Context& context, const std::string& layout,
                  const std::string& input, const std::string& output,
                  const InterchangeOptions& interchange,
                  const ConversionOptions& options, const Progress& progress);
Report ImportFile(const Context& context, const std::string& input,
                  const std::string& output,
                  const InterchangeOptions& interchange,
                  const ConversionOptions& options, const Progress& progress);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_EXPORT_H_
