// Of scales that are stored as codes of 8 bits, the best code and not the
// nearest.
#ifndef BNQ_CORE_TENSOR_STORED_SEARCH_H_
#define BNQ_CORE_TENSOR_STORED_SEARCH_H_

#include "core/scheme/scales.h"
#include "core/tensor/quantizer.h"

namespace bnq {

// After scale_rule = mse, where scales are stored together (double_quant, e4m3)
// and codes are made with what is stored: for each segment the stored code of
// its scale, or those of its scale and offset, and the codes next to them are
// tried, and those of the least squared error are kept, the nearest ones on a
// tie. `scales` and `offsets` (of count 0: none) are views of codes that may be
// changed; `params` are what they are read as, and again afterwards.
void SearchStored(const Quantizer& quantizer, const StoredScales& scales,
                  uint8_t* scale_codes, const StoredScales& offsets,
                  uint8_t* offset_codes, ParamSpan params);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_STORED_SEARCH_H_
