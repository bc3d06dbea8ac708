/* SPDX-License-Identifier: MIT
 * Inference of a backend against ref (the CPU's, or what AN_TEST_DEVICE names): chains of all kinds
 * of units, the network itself at odd sizes and widths; and the same bits for any number of threads
 * and images. In int8 the bits are those of ref, in bf16 they are near. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

#include "backend/backend.h"
#include "backend/quant.h"
#include "base/memory.h"
#include "base/random.h"
#include "support/backends.h"
#include "support/device_memory.h"
#include "support/level.h"
#include "support/orders.h"

enum { MAX_UNITS = 8, MAX_CHANNELS = 2048, IMAGES = 5 };

static float *floats(int64_t count, ani_stream *random, double low, double high) {
    float *values = ani_alloc((count ? count : 1) * (int64_t)sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)ani_stream_uniform(random, low, high);
    return values;
}

static void expect_near(const char *what, const float *got, const float *want, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - want[i]) <= 1e-4 + 1e-4 * fabs((double)want[i])))
            fail_msg("%s: [%d] is %.9g, ref %.9g", what, (int)i, got[i], want[i]);
}

/* --- chains of units -------------------------------------------------------------------------- */

/** A unit of a chain: F full, P pointwise, D depthwise. */
typedef struct link {
    char kind;
    int8_t stride, pad; /* pad: before; as much as needed after */
    int8_t relu6, residual;
    int16_t cout;
} link;

typedef struct chain {
    const char *what;
    int64_t h, w, c;
    link links[MAX_UNITS + 1];
} chain;

static const chain chains[] = {
    {"the beginning of the network",
     33,
     50,
     3,
     {{'F', 2, 1, 1, -1, 32},
      {'D', 1, 1, 1, -1, 32},
      {'P', 1, 0, 0, -1, 16},
      {'P', 1, 0, 1, -1, 96},
      {'D', 2, 0, 1, -1, 96},
      {'P', 1, 0, 0, -1, 24},
      {'P', 1, 0, 1, -1, 40}}},
    {"a shortcut",
     12,
     13,
     24,
     {{'P', 1, 0, 0, -1, 24},
      {'P', 1, 0, 1, -1, 144},
      {'D', 1, 1, 1, -1, 144},
      {'P', 1, 0, 0, 0, 24},
      {'P', 1, 0, 1, -1, 56}}},
    {"two shortcuts and several groups",
     11,
     11,
     16,
     {{'P', 1, 0, 0, -1, 16},
      {'P', 1, 0, 1, -1, 800},
      {'D', 1, 1, 1, -1, 800},
      {'P', 1, 0, 0, 0, 16},
      {'P', 1, 0, 1, -1, 96},
      {'D', 1, 1, 1, -1, 96},
      {'P', 1, 0, 0, 3, 16},
      {'P', 1, 0, 1, -1, 33}}},
    {"depthwise first and last",
     17,
     9,
     3,
     {{'D', 1, 1, 1, -1, 3}, {'P', 1, 0, 1, -1, 20}, {'D', 2, 1, 0, -1, 20}}},
    {"depthwise alone, with a shortcut",
     9,
     10,
     5,
     {{'D', 1, 1, 0, -1, 5}, {'D', 1, 1, 0, 0, 5}, {'F', 1, 1, 1, -1, 7}}},
    {"full ones in a row",
     14,
     11,
     3,
     {{'F', 1, 1, 1, -1, 9},
      {'F', 2, 2, 0, -1, 10},
      {'F', 1, 1, 0, 1, 10},
      {'F', 1, 0, 1, -1, 19}}},
    {"one pointwise", 6, 7, 3, {{'P', 1, 0, 1, -1, 1}}},
    {"one pixel", 1, 1, 3, {{'F', 2, 1, 1, -1, 8}, {'D', 1, 1, 1, -1, 8}, {'P', 1, 0, 0, -1, 8}}},
    {"a wide image",
     9,
     401,
     3,
     {{'F', 1, 1, 1, -1, 16},
      {'D', 1, 1, 1, -1, 16},
      {'P', 1, 0, 0, -1, 8},
      {'P', 1, 0, 1, -1, 48},
      {'D', 2, 1, 1, -1, 48},
      {'P', 1, 0, 0, -1, 8},
      {'D', 1, 1, 1, -1, 8},
      {'P', 1, 0, 1, -1, 24}}},
    {"a tall image",
     150,
     4,
     3,
     {{'F', 1, 1, 1, -1, 16},
      {'D', 2, 1, 1, -1, 16},
      {'P', 1, 0, 0, -1, 17},
      {'P', 1, 0, 1, -1, 48},
      {'D', 1, 1, 1, -1, 48},
      {'P', 1, 0, 0, 2, 17}}},
};

