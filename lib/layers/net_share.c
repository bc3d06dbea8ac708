/* SPDX-License-Identifier: MIT
 * What predictions share, and what each caller has separately.
 *
 * The weights packed for inference are shared. They carry the version of the weights from which
 * they were packed, and a reference count. A prediction takes a reference to the latest; if it is
 * older than the weights, they are repacked: in place if only the net holds it, so that training
 * that predicts between its steps does not allocate, otherwise in new memory, while others continue
 * with the old. */
#include "layers/net_state.h"

#include <attractivenet/layers.h>

#include "base/memory.h"

/* --- packed weights --------------------------------------------------------------------------- */

an_status ani_net_infer_units(const ani_net *net, ani_infer_unit **out, an_error *err) {
    const int32_t count = net->spec.unit_count;
    ani_infer_unit *units = *out = ani_alloc_zero(count, sizeof *units);
    if (!units) return ani_fail_memory(err, count * (int64_t)sizeof *units, "a network");
    for (int32_t u = 0; u < count; u++) {
        const ani_net_unit *unit = &net->units[u];
        units[u] = (ani_infer_unit){.shape = ani_net_unit_shape(unit, 1),
                                    .relu6 = unit->spec.relu6,
                                    .input = unit->spec.input,
                                    .residual = unit->spec.residual,
                                    .w = unit->kernel->data,
                                    .bn = unit->running};
    }
    return AN_OK;
}

static void release_packed(ani_net *net, ani_net_packed *packed) {
    if (!packed || atomic_fetch_sub(&packed->holders, 1) > 1) return;
    net->backend->ops->infer_destroy(net->backend, packed->infer);
    ani_free(packed);
}

static an_status make_packed(ani_net *net, int32_t kind, ani_net_packed **out, an_error *err) {
    ani_infer_unit *units = NULL;
    const ani_calibrated *calibrated = kind == AN_INFERENCE_INT8 ? &net->calibrated : NULL;
    *out = NULL;
    ani_net_packed *packed = ani_alloc_zero(1, sizeof *packed);
    if (!packed) return ani_fail_memory(err, sizeof *packed, "packed weights");
    atomic_init(&packed->holders, 1);
    packed->kind = kind;
    an_status st = ani_net_infer_units(net, &units, err);
    if (!st)
        st = net->backend->ops->infer_create(net->backend, &packed->infer, units,
                                             net->spec.unit_count, kind, calibrated, err);
    ani_free(units);
    if (st) {
        release_packed(net, packed);
        return st;
    }
    *out = packed;
    return AN_OK;
}

/* Take the packed weights from the net if only the net holds them, so that they may be changed;
 * else NULL. */
static ani_net_packed *take_packed(ani_net *net, int32_t kind) {
    pthread_mutex_lock(&net->lock);
    ani_net_packed *packed = net->packed[kind];
    net->packed[kind] = NULL;
    pthread_mutex_unlock(&net->lock);
    if (!packed || atomic_load(&packed->holders) == 1) return packed;
    release_packed(net, packed);
    return NULL;
}

/* Repack, with the turn. */
static an_status pack(ani_net *net, int32_t kind, ani_net_packed **out, an_error *err) {
    ani_net_packed *packed = take_packed(net, kind);
    if (!packed) {
        an_status st = make_packed(net, kind, &packed, err);
        if (st) return st;
    }
    net->backend->ops->infer_pack(net->backend, packed->infer);
    packed->version = net->version;
    atomic_fetch_add(&packed->holders, 1);
    pthread_mutex_lock(&net->lock);
    net->packed[kind] = packed;
    pthread_mutex_unlock(&net->lock);
    *out = packed;
    return AN_OK;
}

/* --- the head --------------------------------------------------------------------------------- */

static void free_floats(ani_net *net, float *memory, int64_t count) {
    if (memory) net->backend->ops->free(net->backend, memory, count * (int64_t)sizeof *memory);
}

static void copy_floats(ani_net *net, float *to, const ani_net_array *from) {
    net->backend->ops->copy(net->backend, to, from->data, from->count * (int64_t)sizeof *to, NULL);
}

static void release_head(ani_net *net, ani_net_head *head) {
    if (!head || atomic_fetch_sub(&head->holders, 1) > 1) return;
    free_floats(net, head->kernel, net->head_kernel->count);
    free_floats(net, head->bias, net->head_bias->count);
    ani_free(head);
}

static an_status make_head(ani_net *net, ani_net_head **out, an_error *err) {
    const ani_backend_ops *ops = net->backend->ops;
    const int64_t kernel = net->head_kernel->count * (int64_t)sizeof(float);
    const int64_t bias = net->head_bias->count * (int64_t)sizeof(float);
    *out = NULL;
    ani_net_head *head = ani_alloc_zero(1, sizeof *head);
    if (!head) return ani_fail_memory(err, sizeof *head, "a head");
    atomic_init(&head->holders, 1);
    head->kernel = ops->alloc(net->backend, kernel);
    head->bias = ops->alloc(net->backend, bias);
    if (!head->kernel || !head->bias) {
        release_head(net, head);
        return ani_backend_fail_memory(net->backend, kernel, "a head", err);
    }
    *out = head;
    return AN_OK;
}

