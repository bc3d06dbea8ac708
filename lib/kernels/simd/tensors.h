/* SPDX-License-Identifier: MIT
 * The templates over tensors in memory, and the table entries of the level and the kind of element
 * that includes this. */
#include "kernels/simd/simd.h"
#include "kernels/simd/element.h"

#include "kernels/simd/load.h"
#include "kernels/simd/store.h"
#include "kernels/simd/product_tile.h"
#include "kernels/simd/product_store.h"
#include "kernels/simd/depthwise_store.h"

static void fill_tensors(ani_tensor_kernels *table) {
    table->normalise = normalise;
    table->gradient = gradient;
    table->store_moments = store_moments;
    table->store_sum = store_sum;
    table->store_value = store_value;
    table->store_gradient = store_gradient;
    table->product_moments = product_moments;
    table->product_value = product_value;
    table->product_gradient = product_gradient;
    table->depthwise_moments = depthwise_moments;
    table->depthwise_value = depthwise_value;
    table->depthwise_gradient = depthwise_gradient;
}
