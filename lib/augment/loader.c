/* SPDX-License-Identifier: MIT
 * Batches prefetched by threads. A batch is a slot of a ring; its samples are handed out one by
 * one, so that all threads work on the batch that is needed next. A sample depends only on
 * (options, epoch, place), not on which thread makes it, or when. The samples of a callback are in
 * their slot before they are handed out: the caller's thread has the callback fill in as many
 * batches as there are slots, and the threads only check and augment them. */
#include "augment/loader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "augment/callback.h"
#include "augment/mixup.h"
#include "augment/order.h"
#include "augment/transform.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/thread.h"
#include "dataset/dataset.h"
#include "dataset/scale.h"

enum { MAX_BATCH = 65536, MAX_THREADS = 256, MAX_PREFETCH = 64 };

/* A batch being made or waiting to be taken. */
typedef struct slot {
    int64_t step;    /* which batch of the epoch; -1: none */
    int64_t count;   /* samples */
    int64_t claimed; /* samples handed out to threads */
    int64_t pending; /* samples not finished */
    float *x;        /* [batch,height,width,3] */
    float *y;        /* [batch,outputs] */
    float *weights;  /* [batch], or NULL */
    int64_t *samples;
    ani_transform *transforms; /* drawn when the slot is set up (KERAS, LEGACY), else NULL */
    an_error *errors;          /* [batch]: status AN_OK, or why the sample has no pixels */
} slot;

/* The memory of one thread. */
typedef struct scratch {
    uint8_t *pixels;
    float *scaled; /* for Keras' brightness, or if a callback's floats are augmented; else NULL */
    float *other;  /* an image to be mixed in; NULL: none is */
} scratch;

typedef struct worker {
    an_loader *loader;
    int32_t number;
} worker;

struct an_loader {
    atomic_int references;
    atomic_bool claimed;        /* the loader is being read */
    an_cancel *cancel;          /* reference held; NULL: none */
    ani_watch own;              /* of that flag, during a call on the loader */
    ani_watch *watch;           /* of the call that reads it */
    int64_t process;            /* that made it and has its threads */
    an_dataset *dataset;        /* NULL: samples come from the callback */
    ani_callback callback;      /* all zero with a data set */
    an_release_fn release;      /* of the callback, at the end; NULL: none */
    ani_loader_share share;     /* of each batch that is made, while it is claimed */
    an_loader *parent;          /* claimed as long as this one exists: it has the same callback */
    an_loader_options options;  /* augment: the next field */
    an_augment_options augment; /* its lists are owned */
    ani_mixup mixup;            /* alpha 0: none */
    int64_t *indices;           /* [count] samples of the data set */
    int64_t *places;            /* [count] of indices, in the order of the epoch */
    ani_order order;
    ani_scaling scaling;
    ani_pixels pixels; /* kernels */
    int64_t image;     /* values of an image */
    int32_t outputs;
    bool has_weights;
    slot *slots;
    int64_t slot_count;
    const slot *given;  /* what an_loader_next() returned last, or NULL; only its caller uses it */
    scratch *scratches; /* [threads + 1], the last one for the caller */
    pthread_t *threads;
    worker *workers;
    int32_t started;

    pthread_mutex_t lock;   /* guards all below, and the counters of slots */
    pthread_cond_t work;    /* there is a sample to claim, or the loader is being destroyed */
    pthread_cond_t changed; /* a batch is finished, or no thread is working */
    bool begun;
    bool paused; /* nothing may be claimed */
    bool stop;
    int64_t epoch;
    int64_t next;    /* batch that the caller gets next */
    int64_t held;    /* first batch whose slot must be kept: the one that the caller has, or next */
    int64_t filled;  /* first batch that waits for the callback; with a data set none does */
    int64_t filling; /* batch whose samples are being handed out */
    int64_t busy;    /* threads working on a sample */
    ani_mt19937 first; /* stream of batch 0 (KERAS, LEGACY) */
};

/* --- options --------------------------------------------------------------------------------- */

void an_loader_options_init(an_loader_options *options, uint32_t struct_size) {
    const an_loader_options defaults = {.struct_size = sizeof defaults,
                                        .batch_size = 32,
                                        .scale = AN_SCALE_UNIT,
                                        .threads = 1,
                                        .prefetch = 2,
                                        .seed = 42,
                                        .iterator = AN_ITERATOR_NEXT,
                                        .mixup_bandwidth = 0.5};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

static an_status check_range(const char *field, int32_t value, int32_t low, int32_t high,
                             an_error *err) {
    if (value >= low && value <= high) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "an_loader_options: %s is %d; it must be %d to %d", field,
                    (int)value, (int)low, (int)high);
}

