/* SPDX-License-Identifier: MIT
 * The memory of a run: the lifetime of each tensor in steps, and the arena that they share.
 *
 * Steps: unit u forward is step u; the head is step U (the number of units); the pooling's backward
 * is step U+1; unit u backward is step U+2 + (U-1-u). What is recomputed for the backward pass is
 * recomputed at the start of its consumer's backward step. */
#include "layers/net_state.h"

#include <string.h>

#include "base/memory.h"
#include "layers/plan.h"

/* The buffers of a plan under construction, and where each one's offset is stored. */
typedef struct buffer_list {
    ani_buffer *buffers;
    int64_t **targets;
    int64_t count;
    int32_t failed; /* 1: a size overflowed */
} buffer_list;

enum { UNIT_BUFFERS = 7, HEAD_BUFFERS = 7, MAP_BUFFERS = 2 };

static int32_t backward_step(const ani_net *net, int32_t u) {
    const int32_t units = net->spec.unit_count;
    return u >= units ? units + 1 : units + 2 + (units - 1 - u);
}

/* Add a buffer of rows*columns elements of size bytes, unless that is 0. */
static void add_buffer(buffer_list *list, int64_t *target, int64_t rows, int64_t columns,
                       int64_t size, int32_t first, int32_t last) {
    ani_buffer *buffer = &list->buffers[list->count];
    *target = -1;
    if (!ani_mul_size(rows, columns, &buffer->size) ||
        !ani_mul_size(buffer->size, size, &buffer->size)) {
        list->failed = 1;
        return;
    }
    if (!buffer->size) return;
    buffer->first = first;
    buffer->last = last;
    list->targets[list->count++] = target;
}

/* The last forward step that reads the value of unit u. */
static int32_t last_reader(const ani_net_unit *unit) {
    return unit->adder > unit->consumer ? unit->adder : unit->consumer;
}

bool ani_net_makes_again(const ani_net *net, int32_t unit) {
    const ani_unit_spec *spec = &net->units[unit].spec;
    const int32_t consumer = net->units[unit].consumer;
    return net->recompute && spec->kind == ANI_UNIT_POINTWISE && spec->cout > spec->cin &&
           spec->residual == ANI_INPUT && net->units[unit].adder < 0 &&
           consumer < net->spec.unit_count && net->units[consumer].spec.kind == ANI_UNIT_DEPTHWISE;
}

/* Whether a run computes the gradients of all weights. */
static bool trains(int32_t kind) {
    return kind == ANI_RUN_TRAINING || kind == ANI_RUN_FIXED;
}

/* The first unit whose values are kept for the backward pass. */
static int32_t first_kept(const ani_net *net, int32_t kind) {
    if (trains(kind)) return 0;
    return kind < ANI_RUN_EXPLAIN ? net->spec.unit_count : kind - ANI_RUN_EXPLAIN;
}

/* z lives from its forward step to its backward step, or, if recomputed, twice for a shorter
 * time. */
static void add_z(const ani_net *net, ani_net_plan *plan, buffer_list *list, int32_t u,
                  int64_t rows, int64_t size) {
    const ani_net_unit *unit = &net->units[u];
    ani_unit_run *run = &plan->units[u];
    const int32_t back = backward_step(net, u), again = backward_step(net, unit->consumer);
    if (!trains(plan->kind) || !ani_net_makes_again(net, u)) {
        add_buffer(list, &run->y, rows, unit->spec.cout, size, u, back);
        return;
    }
    add_buffer(list, &run->y, rows, unit->spec.cout, size, u, unit->consumer);
    add_buffer(list, &run->y_backward, rows, unit->spec.cout, size, again, back);
    add_buffer(list, &run->scratch_again, run->plan.scratch_forward, 1, 1, again, again);
}

/* Whether the gradient of a value is written over it: its only reader is a pointwise unit, which
 * allows it, and no other unit reads it afterwards, since the unit's own backward step needs the
 * gradient alone. */
static bool is_overwritten(const ani_net *net, const ani_net_plan *plan, int32_t u) {
    const ani_net_unit *unit = &net->units[u];
    return plan->kind == ANI_RUN_FIXED && unit->adder < 0 && unit->spec.residual == ANI_INPUT &&
           unit->consumer < net->spec.unit_count &&
           net->units[unit->consumer].spec.kind == ANI_UNIT_POINTWISE;
}

