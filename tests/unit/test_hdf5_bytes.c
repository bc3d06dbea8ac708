/* SPDX-License-Identifier: MIT
 * Our reader of HDF5 on files written here byte by byte, in which each field can lie: what
 * libhdf5 never writes must be refused, by what the message names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/hdf5_format.h"
#include "support/archive.h"

/* --- writing ---------------------------------------------------------------------------------- */

/* A file begins with the superblock and some values that arrays may have. */
enum { DATA = 96, DATA_SIZE = 64, ROOT_FIELD = 64, END_FIELD = 40 };

static struct bytes out;
static int64_t object_at, message_at;
static int version; /* of object headers */

static void put(uint64_t value, int size) {
    bytes_add_number(&out, value, size);
}

static void put_text(const char *text) {
    bytes_add(&out, text, (int64_t)strlen(text));
}

static void patch(int64_t place, uint64_t value, int size) {
    for (int i = 0; i < size; i++)
        out.data[place + i] = (uint8_t)(value >> (8 * i));
}

static void begin_file(void) {
    free(out.data);
    out = (struct bytes){0};
    version = 1;
    bytes_add(&out, "\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0\4\0\x10\0\0\0\0\0", 24);
    put(0, 8);          /* base address */
    put(UINT64_MAX, 8); /* free space */
    put(0, 8);          /* end, see end_file() */
    put(UINT64_MAX, 8); /* driver information */
    put(0, 8);          /* root: name, header, see end_file() */
    put(0, 8);
    put(0, 24);
    for (int i = 0; i < DATA_SIZE / 4; i++)
        put(UINT32_C(0x3f800000) + (uint32_t)i, 4); /* 1 and a little more */
}

static uint32_t turn(uint32_t x, int bits) {
    return x << bits | x >> (32 - bits);
}

/* The checksum of new headers: lookup3 of Bob Jenkins, byte after byte. */
static uint32_t lookup3(const uint8_t *p, int64_t size) {
    uint32_t s[3];
    s[0] = s[1] = s[2] = UINT32_C(0xdeadbeef) + (uint32_t)size;
    for (;; p += 12, size -= 12) {
        for (int64_t i = 0; i < 12 && i < size; i++)
            s[i / 4] += (uint32_t)p[i] << (8 * (i % 4));
        if (size <= 12) break;
        static const int turns[6] = {4, 6, 8, 16, 19, 4};
        for (int i = 0; i < 6; i++) { /* mix(): (a, b, c) takes its turns */
            uint32_t *x = &s[i % 3], *y = &s[(i + 2) % 3], *z = &s[(i + 1) % 3];
            *x -= *y;
            *x ^= turn(*y, turns[i]);
            *y += *z;
        }
    }
    static const int turns[7] = {14, 11, 25, 16, 4, 14, 24};
    for (int i = 0; i < 7; i++) { /* final(): c, a, b, c, a, b, c */
        uint32_t *x = &s[(i + 2) % 3], *y = &s[(i + 1) % 3];
        *x ^= *y;
        *x -= turn(*y, turns[i]);
    }
    return s[2];
}

static int64_t begin_object(void) {
    object_at = out.size;
    if (version == 1) {
        put(1, 8); /* version; the number of messages is not looked at */
        put(0, 8);
    } else {
        put_text("OHDR");
        put(2, 1);
        put(2, 1); /* flags: a size of 4 bytes */
        put(0, 4);
    }
    return object_at;
}

static void end_object(void) {
    if (version == 1) {
        patch(object_at + 8, (uint64_t)(out.size - object_at - 16), 4);
    } else {
        patch(object_at + 6, (uint64_t)(out.size - object_at - 10), 4);
        put(lookup3(out.data + object_at, out.size - object_at), 4);
    }
}

static void begin_message(int type, int flags) {
    message_at = out.size;
    put((uint64_t)type, version == 1 ? 2 : 1);
    put(0, 2);
    put((uint64_t)flags, version == 1 ? 4 : 1);
}

static void end_message(void) {
    const int64_t head = version == 1 ? 8 : 4;
    patch(message_at + (version == 1 ? 2 : 1), (uint64_t)(out.size - message_at - head), 2);
}

/** Bytes of a message; size 0: the message is left out, unless it is empty. */
typedef struct raw {
    const char *bytes;
    int64_t size;
    int flags;
} raw;
#define RAW(literal)                                                                               \
    { literal, sizeof(literal) - 1, 0 }
#define SHARED(literal)                                                                            \
    { literal, sizeof(literal) - 1, 2 }
#define ABSENT                                                                                     \
    { NULL, 0, 0 }

static void put_message(int type, raw content) {
    if (!content.bytes) return;
    begin_message(type, content.flags);
    bytes_add(&out, content.bytes, content.size);
    end_message();
}

static void put_link(const char *name, int64_t object) {
    begin_message(ANI_HDF5_LINK, 0);
    put(1, 2); /* version, flags: hard, a size of one byte */
    put(strlen(name), 1);
    put_text(name);
    put((uint64_t)object, 8);
    end_message();
}

/* End with a root group that holds object under the name "a". */
static ani_hdf5 *end_file_with(int64_t root) {
    an_error err = {0};
    ani_hdf5 *file = NULL;
    patch(ROOT_FIELD, (uint64_t)root, 8);
    patch(END_FIELD, (uint64_t)out.size, 8);
    uint8_t *exact = realloc(out.data, (size_t)out.size); /* so that a sanitizer sees its end */
    assert_non_null(exact);
    out.data = exact;
    if (ani_hdf5_open(&file, out.data, out.size, "f", &err)) fail_msg("%s", err.message);
    return file;
}

static ani_hdf5 *end_file(int64_t object) {
    const int64_t root = begin_object();
    put_link("a", object);
    end_object();
    return end_file_with(root);
}

/* --- asking ----------------------------------------------------------------------------------- */

static an_error err;

