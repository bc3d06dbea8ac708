/* SPDX-License-Identifier: MIT
 * From the bytes of an HDF5 file to objects, messages and links. */
#include "io/hdf5_format.h"

#include <inttypes.h>
#include <string.h>

enum {
    ADDRESS_SIZE = 8,
    SYMBOL_SIZE = 40, /* entry of a symbol table */
    MAX_LEVELS = 8,   /* of a B-tree; its nodes have 16 or more children */
    MAX_BLOCKS = sizeof((ani_hdf5_messages *)0)->block / sizeof((ani_hdf5_messages *)0)->block[0]
};
#define MAX_WORK INT64_C(20000000)

/* --- bytes ------------------------------------------------------------------------------------ */

uint32_t ani_hdf5_u16(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

uint32_t ani_hdf5_u32(const uint8_t *p) {
    return ani_hdf5_u16(p) | ani_hdf5_u16(p + 2) << 16;
}

uint64_t ani_hdf5_u64(const uint8_t *p) {
    return (uint64_t)ani_hdf5_u32(p) | (uint64_t)ani_hdf5_u32(p + 4) << 32;
}

const uint8_t *ani_hdf5_at(const ani_hdf5 *file, uint64_t address, uint64_t size) {
    const uint64_t all = (uint64_t)file->size;
    return address <= all && size <= all - address ? file->bytes + address : NULL;
}

an_status ani_hdf5_spend(ani_hdf5 *file, int64_t work, an_error *err) {
    if (work > MAX_WORK - file->work)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' exceeds the work limit (a link cycle?)",
                        file->name);
    file->work += work;
    return AN_OK;
}

static an_status fail_damaged(const ani_hdf5 *file, const char *what, uint64_t address,
                              an_error *err) {
    return ani_fail(err, AN_ERR_FORMAT, "'%s': damaged HDF5 file: no valid %s at byte %" PRIu64,
                    file->name, what, address);
}

/* --- checksums: Bob Jenkins' lookup3, as the format asks for ---------------------------------- */

static uint32_t turn(uint32_t x, int bits) {
    return x << bits | x >> (32 - bits);
}

static uint32_t checksum(const uint8_t *p, int64_t size) { /* of at least one byte */
    uint32_t a, b, c;
    a = b = c = UINT32_C(0xdeadbeef) + (uint32_t)size;
    while (size > 12) {
        a += ani_hdf5_u32(p);
        b += ani_hdf5_u32(p + 4);
        c += ani_hdf5_u32(p + 8);
        a -= c, a ^= turn(c, 4), c += b;
        b -= a, b ^= turn(a, 6), a += c;
        c -= b, c ^= turn(b, 8), b += a;
        a -= c, a ^= turn(c, 16), c += b;
        b -= a, b ^= turn(a, 19), a += c;
        c -= b, c ^= turn(b, 4), b += a;
        p += 12;
        size -= 12;
    }
    uint8_t rest[12] = {0};
    memcpy(rest, p, (size_t)size);
    a += ani_hdf5_u32(rest);
    b += ani_hdf5_u32(rest + 4);
    c += ani_hdf5_u32(rest + 8);
    c ^= b, c -= turn(b, 14);
    a ^= c, a -= turn(c, 11);
    b ^= a, b -= turn(a, 25);
    c ^= b, c -= turn(b, 16);
    a ^= c, a -= turn(c, 4);
    b ^= a, b -= turn(a, 14);
    c ^= b, c -= turn(b, 24);
    return c;
}

/* Does the number after size bytes fit them? */
static bool is_intact(const uint8_t *bytes, int64_t size) {
    return checksum(bytes, size) == ani_hdf5_u32(bytes + size);
}

/* --- superblock ------------------------------------------------------------------------------- */

