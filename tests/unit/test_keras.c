/* SPDX-License-Identifier: MIT
 * Keras files of every layout, written here with libhdf5: the names that come out and their order,
 * and what is said of files that are not as they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/io.h>

#include "base/fault.h"
#include "support/archive.h"
#include "support/folder.h"
#include "support/hdf5_write.h"
#include "support/test_folder.h"

static an_error err;
static float next_value; /* arrays are told apart by their only value */

static int set_up(void **state) {
    next_value = 0;
    return test_folder_make(state);
}

static const char *target(void) {
    return folder_path(test_folder, "w.h5");
}

static void expect_message(const char *word) {
    if (!strstr(err.message, word)) fail_msg("'%s' is not in '%s'", word, err.message);
}

/* --- writing ---------------------------------------------------------------------------------- */

static hid_t create_file(void) {
    const hid_t file = H5Fcreate(target(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

/* Write an array of one value, 1, 2, 3, ... in the order of the calls, with the groups on its way.
 */
static void put_array(hid_t at, const char *path, int rank) {
    static const hsize_t lengths[4] = {1, 1, 1, 1};
    next_value += 1;
    hdf5_put_array(at, path, rank, lengths, &next_value);
}

/* Write a list of names: of fixed size, or of any size; an empty one as Keras does, of float64. */
static void put_names(hid_t at, const char *attribute, bool is_fixed, const char *const *names) {
    char bytes[16][64] = {{0}};
    hsize_t count = 0;
    while (names[count]) {
        snprintf(bytes[count], sizeof bytes[0], "%s", names[count]);
        count++;
    }
    const hid_t type = H5Tcopy(count ? H5T_C_S1 : H5T_NATIVE_DOUBLE);
    if (count) H5Tset_size(type, is_fixed ? sizeof bytes[0] : H5T_VARIABLE);
    if (count && is_fixed) H5Tset_strpad(type, H5T_STR_NULLPAD);
    const hid_t space = H5Screate_simple(1, &count, NULL);
    hdf5_put_attribute(at, attribute, type, space,
                       !count     ? NULL
                       : is_fixed ? (const void *)bytes
                                  : names);
}
#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_NAMES ((const char *const[]){NULL})

/* Write a layer's group with its weight_names and an array for each, in their order. */
static void put_layer(hid_t at, const char *layer, bool is_fixed, const char *const *names) {
    const hid_t group = hdf5_put_group(at, layer);
    put_names(group, "weight_names", is_fixed, names);
    for (int i = 0; names[i]; i++)
        put_array(group, names[i], strstr(names[i], "kernel") ? 4 : 1);
    H5Gclose(group);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The file gives these arrays, "NAME=VALUE", in this order. */
static void expect_list(const char *layout, const char *const *wanted) {
    an_arrays *list;
    int64_t count = 0;
    if (an_arrays_read(&list, target(), &err)) fail_msg("%s", err.message);
    assert_string_equal(an_arrays_metadata(list, "layout"), layout);
    for (; wanted[count]; count++) {
        char got[256];
        snprintf(got, sizeof got, "%s=%g", an_arrays_name(list, count),
                 count < an_arrays_count(list) ? (double)an_arrays_data(list, count)[0] : -1.0);
        assert_string_equal(got, wanted[count]);
    }
    assert_int_equal(an_arrays_count(list), count);
    an_arrays_destroy(list);
}

static void expect_refused(an_status status, const char *message) {
    an_arrays *list;
    const an_status st = an_arrays_read(&list, target(), &err);
    if (st != status)
        fail_msg("status %d instead of %d: %s", st, status, st ? err.message : "read");
    assert_null(list);
    expect_message(message);
}

/* --- legacy layout ---------------------------------------------------------------------------- */

/* A flat file: the names of its layer list, whatever the groups within are called; layers without
 * weights are left out; both kinds of texts. */
static void flat_weight_files(void **state) {
    (void)state;
    for (int is_fixed = 0; is_fixed < 2; is_fixed++) {
        const hid_t file = create_file();
        next_value = 0;
        put_names(file, "layer_names", is_fixed,
                  NAMES("input", "z_conv", "bn", "a_depthwise", "Logits"));
        put_layer(file, "input", is_fixed, NO_NAMES);
        put_layer(file, "z_conv", is_fixed, NAMES("z_conv_1/kernel:0"));
        put_layer(
            file, "bn", is_fixed,
            NAMES("bn_1/gamma:0", "bn_1/beta:0", "bn_1/moving_mean:0", "bn_1/moving_variance:0"));
        put_layer(file, "a_depthwise", is_fixed, NAMES("a_depthwise/depthwise_kernel:0"));
        put_layer(file, "Logits", is_fixed, NAMES("Logits/kernel:0", "Logits/bias:0"));
        H5Fclose(file);
        expect_list("keras-weights",
                    NAMES("z_conv/kernel=1", "bn/gamma=2", "bn/beta=3", "bn/moving_mean=4",
                          "bn/moving_variance=5", "a_depthwise/depthwise_kernel=6",
                          "Logits/kernel=7", "Logits/bias=8"));
    }
}

static const char nested_config[] =
    "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"net\",\"layers\":["
    "{\"class_name\":\"Functional\",\"config\":{\"name\":\"base\",\"layers\":["
    "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"c\"}},"
    "{\"class_name\":\"DepthwiseConv2D\",\"config\":{\"name\":\"d\"}},"
    "{\"class_name\":\"BatchNormalization\",\"config\":{\"name\":\"b\"}},"
    "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"depthwise_not\"}}]}},"
    "{\"class_name\":\"Dense\",\"config\":{\"name\":\"dense\",\"units\":1}}]}}";

/* A full model: the nested base in the order of its config, although a half-frozen one is saved
 * with the trainable arrays first; the prefix of the head, and Keras 3's name of a depthwise
 * kernel, go. */
static void full_models(void **state) {
    (void)state;
    const hid_t file = create_file();
    hdf5_put_text(file, "model_config", nested_config);
    hdf5_put_text(file, "keras_version", "3.12.1");
    const hid_t root = hdf5_put_group(file, "model_weights");
    put_names(root, "layer_names", false, NAMES("base", "dense"));
    put_layer(root, "base", false,
              NAMES("depthwise_not/kernel", "b/gamma", "b/beta", "d/kernel", "c/kernel",
                    "b/moving_mean", "b/moving_variance"));
    put_layer(root, "dense", false, NAMES("net/dense/bias", "net/dense/kernel"));
    H5Gclose(root);
    put_array(file, "optimizer_weights/Adam/m", 1);
    H5Fclose(file);
    expect_list("keras-model", NAMES("c/kernel=5", "d/depthwise_kernel=4", "b/gamma=2", "b/beta=3",
                                     "b/moving_mean=6", "b/moving_variance=7",
                                     "depthwise_not/kernel=1", "dense/kernel=9", "dense/bias=8"));
}

/* Without a config: layers as the file first names them, each layer's arrays together. */
static void nested_without_config(void **state) {
    (void)state;
    const hid_t file = create_file();
    put_names(file, "layer_names", true, NAMES("base", "dense_1"));
    put_layer(file, "base", true,
              NAMES("x_depthwise/kernel:0", "y/gamma:0", "y/beta:0", "a/kernel:0",
                    "y/moving_mean:0", "y/moving_variance:0"));
    put_layer(file, "dense_1", true, NAMES("dense_1/kernel:0", "dense_1/bias:0"));
    H5Fclose(file);
    expect_list("keras-weights",
                NAMES("x_depthwise/depthwise_kernel=1", "y/gamma=2", "y/beta=3", "y/moving_mean=5",
                      "y/moving_variance=6", "a/kernel=4", "dense_1/kernel=7", "dense_1/bias=8"));
}

/* Long lists are cut into NAME0, NAME1, ... */
static void lists_in_parts(void **state) {
    (void)state;
    const hid_t file = create_file();
    put_names(file, "layer_names0", true, NAMES("one"));
    put_names(file, "layer_names1", true, NAMES("two"));
    put_layer(file, "one", true, NAMES("one/kernel:0"));
    const hid_t two = hdf5_put_group(file, "two");
    put_names(two, "weight_names0", true, NAMES("two/kernel:0"));
    put_names(two, "weight_names1", true, NAMES("two/bias:0"));
    put_array(two, "two/kernel:0", 2);
    put_array(two, "two/bias:0", 1);
    H5Gclose(two);
    H5Fclose(file);
    expect_list("keras-weights", NAMES("one/kernel=1", "two/kernel=2", "two/bias=3"));
}

/* --- Keras 3 weights -------------------------------------------------------------------------- */

static void put_vars(hid_t file, const char *path, const char *name, int count) {
    const hid_t group = hdf5_put_group(file, path);
    char index[16];
    if (name) hdf5_put_text(group, "name", name);
    for (int i = 0; i < count; i++) {
        snprintf(index, sizeof index, "%d", i);
        put_array(group, index, 1);
    }
    H5Gclose(group);
}

static void numbered_groups(void **state) {
    (void)state;
    for (int is_named = 0; is_named < 2; is_named++) {
        const hid_t file = create_file();
        next_value = 0;
        put_vars(file, "layers/dense/vars", is_named ? "top" : NULL, 2);
        put_vars(file, "layers/base/layers/conv2d_10/vars", is_named ? "k" : NULL, 1);
        put_vars(file, "layers/base/layers/conv2d_2/vars", is_named ? "c" : NULL, 1);
        put_vars(file, "layers/base/layers/conv2d/vars", is_named ? "a" : NULL, 1);
        put_vars(file, "layers/base/layers/batch_normalization_1/vars", is_named ? "n" : NULL, 4);
        put_vars(file, "layers/base/layers/depthwise_conv2d/vars", is_named ? "d" : NULL, 1);
        put_vars(file, "layers/base/layers/re_lu/vars", is_named ? "r" : NULL, 0);
        put_vars(file, "optimizer/vars", NULL, 3);
        H5Fclose(file);
        /* classes by name, layers of a class by number, the head last */
        if (is_named)
            expect_list("keras3-weights",
                        NAMES("n/gamma=6", "n/beta=7", "n/moving_mean=8", "n/moving_variance=9",
                              "a/kernel=5", "c/kernel=4", "k/kernel=3", "d/depthwise_kernel=10",
                              "top/kernel=1", "top/bias=2"));
        else
            expect_list("keras3-weights",
                        NAMES("batch_normalization_1/gamma=6", "batch_normalization_1/beta=7",
                              "batch_normalization_1/moving_mean=8",
                              "batch_normalization_1/moving_variance=9", "conv2d/kernel=5",
                              "conv2d_2/kernel=4", "conv2d_10/kernel=3",
                              "depthwise_conv2d/depthwise_kernel=10", "dense/kernel=1",
                              "dense/bias=2"));
        an_arrays *list;
        assert_int_equal(an_arrays_read(&list, target(), &err), AN_OK);
        const char *names = an_arrays_metadata(list, "layer_names");
        assert_string_equal(an_arrays_metadata(list, "layer_classes"),
                            "base 1\ndense 1\nbatch_normalization 1\nconv2d 3\ndepthwise_conv2d "
                            "1\nre_lu 1\n");
        if (is_named)
            assert_null(names);
        else
            assert_string_equal(names, "counted");
        an_arrays_destroy(list);
    }
}

/* Hard links may form a ring: the walk ends all the same. */
static void rings_of_groups(void **state) {
    (void)state;
    const hid_t file = create_file();
    const hid_t layers = hdf5_put_group(file, "layers");
    const hid_t inner = hdf5_put_group(layers, "x");
    assert_true(H5Lcreate_hard(layers, ".", inner, "layers", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Gclose(inner);
    H5Gclose(layers);
    H5Fclose(file);
    expect_refused(AN_ERR_UNSUPPORTED, "nests groups over 16 deep");
}

/* Groups whose names are no class and number, and layers with another number of arrays than their
 * class has: each array keeps its number as a name. */
static void odd_numbered_groups(void **state) {
    (void)state;
    const hid_t file = create_file();
    put_vars(file, "layers/_7/vars", NULL, 1);
    put_vars(file, "layers/batch_normalization/vars", NULL, 3);
    put_vars(file, "layers/conv2d/vars", "", 1);
    put_vars(file, "layers/conv2d_/vars", NULL, 1);
    put_vars(file, "layers/conv2d_1234567/vars", NULL, 1);
    put_vars(file, "layers/conv2d_1x/vars", NULL, 1);
    put_vars(file, "layers/conv2dx/vars", NULL, 1);
    put_vars(file, "layers/dense/vars", NULL, 3);
    put_vars(file, "layers/normalization/vars", NULL, 3);
    H5Fclose(file);
    expect_list("keras3-weights",
                NAMES("_7/0=1", "batch_normalization/0=2", "batch_normalization/1=3",
                      "batch_normalization/2=4", "conv2d/kernel=5", "conv2d_/kernel=6",
                      "conv2d_1234567/0=7", "conv2d_1x/0=8", "conv2dx/0=9", "dense/0=10",
                      "dense/1=11", "dense/2=12", "normalization/mean=13",
                      "normalization/variance=14", "normalization/count=15"));
}

/* Variables of no known name come behind the known ones, in the order of the file. */
static void unknown_variables(void **state) {
    (void)state;
    const hid_t file = create_file();
    put_names(file, "layer_names", true, NAMES("a", "b"));
    put_layer(file, "a", true, NAMES("a/z", "a/y", "a/bias:0", "a/x", "a/w", "a/v"));
    put_layer(file, "b", true, NAMES("depthwise/kernel", "q"));
    H5Fclose(file);
    expect_list("keras-weights", NAMES("a/bias=3", "a/z=1", "a/y=2", "a/x=4", "a/w=5", "a/v=6",
                                       "depthwise/depthwise_kernel=7", "b/q=8"));
}

/* --- archives --------------------------------------------------------------------------------- */

/* Pack the target as a .keras file with these members beside it; size 0: a text. */
static void pack(const char *config, int64_t config_size, const char *metadata) {
    int64_t size;
    uint8_t *weights = folder_read(target(), &size);
    const struct entry entries[3] = {
        {.name = "model.weights.h5", .data = weights, .data_size = size},
        {.name = "config.json",
         .data = config,
         .data_size = config_size ? config_size : (int64_t)strlen(config)},
        {.name = "metadata.json",
         .data = metadata ? metadata : "",
         .data_size = metadata ? (int64_t)strlen(metadata) : 0}};
    archive_write(&(struct archive){.entries = entries, .count = metadata ? 3 : 2}, target());
    free(weights);
}

/* Groups without names are told by class and number in the config, base and head apart. */
static void archives_with_a_config(void **state) {
    (void)state;
    static const struct {
        const char *metadata, *version;
    } cases[] = {{"{\"keras_version\":\"3.1\"}", "3.1"},
                 {NULL, NULL},
                 {"{\"keras_version\":3}", NULL},
                 {"no JSON", NULL}};
    for (size_t i = 0; i < 4; i++) {
        const hid_t file = create_file();
        next_value = 0;
        put_vars(file, "layers/base/layers/conv2d/vars", NULL, 1);
        put_vars(file, "layers/base/layers/conv2d_1/vars", NULL, 1);
        put_vars(file, "layers/base/layers/depthwise_conv2d/vars", "d", 1);
        put_vars(file, "layers/base/layers/batch_normalization/vars", NULL, 4);
        put_vars(file, "layers/base/layers/lambda/vars", NULL, 1);
        put_vars(file, "layers/dense/vars", NULL, 2);
        H5Fclose(file);
        pack(nested_config, 0, cases[i].metadata);
        expect_list("keras3-archive",
                    NAMES("c/kernel=1", "d/depthwise_kernel=3", "b/gamma=4", "b/beta=5",
                          "b/moving_mean=6", "b/moving_variance=7", "depthwise_not/kernel=2",
                          "lambda/0=8", "dense/kernel=9", "dense/bias=10"));
        an_arrays *list;
        assert_int_equal(an_arrays_read(&list, target(), &err), AN_OK);
        const char *version = an_arrays_metadata(list, "keras_version");
        if (cases[i].version)
            assert_string_equal(version, cases[i].version);
        else
            assert_null(version);
        an_arrays_destroy(list);
    }
    static const struct {
        const char *config;
        int64_t size;
        const char *message;
    } bad[] = {{"{}\0", 3, "config.json is not UTF-8 text"},
               {"{\"\xff\":1}", 0, "config.json is not UTF-8 text"}};
    for (size_t i = 0; i < 2; i++) {
        const hid_t file = create_file();
        put_vars(file, "layers/dense/vars", NULL, 2);
        H5Fclose(file);
        pack(bad[i].config, bad[i].size, NULL);
        expect_refused(AN_ERR_FORMAT, bad[i].message);
    }
    const struct entry only[1] = {{.name = "other.h5", .data = "x", .data_size = 1}};
    archive_write(&(struct archive){.entries = only, .count = 1}, target());
    expect_refused(AN_ERR_FORMAT,
                   "is a zip archive but not a .keras file: it has no 'model.weights.h5'");
    enum { LONG = (4 << 20) + 1 };
    char *spaces = malloc(LONG);
    assert_non_null(spaces);
    memset(spaces, ' ', LONG);
    const hid_t file = create_file();
    put_vars(file, "layers/dense/vars", NULL, 2);
    H5Fclose(file);
    pack(spaces, LONG, NULL);
    expect_refused(AN_ERR_UNSUPPORTED, "'config.json' has 4194305 bytes; at most 4194304 are read");
    free(spaces);
    const struct entry shards[1] = {{.name = "model.weights.json", .data = "{}", .data_size = 2}};
    archive_write(&(struct archive){.entries = shards, .count = 1}, target());
    expect_refused(AN_ERR_UNSUPPORTED, "save it without max_shard_size");
}

/* --- more than any model has ------------------------------------------------------------------ */

static void too_much_of_everything(void **state) {
    (void)state;
    enum { ARRAYS = 20001, CHUNKS = 1001, LEVELS = 16 };
    hid_t file = create_file(), type = H5Tcopy(H5T_C_S1);
    put_names(file, "layer_names", true, NAMES("a"));
    const hid_t group = hdf5_put_group(file, "a");
    const hsize_t count = ARRAYS;
    const hid_t space = H5Screate_simple(1, &count, NULL);
    char *names = malloc(3 * ARRAYS);
    for (int i = 0; i < ARRAYS; i++)
        memcpy(names + 3 * i, "k:0", 3);
    H5Tset_size(type, 3);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    const hid_t id = H5Acreate2(group, "weight_names", type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(id, type, names) >= 0);
    H5Aclose(id);
    H5Gclose(group);
    H5Sclose(space);
    H5Tclose(type);
    H5Fclose(file);
    free(names);
    expect_refused(AN_ERR_UNSUPPORTED, "has over 20000 arrays");

    file = create_file();
    for (int i = 0; i < CHUNKS; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer_names%d", i);
        put_names(file, name, true, NAMES("a"));
    }
    H5Fclose(file);
    expect_refused(AN_ERR_UNSUPPORTED, "the list 'layer_names' has over 1000 parts");

    /* each level has two ways to the next one: 2^16 paths through 16 groups */
    file = create_file();
    hid_t below = hdf5_put_group(file, "end");
    for (int level = 0; level < LEVELS; level++) {
        char name[32];
        snprintf(name, sizeof name, "level %d", level);
        const hid_t here = hdf5_put_group(file, name);
        for (int way = 0; way < 2; way++) {
            const hid_t member = hdf5_put_group(here, way ? "b" : "a");
            assert_true(H5Lcreate_hard(below, ".", member, "layers", H5P_DEFAULT, H5P_DEFAULT) >=
                        0);
            H5Gclose(member);
        }
        H5Gclose(below);
        below = here;
    }
    assert_true(H5Lcreate_hard(below, ".", file, "layers", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Gclose(below);
    H5Fclose(file);
    expect_refused(AN_ERR_UNSUPPORTED, "has over 50000 groups");
}

/* --- files that are refused ------------------------------------------------------------------- */

static void files_that_are_refused(void **state) {
    (void)state;
    hid_t file = create_file();
    put_array(file, "data", 1);
    H5Fclose(file);
    expect_refused(AN_ERR_FORMAT, "is HDF5 but not a Keras file");

    file = create_file();
    put_names(file, "layer_names", true, NAMES("absent"));
    H5Fclose(file);
    expect_refused(AN_ERR_FORMAT, "lists the layer 'absent' but has no such group");

    file = create_file();
    put_names(file, "layer_names", true, NAMES("a"));
    H5Gclose(hdf5_put_group(file, "a"));
    H5Fclose(file);
    expect_refused(AN_ERR_FORMAT, "layer 'a' has no list of weight_names");

    file = create_file();
    put_names(file, "layer_names", true, NAMES("a"));
    const hid_t group = hdf5_put_group(file, "a");
    put_names(group, "weight_names", true, NAMES("a/kernel:0"));
    H5Gclose(group);
    H5Fclose(file);
    expect_refused(AN_ERR_FORMAT, "there is no array 'a/a/kernel:0'");

    file = create_file();
    put_names(file, "layer_names", true, NAMES("a"));
    put_layer(file, "a", true, NO_NAMES);
    H5Fclose(file);
    expect_refused(AN_ERR_FORMAT, "is a Keras file without any weights");

    file = create_file();
    put_names(file, "layer_names", true, NAMES("a", "b"));
    put_layer(file, "a", true, NAMES("x/kernel:0", "y/kernel:0"));
    put_layer(file, "b", true, NAMES("x/kernel:0", "z/kernel:0"));
    H5Fclose(file);
    expect_refused(AN_ERR_FORMAT, "two arrays are named 'x/kernel'");

    folder_write_text(target(), "PK\3\4 no archive");
    an_arrays *list;
    assert_true(an_arrays_read(&list, target(), &err) < 0);
    assert_null(list);
}

/* Links out of the file, or to a place in it that its owner does not name. */
static void links_are_not_followed(void **state) {
    (void)state;
    for (int is_external = 0; is_external < 2; is_external++) {
        const hid_t file = create_file();
        put_names(file, "layer_names", true, NAMES("a"));
        const hid_t group = hdf5_put_group(file, "a");
        put_names(group, "weight_names", true, NAMES("kernel:0"));
        put_array(file, "elsewhere", 1);
        if (is_external)
            H5Lcreate_external("other.h5", "/elsewhere", group, "kernel:0", H5P_DEFAULT,
                               H5P_DEFAULT);
        else
            H5Lcreate_soft("/elsewhere", group, "kernel:0", H5P_DEFAULT, H5P_DEFAULT);
        H5Gclose(group);
        H5Fclose(file);
        expect_refused(AN_ERR_FORMAT, is_external ? "external" : "soft");
    }
}

/* --- faults ----------------------------------------------------------------------------------- */

static void every_call_may_fail(void **state) {
    (void)state;
    static const int kinds[] = {ANI_FAULT_ALLOC, ANI_FAULT_OPEN, ANI_FAULT_READ};
    full_models(state); /* leaves its file */
    for (int k = 0; k < 3; k++) {
        for (int64_t n = 0;; n++) {
            an_arrays *list;
            assert_true(n < 5000);
            ani_fault_arm(kinds[k], n, kinds[k] == ANI_FAULT_ALLOC ? ENOMEM : EIO, false);
            const an_status st = an_arrays_read(&list, target(), &err);
            const bool is_past = ani_fault_calls(kinds[k]) <= n;
            ani_fault_disarm();
            if (is_past) {
                assert_int_equal(st, AN_OK);
                an_arrays_destroy(list);
                break;
            }
            assert_int_equal(st, kinds[k] == ANI_FAULT_ALLOC ? AN_ERR_NOMEM : AN_ERR_IO);
            assert_null(list);
        }
    }
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, test_folder_remove)
    const struct CMUnitTest tests[] = {
        CASE(flat_weight_files),      CASE(full_models),
        CASE(nested_without_config),  CASE(lists_in_parts),
        CASE(numbered_groups),        CASE(rings_of_groups),
        CASE(odd_numbered_groups),    CASE(unknown_variables),
        CASE(archives_with_a_config), CASE(too_much_of_everything),
        CASE(files_that_are_refused), CASE(links_are_not_followed),
        CASE(every_call_may_fail),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
