/* SPDX-License-Identifier: MIT
 * Sums that all blocks of a launch contribute to, joined by the launch itself.
 *
 * A launch is cut into slices (of channels), each of them into parts, a block each. A block writes
 * its part: one double for each of the slice's items. The last block of each section of parts joins
 * that section, and the last of these blocks the sections, in the order of their numbers: so the
 * bits depend on how the work was cut, which is a matter of the shape alone. Two levels, because
 * one block that reads thousands of parts takes longer than many a kernel.
 *
 * Moments are sums, too: of z and of z^2, in double, made from what each thread has counted from a
 * pivot in float (ani_moment_sums). With a mean of r standard deviations that costs r^2 * 2^-53. */
#ifndef BACKEND_CUDA_KERNEL_TOTALS_H
#define BACKEND_CUDA_KERNEL_TOTALS_H

#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/launch.h"
#include "backend/cuda/kernel/sums.h"

/** Loads that a thread has on their way when it joins: what it waits for is the latency of memory.
 */
#define ANI_TOTALS_AHEAD 16

/** How a launch joins its sums. Made by ani_totals_of(). */
struct ani_totals {
    double *parts;      /* [slices][parts][items] */
    double *joined;     /* [slices][sections][items] */
    unsigned *counters; /* [slices][sections + 1] */
    int32_t count;      /* parts of a slice */
    int32_t section;    /* parts of a section */
    int32_t sections;   /* of a slice */
    int32_t items;      /* of a slice; all slices have room for so many */
};

/** Return whether the counters suffice for so many slices, each with one section at least.
 * Launchers refuse more. */
static inline bool ani_totals_fit(int64_t slices) {
    return slices <= ANI_COUNTERS / 2;
}
/** The same number of parts in each section but the last, about as many as there are sections; with
 * many slices more, so that the counters suffice. One section is the least, also where they do not.
 */
static inline int32_t ani_totals_section(int64_t slices, int64_t parts) {
    int64_t section = ANI_TOTALS_AHEAD;
    while (section * section < parts ||
           (section < parts && slices * (ani_pieces(parts, section) + 1) > ANI_COUNTERS))
        section += ANI_TOTALS_AHEAD;
    return (int32_t)section;
}
/** Bytes of memory that ani_totals_of() needs. */
static inline int64_t ani_totals_size(int64_t slices, int64_t parts, int64_t items) {
    const int64_t sections = ani_pieces(parts, ani_totals_section(slices, parts));
    return slices * (parts + sections) * items * (int64_t)sizeof(double);
}
/** slices: ani_totals_fit(). */
static inline ani_totals ani_totals_of(void *memory, unsigned *counters, int64_t slices,
                                       int64_t parts, int64_t items) {
    ani_totals totals = {};
    totals.parts = static_cast<double *>(memory);
    totals.joined = totals.parts + slices * parts * items;
    totals.counters = counters;
    totals.count = (int32_t)parts;
    totals.section = ani_totals_section(slices, parts);
    totals.sections = (int32_t)ani_pieces(parts, totals.section);
    totals.items = (int32_t)items;
    return totals;
}

/** Where a block writes the items of its part. */
ANI_DEVICE double *ani_totals_part(const ani_totals &totals, int slice, int part) {
    return totals.parts + ((int64_t)slice * totals.count + part) * totals.items;
}

/** Shared memory, in bytes and aligned to 8, of ani_totals_join() in a block of `threads`. */
#define ANI_TOTALS_SHARED(threads, items) (((threads) + (items)) * 8)

/* Sum the items of `count` parts: several threads an item, each a range of the parts, as far as the
 * threads suffice. */
