/* SPDX-License-Identifier: MIT
 * Time every layer shape of the network, one operation at a time and through the same interface
 * that a training step uses, at each ISA level of this processor or on a device, compared with the
 * limits of the machine. Each case is checked against the reference backend before it is timed: a
 * fast wrong answer is not a result. */
#include <attractivenet/attractivenet.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "ceilings.h"
#include "layers/model.h"
#include "program.h"

static const char about[] =
    "Time each layer of MobileNetV2 by itself and compare it with what this machine can do.\n\n"
    "Passes: forward with the moments of batch norm; dx and dw, either gradient alone; backward,\n"
    "both at once as a training step asks for them. Layers of one shape are timed once; 'units' "
    "is\n"
    "how many of them the network has, and the last line adds up a step.\n\n"
    "The ceiling of a case is the longest of three times: its arithmetic at the multiply-add "
    "peak,\n"
    "its bytes read at the read bandwidth, and all its bytes at the copy bandwidth, each tensor\n"
    "counted once. The peak and the bandwidths are measured first, by this program, on as many\n"
    "threads; 'cache' instead of 'memory' where all tensors fit into half of the last cache. So\n"
    "100 % means that nothing but a plan that moves fewer bytes could be faster. With --precision "
    "mixed\n"
    "tensors are of bfloat16, and products are held to the peak of its products where the level\n"
    "has them. On a device other than the CPU the ceiling is that of the bytes alone, at the copy\n"
    "bandwidth that this program measures there, and several passes are timed at a time.";

enum { MAX_LEVELS = 5, MAX_CASES = 256 };

typedef enum pass { FORWARD, INPUT, WEIGHTS, BACKWARD, PASSES } pass;
static const char *const pass_names[] = {"forward", "dx", "dw", "backward"};

/** One thing to time. */
typedef struct bench_case {
    char name[ANI_NAME_SIZE];
    int32_t kind;     /* of what: below */
    int32_t relu6;    /* of the input */
    int32_t clamps;   /* relu6 of the output */
    int32_t residual; /* a value is added to the output */
    int32_t units;    /* how many of this shape the network has */
    int32_t stem;     /* 1: no input gradient is ever needed */
    ani_unit_shape s;
} bench_case;

static const char precision_words[] = "fp32|mixed"; /* as AN_PRECISION_* */

enum { UNIT, POOL, DENSE, ADD, ADAM };

/** Buffers, large enough for every case. */
typedef struct tensors {
    int32_t element;       /* of x, y, g and dx, if a case is one of the network's tensors */
    int32_t fills;         /* 1: the arena is host memory, and is filled as it is laid out */
    float *x, *y, *g, *dx; /* dx also takes what forward writes */
    float *w, *dw, *m, *v, *channels, *gradients;
    double *sums;
    void *scratch;
    char *arena; /* holds them all, as in a training step */
    int64_t arena_size;
    int32_t fixed; /* batch norm is known */
} tensors;

/** The memory in which a large copy is measured. */
enum { COPIED = 256 << 20 };

typedef struct bench {
    int32_t threads, size, batch, precision, json, fixed;
    double alpha, ms;
    const char *only, *level, *device;
    int on_host; /* 1: the device is the CPU */
    an_backend *backends[MAX_LEVELS];
    bench_ceilings ceilings[MAX_LEVELS];
    int levels;
    an_backend *ref;
    bench_case cases[MAX_CASES];
    int case_count;
    tensors t;    /* in the memory of the backends */
    tensors host; /* in that of ref: the same, unless the device has its own */
    double step_ms[MAX_LEVELS], step_ceiling[MAX_LEVELS];
} bench;

static int64_t max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* --- the cases -------------------------------------------------------------------------------- */

static void add_case(bench *b, const bench_case *c) {
    for (int i = 0; i < b->case_count; i++) {
        bench_case *other = &b->cases[i];
        if (other->kind != c->kind || other->relu6 != c->relu6 || other->residual != c->residual ||
            memcmp(&other->s, &c->s, sizeof c->s) != 0)
            continue;
        other->units++;
        return;
    }
    if (b->case_count == MAX_CASES) bench_fail("too many layers", NULL);
    b->cases[b->case_count] = *c;
    b->cases[b->case_count++].units = 1;
}