typedef struct network {
    ani_infer_unit units[MAX_UNITS];
    int32_t count;
    int64_t features, image;
    float *memory[MAX_UNITS][5]; /* w, gamma, beta, moving mean and variance */
    int64_t counts[MAX_UNITS][5];
    ani_range ranges[MAX_UNITS + 1];
    float means[MAX_CHANNELS];
    int32_t kind; /* AN_INFERENCE_* */
} network;

static network make_network(const chain *c) {
    static const struct {
        char kind;
        int32_t number;
    } kinds[] = {{'F', ANI_UNIT_FULL}, {'P', ANI_UNIT_POINTWISE}, {'D', ANI_UNIT_DEPTHWISE}};
    network net = {.image = c->h * c->w * c->c};
    ani_stream r = ani_stream_begin(7, 0, 0);
    int64_t h = c->h, w = c->w, channels = c->c;
    for (; c->links[net.count].kind; net.count++) {
        const link *l = &c->links[net.count];
        ani_infer_unit *unit = &net.units[net.count];
        int32_t kind = 0;
        while (kinds[kind].kind != l->kind)
            kind++;
        const int64_t window = l->kind == 'P' ? 1 : 3, cout = l->cout;
        unit->shape = (ani_unit_shape){
            .kind = kinds[kind].number,
            .stride = l->stride,
            .pad_top = l->pad,
            .pad_left = l->pad,
            .n = 1,
            .h = h,
            .w = w,
            .cin = channels,
            .oh = (h + l->pad + (l->pad ? 1 : window - 1) - window) / l->stride + 1,
            .ow = (w + l->pad + (l->pad ? 1 : window - 1) - window) / l->stride + 1,
            .cout = cout};
        const int64_t weights = window * window * channels * (l->kind == 'D' ? 1 : cout);
        const double size = 2 / sqrt((double)(window * window * (l->kind == 'D' ? 1 : channels)));
        float **m = net.memory[net.count];
        m[0] = floats(weights, &r, -size, size);
        m[1] = floats(cout, &r, 0.5, 1.5);
        m[2] = floats(cout, &r, -0.5, 1);
        m[3] = floats(cout, &r, -0.5, 0.5);
        m[4] = floats(cout, &r, 0.3, 2);
        net.counts[net.count][0] = weights;
        for (int i = 1; i < 5; i++)
            net.counts[net.count][i] = cout;
        unit->relu6 = l->relu6;
        unit->input = net.count - 1;
        unit->residual = l->residual;
        unit->w = m[0];
        unit->bn = (ani_bn){.gamma = m[1],
                            .beta = m[2],
                            .moving_mean = m[3],
                            .moving_variance = m[4],
                            .epsilon = 0.02};
        h = unit->shape.oh;
        w = unit->shape.ow;
        channels = cout;
    }
    net.features = channels;
    for (int32_t i = 0; i < MAX_CHANNELS; i++)
        net.means[i] = (float)(i % 7) * 0.3f - 0.2f;
    net.ranges[0] = (ani_range){-1, 1};
    for (int32_t u = 0; u < net.count; u++)
        net.ranges[u + 1] = net.units[u].relu6 ? (ani_range){0, 6.0f - 0.5f * (float)(u % 3)}
                                               : (ani_range){-4, 4.5f};
    return net;
}

