/* SPDX-License-Identifier: MIT
 * Turns by ticket numbers. */
#include "base/turns.h"

#include <stddef.h>

void ani_turns_init(ani_turns *turns) {
    pthread_mutex_init(&turns->lock, NULL);
    pthread_cond_init(&turns->next, NULL);
    turns->asked = turns->served = 0;
}

void ani_turns_clear(ani_turns *turns) {
    pthread_cond_destroy(&turns->next);
    pthread_mutex_destroy(&turns->lock);
}

void ani_turns_take(ani_turns *turns) {
    pthread_mutex_lock(&turns->lock);
    const uint64_t number = turns->asked++;
    while (turns->served != number)
        pthread_cond_wait(&turns->next, &turns->lock);
    pthread_mutex_unlock(&turns->lock);
}

void ani_turns_give(ani_turns *turns) {
    pthread_mutex_lock(&turns->lock);
    turns->served++;
    if (turns->asked != turns->served) pthread_cond_broadcast(&turns->next);
    pthread_mutex_unlock(&turns->lock);
}
