/* SPDX-License-Identifier: MIT
 * Sums over the rows of a tensor, per channel, that a kernel finishes itself.
 *
 * Each block keeps floats for what it has seen and writes them as one part. The last block to
 * arrive joins all parts in double, in the order of their numbers, and goes on to batch norm. So
 * the bits depend on how the work was cut, which is a matter of the shape alone, and not on which
 * block came last. One block reads parts * channels numbers: keep parts to a few hundred, and give
 * wide tensors a counter for each slice of channels.
 *
 * Moments: a thread counts from a pivot, a value of its own channel, so that a mean far from zero
 * costs no precision; parts are (count, mean, sum of squared distances from it) and are joined by
 * Chan's formula. */
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
    const int32_t *guard; /* not zero there: the moving statistics stay; NULL: none */
    int32_t norm, update;
};
static inline ani_moments_end ani_moments_end_of(double *moments, const ani_bn_forward *forward) {
    ani_moments_end end = {};
    end.moments = moments;
    if (!forward) return end;
    end.bn = *forward->bn;
    end.momentum = forward->momentum;
    end.guard = forward->guard;
    end.norm = 1;
    end.update = forward->update;
    return end;
}
/** Return whether a forward pass has to form moments. */
static inline bool ani_wants_moments(const ani_moments_end &end) {
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
static inline bool ani_wants_sums(const ani_sums_end &end) {
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

/** The moments of some values. */
struct ani_moments {
    float count, mean, m2;
};
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
ANI_DEVICE ani_moments ani_moments_of(const ani_pivoted &from) {
    ani_moments moments = {from.count, 0, 0};
    if (from.count == 0) return moments;
    const float d = from.sum / from.count;
    moments.mean = from.pivot + d;
    moments.m2 = from.squares - from.sum * d;
    if (moments.m2 < 0) moments.m2 = 0; /* rounding; NaN stays */
    return moments;
}
/** Add those of other values. */
ANI_DEVICE void ani_join(ani_moments &to, const ani_moments &from) {
    if (from.count == 0) return;
    const float count = to.count + from.count, share = from.count / count, d = from.mean - to.mean;
    to.mean = fmaf(d, share, to.mean);
    to.m2 += fmaf(d * d, to.count * share, from.m2);
    to.count = count;
}

/* --- parts ------------------------------------------------------------------------------------ */

/** Bytes of the parts of c channels: of moments, [parts][3][c]; of sums, [parts][2][c]. */
static inline int64_t ani_moments_size(int64_t parts, int64_t c) {
    return parts * 3 * c * (int64_t)sizeof(float);
}
static inline int64_t ani_sums_size(int64_t parts, int64_t c) {
    return parts * 2 * c * (int64_t)sizeof(float);
}
ANI_DEVICE void ani_write_moments(float *parts, int64_t part, int64_t c, int64_t channel,
                                  const ani_moments &moments) {
    float *at = parts + part * 3 * c + channel;
    at[0] = moments.count;
    at[c] = moments.mean;
    at[2 * c] = moments.m2;
}
ANI_DEVICE void ani_write_sums(float *parts, int64_t part, int64_t c, int64_t channel, float sum,
                               float product) {
    float *at = parts + part * 2 * c + channel;
    at[0] = sum;
    at[c] = product;
}

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

/** Shared memory, in bytes, that the two functions below need in a block of `threads`, aligned to 8
 * bytes; what it held before must no longer be wanted by any thread. */
#define ANI_JOIN_SIZE(threads) ((threads)*3 * 8)

/** Join the parts of channels first to first + channels - 1 of c, and finish. Called by all threads
 * of the last block, whose number is a multiple of 32. */
ANI_DEVICE void ani_finish_moments(const float *parts, int64_t count, int64_t c, int64_t first,
                                   int64_t channels, const ani_moments_end &end, void *shared) {
    const int warps = ani_threads() / ANI_WARP, warp = ani_warp(), lane = ani_lane();
    double *of_warp = static_cast<double *>(shared) + ani_thread() * 3;
    const bool update = end.update && !(end.guard && *end.guard);
    ani_sync();
    for (int64_t at = first; at < first + channels; at += ANI_WARP) {
        const int64_t channel = at + lane;
        double n = 0, mean = 0, m2 = 0;
        for (int64_t part = warp; channel < first + channels && part < count; part += warps) {
            const float *p = parts + part * 3 * c + channel;
            const double more = ani_read_fresh(p);
            if (more == 0) continue;
            const double d = ani_read_fresh(p + c) - mean, share = more / (n + more);
            mean += d * share;
            m2 += ani_read_fresh(p + 2 * c) + d * d * n * share;
            n += more;
        }
        of_warp[0] = n;
        of_warp[1] = mean;
        of_warp[2] = m2;
        ani_sync();
        if (warp == 0 && channel < first + channels) {
            for (int other = 1; other < warps; other++) {
                const double *from = of_warp + other * ANI_WARP * 3;
                const double more = from[0];
                if (more == 0) continue;
                const double d = from[1] - mean, share = more / (n + more);
                mean += d * share;
                m2 += from[2] + d * d * n * share;
                n += more;
            }
            if (end.moments) {
                end.moments[channel] = mean;
                end.moments[c + channel] = m2;
            }
            if (end.norm) ani_norm_forward(end.bn, channel, n, mean, m2, end.momentum, update);
        }
        ani_sync();
    }
}

/** The same for the sums of a store. */
ANI_DEVICE void ani_finish_sums(const float *parts, int64_t count, int64_t c, int64_t first,
                                int64_t channels, const ani_sums_end &end, void *shared) {
    const int warps = ani_threads() / ANI_WARP, warp = ani_warp(), lane = ani_lane();
    double *of_warp = static_cast<double *>(shared) + ani_thread() * 3;
    ani_sync();
    for (int64_t at = first; at < first + channels; at += ANI_WARP) {
        const int64_t channel = at + lane;
        double sum = 0, product = 0;
        for (int64_t part = warp; channel < first + channels && part < count; part += warps) {
            const float *p = parts + part * 2 * c + channel;
            sum += ani_read_fresh(p);
            product += ani_read_fresh(p + c);
        }
        of_warp[0] = sum;
        of_warp[1] = product;
        ani_sync();
        if (warp == 0 && channel < first + channels) {
            for (int other = 1; other < warps; other++) {
                sum += of_warp[other * ANI_WARP * 3];
                product += of_warp[other * ANI_WARP * 3 + 1];
            }
            if (end.sums) {
                end.sums[channel] = sum;
                end.sums[c + channel] = product;
            }
            if (end.norm) ani_norm_backward(end, channel, sum, product);
        }
        ani_sync();
    }
}

#endif
