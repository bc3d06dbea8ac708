/* SPDX-License-Identifier: MIT
 * Arrays and attributes of HDF5 files that lie: what libhdf5 never writes must be refused, by what
 * the message names. */
#include "support/hdf5_bytes.h"

#include <stdbool.h>
#include <zlib.h>

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
#define NO_NUMBERS                                                                                 \
    AN_ERR_UNSUPPORTED, "'f': array 'a' is not an array of plain numbers of at most 8 bytes"
#define BAD_LAYOUT AN_ERR_FORMAT, "'f': array 'a' has a damaged layout"
#define BAD_FILTERS AN_ERR_FORMAT, "'f': the list of filters of array 'a' is damaged"
#define DEFLATES "\1\0\0\0\0\0\1\0\0\0\0\0\1\0\0\0\0\0"
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
         "'f': array 'a' is stored in its header; only contiguous and chunked ones are supported"},
        {GOOD_SPACE, GOOD_TYPE, RAW("\4\3\0"), ABSENT, AN_ERR_UNSUPPORTED,
         "'f': array 'a' is stored in other files; only contiguous and chunked ones are supported"},
        {GOOD_SPACE, GOOD_TYPE, RAW("\4\2\0"), ABSENT, AN_ERR_UNSUPPORTED,
         "'f': array 'a' uses a newer chunk format; save it with h5py's default libver"},
        {GOOD_SPACE, GOOD_TYPE, RAW("\3\1\xff\xff\xff\xff\0\0\0\0\x08\0\0\0\0\0\0\0"), ABSENT,
         AN_ERR_FORMAT, "'f': array 'a' declares 8 bytes, but they are not in the file"},
        {RAW("\1\1\0\0\0\0\0\0\0\0\1\0\0\0\0\0"), GOOD_TYPE, GOOD_LAYOUT, ABSENT, AN_ERR_FORMAT,
         "'f': array 'a' declares 262144 bytes; the file has 290"},
        /* filters */
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\1"), BAD_FILTERS},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, SHARED("\2\1\1\0\0\0\0\0"), BAD_FILTERS},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\0\1\1\0\0\0\0\0\0\0"), BAD_FILTERS},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\3\1\1\0\0\0\0\0\0\0"), BAD_FILTERS},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\1\1"), BAD_FILTERS},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\2\1\1\0\0\0\0"), BAD_FILTERS},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\2\x09" DEFLATES DEFLATES DEFLATES), BAD_FILTERS},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\2\1\1\0\0\0\2\0\6\0\0\0"), BAD_FILTERS},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\2\1\2\0\0\0\0\0\0\0"), BAD_FILTERS},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\2\1\2\0\0\0\1\0\0\0\0\0"), BAD_FILTERS},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT,
         RAW("\1\1\0\0\0\0\0\0\1\0\x09\0\0\0\0\0deflate\0\0\0\0\0\0\0\0"), BAD_FILTERS},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\2\1\1\0\0\0\0\0\0\0"), AN_ERR_FORMAT,
         "'f': array 'a' has filters but no chunks"},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\2\1\0\x7d\4\0\0\0\0\0lzf\0"), AN_ERR_UNSUPPORTED,
         "'f': array 'a' is stored with filter 32000 (lzf); deflate (gzip), shuffle and fletcher32 "
         "are supported"},
        {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\2\1\0\x01\4\0\0\0\0\0abc\0"), AN_ERR_UNSUPPORTED,
         "'f': array 'a' is stored with filter 256 (?); deflate (gzip), shuffle and fletcher32 "
         "are supported"},
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
    raw filters, chunk;
} chunk_lie;

