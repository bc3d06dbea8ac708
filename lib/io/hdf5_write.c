/* SPDX-License-Identifier: MIT
 * The file: superblock, a global heap with the texts, the arrays, then the tables: for each group
 * its heap of names, its symbol table, a tree over that, and its header with the attributes.
 *
 * Format: HDF5 File Format Specification 3.0. */
#include "io/hdf5_write.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/hdf5_format.h"

enum {
    SUPERBLOCK_SIZE = 96,
    HEAP_HEAD_SIZE = 16,  /* of the global heap, and of each text in it */
    HEAP_MIN_SIZE = 4096, /* libhdf5 takes a smaller one for damaged */
    LEAF_SYMBOLS = 8,     /* in a node of a symbol table: twice the superblock's number, 4 */
    TREE_CHILDREN = 32,   /* in a node of a tree: twice the superblock's number, 16 */
    NO_FREE_NAMES = 1,    /* a heap of names without free space */
    FILL_VALUE = 0x05     /* type of a message */
};
_Static_assert(LEAF_SYMBOLS *TREE_CHILDREN == (int)ANI_HDF5_MAX_MEMBERS, "one tree node a group");
#define NO_ADDRESS UINT64_MAX

struct ani_hdf5_node {
    char *name;
    int64_t parent;    /* index of its group */
    int64_t place;     /* of an array: in the arrays' bytes */
    const float *data; /* NULL: a group */
    int64_t size;      /* of data, in bytes */
    ani_text messages; /* of its header: what it has besides its place */
    int64_t message_count, reserved;
};

/* --- bytes ------------------------------------------------------------------------------------ */

static int64_t padded(int64_t size) {
    return (size + 7) / 8 * 8;
}

static void put_zeros(ani_text *to, int64_t size) {
    static const char zeros[64];
    for (; size > 0; size -= (int64_t)sizeof zeros)
        ani_text_add(to, zeros, size < (int64_t)sizeof zeros ? size : (int64_t)sizeof zeros);
}

/* Bytes, with zeros up to a multiple of 8. */
static void put_padded(ani_text *to, const char *bytes, int64_t size) {
    ani_text_add(to, bytes, size);
    put_zeros(to, padded(size) - size);
}

/* A message of an object header, whose size is a multiple of 8. */
static void put_message(ani_hdf5_node *node, int32_t type, const ani_text *content) {
    ani_text_add_number(&node->messages, (uint64_t)type, 2);
    ani_text_add_number(&node->messages, (uint64_t)content->size, 2);
    ani_text_add_number(&node->messages, 0, 4);
    if (content->size) ani_text_add(&node->messages, content->bytes, content->size);
    node->messages.failed |= content->failed;
    node->message_count++;
}

/* --- description ------------------------------------------------------------------------------ */

static int64_t add_node(ani_hdf5_draft *draft, int64_t parent, const char *name) {
    if (draft->count == draft->capacity && !draft->failed) {
        const int64_t capacity = draft->capacity ? 2 * draft->capacity : 64;
        ani_hdf5_node *grown =
            ani_realloc(draft->nodes, draft->count * (int64_t)sizeof *draft->nodes,
                        capacity * (int64_t)sizeof *draft->nodes);
        draft->failed = !grown;
        if (grown) {
            draft->nodes = grown;
            draft->capacity = capacity;
        }
    }
    if (draft->failed) return ANI_HDF5_ROOT;
    ani_hdf5_node *node = &draft->nodes[draft->count];
    *node = (ani_hdf5_node){.name = ani_strdup(name), .parent = parent};
    draft->failed = !node->name;
    return draft->count++;
}

/* The root comes with the first call. */
static bool need_root(ani_hdf5_draft *draft) {
    if (!draft->count) add_node(draft, -1, "");
    return !draft->failed;
}

int64_t ani_hdf5_add_group(ani_hdf5_draft *draft, int64_t group, const char *name) {
    return need_root(draft) ? add_node(draft, group, name) : ANI_HDF5_ROOT;
}