static an_status check_mixup(const an_loader_options *o, int32_t mode, an_error *err) {
    if (!(o->mixup >= 0 && o->mixup <= 100))
        return ani_fail(err, AN_ERR_ARG, "an_loader_options: mixup is %g; it must be 0 to 100",
                        o->mixup);
    if (!(o->mixup_bandwidth >= 0 && o->mixup_bandwidth <= 1e6))
        return ani_fail(err, AN_ERR_ARG,
                        "an_loader_options: mixup_bandwidth is %g; it must be 0 to 1e6",
                        o->mixup_bandwidth);
    if (o->mixup > 0 && (mode == AN_AUGMENT_KERAS || mode == AN_AUGMENT_LEGACY))
        return ani_fail(err, AN_ERR_ARG,
                        "an_loader_options: mixup with augmentation in mode %d; it needs "
                        "AN_AUGMENT_FAST, %d, or NONE",
                        (int)mode, (int)AN_AUGMENT_FAST);
    return AN_OK;
}

static an_status read_options(an_loader_options *o, an_augment_options *augment,
                              const an_loader_options *options, an_error *err) {
    an_loader_options_init(o, sizeof *o);
    an_augment_options_init(augment, sizeof *augment);
    an_status st = ani_options_copy(o, sizeof *o, options, "an_loader_options", err);
    if (!st) st = check_range("batch_size", o->batch_size, 1, MAX_BATCH, err);
    if (!st) st = check_range("shuffle", o->shuffle, 0, 1, err);
    if (!st) st = check_range("drop_last", o->drop_last, 0, 1, err);
    if (!st) st = check_range("threads", o->threads, 0, MAX_THREADS, err);
    if (!st) st = check_range("prefetch", o->prefetch, 1, MAX_PREFETCH, err);
    if (!st) st = check_range("iterator", o->iterator, AN_ITERATOR_NEXT, AN_ITERATOR_ITEM, err);
    if (!st) st = check_range("reserved", o->reserved, 0, 0, err);
    if (!st) st = ani_options_copy(augment, sizeof *augment, o->augment, "an_augment_options", err);
    if (!st) st = ani_augment_check(augment, err);
    if (!st) st = check_mixup(o, augment->mode, err);
    o->augment = NULL;
    return st;
}

static bool is_keras(const an_loader *b) {
    return b->augment.mode == AN_AUGMENT_KERAS || b->augment.mode == AN_AUGMENT_LEGACY;
}

/* Keras' brightness truncates fractions, so the last bit matters and the reference form is used. */
static bool needs_reference(const an_loader *b) {
    const an_augment_options *augment = &b->augment;
    return is_keras(b) && (augment->brightness_low != 0.0 || augment->brightness_high != 0.0);
}

/* --- making samples -------------------------------------------------------------------------- */

/* The first sample of a part of a batch; that of the part after it is its end. */
static int64_t share_begin(const an_loader *b, int64_t step, int32_t part) {
    return ani_order_batch(&b->order, step) * part / b->share.parts;
}

/* The samples of a batch that are made. */
static int64_t share_size(const an_loader *b, int64_t step) {
    return share_begin(b, step, b->share.part + 1) - share_begin(b, step, b->share.part);
}

/* Set up the slot of a batch. The lock is held. */
static slot *set_up(an_loader *b, int64_t step) {
    slot *s = &b->slots[step % b->slot_count];
    const int64_t first = share_begin(b, step, b->share.part);
    const int64_t *places = b->places + step * b->order.batch + first;
    s->step = step;
    s->count = s->pending = share_size(b, step);
    s->claimed = 0;
    for (int64_t i = 0; i < s->count; i++)
        s->samples[i] = b->indices[places[i]];
    if (!s->transforms) return s;
    ani_mt19937 mt = b->first;
    ani_transform other; /* of a part that is not made: the stream goes through all of them */
    if (step > 0) ani_order_stream(&b->order, b->epoch, step, &mt);
    for (int64_t i = -first; i < s->count; i++)
        ani_transform_draw(i < 0 ? &other : &s->transforms[i], &b->augment, b->order.height,
                           b->order.width, &mt);
    return s;
}

/* Return the number after the last batch that has a slot. */
static int64_t slots_end(const an_loader *b) {
    const int64_t end = b->held + b->slot_count;
    return end < b->order.steps ? end : b->order.steps;
}

/* Whether there is a sample to be made. Batches without any are set up on the way. */
static bool can_claim(an_loader *b) {
    while (!b->paused && b->filling < b->filled && b->filling < slots_end(b)) {
        if (share_size(b, b->filling)) return true;
        set_up(b, b->filling++);
    }
    return false;
}

/* Take the next sample to be made: its slot, and its index in *k. The lock is held and can_claim()
 * is true. */
static slot *claim(an_loader *b, int64_t *k) {
    slot *s = &b->slots[b->filling % b->slot_count];
    if (s->step != b->filling) set_up(b, b->filling);
    *k = s->claimed++;
    if (s->claimed == s->count) b->filling++;
    b->busy++;
    return s;
}

