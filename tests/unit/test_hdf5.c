/* SPDX-License-Identifier: MIT
 * Our reader of HDF5 against libhdf5, which writes the files here and is the judge of what is in
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/text.h"
#include "io/hdf5_file.h"
#include "support/folder.h"
#include "support/test_folder.h"

/* --- writing ---------------------------------------------------------------------------------- */

/* MIDDLE: headers as in NEW, chunks as in OLD */
typedef enum style { OLD, NEW, MIDDLE } style;

static hid_t need(hid_t id) {
    if (id < 0) fail_msg("libhdf5 fails");
    return id;
}

/* In a folder: what H5Fget_file_image() hands out has a wrong checksum in the newest format. */

static hid_t begin_with(style kind, hid_t creation) {
    const hid_t access = need(H5Pcreate(H5P_FILE_ACCESS));
    need(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG));
    if (kind == NEW) need(H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST));
    if (kind == MIDDLE) need(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18));
    const hid_t file =
        need(H5Fcreate(folder_path(test_folder, "made.h5"), H5F_ACC_TRUNC, creation, access));
    H5Pclose(access);
    return file;
}

static hid_t begin(style kind) {
    return begin_with(kind, H5P_DEFAULT);
}

typedef struct made {
    uint8_t *bytes;
    int64_t size;
} made;

static made end(hid_t file) {
    made m;
    H5Fclose(file);
    m.bytes = folder_read(folder_path(test_folder, "made.h5"), &m.size);
    unlink(folder_path(test_folder, "made.h5"));
    return m;
}

static ani_hdf5 *opened(const made *m) {
    ani_hdf5 *file;
    an_error err;
    if (ani_hdf5_open(&file, m->bytes, m->size, "test.h5", &err)) fail_msg("%s", err.message);
    return file;
}

static void close_made(ani_hdf5 *file, made *m) {
    ani_hdf5_close(file);
    free(m->bytes);
}

static const double some[8] = {0, 1, 2, 3.5, 100, 7, 127, 5};

static hid_t put_array(hid_t file, const char *name, hid_t type, int rank, const hsize_t *lengths,
                       hid_t plist, const void *values, hid_t memory_type) {
    const hid_t space = need(rank ? H5Screate_simple(rank, lengths, NULL) : H5Screate(H5S_SCALAR));
    const hid_t id = need(H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT));
    if (values) need(H5Dwrite(id, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values));
    H5Sclose(space);
    return id;
}

/* --- asking ----------------------------------------------------------------------------------- */

static void expect_failure(an_status st, const an_error *err, an_status wanted, const char *word) {
    if (st != wanted || err->status != st || !strstr(err->message, word))
        fail_msg("status %s, message '%s'; wanted %s with '%s'", an_status_name(st), err->message,
                 an_status_name(wanted), word);
}

static void refuse_array(ani_hdf5 *file, const char *path, an_status wanted, const char *word) {
    an_error err = {0};
    ani_hdf5_shape shape;
    float data[64];
    an_status st = ani_hdf5_shape_of(file, path, &shape, &err);
    if (!st) st = ani_hdf5_read(file, path, data, &err);
    expect_failure(st, &err, wanted, word);
}

static float *read_array(ani_hdf5 *file, const char *path, int64_t *count) {
    an_error err;
    ani_hdf5_shape shape;
    if (ani_hdf5_shape_of(file, path, &shape, &err)) fail_msg("%s", err.message);
    *count = 1;
    for (int i = 0; i < shape.rank; i++)
        *count *= shape.lengths[i];
    float *data = malloc((size_t)*count * sizeof *data + 1);
    assert_non_null(data);
    if (ani_hdf5_read(file, path, data, &err)) fail_msg("%s", err.message);
    return data;
}