void ani_hdf5_add_array(ani_hdf5_draft *draft, int64_t group, const char *name,
                        const int64_t *shape, int32_t rank, const float *data) {
    /* version 1, little-endian IEEE: sign at bit 31, 8 bits of exponent at 23, 23 of mantissa */
    static const char type[] = "\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0";
    static const char fill[] = "\2\2\2\1\0\0\0"; /* version 2: zeros */
    ani_text space = {0}, content = {0};
    if (!need_root(draft)) return;
    const int64_t index = add_node(draft, group, name);
    if (draft->failed) return;
    ani_hdf5_node *node = &draft->nodes[index];
    node->data = data;
    node->size = (int64_t)sizeof *data;
    ani_text_add_number(&space, 1 | (uint64_t)rank << 8, 8); /* version 1, rank */
    for (int32_t axis = 0; axis < rank; axis++) {
        ani_text_add_number(&space, (uint64_t)shape[axis], 8);
        node->size *= shape[axis];
    }
    node->place = draft->data_size;
    draft->data_size += padded(node->size);
    put_message(node, ANI_HDF5_DATASPACE, &space);
    put_padded(&content, type, sizeof type - 1);
    put_message(node, ANI_HDF5_DATATYPE, &content);
    ani_text_clear(&content);
    put_padded(&content, fill, sizeof fill);
    put_message(node, FILL_VALUE, &content);
    ani_text_clear(&content);
    ani_text_clear(&space);
}

/* An attribute of version 1, from its encoded type, shape and value. */
static void add_attribute(ani_hdf5_draft *draft, int64_t group, const char *name,
                          const ani_text *type, const ani_text *space, const ani_text *value) {
    ani_text content = {0};
    const int64_t name_size = (int64_t)strlen(name) + 1;
    draft->failed |= type->failed || space->failed || value->failed;
    if (draft->failed) return;
    ani_text_add_number(&content, 1, 2);
    ani_text_add_number(&content, (uint64_t)name_size, 2);
    ani_text_add_number(&content, (uint64_t)type->size, 2);
    ani_text_add_number(&content, (uint64_t)space->size, 2);
    put_padded(&content, name, name_size);
    put_padded(&content, type->bytes, type->size);
    put_padded(&content, space->bytes, space->size);
    put_padded(&content, value->bytes, value->size);
    put_message(&draft->nodes[group], ANI_HDF5_ATTRIBUTE, &content);
    ani_text_clear(&content);
}

void ani_hdf5_add_text(ani_hdf5_draft *draft, int64_t group, const char *name, const char *text) {
    ani_text type = {0}, space = {0}, value = {0};
    const int64_t size = (int64_t)strlen(text);
    if (!need_root(draft)) return;
    /* a text in the global heap: count of references, size */
    ani_text_add_number(&draft->heap, (uint64_t)++draft->text_count, 2);
    ani_text_add_number(&draft->heap, 0, 6);
    ani_text_add_number(&draft->heap, (uint64_t)size, 8);
    put_padded(&draft->heap, text, size);
    ani_text_add_number(&type, 0x19 | 1 << 8 | 1 << 16, 4); /* variable length: a string, UTF-8 */
    ani_text_add_number(&type, 16, 4);                      /* bytes of value */
    ani_text_add_number(&type, 0x10, 4);                    /* of integers ... */
    ani_text_add_number(&type, 1, 4);                       /* ... of one byte, */
    ani_text_add_number(&type, 8 << 16, 4);                 /* ... 8 bits from bit 0 on */
    ani_text_add_number(&space, 1, 8);                      /* a scalar */
    ani_text_add_number(&value, (uint64_t)size, 4);
    ani_text_add_number(&value, SUPERBLOCK_SIZE, 8); /* address of the heap */
    ani_text_add_number(&value, (uint64_t)draft->text_count, 4);
    add_attribute(draft, group, name, &type, &space, &value);
    ani_text_clear(&type);
    ani_text_clear(&space);
    ani_text_clear(&value);
}

