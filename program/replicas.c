/* SPDX-License-Identifier: MIT
 * --devices: a number of replicas, or a list of devices. */
#include "replicas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_SIZE = 32 };

/* The number of replicas if that is what the text is; 0: it is not. */
static int32_t count_of(const char *devices) {
    if (strlen(devices) > 2 || strspn(devices, "0123456789") != strlen(devices)) return 0;
    return (int32_t)atoi(devices);
}

/* The next device of a list, up to a comma. Returns what follows it, or NULL after the last one. */
static const char *next_device(char word[WORD_SIZE], const char *list) {
    const size_t span = strcspn(list, ",");
    snprintf(word, WORD_SIZE, "%.*s", (int)span, list);
    return list[span] ? list + span + 1 : NULL;
}

int replicas_are_valid(const char *devices) {
    const int32_t count = count_of(devices);
    char word[WORD_SIZE];
    int32_t words = 0;
    if (count) return count <= REPLICAS_MOST;
    if (devices[strspn(devices, "0123456789")] == 0) return 0;
    for (const char *at = devices; at; words++) {
        at = next_device(word, at);
        if (!*word) return 0;
    }
    return words <= REPLICAS_MOST;
}

static an_status make_one(an_backend **out, const char *device, int32_t threads, an_error *err) {
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.device = device;
    options.threads = threads;
    return an_backend_create(out, &options, err);
}

/* The first of several replicas with equal parts of the threads. */
static an_status make_part(an_backend **out, const settings *s, int32_t count, an_error *err) {
    an_status st = make_one(out, s->device, s->threads, err);
    if (st) return st;
    const int32_t threads = an_backend_threads(*out);
    if (strcmp(an_backend_name(*out), "cuda") == 0) return AN_OK;
    an_backend_destroy(*out);
    return make_one(out, s->device, threads / count > 0 ? threads / count : 1, err);
}

static an_status make_list(replica_set *set, an_backend **first, const settings *s, an_error *err) {
    char word[WORD_SIZE];
    an_status st = AN_OK;
    set->is_list = 1;
    for (const char *at = s->devices; !st && at; set->count++) {
        at = next_device(word, at);
        st = make_one(set->count ? &set->backends[set->count - 1] : first, word, s->threads, err);
    }
    return st;
}

an_status replicas_create(replica_set *set, an_backend **first, const settings *s, an_error *err) {
    *set = (replica_set){0};
    if (!s->devices) return make_one(first, s->device, s->threads, err);
    set->count = count_of(s->devices);
    return set->count ? make_part(first, s, set->count, err) : make_list(set, first, s, err);
}

void replicas_clear(replica_set *set) {
    for (int32_t i = 0; i < REPLICAS_MOST - 1; i++)
        an_backend_destroy(set->backends[i]);
}

void replicas_train(replica_set *set, const settings *s, an_train_options *options) {
    options->replicas = set->count;
    options->replica_backends = set->is_list && set->count > 1 ? set->backends : NULL;
    options->sync_batch_norm = s->sync_batch_norm;
}