static void refuse(an_status st, an_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void refuse(an_status st, an_status status, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    assert_string_equal(err.message, message);
    assert_int_equal(st, status);
    err = (an_error){0};
}

static an_status look(ani_hdf5 *file, const char *path) {
    ani_hdf5_kind kind;
    return ani_hdf5_look(file, path, &kind, &err);
}

static an_status read_array(ani_hdf5 *file) {
    float data[64];
    return ani_hdf5_read(file, "a", data, &err);
}

static an_status read_texts(ani_hdf5 *file, bool *found) {
    ani_names texts = {0};
    const an_status st = ani_hdf5_texts(file, "a", "t", &texts, found, &err);
    ani_names_clear(&texts);
    return st;
}

/* --- arrays ----------------------------------------------------------------------------------- */

#define SPACE "\x01\x01\0\0\0\0\0\0\x02\0\0\0\0\0\0\0" /* [2] */
#define FLOAT "\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0"
#define PLAIN "\3\1\x60\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0" /* contiguous, at DATA */

typedef struct array_case {
    raw space, type, layout, filters;
    an_status status;
    const char *message;
} array_case;

static ani_hdf5 *open_case(const array_case *c) {
    begin_file();
    const int64_t object = begin_object();
    put_message(ANI_HDF5_DATASPACE, c->space);
    put_message(ANI_HDF5_DATATYPE, c->type);
    put_message(ANI_HDF5_LAYOUT, c->layout);
    put_message(ANI_HDF5_FILTERS, c->filters);
    end_object();
    return end_file(object);
}

#define NO_SHAPE AN_ERR_FORMAT, "'f': array 'a' has no shape, over 8 axes or overflows"
#define NO_NUMBERS AN_ERR_UNSUPPORTED, "'f': array 'a' holds no plain numbers of at most 8 bytes"
#define BAD_LAYOUT AN_ERR_FORMAT, "'f': array 'a' has a damaged layout"
#define GOOD_SPACE .space = RAW(SPACE)
#define GOOD_TYPE .type = RAW(FLOAT)
#define GOOD_LAYOUT .layout = RAW(PLAIN)

static void arrays_that_are_refused(void **state) {
    (void)state;
    static const array_case cases[] = {
        /* shapes */
        {ABSENT, GOOD_TYPE, GOOD_LAYOUT, ABSENT, NO_SHAPE},
        {SHARED(SPACE), GOOD_TYPE, GOOD_LAYOUT, ABSENT, NO_SHAPE},
        {RAW("\1\0\0"), GOOD_TYPE, GOOD_LAYOUT, ABSENT, NO_SHAPE},
        {RAW("\3\1\0\0\0\0\0\0\2\0\0\0\0\0\0\0"), GOOD_TYPE, GOOD_LAYOUT, ABSENT, NO_SHAPE},
        {RAW("\1\1\0\0\0\0\0\0\2\0\0\0\0\0\0"), GOOD_TYPE, GOOD_LAYOUT, ABSENT, NO_SHAPE},
        {RAW("\2\1\0\1\2\0\0\0\0\0\0"), GOOD_TYPE, GOOD_LAYOUT, ABSENT, NO_SHAPE},
        {RAW("\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\x80"), GOOD_TYPE, GOOD_LAYOUT, ABSENT, NO_SHAPE},
        {RAW("\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\x7f"), GOOD_TYPE, GOOD_LAYOUT, ABSENT, NO_SHAPE},
        {RAW("\2\2\0\1\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0"), GOOD_TYPE, GOOD_LAYOUT, ABSENT, NO_SHAPE},
        /* types */
        {GOOD_SPACE, ABSENT, GOOD_LAYOUT, ABSENT, NO_NUMBERS},
        {GOOD_SPACE, SHARED(FLOAT), GOOD_LAYOUT, ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x11\x20\x1f\0\4\0\0"), GOOD_LAYOUT, ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x11\x20\x1f\0\0\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0"), GOOD_LAYOUT,
         ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x11\x20\x1f\0\x10\0\0\0\0\0\x80\0\x17\x08\0\x17\x7f\0\0\0"), GOOD_LAYOUT,
         ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x10\0\0\0\4\0\0\0\0\0\x20"), GOOD_LAYOUT, ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x10\0\0\0\4\0\0\0\1\0\x20\0"), GOOD_LAYOUT, ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x10\0\0\0\4\0\0\0\0\0\x1f\0"), GOOD_LAYOUT, ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x10\0\0\0\3\0\0\0\0\0\x18\0"), GOOD_LAYOUT, ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x12\0\0\0\4\0\0\0\0\0\x20\0\0\0\0\0\0\0\0\0"), GOOD_LAYOUT, ABSENT,
         NO_NUMBERS},
        {GOOD_SPACE, RAW("\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0"), GOOD_LAYOUT,
         ABSENT, NO_NUMBERS},
        /* a VAX's float, and IEEE but for one of its parts: place, bits, bias, sign */
        {GOOD_SPACE, RAW("\x11\x61\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0"), GOOD_LAYOUT,
         ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x16\x08\0\x17\x7f\0\0\0"), GOOD_LAYOUT,
         ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x17\x07\0\x17\x7f\0\0\0"), GOOD_LAYOUT,
         ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\1\x17\x7f\0\0\0"), GOOD_LAYOUT,
         ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x16\x7f\0\0\0"), GOOD_LAYOUT,
         ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x11\x20\x1f\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x80\0\0\0"), GOOD_LAYOUT,
         ABSENT, NO_NUMBERS},
        {GOOD_SPACE, RAW("\x11\x20\x1e\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0"), GOOD_LAYOUT,
         ABSENT, NO_NUMBERS},
        /* layouts */
        {GOOD_SPACE, GOOD_TYPE, RAW("\3\1"), ABSENT, BAD_LAYOUT},
        {GOOD_SPACE, GOOD_TYPE, RAW("\0\1\0\0\0\0\0\0\0\0\0\0"), ABSENT, BAD_LAYOUT},
        {GOOD_SPACE, GOOD_TYPE, RAW("\5\1\0\0\0\0\0\0\0\0\0\0"), ABSENT, BAD_LAYOUT},
        {GOOD_SPACE, GOOD_TYPE, SHARED(PLAIN), ABSENT, BAD_LAYOUT},
        {GOOD_SPACE, GOOD_TYPE, RAW("\3\4\0\0\0\0\0\0\0\0\0\0"), ABSENT, BAD_LAYOUT},
        {GOOD_SPACE, GOOD_TYPE, RAW("\3\1\x60\0\0\0\0\0\0"), ABSENT, BAD_LAYOUT},
        {GOOD_SPACE, GOOD_TYPE, RAW("\3\2\2\x60\0\0\0\0\0\0\0\2\0\0\0\4\0\0"), ABSENT, BAD_LAYOUT},
        {GOOD_SPACE, GOOD_TYPE, RAW("\3\2\3\x60\0\0\0\0\0\0\0\2\0\0\0\2\0\0\0\4\0\0\0"), ABSENT,
         BAD_LAYOUT},
        {GOOD_SPACE, GOOD_TYPE, RAW("\1\2\2\0\0\0\0\0\x60\0\0\0\0\0\0\0\2\0\0\0\4\0\0"), ABSENT,
         BAD_LAYOUT},
        {GOOD_SPACE, GOOD_TYPE, RAW("\2\1\0\0\0\0\0\0\x60"), ABSENT, AN_ERR_UNSUPPORTED,
         "'f': array 'a' is stored in its header; only contiguous and chunked ones are read"},
        {GOOD_SPACE, GOOD_TYPE, RAW("\4\3\0"), ABSENT, AN_ERR_UNSUPPORTED,
         "'f': array 'a' is stored in other files; only contiguous and chunked ones are read"},
        {GOOD_SPACE, GOOD_TYPE, RAW("\4\2\0"), ABSENT, AN_ERR_UNSUPPORTED,
         "'f': array 'a' has chunks of a new style; save it with h5py's default libver"},
        {GOOD_SPACE, GOOD_TYPE, RAW("\3\1\xff\xff\xff\xff\0\0\0\0\x08\0\0\0\0\0\0\0"), ABSENT,
         AN_ERR_FORMAT, "'f': array 'a' declares 8 bytes, but they are not in the file"},
        {RAW("\1\1\0\0\0\0\0\0\0\0\1\0\0\0\0\0"), GOOD_TYPE, GOOD_LAYOUT, ABSENT, AN_ERR_FORMAT,
         "'f': array 'a' declares 262144 bytes; the file has 290"},
        /* filters */
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\1\1"), AN_ERR_UNSUPPORTED,
         "'f': array 'a' is compressed or filtered; only plain ones are read"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ani_hdf5 *file = open_case(&cases[i]);
        const an_status st = read_array(file);
        if (st != cases[i].status) fail_msg("case %zu: status %d, '%s'", i, st, err.message);
        refuse(st, cases[i].status, "%s", cases[i].message);
        ani_hdf5_close(file);
    }
}