/* Texts from `first` on, each padded with zeros to width bytes. */
static void add_part(ani_hdf5_draft *draft, int64_t group, const char *name,
                     const char *const *first, int64_t count, int64_t width) {
    ani_text type = {0}, space = {0}, value = {0};
    ani_text_add_number(&type, 0x13 | 1 << 8, 4); /* a string, padded with zeros */
    ani_text_add_number(&type, (uint64_t)width, 4);
    ani_text_add_number(&space, 1 | 1 << 8, 8); /* one axis */
    ani_text_add_number(&space, (uint64_t)count, 8);
    for (int64_t i = 0; i < count; i++) {
        const int64_t size = (int64_t)strlen(first[i]);
        ani_text_add(&value, first[i], size);
        put_zeros(&value, width - size);
    }
    add_attribute(draft, group, name, &type, &space, &value);
    ani_text_clear(&type);
    ani_text_clear(&space);
    ani_text_clear(&value);
}

void ani_hdf5_add_list(ani_hdf5_draft *draft, int64_t group, const char *name,
                       const char *const *texts, int64_t count) {
    int64_t width = 1;
    if (!need_root(draft)) return;
    for (int64_t i = 0; i < count; i++)
        if ((int64_t)strlen(texts[i]) > width) width = (int64_t)strlen(texts[i]);
    const int64_t most = ANI_HDF5_MAX_LIST / width;
    if (count <= most) {
        add_part(draft, group, name, texts, count, width);
        return;
    }
    for (int64_t first = 0, part = 0; first < count; first += most, part++) {
        ani_text part_name = {0};
        ani_text_print(&part_name, "%s%lld", name, (long long)part);
        draft->failed |= part_name.failed;
        if (!draft->failed)
            add_part(draft, group, part_name.bytes, texts + first,
                     count - first < most ? count - first : most, width);
        ani_text_clear(&part_name);
    }
}

/* --- tables ----------------------------------------------------------------------------------- */

static int64_t heap_size(const ani_hdf5_draft *draft) {
    /* with the head of what is free in it */
    const int64_t size = HEAP_HEAD_SIZE + draft->heap.size + HEAP_HEAD_SIZE;
    if (!draft->text_count) return 0;
    return size < HEAP_MIN_SIZE ? HEAP_MIN_SIZE : size;
}

static int64_t data_address(const ani_hdf5_draft *draft) {
    return SUPERBLOCK_SIZE + heap_size(draft);
}

/* Address of the next byte of the tables. */
static uint64_t here(const ani_hdf5_draft *draft) {
    return (uint64_t)(data_address(draft) + draft->data_size + draft->tables.size);
}

/* The object header, of version 1. Returns its address. */
static uint64_t put_header(ani_hdf5_draft *draft, const ani_hdf5_node *node) {
    const uint64_t address = here(draft);
    ani_text_add_number(&draft->tables, 1, 2);
    ani_text_add_number(&draft->tables, (uint64_t)node->message_count, 2);
    ani_text_add_number(&draft->tables, 1, 4); /* linked once */
    ani_text_add_number(&draft->tables, (uint64_t)node->messages.size, 8);
    ani_text_add(&draft->tables, node->messages.bytes, node->messages.size);
    draft->failed |= node->messages.failed || draft->tables.failed;
    return address;
}

static uint64_t put_array(ani_hdf5_draft *draft, ani_hdf5_node *node) {
    ani_text layout = {0};
    ani_text_add_number(&layout, 3 | 1 << 8, 2); /* version 3, contiguous */
    ani_text_add_number(&layout, (uint64_t)(data_address(draft) + node->place), 8);
    ani_text_add_number(&layout, (uint64_t)node->size, 8);
    put_zeros(&layout, 6);
    put_message(node, ANI_HDF5_LAYOUT, &layout);
    ani_text_clear(&layout);
    return put_header(draft, node);
}

/** A member of a group. */
typedef struct member {
    const char *name;
    uint64_t header;     /* address */
    uint64_t name_place; /* in the group's heap */
} member;

static int compare_names(const void *left, const void *right) {
    const member *a = left, *b = right;
    return strcmp(a->name, b->name);
}

/* The names of a group, at a multiple of 8 each, the first of which is empty; returns the address.
 */
