/* SPDX-License-Identifier: MIT
 * What follows the sums over the rows of a tensor, per channel, in the launch that formed them:
 * moments and batch norm, or the sums of a store and its gradients. totals.h joins what the blocks
 * have summed. */
#ifndef BACKEND_CUDA_KERNEL_SUMS_H
#define BACKEND_CUDA_KERNEL_SUMS_H

#include "backend/cuda/kernel/kernel.h"

#include <math.h>

#include "backend/backend.h"

/* --- what follows the sums -------------------------------------------------------------------- */

/** After a unit's forward pass. Made by ani_moments_end_of(). */
struct ani_moments_end {
    double *moments; /* [2][c]: mean, sum of (z - mean)^2; NULL: not wanted */
    ani_bn bn;       /* with norm: to be computed from the moments */
    double momentum;
    int32_t norm, update;
};
static inline ani_moments_end ani_moments_end_of(double *moments, const ani_bn_forward *forward) {
    ani_moments_end end = {};
    end.moments = moments;
    if (!forward) return end;
    end.bn = *forward->bn;
    end.momentum = forward->momentum;
    end.norm = 1;
    end.update = forward->update;
    return end;
}
/** Return whether a forward pass has to form moments. */
ANI_BOTH bool ani_wants_moments(const ani_moments_end &end) {
    return end.moments || end.norm;
}

/** After the sums of ani_store. Made by ani_sums_end_of(). */
struct ani_sums_end {
    double *sums; /* [2][c]; NULL: not wanted */
    ani_bn bn;    /* with norm: its gradients and a, b, c are to be computed from the sums */
    int64_t count;
    float *dgamma, *dbeta; /* [c] or NULL */
    float *a, *b, *c;
    int32_t norm, batch;
};
/** rows: of the store. */
static inline ani_sums_end ani_sums_end_of(double *sums, const ani_bn_backward *backward,
                                           int64_t rows) {
    ani_sums_end end = {};
    end.sums = sums;
    end.count = rows;
    if (!backward) return end;
    end.bn = *backward->bn;
    end.dgamma = backward->dgamma;
    end.dbeta = backward->dbeta;
    end.a = backward->a;
    end.b = backward->b;
    end.c = backward->c;
    end.norm = 1;
    end.batch = backward->batch;
    return end;
}
/** Return whether a store has to form sums. */
ANI_BOTH bool ani_wants_sums(const ani_sums_end &end) {
    return end.sums || end.norm;
}

/* --- batch norm of one channel, in double ----------------------------------------------------- */

/** mean, inv_std, scale and shift. */
ANI_DEVICE void ani_set_affine(const ani_bn &bn, int64_t i, double mean, double variance) {
    const double inv_std = 1 / sqrt(variance + bn.epsilon);
    const double scale = bn.gamma[i] * inv_std;
    bn.mean[i] = (float)mean;
    bn.inv_std[i] = (float)inv_std;
    bn.scale[i] = (float)scale;
    bn.shift[i] = (float)(bn.beta[i] - mean * scale);
}

/** From the moments over count rows; update: the moving statistics too. */
ANI_DEVICE void ani_norm_forward(const ani_bn &bn, int64_t i, double count, double mean, double m2,
                                 double momentum, bool update) {
    ani_set_affine(bn, i, mean, m2 / count);
    if (!update) return;
    const double unbiased = m2 / (count > 1 ? count - 1 : 1);
    bn.moving_mean[i] = (float)(momentum * bn.moving_mean[i] + (1 - momentum) * mean);
    bn.moving_variance[i] = (float)(momentum * bn.moving_variance[i] + (1 - momentum) * unbiased);
}

/** From the sums of g and of g * (z - mean) over end.count rows: the gradients of gamma and beta,
 * and a, b, c of ani_gradient. */
ANI_DEVICE void ani_norm_backward(const ani_sums_end &end, int64_t i, double sum_g, double sum_gz) {
    const double inv_std = end.bn.inv_std[i], sum_gx = sum_gz * inv_std;
    if (end.dbeta) end.dbeta[i] = (float)sum_g;
    if (end.dgamma) end.dgamma[i] = (float)sum_gx;
    const double factor = end.bn.gamma[i] * inv_std, count = (double)end.count;
    const double slope = end.batch ? -factor * inv_std * sum_gx / count : 0;
    end.a[i] = (float)factor;
    end.b[i] = (float)slope;
    end.c[i] = end.batch ? (float)(-factor * sum_g / count - slope * end.bn.mean[i]) : 0;
}

/* --- moments within a block ------------------------------------------------------------------- */

/** Values summed from a pivot. Zero-initialised: none yet. */
struct ani_pivoted {
    float count, pivot, sum, squares;
};
ANI_DEVICE void ani_add(ani_pivoted &to, float value) {
    if (to.count == 0) to.pivot = value;
    const float d = value - to.pivot;
    to.count += 1;
    to.sum += d;
    to.squares = fmaf(d, d, to.squares);
}

/* --- blocks ----------------------------------------------------------------------------------- */

/** Return whether this block is the last of `blocks` to come here, after all threads of each have
 * written what they have to. Called by all threads of the block. counter: zero before the launch,
 * and again after it; one for each set of blocks that finish together. */
ANI_DEVICE bool ani_is_last_block(unsigned *counter, unsigned blocks) {
    ANI_SHARED_ARRAY(unsigned, last, 1);
    ani_fence();
    ani_sync();
    if (ani_thread() == 0) last[0] = ani_count(counter, blocks - 1) == blocks - 1;
    ani_sync();
    ani_fence();
    return last[0];
}

#endif
