/* SPDX-License-Identifier: MIT
 * What the trainers of several ranks tell each other, besides what they compute together: who asks
 * for what, and what the others take over from rank 0. */
#include "train/trainer_state.h"

#include <string.h>

#include <attractivenet/version.h>

#include "io/sha256.h"
#include "optim/optim.h"
#include "train/history.h"
#include "train/settings.h"

/* --- meetings --------------------------------------------------------------------------------- */

an_status ani_trainer_meet(an_trainer *trainer, an_status st, int64_t images, int32_t asks,
                           an_error *err) {
    ani_ranks *ranks = trainer->ranks;
    if (!ranks) return st;
    const bool leads = ani_ranks_leads(ranks);
    if (!leads && atomic_exchange(&trainer->asked_to_pause, 0)) asks |= ANI_ASK_PAUSE;
    if (!leads && atomic_exchange(&trainer->asked_to_stop, 0)) asks |= ANI_ASK_STOP;
    const ani_rank_news news = {images, st, asks, trainer->state.rate};
    st = ani_ranks_meet(ranks, st, &news, err);
    if (st < 0) return st;
    trainer->state.rate = ranks->news[0].rate;
    if (leads && (ranks->asked & ANI_ASK_PAUSE)) atomic_store(&trainer->asked_to_pause, 1);
    if (leads && (ranks->asked & ANI_ASK_STOP)) atomic_store(&trainer->asked_to_stop, 1);
    return st;
}

/* --- taking over ------------------------------------------------------------------------------ */

/** Broadcast backend memory of the model. */
static an_status spread(an_trainer *trainer, void *memory, int64_t count, an_error *err) {
    if (!memory) return AN_OK;
    return ani_comm_broadcast(trainer->ranks->comm, an_model_backend(trainer->model), memory,
                              count * (int64_t)sizeof(float), 0, err);
}

/** The weights that a base mode trains and, of all of them, the moving statistics. With the turn.
 */
static an_status spread_weights(an_trainer *trainer, int32_t base, an_error *err) {
    ani_net *net = ani_model_net(trainer->model);
    const ani_net_range range = ani_net_trained(net, base);
    an_status st = spread(trainer, range.weights, range.count, err);
    if (!st && base == AN_BASE_TRAIN)
        st = spread(trainer, ani_net_moving(net), ani_net_moving_count(net), err);
    if (!ani_ranks_leads(trainer->ranks)) ani_net_weights_changed(net, base);
    return st;
}

an_status ani_trainer_spread_weights(an_trainer *trainer, int32_t base, an_error *err) {
    ani_net *net = ani_model_net(trainer->model);
    if (!trainer->ranks) return AN_OK;
    an_status st = ani_net_begin_change(net, err);
    const bool has_turn = !st;
    st = ani_trainer_meet(trainer, st, 0, 0, err);
    if (!st) st = spread_weights(trainer, base, err);
    if (!st) st = ani_ranks_settle(trainer->ranks, err);
    if (has_turn) ani_net_end_change(net);
    return st;
}

static an_status spread_moments(an_trainer *trainer, an_error *err) {
    an_status st = AN_OK;
    for (int which = 0; !st && which < 2; which++) {
        int64_t count;
        float *moments = ani_optimizer_moments(trainer->optimizer, AN_BASE_TRAIN, which, &count);
        st = spread(trainer, moments, count, err);
    }
    return st;
}

/** What a call begins with. */
typedef struct beginning {
    ani_train_state state;
    int64_t optimizer_steps;
    int32_t has_features, has_val_features;
} beginning;

static an_status spread_state(an_trainer *trainer, an_error *err) {
    beginning b;
    memset(&b, 0, sizeof b);
    b.state = trainer->state;
    b.optimizer_steps = an_optimizer_steps(trainer->optimizer);
    b.has_features = trainer->has_features;
    b.has_val_features = trainer->has_val_features;
    an_status st = ani_comm_broadcast(trainer->ranks->comm, NULL, &b, sizeof b, 0, err);
    if (st) return st;
    trainer->state = b.state;
    ani_optimizer_set_steps(trainer->optimizer, b.optimizer_steps);
    trainer->has_features = b.has_features;
    trainer->has_val_features = b.has_val_features;
    return AN_OK;
}

/* --- the same run ----------------------------------------------------------------------------- */