an_status ani_hdf5_read_superblock(ani_hdf5 *file, an_error *err) {
    static const uint8_t magic[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    enum { OLD_SIZE = 24, NEW_SIZE = 44 };
    uint64_t base, end, root;
    const uint8_t *head = ani_hdf5_at(file, 0, 16);
    if (!head || memcmp(head, magic, sizeof magic) != 0)
        return ani_fail(err, AN_ERR_FORMAT, "'%s' is not an HDF5 file", file->name);
    const int version = head[8];
    const bool is_old = version < 2;
    if (version > 3)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' uses HDF5 version %d; 0 to 3 are supported",
                        file->name, version);
    const int address_size = is_old ? head[13] : head[9];
    const int length_size = is_old ? head[14] : head[10];
    if (address_size != ADDRESS_SIZE || length_size != ADDRESS_SIZE)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s' has addresses of %d and lengths of %d bytes; only 8 are supported",
                        file->name, address_size, length_size);
    if (is_old) {
        const uint64_t start = OLD_SIZE + (version == 1 ? 4 : 0);
        const uint8_t *p = ani_hdf5_at(file, start, 4 * ADDRESS_SIZE + SYMBOL_SIZE);
        if (!p) return fail_damaged(file, "superblock", 0, err);
        base = ani_hdf5_u64(p);
        end = ani_hdf5_u64(p + 16);
        root = ani_hdf5_u64(p + 40);
    } else {
        const uint8_t *p = ani_hdf5_at(file, 0, NEW_SIZE + 4);
        if (!p || !is_intact(p, NEW_SIZE)) return fail_damaged(file, "superblock", 0, err);
        base = ani_hdf5_u64(p + 12);
        end = ani_hdf5_u64(p + 28);
        root = ani_hdf5_u64(p + 36);
    }
    if (base != 0)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' has bytes of something else before it",
                        file->name);
    if (end > (uint64_t)file->size)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s' is truncated: it has %" PRId64 " bytes, but says %" PRIu64,
                        file->name, file->size, end);
    if (!ani_hdf5_at(file, root, 1)) return fail_damaged(file, "root group", root, err);
    file->root = (int64_t)root;
    return AN_OK;
}

/* --- object headers --------------------------------------------------------------------------- */

an_status ani_hdf5_messages_begin(ani_hdf5_messages *walk, ani_hdf5 *file, int64_t object,
                                  an_error *err) {
    const uint64_t address = (uint64_t)object;
    walk->file = file;
    walk->blocks = walk->blocks_done = 0;
    const uint8_t *p = ani_hdf5_at(file, address, 16);
    if (!p) return fail_damaged(file, "object header", address, err);
    if (memcmp(p, "OHDR", 4) != 0) {
        const uint64_t size = ani_hdf5_u32(p + 8);
        if (p[0] != 1 || !ani_hdf5_at(file, address + 16, size))
            return fail_damaged(file, "object header", address, err);
        walk->version = 1;
        walk->head_size = 8;
        walk->next = p + 16;
        walk->end = walk->next + size;
        return AN_OK;
    }
    const int flags = p[5];
    const uint64_t before = 6 + (flags & 0x20 ? 16u : 0u) + (flags & 0x10 ? 4u : 0u);
    const uint64_t width = UINT64_C(1) << (flags & 3);
    const uint8_t *field = ani_hdf5_at(file, address + before, width);
    if (p[4] != 2 || !field) return fail_damaged(file, "object header", address, err);
    uint64_t size = 0;
    for (uint64_t i = 0; i < width; i++)
        size |= (uint64_t)field[i] << (8 * i);
    const uint64_t head = before + width;
    if (size > (uint64_t)file->size || !ani_hdf5_at(file, address, head + size + 4) ||
        !is_intact(p, (int64_t)(head + size)))
        return fail_damaged(file, "object header", address, err);
    walk->version = 2;
    walk->head_size = flags & 4 ? 6 : 4;
    walk->next = p + head;
    walk->end = walk->next + size;
    return AN_OK;
}

/* Move to the next continuation block; false if there is none. */
static an_status next_block(ani_hdf5_messages *walk, bool *found, an_error *err) {
    *found = walk->blocks_done < walk->blocks;
    if (!*found) return AN_OK;
    const uint64_t address = walk->block[walk->blocks_done].address;
    const uint64_t size = walk->block[walk->blocks_done].size;
    const uint8_t *p = ani_hdf5_at(walk->file, address, size);
    walk->blocks_done++;
    if (!p) return fail_damaged(walk->file, "part of an object header", address, err);
    walk->next = p;
    walk->end = p + size;
    if (walk->version == 1) return AN_OK;
    if (size < 8 || memcmp(p, "OCHK", 4) != 0 || !is_intact(p, (int64_t)size - 4))
        return fail_damaged(walk->file, "part of an object header", address, err);
    walk->next += 4;
    walk->end -= 4;
    return AN_OK;
}