static void add_unit_buffers(const ani_net *net, ani_net_plan *plan, buffer_list *list, int32_t u) {
    const ani_net_unit *unit = &net->units[u];
    ani_unit_run *run = &plan->units[u];
    const int64_t rows = plan->n * unit->oh * unit->ow, c = unit->spec.cout;
    const int32_t back = backward_step(net, u), f = (int32_t)ani_element_size(plan->element);
    const int32_t adds = unit->spec.residual != ANI_INPUT;
    run->sum = run->g = run->y_backward = run->scratch_again = -1;
    add_buffer(list, &run->scratch_forward, run->plan.scratch_forward, 1, 1, u, u);
    run->scratch_backward = -1;
    if (u < first_kept(net, plan->kind)) {
        add_buffer(list, &run->y, rows, c, f, u, adds ? u : last_reader(unit));
        if (adds) add_buffer(list, &run->sum, rows, c, f, u, last_reader(unit));
        return;
    }
    const int32_t arrives = backward_step(net, unit->consumer);
    add_z(net, plan, list, u, rows, f);
    if (adds && plan->kind != ANI_RUN_FIXED) add_buffer(list, &run->sum, rows, c, f, u, arrives);
    add_buffer(list, &run->scratch_backward, run->plan.scratch_backward, 1, 1, back, back);
    /* A value that is a residual gets the gradient of the sum in place: one buffer for both, from
     * the arrival of the sum to the last backward step that reads it. */
    if (unit->adder >= 0 || is_overwritten(net, plan, u)) return;
    int32_t root = u;
    while (net->units[root].spec.residual != ANI_INPUT)
        root = net->units[root].spec.residual;
    add_buffer(list, &run->g, rows, c, f, arrives, backward_step(net, root));
}

static void add_head_buffers(const ani_net *net, ani_net_plan *plan, buffer_list *list) {
    const int32_t head = net->spec.unit_count, f = (int32_t)sizeof(float);
    const int64_t n = plan->n, features = ani_net_features(net), outputs = net->spec.outputs;
    add_buffer(list, &plan->features, n, features, f, head, head);
    add_buffer(list, &plan->dfeatures, n, features, f, head, head + 1);
    add_buffer(list, &plan->y, n, outputs, f, head, head);
    add_buffer(list, &plan->target, n, outputs, f, 0, head); /* sent together with the image */
    add_buffer(list, &plan->weights, n, 1, f, 0, head);
    add_buffer(list, &plan->dy, n, outputs, f, head, head);
}

/* A map is computed as soon as the gradient of its unit's value has arrived. */
static void add_map_buffers(const ani_net *net, ani_net_plan *plan, buffer_list *list) {
    const ani_net_unit *unit = &net->units[plan->kind - ANI_RUN_EXPLAIN];
    const int32_t step = backward_step(net, unit->consumer);
    const ani_unit_shape shape = {.kind = ANI_UNIT_POINTWISE,
                                  .stride = 1,
                                  .n = plan->n,
                                  .h = unit->oh,
                                  .w = unit->ow,
                                  .cin = unit->spec.cout,
                                  .oh = unit->oh,
                                  .ow = unit->ow,
                                  .cout = 1};
    net->backend->ops->unit_plan(net->backend, &shape, ANI_FLOAT32, &plan->map.plan);
    add_buffer(list, &plan->map.y, plan->n * unit->oh, unit->ow, sizeof(float), step, step);
    add_buffer(list, &plan->map.scratch_forward, plan->map.plan.scratch_forward, 1, 1, step, step);
}

ani_unit_shape ani_net_unit_shape(const ani_net_unit *unit, int64_t n) {
    return (ani_unit_shape){.kind = unit->spec.kind,
                            .stride = unit->spec.stride,
                            .pad_top = unit->spec.pad_top,
                            .pad_left = unit->spec.pad_left,
                            .n = n,
                            .h = unit->h,
                            .w = unit->w,
                            .cin = unit->spec.cin,
                            .oh = unit->oh,
                            .ow = unit->ow,
                            .cout = unit->spec.cout};
}

static void plan_units(const ani_net *net, ani_net_plan *plan) {
    for (int32_t u = 0; u < plan->unit_count; u++) {
        const ani_unit_shape shape = ani_net_unit_shape(&net->units[u], plan->n);
        net->backend->ops->unit_plan(net->backend, &shape, plan->element, &plan->units[u].plan);
    }
}