static ani_hdf5_kind kind_of(ani_hdf5 *file, const char *path) {
    an_error err;
    ani_hdf5_kind kind;
    if (ani_hdf5_look(file, path, &kind, &err)) fail_msg("%s", err.message);
    return kind;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static hid_t small_float(size_t place, size_t exponent, size_t mantissa, size_t bias) {
    const hid_t type = need(H5Tcopy(H5T_IEEE_F32LE));
    need(H5Tset_fields(type, 15, place, exponent, 0, mantissa));
    need(H5Tset_size(type, 2));
    need(H5Tset_ebias(type, bias));
    return type;
}

/* Values near the ends of each type, as libhdf5 converts them. */
static void every_number_type_as_libhdf5(void **state) {
    (void)state;
    static const double values[10] = {0,      1,    -1,   3.5,    -127.25,
                                      40000., 1e-6, 5e-8, 65504., -2.147483648e9};
    const hid_t half = small_float(10, 5, 10, 15), bfloat = small_float(7, 8, 7, 127);
    const hid_t types[] = {H5T_STD_I8LE,   H5T_STD_U8BE,   H5T_STD_I16LE,  H5T_STD_I16BE,
                           H5T_STD_U16LE,  H5T_STD_I32LE,  H5T_STD_U32BE,  H5T_STD_I64LE,
                           H5T_STD_I64BE,  H5T_STD_U64LE,  H5T_IEEE_F32LE, H5T_IEEE_F32BE,
                           H5T_IEEE_F64LE, H5T_IEEE_F64BE, half,           bfloat};
    enum { TYPES = sizeof types / sizeof *types };
    const hsize_t lengths[1] = {10};
    float truth[TYPES][10];
    char name[16];
    const hid_t file = begin(OLD);
    for (int i = 0; i < TYPES; i++) {
        snprintf(name, sizeof name, "t%d", i);
        const hid_t id =
            put_array(file, name, types[i], 1, lengths, H5P_DEFAULT, values, H5T_NATIVE_DOUBLE);
        need(H5Dread(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, truth[i]));
        H5Dclose(id);
    }
    made m = end(file);
    ani_hdf5 *ours = opened(&m);
    for (int i = 0; i < TYPES; i++) {
        int64_t count;
        snprintf(name, sizeof name, "t%d", i);
        float *data = read_array(ours, name, &count);
        assert_int_equal(count, 10);
        for (int k = 0; k < 10; k++)
            if (memcmp(&data[k], &truth[i][k], sizeof data[k]) != 0)
                fail_msg("type %d, value %g: %g, libhdf5 has %g", i, values[k], (double)data[k],
                         (double)truth[i][k]);
        free(data);
    }
    close_made(ours, &m);
    H5Tclose(half);
    H5Tclose(bfloat);
}

static void infinities_and_nan_of_halves(void **state) {
    (void)state;
    static const uint16_t bits[4] = {0x7c00, 0xfc00, 0x7e01, 0x8001};
    const hid_t half = small_float(10, 5, 10, 15), file = begin(OLD);
    const hsize_t lengths[1] = {4};
    H5Dclose(put_array(file, "h", half, 1, lengths, H5P_DEFAULT, bits, half));
    made m = end(file);
    ani_hdf5 *ours = opened(&m);
    int64_t count;
    float *data = read_array(ours, "h", &count);
    assert_true(data[0] > 1e38f && data[1] < -1e38f && data[2] != data[2]);
    assert_true(data[3] < 0 && data[3] > -6e-8f);
    free(data);
    close_made(ours, &m);
    H5Tclose(half);
}

/* As Keras 3 writes bfloat16. */
static void opaque_elements_are_bfloat16_if_they_say_so(void **state) {
    (void)state;
    static const uint16_t bits[4] = {0x3f80, 0xc040, 0x7f80, 0x0001}; /* 1, -3, infinity, 2^-133 */
    static const char *const names[] = {"a", "none", "other", "wide"};
    const hsize_t lengths[1] = {4};
    const hid_t file = begin(OLD);
    for (int i = 0; i < 4; i++) {
        const hid_t type = need(H5Tcreate(H5T_OPAQUE, i == 3 ? 4 : 2));
        need(H5Tset_tag(type, ""));
        uint16_t values[8] = {0};
        memcpy(values, bits, sizeof bits);
        const hid_t id = put_array(file, names[i], type, 1, lengths, H5P_DEFAULT, values, type);
        const hid_t text = need(H5Tcopy(H5T_C_S1)), space = need(H5Screate(H5S_SCALAR));
        const char *const dtype = i == 2 ? "float16" : "bfloat16";
        need(H5Tset_size(text, H5T_VARIABLE));
        if (i != 1) {
            const hid_t attribute =
                need(H5Acreate2(id, "dtype", text, space, H5P_DEFAULT, H5P_DEFAULT));
            need(H5Awrite(attribute, text, &dtype));
            H5Aclose(attribute);
        }
        H5Sclose(space);
        H5Tclose(text);
        H5Dclose(id);
        H5Tclose(type);
    }
    made m = end(file);
    ani_hdf5 *ours = opened(&m);
    int64_t count;
    float *data = read_array(ours, "a", &count);
    assert_int_equal(count, 4);
    assert_true(data[0] == 1 && data[1] == -3 && data[2] > 1e38f && data[3] > 0 &&
                data[3] < 1e-38f);
    free(data);
    for (int i = 1; i < 4; i++)
        refuse_array(ours, names[i], AN_ERR_UNSUPPORTED, "dtype 'bfloat16', with 2 bytes");
    close_made(ours, &m);
}

/* --- layouts ---------------------------------------------------------------------------------- */

static hid_t chunks(int rank, const hsize_t *lengths) {
    const hid_t plist = need(H5Pcreate(H5P_DATASET_CREATE));
    need(H5Pset_chunk(plist, rank, lengths));
    return plist;
}

static void chunked_arrays_are_put_together(void **state) {
    (void)state;
    static const struct {
        int rank;
        hsize_t lengths[3], chunk[3];
    } cases[] = {{1, {1000}, {1}},          {1, {10}, {4}},
                 {2, {5, 7}, {2, 3}},       {3, {4, 3, 5}, {3, 2, 2}},
                 {3, {1, 1, 1}, {1, 1, 1}}, {2, {64, 2}, {1, 2}}};
    static float values[1000];
    for (int i = 0; i < 1000; i++)
        values[i] = (float)i + 0.5f;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int64_t count, wanted = 1;
        const hid_t file = begin(OLD), plist = chunks(cases[c].rank, cases[c].chunk);
        H5Dclose(put_array(file, "a", H5T_IEEE_F32BE, cases[c].rank, cases[c].lengths, plist,
                           values, H5T_NATIVE_FLOAT));
        H5Pclose(plist);
        made m = end(file);
        ani_hdf5 *ours = opened(&m);
        float *data = read_array(ours, "a", &count);
        for (int axis = 0; axis < cases[c].rank; axis++)
            wanted *= (int64_t)cases[c].lengths[axis];
        assert_int_equal(count, wanted);
        assert_memory_equal(data, values, (size_t)count * sizeof *data);
        free(data);
        close_made(ours, &m);
    }
}

