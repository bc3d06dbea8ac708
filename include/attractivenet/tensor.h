/* SPDX-License-Identifier: MIT
 * Arrays of float in host memory, channels last. */
#ifndef ATTRACTIVENET_TENSOR_H
#define ATTRACTIVENET_TENSOR_H

#include <attractivenet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A dense float32 array in host memory, row-major, 1 to 8 dimensions; images are [N,H,W,C]. */
typedef struct an_tensor an_tensor;

enum { AN_TENSOR_MAX_RANK = 8 };

/**
 * Make an array of zeros that owns its memory (64-byte aligned).
 *
 * Takes:   shape: rank dimensions, each >= 0, outermost first; rank: 1 to AN_TENSOR_MAX_RANK.
 * Owns:    *out is the caller's; free with an_tensor_destroy().
 * Returns: AN_OK; AN_ERR_ARG for a rank or size out of range; AN_ERR_NOMEM.
 * Threads: any.
 */
AN_API an_status an_tensor_create(an_tensor **out, const int64_t *shape, int32_t rank,
                                  an_error *err);

/**
 * Make an array that uses the caller's memory.
 *
 * Takes:   data: kept, not copied, so it must outlive the tensor; at least as many floats as shape
 *          requires.
 * Returns: as an_tensor_create(); AN_ERR_ARG also if data is NULL and the count is above 0.
 * Threads: any.
 */
AN_API an_status an_tensor_borrow(an_tensor **out, float *data, const int64_t *shape, int32_t rank,
                                  an_error *err);

/** Free a tensor; NULL is allowed. Borrowed memory is left untouched. */
AN_API void an_tensor_destroy(an_tensor *tensor);

/** Return the first element; borrowed from the tensor. NULL if it has no elements. */
AN_API float *an_tensor_data(an_tensor *tensor);
/** As an_tensor_data(), read-only. */
AN_API const float *an_tensor_const_data(const an_tensor *tensor);

/** Return the number of dimensions, 1 to AN_TENSOR_MAX_RANK. */
AN_API int32_t an_tensor_rank(const an_tensor *tensor);

/** Return the length of dimension axis (0 = outermost); 0 if there is no such axis. */
AN_API int64_t an_tensor_length(const an_tensor *tensor, int32_t axis);

/** Return the number of elements. */
AN_API int64_t an_tensor_count(const an_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