static void list_cases(bench *b, ani_net *net) {
    const ani_net_spec *spec = ani_net_spec_of(net);
    bench_case head = {.s = {.n = b->batch, .h = 1, .w = 1, .oh = 1, .ow = 1}};
    for (int32_t u = 0; u < spec->unit_count; u++) {
        const ani_unit_spec *unit = &spec->units[u];
        bench_case c = {.kind = UNIT, .stem = unit->input == ANI_INPUT, .clamps = unit->relu6};
        c.residual = b->fixed && unit->residual != ANI_INPUT;
        c.s = (ani_unit_shape){.kind = unit->kind,
                               .stride = unit->stride,
                               .pad_top = unit->pad_top,
                               .pad_left = unit->pad_left,
                               .n = b->batch,
                               .h = spec->height,
                               .w = spec->width,
                               .cin = unit->cin,
                               .cout = unit->cout};
        if (!c.stem) {
            ani_net_unit_size(net, unit->input, &c.s.h, &c.s.w);
            c.relu6 = spec->units[unit->input].relu6;
        }
        ani_net_unit_size(net, u, &c.s.oh, &c.s.ow);
        snprintf(c.name, sizeof c.name, "%s", unit->conv_name);
        add_case(b, &c);
        if (unit->residual != ANI_INPUT && !b->fixed) {
            c = (bench_case){.kind = ADD, .name = "add", .s = c.s};
            c.s.cin = c.s.cout;
            add_case(b, &c);
        }
        head.s.h = c.s.oh;
        head.s.w = c.s.ow;
        head.s.cin = head.s.cout = c.s.cout;
    }
    head.kind = POOL;
    head.relu6 = 1;
    snprintf(head.name, sizeof head.name, "pool");
    add_case(b, &head);
    head.kind = DENSE;
    head.s.h = head.s.w = 1;
    head.s.cout = spec->outputs;
    snprintf(head.name, sizeof head.name, "dense");
    add_case(b, &head);
    const ani_net_range all = ani_net_trained(net, AN_BASE_TRAIN);
    bench_case adam = {
        .kind = ADAM, .name = "adam", .s = {.n = 1, .h = 1, .w = 1, .oh = 1, .ow = 1}};
    adam.s.cin = adam.s.cout = all.count;
    add_case(b, &adam);
}

static int64_t weights_of(const ani_unit_shape *s) {
    switch (s->kind) {
    case ANI_UNIT_POINTWISE:
        return s->cin * s->cout;
    case ANI_UNIT_DEPTHWISE:
        return 9 * s->cin;
    default:
        return 9 * s->cin * s->cout;
    }
}

static int64_t inputs_of(const bench_case *c) {
    return c->s.n * c->s.h * c->s.w * c->s.cin;
}

static int64_t outputs_of(const bench_case *c) {
    return c->s.n * c->s.oh * c->s.ow * c->s.cout;
}

/* Take count floats from the arena, random ones in host memory; without an arena, only count
 * them. */
static float *take_floats(tensors *t, int64_t *used, int64_t count, double low, double high) {
    float *values = t->arena ? (float *)(void *)(t->arena + *used) : NULL;
    *used += (count * (int64_t)sizeof *values + 4095) / 4096 * 4096;
    if (!t->fills) return values;
    uint32_t state = 1;
    for (int64_t i = 0; values && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(low + (high - low) * (state >> 8) / 16777216.0);
    }
    return values;
}

/* The same as a tensor, in half of the memory if it is bfloat16. */
static float *take_tensor(tensors *t, int64_t *used, int64_t count, double low, double high) {
    float *values = take_floats(t, used, count, low, high);
    for (int64_t i = 0; t->fills && t->element == ANI_BFLOAT16 && values && i < count; i++) {
        const uint16_t half = ani_to_bfloat16(values[i]);
        memcpy((char *)values + i * (int64_t)sizeof half, &half, sizeof half);
    }
    return values;
}

/** Sizes in elements, of the largest case. */
typedef struct sizes {
    int64_t in, out, weights, channels, scratch;
} sizes;