/* The letters of a case are its filters. */
static void add_filters(hid_t plist, const char *letters) {
    for (; *letters; letters++)
        need(*letters == 's'   ? H5Pset_shuffle(plist)
             : *letters == 'z' ? H5Pset_deflate(plist, 6)
                               : H5Pset_fletcher32(plist));
}

static const char *const filters[] = {"s", "z", "f", "sz", "zs", "fz", "zf", "szf", "fsz"};
enum { FILTERS = sizeof filters / sizeof *filters };

static void filtered_arrays_are_unpacked(void **state) {
    (void)state;
    static const struct {
        int rank;
        hsize_t lengths[3], chunk[3];
    } cases[] = {
        {1, {1000}, {37}}, {1, {3}, {1}}, {2, {64, 15}, {7, 4}}, {3, {4, 3, 5}, {9, 2, 2}}};
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_IEEE_F64BE, H5T_STD_I8LE, H5T_STD_U16BE};
    static float values[1000];
    for (int i = 0; i < 1000; i++)
        values[i] = (float)(i % 117);
    for (int kind = OLD; kind <= MIDDLE; kind += MIDDLE - OLD)
        for (int f = 0; f < FILTERS * 4 * 4; f++) {
            const int c = f / 4 % 4;
            int64_t count, wanted = 1;
            hsize_t most[3];
            for (int axis = 0; axis < cases[c].rank; axis++) {
                wanted *= (int64_t)cases[c].lengths[axis];
                most[axis] = H5S_UNLIMITED; /* so that a chunk may be larger than the array */
            }
            const hid_t file = begin(kind), plist = chunks(cases[c].rank, cases[c].chunk);
            add_filters(plist, filters[f / 16]);
            const hid_t space = need(H5Screate_simple(cases[c].rank, cases[c].lengths, most));
            const hid_t id =
                need(H5Dcreate2(file, "a", types[f % 4], space, H5P_DEFAULT, plist, H5P_DEFAULT));
            need(H5Dwrite(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values));
            H5Sclose(space);
            H5Dclose(id);
            H5Pclose(plist);
            made m = end(file);
            ani_hdf5 *ours = opened(&m);
            float *data = read_array(ours, "a", &count);
            assert_int_equal(count, wanted);
            if (memcmp(data, values, (size_t)count * sizeof *data) != 0)
                fail_msg("filters %s, shape %d, type %d", filters[f / 16], c, f % 4);
            free(data);
            close_made(ours, &m);
        }
}

/* libhdf5 leaves a filter out where it fails or a caller wants so. */
static void chunks_may_leave_filters_out(void **state) {
    (void)state;
    const hsize_t lengths[1] = {8}, chunk[1] = {4}, start[1] = {4};
    const float values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (uint32_t mask = 1; mask <= 3; mask += 2) {
        const hid_t file = begin(OLD), plist = chunks(1, chunk);
        add_filters(plist, "sz");
        const hid_t id =
            put_array(file, "a", H5T_IEEE_F32LE, 1, lengths, plist, values, H5T_NATIVE_FLOAT);
        uint8_t packed[64];
        uLongf size = sizeof packed;
        assert_int_equal(compress(packed, &size, (const Bytef *)(values + 4), 16), Z_OK);
        need(H5Dwrite_chunk(id, H5P_DEFAULT, mask, start, mask == 1 ? size : 16,
                            mask == 1 ? (const void *)packed : values + 4));
        H5Dclose(id);
        H5Pclose(plist);
        made m = end(file);
        ani_hdf5 *ours = opened(&m);
        int64_t count;
        float *data = read_array(ours, "a", &count);
        assert_memory_equal(data, values, sizeof values);
        free(data);
        close_made(ours, &m);
    }
}

