/* SPDX-License-Identifier: MIT
 * Undoes the filters of a chunk, the last one first. Each step writes into a buffer as large as the
 * chunk and its checksums, so that nothing is unpacked beyond that. */
#include "io/hdf5_filter.h"

#include <stdio.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "base/memory.h"
#include "base/size.h"

enum {
    DEFLATE = 1,
    SHUFFLE = 2,
    FLETCHER32 = 3,
    CHECKSUM_SIZE = 4,
    MAX_FILTERS = sizeof((ani_hdf5_filters *)0)->id / sizeof(int32_t),
    MAX_RATIO = 1032 /* of deflate: 258 bytes from two bits */
};

/* --- the message ------------------------------------------------------------------------------ */

/* What the filters that are not supported are called. */
static const struct {
    uint32_t id;
    const char *name;
} others[] = {{4, "szip"},      {5, "n-bit"},     {6, "scale-offset"},   {32000, "lzf"},
              {32001, "blosc"}, {32004, "lz4"},   {32008, "bitshuffle"}, {32013, "zfp"},
              {32015, "zstd"},  {32026, "blosc2"}};

static an_status refuse_filter(const ani_hdf5 *file, const char *path, uint32_t id, an_error *err) {
    const char *name = "?";
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].id == id) name = others[i].name;
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "'%s': array '%s' is stored with filter %u (%s); deflate (gzip), shuffle and "
                    "fletcher32 are supported",
                    file->name, path, (unsigned)id, name);
}

static an_status fail_filters(const ani_hdf5 *file, const char *path, an_error *err) {
    return ani_fail(err, AN_ERR_FORMAT, "'%s': the list of filters of array '%s' is damaged",
                    file->name, path);
}

an_status ani_hdf5_read_filters(ani_hdf5_filters *out, const ani_hdf5 *file,
                                const ani_hdf5_message *message, const char *path, an_error *err) {
    *out = (ani_hdf5_filters){0};
    if (message->is_shared || message->size < 2) return fail_filters(file, path, err);
    const int version = message->data[0], count = message->data[1];
    const uint8_t *p = message->data + (version == 1 ? 8 : 2);
    const uint8_t *const end = message->data + message->size;
    if (count == 0) return AN_OK;
    if (version < 1 || version > 2 || count > MAX_FILTERS) return fail_filters(file, path, err);
    for (int i = 0; i < count; i++) {
        const bool is_old = version == 1; /* it has names, and pads to multiples of 8 bytes */
        const int64_t head = is_old ? 8 : 6;
        if (end - p < head) return fail_filters(file, path, err);
        const uint32_t id = ani_hdf5_u16(p), values = ani_hdf5_u16(p + head - 2);
        if (id < DEFLATE || id > FLETCHER32) return refuse_filter(file, path, id, err);
        const int64_t name_size = is_old ? ((int64_t)ani_hdf5_u16(p + 2) + 7) / 8 * 8 : 0;
        const int64_t all = name_size + 4 * (int64_t)(values + (is_old ? values % 2 : 0));
        p += head;
        if (all > end - p) return fail_filters(file, path, err);
        out->id[i] = (int32_t)id;
        if (id == SHUFFLE) {
            out->element[i] = values ? ani_hdf5_u32(p + name_size) : 0;
            if (out->element[i] == 0) return fail_filters(file, path, err);
        }
        p += all;
    }
    out->count = count;
    return AN_OK;
}

/* --- the filters ------------------------------------------------------------------------------ */

static void *take_memory(void *user, unsigned count, unsigned size) {
    int64_t all;
    (void)user;
    return ani_mul_size(count, size, &all) ? ani_alloc(all) : NULL;
}

static void free_memory(void *user, void *memory) {
    (void)user;
    ani_free(memory);
}

/* Unpack exactly one zlib stream, which must use all of from. Returns the bytes written; -1: it is
 * damaged or has more than room. */
static int64_t inflate_all(z_stream *stream, const uint8_t *from, int64_t size, uint8_t *to,
                           int64_t room) {
    stream->next_in = from;
    stream->next_out = to;
    /* sizes of chunks have 32 bits */
    stream->avail_in = (unsigned)size;
    stream->avail_out = (unsigned)room;
    if (inflate(stream, Z_FINISH) != Z_STREAM_END || stream->avail_in != 0) return -1;
    return room - stream->avail_out;
}

