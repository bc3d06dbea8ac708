/* SPDX-License-Identifier: MIT
 * an_tensor: a shape and the memory that it describes, owned or the caller's. */
#include <attractivenet/tensor.h>

#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"

struct an_tensor {
    float *data;
    int64_t count;
    int64_t shape[AN_TENSOR_MAX_RANK];
    int32_t rank;
    bool owned;
};

/* Make a tensor without data from a checked shape. */
static an_status tensor_begin(an_tensor **out, const int64_t *shape, int32_t rank, an_error *err) {
    *out = NULL;
    if (rank < 1 || rank > AN_TENSOR_MAX_RANK)
        return ani_fail(err, AN_ERR_ARG, "tensor: rank is %d; it must be 1 to %d", rank,
                        AN_TENSOR_MAX_RANK);
    if (!shape) return ani_fail(err, AN_ERR_ARG, "tensor: shape is NULL");
    int64_t count = 1, size;
    bool fits = true, empty = false;
    for (int32_t axis = 0; axis < rank; axis++) {
        if (shape[axis] < 0)
            return ani_fail(err, AN_ERR_ARG, "tensor: length %lld of axis %d is below 0",
                            (long long)shape[axis], axis);
        if (shape[axis] == 0) empty = true;
        fits = fits && ani_mul_size(count, shape[axis] ? shape[axis] : 1, &count);
    }
    if (!fits || !ani_mul_size(count, (int64_t)sizeof(float), &size))
        return ani_fail(err, AN_ERR_ARG, "tensor: the product of its lengths is too large");
    an_tensor *tensor = ani_alloc_zero(1, sizeof *tensor);
    if (!tensor) return ani_fail_memory(err, sizeof *tensor, "a tensor");
    tensor->count = empty ? 0 : count;
    tensor->rank = rank;
    for (int32_t axis = 0; axis < rank; axis++)
        tensor->shape[axis] = shape[axis];
    *out = tensor;
    return AN_OK;
}

an_status an_tensor_create(an_tensor **out, const int64_t *shape, int32_t rank, an_error *err) {
    an_tensor *tensor = NULL;
    if (!out) return ani_fail(err, AN_ERR_ARG, "tensor: out is NULL");
    *out = NULL;
    an_status st = tensor_begin(&tensor, shape, rank, err);
    if (st) return st;
    const int64_t size = tensor->count * (int64_t)sizeof(float);
    tensor->owned = true;
    tensor->data = tensor->count ? ani_alloc_zero(1, size) : NULL;
    if (tensor->count && !tensor->data) {
        an_tensor_destroy(tensor);
        return ani_fail_memory(err, size, "a tensor");
    }
    *out = tensor;
    return AN_OK;
}

an_status an_tensor_borrow(an_tensor **out, float *data, const int64_t *shape, int32_t rank,
                           an_error *err) {
    an_tensor *tensor = NULL;
    if (!out) return ani_fail(err, AN_ERR_ARG, "tensor: out is NULL");
    *out = NULL;
    an_status st = tensor_begin(&tensor, shape, rank, err);
    if (st) return st;
    if (!data && tensor->count) {
        const long long count = (long long)tensor->count;
        an_tensor_destroy(tensor);
        return ani_fail(err, AN_ERR_ARG, "tensor: data is NULL for %lld elements", count);
    }
    tensor->data = tensor->count ? data : NULL;
    *out = tensor;
    return AN_OK;
}

void an_tensor_destroy(an_tensor *tensor) {
    if (!tensor) return;
    if (tensor->owned) ani_free(tensor->data);
    ani_free(tensor);
}

float *an_tensor_data(an_tensor *tensor) {
    return tensor ? tensor->data : NULL;
}

const float *an_tensor_const_data(const an_tensor *tensor) {
    return tensor ? tensor->data : NULL;
}

int32_t an_tensor_rank(const an_tensor *tensor) {
    return tensor ? tensor->rank : 0;
}

int64_t an_tensor_length(const an_tensor *tensor, int32_t axis) {
    return tensor && axis >= 0 && axis < tensor->rank ? tensor->shape[axis] : 0;
}

int64_t an_tensor_count(const an_tensor *tensor) {
    return tensor ? tensor->count : 0;
}