/* With a checksum, no flipped bit passes. Without one, those behind the last code of a zlib stream
 * change nothing. */
static void flipped_bits_of_filtered_chunks_are_found(void **state) {
    (void)state;
    const hsize_t lengths[1] = {8}, start[1] = {0};
    int unused = 0;
    for (int f = 1; f <= 2; f++) {
        const hid_t file = begin(OLD), plist = chunks(1, lengths);
        add_filters(plist, filters[f]);
        const hid_t id =
            put_array(file, "a", H5T_IEEE_F64LE, 1, lengths, plist, some, H5T_NATIVE_DOUBLE);
        uint8_t stored[128];
        uint32_t mask;
        hsize_t size;
        need(H5Dget_chunk_storage_size(id, start, &size));
        assert_true(size <= sizeof stored);
        need(H5Dread_chunk(id, H5P_DEFAULT, start, &mask, stored));
        H5Dclose(id);
        H5Pclose(plist);
        made m = end(file);
        int64_t at = 0;
        while (memcmp(m.bytes + at, stored, (size_t)size) != 0)
            at++;
        for (int64_t bit = 0; bit < 8 * (int64_t)size; bit++) {
            m.bytes[at + bit / 8] ^= (uint8_t)(1 << bit % 8);
            ani_hdf5 *ours = opened(&m);
            an_error err = {0};
            float data[8] = {0};
            const an_status st = ani_hdf5_read(ours, "a", data, &err);
            if (st || f == 2)
                expect_failure(st, &err, AN_ERR_FORMAT, "a chunk of array 'a' is damaged");
            else
                unused++;
            for (int i = 0; i < 8 && !st; i++)
                assert_true((double)data[i] == some[i]);
            ani_hdf5_close(ours);
            m.bytes[at + bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free(m.bytes);
    }
    assert_true(unused < 16);
}

/* A megabyte and 200 times the file: for one array, and for all of them. */
static void bombs_are_refused(void **state) {
    (void)state;
    const hsize_t big[1] = {4 << 20}, small[1] = {200 << 10};
    hid_t file = begin(OLD), plist = chunks(1, big);
    need(H5Pset_deflate(plist, 9));
    const hid_t zeros = put_array(file, "a", H5T_IEEE_F32LE, 1, big, plist, NULL, -1);
    float *values = calloc(big[0], sizeof *values);
    assert_non_null(values);
    need(H5Dwrite(zeros, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values));
    H5Dclose(zeros);
    H5Pclose(plist);
    made m = end(file);
    assert_true(m.size < 40000);
    ani_hdf5 *ours = opened(&m);
    refuse_array(ours, "a", AN_ERR_FORMAT, "declares 16777216 bytes");
    close_made(ours, &m);

    file = begin(OLD);
    plist = chunks(1, small);
    need(H5Pset_deflate(plist, 9));
    char name[16];
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "%d", i);
        H5Dclose(put_array(file, name, H5T_IEEE_F32LE, 1, small, plist, values, H5T_NATIVE_FLOAT));
    }
    H5Pclose(plist);
    m = end(file);
    ours = opened(&m);
    an_error err = {0};
    an_status st = AN_OK;
    int read = 0;
    for (; read < 12 && !st; read += !st) {
        snprintf(name, sizeof name, "%d", read);
        st = ani_hdf5_read(ours, name, values, &err);
    }
    expect_failure(st, &err, AN_ERR_FORMAT, "declare over 200 times the file's");
    assert_int_equal(read, ((1 << 20) + 200 * m.size) / (800 << 10));
    close_made(ours, &m);
    free(values);
}