static void lay_out(tensors *t, const sizes *s) {
    int64_t used = 0;
    t->x = take_tensor(t, &used, s->in, t->fixed ? 0 : -1, 4); /* values are clamped */
    t->y = take_tensor(t, &used, s->out, -1, 4);
    t->g = take_tensor(t, &used, s->out, -1, 1);
    t->dx = take_floats(t, &used, max(s->in, s->out), 0, 0);
    t->w = take_floats(t, &used, s->weights, -0.5, 0.5);
    t->dw = take_floats(t, &used, s->weights, -1, 1);
    t->m = take_floats(t, &used, s->weights, -1, 1);
    t->v = take_floats(t, &used, s->weights, 0, 1);
    t->channels = take_floats(t, &used, s->channels, 0.5, 1.5);
    t->gradients = take_floats(t, &used, 2 * s->channels, 0, 0);
    t->sums = (double *)(void *)take_floats(t, &used, s->channels * 4, 0, 0);
    t->scratch = take_floats(t, &used, s->scratch / 4 + 1, 0, 0);
    t->arena_size = used;
}

static void make_tensors(bench *b) {
    int64_t in = 1, out = 1, weights = 1, channels = 1, scratch = 64;
    for (int i = 0; i < b->case_count; i++) {
        const bench_case *c = &b->cases[i];
        in = max(in, c->kind == ADAM ? 1 : inputs_of(c));
        out = max(out, c->kind == ADAM ? 1 : outputs_of(c));
        weights = max(weights, c->kind == ADAM ? c->s.cin : 9 * c->s.cin * c->s.cout);
        channels = max(channels, c->kind == ADAM ? 1 : max(c->s.cin, c->s.cout));
        for (int level = 0; c->kind == UNIT && level <= b->levels; level++) {
            an_backend *backend = level < b->levels ? b->backends[level] : b->ref;
            ani_unit_plan plan;
            backend->ops->unit_plan(backend, &c->s,
                                    b->precision == AN_PRECISION_MIXED ? ANI_BFLOAT16 : ANI_FLOAT32,
                                    &plan);
            scratch = max(scratch, max(plan.scratch_forward, plan.scratch_backward));
        }
    }
    const sizes all = {in, out, weights, channels, scratch};
    tensors *host = &b->host;
    host->fixed = b->fixed;
    host->element = b->precision == AN_PRECISION_MIXED ? ANI_BFLOAT16 : ANI_FLOAT32;
    lay_out(host, &all); /* only counts */
    host->arena = ani_alloc_large(host->arena_size);
    if (!host->arena) bench_fail("no memory for the tensors", NULL);
    host->fills = 1;
    lay_out(host, &all);
    b->t = *host;
    if (b->on_host) return;
    an_backend *device = b->backends[0];
    b->t.fills = 0;
    b->t.arena = device->ops->alloc(device, host->arena_size);
    if (!b->t.arena) bench_fail("no memory for the tensors on", b->device);
    lay_out(&b->t, &all);
    device->ops->write(device, b->t.arena, host->arena, host->arena_size);
}

/* --- running one ------------------------------------------------------------------------------ */

/* A unit whose batch norm is known: it reads and writes values. */
static void run_fixed(const tensors *t, an_backend *backend, const ani_unit_plan *plan,
                      const bench_case *c, pass p) {
    const ani_bn bn = {.scale = t->channels,
                       .shift = t->channels,
                       .mean = t->channels,
                       .inv_std = t->channels,
                       .epsilon = ANI_KERAS_EPSILON};
    const ani_lazy x = {.z = t->x,
                        .relu6 = c->relu6 ? ANI_CLAMPED : 0,
                        .element = c->stem ? ANI_FLOAT32 : t->element};
    if (p == FORWARD) {
        const ani_fixed_forward fixed = {
            .bn = &bn, .residual = c->residual ? t->y : NULL, .relu6 = c->clamps};
        const ani_unit_forward args = {.x = x,
                                       .w = t->w,
                                       .y = t->dx,
                                       .fixed = &fixed,
                                       .element = t->element,
                                       .scratch = t->scratch};
        backend->ops->unit_forward(backend, plan, &args);
        return;
    }
    const ani_fixed_backward fixed = {
        .bn = &bn, .sums = t->sums, .dgamma = t->gradients, .dbeta = t->gradients + c->s.cout};
    ani_unit_backward args = {.dz = {.g = t->g, .element = t->element},
                              .x = x,
                              .w = t->w,
                              .dw = p == INPUT ? NULL : t->dw,
                              .fixed = &fixed,
                              .scratch = t->scratch};
    if (p != WEIGHTS && !c->stem) args.store = (ani_store){.dx = t->dx, .sums = t->sums};
    backend->ops->unit_backward(backend, plan, &args);
}