static uint64_t put_names(ani_hdf5_draft *draft, member *members, int64_t count) {
    ani_text names = {0};
    const uint64_t address = here(draft);
    ani_text_add_number(&names, 0, 8);
    for (int64_t i = 0; i < count; i++) {
        members[i].name_place = (uint64_t)names.size;
        put_padded(&names, members[i].name, (int64_t)strlen(members[i].name) + 1);
    }
    ani_text_add(&draft->tables, "HEAP\0\0\0\0", 8);
    ani_text_add_number(&draft->tables, (uint64_t)names.size, 8);
    ani_text_add_number(&draft->tables, NO_FREE_NAMES, 8);
    ani_text_add_number(&draft->tables, address + 32, 8); /* of the names */
    draft->failed |= names.failed;
    if (!draft->failed) ani_text_add(&draft->tables, names.bytes, names.size);
    ani_text_clear(&names);
    return address;
}

/* The symbol table in sorted nodes of LEAF_SYMBOLS, then the tree of one node over them; returns
 * its address. */
static uint64_t put_symbols(ani_hdf5_draft *draft, const member *members, int64_t count) {
    const uint64_t first_node = here(draft), node_size = 8 + LEAF_SYMBOLS * 40;
    for (int64_t first = 0; first < count; first += LEAF_SYMBOLS) {
        const int64_t used = count - first < LEAF_SYMBOLS ? count - first : LEAF_SYMBOLS;
        ani_text_add(&draft->tables, "SNOD\1\0", 6);
        ani_text_add_number(&draft->tables, (uint64_t)used, 2);
        for (int64_t i = 0; i < used; i++) {
            ani_text_add_number(&draft->tables, members[first + i].name_place, 8);
            ani_text_add_number(&draft->tables, members[first + i].header, 8);
            put_zeros(&draft->tables, 24); /* nothing is repeated from the header */
        }
        put_zeros(&draft->tables, (LEAF_SYMBOLS - used) * 40);
    }
    const uint64_t address = here(draft);
    const int64_t nodes = (count + LEAF_SYMBOLS - 1) / LEAF_SYMBOLS;
    ani_text_add(&draft->tables, "TREE\0\0", 6); /* of a group, level 0 */
    ani_text_add_number(&draft->tables, (uint64_t)nodes, 2);
    ani_text_add_number(&draft->tables, NO_ADDRESS, 8); /* of a sibling, left and right */
    ani_text_add_number(&draft->tables, NO_ADDRESS, 8);
    ani_text_add_number(&draft->tables, 0,
                        8); /* before each node a name below its names, after it its last */
    for (int64_t i = 0; i < nodes; i++) {
        const int64_t end = (i + 1) * LEAF_SYMBOLS < count ? (i + 1) * LEAF_SYMBOLS : count;
        ani_text_add_number(&draft->tables, first_node + (uint64_t)i * node_size, 8);
        ani_text_add_number(&draft->tables, members[end - 1].name_place, 8);
    }
    put_zeros(&draft->tables, (TREE_CHILDREN - nodes) * 16);
    return address;
}

static an_status put_group(ani_hdf5_draft *draft, int64_t group, uint64_t *address, an_error *err);

/* All members, each with what is below it. */
static an_status put_members(ani_hdf5_draft *draft, int64_t group, member *members, int64_t *count,
                             an_error *err) {
    for (int64_t i = group + 1; i < draft->count; i++) {
        ani_hdf5_node *node = &draft->nodes[i];
        if (node->parent != group) continue;
        if (*count == ANI_HDF5_MAX_MEMBERS)
            return ani_fail(err, AN_ERR_UNSUPPORTED, "HDF5: the group '%s' has over %d members",
                            draft->nodes[group].name, ANI_HDF5_MAX_MEMBERS);
        member *new = &members[(*count)++];
        new->name = node->name;
        an_status st = AN_OK;
        if (node->data)
            new->header = put_array(draft, node);
        else
            st = put_group(draft, i, &new->header, err);
        if (st) return st;
    }
    return AN_OK;
}

