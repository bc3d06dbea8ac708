/* SPDX-License-Identifier: MIT
 * Turns, by a queue of waiting threads, each with an entry on its own stack. */
#include "base/turns.h"

#include <stddef.h>

struct ani_turn {
    ani_turn *next;
    pthread_t thread;
    bool granted;
};

void ani_turns_init(ani_turns *turns) {
    pthread_mutex_init(&turns->lock, NULL);
    ani_watch_condition(&turns->next);
    turns->taken = false;
    turns->first = NULL;
    turns->last = &turns->first;
}

void ani_turns_clear(ani_turns *turns) {
    pthread_cond_destroy(&turns->next);
    pthread_mutex_destroy(&turns->lock);
}

/* Remove a waiter that gave up from the queue. The lock is held. */
static void leave(ani_turns *turns, const ani_turn *mine) {
    ani_turn **at = &turns->first;
    while (*at != mine)
        at = &(*at)->next;
    *at = mine->next;
    if (!mine->next) turns->last = at;
}

an_status ani_turns_take(ani_turns *turns, ani_watch *watch, an_error *err) {
    ani_turn mine = {.thread = pthread_self()};
    bool is_own = false;
    pthread_mutex_lock(&turns->lock);
    if (turns->taken && pthread_equal(turns->owner, mine.thread)) {
        is_own = true;
    } else if (turns->taken) {
        *turns->last = &mine;
        turns->last = &mine.next;
        while (!mine.granted && !ani_watch_stops(watch))
            ani_watch_wait(watch, &turns->next, &turns->lock);
        if (!mine.granted) leave(turns, &mine);
    } else {
        turns->taken = mine.granted = true;
        turns->owner = mine.thread;
    }
    pthread_mutex_unlock(&turns->lock);
    if (is_own)
        return ani_fail(err, AN_ERR_ARG,
                        "model: a loss function uses the model that its loss is computed for");
    return mine.granted ? AN_OK : ani_watch_check(watch, err);
}

void ani_turns_give(ani_turns *turns) {
    pthread_mutex_lock(&turns->lock);
    ani_turn *next = turns->first;
    turns->taken = next != NULL;
    if (next) {
        turns->first = next->next;
        turns->owner = next->thread;
        if (!turns->first) turns->last = &turns->first;
        next->granted = true;
        pthread_cond_broadcast(&turns->next);
    }
    pthread_mutex_unlock(&turns->lock);
}
