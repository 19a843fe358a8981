// The library's handles as unique_ptrs.
#ifndef BNQ_CLI_HANDLES_H_
#define BNQ_CLI_HANDLES_H_

#include <bnq/bnq.h>

#include <memory>

namespace bnq::cli {

template <auto destroy>
struct Destroyer {
  template <typename T>
  void operator()(T* handle) const {
    destroy(handle);
  }
};

template <typename T, auto destroy>
using Handle = std::unique_ptr<T, Destroyer<destroy>>;

using Context = Handle<bnq_context, bnq_context_destroy>;
using Config = Handle<bnq_config, bnq_config_destroy>;
using Tensor = Handle<bnq_tensor, bnq_tensor_destroy>;
using Plan = Handle<bnq_plan, bnq_plan_destroy>;
using Recipes = Handle<bnq_recipes, bnq_recipes_destroy>;
using File = Handle<bnq_file, bnq_file_close>;
using Calibrator = Handle<bnq_calibrator, bnq_calibrator_destroy>;
using Calibration = Handle<bnq_calibration, bnq_calibration_destroy>;
using Report = Handle<bnq_report, bnq_report_destroy>;

}  // namespace bnq::cli

#endif  // BNQ_CLI_HANDLES_H_