static void free_network(network *net) {
    for (int32_t u = 0; u < net->count; u++)
        for (int32_t i = 0; i < 5; i++)
            ani_free(net->memory[u][i]);
}

/* The units with their arrays in the memory of a backend. */
static void move_units(an_backend *backend, const network *net, ani_infer_unit *units) {
    for (int32_t u = 0; u < net->count; u++) {
        float *m[5];
        for (int i = 0; i < 5; i++)
            m[i] = device_copy(backend, net->memory[u][i], net->counts[u][i] * 4);
        units[u] = net->units[u];
        units[u].w = m[0];
        units[u].bn.gamma = m[1];
        units[u].bn.beta = m[2];
        units[u].bn.moving_mean = m[3];
        units[u].bn.moving_variance = m[4];
    }
}

static void free_units(an_backend *backend, const network *net, const ani_infer_unit *units) {
    for (int32_t u = 0; u < net->count; u++) {
        const ani_bn *bn = &units[u].bn;
        const float *const m[] = {units[u].w, bn->gamma, bn->beta, bn->moving_mean,
                                  bn->moving_variance};
        for (int i = 0; i < 5; i++)
            backend->ops->free(backend, (void *)(uintptr_t)m[i], net->counts[u][i] * 4);
    }
}

static void run_network(const network *net, const char *device, int32_t threads,
                        const ani_infer_input *input, int64_t n, float *features) {
    an_backend *backend = test_backend_make(device, NULL, threads);
    ani_infer *infer = NULL;
    ani_infer_buffers *buffers = NULL;
    ani_infer_unit units[MAX_UNITS];
    an_error err = {0};
    const ani_calibrated calibrated = {net->ranges, net->means};
    const int64_t size = n * net->features * (int64_t)sizeof *features;
    float *out = device_room(backend, size);
    ani_infer_input there = *input;
    move_units(backend, net, units);
    if (backend->ops->infer_create(backend, &infer, units, net->count, net->kind,
                                   net->kind == AN_INFERENCE_INT8 ? &calibrated : NULL, &err))
        fail_msg("%s", err.message);
    if (backend->ops->infer_buffers_create(backend, &buffers, infer, &err))
        fail_msg("%s", err.message);
    backend->ops->infer_pack(backend, infer);
    backend->ops->infer_run(backend, infer, buffers, input, n, out);
    /* with buffers used before, and images in the backend's own memory */
    there.device = 1;
    there.x = device_copy(backend, input->x, n * net->image * 4);
    there.bytes = device_copy(backend, input->bytes, n * net->image);
    backend->ops->infer_run(backend, infer, buffers, &there, n, out);
    device_end(backend, (void *)(uintptr_t)there.x, NULL, n * net->image * 4);
    device_end(backend, (void *)(uintptr_t)there.bytes, NULL, n * net->image);
    device_end(backend, out, features, size);
    backend->ops->infer_buffers_destroy(backend, buffers);
    backend->ops->infer_destroy(backend, infer);
    free_units(backend, net, units);
    an_backend_destroy(backend);
}

/* A sum that falls next to the middle of two bfloat16 may be rounded to the other one, 2^-7 of it
 * away. Few do, and means and later sums make less of it. */
static void expect_near_bf16(const char *what, const float *got, const float *want, int64_t count) {
    float largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(want[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - want[i]) <= ldexpf(largest, -7)))
            fail_msg("%s, bf16: [%d] is %.9g, ref %.9g", what, (int)i, got[i], want[i]);
}