static an_status put_group(ani_hdf5_draft *draft, int64_t group, uint64_t *address, an_error *err) {
    int64_t count = 0;
    ani_text table = {0};
    member *members = ani_alloc_zero(ANI_HDF5_MAX_MEMBERS, sizeof *members);
    if (!members) return ani_fail_memory(err, -1, "members of a group");
    const an_status st = put_members(draft, group, members, &count, err);
    if (!st) {
        qsort(members, (size_t)count, sizeof *members, compare_names);
        const uint64_t names = put_names(draft, members, count);
        ani_text_add_number(&table, put_symbols(draft, members, count), 8);
        ani_text_add_number(&table, names, 8);
        put_message(&draft->nodes[group], ANI_HDF5_SYMBOL_TABLE, &table);
        *address = put_header(draft, &draft->nodes[group]);
    }
    ani_text_clear(&table);
    ani_free(members);
    return st;
}

an_status ani_hdf5_end(ani_hdf5_draft *draft, an_error *err) {
    uint64_t root = 0;
    an_status st = AN_OK;
    if (need_root(draft)) st = put_group(draft, ANI_HDF5_ROOT, &root, err);
    if (!st && (draft->failed || draft->heap.failed || draft->tables.failed))
        st = ani_fail_memory(err, draft->heap.size + draft->tables.size,
                             "the tables of an HDF5 file");
    draft->root_address = (int64_t)root;
    return st;
}

/* --- the file --------------------------------------------------------------------------------- */

static an_status write_head(const ani_hdf5_draft *draft, ani_put_fn take, void *user,
                            an_error *err) {
    ani_text head = {0};
    const int64_t heap = heap_size(draft);
    ani_text_add(&head, "\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0", 16);
    ani_text_add_number(&head, LEAF_SYMBOLS / 2, 2);
    ani_text_add_number(&head, TREE_CHILDREN / 2, 2);
    ani_text_add_number(&head, 0, 4);
    ani_text_add_number(&head, 0, 8);           /* where the file begins */
    ani_text_add_number(&head, NO_ADDRESS, 8);  /* of free space */
    ani_text_add_number(&head, here(draft), 8); /* where it ends */
    ani_text_add_number(&head, NO_ADDRESS, 8);  /* of a driver's information */
    ani_text_add_number(&head, 0, 8);           /* the root's name */
    ani_text_add_number(&head, (uint64_t)draft->root_address, 8);
    put_zeros(&head, 24);
    if (heap) {
        ani_text_add(&head, "GCOL\1\0\0\0", 8);
        ani_text_add_number(&head, (uint64_t)heap, 8);
        ani_text_add(&head, draft->heap.bytes, draft->heap.size);
        const int64_t left = SUPERBLOCK_SIZE + heap - head.size;
        ani_text_add_number(&head, 0, 8); /* the free part */
        ani_text_add_number(&head, (uint64_t)left, 8);
        put_zeros(&head, left - HEAP_HEAD_SIZE);
    }
    an_status st = head.failed ? ani_fail_memory(err, head.size, "the head of an HDF5 file")
                               : take(user, head.bytes, head.size, err);
    ani_text_clear(&head);
    return st;
}

an_status ani_hdf5_write(const ani_hdf5_draft *draft, ani_put_fn take, void *user, an_error *err) {
    static const char zeros[8];
    an_status st = write_head(draft, take, user, err);
    for (int64_t i = 0; !st && i < draft->count; i++) {
        const ani_hdf5_node *node = &draft->nodes[i];
        if (!node->data) continue;
        st = take(user, node->data, node->size, err);
        if (!st && node->size % 8) st = take(user, zeros, padded(node->size) - node->size, err);
    }
    return st ? st : take(user, draft->tables.bytes, draft->tables.size, err);
}

void ani_hdf5_clear(ani_hdf5_draft *draft) {
    for (int64_t i = 0; i < draft->count; i++) {
        ani_free(draft->nodes[i].name);
        ani_text_clear(&draft->nodes[i].messages);
    }
    ani_free(draft->nodes);
    ani_text_clear(&draft->heap);
    ani_text_clear(&draft->tables);
    *draft = (ani_hdf5_draft){0};
}