static void arrays_that_are_read(void **state) {
    (void)state;
    static const array_case cases[] = {
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, ABSENT, AN_OK, NULL},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\1\0"), AN_OK, NULL}, /* of no filters */
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\1"), AN_OK, NULL},
        /* dataspace 2; layouts 1 and 2 */
        {RAW("\2\1\0\1\2\0\0\0\0\0\0\0"), GOOD_TYPE, GOOD_LAYOUT, ABSENT, AN_OK, NULL},
        {GOOD_SPACE, GOOD_TYPE, RAW("\1\1\1\0\0\0\0\0\x60\0\0\0\0\0\0\0\2\0\0\0"), ABSENT, AN_OK,
         NULL},
        {GOOD_SPACE, GOOD_TYPE, RAW("\2\1\1\0\0\0\0\0\x60\0\0\0\0\0\0\0\2\0\0\0"), ABSENT, AN_OK,
         NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ani_hdf5 *file = open_case(&cases[i]);
        float data[2] = {0};
        if (ani_hdf5_read(file, "a", data, &err)) fail_msg("case %zu: %s", i, err.message);
        assert_true(data[0] == 1 && data[1] > 1 && data[1] < 1.0001f);
        ani_hdf5_close(file);
    }
    /* an array of none; what has no layout is no array */
    static const array_case ends[] = {
        {RAW("\2\0\0\2"), GOOD_TYPE, GOOD_LAYOUT, ABSENT, AN_OK, NULL},
        {GOOD_SPACE, GOOD_TYPE, ABSENT, ABSENT, AN_ERR_FORMAT, "'f': there is no array 'a'"}};
    for (int i = 0; i < 2; i++) {
        float data[2];
        ani_hdf5 *file = open_case(&ends[i]);
        const an_status st = ani_hdf5_read(file, "a", data, &err);
        if (ends[i].status)
            refuse(st, ends[i].status, "%s", ends[i].message);
        else
            assert_int_equal(st, AN_OK);
        ani_hdf5_close(file);
    }
}

/* --- chunks ----------------------------------------------------------------------------------- */

/** The tree over an array [2] of float in one chunk of two; what is not 0 is added to the truth. */
typedef struct chunk_lie {
    const char *magic;
    int type, level, count;
    int64_t size, mask, offset, child, dimension;
    int below; /* level of a second node beneath the first; 0: none */
} chunk_lie;

static ani_hdf5 *chunked_file(const chunk_lie *lie, int64_t *tree) {
    begin_file();
    int64_t leaf = out.size;
    for (int node = lie->below ? 1 : 0; node >= 0; node--) {
        *tree = out.size;
        const bool top = lie->below && node == 0;
        put_text(lie->magic ? lie->magic : "TREE");
        put((uint64_t)(1 + lie->type), 1);
        put((uint64_t)(lie->level + (lie->below ? (top ? 1 : lie->below - 1) : 0)), 1);
        put((uint64_t)(1 + lie->count), 2);
        put(UINT64_MAX, 8);
        put(UINT64_MAX, 8);
        put((uint64_t)(8 + lie->size), 4);
        put((uint64_t)lie->mask, 4);
        put((uint64_t)lie->offset, 8);
        put(0, 8);
        put((uint64_t)((top ? leaf : DATA) + lie->child), 8);
        put(0, 24);
    }
    const int64_t object = begin_object();
    put_message(ANI_HDF5_DATASPACE, (raw)RAW(SPACE));
    put_message(ANI_HDF5_DATATYPE, (raw)RAW(FLOAT));
    begin_message(ANI_HDF5_LAYOUT, 0);
    put(0x020203, 3);
    put((uint64_t)*tree, 8);
    put((uint64_t)(2 + lie->dimension), 4);
    put(4, 4);
    end_message();
    end_object();
    return end_file(object);
}

