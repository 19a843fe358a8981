// Rows of a report as bytes, for a process that goes on with what another has
// begun.
#ifndef BNQ_CORE_MODEL_REPORT_RECORD_H_
#define BNQ_CORE_MODEL_REPORT_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/error.h"
#include "core/io/endian.h"
#include "core/model/report.h"

namespace bnq {

// Takes texts and numbers from a record, which is whole and this library's own:
// its crc32 and the fingerprint say so.
class RecordReader {
 public:
  explicit RecordReader(const std::string& record) : record_(record) {}

  template <class UInt>
  UInt Number() {
    const std::string bytes = Bytes(sizeof(UInt));
    return LoadLE<UInt>(reinterpret_cast<const uint8_t*>(bytes.data()));
  }
  std::string Text() { return Bytes(Number<uint32_t>()); }

 private:
  std::string Bytes(size_t bytes) {
    if (bytes > record_.size() - at_) {
      Fail(Status::kCorruptFile,
           "a record of an unfinished output is too short");
    }
    at_ += bytes;
    return record_.substr(at_ - bytes, bytes);
  }

  const std::string& record_;
  size_t at_ = 0;
};

// What a conversion has found out: without the name, the shape and the bytes
// before, which are the input's.
std::string RowRecord(const ReportRow& row);
void ReadRow(const std::string& record, ReportRow* row);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_REPORT_RECORD_H_