static void check_chain(const chain *c, int32_t kind) {
    network net = make_network(c);
    ani_stream r = ani_stream_begin(9, 0, 0);
    const int64_t size = IMAGES * net.features;
    uint8_t *bytes = ani_alloc(IMAGES * net.image);
    float *x = floats(IMAGES * net.image, &r, 0, 0), *want = floats(size, &r, 0, 0);
    float *got = floats(size, &r, 0, 0), *one = floats(size, &r, 0, 0);
    float tables[768];
    assert_non_null(bytes);
    for (int32_t i = 0; i < 768; i++) /* other values for each channel */
        tables[i] = (float)(i % 256) / (127.5f + (float)(i / 256)) - 1;
    for (int64_t i = 0; i < IMAGES * net.image; i++) {
        bytes[i] = (uint8_t)(ani_stream_uniform(&r, 0, 1) * 255.9);
        x[i] = tables[256 * (i % 3) + bytes[i]];
    }
    const ani_infer_input floats_in = {.x = x};
    const ani_infer_input bytes_in = c->c == 3 ? (ani_infer_input){.bytes = bytes, .tables = tables}
                                               : floats_in; /* bytes are those of images */
    an_error err;
    const ani_calibrated calibrated = {net.ranges, net.means};
    const bool int8 = kind == AN_INFERENCE_INT8;
    net.kind = kind;
    assert_true(ani_quant_mean_count(net.units, net.count) <= MAX_CHANNELS);
    assert_int_equal(ani_quant_check_means(&calibrated, MAX_CHANNELS, &err), AN_OK);
    for (int32_t u = 0; int8 && u < net.count; u++)
        if (ani_quant_check_unit(&net.units[u], u, net.ranges, &err))
            fail_msg("%s: %s", c->what, err.message);
    run_network(&net, "ref", 1, &floats_in, IMAGES, want);
    run_network(&net, "ref", 1, &bytes_in, IMAGES, got);
    assert_memory_equal(got, want, (size_t)size * sizeof *got);
    test_set_order(0);
    run_network(&net, test_device(), 1, &floats_in, IMAGES, one);
    if (kind == AN_INFERENCE_FP32) expect_near(c->what, one, want, size);
    if (kind == AN_INFERENCE_BF16) expect_near_bf16(c->what, one, want, size);
    for (int64_t i = 0; int8 && i < size; i++)
        if (memcmp(&one[i], &want[i], sizeof *one))
            fail_msg("%s, int8: [%d] is %.9g, ref %.9g", c->what, (int)i, one[i], want[i]);
    static const int32_t threads[] = {1, 2, 3, 7};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++)
        for (int64_t n = 1; n <= IMAGES; n++) {
            if (!test_is_chosen((uint32_t)(c - chains) * 1000 + (uint32_t)t * 100 + (uint32_t)n))
                continue;
            memset(got, 0, (size_t)size * sizeof *got);
            test_set_order((int32_t)t);
            run_network(&net, test_device(), threads[t], n % 2 ? &bytes_in : &floats_in, n, got);
            if (memcmp(got, one, (size_t)(n * net.features) * sizeof *got))
                fail_msg("%s: %d threads (order %s) give other bits for %d images", c->what,
                         threads[t], test_order_name((int32_t)t), (int)n);
        }
    ani_free(one);
    ani_free(got);
    ani_free(want);
    ani_free(x);
    ani_free(bytes);
    free_network(&net);
}

static void test_chains(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
        check_chain(&chains[i], AN_INFERENCE_FP32);
}

/* A depthwise convolution that adds a residual itself is in no network of this library. */
static bool adds_itself(const chain *c) {
    for (int32_t u = 0; c->links[u].kind; u++)
        if (c->links[u].kind == 'D' && c->links[u].residual >= 0) return true;
    return false;
}