/* Copy the head again, with the turn; like pack(). */
static an_status copy_head(ani_net *net, ani_net_head **out, an_error *err) {
    pthread_mutex_lock(&net->lock);
    ani_net_head *head = net->head;
    net->head = NULL;
    pthread_mutex_unlock(&net->lock);
    if (head && atomic_load(&head->holders) > 1) {
        release_head(net, head);
        head = NULL;
    }
    if (!head) {
        an_status st = make_head(net, &head, err);
        if (st) return st;
    }
    copy_floats(net, head->kernel, net->head_kernel);
    copy_floats(net, head->bias, net->head_bias);
    head->version = net->head_version;
    atomic_fetch_add(&head->holders, 1);
    pthread_mutex_lock(&net->lock);
    net->head = head;
    pthread_mutex_unlock(&net->lock);
    *out = head;
    return AN_OK;
}

/* --- contexts --------------------------------------------------------------------------------- */

an_status ani_net_context_create(ani_net_context **out, ani_net *net, an_error *err) {
    *out = NULL;
    an_status st = ani_backend_check(net->backend, err);
    if (st) return st;
    *out = ani_alloc_zero(1, sizeof **out);
    return *out ? AN_OK : ani_fail_memory(err, sizeof **out, "buffers for predictions");
}

void ani_net_context_destroy(ani_net *net, ani_net_context *context) {
    if (!context) return;
    for (int32_t i = 0; i < ANI_INFERENCES; i++)
        net->backend->ops->infer_buffers_destroy(net->backend, context->buffers[i]);
    ani_net_context_let_go(net, context);
    ani_net_memory_clear(net, &context->memory);
    ani_free(context);
}

an_status ani_net_context_take(ani_net_context **out, ani_net *net, an_error *err) {
    an_status st = ani_backend_check(net->backend, err);
    *out = NULL;
    if (st) return st;
    pthread_mutex_lock(&net->lock);
    ani_net_context *context = net->contexts;
    if (context) net->contexts = context->next;
    an_cancel *cancel = net->cancel;
    ani_cancel_hold(cancel);
    pthread_mutex_unlock(&net->lock);
    if (!context) st = ani_net_context_create(&context, net, err);
    if (!st) ani_watch_begin(&context->own, cancel);
    an_cancel_destroy(cancel);
    *out = context;
    return st;
}

void ani_net_context_begin_watch(ani_net_context *context, an_cancel *cancel) {
    ani_watch_begin(&context->own, cancel);
}

void ani_net_context_use_watch(ani_net_context *context, ani_watch *watch) {
    context->watch = watch;
}

ani_watch *ani_net_context_watch(ani_net_context *context) {
    return context->watch ? context->watch : &context->own;
}

void ani_net_context_give(ani_net *net, ani_net_context *context) {
    if (!context) return;
    ani_net_context_let_go(net, context);
    pthread_mutex_lock(&net->lock);
    context->next = net->contexts;
    net->contexts = context;
    pthread_mutex_unlock(&net->lock);
}

/* Make the buffers that predictions with the held weights need. */
static an_status make_buffers(ani_net *net, ani_net_context *context, an_error *err) {
    const ani_backend_ops *ops = net->backend->ops;
    const int32_t kind = context->packed->kind;
    if (context->buffers[kind]) return AN_OK;
    /* One way to predict is enough: buffers for any other are not kept. */
    for (int32_t i = 0; i < ANI_INFERENCES; i++) {
        ops->infer_buffers_destroy(net->backend, context->buffers[i]);
        context->buffers[i] = NULL;
    }
    return ops->infer_buffers_create(net->backend, &context->buffers[kind], context->packed->infer,
                                     err);
}

/* Take references to base and head if both were packed from the current weights, so that they
 * match. */
static bool find_latest(ani_net *net, ani_net_context *context, int32_t kind) {
    pthread_mutex_lock(&net->lock);
    if (kind == ANI_PREDICT_AS_SET) kind = net->inference;
    ani_net_packed *packed = kind == ANI_PREDICT_HEAD ? NULL : net->packed[kind];
    ani_net_head *head = net->head;
    const bool found = head && head->version == net->head_version &&
                       (kind == ANI_PREDICT_HEAD || (packed && packed->version == net->version));
    if (found) {
        atomic_fetch_add(&head->holders, 1);
        if (packed) atomic_fetch_add(&packed->holders, 1);
        context->head = head;
        context->packed = packed;
    }
    pthread_mutex_unlock(&net->lock);
    return found;
}