static void other_storage_is_refused(void **state) {
    (void)state;
    const hsize_t lengths[1] = {8};
    hid_t file = begin(OLD), plist = need(H5Pcreate(H5P_DATASET_CREATE));
    need(H5Pset_layout(plist, H5D_COMPACT));
    H5Dclose(
        put_array(file, "compact", H5T_IEEE_F32LE, 1, lengths, plist, some, H5T_NATIVE_DOUBLE));
    H5Pclose(plist);
    plist = chunks(1, lengths);
    need(H5Pset_scaleoffset(plist, H5Z_SO_FLOAT_DSCALE, 2));
    H5Dclose(put_array(file, "scaled", H5T_IEEE_F32LE, 1, lengths, plist, some, H5T_NATIVE_DOUBLE));
    H5Pclose(plist);
    plist = chunks(1, lengths);
    need(H5Pset_shuffle(plist));
    need(H5Pset_nbit(plist));
    H5Dclose(put_array(file, "n-bit", H5T_IEEE_F32LE, 1, lengths, plist, some, H5T_NATIVE_DOUBLE));
    H5Pclose(plist);
    plist = need(H5Pcreate(H5P_DATASET_CREATE));
    need(H5Pset_external(plist, "/etc/passwd", 0, 32));
    H5Dclose(put_array(file, "external", H5T_IEEE_F32LE, 1, lengths, plist, NULL, -1));
    H5Pclose(plist);
    H5Dclose(put_array(file, "never written", H5T_IEEE_F32LE, 1, lengths, H5P_DEFAULT, NULL, -1));
    plist = chunks(1, lengths);
    H5Dclose(put_array(file, "no chunks", H5T_IEEE_F32LE, 1, lengths, plist, NULL, -1));
    H5Pclose(plist);
    const hid_t text = need(H5Tcopy(H5T_C_S1));
    H5Dclose(put_array(file, "text", text, 1, lengths, H5P_DEFAULT, "abcdefgh", text));
    H5Tclose(text);
    const hsize_t many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    H5Dclose(
        put_array(file, "axes", H5T_IEEE_F32LE, 9, many, H5P_DEFAULT, some, H5T_NATIVE_DOUBLE));
    made m = end(file);
    ani_hdf5 *ours = opened(&m);
    refuse_array(ours, "compact", AN_ERR_UNSUPPORTED, "in its header");
    refuse_array(ours, "scaled", AN_ERR_UNSUPPORTED, "filter 6 (scale-offset)");
    refuse_array(ours, "n-bit", AN_ERR_UNSUPPORTED, "filter 5 (n-bit)");
    refuse_array(ours, "external", AN_ERR_UNSUPPORTED, "other files");
    refuse_array(ours, "never written", AN_ERR_FORMAT, "not in the file");
    refuse_array(ours, "no chunks", AN_ERR_FORMAT, "chunks");
    refuse_array(ours, "text", AN_ERR_UNSUPPORTED, "not an array of plain numbers");
    refuse_array(ours, "axes", AN_ERR_FORMAT, "over 8 axes");
    refuse_array(ours, "absent", AN_ERR_FORMAT, "no array 'absent'");
    refuse_array(ours, "", AN_ERR_FORMAT, "no array");
    close_made(ours, &m);

    file = begin(NEW);
    plist = chunks(1, lengths);
    H5Dclose(
        put_array(file, "new chunks", H5T_IEEE_F32LE, 1, lengths, plist, some, H5T_NATIVE_DOUBLE));
    H5Pclose(plist);
    const hid_t space = need(H5Screate_simple(1, lengths, NULL));
    plist = need(H5Pcreate(H5P_DATASET_CREATE));
    need(H5Pset_virtual(plist, space, "/etc/passwd", "x", space));
    H5Dclose(put_array(file, "virtual", H5T_IEEE_F32LE, 1, lengths, plist, NULL, -1));
    H5Pclose(plist);
    H5Sclose(space);
    m = end(file);
    ours = opened(&m);
    refuse_array(ours, "new chunks", AN_ERR_UNSUPPORTED, "newer chunk format");
    refuse_array(ours, "virtual", AN_ERR_UNSUPPORTED, "other files");
    close_made(ours, &m);
}

static void arrays_do_not_share_bytes(void **state) {
    (void)state;
    const hsize_t lengths[1] = {8};
    const hid_t file = begin(OLD);
    H5Dclose(
        put_array(file, "a", H5T_IEEE_F64LE, 1, lengths, H5P_DEFAULT, some, H5T_NATIVE_DOUBLE));
    made m = end(file);
    ani_hdf5 *ours = opened(&m);
    an_error err;
    an_status st = AN_OK;
    for (int64_t read = 0; !st && read <= m.size; read += 64) {
        float data[8];
        st = ani_hdf5_read(ours, "a", data, &err);
    }
    expect_failure(st, &err, AN_ERR_FORMAT, "more bytes than the file's");
    close_made(ours, &m);
}

static void scalars_and_empty_arrays(void **state) {
    (void)state;
    const hsize_t none[2] = {3, 0};
    const hid_t file = begin(NEW);
    H5Dclose(put_array(file, "scalar", H5T_IEEE_F32LE, 0, NULL, H5P_DEFAULT, &some[3],
                       H5T_NATIVE_DOUBLE));
    H5Dclose(put_array(file, "empty", H5T_IEEE_F32LE, 2, none, H5P_DEFAULT, NULL, -1));
    made m = end(file);
    ani_hdf5 *ours = opened(&m);
    int64_t count;
    float *data = read_array(ours, "scalar", &count);
    assert_int_equal(count, 1);
    assert_true(data[0] > 3.4f && data[0] < 3.6f);
    free(data);
    free(read_array(ours, "empty", &count));
    assert_int_equal(count, 0);
    close_made(ours, &m);
}

