// Post-training quantization: parameters from calibrators, for arrays and for
// model files.
#ifndef BNQ_CORE_MODEL_POST_TRAINING_H_
#define BNQ_CORE_MODEL_POST_TRAINING_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/calibration/calibration_set.h"
#include "core/model/convert.h"
#include "core/tensor/static.h"

namespace bnq {

// What post-training quantization makes of weights and of activations unless
// something else is asked for.
enum class PostTrainingRole : int32_t { kWeights = 0, kActivations = 1 };
Config PostTrainingConfig(PostTrainingRole role);

// As bnq_calibrator_params: one for each channel.
std::vector<Params> CalibratedParams(const Context& context,
                                     const Calibrator& calibrator,
                                     const Config& config);

// As bnq_tensor_quantize_calibrated and bnq_quantize_tensor_auto.
std::unique_ptr<QuantizedTensor> QuantizeCalibrated(
    const Context& context, const Config& config, const Calibrator& calibrator,
    const ArrayView& array, uint64_t* clamped);
std::unique_ptr<QuantizedTensor> QuantizeAuto(const Context& context,
                                              const Config& config,
                                              CalibrationMethod method,
                                              const ArrayView& array);

// As bnq_post_training_quantize_file.
Report PostTrainingQuantizeFile(const Context& context, const Plan& plan,
                                const CalibrationSet& calibration,
                                const Config& activations,
                                const std::string& input,
                                const std::string& output,
                                const ConversionOptions& options,
                                const Progress& progress);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_POST_TRAINING_H_