an_status ani_hdf5_messages_next(ani_hdf5_messages *walk, ani_hdf5_message *message, bool *found,
                                 an_error *err) {
    for (;;) {
        an_status st = ani_hdf5_spend(walk->file, 1, err);
        if (st) return st;
        if (walk->end - walk->next < walk->head_size) { /* at the end, or a gap there */
            st = next_block(walk, found, err);
            if (st || !*found) return st;
            continue;
        }
        const uint8_t *p = walk->next;
        const bool is_old = walk->version == 1;
        message->type = is_old ? (int)ani_hdf5_u16(p) : p[0];
        message->size = ani_hdf5_u16(p + (is_old ? 2 : 1));
        message->is_shared = (p[is_old ? 4 : 3] & 2) != 0;
        message->data = p + walk->head_size;
        if (message->size > walk->end - message->data)
            return fail_damaged(walk->file, "message", (uint64_t)(p - walk->file->bytes), err);
        walk->next = message->data + message->size;
        if (message->type != ANI_HDF5_CONTINUATION) {
            *found = true;
            return AN_OK;
        }
        if (message->size < 16 || walk->blocks == MAX_BLOCKS)
            return fail_damaged(walk->file, "continuation", (uint64_t)(p - walk->file->bytes), err);
        walk->block[walk->blocks].address = ani_hdf5_u64(message->data);
        walk->block[walk->blocks].size = ani_hdf5_u64(message->data + 8);
        walk->blocks++;
    }
}

an_status ani_hdf5_find_message(ani_hdf5 *file, int64_t object, int type, ani_hdf5_message *message,
                                bool *found, an_error *err) {
    ani_hdf5_messages walk;
    an_status st = ani_hdf5_messages_begin(&walk, file, object, err);
    while (!st) {
        st = ani_hdf5_messages_next(&walk, message, found, err);
        if (st || !*found || message->type == type) break;
    }
    return st;
}

/* --- groups ----------------------------------------------------------------------------------- */

/* The names of a symbol table. */
typedef struct local_heap {
    const uint8_t *bytes;
    uint64_t size;
} local_heap;

static an_status open_heap(local_heap *heap, ani_hdf5 *file, uint64_t address, an_error *err) {
    const uint8_t *p = ani_hdf5_at(file, address, 32);
    if (!p || memcmp(p, "HEAP", 4) != 0) return fail_damaged(file, "heap of names", address, err);
    heap->size = ani_hdf5_u64(p + 8);
    heap->bytes = ani_hdf5_at(file, ani_hdf5_u64(p + 24), heap->size);
    if (!heap->bytes) return fail_damaged(file, "heap of names", address, err);
    return AN_OK;
}

/* Visit the entries of one node of a symbol table. */
static an_status read_symbols(ani_hdf5 *file, const local_heap *heap, uint64_t address,
                              ani_hdf5_link_fn take, void *user, an_error *err) {
    enum { CACHED_SOFT = 2 };
    const uint8_t *p = ani_hdf5_at(file, address, 8);
    if (!p || memcmp(p, "SNOD", 4) != 0) return fail_damaged(file, "symbol table", address, err);
    const uint32_t count = ani_hdf5_u16(p + 6);
    const uint8_t *entry = ani_hdf5_at(file, address + 8, (uint64_t)count * SYMBOL_SIZE);
    if (!entry) return fail_damaged(file, "symbol table", address, err);
    an_status st = ani_hdf5_spend(file, 1 + (int64_t)count, err);
    for (uint32_t i = 0; i < count && !st; i++, entry += SYMBOL_SIZE) {
        const uint64_t place = ani_hdf5_u64(entry), object = ani_hdf5_u64(entry + 8);
        const bool is_soft = ani_hdf5_u32(entry + 16) == CACHED_SOFT;
        const char *name = place < heap->size ? (const char *)heap->bytes + place : "";
        const uint64_t room = place < heap->size ? heap->size - place : 0;
        const uint64_t size = room ? strnlen(name, (size_t)room) : 0;
        if (size == room || size == 0)
            return fail_damaged(file, "name in a symbol table", address, err);
        if (!is_soft && !ani_hdf5_at(file, object, 1))
            return fail_damaged(file, "object", object, err);
        const ani_hdf5_link link = {.name = name,
                                    .size = (int64_t)size,
                                    .kind = is_soft ? ANI_HDF5_SOFT : ANI_HDF5_HARD,
                                    .object = (int64_t)object};
        st = ani_hdf5_spend(file, (int64_t)size / 16, err);
        if (!st) st = take(user, &link, err);
    }
    return st;
}