static void chunks_that_lie(void **state) {
    (void)state;
    static const chunk_lie lies[] = {
        {.magic = "TREF"},   {.type = -1},          {.level = 8},  {.count = 1000},
        {.size = 4},         {.mask = 1},           {.offset = 1}, {.offset = 2},
        {.offset = 1 << 20}, {.child = 1 << 20},    {.count = -1}, {.dimension = -2},
        {.level = 1},        {.dimension = 100000}, {.below = 2},  {.dimension = -1},
    };
    int64_t tree;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        ani_hdf5 *file = chunked_file(&lies[i], &tree);
        const an_status st = read_array(file);
        if (!st) fail_msg("case %zu is read", i);
        refuse(st, AN_ERR_FORMAT, "'f': the chunks of array 'a' are damaged");
        ani_hdf5_close(file);
    }
    static const chunk_lie truths[] = {{0}, {.below = 1}};
    for (size_t i = 0; i < 2; i++) {
        ani_hdf5 *file = chunked_file(&truths[i], &tree);
        if (read_array(file)) fail_msg("%s", err.message);
        ani_hdf5_close(file);
    }
    /* the tree itself is not in the file */
    ani_hdf5 *file = chunked_file(&lies[0], &tree);
    for (int64_t i = 0; i < out.size - 8; i++) /* the layout's address */
        if (ani_hdf5_u64(out.data + i) == (uint64_t)tree && i > tree + 8)
            patch(i, (uint64_t)out.size, 8);
    refuse(read_array(file), AN_ERR_FORMAT, "'f': the chunks of array 'a' are damaged");
    ani_hdf5_close(file);
}

/* --- attributes ------------------------------------------------------------------------------- */

/* An attribute "t" of one text "xyz" of fixed size, version 1, 2 or 3. */
#define TYPE3 "\x13\0\0\0\3\0\0\0"
#define SCALAR "\1\0\0\0\0\0\0\0"
#define TEXT1 "\1\0\2\0\x08\0\x08\0t\0\0\0\0\0\0\0" TYPE3 SCALAR "xyz"
#define TEXT3 "\3\0\2\0\x08\0\x08\0\0t\0" TYPE3 SCALAR "xyz"

static ani_hdf5 *attribute_file(raw attribute, raw information) {
    begin_file();
    const int64_t object = begin_object();
    put_message(ANI_HDF5_ATTRIBUTE_INFO, information);
    put_message(ANI_HDF5_ATTRIBUTE, attribute);
    end_object();
    return end_file(object);
}

static void attributes_that_are_read(void **state) {
    (void)state;
    static const raw texts[] = {RAW(TEXT1), RAW("\2\0\2\0\x08\0\x08\0t\0" TYPE3 SCALAR "xyz"),
                                RAW(TEXT3)};
    /* what says that there are none in a heap: too short, no address, with a counter */
    static const raw informations[] = {
        ABSENT, RAW("\0"), RAW("\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
        RAW("\0\1\0\0\xff\xff\xff\xff\xff\xff\xff\xff"), RAW("\0\1\0\0\1\0\0\0\0\0\0")};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < sizeof informations / sizeof *informations; k++) {
            ani_hdf5 *file = attribute_file(texts[i], informations[k]);
            ani_names names = {0};
            bool found = false;
            if (ani_hdf5_texts(file, "a", "t", &names, &found, &err)) fail_msg("%s", err.message);
            assert_true(found);
            assert_int_equal(names.count, 1);
            assert_string_equal(names.items[0], "xyz");
            ani_names_clear(&names);
            ani_hdf5_close(file);
        }
    /* blanks alone are no text; one of another name is passed over */
    static const raw others[] = {RAW("\3\0\2\0\x08\0\x08\0\0t\0\x13\2\0\0\3\0\0\0" SCALAR "   "),
                                 RAW("\3\0\2\0\x08\0\x08\0\0s\0" TYPE3 SCALAR "xyz")};
    for (int i = 0; i < 2; i++) {
        ani_hdf5 *file = attribute_file(others[i], (raw)ABSENT);
        ani_names names = {0};
        bool found;
        if (ani_hdf5_texts(file, "a", "t", &names, &found, &err)) fail_msg("%s", err.message);
        assert_int_equal(found, i == 0);
        if (found) assert_string_equal(names.items[0], "");
        ani_names_clear(&names);
        ani_hdf5_close(file);
    }
}

static void attributes_that_are_refused(void **state) {
    (void)state;
    static const struct {
        raw attribute, information;
        an_status status;
        const char *message;
    } cases[] = {
#define DAMAGED ABSENT, AN_ERR_FORMAT, "'f': damaged attribute 't'"
#define NO_TEXT ABSENT, AN_ERR_FORMAT, "'f': attribute 't' is neither a text nor a list of them"
        {SHARED(TEXT1), DAMAGED},
        {RAW("\1\0\2\0\x08\0\x08"), DAMAGED},
        {RAW("\0\0\2\0\x08\0\x08\0t\0"), DAMAGED},
        {RAW("\4\0\2\0\x08\0\x08\0\0t\0" TYPE3 SCALAR "xyz"), DAMAGED},
        {RAW("\3\1\2\0\x08\0\x08\0\0t\0" TYPE3 SCALAR "xyz"), DAMAGED},
        {RAW("\3\0\2\0\x08\0\x08\0"), DAMAGED},
        {RAW("\3\0\2\0\x08\0\x99\0\0t\0" TYPE3 SCALAR "xyz"), DAMAGED},
        {RAW("\3\0\2\0\4\0\x08\0\0t\0\x13\0\0\0" SCALAR "xyz"), DAMAGED}, /* the type is cut */
        {RAW("\3\0\2\0\x08\0\2\0\0t\0" TYPE3 "\1\0"
             "xyz"),
         NO_TEXT},
        {RAW("\3\0\2\0\x08\0\x08\0\0t\0" TYPE3 SCALAR "xy"), ABSENT, AN_ERR_FORMAT,
         "'f': attribute 't' declares 1 texts of 3 bytes; it has 2"},
        {RAW("\3\0\2\0\x08\0\x10\0\0t\0" TYPE3 "\1\1\0\0\0\0\0\0\xff\xff\xff\0\0\0\0\0"), ABSENT,
         AN_ERR_UNSUPPORTED, "'f': attribute 't' has 16777215 texts; at most 100000 are read"},
        /* a sequence of something, which is no text of any size */
        {RAW("\3\0\2\0\x08\0\x08\0\0t\0\x19\0\0\0\x10\0\0\0" SCALAR "0123456789012345"), NO_TEXT},
        {RAW(TEXT3), RAW("\0\0\1\0\0\0\0\0\0\0"), AN_ERR_UNSUPPORTED,
         "'f' keeps attributes in a fractal heap; save it with h5py's default libver"},
        {RAW(TEXT3), RAW("\0\1\0\0\1\0\0\0\0\0\0\0"), AN_ERR_UNSUPPORTED,
         "'f' keeps attributes in a fractal heap; save it with h5py's default libver"},
        /* texts of any size: fewer than declared, and one that is in no heap */
        {RAW("\3\0\2\0\x08\0\x08\0\0t\0\x19\1\0\0\x10\0\0\0" SCALAR "\1\0\0\0"), DAMAGED},
        {RAW("\3\0\2\0\x08\0\x08\0\0t\0\x19\1\0\0\x10\0\0\0" SCALAR
             "\1\0\0\0\x60\0\0\0\0\0\0\0\1\0\0\0"),
         DAMAGED},
#undef DAMAGED
#undef NO_TEXT
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ani_hdf5 *file = attribute_file(cases[i].attribute, cases[i].information);
        bool found;
        const an_status st = read_texts(file, &found);
        if (st != cases[i].status) fail_msg("case %zu: status %d, '%s'", i, st, err.message);
        refuse(st, cases[i].status, "%s", cases[i].message);
        ani_hdf5_close(file);
    }
}