static void run_unit(const tensors *t, an_backend *backend, const bench_case *c, pass p) {
    ani_unit_plan plan;
    backend->ops->unit_plan(backend, &c->s, t->element, &plan);
    if (t->fixed) {
        run_fixed(t, backend, &plan, c, p);
        return;
    }
    const float *scale = t->channels, *shift = t->channels;
    const ani_lazy x = {.z = t->x,
                        .scale = c->stem ? NULL : scale,
                        .shift = c->stem ? NULL : shift,
                        .relu6 = c->relu6,
                        .element = c->stem ? ANI_FLOAT32 : t->element};
    if (p == FORWARD) {
        const ani_unit_forward args = {.x = x,
                                       .w = t->w,
                                       .y = t->dx,
                                       .moments = t->sums,
                                       .element = t->element,
                                       .scratch = t->scratch};
        backend->ops->unit_forward(backend, &plan, &args);
        return;
    }
    ani_unit_backward args = {.dz = {.g = t->g,
                                     .z = t->y,
                                     .a = t->channels,
                                     .b = t->channels,
                                     .c = t->channels,
                                     .element = t->element},
                              .x = x,
                              .w = t->w,
                              .dw = p == INPUT ? NULL : t->dw,
                              .scratch = t->scratch};
    if (p != WEIGHTS && !c->stem)
        args.store = (ani_store){.dx = t->dx, .sums = t->sums, .z = t->x, .mean = t->channels};
    backend->ops->unit_backward(backend, &plan, &args);
}

static void run_case(const tensors *t, an_backend *backend, const bench_case *c, pass p) {
    const ani_backend_ops *ops = backend->ops;
    const ani_unit_shape *s = &c->s;
    const int64_t rows = s->n * s->h * s->w;
    const ani_lazy plain = {.z = t->y, .element = t->element};
    const ani_lazy x = {.z = t->x,
                        .scale = t->fixed ? NULL : t->channels,
                        .shift = t->fixed ? NULL : t->channels,
                        .relu6 = t->fixed && c->relu6 ? ANI_CLAMPED : c->relu6,
                        .element = t->element};
    const ani_store store = {.dx = t->dx,
                             .sums = t->sums,
                             .z = t->fixed ? NULL : t->x,
                             .mean = t->fixed ? NULL : t->channels};
    switch (c->kind) {
    case UNIT:
        run_unit(t, backend, c, p);
        break;
    case POOL:
        if (p == FORWARD)
            ops->pool_forward(backend, s->n, s->h * s->w, s->cin, &x, t->dx);
        else
            ops->pool_backward(backend, s->n, s->h * s->w, s->cin, t->g, &x, &store);
        break;
    case DENSE:
        if (p == FORWARD)
            ops->dense_forward(backend, s->n, s->cin, s->cout, t->x, t->w, t->channels, t->dx);
        else
            ops->dense_backward(backend, s->n, s->cin, s->cout, t->x, t->w, t->g, t->dx, t->dw,
                                t->m);
        break;
    case ADD:
        ops->materialise(backend, rows, s->cin, &x, &plain, t->dx);
        break;
    default: {
        const ani_optim_step step = {.kind = AN_OPTIM_ADAM,
                                     .count = s->cin,
                                     .step = 1,
                                     .rate = 1e-3,
                                     .beta1 = 0.9,
                                     .beta2 = 0.999,
                                     .epsilon = 1e-7,
                                     .w = t->w,
                                     .g = t->dw,
                                     .m = t->m,
                                     .v = t->v};
        ops->optim_step(backend, &step);
    }
    }
}

static int has_pass(const bench_case *c, pass p) {
    if (c->kind == UNIT) return c->stem ? p == FORWARD || p == WEIGHTS : 1;
    return p == FORWARD || (p == BACKWARD && (c->kind == POOL || c->kind == DENSE));
}

/* Is it part of a training step, which computes both gradients at once? */
static int in_step(const bench_case *c, pass p) {
    return p == FORWARD || p == BACKWARD || c->stem;
}

