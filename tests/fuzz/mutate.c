/* SPDX-License-Identifier: MIT
 * Damage to files, decided by a random number alone. */
#include "mutate.h"

#include <string.h>

/* splitmix64: good enough to choose places, and short. */
static uint64_t next(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A number from 0 to limit - 1; 0 if limit is 0. */
static int64_t below(uint64_t *state, int64_t limit) {
    return limit > 0 ? (int64_t)(next(state) % (uint64_t)limit) : 0;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t copy_item(uint8_t *out, const corpus_item *item) {
    const int64_t size = smaller(item->size, MUTATE_MAX_SIZE);
    if (size) memcpy(out, item->bytes, (size_t)size);
    return size;
}

static int64_t pick_good(const corpus *all, uint64_t *state) {
    int64_t item = below(state, all->count);
    while (!all->items[item].is_good)
        item = (item + 1) % all->count;
    return item;
}

static void flip_bit(uint8_t *bytes, int64_t size, uint64_t *state) {
    if (size) bytes[below(state, size)] ^= (uint8_t)(1u << below(state, 8));
}

/* The begin of what is in out, then the end of item. */
static int64_t splice(uint8_t *out, int64_t size, const corpus_item *item, uint64_t *state) {
    const int64_t head = below(state, size + 1), skip = below(state, item->size + 1);
    const int64_t tail = smaller(item->size - skip, MUTATE_MAX_SIZE - head);
    if (tail) memcpy(out + head, item->bytes + skip, (size_t)tail);
    return head + tail;
}

int64_t mutate_once(uint8_t *out, const corpus *all, uint64_t random, int64_t *from) {
    uint64_t state = random;
    *from = pick_good(all, &state);
    const int64_t size = copy_item(out, &all->items[*from]);
    switch (below(&state, 3)) {
    case 0:
        flip_bit(out, size, &state);
        return size;
    case 1:
        return below(&state, size + 1);
    default:
        return splice(out, size, &all->items[pick_good(all, &state)], &state);
    }
}

/* Overwrite 1, 2, 4 or 8 bytes, little or big end first, with a number at which code goes wrong. */
static void put_number(uint8_t *bytes, int64_t size, uint64_t *state) {
    static const uint64_t odd[] = {0,
                                   1,
                                   2,
                                   127,
                                   128,
                                   255,
                                   256,
                                   32767,
                                   32768,
                                   65535,
                                   65536,
                                   INT32_MAX,
                                   UINT64_C(1) << 31,
                                   UINT32_MAX,
                                   UINT64_C(1) << 32,
                                   INT64_MAX,
                                   UINT64_C(1) << 63,
                                   UINT64_MAX};
    const int width = 1 << below(state, 4);
    if (size < width) return;
    uint8_t *at = bytes + below(state, size - width + 1);
    uint64_t value = odd[below(state, sizeof odd / sizeof *odd)];
    if (below(state, 4) == 0) { /* near what is there */
        value = 0;
        for (int i = 0; i < width; i++)
            value |= (uint64_t)at[i] << (8 * i);
        value += (uint64_t)below(state, 33) - 16;
    }
    const bool is_big = below(state, 2);
    for (int i = 0; i < width; i++)
        at[is_big ? width - 1 - i : i] = (uint8_t)(value >> (8 * i));
}

/* Put a block of bytes in at a place; returns the new size. */
static int64_t insert(uint8_t *out, int64_t size, const uint8_t *block, int64_t block_size,
                      uint64_t *state) {
    uint8_t copy[512];
    block_size = smaller(block_size, smaller(sizeof copy, MUTATE_MAX_SIZE - size));
    if (block_size <= 0) return size;
    const int64_t at = below(state, size + 1);
    memcpy(copy, block, (size_t)block_size);
    memmove(out + at + block_size, out + at, (size_t)(size - at));
    memcpy(out + at, copy, (size_t)block_size);
    return size + block_size;
}

static int64_t mutate_step(uint8_t *out, int64_t size, const corpus *all, uint64_t *state) {
    const corpus_item *other = &all->items[below(state, all->count)];
    switch (below(state, 10)) {
    case 0:
    case 1:
        flip_bit(out, size, state);
        return size;
    case 2:
        if (size) out[below(state, size)] = (uint8_t)next(state);
        return size;
    case 3:
    case 4:
        put_number(out, size, state);
        return size;
    case 5: { /* leave a block out */
        const int64_t at = below(state, size), length = 1 + below(state, smaller(size - at, 64));
        if (!size) return size;
        memmove(out + at, out + at + length, (size_t)(size - at - length));
        return size - length;
    }
    case 6: { /* double a block */
        const int64_t at = below(state, size);
        return insert(out, size, out + at, smaller(1 + below(state, 64), size - at), state);
    }
    case 7: { /* a block of another item */
        const int64_t at = below(state, other->size);
        return insert(out, size, other->bytes + at,
                      smaller(1 + below(state, 256), other->size - at), state);
    }
    case 8: /* over what is there */
        if (size && other->size) {
            const int64_t at = below(state, size), source = below(state, other->size);
            const int64_t most = smaller(size - at, other->size - source);
            memcpy(out + at, other->bytes + source, (size_t)smaller(1 + below(state, 64), most));
        }
        return size;
    default:
        if (below(state, 4) != 0) return size;
        return below(state, 2) ? below(state, size + 1) : splice(out, size, other, state);
    }
}

int64_t mutate_deeply(uint8_t *out, const corpus *all, uint64_t random, int64_t *from) {
    uint64_t state = random;
    *from = below(&state, all->count);
    int64_t size = copy_item(out, &all->items[*from]);
    for (int64_t steps = 1 + below(&state, 8); steps > 0; steps--)
        size = mutate_step(out, size, all, &state);
    return size;
}