/* --- groups ----------------------------------------------------------------------------------- */

static void groups_of_any_size_are_listed(void **state) {
    (void)state;
    for (int count = 0; count <= 3000; count = count ? 10 * count : 3) {
        const hid_t file = begin(OLD), outer = need(H5Gcreate2(file, "outer", 0, 0, 0));
        char name[32];
        for (int i = 0; i < count; i++) {
            snprintf(name, sizeof name, "member %d", i * 7 % count);
            H5Gclose(need(H5Gcreate2(outer, name, 0, 0, 0)));
        }
        H5Gclose(outer);
        made m = end(file);
        ani_hdf5 *ours = opened(&m);
        ani_names names = {0};
        an_error err;
        if (ani_hdf5_list(ours, "/outer/", &names, &err)) fail_msg("%s", err.message);
        assert_int_equal(names.count, count);
        for (int64_t i = 1; i < names.count; i++)
            assert_true(strcmp(names.items[i - 1], names.items[i]) < 0);
        ani_names_clear(&names);
        if (count) assert_int_equal(kind_of(ours, "outer/member 2"), ANI_HDF5_GROUP);
        assert_int_equal(kind_of(ours, "outer/member"), ANI_HDF5_NOTHING);
        assert_int_equal(kind_of(ours, "outer/member 2/x"), ANI_HDF5_NOTHING);
        close_made(ours, &m);
    }
}