static an_status fill_plan(const ani_net *net, ani_net_plan *plan, an_error *err) {
    const int64_t most = (int64_t)plan->unit_count * UNIT_BUFFERS + HEAD_BUFFERS + MAP_BUFFERS;
    buffer_list list = {0};
    an_status st = AN_OK;
    list.buffers = ani_alloc_zero(most, sizeof *list.buffers);
    list.targets = ani_alloc_zero(most, sizeof *list.targets);
    if (!list.buffers || !list.targets) {
        st = ani_fail_memory(err, most * (int64_t)sizeof *list.buffers, "a memory plan");
        goto done;
    }
    if (trains(plan->kind) && net->precision == AN_PRECISION_MIXED) plan->element = ANI_BFLOAT16;
    plan_units(net, plan);
    plan->image = -1;
    if (plan->unit_count && !net->backend->is_host)
        add_buffer(&list, &plan->image, plan->n * net->spec.height, net->spec.width * 3,
                   sizeof(float), 0, trains(plan->kind) ? backward_step(net, 0) : 0);
    for (int32_t u = 0; u < plan->unit_count; u++)
        add_unit_buffers(net, plan, &list, u);
    add_head_buffers(net, plan, &list);
    if (plan->kind >= ANI_RUN_EXPLAIN) add_map_buffers(net, plan, &list);
    if (list.failed) {
        st = ani_fail_memory(err, -1, "a memory plan");
        goto done;
    }
    st = ani_plan_buffers(list.buffers, list.count, &plan->size, err);
    if (st) goto done;
    for (int64_t i = 0; i < list.count; i++)
        *list.targets[i] = list.buffers[i].offset;
    for (int32_t u = plan->unit_count - 1; u >= 0; u--) {
        ani_unit_run *run = &plan->units[u];
        const int32_t adder = net->units[u].adder;
        if (run->y_backward < 0) run->y_backward = run->y;
        if (plan->kind >= ANI_RUN_TRAINING && adder >= 0) run->g = plan->units[adder].g;
        if (is_overwritten(net, plan, u)) run->g = run->y_backward;
    }
done:
    ani_free(list.targets);
    ani_free(list.buffers);
    return st;
}

/* What was recorded names memory of the arena. */
static void forget_step(const ani_net *net, ani_net_plan *plan) {
    net->backend->ops->forget(net->backend, plan->step);
    plan->step = NULL;
}

static void clear_plan(const ani_net *net, ani_net_plan *plan) {
    forget_step(net, plan);
    ani_free(plan->units);
    *plan = (ani_net_plan){0};
}

void ani_net_memory_clear(const ani_net *net, ani_net_memory *memory) {
    for (int32_t i = 0; i < ANI_NET_PLANS; i++)
        clear_plan(net, &memory->plans[i]);
    if (memory->arena) net->backend->ops->free(net->backend, memory->arena, memory->arena_size);
    memory->arena = NULL;
    memory->arena_size = 0;
}

/* The plan of a run if it exists; otherwise *free is the slot for it. */
static ani_net_plan *find_plan(ani_net_memory *memory, int32_t kind, int64_t n,
                               ani_net_plan **free) {
    *free = &memory->plans[0];
    for (int32_t i = 0; i < ANI_NET_PLANS; i++) {
        ani_net_plan *plan = &memory->plans[i];
        if (plan->n == n && plan->kind == kind) return plan;
        if (plan->used < (*free)->used) *free = plan;
    }
    return NULL;
}

static an_status grow_arena(const ani_net *net, ani_net_memory *memory, int64_t size,
                            an_error *err) {
    if (size <= memory->arena_size) return AN_OK;
    const ani_backend_ops *ops = net->backend->ops;
    for (int32_t i = 0; i < ANI_NET_PLANS; i++)
        forget_step(net, &memory->plans[i]);
    if (memory->arena) ops->free(net->backend, memory->arena, memory->arena_size);
    memory->arena_size = 0;
    memory->arena = ops->alloc(net->backend, size);
    if (!memory->arena)
        return ani_backend_fail_memory(net->backend, size, "the activations of a batch", err);
    memory->arena_size = size;
    return AN_OK;
}

an_status ani_net_prepare(const ani_net *net, ani_net_memory *memory, int32_t kind, int64_t n,
                          ani_net_plan **out, an_error *err) {
    ani_net_plan *place, *plan = find_plan(memory, kind, n, &place);
    an_status st;
    *out = NULL;
    if (n < 1 || n > ANI_NET_MAX_BATCH)
        return ani_fail(err, AN_ERR_ARG, "network: a batch of %lld; it must be 1 to %d",
                        (long long)n, ANI_NET_MAX_BATCH);
    if (!plan) {
        ani_net_plan made = {.kind = kind, .n = n};
        made.unit_count = kind == ANI_RUN_HEAD ? 0 : net->spec.unit_count;
        made.units = ani_alloc_zero(made.unit_count, sizeof *made.units);
        if (!made.units)
            return ani_fail_memory(err, made.unit_count * (int64_t)sizeof *made.units,
                                   "a memory plan");
        st = fill_plan(net, &made, err);
        if (st) {
            clear_plan(net, &made);
            return st;
        }
        clear_plan(net, place);
        *place = made;
        plan = place;
    }
    plan->used = ++memory->clock;
    st = grow_arena(net, memory, plan->size, err);
    if (st) return st;
    *out = plan;
    return AN_OK;
}
