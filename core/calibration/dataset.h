// Calibration data in files: arrays of .npy, .safetensors and .bnq files, and
// directories of them.
#ifndef BNQ_CORE_CALIBRATION_DATASET_H_
#define BNQ_CORE_CALIBRATION_DATASET_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/calibration/calibrator.h"

namespace bnq {

// An array of a file that is a batch of values.
struct DataArray {
  std::string file;  // its path
  std::string name;
  uint64_t bytes = 0;
};

// The arrays at `path`: of a file, all its floating-point arrays in the order
// of their names; of a directory, those of its files *.npy and *.safetensors in
// the order of theirs (not those of directories in it). Hidden files, such as
// the
// `._x.npy` that macOS leaves beside x.npy, are no data; the context's log
// hears of each. With `name` only arrays of that name; that of a .npy file's
// array is the file's without the ending. NOT_FOUND where there is no such
// path, file or array.
std::vector<DataArray> FindArrays(const Context& context,
                                  const std::string& path,
                                  const std::string* name);

// Observes the arrays that FindArrays finds, a batch each.
//
// Pages are released as they have been read. The calibrator is untouched unless
// all went well.
void ObserveFile(const Context& context, const std::string& path,
                 const std::string* name, const Progress& progress,
                 std::unique_ptr<Calibrator>* calibrator);

// The calibrator that is to observe arrays of a name.
using CalibratorOf = std::function<Calibrator*(const std::string& name)>;
// The same with a calibrator for each array, which the caller must put aside if
// it fails.
void ObserveArrays(const Context& context, const std::string& path,
                   const std::string* name, const Progress& progress,
                   const CalibratorOf& calibrator_of);

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_DATASET_H_