ANI_DEVICE void ani_totals_sum(const double *parts, int count, int items, double *threads,
                               double *sums) {
    const int share = items < ani_threads() ? ani_threads() / items : 1;
    const int range = (count + share - 1) / share;
    for (int first = 0; first < items; first += ani_threads()) {
        const int item = share > 1 ? ani_thread() % items : first + ani_thread();
        const int number = share > 1 ? ani_thread() / items : 0;
        double sum = 0;
        if (item < items && number < share) {
            const int end = (number + 1) * range < count ? (number + 1) * range : count;
            for (int part = number * range; part < end; part += ANI_TOTALS_AHEAD) {
                double loaded[ANI_TOTALS_AHEAD];
                ANI_UNROLL
                for (int i = 0; i < ANI_TOTALS_AHEAD; i++)
                    loaded[i] = part + i < end
                                    ? ani_read_fresh(parts + (int64_t)(part + i) * items + item)
                                    : 0;
                ANI_UNROLL
                for (int i = 0; i < ANI_TOTALS_AHEAD; i++)
                    sum += loaded[i];
            }
        }
        if (share == 1) {
            if (item < items) sums[item] = sum;
            continue;
        }
        threads[ani_thread()] = sum;
        ani_sync();
        if (ani_thread() < items) {
            for (int i = 1; i < share; i++)
                sum += threads[i * items + ani_thread()];
            sums[ani_thread()] = sum;
        }
    }
    ani_sync();
}

/** Join what the blocks of a slice have written; all threads of each block call it once. Returns
 * true in the last block of the slice, where sums [items], in shared memory, is then filled for all
 * threads. shared: as ANI_TOTALS_SHARED says; no thread may want what it held before. */
ANI_DEVICE bool ani_totals_join(const ani_totals &totals, int slice, int part, void *shared,
                                const double **sums) {
    double *threads = static_cast<double *>(shared), *of = threads + ani_threads();
    unsigned *counters = totals.counters + (int64_t)slice * (totals.sections + 1);
    const int number = part / totals.section, first = number * totals.section;
    const int count = totals.count - first < totals.section ? totals.count - first : totals.section;
    *sums = of;
    if (!ani_is_last_block(counters + number, (unsigned)count)) return false;
    ani_totals_sum(ani_totals_part(totals, slice, first), count, totals.items, threads, of);
    if (totals.sections == 1) return true;
    double *joined = totals.joined + (int64_t)slice * totals.sections * totals.items;
    for (int i = ani_thread(); i < totals.items; i += ani_threads())
        joined[(int64_t)number * totals.items + i] = of[i];
    if (!ani_is_last_block(counters + totals.sections, (unsigned)totals.sections)) return false;
    ani_totals_sum(joined, totals.sections, totals.items, threads, of);
    return true;
}

/** Sums of values and of their squares. */
struct ani_moment_sums {
    double sum, squares;
};
/** From sums of (z - pivot) and (z - pivot)^2 over count values. */
ANI_DEVICE ani_moment_sums ani_moment_sums_of(float count, float pivot, float sum, float squares) {
    const double n = count, p = pivot, s = sum;
    ani_moment_sums sums;
    sums.sum = fma(n, p, s);
    sums.squares = fma(p, fma(n, p, 2 * s), (double)squares);
    return sums;
}

/** Finish a channel of a unit's forward pass from the sums over `rows`. */
ANI_DEVICE void ani_finish_channel(const ani_moments_end &end, int64_t c, int64_t channel,
                                   int64_t rows, double sum, double squares) {
    const double mean = sum / (double)rows, m2 = squares - sum * mean;
    const double positive = m2 < 0 ? 0 : m2; /* rounding; NaN stays */
    if (end.moments) {
        end.moments[channel] = mean;
        end.moments[c + channel] = positive;
    }
    if (end.norm)
        ani_norm_forward(end.bn, channel, (double)rows, mean, positive, end.momentum, end.update);
}
/** Finish a channel of a store. */
ANI_DEVICE void ani_finish_channel(const ani_sums_end &end, int64_t c, int64_t channel, double sum,
                                   double product) {
    if (end.sums) {
        end.sums[channel] = sum;
        end.sums[c + channel] = product;
    }
    if (end.norm) ani_norm_backward(end, channel, sum, product);
}

#endif