static void check_chains(int32_t kind) {
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        const bool refused =
            test_device_is_cuda() ? kind == AN_INFERENCE_INT8 : adds_itself(&chains[i]);
        if (!refused) {
            check_chain(&chains[i], kind);
            continue;
        }
        network net = make_network(&chains[i]);
        an_backend *backend = test_backend_make(test_device(), NULL, 1);
        ani_infer *infer = NULL;
        an_error err;
        const ani_calibrated calibrated = {net.ranges, net.means};
        assert_int_equal(backend->ops->infer_create(backend, &infer, net.units, net.count, kind,
                                                    kind == AN_INFERENCE_INT8 ? &calibrated : NULL,
                                                    &err),
                         AN_ERR_UNSUPPORTED);
        assert_null(infer);
        if (test_device_is_cuda()) assert_non_null(strstr(err.message, "int8 inference"));
        an_backend_destroy(backend);
        free_network(&net);
    }
}

static void test_chains_int8(void **state) {
    (void)state;
    check_chains(AN_INFERENCE_INT8);
}

static void test_chains_bf16(void **state) {
    (void)state;
    check_chains(AN_INFERENCE_BF16);
}

/* --- the network ------------------------------------------------------------------------------ */

static void features_of(const char *device, int32_t threads, const an_mobilenetv2_options *options,
                        const float *x, int64_t n, float *features) {
    an_backend *backend = test_backend_make(device, NULL, threads);
    an_model *model = NULL;
    an_error err = {0};
    if (an_mobilenetv2_create(&model, backend, options, &err) ||
        an_model_compute_features(model, x, n, features, &err))
        fail_msg("%s", err.message);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void check_size(int32_t height, int32_t width, double alpha, int32_t padding, int64_t n) {
    char what[80];
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = height;
    options.width = width;
    options.alpha = alpha;
    options.padding = padding;
    const int64_t channels = alpha > 1 ? (int64_t)(1280 * alpha) : 1280;
    ani_stream r = ani_stream_begin(3, 0, 0);
    float *x = floats(n * height * width * 3, &r, -1, 1), *want = floats(n * channels, &r, 0, 0);
    float *got = floats(n * channels, &r, 0, 0), *again = floats(n * channels, &r, 0, 0);
    snprintf(what, sizeof what, "%dx%d, alpha %g, padding %d", height, width, alpha, padding);
    features_of("ref", 1, &options, x, n, want);
    test_set_order(0);
    features_of(test_device(), 1, &options, x, n, got);
    expect_near(what, got, want, n * channels);
    for (int32_t threads = 2; threads <= 7; threads += threads == 2 ? 1 : 4) {
        test_set_order(threads % TEST_ORDERS); /* 2, 3, 3 */
        features_of(test_device(), threads, &options, x, n, again);
        if (memcmp(got, again, (size_t)(n * channels) * sizeof *got))
            fail_msg("%s: %d threads give other bits", what, threads);
    }
    ani_free(again);
    ani_free(got);
    ani_free(want);
    ani_free(x);
}

static void test_network(void **state) {
    (void)state;
    static const struct {
        int32_t height, width, padding;
        double alpha;
        int64_t n;
    } sizes[] = {{33, 33, AN_PADDING_FIXED, 0.35, 3},   {50, 97, AN_PADDING_TUTORIAL, 0.5, 1},
                 {97, 50, AN_PADDING_FIXED, 0.75, 2},   {97, 97, AN_PADDING_TUTORIAL, 1.0, 1},
                 {64, 33, AN_PADDING_FIXED, 1.3, 1},    {50, 50, AN_PADDING_TUTORIAL, 1.4, 5},
                 {64, 50, AN_PADDING_SYMMETRIC, 0.5, 2}};
    for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (test_is_chosen(i))
            check_size(sizes[i].height, sizes[i].width, sizes[i].alpha, sizes[i].padding,
                       sizes[i].n);
}

int main(void) {
    if (level_is_absent()) return 77; /* Meson: skipped */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_chains_int8),
        cmocka_unit_test(test_chains_bf16),
        cmocka_unit_test(test_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