/** The minimum work of a pass. */
typedef struct need {
    double flop, read, written;
} need;

static need needs(const bench_case *c, pass p, int32_t element, int32_t fixed) {
    const double numbers = (double)inputs_of(c);
    const int kept = c->kind == UNIT || c->kind == ADD || c->kind == POOL;
    const double size = kept ? (double)ani_element_size(element) : 4;
    const double in = (c->stem ? 4 : size) * numbers, out = size * (double)outputs_of(c);
    const double dz = fixed ? out : 2 * out; /* g; g and z */
    const double w = 4.0 * (double)(c->kind == DENSE ? c->s.cin * c->s.cout : weights_of(&c->s));
    const double product =
        0.5 * w * (double)(c->kind == DENSE ? c->s.n : c->s.n * c->s.oh * c->s.ow);
    if (c->kind == ADAM) return (need){12 * numbers, 4 * in, 3 * in};
    if (c->kind == ADD) return (need){3 * numbers, 2 * in, in};
    if (c->kind == POOL && p == FORWARD) return (need){3 * numbers, in, 0};
    if (c->kind == POOL) return (need){3 * numbers, in, in};
    switch (p) {
    case FORWARD:
        return (need){product, in + w + (c->residual ? out : 0), out};
    case INPUT:
        return (need){product, dz + in + w, in};
    case WEIGHTS:
        return (need){product, dz + in, w};
    default:
        return (need){2 * product, dz + in + w, in + w};
    }
}

/* --- checking --------------------------------------------------------------------------------- */

/* What a pass leaves in dx, as floats, and in dw. */
static void read_results(an_backend *backend, const tensors *t, const bench_case *c, pass p,
                         float *to, int64_t count, int64_t weights) {
    const int floats = c->kind == DENSE || (c->kind == POOL && p == FORWARD);
    const int32_t element = floats ? ANI_FLOAT32 : t->element;
    const uint16_t *halves = (const uint16_t *)(const void *)to;
    backend->ops->read(backend, to, t->dx, count * ani_element_size(element));
    for (int64_t i = count - 1; element == ANI_BFLOAT16 && i >= 0; i--)
        to[i] = ani_from_bfloat16(halves[i]);
    backend->ops->read(backend, to + count, t->dw, weights * (int64_t)sizeof *to);
}

static double distance(const float *a, const float *b, int64_t count) {
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return norm > 0 ? sqrt(difference / norm) : sqrt(difference);
}

/* One image of the case, at every level, against ref; results are in dx and dw. 1e-4 of the norm is
 * far above rounding, as 1e-2 is with bfloat16 (2^-8), and far below any mistake. */
static void check_case(bench *b, const bench_case *c, pass p) {
    bench_case one = *c;
    if (c->kind == ADAM) one.s.cin = one.s.cout = 4096;
    one.s.n = 1;
    const int64_t results = p == FORWARD && c->kind != POOL ? outputs_of(&one)
                            : p == FORWARD                  ? one.s.cin
                            : p == WEIGHTS                  ? 0
                                                            : inputs_of(&one);
    const int64_t weights = c->kind == UNIT && p != FORWARD && p != INPUT ? weights_of(&one.s) : 0;
    if (c->kind == ADAM) return; /* changes its input; its kernel has its own test */
    const double limit = b->t.element == ANI_BFLOAT16 ? 1e-2 : 1e-4;
    float *want = malloc((size_t)(2 * (results + weights) + 1) * sizeof *want);
    if (!want) bench_fail("no memory for a check", NULL);
    float *got = want + results + weights;
    run_case(&b->host, b->ref, &one, p);
    read_results(b->ref, &b->host, c, p, want, results, weights);
    for (int level = 0; level < b->levels; level++) {
        run_case(&b->t, b->backends[level], &one, p);
        read_results(b->backends[level], &b->t, c, p, got, results, weights);
        const double off =
            fmax(distance(got, want, results), distance(got + results, want + results, weights));
        if (off <= limit) continue;
        fprintf(stderr, "bench_kernels: %s %s at level %s differs from ref by %.3g of the norm\n",
                c->name, pass_names[p], an_backend_level(b->backends[level]), off);
        exit(1);
    }
    free(want);
}