/* The transform of a sample in mode FAST or NONE. */
static ani_transform plain_transform(const an_loader *b, int64_t sample) {
    ani_transform transform;
    if (b->augment.mode == AN_AUGMENT_FAST)
        ani_transform_draw_plain(&transform, &b->augment, b->order.height, b->order.width,
                                 b->options.seed, b->epoch, sample);
    else
        ani_transform_init(&transform);
    return transform;
}

/* The transform of the sample at index k. */
static ani_transform transform_of(const an_loader *b, const slot *s, int64_t k) {
    return s->transforms ? s->transforms[k] : plain_transform(b, s->samples[k]);
}

/* Mix the sample at index k with its pair. */
static an_status mix(an_loader *b, slot *s, int64_t k, const scratch *mine, an_error *err) {
    double share;
    int64_t place;
    ani_mixup_draw(&b->mixup, b->dataset, b->epoch, s->samples[k], &share, &place);
    const int64_t other = b->indices[place];
    const uint8_t *rgb;
    if (ani_dataset_is_skipped(b->dataset, other)) return AN_OK;
    const an_status st = ani_dataset_view(b->dataset, other, mine->pixels, &rgb, err);
    if (st) return ani_dataset_may_skip(b->dataset, st) ? AN_OK : st;
    const ani_transform transform = plain_transform(b, other);
    ani_transform_fast(mine->other, rgb, b->order.height, b->order.width, &transform,
                       ani_geometry(b->augment.mode), b->augment.fill, (float)b->augment.fill_value,
                       &b->scaling, &b->pixels);
    float *x = s->x + k * b->image;
    const float kept = (float)share, taken = (float)(1 - share);
    for (int64_t i = 0; i < b->image; i++)
        x[i] = kept * x[i] + taken * mine->other[i];
    for (int32_t i = 0; i < b->outputs; i++)
        s->y[k * b->outputs + i] = (float)(share * an_dataset_score(b->dataset, s->samples[k], i) +
                                           (1 - share) * an_dataset_score(b->dataset, other, i));
    if (s->weights)
        s->weights[k] = (float)(share * an_dataset_weight(b->dataset, s->samples[k]) +
                                (1 - share) * an_dataset_weight(b->dataset, other));
    return AN_OK;
}

/* Make the pixels and numbers of one sample of the data set. */
static an_status make(an_loader *b, slot *s, int64_t k, const scratch *mine, an_error *err) {
    const an_augment_options *augment = &b->augment;
    const int64_t height = b->order.height, width = b->order.width, sample = s->samples[k];
    float *x = s->x + k * b->image;
    for (int32_t i = 0; i < b->outputs; i++)
        s->y[k * b->outputs + i] = (float)an_dataset_score(b->dataset, sample, i);
    if (s->weights) s->weights[k] = (float)an_dataset_weight(b->dataset, sample);
    if (ani_dataset_is_skipped(b->dataset, sample))
        return ani_fail(err, AN_ERR_FORMAT, "'%s' was left out before",
                        an_dataset_name(b->dataset, sample));
    const uint8_t *rgb;
    const an_status st = ani_dataset_view(b->dataset, sample, mine->pixels, &rgb, err);
    if (st) return st;
    const ani_transform transform = transform_of(b, s, k);
    const int geometry = ani_geometry(augment->mode);
    const float fill_value = (float)augment->fill_value;
    if (!mine->scaled) {
        ani_transform_fast(x, rgb, height, width, &transform, geometry, augment->fill, fill_value,
                           &b->scaling, &b->pixels);
        return b->mixup.alpha > 0 ? mix(b, s, k, mine, err) : AN_OK;
    }
    for (int64_t i = 0; i < b->image; i++)
        mine->scaled[i] = b->scaling.tables[256 * (i % 3) + rgb[i]];
    ani_transform_apply(x, mine->scaled, height, width, 3, &transform, geometry, augment->fill,
                        fill_value);
    return AN_OK;
}

static an_fill_batch batch_of(const an_loader *b, const slot *s) {
    return (an_fill_batch){.struct_size = sizeof(an_fill_batch),
                           .epoch = b->epoch,
                           .step = s->step,
                           .n = s->count,
                           .samples = s->samples,
                           .x = s->x,
                           .y = s->y,
                           .weights = s->weights};
}

/* Check a sample that the callback filled in, and augment it. */
static an_status finish(an_loader *b, slot *s, int64_t k, const scratch *mine, an_error *err) {
    const an_augment_options *augment = &b->augment;
    const int64_t height = b->order.height, width = b->order.width;
    const an_fill_batch batch = batch_of(b, s);
    float *x = s->x + k * b->image;
    const an_status st = ani_callback_check(&b->callback, &batch, k, err);
    if (st || !mine->scaled) return st;
    const ani_transform transform = transform_of(b, s, k);
    const int geometry = ani_geometry(augment->mode);
    const float fill_value = (float)augment->fill_value;
    memcpy(mine->scaled, x, (size_t)b->image * sizeof *x);
    if (needs_reference(b))
        ani_transform_apply(x, mine->scaled, height, width, 3, &transform, geometry, augment->fill,
                            fill_value);
    else
        ani_transform_values(x, mine->scaled, mine->pixels, height, width, &transform, geometry,
                             augment->fill, fill_value, &b->scaling, &b->pixels);
    return AN_OK;
}

