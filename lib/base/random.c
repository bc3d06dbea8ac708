/* SPDX-License-Identifier: MIT
 * MT19937 with the draws that NumPy derives from it (docs/numerics.md, section split), and
 * counter-based streams. */
#include "base/random.h"

#include <math.h>

void ani_mt19937_seed(ani_mt19937 *mt, uint32_t seed) {
    mt->key[0] = seed;
    for (uint32_t i = 0; i < 623; i++)
        mt->key[i + 1] = 1812433253u * (mt->key[i] ^ (mt->key[i] >> 30)) + i + 1;
    mt->position = 624;
}

static void regenerate(ani_mt19937 *mt) {
    uint32_t *k = mt->key;
    for (int i = 0; i < 624; i++) {
        const uint32_t y = (k[i] & 0x80000000u) | (k[(i + 1) % 624] & 0x7fffffffu);
        k[i] = k[(i + 397) % 624] ^ (y >> 1) ^ (y & 1u ? 0x9908b0dfu : 0u);
    }
    mt->position = 0;
}

uint32_t ani_mt19937_next(ani_mt19937 *mt) {
    if (mt->position == 624) regenerate(mt);
    uint32_t y = mt->key[mt->position++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

double ani_mt19937_double(ani_mt19937 *mt) {
    const uint32_t a = ani_mt19937_next(mt) >> 5;
    const uint32_t b = ani_mt19937_next(mt) >> 6;
    return ((double)a * 67108864.0 + (double)b) / 9007199254740992.0;
}

uint32_t ani_mt19937_bounded(ani_mt19937 *mt, uint32_t max) {
    if (max == 0) return 0;
    uint32_t mask = max;
    for (int shift = 1; shift <= 16; shift *= 2)
        mask |= mask >> shift;
    for (;;) {
        const uint32_t value = ani_mt19937_next(mt) & mask;
        if (value <= max) return value;
    }
}

double ani_mt19937_uniform(ani_mt19937 *mt, double low, double high) {
    return low + (high - low) * ani_mt19937_double(mt);
}

void ani_mt19937_permutation(ani_mt19937 *mt, int64_t *out, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        out[i] = i;
    for (int64_t i = count - 1; i >= 1; i--) {
        const int64_t j = ani_mt19937_bounded(mt, (uint32_t)i);
        const int64_t moved = out[i];
        out[i] = out[j];
        out[j] = moved;
    }
}

/* SplitMix64: one round mixes all bits, so neighbours in (seed, epoch, sample) are unrelated
 * streams. */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

ani_stream ani_stream_begin(uint32_t seed, int64_t epoch, int64_t sample) {
    uint64_t state = mix(seed + 0x9e3779b97f4a7c15u);
    state = mix(state + (uint64_t)epoch * 0x9e3779b97f4a7c15u + 1);
    state = mix(state + (uint64_t)sample * 0x9e3779b97f4a7c15u + 2);
    return (ani_stream){state};
}

uint64_t ani_stream_next(ani_stream *stream) {
    stream->state += 0x9e3779b97f4a7c15u;
    return mix(stream->state);
}

double ani_stream_double(ani_stream *stream) {
    return (double)(ani_stream_next(stream) >> 11) / 9007199254740992.0;
}

double ani_stream_uniform(ani_stream *stream, double low, double high) {
    return low + (high - low) * ani_stream_double(stream);
}

double ani_stream_normal(ani_stream *stream) {
    const double radius = sqrt(-2.0 * log(1.0 - ani_stream_double(stream)));
    return radius * cos(6.283185307179586 * ani_stream_double(stream));
}
