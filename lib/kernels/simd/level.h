/* SPDX-License-Identifier: MIT
 * All templates, and the table entries of the level that includes this. */
#include "kernels/kernels.h"
#include "kernels/simd/simd.h"

#include "kernels/simd/load.h"
#include "kernels/simd/store.h"
#include "kernels/simd/product.h"
#include "kernels/simd/depthwise.h"
#include "kernels/simd/optim.h"

_Static_assert(ANI_TILE_ROWS % WIDE_ROWS == 0 && ANI_TILE_ROWS % NARROW_ROWS == 0,
               "tiles hold whole register tiles");
_Static_assert((int)BLOCK == (int)ANI_BLOCK && BLOCK % LANES == 0, "blocks hold whole vectors");

/* Store this level's entries; the others of the table stay. */
static void fill_table(ani_kernels *table, const char *level) {
    table->level = level;
    table->wide = WIDE;
    table->narrow = NARROW;
    table->wide_rows = WIDE_ROWS;
    table->narrow_rows = NARROW_ROWS;
    table->normalise = normalise;
    table->gradient = gradient;
    table->store_moments = store_moments;
    table->store_affine = store_affine;
    table->store_gradient = store_gradient;
    table->column_sums = column_sums;
    table->fence = fence;
    table->product = product;
    table->product_transposed = product_transposed;
    table->product_moments = product_moments;
    table->product_gradient = product_gradient;
    table->depthwise = depthwise;
    table->depthwise_moments = depthwise_moments;
    table->depthwise_spread = depthwise_spread;
    table->depthwise_weights = depthwise_weights;
    table->adam = adam;
    table->sgd = sgd;
}