/* Claim one sample and make it; the lock is released meanwhile. */
static void work_once(an_loader *b, const scratch *mine) {
    int64_t k;
    slot *s = claim(b, &k);
    pthread_mutex_unlock(&b->lock);
    /* Without the lock: no other thread touches this sample. */
    an_error *error = &s->errors[k];
    error->status = b->dataset ? make(b, s, k, mine, error) : finish(b, s, k, mine, error);
    pthread_mutex_lock(&b->lock);
    b->busy--;
    s->pending--;
    if (s->pending == 0 || b->busy == 0) pthread_cond_signal(&b->changed);
}

static void *worker_main(void *argument) {
    const worker *self = argument;
    an_loader *b = self->loader;
    pthread_mutex_lock(&b->lock);
    while (!b->stop) {
        if (can_claim(b))
            work_once(b, &b->scratches[self->number]);
        else
            pthread_cond_wait(&b->work, &b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* --- making the source ----------------------------------------------------------------------- */

static an_status take_indices(an_loader *b, const int64_t *indices, int64_t count, an_error *err) {
    const int64_t there = b->dataset ? an_dataset_count(b->dataset) : b->callback.source.count;
    int64_t size;
    if (!indices && count)
        return ani_fail(
            err, AN_ERR_ARG,
            "indices is NULL and count is %lld; give as many indices, or 0 for all %lld "
            "samples",
            (long long)count, (long long)there);
    if (!indices) count = there;
    if (count < 1)
        return ani_fail(err, AN_ERR_ARG, "count is %lld; batches need at least 1 sample",
                        (long long)count);
    if (!ani_mul_size(count, sizeof *b->indices, &size)) size = -1;
    b->indices = ani_alloc(size);
    b->places = ani_alloc(size);
    if (!b->indices || !b->places) return ani_fail_memory(err, size, "a list of samples");
    for (int64_t i = 0; i < count; i++) {
        b->indices[i] = indices ? indices[i] : i;
        if (b->indices[i] < 0 || b->indices[i] >= there)
            return ani_fail(err, AN_ERR_ARG, "indices[%lld] is %lld; the data set has %lld samples",
                            (long long)i, (long long)b->indices[i], (long long)there);
    }
    const int64_t batch = b->options.batch_size < count ? b->options.batch_size : count;
    b->order.options = &b->options;
    b->order.count = count;
    b->order.batch = batch;
    b->order.steps = b->options.drop_last ? count / batch : (count + batch - 1) / batch;
    return AN_OK;
}

/* The caller's lists of shifts are valid only during the call: keep copies. */
static an_status copy_choices(const double **choices, const double *theirs, int64_t count,
                              an_error *err) {
    if (!count) return AN_OK;
    const int64_t size = count * (int64_t)sizeof *theirs;
    double *ours = ani_alloc(size);
    if (!ours) return ani_fail_memory(err, size, "a list of shifts");
    memcpy(ours, theirs, (size_t)size);
    *choices = ours;
    return AN_OK;
}

static an_status make_slots(an_loader *b, an_error *err) {
    const int64_t batch = b->order.batch;
    int64_t size;
    b->slot_count = b->options.threads ? b->options.prefetch + 1 : 1;
    if (!ani_mul_size(batch * (int64_t)sizeof(float), b->image, &size)) size = -1;
    b->slots = ani_alloc_zero(b->slot_count, sizeof *b->slots);
    if (!b->slots) return ani_fail_memory(err, size, "batches");
    for (int64_t i = 0; i < b->slot_count; i++) {
        slot *s = &b->slots[i];
        s->step = -1;
        s->x = ani_alloc_large(size);
        s->y = ani_alloc_zero(batch * b->outputs, sizeof *s->y);
        s->samples = ani_alloc_zero(batch, sizeof *s->samples);
        s->errors = ani_alloc_zero(batch, sizeof *s->errors);
        if (b->has_weights) s->weights = ani_alloc_zero(batch, sizeof *s->weights);
        if (is_keras(b)) s->transforms = ani_alloc_zero(batch, sizeof *s->transforms);
        if (!s->x || !s->y || !s->samples || !s->errors || (b->has_weights && !s->weights) ||
            (is_keras(b) && !s->transforms))
            return ani_fail_memory(err, size, "a batch");
    }
    return AN_OK;
}

static an_status make_threads(an_loader *b, an_error *err) {
    const int32_t count = b->options.threads;
    b->scratches = ani_alloc_zero(count + 1, sizeof *b->scratches);
    b->threads = ani_alloc_zero(count, sizeof *b->threads);
    b->workers = ani_alloc_zero(count, sizeof *b->workers);
    if (!b->scratches || !b->threads || !b->workers)
        return ani_fail_memory(err, count * (int64_t)sizeof *b->threads, "threads");
    const bool augments = !b->dataset && ani_augment_is_active(&b->augment);
    const bool scales = augments || (b->dataset && needs_reference(b));
    for (int32_t i = 0; i <= count; i++) {
        scratch *mine = &b->scratches[i];
        mine->pixels = ani_alloc(b->dataset || augments ? b->image : 0);
        if (scales) mine->scaled = ani_alloc_zero(b->image, sizeof *mine->scaled);
        if (b->mixup.alpha > 0) mine->other = ani_alloc_zero(b->image, sizeof *mine->other);
        if (!mine->pixels || (scales && !mine->scaled) || (b->mixup.alpha > 0 && !mine->other))
            return ani_fail_memory(err, b->image, "an image");
    }
    while (b->started < count) {
        worker *self = &b->workers[b->started];
        *self = (worker){b, b->started};
        if (ani_thread_start(&b->threads[b->started], "an-loader", worker_main, self))
            return ani_fail(err, AN_ERR_NOMEM, "cannot start thread %d of %d", (int)b->started + 1,
                            (int)count);
        b->started++;
    }
    return AN_OK;
}

/* What a loader takes its samples from: a data set, or else a callback's source. */
static an_status take_samples(an_loader *b, an_dataset *dataset, const an_loader_source *source,
                              an_error *err) {
    if (dataset) {
        ani_dataset_hold(dataset);
        b->dataset = dataset;
        b->order.height = an_dataset_height(dataset);
        b->order.width = an_dataset_width(dataset);
        b->outputs = an_dataset_outputs(dataset);
        b->has_weights = an_dataset_has_weights(dataset);
    } else {
        const an_status st = ani_callback_take(&b->callback, source, &b->scaling, err);
        if (st) return st;
        b->order.height = b->callback.source.height;
        b->order.width = b->callback.source.width;
        b->outputs = b->callback.source.outputs;
        b->has_weights = b->callback.source.weighted;
    }
    b->image = b->order.height * b->order.width * 3;
    return AN_OK;
}

static an_status create(an_loader **out, an_dataset *dataset, const an_loader_source *source,
                        const int64_t *indices, int64_t count, const an_loader_options *options,
                        an_error *err) {
    an_loader *b = NULL;
    an_loader_options checked;
    an_augment_options augment;
    ani_scaling scaling;
    an_status st = read_options(&checked, &augment, options, err);
    if (!st && checked.mixup > 0 && !dataset)
        st = ani_fail(err, AN_ERR_ARG,
                      "an_loader_options: mixup is %g for a callback; it needs a data set",
                      checked.mixup);
    if (!st) st = ani_scaling_fill(&scaling, checked.scale, err);
    if (st) return st;

    b = ani_alloc_zero(1, sizeof *b);
    if (!b) return ani_fail_memory(err, sizeof *b, "a loader");
    atomic_init(&b->references, 1);
    b->process = ani_process();
    b->options = checked;
    b->augment = augment;
    b->options.augment = &b->augment;
    b->augment.width_shifts = b->augment.height_shifts = NULL;
    b->scaling = scaling;
    ani_pixels_init(&b->pixels, ani_cpu_mask(NULL));
    b->share.parts = 1;
    b->paused = true; /* until an epoch begins */
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->work, NULL);
    ani_watch_condition(&b->changed);
    st = take_samples(b, dataset, source, err);
    if (st) goto done;
    st = copy_choices(&b->augment.width_shifts, augment.width_shifts, augment.width_shift_count,
                      err);
    if (st) goto done;
    st = copy_choices(&b->augment.height_shifts, augment.height_shifts, augment.height_shift_count,
                      err);
    if (st) goto done;
    st = take_indices(b, indices, count, err);
    if (st) goto done;
    if (dataset)
        st = ani_mixup_create(&b->mixup, &b->options, dataset, b->indices, b->order.count, err);
    if (st) goto done;
    st = make_slots(b, err);
    if (st) goto done;
    st = make_threads(b, err);
    if (st) goto done;
    *out = b;
    b = NULL;
done:
    an_loader_destroy(b);
    return st;
}

an_status an_loader_create(an_loader **out, an_dataset *dataset, const int64_t *indices,
                           int64_t count, const an_loader_options *options, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!dataset) return ani_fail(err, AN_ERR_ARG, "dataset is NULL");
    return create(out, dataset, NULL, indices, count, options, err);
}

an_status an_loader_create_from_callback(an_loader **out, const an_loader_source *source,
                                         const an_loader_options *options, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!source) return ani_fail(err, AN_ERR_ARG, "source is NULL");
    const an_status st = create(out, NULL, source, NULL, 0, options, err);
    if (!st) (*out)->release = (*out)->callback.source.release;
    return st;
}