/* Bytes of one kind are stored together: all first ones, then all second ones, ... What is left
 * after whole elements stays at the end. */
static void unshuffle(const uint8_t *from, int64_t size, int64_t element, uint8_t *to) {
    const int64_t count = size / element;
    for (int64_t k = 0; k < element && count > 0; k++)
        for (int64_t i = 0; i < count; i++)
            to[i * element + k] = from[k * count + i];
    if (size % element)
        memcpy(to + count * element, from + count * element, (size_t)(size % element));
}

static uint32_t fold(uint32_t sum) {
    return (sum & 0xffff) + (sum >> 16);
}

/* Fletcher's checksum of big-endian 16-bit numbers, as libhdf5 computes it. */
static uint32_t fletcher32(const uint8_t *p, int64_t size) {
    uint32_t sum = 0, sums = 0;
    for (int64_t i = 0; i < size; i += 2) {
        sum = fold(sum + ((uint32_t)p[i] << 8 | (i + 1 < size ? p[i + 1] : 0u)));
        sums = fold(sums + sum);
    }
    return fold(sums) << 16 | fold(sum);
}

/* --- a chunk ---------------------------------------------------------------------------------- */

static an_status prepare(ani_hdf5_unfilter *undo, int64_t room, an_error *err) {
    for (int i = 0; i < 2; i++) {
        if (!undo->buffers[i]) undo->buffers[i] = ani_alloc(room);
        if (!undo->buffers[i]) return ani_fail_memory(err, room, "a chunk");
    }
    if (undo->inflater) return AN_OK;
    z_stream *stream = ani_alloc_zero(1, sizeof *stream);
    if (!stream) return ani_fail_memory(err, sizeof *stream, "an inflater");
    stream->zalloc = take_memory;
    stream->zfree = free_memory;
    if (inflateInit(stream) != Z_OK) {
        ani_free(stream);
        return ani_fail_memory(err, sizeof *stream, "an inflater");
    }
    undo->inflater = stream;
    return AN_OK;
}

static an_status fail_chunk(const ani_hdf5 *file, const char *path, const char *what,
                            an_error *err) {
    return ani_fail(err, AN_ERR_FORMAT, "'%s': a chunk of array '%s' is damaged: %s", file->name,
                    path, what);
}

an_status ani_hdf5_unfilter_chunk(ani_hdf5_unfilter *undo, const ani_hdf5 *file, const char *path,
                                  const uint8_t *stored, int64_t size, uint32_t mask,
                                  const uint8_t **chunk, an_error *err) {
    const ani_hdf5_filters *filters = undo->filters;
    const int64_t room = undo->chunk_size + CHECKSUM_SIZE * (int64_t)filters->count;
    const uint8_t *now = stored;
    an_status st = AN_OK;
    if (room > UINT32_MAX || undo->chunk_size / MAX_RATIO > size)
        return fail_chunk(file, path, "it is too small for its values", err);
    if (filters->count > 0) st = prepare(undo, room, err);
    for (int i = filters->count - 1; i >= 0 && !st; i--) {
        uint8_t *free_one = undo->buffers[now == undo->buffers[0]];
        if (mask >> i & 1) continue;
        if (filters->id[i] == FLETCHER32) {
            size -= CHECKSUM_SIZE;
            if (size < 0 || fletcher32(now, size) != ani_hdf5_u32(now + size))
                return fail_chunk(file, path, "its checksum does not match", err);
        } else if (filters->id[i] == DEFLATE) {
            z_stream *stream = undo->inflater;
            size =
                inflateReset(stream) == Z_OK ? inflate_all(stream, now, size, free_one, room) : -1;
            if (size < 0) return fail_chunk(file, path, "it cannot be unpacked", err);
            now = free_one;
        } else {
            if (size > room) return fail_chunk(file, path, "it is too large for its values", err);
            unshuffle(now, size, filters->element[i], free_one);
            now = free_one;
        }
    }
    if (!st && size != undo->chunk_size)
        return fail_chunk(file, path, "its size is not that of its values", err);
    *chunk = now;
    return st;
}

void ani_hdf5_unfilter_end(ani_hdf5_unfilter *undo) {
    if (undo->inflater) inflateEnd(undo->inflater);
    ani_free(undo->inflater);
    for (int i = 0; i < 2; i++)
        ani_free(undo->buffers[i]);
    *undo = (ani_hdf5_unfilter){0};
}
