/* SPDX-License-Identifier: MIT
 * All templates, and the table entries of the level that includes this. */
#include "kernels/simd/tensors.h"

#include "kernels/simd/sums.h"
#include "kernels/simd/product.h"
#include "kernels/simd/depthwise.h"
#include "kernels/simd/optim.h"

_Static_assert(ANI_TILE_ROWS % WIDE_ROWS == 0 && ANI_TILE_ROWS % NARROW_ROWS == 0,
               "tiles hold whole register tiles");
_Static_assert((int)BLOCK == (int)ANI_BLOCK && BLOCK % LANES == 0, "blocks hold whole vectors");

/* Store this level's entries; the other entries of the table are unchanged. */
static void fill_table(ani_kernels *table, const char *level) {
    table->level = level;
    table->panels[ANI_NARROW] = (ani_panel){NARROW, NARROW_ROWS};
    table->panels[ANI_WIDE] = (ani_panel){WIDE, WIDE_ROWS};
    table->panels[ANI_SLIM] = (ani_panel){SLIM_ROWS > 0 ? SLIM : 0, SLIM_ROWS};
    fill_tensors(&table->tensor[ANI_FLOAT32]);
    table->column_sums = column_sums;
    table->stream_copy = V_STREAMS ? stream_copy : NULL;
    table->fence = fence;
    table->product = product;
    table->product_transposed = product_transposed;
    table->depthwise = depthwise;
    table->depthwise_spread = depthwise_spread;
    table->depthwise_weights = depthwise_weights;
    table->adam = adam;
    table->sgd = sgd;
}