/* Free a list made by copy_choices(). */
static void free_choices(const double *choices) {
    union {
        const double *kept;
        void *owned;
    } pointer = {choices};
    ani_free(pointer.owned);
}

/* A child of the process that started the threads has none, and their lock is left as it is. */
static void stop_threads(an_loader *b) {
    if (b->process != ani_process()) return;
    pthread_mutex_lock(&b->lock);
    b->stop = true;
    pthread_cond_broadcast(&b->work);
    pthread_mutex_unlock(&b->lock);
    for (int32_t i = 0; i < b->started; i++)
        pthread_join(b->threads[i], NULL);
    pthread_cond_destroy(&b->changed);
    pthread_cond_destroy(&b->work);
    pthread_mutex_destroy(&b->lock);
}

void an_loader_destroy(an_loader *loader) {
    if (!loader || atomic_fetch_sub(&loader->references, 1) > 1) return;
    an_loader *b = loader;
    stop_threads(b);
    const int64_t x_size = b->order.batch * (int64_t)sizeof(float) * b->image;
    for (int64_t i = 0; b->slots && i < b->slot_count; i++) {
        ani_free_large(b->slots[i].x, x_size);
        ani_free(b->slots[i].y);
        ani_free(b->slots[i].weights);
        ani_free(b->slots[i].samples);
        ani_free(b->slots[i].transforms);
        ani_free(b->slots[i].errors);
    }
    for (int32_t i = 0; b->scratches && i <= b->options.threads; i++) {
        ani_free(b->scratches[i].pixels);
        ani_free(b->scratches[i].scaled);
        ani_free(b->scratches[i].other);
    }
    ani_free(b->slots);
    ani_free(b->scratches);
    ani_free(b->threads);
    ani_free(b->workers);
    ani_free(b->indices);
    ani_free(b->places);
    ani_mixup_clear(&b->mixup);
    free_choices(b->augment.width_shifts);
    free_choices(b->augment.height_shifts);
    an_cancel_destroy(b->cancel);
    if (b->release) b->release(b->callback.source.user);
    ani_callback_clear(&b->callback);
    an_dataset_destroy(b->dataset);
    if (b->parent) ani_loader_release(b->parent);
    an_loader_destroy(b->parent);
    ani_free(b);
}