/* --- timing and printing ---------------------------------------------------------------------- */

static void print_ceilings(const bench *b, int level) {
    const bench_ceilings *c = &b->ceilings[level];
    const char *name = an_backend_level(b->backends[level]);
    const char *device = b->backends[level]->device.name;
    if (!b->on_host && b->json)
        printf("{\"bench\": \"ceilings\", \"version\": \"%s\", \"device\": \"%s\", \"level\": "
               "\"%s\", \"memory_copy_gbs\": %.1f}\n",
               an_version(), device, name, c->memory.copy);
    else if (!b->on_host)
        printf("%s, level %s; memory: copy %.1f GB/s\n", device, name, c->memory.copy);
    else if (b->json)
        printf("{\"bench\": \"ceilings\", \"version\": \"%s\", \"level\": \"%s\", \"threads\": %d, "
               "\"gflops\": %.1f, \"pair_gflops\": %.1f, \"memory_read_gbs\": %.1f, "
               "\"memory_copy_gbs\": %.1f, "
               "\"cache_read_gbs\": %.1f, \"cache_copy_gbs\": %.1f}\n",
               an_version(), name, b->threads, c->gflops, c->pair_gflops, c->memory.read,
               c->memory.copy, c->cache.read, c->cache.copy);
    else
        printf("%s, %d threads: %.1f GFLOP/s, %.1f in products of bfloat16; memory: read %.1f, "
               "copy %.1f GB/s; last cache: read "
               "%.1f, copy %.1f GB/s\n",
               name, b->threads, c->gflops, c->pair_gflops, c->memory.read, c->memory.copy,
               c->cache.read, c->cache.copy);
}

static void print_result(const bench *b, int level, const bench_case *c, pass p, double best,
                         double median, const need *n, double ceiling, const char *bound) {
    const double gflops = 1e-6 * n->flop / best, gbs = 1e-6 * (n->read + n->written) / best;
    const ani_unit_shape *s = &c->s;
    const char *name = an_backend_level(b->backends[level]);
    if (b->json) {
        char precision[32];
        printf("{\"bench\": \"kernels\", \"device\": \"%s\", \"level\": \"%s\", \"precision\": "
               "\"%s\", \"threads\": %d, \"layer\": \"%s\", "
               "\"pass\": \"%s\", \"units\": %d, \"n\": %lld, \"h\": %lld, \"w\": %lld, \"cin\": "
               "%lld, \"oh\": %lld, \"ow\": %lld, \"cout\": %lld, \"stride\": %d, \"ms_min\": "
               "%.3f, \"ms_median\": %.3f, \"gflops\": %.1f, \"gbs\": %.1f, \"ceiling_ms\": %.3f, "
               "\"bound\": \"%s\", \"percent\": %.1f}\n",
               b->backends[level]->device.name, name,
               option_word(precision, precision_words, b->precision), b->threads, c->name,
               pass_names[p], c->units, (long long)s->n, (long long)s->h, (long long)s->w,
               (long long)s->cin, (long long)s->oh, (long long)s->ow, (long long)s->cout, s->stride,
               best, median, gflops, gbs, ceiling, bound, 100 * ceiling / best);
    } else {
        char shape[64];
        if (c->kind == ADAM)
            snprintf(shape, sizeof shape, "%lld", (long long)s->cin);
        else
            snprintf(shape, sizeof shape, "%lldx%lldx%lld -> %lldx%lldx%lld", (long long)s->h,
                     (long long)s->w, (long long)s->cin, (long long)s->oh, (long long)s->ow,
                     (long long)s->cout);
        printf("%-7s %-24s %-28s %-9s %5d %9.2f %9.2f %8.1f %7.1f  %-10s %5.0f\n", name, c->name,
               shape, pass_names[p], c->units, best, median, gflops, gbs, bound,
               100 * ceiling / best);
    }
    fflush(stdout);
}

/* One case at one level, for bench_time(). */
typedef struct timed {
    tensors *t;
    an_backend *backend;
    const bench_case *c;
    pass p;
    int times;
} timed;

static void run_timed(void *user) {
    const timed *now = user;
    an_error err;
    for (int i = 0; i < now->times; i++)
        run_case(now->t, now->backend, now->c, now->p);
    bench_check(now->backend->ops->wait(now->backend, &err), &err);
}

