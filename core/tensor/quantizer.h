// An array as blocks that are encoded on the context's threads. Blocks depend
// on the layout alone, so that the number of threads never changes a result.
// slices.h drives it; nobody else has to.
#ifndef BNQ_CORE_TENSOR_QUANTIZER_H_
#define BNQ_CORE_TENSOR_QUANTIZER_H_

#include <cstdint>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/kernels/traversal.h"
#include "core/scheme/params.h"
#include "core/tensor/outliers.h"
#include "core/tensor/segment.h"
#include "core/tensor/source.h"
#include "core/tensor/tensor.h"

namespace bnq {

// The array must stay in memory; the results go wherever the caller wants them.
class Quantizer {
 public:
  Quantizer(const Context& context, const Config& config,
            const ArrayView& array)
      : Quantizer(context, FormatOf(config), config, array) {}
  // With a format that need not be in the registry.
  Quantizer(const Context& context, const Format& format, const Config& config,
            const ArrayView& array);
  Quantizer(const Quantizer&) = delete;

  const Context& context() const { return context_; }
  const Config& config() const { return config_; }
  const Format& format() const { return format_; }
  const SourceView& source() const { return source_; }
  const Layout& layout() const { return layout_; }
  uint64_t elements() const { return array_.shape.elements(); }
  // How codes are made, with the codebook once it is set.
  const CodeRule& rule() const { return rule_; }

  // Of the format's codes, before parameters are found.
  void SetCodebook(const float* values);
  // For the search; borrowed.
  void SetImportance(const float* weights);
  const Importance& importance() const { return importance_; }

  // Finds the outlier columns, if config asks for any; before all else.
  void FindOutlierColumns();
  const OutlierColumns& outliers() const { return outliers_; }
  // The outliers' values of the whole array.
  void CopyOutliers(uint8_t* values) const;

  // Whether the config's rule needs more than one reduction of a segment.
  bool searches() const;
  // Whether Encode can find parameters along with the codes, in one pass over
  // memory. If not, FindParams (find_params.h) comes first.
  bool one_pass() const { return one_pass_; }

  // Blocks, in row-major order. A slice of them covers contiguous elements,
  // bytes of codes and, in one pass, parameters.
  uint64_t num_blocks() const { return num_blocks_; }
  uint64_t ElementOf(uint64_t block) const;  // num_blocks(): the end
  uint64_t CodeByteOf(uint64_t block) const;
  uint64_t ParamOf(uint64_t block) const;

  // Blocks [begin, end). codes is where CodeByteOf(begin) goes. `find`: finds
  // parameters, too, and puts them where ParamOf(begin) goes; else params are
  // all of the tensor's. NON_FINITE names the first index.
  void Encode(uint64_t begin, uint64_t end, bool find, ParamSpan params,
              uint8_t* codes);
  // The same with what codes decode as, of the whole array, in place of codes;
  // `values` may be the array's own float32. Not where parameters are by
  // element.
  void RoundTrip(uint64_t begin, uint64_t end, bool find, ParamSpan params,
                 float* values);
  // Parameters of all blocks as Encode finds them, without the codes.
  void FindInBlocks(ParamSpan params);

  // Of elements [begin, end), of which one was taken not to be finite.
  [[noreturn]] void FailNotFinite(uint64_t begin, uint64_t end) const;

 private:
  EncodeArgs ArgsOf(bool find, ParamSpan params);
  void EncodeBlock(EncodeArgs args, uint64_t block) const;

  const Context& context_;
  const Config config_;
  const Format& format_;
  const ArrayView array_;
  SourceView source_;
  const Layout layout_;
  CodeRule rule_;
  CodeTable codebook_;
  Importance importance_;
  bool one_pass_ = false;
  OutlierColumns outliers_;
  uint64_t block_rows_ = 1, block_columns_ = 1, blocks_per_row_ = 1;
  uint64_t num_blocks_ = 0;
  Buffer element_params_;
};

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_QUANTIZER_H_