/** A global heap with the texts "first" (1) and "second" (2); numbers are added to the truth. */
typedef struct heap_lie {
    const char *magic;
    int64_t size, first_number, first_size, second_size, address, length, index;
} heap_lie;

static ani_hdf5 *heap_file(const heap_lie *lie) {
    begin_file();
    const int64_t heap = out.size;
    put_text(lie->magic ? lie->magic : "GCOL");
    put(1, 4);
    put((uint64_t)(16 + 24 + 24 + lie->size), 8);
    put((uint64_t)(1 + lie->first_number), 8);
    put((uint64_t)(5 + lie->first_size), 8);
    bytes_add(&out, "first\0\0\0", 8);
    put(2, 8);
    put((uint64_t)(6 + lie->second_size), 8);
    bytes_add(&out, "second\0\0", 8);
    const int64_t object = begin_object();
    begin_message(ANI_HDF5_ATTRIBUTE, 0);
    bytes_add(&out, "\3\0\2\0\x08\0\x08\0\0t\0\x19\1\0\0\x10\0\0\0" SCALAR, 27);
    put((uint64_t)(6 + lie->length), 4);
    put((uint64_t)(heap + lie->address), 8);
    put((uint64_t)(2 + lie->index), 4);
    end_message();
    end_object();
    return end_file(object);
}

static void heaps_that_lie(void **state) {
    (void)state;
    static const heap_lie lies[] = {
        {.magic = "GCOM"},   {.size = -49},        {.size = 1 << 20},    {.first_number = -1},
        {.first_size = 900}, {.second_size = 900}, {.address = 1 << 20}, {.length = 1},
        {.index = 1},        {.first_size = 37},   {.size = -30},
    };
    bool found;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        ani_hdf5 *file = heap_file(&lies[i]);
        const an_status st = read_texts(file, &found);
        if (!st) fail_msg("case %zu is read", i);
        refuse(st, AN_ERR_FORMAT, "'f': damaged attribute 't'");
        ani_hdf5_close(file);
    }
    /* no bytes need no place */
    static const heap_lie truths[] = {{0}, {.length = -6, .address = 1 << 20}, {.length = -1}};
    static const char *const texts[] = {"second", "", "secon"};
    for (size_t i = 0; i < 3; i++) {
        ani_hdf5 *file = heap_file(&truths[i]);
        ani_names names = {0};
        if (ani_hdf5_texts(file, "a", "t", &names, &found, &err)) fail_msg("%s", err.message);
        assert_string_equal(names.items[0], texts[i]);
        ani_names_clear(&names);
        ani_hdf5_close(file);
    }
}

/* --- objects and links ------------------------------------------------------------------------ */

#define DAMAGED(what) "'f': damaged HDF5 file: no valid " what " at byte %lld"

static void headers_that_lie(void **state) {
    (void)state;
    /* no room for a header; another version; more bytes than there are */
    begin_file();
    ani_hdf5 *file = end_file(0);
    const int64_t near_end = out.size - 10;
    ani_hdf5_message message;
    bool found;
    refuse(ani_hdf5_find_message(file, near_end, 1, &message, &found, &err), AN_ERR_FORMAT,
           DAMAGED("object header"), (long long)near_end);
    refuse(ani_hdf5_links(file, near_end, NULL, NULL, &err), AN_ERR_FORMAT,
           DAMAGED("object header"), (long long)near_end);
    refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("object header"), 0LL);
    refuse(read_texts(file, &found), AN_ERR_FORMAT, DAMAGED("object header"), 0LL);
    refuse(look(file, "a/b"), AN_ERR_FORMAT, DAMAGED("object header"), 0LL);
    ani_names names = {0};
    refuse(ani_hdf5_list(file, "a", &names, &err), AN_ERR_FORMAT, DAMAGED("object header"), 0LL);
    refuse(ani_hdf5_list(file, "b", &names, &err), AN_ERR_FORMAT, "'f': there is no group 'b'");
    ani_hdf5_close(file);
    for (int lie = 0; lie < 2; lie++) {
        begin_file();
        const int64_t object = begin_object();
        end_object();
        patch(lie ? object : object + 8, lie ? 2 : 1 << 20, 1 + 3 * !lie);
        file = end_file(object);
        refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("object header"), (long long)object);
        ani_hdf5_close(file);
    }
    /* a message that is longer than its header; one behind which a gap is left */
    for (int lie = 0; lie < 2; lie++) {
        begin_file();
        const int64_t object = begin_object();
        put_message(ANI_HDF5_LINK_INFO, (raw)RAW("\0\0"));
        if (lie)
            put(0, 7);
        else
            patch(message_at + 2, 3, 2);
        const int64_t place = message_at;
        end_object();
        file = end_file(object);
        if (lie)
            assert_int_equal(look(file, "a"), AN_OK);
        else
            refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("message"), (long long)place);
        ani_hdf5_close(file);
    }
}