/* The same with the turn: what is outdated is repacked. */
static an_status make_latest(ani_net *net, ani_net_context *context, int32_t kind, an_error *err) {
    an_status st = AN_OK;
    if (kind == ANI_PREDICT_AS_SET) kind = net->inference;
    if (kind != ANI_PREDICT_HEAD) {
        ani_net_packed *packed = net->packed[kind];
        if (packed && packed->version == net->version) {
            atomic_fetch_add(&packed->holders, 1);
            context->packed = packed;
        } else {
            st = pack(net, kind, &context->packed, err);
        }
    }
    if (!st) st = copy_head(net, &context->head, err);
    return st;
}

an_status ani_net_context_hold(ani_net *net, ani_net_context *context, int32_t kind, bool with_turn,
                               an_error *err) {
    an_status st = ani_backend_check(net->backend, err);
    if (st) return st;
    if (!find_latest(net, context, kind)) {
        st = with_turn ? AN_OK : ani_turns_take(&net->turns, ani_net_context_watch(context), err);
        if (st) goto done;
        if (with_turn || !find_latest(net, context, kind))
            st = make_latest(net, context, kind, err);
        if (!with_turn) ani_turns_give(&net->turns);
    }
    if (!st && context->packed) st = make_buffers(net, context, err);
done:
    if (st) ani_net_context_let_go(net, context);
    return st;
}

void ani_net_context_let_go(ani_net *net, ani_net_context *context) {
    release_packed(net, context->packed);
    release_head(net, context->head);
    context->packed = NULL;
    context->head = NULL;
    ani_watch_end(&context->own);
    context->watch = NULL;
}

/* --- how predictions are made ----------------------------------------------------------------- */

void ani_net_forget_ranges(ani_net *net) {
    pthread_mutex_lock(&net->lock);
    ani_net_packed *packed = net->packed[AN_INFERENCE_INT8];
    const ani_calibrated old = net->calibrated;
    net->packed[AN_INFERENCE_INT8] = NULL;
    net->calibrated = (ani_calibrated){0};
    if (net->inference == AN_INFERENCE_INT8) net->inference = AN_INFERENCE_FP32;
    pthread_mutex_unlock(&net->lock);
    release_packed(net, packed);
    ani_free((void *)(uintptr_t)old.ranges);
    ani_free((void *)(uintptr_t)old.means);
}

/* Release what is packed for all kinds but one; -1: for all. */
static void release_others(ani_net *net, int32_t kind) {
    ani_net_packed *old[ANI_INFERENCES] = {0};
    pthread_mutex_lock(&net->lock);
    for (int32_t i = 0; i < ANI_INFERENCES; i++) {
        if (i == kind) continue;
        old[i] = net->packed[i];
        net->packed[i] = NULL;
    }
    if (kind >= 0) net->inference = kind;
    pthread_mutex_unlock(&net->lock);
    for (int32_t i = 0; i < ANI_INFERENCES; i++)
        release_packed(net, old[i]);
}

void ani_net_set_inference(ani_net *net, int32_t inference) {
    release_others(net, inference);
}

void ani_net_release_packed(ani_net *net) {
    release_others(net, -1);
}

an_status ani_net_share_packed(ani_net *net, ani_net *from, an_error *err) {
    const int32_t kind = ani_net_inference(from);
    ani_net_packed *packed = NULL;
    ani_net_head *head = NULL;
    an_status st = AN_OK;
    if (!from->packed[kind] || from->packed[kind]->version != from->version)
        st = pack(from, kind, &packed, err);
    if (!st && (!from->head || from->head->version != from->head_version))
        st = copy_head(from, &head, err);
    release_packed(from, packed);
    release_head(from, head);
    if (st) return st;
    pthread_mutex_lock(&from->lock);
    net->version = from->version;
    net->head_version = from->head_version;
    for (int32_t i = 0; i < ANI_INFERENCES; i++) {
        if (!from->packed[i] || from->packed[i]->version != from->version) continue;
        net->packed[i] = from->packed[i];
        atomic_fetch_add(&net->packed[i]->holders, 1);
    }
    net->head = from->head;
    atomic_fetch_add(&net->head->holders, 1);
    pthread_mutex_unlock(&from->lock);
    return AN_OK;
}

int32_t ani_net_inference(ani_net *net) {
    pthread_mutex_lock(&net->lock);
    const int32_t inference = net->inference;
    pthread_mutex_unlock(&net->lock);
    return inference;
}

bool ani_net_is_calibrated(ani_net *net) {
    pthread_mutex_lock(&net->lock);
    const bool calibrated = net->calibrated.ranges != NULL;
    pthread_mutex_unlock(&net->lock);
    return calibrated;
}

void ani_net_share_clear(ani_net *net) {
    while (net->contexts) {
        ani_net_context *context = net->contexts;
        net->contexts = context->next;
        ani_net_context_destroy(net, context);
    }
    for (int32_t i = 0; i < ANI_INFERENCES; i++)
        release_packed(net, net->packed[i]);
    release_head(net, net->head);
    ani_free((void *)(uintptr_t)net->calibrated.ranges);
    ani_free((void *)(uintptr_t)net->calibrated.means);
}
