// Calibrators by name, and their file: a .bnq container of byte arrays, as
// Calibrator::Serialize makes them, under their names behind "calibrator:"; the
// prototype, without data, is "prototype".
#ifndef BNQ_CORE_CALIBRATION_CALIBRATION_SET_H_
#define BNQ_CORE_CALIBRATION_CALIBRATION_SET_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/base/context.h"
#include "core/calibration/calibrator.h"
#include "core/io/atomic_file.h"
#include "core/io/output.h"

namespace bnq {

class BnqWriter;  // io/bnq_writer.h
class ModelFile;  // io/model_file.h

// For one thread at a time.
class CalibrationSet {
 public:
  using Map = std::map<std::string, std::unique_ptr<Calibrator>>;

  // New calibrators get these options.
  explicit CalibrationSet(const CalibrationOptions& options);

  const Map& calibrators() const { return calibrators_; }
  // Of all calibrators, and of those to come: of none if one refuses.
  void SetText(const Context& context, const std::string& option,
               const std::string& value);
  void Observe(const Context& context, const std::string& name,
               const ArrayView& array);
  // As ObserveFile, each array under its own name, or all under `as_name` where
  // that is not null; nothing has changed if it fails.
  void ObserveFile(const Context& context, const std::string& path,
                   const std::string* as_name, const Progress& progress);
  void Merge(const Context& context, const CalibrationSet& other);
  void Save(const Context& context, const std::string& path,
            const WriteOptions& options) const;
  static std::unique_ptr<CalibrationSet> Load(const Context& context,
                                              const std::string& path);
  // Whether a file is one that Save has written.
  static bool IsIn(const ModelFile& file);
  // The same bytes in memory.
  std::shared_ptr<const MemoryOutput> Serialize(const Context& context) const;
  static std::unique_ptr<CalibrationSet> Deserialize(const Context& context,
                                                     const uint8_t* data,
                                                     uint64_t size);

 private:
  std::unique_ptr<Calibrator> New() const;
  void Write(const Context& context, BnqWriter* writer) const;
  // `what` is what errors call the file.
  static std::unique_ptr<CalibrationSet> Read(const Context& context,
                                              const ModelFile& file,
                                              const std::string& what);

  std::unique_ptr<Calibrator> prototype_;  // without data
  Map calibrators_;
};

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_CALIBRATION_SET_H_