static void groups_of_new_style(void **state) {
    (void)state;
    hid_t file = begin(NEW);
    H5Gclose(need(H5Gcreate2(file, "b", 0, 0, 0)));
    H5Gclose(need(H5Gcreate2(file, "a", 0, 0, 0)));
    made m = end(file);
    ani_hdf5 *ours = opened(&m);
    ani_names names = {0};
    an_error err;
    if (ani_hdf5_list(ours, "", &names, &err)) fail_msg("%s", err.message);
    assert_int_equal(names.count, 2);
    assert_string_equal(names.items[0], "a");
    ani_names_clear(&names);
    /* a bit of a header with a checksum never passes */
    for (int64_t i = 0; i < m.size; i++) {
        if (i + 4 > m.size || memcmp(m.bytes + i, "OHDR", 4) != 0) continue;
        for (int64_t bit = 32; bit < 8 * 20; bit++) {
            ani_hdf5_kind kind;
            ani_hdf5 *file_2 = NULL;
            m.bytes[i + bit / 8] ^= (uint8_t)(1 << bit % 8);
            an_status st = ani_hdf5_open(&file_2, m.bytes, m.size, "test.h5", &err);
            for (int k = 0; k < 2 && !st; k++)
                st = ani_hdf5_look(file_2, k ? "a/x" : "b/x", &kind, &err);
            assert_true(st == AN_ERR_FORMAT);
            ani_hdf5_close(file_2);
            m.bytes[i + bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    close_made(ours, &m);

    file = begin(NEW);
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        H5Gclose(need(H5Gcreate2(file, name, 0, 0, 0)));
    }
    m = end(file);
    ours = opened(&m);
    expect_failure(ani_hdf5_list(ours, "", &names, &err), &err, AN_ERR_UNSUPPORTED, "fractal heap");
    ani_names_clear(&names);
    close_made(ours, &m);
}

static void links_that_lead_elsewhere(void **state) {
    (void)state;
    for (style kind = OLD; kind <= NEW; kind++) {
        const hid_t file = begin(kind);
        H5Gclose(need(H5Gcreate2(file, "real", 0, 0, 0)));
        need(H5Lcreate_soft("/real", file, "soft", H5P_DEFAULT, H5P_DEFAULT));
        need(H5Lcreate_external("/etc/passwd", "/", file, "external", H5P_DEFAULT, H5P_DEFAULT));
        need(H5Lcreate_hard(file, "/", file, "real/ring", H5P_DEFAULT, H5P_DEFAULT));
        made m = end(file);
        ani_hdf5 *ours = opened(&m);
        ani_hdf5_kind found;
        an_error err;
        char path[2100] = "";
        expect_failure(ani_hdf5_look(ours, "soft/x", &found, &err), &err, AN_ERR_FORMAT,
                       "a soft link");
        expect_failure(ani_hdf5_look(ours, "external", &found, &err), &err, AN_ERR_FORMAT,
                       "an external link");
        assert_int_equal(kind_of(ours, "real/ring/real/ring/real"), ANI_HDF5_GROUP);
        memset(path, 'x', 1024);
        expect_failure(ani_hdf5_look(ours, path, &found, &err), &err, AN_ERR_FORMAT, "1024 bytes");
        /* whoever goes round for ever is stopped */
        an_status st = AN_OK;
        for (int i = 0; i < 10000000 && !st; i++)
            st = ani_hdf5_look(ours, "real/ring/real/ring/real/ring/real/ring", &found, &err);
        expect_failure(st, &err, AN_ERR_UNSUPPORTED, "work limit");
        close_made(ours, &m);
    }
}

/* --- attributes ------------------------------------------------------------------------------- */

static void put_texts(hid_t object, const char *name, H5T_str_t pad, size_t size,
                      const void *values, int rank, const hsize_t *lengths) {
    const hid_t type = need(H5Tcopy(H5T_C_S1));
    const hid_t space = need(rank < 0   ? H5Screate(H5S_NULL)
                             : rank > 0 ? H5Screate_simple(rank, lengths, NULL)
                                        : H5Screate(H5S_SCALAR));
    need(H5Tset_size(type, size ? size : H5T_VARIABLE));
    need(H5Tset_strpad(type, pad));
    const hid_t id = need(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
    if (values) need(H5Awrite(id, type, values));
    H5Aclose(id);
    H5Sclose(space);
    H5Tclose(type);
}

static void expect_texts(ani_hdf5 *file, const char *name, int64_t count, const char *const *want) {
    ani_names texts = {0};
    an_error err;
    bool found;
    if (ani_hdf5_texts(file, "", name, &texts, &found, &err)) fail_msg("%s", err.message);
    assert_true(found);
    assert_int_equal(texts.count, count);
    for (int64_t i = 0; i < count; i++)
        assert_string_equal(texts.items[i], want[i]);
    ani_names_clear(&texts);
}

static void texts_of_every_kind(void **state) {
    (void)state;
    static const char *const plain[] = {"one", "", "b\xC3\xA4r, a longer text than the others"};
    static const char *const short_ones[] = {"ab", "cdef", "g"};
    const hsize_t three[1] = {3}, none[1] = {0}, square[2] = {2, 2};
    for (style kind = OLD; kind <= NEW; kind++) {
        const hid_t file = begin(kind);
        put_texts(file, "variable", H5T_STR_NULLTERM, 0, plain, 1, three);
        put_texts(file, "single", H5T_STR_NULLTERM, 0, &plain[2], 0, NULL);
        put_texts(file, "terminated", H5T_STR_NULLTERM, 5, "ab\0\0\0cdef\0g\0\0\0\0", 1, three);
        put_texts(file, "blanks", H5T_STR_SPACEPAD, 4, "ab  cdefg   ", 1, three);
        put_texts(file, "full", H5T_STR_NULLPAD, 4, "ab\0\0cdefg\0\0\0", 1, three);
        put_texts(file, "null", H5T_STR_NULLTERM, 4, NULL, -1, NULL);
        made m = end(file);
        ani_hdf5 *ours = opened(&m);
        expect_texts(ours, "variable", 3, plain);
        expect_texts(ours, "single", 1, &plain[2]);
        expect_texts(ours, "terminated", 3, short_ones);
        expect_texts(ours, "blanks", 3, short_ones);
        expect_texts(ours, "full", 3, short_ones);
        expect_texts(ours, "null", 0, NULL);
        ani_names texts = {0};
        an_error err;
        bool found;
        assert_int_equal(ani_hdf5_texts(ours, "", "absent", &texts, &found, &err), AN_OK);
        assert_false(found);
        assert_int_equal(ani_hdf5_texts(ours, "nowhere", "single", &texts, &found, &err), AN_OK);
        assert_false(found);
        close_made(ours, &m);
    }
    /* what is no list of texts */
    const hid_t file = begin(OLD);
    const hid_t space = need(H5Screate_simple(1, none, NULL)), full = need(H5Screate(H5S_SCALAR));
    H5Aclose(need(H5Acreate2(file, "empty", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT)));
    H5Aclose(need(H5Acreate2(file, "number", H5T_IEEE_F64LE, full, H5P_DEFAULT, H5P_DEFAULT)));
    put_texts(file, "square", H5T_STR_NULLPAD, 1, "abcd", 2, square);
    put_texts(file, "latin", H5T_STR_NULLPAD, 4, "b\xE4r", 0, NULL);
    H5Sclose(space);
    H5Sclose(full);
    made m = end(file);
    ani_hdf5 *ours = opened(&m);
    ani_names texts = {0};
    an_error err;
    bool found;
    expect_texts(ours, "empty", 0, NULL);
    expect_failure(ani_hdf5_texts(ours, "", "number", &texts, &found, &err), &err, AN_ERR_FORMAT,
                   "neither a string nor a list");
    expect_failure(ani_hdf5_texts(ours, "", "square", &texts, &found, &err), &err, AN_ERR_FORMAT,
                   "neither a string nor a list");
    expect_failure(ani_hdf5_texts(ours, "", "latin", &texts, &found, &err), &err, AN_ERR_FORMAT,
                   "not UTF-8");
    ani_names_clear(&texts);
    close_made(ours, &m);
}

static void many_attributes(void **state) {
    (void)state;
    static const char *const want[] = {"7"};
    for (style kind = OLD; kind <= NEW; kind++) {
        const hid_t file = begin(kind);
        for (int i = 0; i < 60; i++) { /* the header goes on in other places */
            char name[24], text[16];
            snprintf(name, sizeof name, "number %d", i);
            snprintf(text, sizeof text, "%d", i);
            put_texts(file, name, H5T_STR_NULLPAD, 4, text, 0, NULL);
            if (i % 10 == 0) H5Gclose(need(H5Gcreate2(file, name, 0, 0, 0)));
        }
        made m = end(file);
        ani_hdf5 *ours = opened(&m);
        if (kind == OLD) {
            expect_texts(ours, "number 7", 1, want);
        } else {
            ani_names texts = {0};
            an_error err;
            bool found;
            expect_failure(ani_hdf5_texts(ours, "", "number 7", &texts, &found, &err), &err,
                           AN_ERR_UNSUPPORTED, "fractal heap");
        }
        close_made(ours, &m);
    }
}

/* --- files ------------------------------------------------------------------------------------ */

static void other_files_are_refused(void **state) {
    (void)state;
    const hid_t narrow = need(H5Pcreate(H5P_FILE_CREATE)), block = need(H5Pcreate(H5P_FILE_CREATE));
    const hid_t wide = need(H5Pcreate(H5P_FILE_CREATE));
    ani_hdf5 *file;
    an_error err;
    need(H5Pset_sizes(narrow, 4, 4));
    need(H5Pset_userblock(block, 512));
    need(H5Pset_istore_k(wide, 64)); /* superblock 1 */
    made m = end(begin_with(OLD, narrow));
    expect_failure(ani_hdf5_open(&file, m.bytes, m.size, "n.h5", &err), &err, AN_ERR_UNSUPPORTED,
                   "addresses of 4");
    free(m.bytes);
    m = end(begin_with(OLD, block));
    expect_failure(ani_hdf5_open(&file, m.bytes, m.size, "b.h5", &err), &err, AN_ERR_FORMAT,
                   "is not an HDF5 file");
    free(m.bytes);
    m = end(begin_with(OLD, wide));
    assert_int_equal(m.bytes[8], 1);
    ani_hdf5 *ours = opened(&m);
    assert_int_equal(kind_of(ours, ""), ANI_HDF5_GROUP);
    m.bytes[8] = 9;
    expect_failure(ani_hdf5_open(&file, m.bytes, m.size, "v.h5", &err), &err, AN_ERR_UNSUPPORTED,
                   "version 9");
    close_made(ours, &m);
    H5Pclose(narrow);
    H5Pclose(block);
    H5Pclose(wide);
}

/* Cut at every place: refused when it is opened. */
static void cut_files_are_refused(void **state) {
    (void)state;
    for (style kind = OLD; kind <= NEW; kind++) {
        const hsize_t lengths[1] = {8};
        const hid_t id = begin(kind);
        H5Dclose(
            put_array(id, "a", H5T_IEEE_F64LE, 1, lengths, H5P_DEFAULT, some, H5T_NATIVE_DOUBLE));
        made m = end(id);
        for (int64_t size = 0; size < m.size; size++) {
            an_error err;
            ani_hdf5 *file = NULL;
            uint8_t *cut = malloc((size_t)size + 1); /* its own block, so that a sanitizer sees */
            assert_non_null(cut);
            memcpy(cut, m.bytes, (size_t)size);
            const an_status st = ani_hdf5_open(&file, cut, size, "cut.h5", &err);
            assert_true(st == AN_ERR_FORMAT);
            assert_null(file);
            free(cut);
        }
        free(m.bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_type_as_libhdf5),
        cmocka_unit_test(infinities_and_nan_of_halves),
        cmocka_unit_test(opaque_elements_are_bfloat16_if_they_say_so),
        cmocka_unit_test(chunked_arrays_are_put_together),
        cmocka_unit_test(filtered_arrays_are_unpacked),
        cmocka_unit_test(chunks_may_leave_filters_out),
        cmocka_unit_test(flipped_bits_of_filtered_chunks_are_found),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(other_storage_is_refused),
        cmocka_unit_test(arrays_do_not_share_bytes),
        cmocka_unit_test(scalars_and_empty_arrays),
        cmocka_unit_test(groups_of_any_size_are_listed),
        cmocka_unit_test(groups_of_new_style),
        cmocka_unit_test(links_that_lead_elsewhere),
        cmocka_unit_test(texts_of_every_kind),
        cmocka_unit_test(many_attributes),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(cut_files_are_refused),
    };
    return cmocka_run_group_tests_name("hdf5", tests, test_folder_make, test_folder_end);
}
