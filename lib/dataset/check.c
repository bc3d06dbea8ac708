/* SPDX-License-Identifier: MIT
 * Finds all damaged images before they are needed. */
#include <attractivenet/dataset.h>

#include <string.h>

#include "base/callbacks.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/show.h"
#include "base/text.h"
#include "dataset/dataset.h"

enum {
    MAX_THREADS = 1024,
    TURN = 256,      /* maximum number of images between two checks of the results */
    NAMES_SIZE = 150 /* bytes of names after which an error stops listing them */
};

typedef struct check {
    an_dataset *dataset;
    int64_t first;      /* image of the current round */
    uint8_t *pixels;    /* [threads][image] */
    int64_t image;      /* bytes */
    an_error *errors;   /* [TURN]: status AN_OK, or why an image has no pixels */
    bool *is_damaged;   /* [count] */
    int64_t damaged;    /* how many */
    ani_text names;     /* of the first ones */
    int64_t names_left; /* that did not fit */
} check;

static void decode(void *context, int64_t index, int32_t worker) {
    const check *c = context;
    const uint8_t *rgb;
    an_error *error = &c->errors[index];
    error->status =
        ani_dataset_view(c->dataset, c->first + index, c->pixels + worker * c->image, &rgb, error);
}

/* Go through the results of a round of count images, in order. */
static an_status look(check *c, int64_t count, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    for (int64_t i = 0; i < count; i++) {
        const an_error *error = &c->errors[i];
        if (!error->status) continue;
        if (!ani_status_is_damage(error->status))
            return ani_fail(err, error->status, "%s", error->message);
        an_status st = ani_dataset_tell_damaged(c->dataset, c->first + i, error->message, err);
        if (st) return st;
        c->is_damaged[c->first + i] = true;
        if (c->names.size < NAMES_SIZE)
            ani_text_print(&c->names, "%s'%s'", c->damaged ? ", " : "",
                           ani_name_show(shown, an_dataset_name(c->dataset, c->first + i)));
        else
            c->names_left++;
        c->damaged++;
    }
    return AN_OK;
}

/* The data set without the damaged images; or an error that names them. */
static an_status conclude(check *c, int64_t count, an_error *err) {
    if (!c->damaged) return AN_OK;
    if (c->names_left) ani_text_print(&c->names, " and %lld more", (long long)c->names_left);
    if (c->names.failed) return ani_fail_memory(err, c->names.size, "a message");
    if (c->damaged < count && ani_dataset_may_skip(c->dataset, AN_ERR_FORMAT)) {
        ani_dataset_remove(c->dataset, c->is_damaged);
        return AN_OK;
    }
    return ani_fail(err, AN_ERR_FORMAT, "%lld of %lld images %s damaged: %s", (long long)c->damaged,
                    (long long)count, c->damaged == 1 ? "is" : "are", c->names.bytes);
}

/* Choose the size of a round by how long the previous one took, so that progress can cancel the
 * call several times a second; with large photos that is one per thread. */
static int64_t next_turn(int64_t turn, double seconds) {
    if (seconds > 0.1 && turn > 1) return turn / 2;
    if (seconds < 0.05 && turn < TURN) return 2 * turn < TURN ? 2 * turn : TURN;
    return turn;
}

an_status an_dataset_check(an_dataset *dataset, int32_t threads, an_progress_fn progress,
                           void *progress_user, an_error *err) {
    if (!dataset) return ani_fail(err, AN_ERR_ARG, "dataset is NULL");
    if (threads < 0 || threads > MAX_THREADS)
        return ani_fail(err, AN_ERR_ARG, "threads is %d; it must be 0 to %d", (int)threads,
                        (int)MAX_THREADS);
    if (ani_dataset_is_held(dataset))
        return ani_fail(err, AN_ERR_ARG,
                        "a loader holds the data set; check it before making loaders");
    const double begun = ani_clock_seconds();
    const int64_t count = an_dataset_count(dataset);
    ani_pool *pool = NULL;
    check c = {.dataset = dataset,
               .image = (int64_t)an_dataset_height(dataset) * an_dataset_width(dataset) * 3};
    if (!threads) threads = ani_cpu_count();
    if (threads > count) threads = (int32_t)count;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    an_status st = ani_pool_create(&pool, threads, err);
    if (st) goto done;
    c.pixels = ani_alloc_zero(threads, c.image);
    c.errors = ani_alloc_zero(TURN, sizeof *c.errors);
    c.is_damaged = ani_alloc_zero(count, sizeof *c.is_damaged);
    if (!c.pixels || !c.errors || !c.is_damaged) {
        st = ani_fail_memory(err, threads * c.image, "images");
        goto done;
    }
    int64_t turn = threads < TURN ? threads : TURN;
    while (c.first < count) {
        const int64_t now = count - c.first < turn ? count - c.first : turn;
        const double begin = ani_clock_seconds();
        ani_pool_run(pool, now, decode, &c);
        turn = next_turn(turn, ani_clock_seconds() - begin);
        st = look(&c, now, err);
        if (st) goto done;
        c.first += now;
        st = ani_report_progress(progress, progress_user, c.first, count, begun, "images", err);
        if (st) goto done;
    }
    st = conclude(&c, count, err);
done:
    ani_pool_destroy(pool);
    ani_text_clear(&c.names);
    ani_free(c.pixels);
    ani_free(c.errors);
    ani_free(c.is_damaged);
    return st;
}