/* --- epochs ---------------------------------------------------------------------------------- */

/* Take the lock, with no thread at work and nothing to claim. */
static void pause_work(an_loader *b) {
    pthread_mutex_lock(&b->lock);
    b->paused = true;
    while (b->busy)
        pthread_cond_wait(&b->changed, &b->lock);
}

an_status ani_loader_claim(an_loader *loader, an_error *err) {
    an_status st = ani_process_check(loader->process, "the loader", err);
    if (st) return st;
    if (atomic_exchange(&loader->claimed, true))
        return ani_fail(err, AN_ERR_ARG,
                        "the loader is being read by another call, on another thread or below "
                        "this one; make another one for it");
    ani_watch_begin(&loader->own, loader->cancel);
    loader->watch = &loader->own;
    return AN_OK;
}

void ani_loader_release(an_loader *loader) {
    ani_watch_end(&loader->own);
    loader->watch = NULL;
    if (loader->share.parts > 1) /* what is prefetched is a part */
        ani_loader_use_share(loader, &(ani_loader_share){.parts = 1});
    atomic_store(&loader->claimed, false);
}

void ani_loader_use_watch(an_loader *loader, ani_watch *watch) {
    loader->watch = watch;
}

void ani_loader_use_share(an_loader *loader, const ani_loader_share *share) {
    pause_work(loader);
    loader->share = *share;
    loader->begun = false;
    pthread_mutex_unlock(&loader->lock);
}

an_status an_loader_set_cancel(an_loader *loader, an_cancel *cancel, an_error *err) {
    if (!loader) return ani_fail(err, AN_ERR_ARG, "loader is NULL");
    an_status st = ani_loader_claim(loader, err);
    if (st) return st;
    ani_cancel_hold(cancel);
    an_cancel_destroy(loader->cancel);
    loader->cancel = cancel;
    ani_loader_release(loader);
    return AN_OK;
}

an_status an_loader_begin(an_loader *loader, int64_t epoch, int64_t first, an_error *err) {
    if (!loader) return ani_fail(err, AN_ERR_ARG, "loader is NULL");
    an_status st = ani_loader_claim(loader, err);
    if (st) return st;
    st = ani_loader_begin(loader, epoch, first, err);
    ani_loader_release(loader);
    return st;
}

