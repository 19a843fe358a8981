/* Experimental functions of libbnq: they may change or go in any release.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BNQ_BNQ_X_H_
#define BNQ_BNQ_X_H_

#include "bnq/bnq.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For tests: forces a SIMD target by its name (bnq_target_name), process-wide
 * and for every user of Highway in the process; NULL takes the best again. Not
 * while any operation runs. NOT_FOUND for a target that is not compiled in,
 * UNSUPPORTED for one that this CPU cannot run. */
BNQ_API bnq_status bnq_x_force_target(const char* name);

#ifdef __cplusplus
}
#endif

#endif /* BNQ_BNQ_X_H_ */
