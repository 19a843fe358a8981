#include "core/model/report_record.h"

#include <cstring>

namespace bnq {

std::string RowRecord(const ReportRow& row) {
  std::string record;
  AppendLE(static_cast<uint32_t>(row.format), &record);
  AppendLE(static_cast<uint32_t>(row.dtype), &record);
  AppendLE<uint64_t>(row.bytes_after, &record);
  for (const double value : row.metrics.values) {
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    AppendLE(bits, &record);
  }
  AppendText(row.note, &record);
  return record;
}

void ReadRow(const std::string& record, ReportRow* row) {
  RecordReader reader(record);
  row->format = static_cast<int32_t>(reader.Number<uint32_t>());
  row->dtype = static_cast<int32_t>(reader.Number<uint32_t>());
  row->bytes_after = reader.Number<uint64_t>();
  for (double& value : row->metrics.values) {
    const uint64_t bits = reader.Number<uint64_t>();
    std::memcpy(&value, &bits, sizeof bits);
  }
  row->note = reader.Text();
}

}  // namespace bnq