/* A queue is filled once and waited for once, so that neither counts. */
static void choose_times(const bench *b, timed *now) {
    if (b->on_host) return;
    const double begin = bench_now();
    run_timed(now);
    const double once = bench_now() - begin;
    now->times = once > 2e-3 ? 1 : once < 2e-5 ? 100 : (int)(2e-3 / once);
}

static void time_case(bench *b, int level, const bench_case *c, pass p) {
    timed now = {&b->t, b->backends[level], c, p, 1};
    run_timed(&now);
    choose_times(b, &now);
    bench_times ms = bench_time(run_timed, &now, 1e-3 * b->ms);
    ms.best /= now.times;
    ms.median /= now.times;
    const need n = needs(c, p, b->t.element, b->fixed);
    const bench_ceilings *ceilings = &b->ceilings[level];
    const int cached = n.read + n.written <= ceilings->cache_bytes;
    const bench_bandwidth *bandwidth = cached ? &ceilings->cache : &ceilings->memory;
    const int product = c->kind == UNIT && c->s.kind != ANI_UNIT_DEPTHWISE;
    const double peak =
        product && b->t.element == ANI_BFLOAT16 ? ceilings->pair_gflops : ceilings->gflops;
    const double arithmetic = 1e-6 * n.flop / peak;
    const double moving =
        1e-6 * fmax(n.read / bandwidth->read, (n.read + n.written) / bandwidth->copy);
    const double ceiling = fmax(arithmetic, moving);
    print_result(b, level, c, p, ms.best, ms.median, &n, ceiling,
                 arithmetic >= moving ? "arithmetic"
                 : cached             ? "cache"
                                      : "memory");
    if (!in_step(c, p)) return;
    b->step_ms[level] += c->units * ms.best;
    b->step_ceiling[level] += c->units * ceiling;
}

/* --- setting up ------------------------------------------------------------------------------- */

static an_backend *make_backend(const bench *b, const char *device) {
    an_error err;
    an_backend *backend;
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.device = device;
    options.threads = b->threads;
    bench_check(an_backend_create(&backend, &options, &err), &err);
    return backend;
}

/** A large copy, for bench_time(). */
typedef struct large_copy {
    an_backend *backend;
    char *from, *to;
} large_copy;

static void run_copy(void *user) {
    const large_copy *c = user;
    an_error err;
    for (int i = 0; i < 8; i++)
        c->backend->ops->copy(c->backend, c->to, c->from, COPIED, NULL);
    bench_check(c->backend->ops->wait(c->backend, &err), &err);
}

/* A device by its name; its arithmetic is not measured. */
static void make_device(bench *b) {
    an_backend *backend = b->backends[b->levels++] = make_backend(b, b->device);
    const ani_backend_ops *ops = backend->ops;
    large_copy c = {backend, ops->alloc(backend, COPIED), ops->alloc(backend, COPIED)};
    if (!c.from || !c.to) bench_fail("no memory to measure the copy bandwidth of", b->device);
    run_copy(&c);
    const bench_times ms = bench_time(run_copy, &c, 0.2);
    const double copied = 8 * 2e-6 * COPIED / ms.best; /* read and written */
    b->ceilings[0] =
        (bench_ceilings){.gflops = INFINITY, .pair_gflops = INFINITY, .memory = {copied, copied}};
    ops->free(backend, c.from, COPIED);
    ops->free(backend, c.to, COPIED);
    b->threads = an_backend_threads(backend);
    b->ref = make_backend(b, "ref");
}