static ani_hdf5 *chunked_file(const chunk_lie *lie, int64_t *tree) {
    begin_file();
    const int64_t packed_at = out.size;
    if (lie->chunk.bytes) bytes_add(&out, lie->chunk.bytes, lie->chunk.size);
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
        put((uint64_t)((lie->chunk.bytes ? lie->chunk.size : 8) + lie->size), 4);
        put((uint64_t)lie->mask, 4);
        put((uint64_t)lie->offset, 8);
        put(0, 8);
        put((uint64_t)((top ? leaf : lie->chunk.bytes ? packed_at : DATA) + lie->child), 8);
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
    put_message(ANI_HDF5_FILTERS, lie->filters);
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

#define ZLIB .filters = RAW("\2\1\1\0\0\0\0\0")
#define SUM .filters = RAW("\2\1\3\0\0\0\0\0")
#define SHUFFLED .filters = RAW("\2\1\2\0\0\0\1\0\4\0\0\0")

static void filtered_chunks_that_lie(void **state) {
    (void)state;
    uint8_t packed[6][64]; /* 8 bytes, 4, 9, 8 twice, 8 and a byte behind, 8 without their end */
    uLongf sizes[6];
    static const int lengths[6] = {8, 4, 13, 8, 8, 8};
    int64_t tree;
    begin_file();
    for (int i = 0; i < 6; i++) {
        sizes[i] = sizeof packed[i];
        assert_int_equal(compress(packed[i], &sizes[i], out.data + DATA, (uLong)lengths[i]), Z_OK);
    }
    memset(packed[4] + sizes[4], 7, 1);
    sizes[4]++;
    sizes[5]--;
#define PACKED(i) .chunk = {(const char *)packed[i], (int64_t)sizes[i], 0 }
    const struct {
        chunk_lie lie;
        const char *what;
    } lies[] = {
        {{ZLIB, PACKED(1)}, "its size is not that of its values"},
        {{ZLIB, PACKED(2)}, "it cannot be unpacked"},
        {{ZLIB, PACKED(4)}, "it cannot be unpacked"},
        {{ZLIB, PACKED(5)}, "it cannot be unpacked"},
        {{ZLIB, .chunk = RAW("")}, "it cannot be unpacked"},
        {{ZLIB, PACKED(0), .dimension = 1 << 16}, "it is too small for its values"},
        {{ZLIB, PACKED(0), .mask = 1}, "its size is not that of its values"},
        {{SUM, .chunk = RAW("abc")}, "its checksum does not match"},
        {{SUM, .chunk = RAW("abcdefgh\0\0\0\0")}, "its checksum does not match"},
        {{SUM, .chunk = RAW("\0\0\0\0")}, "its size is not that of its values"},
        {{SHUFFLED, .chunk = RAW("0123456789abcdef")}, "it is too large for its values"},
        {{SHUFFLED, .chunk = RAW("0123456")}, "its size is not that of its values"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        ani_hdf5 *file = chunked_file(&lies[i].lie, &tree);
        const an_status st = read_array(file);
        if (!st) fail_msg("case %zu is read", i);
        refuse(st, AN_ERR_FORMAT, "'f': a chunk of array 'a' is damaged: %s", lies[i].what);
        ani_hdf5_close(file);
    }
    const chunk_lie truth = {ZLIB, PACKED(0)};
    ani_hdf5 *file = chunked_file(&truth, &tree);
    float data[2] = {0};
    if (ani_hdf5_read(file, "a", data, &err)) fail_msg("%s", err.message);
    assert_true(data[0] == 1 && data[1] > 1 && data[1] < 1.0001f);
    /* the same bytes as often as the file is long */
    an_status st = AN_OK;
    for (int i = 0; i < 1000 && !st; i++)
        st = ani_hdf5_read(file, "a", data, &err);
    refuse(st, AN_ERR_FORMAT, "'f': the arrays up to 'a' declare more bytes than the file's %lld",
           (long long)out.size);
    ani_hdf5_close(file);
    const chunk_lie wrong[] = {{ZLIB, PACKED(0), .mask = 2}, {ZLIB, PACKED(0), .size = 1 << 20}};
    for (int i = 0; i < 2; i++) {
        file = chunked_file(&wrong[i], &tree);
        refuse(read_array(file), AN_ERR_FORMAT, "'f': the chunks of array 'a' are damaged");
        ani_hdf5_close(file);
    }
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
#define NO_TEXT                                                                                    \
    ABSENT, AN_ERR_FORMAT, "'f': attribute 't' is neither a string nor a list of strings"
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
         "'f' stores attributes in a fractal heap; save it with h5py's default libver"},
        {RAW(TEXT3), RAW("\0\1\0\0\1\0\0\0\0\0\0\0"), AN_ERR_UNSUPPORTED,
         "'f' stores attributes in a fractal heap; save it with h5py's default libver"},
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

/* --- work ------------------------------------------------------------------------------------- */

static an_status call_shape(ani_hdf5 *file) {
    ani_hdf5_shape shape;
    return ani_hdf5_shape_of(file, "a", &shape, &err);
}

static an_status call_texts(ani_hdf5 *file) {
    bool found;
    return read_texts(file, &found);
}

static void work_is_bounded_everywhere(void **state) {
    (void)state;
    static const array_case plain = {GOOD_SPACE, GOOD_TYPE, GOOD_LAYOUT, RAW("\1\0"), AN_OK, NULL};
    int64_t ignored;
    expect_entangled(open_case(&plain), read_array);
    expect_entangled(open_case(&plain), call_shape);
    expect_entangled(chunked_file(&(chunk_lie){.below = 1}, &ignored), read_array);
    expect_entangled(attribute_file((raw)RAW(TEXT3), (raw)ABSENT), call_texts);
    expect_entangled(heap_file(&(heap_lie){0}), call_texts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_that_are_read),     cmocka_unit_test(arrays_that_are_refused),
        cmocka_unit_test(chunks_that_lie),          cmocka_unit_test(filtered_chunks_that_lie),
        cmocka_unit_test(attributes_that_are_read), cmocka_unit_test(attributes_that_are_refused),
        cmocka_unit_test(heaps_that_lie),           cmocka_unit_test(work_is_bounded_everywhere),
    };
    return cmocka_run_group_tests_name("hdf5_bytes", tests, NULL, free_bytes);
}