/* New headers: with times and counts, of each width of the size, with creation order. */
static void new_headers(void **state) {
    (void)state;
    for (int flags = 0; flags < 64; flags++) {
        if (flags & 8) continue;
        begin_file();
        version = 2;
        const int64_t object = out.size, width = 1 << (flags & 3);
        const int64_t size = 2 + (flags & 4 ? 6 : 4);
        put_text("OHDR");
        put(2, 1);
        put((uint64_t)flags, 1);
        put(0, (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0));
        put((uint64_t)size, (int)width);
        put(ANI_HDF5_LINK_INFO, 1);
        put(2, 2);
        put(0, flags & 4 ? 3 : 1);
        put(0, 2);
        put(lookup3(out.data + object, out.size - object), 4);
        ani_hdf5 *file = end_file(object);
        ani_hdf5_kind kind;
        if (ani_hdf5_look(file, "a", &kind, &err)) fail_msg("flags %d: %s", flags, err.message);
        assert_int_equal(kind, ANI_HDF5_GROUP);
        ani_hdf5_close(file);
    }
}

static void new_headers_that_lie(void **state) {
    (void)state;
    static const struct {
        int version, flags;
        uint64_t size;
        int flip; /* of the checksum */
    } lies[] = {{3, 2, 0, 0}, {2, 3, UINT64_MAX, 0}, {2, 2, 4000, 0}, {2, 2, 0, 1}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        begin_file();
        version = 2;
        const int64_t object = out.size;
        put_text("OHDR");
        put((uint64_t)lies[i].version, 1);
        put((uint64_t)lies[i].flags, 1);
        put(lies[i].size, 1 << lies[i].flags);
        put(lookup3(out.data + object, out.size - object) ^ (uint32_t)lies[i].flip, 4);
        ani_hdf5 *file = end_file(object);
        refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("object header"), (long long)object);
        ani_hdf5_close(file);
    }
    /* its size is behind the end of the file */
    begin_file();
    const int64_t root = begin_object(), last = root + 36;
    put_link("a", last);
    end_object();
    assert_int_equal(out.size, last);
    put_text("OHDR\2\x33");
    put(0, 10);
    ani_hdf5 *file = end_file_with(root);
    refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("object header"), (long long)last);
    ani_hdf5_close(file);
}

/** A continuation that leads to a block with one message. */
static void continuations(void **state) {
    (void)state;
    enum { HONEST, SHORT, OUTSIDE, NO_MAGIC, BAD_SUM, TINY, LIES };
    for (int v = 1; v <= 2; v++)
        for (int lie = HONEST; lie < LIES; lie++) {
            if (v == 1 && lie > OUTSIDE) continue;
            begin_file();
            version = v;
            const int64_t block = out.size;
            if (v == 2) put_text(lie == NO_MAGIC ? "OCHX" : "OCHK");
            put_message(ANI_HDF5_LINK_INFO, (raw)RAW("\0\0"));
            if (v == 2)
                put(lookup3(out.data + block, out.size - block) ^ (uint32_t)(lie == BAD_SUM), 4);
            const int64_t size = out.size - block, object = begin_object();
            begin_message(ANI_HDF5_CONTINUATION, 0);
            const int64_t message = message_at;
            put((uint64_t)(block + (lie == OUTSIDE ? 1 << 20 : 0)), 8);
            put((uint64_t)(lie == TINY ? 7 : size), lie == SHORT ? 7 : 8);
            end_message();
            end_object();
            ani_hdf5 *file = end_file(object);
            ani_hdf5_kind kind;
            const an_status st = ani_hdf5_look(file, "a", &kind, &err);
            if (lie == HONEST)
                assert_true(st == AN_OK && kind == ANI_HDF5_GROUP);
            else if (lie == SHORT)
                refuse(st, AN_ERR_FORMAT, DAMAGED("continuation"), (long long)message);
            else
                refuse(st, AN_ERR_FORMAT, DAMAGED("part of an object header"),
                       (long long)block + (lie == OUTSIDE ? 1 << 20 : 0));
            ani_hdf5_close(file);
        }
    /* a ring of continuations: each leads back to itself */
    begin_file();
    const int64_t object = begin_object();
    begin_message(ANI_HDF5_CONTINUATION, 0);
    put((uint64_t)message_at, 8);
    put(24, 8);
    end_message();
    end_object();
    const int64_t message = message_at;
    ani_hdf5 *file = end_file(object);
    refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("continuation"), (long long)message);
    ani_hdf5_close(file);
}

static void links(void **state) {
    (void)state;
    static const raw lies[] = {
        SHARED("\1\0\1b\x60\0\0\0\0\0\0\0"),
        RAW("\1\0\1"),
        RAW("\2\0\1b\x60\0\0\0\0\0\0\0"),
        RAW("\1\3\1b\x60\0\0\0\0"),
        RAW("\1\x14\0\0"),
        RAW("\1\0\0b\x60\0\0\0\0\0\0\0"),
        RAW("\1\0\x0b"
            "b\x60\0\0\0\0\0\0\0"),
        RAW("\1\0\2b\0\x60\0\0\0\0\0\0\0"),
        RAW("\1\0\1b\x60\0\0\0\0\0\0"),
        RAW("\1\0\1b\0\0\0\0\0\0\0\1"),
    };
    ani_names names = {0};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        begin_file();
        const int64_t root = begin_object();
        put_message(ANI_HDF5_LINK, lies[i]);
        const int64_t place = message_at + 8;
        end_object();
        ani_hdf5 *file = end_file_with(root);
        const an_status st = ani_hdf5_list(file, "", &names, &err);
        if (!st) fail_msg("case %zu is read", i);
        refuse(st, AN_ERR_FORMAT, DAMAGED("link"), (long long)place);
        ani_hdf5_close(file);
    }
    /* all optional fields; a name that is no UTF-8; what says that links lie in no heap */
    static const raw truths[] = {RAW("\1\x1d\0"
                                     "01234567"
                                     "\0"
                                     "\1\0"
                                     "b\x60\0\0\0\0\0\0\0"),
                                 RAW("\1\0\1\xff\x60\0\0\0\0\0\0\0")};
    static const raw informations[] = {RAW("\0"),
                                       RAW("\0\1"
                                           "01234567"
                                           "\0\0\0"),
                                       RAW("\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
                                       RAW("\0\1"
                                           "01234567"
                                           "\xff\xff\xff\xff\xff\xff\xff\xff")};
    for (size_t i = 0; i < 4; i++) {
        begin_file();
        const int64_t root = begin_object();
        put_message(ANI_HDF5_LINK, truths[i % 2]);
        put_message(ANI_HDF5_LINK_INFO, informations[i]);
        end_object();
        ani_hdf5 *file = end_file_with(root);
        const an_status st = ani_hdf5_list(file, "", &names, &err);
        if (i % 2) {
            refuse(st, AN_ERR_FORMAT, "'f': the name of a member is not UTF-8");
        } else {
            assert_int_equal(st, AN_OK);
            assert_string_equal(names.items[0], "b");
        }
        ani_names_clear(&names);
        ani_hdf5_close(file);
    }
    begin_file();
    const int64_t root = begin_object();
    put_message(ANI_HDF5_LINK_INFO, (raw)RAW("\0\1"
                                             "01234567"
                                             "\1\0\0\0\0\0\0\0"));
    end_object();
    ani_hdf5 *file = end_file_with(root);
    refuse(
        ani_hdf5_list(file, "", &names, &err), AN_ERR_UNSUPPORTED,
        "'f' keeps the members of a group in a fractal heap; save it with h5py's default libver");
    ani_hdf5_close(file);
}