an_status ani_loader_begin(an_loader *loader, int64_t epoch, int64_t first, an_error *err) {
    an_loader *b = loader;
    if (epoch < 0)
        return ani_fail(err, AN_ERR_ARG, "epoch is %lld; it must be at least 0", (long long)epoch);
    if (first < 0 || first > b->order.steps)
        return ani_fail(err, AN_ERR_ARG,
                        "first is %lld; it must be 0 to %lld, the batches of an epoch",
                        (long long)first, (long long)b->order.steps);
    pause_work(b);
    ani_order_epoch(&b->order, epoch, b->places, &b->first);
    for (int64_t i = 0; i < b->slot_count; i++)
        b->slots[i].step = -1;
    b->epoch = epoch;
    b->next = b->held = b->filling = first;
    b->filled = b->dataset ? b->order.steps : first;
    b->given = NULL;
    b->begun = true;
    b->paused = false;
    pthread_cond_broadcast(&b->work);
    pthread_mutex_unlock(&b->lock);
    return AN_OK;
}

/* Have the callback fill in all batches that have a free slot. The lock is held, and released
 * meanwhile. Batches that the callback refuses to fill wait for the next call. */
static an_status fill_slots(an_loader *b, an_error *err) {
    an_status st = AN_OK;
    while (!st && b->filled < slots_end(b)) {
        const slot *s = set_up(b, b->filled);
        const an_fill_batch batch = batch_of(b, s);
        pthread_mutex_unlock(&b->lock);
        if (batch.n) st = ani_callback_fill(&b->callback, &batch, err);
        pthread_mutex_lock(&b->lock);
        if (!st) b->filled++;
        pthread_cond_broadcast(&b->work);
        if (!st) st = ani_watch_check(b->watch, err);
    }
    return st;
}

/* Wait for the next batch, making samples while there are any to make. AN_DONE at the end of the
 * epoch. */
static an_status wait_for_batch(an_loader *b, slot **out, an_error *err) {
    an_status st = b->next < b->order.steps ? ani_watch_check(b->watch, err) : AN_DONE;
    if (st) return st;
    pthread_mutex_lock(&b->lock);
    b->held = b->next; /* the slot of the previous batch may be reused */
    pthread_cond_broadcast(&b->work);
    if (!b->dataset) st = fill_slots(b, err);
    slot *s = *out = &b->slots[b->next % b->slot_count];
    while (!st && (s->step != b->next || s->pending)) {
        if (b->filling > b->next)
            ani_watch_wait(b->watch, &b->changed, &b->lock);
        else if (can_claim(b) && b->filling == b->next)
            work_once(b, &b->scratches[b->options.threads]);
        st = ani_watch_check(b->watch, err);
    }
    if (!st) b->next++;
    pthread_mutex_unlock(&b->lock);
    return st;
}

/* Remove the samples without pixels from a batch, or fail with the first of them. */
static an_status leave_out(an_loader *b, slot *s, an_error *err) {
    int64_t kept = 0;
    for (int64_t k = 0; k < s->count; k++) {
        const an_error *error = &s->errors[k];
        if (error->status) {
            if (!b->dataset || !ani_dataset_may_skip(b->dataset, error->status))
                return ani_fail(err, error->status, "%s", error->message);
            const ani_loader_share *share = &b->share;
            an_status st =
                share->skip
                    ? share->skip(share->user, b->dataset, s->samples[k], error->message, err)
                    : ani_dataset_skip(b->dataset, s->samples[k], error->message, err);
            if (st) return st;
            continue;
        }
        if (kept < k) {
            memmove(s->x + kept * b->image, s->x + k * b->image, (size_t)b->image * sizeof *s->x);
            memmove(s->y + kept * b->outputs, s->y + k * b->outputs,
                    (size_t)b->outputs * sizeof *s->y);
            if (s->weights) s->weights[kept] = s->weights[k];
            s->samples[kept] = s->samples[k];
        }
        kept++;
    }
    s->count = kept;
    return AN_OK;
}

an_status an_loader_next(an_loader *loader, const float **x, const float **y,
                         const int64_t **samples, int64_t *n, an_error *err) {
    if (!loader) return ani_fail(err, AN_ERR_ARG, "loader is NULL");
    an_status st = ani_loader_claim(loader, err);
    if (st) return st;
    ani_loader_hold(loader); /* a callback may destroy it */
    st = ani_loader_next(loader, x, y, samples, n, err);
    ani_loader_release(loader);
    an_loader_destroy(loader);
    return st;
}

an_status ani_loader_next(an_loader *loader, const float **x, const float **y,
                          const int64_t **samples, int64_t *n, an_error *err) {
    an_status st = loader->begun ? AN_OK : ani_loader_begin(loader, 0, 0, err);
    slot *s = NULL;
    loader->given = NULL;
    while (!st && (!s || (s->count == 0 && loader->share.parts == 1))) {
        st = wait_for_batch(loader, &s, err);
        if (!st) st = leave_out(loader, s, err);
    }
    if (st) return st;
    loader->given = s;
    if (x) *x = s->x;
    if (y) *y = s->y;
    if (samples) *samples = s->samples;
    if (n) *n = s->count;
    return AN_OK;
}

