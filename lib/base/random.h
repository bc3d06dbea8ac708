/* SPDX-License-Identifier: MIT
 * Random numbers: NumPy's RandomState where its stream must be reproduced, otherwise numbers that
 * depend only on (seed, epoch, sample). */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/** MT19937 as numpy.random.RandomState(seed). */
typedef struct ani_mt19937 {
    uint32_t key[624];
    int32_t position;
} ani_mt19937;

void ani_mt19937_seed(ani_mt19937 *mt, uint32_t seed);
uint32_t ani_mt19937_next(ani_mt19937 *mt);                  /* raw 32 bits */
double ani_mt19937_double(ani_mt19937 *mt);                  /* [0,1), two draws */
uint32_t ani_mt19937_bounded(ani_mt19937 *mt, uint32_t max); /* [0,max], masked rejection */
double ani_mt19937_uniform(ani_mt19937 *mt, double low,
                           double high); /* low + (high - low) * double */
void ani_mt19937_permutation(ani_mt19937 *mt, int64_t *out, int64_t count); /* of 0..count-1 */

/** A separate stream for each (seed, epoch, sample): the same whichever thread draws from it, and
 * when. */
typedef struct ani_stream {
    uint64_t state;
} ani_stream;

ani_stream ani_stream_begin(uint32_t seed, int64_t epoch, int64_t sample);
uint64_t ani_stream_next(ani_stream *stream);
double ani_stream_double(ani_stream *stream); /* [0,1), 53 bits */
double ani_stream_uniform(ani_stream *stream, double low, double high);
double ani_stream_normal(ani_stream *stream); /* mean 0, deviation 1 */

#endif