static void groups_of_too_many_members(void **state) {
    (void)state;
    enum { MOST = 100000 };
    begin_file();
    const int64_t root = begin_object();
    for (int i = 0; i <= MOST; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        put_link(name, DATA);
    }
    end_object();
    ani_hdf5 *file = end_file_with(root);
    ani_names names = {0};
    refuse(ani_hdf5_list(file, "", &names, &err), AN_ERR_UNSUPPORTED,
           "'f': a group has over 100000 members");
    assert_int_equal(names.count, MOST);
    ani_names_clear(&names);
    ani_hdf5_close(file);
}

/* --- symbol tables ---------------------------------------------------------------------------- */

/** A group of old style with one member, "b"; numbers are added to the truth. */
typedef struct table_lie {
    const char *heap_magic, *tree_magic, *table_magic;
    int64_t heap_size, heap_data, type, level, tree_count, child, count, name, object, message;
    int64_t heap, tree; /* addresses */
    int below;          /* level of a second node of the tree beneath the first, 0: none */
    bool soft, no_end;
} table_lie;

/* Returns the places of heap, tree, table and group. */
static ani_hdf5 *table_file(const table_lie *lie, int64_t places[4]) {
    begin_file();
    places[0] = out.size;
    put_text(lie->heap_magic ? lie->heap_magic : "HEAP");
    put(0, 4);
    put((uint64_t)(16 + lie->heap_size), 8);
    put(0, 8);
    put((uint64_t)(places[0] + 32 + lie->heap_data), 8);
    bytes_add(&out, lie->no_end ? "\0\0\0\0\0\0\0\0bbbbbbbb" : "\0\0\0\0\0\0\0\0b\0\0\0\0\0\0\0",
              16);
    places[2] = out.size;
    put_text(lie->table_magic ? lie->table_magic : "SNOD");
    put(1, 2);
    put((uint64_t)(1 + lie->count), 2);
    put((uint64_t)(8 + lie->name), 8);
    put((uint64_t)(DATA + lie->object), 8);
    put(lie->soft ? 2 : 0, 8);
    put(0, 16);
    for (int node = lie->below ? 1 : 0; node >= 0; node--) {
        const bool top = lie->below && node == 0;
        const int64_t child = top ? places[1] : places[2];
        places[1] = out.size;
        put_text(lie->tree_magic ? lie->tree_magic : "TREE");
        put((uint64_t)lie->type, 1);
        put((uint64_t)(lie->level + (lie->below ? (top ? 1 : lie->below - 1) : 0)), 1);
        put((uint64_t)(1 + lie->tree_count), 2);
        put(UINT64_MAX, 8);
        put(UINT64_MAX, 8);
        put(0, 8);
        put((uint64_t)(child + lie->child), 8);
        put(8, 8);
    }
    places[3] = begin_object();
    begin_message(ANI_HDF5_SYMBOL_TABLE, 0);
    put((uint64_t)(places[1] + lie->tree), 8);
    put((uint64_t)(places[0] + lie->heap), (int)(8 + lie->message));
    end_message();
    end_object();
    return end_file(places[3]);
}

static void symbol_tables(void **state) {
    (void)state;
    enum { HEAP, TREE, TABLE, GROUP };
    enum { FAR = 1 << 20 };
    static const struct {
        table_lie lie;
        const char *message;
        int place;
        int64_t further;
    } lies[] = {
        {{.message = -1}, DAMAGED("group"), GROUP, 0},
        {{.heap = FAR}, DAMAGED("heap of names"), HEAP, FAR},
        {{.heap_magic = "HEAR"}, DAMAGED("heap of names"), HEAP, 0},
        {{.heap_size = FAR}, DAMAGED("heap of names"), HEAP, 0},
        {{.heap_data = FAR}, DAMAGED("heap of names"), HEAP, 0},
        {{.tree = FAR}, DAMAGED("tree of a group"), TREE, FAR},
        {{.tree_magic = "TREF"}, DAMAGED("tree of a group"), TREE, 0},
        {{.type = 1}, DAMAGED("tree of a group"), TREE, 0},
        {{.level = 8}, DAMAGED("tree of a group"), TREE, 0},
        {{.below = 3}, DAMAGED("tree of a group"), TREE, -48},
        {{.tree_count = 999}, DAMAGED("tree of a group"), TREE, 0},
        {{.child = FAR}, DAMAGED("symbol table"), TABLE, FAR},
        {{.table_magic = "SNOW"}, DAMAGED("symbol table"), TABLE, 0},
        {{.count = 999}, DAMAGED("symbol table"), TABLE, 0},
        {{.name = FAR}, DAMAGED("name in a symbol table"), TABLE, 0},
        {{.name = -1}, DAMAGED("name in a symbol table"), TABLE, 0},
        {{.no_end = true}, DAMAGED("name in a symbol table"), TABLE, 0},
        {{.object = FAR}, DAMAGED("object"), -1, DATA + FAR},
    };
    int64_t places[4];
    ani_names names = {0};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        ani_hdf5 *file = table_file(&lies[i].lie, places);
        const an_status st = ani_hdf5_list(file, "a", &names, &err);
        char message[256];
        const int64_t place = lies[i].further + (lies[i].place < 0 ? 0 : places[lies[i].place]);
        if (!st) fail_msg("case %zu is read", i);
        snprintf(message, sizeof message, "%s", lies[i].message);
        *strstr(message, "%lld") = '\0';
        refuse(st, AN_ERR_FORMAT, "%s%lld", message, (long long)place);
        ani_hdf5_close(file);
    }
    static const table_lie truths[] = {{0}, {.below = 1}, {.soft = true, .object = FAR}};
    for (size_t i = 0; i < 3; i++) {
        ani_hdf5 *file = table_file(&truths[i], places);
        if (ani_hdf5_list(file, "a", &names, &err)) fail_msg("%s", err.message);
        assert_int_equal(names.count, 1);
        assert_string_equal(names.items[0], "b");
        ani_names_clear(&names);
        ani_hdf5_close(file);
    }
}

