// Calibration data in files: arrays of .npy, .safetensors and .bnq files, and
// directories of them.
#ifndef BNQ_CORE_CALIBRATION_DATASET_H_
#define BNQ_CORE_CALIBRATION_DATASET_H_

#include <functional>
#include <memory>
#include <string>

#include "core/base/context.h"
#include "core/calibration/calibrator.h"

namespace bnq {

// Observes the arrays at `path`, a batch each: of a file, all its
// floating-point arrays in the order of their names; of a directory, its files
// *.npy and
// *.safetensors in the order of theirs (not those of directories in it). With
// `name` only arrays of that name; that of a .npy file's array is the file's
// without the ending.
//
// Pages are released as they have been read. The calibrator is untouched unless
// all went well. NOT_FOUND where there is no such path, file or array.
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