/* Walk a B-tree of symbol tables. level: of the node; -1: the root, which states its own level. */
static an_status read_tree(ani_hdf5 *file, const local_heap *heap, uint64_t address, int level,
                           ani_hdf5_link_fn take, void *user, an_error *err) {
    enum { HEAD_SIZE = 24, STEP = 16 }; /* a key and a child */
    const uint8_t *p = ani_hdf5_at(file, address, HEAD_SIZE);
    if (!p || memcmp(p, "TREE", 4) != 0 || p[4] != 0 || p[5] >= MAX_LEVELS ||
        (level >= 0 && p[5] != level))
        return fail_damaged(file, "tree of a group", address, err);
    const uint32_t count = ani_hdf5_u16(p + 6);
    const uint8_t *child = ani_hdf5_at(file, address + HEAD_SIZE, (uint64_t)count * STEP + 8);
    if (!child) return fail_damaged(file, "tree of a group", address, err);
    const int below = p[5] - 1;
    an_status st = ani_hdf5_spend(file, 1 + (int64_t)count, err);
    for (uint32_t i = 0; i < count && !st; i++) {
        const uint64_t next = ani_hdf5_u64(child + (uint64_t)i * STEP + 8);
        st = below < 0 ? read_symbols(file, heap, next, take, user, err)
                       : read_tree(file, heap, next, below, take, user, err);
    }
    return st;
}

static an_status read_link_message(ani_hdf5 *file, const ani_hdf5_message *message,
                                   ani_hdf5_link_fn take, void *user, an_error *err) {
    const uint8_t *p = message->data, *const end = p + message->size;
    const uint64_t place = (uint64_t)(p - file->bytes);
    if (message->is_shared || message->size < 4 || p[0] != 1)
        return fail_damaged(file, "link", place, err);
    const int flags = p[1];
    const int width = 1 << (flags & 3);
    p += 2;
    const int kind = flags & 8 ? *p++ : 0;
    p += (flags & 4 ? 8 : 0) + (flags & 0x10 ? 1 : 0);
    if (end - p < width) return fail_damaged(file, "link", place, err);
    uint64_t size = 0;
    for (int i = 0; i < width; i++)
        size |= (uint64_t)p[i] << (8 * i);
    p += width;
    if (size == 0 || size > (uint64_t)(end - p) || memchr(p, 0, (size_t)size))
        return fail_damaged(file, "link", place, err);
    ani_hdf5_link link = {.name = (const char *)p,
                          .size = (int64_t)size,
                          .kind = kind == 0   ? ANI_HDF5_HARD
                                  : kind == 1 ? ANI_HDF5_SOFT
                                              : ANI_HDF5_EXTERNAL};
    p += size;
    if (link.kind == ANI_HDF5_HARD) {
        const uint64_t object = end - p >= ADDRESS_SIZE ? ani_hdf5_u64(p) : UINT64_MAX;
        if (!ani_hdf5_at(file, object, 1)) return fail_damaged(file, "link", place, err);
        link.object = (int64_t)object;
    }
    an_status st = ani_hdf5_spend(file, 1 + link.size / 16, err);
    return st ? st : take(user, &link, err);
}

/* If a group's links are in a fractal heap, its address is here. */
static bool is_dense(const ani_hdf5_message *message) {
    const int64_t place = message->size >= 2 && message->data[1] & 1 ? 10 : 2;
    return message->size >= place + ADDRESS_SIZE &&
           ani_hdf5_u64(message->data + place) != UINT64_MAX;
}

an_status ani_hdf5_links(ani_hdf5 *file, int64_t group, ani_hdf5_link_fn take, void *user,
                         an_error *err) {
    ani_hdf5_messages walk;
    ani_hdf5_message message;
    local_heap heap;
    bool found;
    an_status st = ani_hdf5_messages_begin(&walk, file, group, err);
    while (!st) {
        st = ani_hdf5_messages_next(&walk, &message, &found, err);
        if (st || !found) break;
        if (message.type == ANI_HDF5_LINK) {
            st = read_link_message(file, &message, take, user, err);
        } else if (message.type == ANI_HDF5_SYMBOL_TABLE) {
            if (message.size < 16) return fail_damaged(file, "group", (uint64_t)group, err);
            st = open_heap(&heap, file, ani_hdf5_u64(message.data + 8), err);
            if (!st) st = read_tree(file, &heap, ani_hdf5_u64(message.data), -1, take, user, err);
        } else if (message.type == ANI_HDF5_LINK_INFO && is_dense(&message)) {
            st = ani_fail(
                err, AN_ERR_UNSUPPORTED,
                "'%s' stores the members of a group in a fractal heap; save it with h5py's "
                "default libver",
                file->name);
        }
    }
    return st;
}