/* --- getters --------------------------------------------------------------------------------- */

int64_t an_loader_steps(const an_loader *loader) {
    return loader ? loader->order.steps : 0;
}

int64_t an_loader_samples(const an_loader *loader) {
    return loader ? loader->order.count : 0;
}

int32_t an_loader_batch_size(const an_loader *loader) {
    return loader ? loader->options.batch_size : 0;
}

int32_t an_loader_height(const an_loader *loader) {
    return loader ? (int32_t)loader->order.height : 0;
}

int32_t an_loader_width(const an_loader *loader) {
    return loader ? (int32_t)loader->order.width : 0;
}

int32_t an_loader_outputs(const an_loader *loader) {
    return loader ? loader->outputs : 0;
}

int32_t an_loader_scale(const an_loader *loader) {
    return loader ? loader->options.scale : 0;
}

const float *an_loader_batch_weights(const an_loader *loader) {
    return loader && loader->given ? loader->given->weights : NULL;
}

int32_t an_loader_has_weights(const an_loader *loader) {
    return loader && loader->has_weights;
}

int32_t an_loader_is_plain(const an_loader *loader) {
    return loader && !ani_augment_is_active(&loader->augment) && !loader->callback.source.varies &&
           !(loader->options.mixup > 0);
}

/* --- from the inside ------------------------------------------------------------------------- */

void ani_loader_hold(an_loader *loader) {
    atomic_fetch_add(&loader->references, 1);
}

an_status ani_loader_check_images(const an_loader *loader, const an_model *model, const char *what,
                                  an_error *err) {
    an_model_info info = {.struct_size = sizeof info};
    const an_status st = an_model_describe(model, &info, err);
    if (st) return st;
    const int32_t height = an_loader_height(loader), width = an_loader_width(loader);
    if (height != info.height || width != info.width)
        return ani_fail(err, AN_ERR_ARG, "%s are %d x %d; the model needs %d x %d", what,
                        (int)height, (int)width, (int)info.height, (int)info.width);
    if (an_loader_scale(loader) != info.scale)
        return ani_fail(err, AN_ERR_ARG, "%s have scale '%s'; the model needs '%s'", what,
                        ani_scale_name(an_loader_scale(loader)), ani_scale_name(info.scale));
    return AN_OK;
}

an_status ani_loader_check(const an_loader *loader, const an_model *model, const char *what,
                           an_error *err) {
    an_model_info info = {.struct_size = sizeof info};
    an_status st = ani_loader_check_images(loader, model, what, err);
    if (!st) st = an_model_describe(model, &info, err);
    if (st) return st;
    if (an_loader_outputs(loader) != info.outputs)
        return ani_fail(err, AN_ERR_ARG, "%s have %d numbers per image; the model has %d outputs",
                        what, (int)an_loader_outputs(loader), (int)info.outputs);
    return AN_OK;
}

an_status ani_loader_in_order(an_loader **out, an_loader *loader, an_error *err) {
    an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = loader->options.batch_size;
    options.scale = loader->options.scale;
    options.threads = loader->options.threads;
    options.prefetch = loader->options.prefetch;
    *out = NULL;
    if (loader->dataset)
        return create(out, loader->dataset, NULL, loader->indices, loader->order.count, &options,
                      err);
    an_status st = ani_loader_claim(loader, err);
    if (st) return st;
    st = create(out, NULL, &loader->callback.source, NULL, 0, &options, err);
    if (st) {
        ani_loader_release(loader);
        return st;
    }
    ani_loader_hold(loader);
    (*out)->parent = loader;
    return AN_OK;
}

an_status ani_loader_copy(an_loader **out, const an_loader *loader, an_error *err) {
    return create(out, loader->dataset, NULL, loader->indices, loader->order.count,
                  &loader->options, err);
}

int64_t ani_loader_sample(const an_loader *loader, int64_t place) {
    return loader->indices[place];
}

void ani_loader_order(const an_loader *loader, int64_t epoch, int64_t *places) {
    ani_mt19937 first;
    ani_order_epoch(&loader->order, epoch, places, &first);
}

int64_t ani_loader_size(const an_loader *loader, int64_t step) {
    return ani_order_batch(&loader->order, step);
}

int64_t ani_loader_place(const an_loader *loader) {
    return loader->next; /* only an_loader_next() changes it */
}

const an_loader_options *ani_loader_options(const an_loader *loader) {
    return &loader->options;
}

const an_dataset *ani_loader_dataset(const an_loader *loader) {
    return loader->dataset;
}

const an_loader_source *ani_loader_source(const an_loader *loader) {
    return loader->dataset ? NULL : &loader->callback.source;
}