static void make_backends(bench *b) {
    static const struct {
        const char *name;
        uint32_t feature;
    } levels[] = {{"c", 0},
                  {"avx2", ANI_CPU_AVX2},
                  {"avx512", ANI_CPU_AVX512},
                  {"avx512bf16", ANI_CPU_AVX512 | ANI_CPU_AVX512BF16},
                  {"neon", ANI_CPU_NEON}};
    an_error err;
    if (!b->on_host) {
        make_device(b);
        return;
    }
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(b->level, "all") && strcmp(b->level, levels[i].name)) continue;
        if ((ani_cpu_features() & levels[i].feature) != levels[i].feature) continue;
        if (setenv("AN_CPU", levels[i].name, 1)) bench_fail("cannot set AN_CPU", NULL);
        an_backend *backend = make_backend(b, "cpu");
        ani_pool *pool;
        bench_check(ani_pool_create(&pool, an_backend_threads(backend), &err), &err);
        if (!bench_measure_ceilings(&b->ceilings[b->levels], pool, levels[i].feature))
            bench_fail("no memory to measure the ceilings", NULL);
        ani_pool_destroy(pool);
        b->threads = an_backend_threads(backend);
        b->backends[b->levels++] = backend;
    }
    if (!b->levels)
        bench_fail(
            "--level must be c, avx2, avx512, avx512bf16, neon or all, and in this processor",
            NULL);
    b->ref = make_backend(b, "ref");
}

static void read_network(bench *b) {
    an_error err;
    an_model *model;
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = b->size;
    options.alpha = b->alpha;
    options.padding = AN_PADDING_FIXED;
    bench_check(an_mobilenetv2_create(&model, b->backends[0], &options, &err), &err);
    list_cases(b, ani_model_net(model));
    an_model_destroy(model);
}

static void destroy(bench *b) {
    if (!b->on_host) b->backends[0]->ops->free(b->backends[0], b->t.arena, b->t.arena_size);
    ani_free_large(b->host.arena, b->host.arena_size);
    for (int level = 0; level < b->levels; level++)
        an_backend_destroy(b->backends[level]);
    an_backend_destroy(b->ref);
}

static void read_options(bench *b, int argc, char **argv) {
    const option_row rows[] = {
        option_text("device", &b->device, device_words, device_help),
        option_text("level", &b->level, "c|avx2|avx512|avx512bf16|neon|all", "instructions to use"),
        option_count("threads", &b->threads, 0, 1024, "0: all processors"),
        option_choice("precision", &b->precision, precision_words,
                      "of tensors: fp32, or bfloat16 as a mixed training keeps them"),
        option_count("batch", &b->batch, 1, 1024, "images"),
        option_count("size", &b->size, 32, 8192, "height and width in pixels"),
        option_number("alpha", &b->alpha, 0.01, 10, "width multiplier"),
        option_text("only", &b->only, "TEXT",
                    "layers whose name has TEXT, as 'expand', 'block_3', 'adam'"),
        option_number("ms", &b->ms, 0, 1e6, "how long to time each case"),
        option_flag("fixed", &b->fixed, "units of fine-tuning, whose batch norm is known"),
        option_flag("json", &b->json, "one JSON line a case instead of a table"),
        option_end()};
    const program_text text = {.usage = "[options]", .about = about};
    options_parse(argc, argv, rows, &text);
    b->on_host = !strcmp(b->device, "cpu");
    if (!b->on_host && strcmp(b->level, "all")) bench_fail("--level is for --device cpu", NULL);
}

int main(int argc, char **argv) {
    static bench b = {.device = "cpu",
                      .level = "all",
                      .threads = 2,
                      .size = 350,
                      .batch = 32,
                      .alpha = 1,
                      .ms = 150};
    read_options(&b, argc, argv);
    make_backends(&b);
    read_network(&b);
    make_tensors(&b);
    for (int level = 0; level < b.levels; level++)
        print_ceilings(&b, level);
    if (!b.json)
        printf("\n%-7s %-24s %-28s %-9s %5s %9s %9s %8s %7s  %-10s %5s\n", "level", "layer",
               "shape", "pass", "units", "ms, best", "median", "GFLOP/s", "GB/s", "ceiling", "%");
    for (int i = 0; i < b.case_count; i++)
        for (pass p = FORWARD; p < PASSES; p++) {
            const bench_case *c = &b.cases[i];
            if (!has_pass(c, p) || (b.only && !strstr(c->name, b.only))) continue;
            check_case(&b, c, p);
            for (int level = 0; level < b.levels; level++)
                time_case(&b, level, c, p);
        }
    for (int level = 0; !b.json && level < b.levels; level++)
        printf("%s: a step of these layers takes %.1f ms, its ceiling %.1f ms (%.0f %%)\n",
               an_backend_level(b.backends[level]), b.step_ms[level], b.step_ceiling[level],
               100 * b.step_ceiling[level] / b.step_ms[level]);
    destroy(&b);
    return 0;
}