/* --- superblocks ------------------------------------------------------------------------------ */

static void superblocks(void **state) {
    (void)state;
    static const struct {
        int64_t place;
        uint64_t value;
        int size;
        an_status status;
        const char *message;
    } lies[] = {
        {0, 0, 1, AN_ERR_FORMAT, "'f' is no HDF5 file"},
        {8, 4, 1, AN_ERR_UNSUPPORTED, "'f' is HDF5 of version 4; 0 to 3 are read"},
        {13, 4, 1, AN_ERR_UNSUPPORTED, "'f' has addresses of 4 and lengths of 8 bytes; 8 are read"},
        {14, 2, 1, AN_ERR_UNSUPPORTED, "'f' has addresses of 8 and lengths of 2 bytes; 8 are read"},
        {24, 512, 8, AN_ERR_UNSUPPORTED, "'f' has bytes of something else before it"},
        {END_FIELD, 1000, 8, AN_ERR_FORMAT, "'f' is cut off: it has 196 bytes, but says 1000"},
        {ROOT_FIELD, 1000, 8, AN_ERR_FORMAT,
         "'f': damaged HDF5 file: no valid root group at byte 1000"},
    };
    ani_hdf5 *file;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        begin_file();
        ani_hdf5_close(end_file(DATA));
        patch(lies[i].place, lies[i].value, lies[i].size);
        refuse(ani_hdf5_open(&file, out.data, out.size, "f", &err), lies[i].status, "%s",
               lies[i].message);
        assert_null(file);
    }
    refuse(ani_hdf5_open(&file, out.data, 95, "f", &err), AN_ERR_FORMAT, DAMAGED("superblock"),
           0LL);
    refuse(ani_hdf5_open(&file, out.data, 15, "f", &err), AN_ERR_FORMAT, "'f' is no HDF5 file");
    /* of new style, with a checksum */
    for (int lie = 0; lie < 3; lie++) {
        free(out.data);
        out = (struct bytes){0};
        version = 1;
        bytes_add(&out, "\x89HDF\r\n\x1a\n\2\x08\x08\0", 12);
        put(0, 8);
        put(UINT64_MAX, 8);
        put(48 + 16, 8);
        put(48, 8);
        put(lookup3(out.data, 44) ^ (uint32_t)(lie == 1), 4);
        begin_object();
        end_object();
        const an_status st = ani_hdf5_open(&file, out.data, lie == 2 ? 47 : out.size, "f", &err);
        if (lie)
            refuse(st, AN_ERR_FORMAT, DAMAGED("superblock"), 0LL);
        else
            assert_int_equal(st, AN_OK);
        ani_hdf5_close(file);
    }
}

/* --- work ------------------------------------------------------------------------------------- */

/* Every place at which work is counted ends the call when there has been too much. */
static void expect_entangled(ani_hdf5 *file, an_status (*call)(ani_hdf5 *file)) {
    int64_t left = 0;
    for (an_status st = 1; st; left++) {
        file->work = 20000000 - left;
        file->bytes_read = 0;
        st = call(file);
        if (st)
            refuse(st, AN_ERR_UNSUPPORTED,
                   "'f' is too entangled: its groups and texts lead on and on");
        assert_true(left < 1000);
    }
    assert_true(left > 3);
    ani_hdf5_close(file);
}

static an_status call_shape(ani_hdf5 *file) {
    ani_hdf5_shape shape;
    return ani_hdf5_shape_of(file, "a", &shape, &err);
}

static an_status call_texts(ani_hdf5 *file) {
    bool found;
    return read_texts(file, &found);
}

static an_status call_list(ani_hdf5 *file) {
    ani_names names = {0};
    const an_status st = ani_hdf5_list(file, "a", &names, &err);
    ani_names_clear(&names);
    return st;
}

static an_status call_look(ani_hdf5 *file) {
    return look(file, "a/none");
}

static void work_is_bounded_everywhere(void **state) {
    (void)state;
    static const array_case plain = {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\1\0"), AN_OK, NULL};
    int64_t ignored[4];
    expect_entangled(open_case(&plain), read_array);
    expect_entangled(open_case(&plain), call_shape);
    expect_entangled(chunked_file(&(chunk_lie){.below = 1}, ignored), read_array);
    expect_entangled(attribute_file((raw)RAW(TEXT3), (raw)ABSENT), call_texts);
    expect_entangled(heap_file(&(heap_lie){0}), call_texts);
    expect_entangled(table_file(&(table_lie){.below = 1}, ignored), call_list);
    expect_entangled(table_file(&(table_lie){0}, ignored), call_look);
}

static int tear_down(void **state) {
    (void)state;
    free(out.data);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_that_are_read),
        cmocka_unit_test(arrays_that_are_refused),
        cmocka_unit_test(chunks_that_lie),
        cmocka_unit_test(attributes_that_are_read),
        cmocka_unit_test(attributes_that_are_refused),
        cmocka_unit_test(heaps_that_lie),
        cmocka_unit_test(headers_that_lie),
        cmocka_unit_test(new_headers),
        cmocka_unit_test(new_headers_that_lie),
        cmocka_unit_test(continuations),
        cmocka_unit_test(links),
        cmocka_unit_test(groups_of_too_many_members),
        cmocka_unit_test(symbol_tables),
        cmocka_unit_test(superblocks),
        cmocka_unit_test(work_is_bounded_everywhere),
    };
    return cmocka_run_group_tests_name("hdf5_bytes", tests, NULL, tear_down);
}