enum { DIGITS = 65 };

/** A hash of everything that the ranks must agree on. */
static an_status hash_settings(const an_trainer *trainer, char digits[DIGITS], an_error *err) {
    an_arrays *settings = NULL;
    const ani_snapshot now = ani_trainer_snapshot(trainer);
    an_status st = an_arrays_create(&settings, err);
    if (!st) st = ani_settings_append(&now, settings, err);
    ani_sha256 sha;
    ani_sha256_begin(&sha);
    ani_sha256_add(&sha, an_version(), (int64_t)strlen(an_version()) + 1);
    ani_sha256_add(&sha, &trainer->ranks->synchronise, sizeof trainer->ranks->synchronise);
    for (int64_t i = 0; !st && i < an_arrays_metadata_count(settings); i++) {
        const char *key = an_arrays_metadata_key(settings, i);
        const char *value = an_arrays_metadata(settings, key);
        ani_sha256_add(&sha, key, (int64_t)strlen(key) + 1);
        ani_sha256_add(&sha, value, (int64_t)strlen(value) + 1);
    }
    ani_sha256_end(&sha, digits);
    an_arrays_destroy(settings);
    return st;
}

/** AN_ERR_ARG on all ranks if one has other settings than rank 0. */
static an_status compare_settings(an_trainer *trainer, an_error *err) {
    char mine[DIGITS] = "", first[DIGITS];
    an_status st = hash_settings(trainer, mine, err);
    memcpy(first, mine, sizeof first);
    st = ani_trainer_meet(trainer, st, 0, 0, err);
    if (!st) st = ani_comm_broadcast(trainer->ranks->comm, NULL, first, sizeof first, 0, err);
    if (st) return st;
    if (strcmp(first, mine) != 0)
        st = ani_fail(err, AN_ERR_ARG,
                      "rank %d of %d trains with other settings, samples or another version of the "
                      "library than rank 0; they must be the same",
                      (int)trainer->ranks->rank, (int)trainer->ranks->size);
    return ani_trainer_meet(trainer, st, 0, 0, err);
}

an_status ani_trainer_join(an_trainer *trainer, an_error *err) {
    ani_net *net = ani_model_net(trainer->model);
    if (!trainer->ranks) return AN_OK;
    an_status st = trainer->options.comm ? compare_settings(trainer, err) : AN_OK;
    if (st) return st;
    st = ani_net_begin_change(net, err);
    const bool has_turn = !st;
    st = ani_trainer_meet(trainer, st, 0, 0, err);
    if (!st) st = spread_state(trainer, err);
    if (!st) st = spread_weights(trainer, AN_BASE_TRAIN, err);
    if (!st) st = spread_moments(trainer, err);
    if (!st) st = ani_average_spread(trainer->average, trainer->ranks->comm, err);
    if (!st) st = ani_ranks_settle(trainer->ranks, err);
    if (has_turn) ani_net_end_change(net);
    return st;
}

/* --- the end of an epoch ---------------------------------------------------------------------- */

/** How an epoch has ended on rank 0. */
typedef struct ending {
    an_error failure;
    an_epoch_report report;
    ani_train_state state;
} ending;

an_status ani_trainer_share_epoch(an_trainer *trainer, an_epoch_report *report, an_status st,
                                  an_error *err) {
    ending e;
    if (!trainer->ranks) return st;
    memset(&e, 0, sizeof e);
    if (st) e.failure = *err;
    e.failure.status = st;
    e.report = *report;
    e.state = trainer->state;
    st = ani_comm_broadcast(trainer->ranks->comm, NULL, &e, sizeof e, 0, err);
    if (st) return st;
    if (!ani_ranks_leads(trainer->ranks)) {
        *report = e.report;
        trainer->state = e.state;
        st = an_history_append(trainer->history, report, err); /* there is room */
        if (!st && !report->stopped) st = ani_average_show(trainer->average, false, err);
    }
    if (!st && report->stopped && trainer->options.restore_best)
        st = ani_trainer_spread_weights(trainer, AN_BASE_TRAIN, err);
    if (st) return st;
    trainer->ranks->is_known = e.failure.status != AN_OK;
    return e.failure.status ? ani_fail(err, e.failure.status, "%s", e.failure.message) : AN_OK;
}
