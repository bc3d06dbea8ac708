/* SPDX-License-Identifier: MIT
 * The images of a folder, by name, as a feed. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/show.h"
#include "base/text.h"
#include "io/image.h"
#include "live/feed.h"

typedef struct folder_feed {
    ani_feed base;
    char **paths;
    int64_t room; /* of paths, of which base.count are in use */
    int64_t next;
    const char *folder; /* borrowed; only while it is opened */
} folder_feed;

static bool is_image_name(const char *name) {
    static const char *const endings[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t length = strlen(name), ending = strlen(endings[i]);
        size_t same = 0;
        while (length > ending && same < ending &&
               ani_lower(name[length - ending + same]) == endings[i][same])
            same++;
        if (same == ending) return true;
    }
    return false;
}

/* Takes over path. */
static an_status add_path(folder_feed *feed, char *path, an_error *err) {
    if (path && feed->base.count == feed->room) {
        const int64_t room = feed->room ? 2 * feed->room : 64;
        char **paths = ani_realloc(feed->paths, feed->room * (int64_t)sizeof *paths,
                                   room * (int64_t)sizeof *paths);
        if (!paths) {
            ani_free(path);
            return ani_fail_memory(err, room * (int64_t)sizeof *paths, "a list of images");
        }
        feed->paths = paths;
        feed->room = room;
    }
    if (!path) return ani_fail_memory(err, -1, "a path");
    feed->paths[feed->base.count++] = path;
    return AN_OK;
}

static an_status visit(void *user, const struct dirent *entry, an_error *err) {
    folder_feed *feed = user;
    if (entry->d_name[0] == '.' || !is_image_name(entry->d_name)) return AN_OK;
    return add_path(feed, ani_path_join(feed->folder, entry->d_name), err);
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A damaged image is an error, since somebody put it there; the next call goes on after it. */
static an_status read_image(ani_feed *base, ani_shot *to, an_error *err) {
    folder_feed *feed = (folder_feed *)base;
    uint8_t *bytes = NULL;
    int64_t size;
    an_image_limits limits;
    an_image_limits_init(&limits, sizeof limits);
    if (feed->next == base->count) return AN_DONE;
    to->number = feed->next++;
    to->name = feed->paths[to->number];
    to->time = (double)to->number / base->rate;
    to->arrived = 0;
    an_status st = ani_file_read_all(to->name, limits.max_memory, &bytes, &size, err);
    if (!st) st = ani_image_decode_again(&to->image, bytes, size, to->name, &limits, err);
    if (st == AN_ERR_FORMAT) atomic_fetch_add(&base->damaged, 1);
    ani_free(bytes);
    return st;
}

static void close_folder(ani_feed *base) {
    folder_feed *feed = (folder_feed *)base;
    for (int64_t i = 0; i < base->count; i++)
        ani_free(feed->paths[i]);
    ani_free(feed->paths);
    ani_free(feed);
}

static const ani_feed_kind folder_kind = {read_image, close_folder};

an_status ani_folder_feed_open(ani_feed **out, const char *path, const an_source_options *options,
                               ani_stop *stop, an_error *err) {
    *out = NULL;
    an_status st = AN_OK;
    char shown[ANI_SHOWN_NAME_SIZE];
    folder_feed *feed = ani_alloc_zero(1, sizeof *feed);
    if (!feed) return ani_fail_memory(err, sizeof *feed, "a source");
    feed->base.kind = &folder_kind;
    feed->base.stop = stop;
    feed->base.continues = true;
    feed->base.rate = options->rate > 0 ? options->rate : ANI_FEED_RATE;
    feed->folder = path;
    st = ani_is_folder(path) ? ani_folder_walk(path, visit, feed, err)
                             : add_path(feed, ani_strdup(path), err);
    if (st) goto done;
    if (!feed->base.count) {
        st = ani_fail(err, AN_ERR_FORMAT,
                      "the folder '%s' has no images: no .jpg, .jpeg, .jpe, .jfif or .png files",
                      path);
        goto done;
    }
    qsort(feed->paths, (size_t)feed->base.count, sizeof *feed->paths, compare_paths);
    ani_name_show(shown, path);
    snprintf(feed->base.text, sizeof feed->base.text, "%lld image%s: %s",
             (long long)feed->base.count, feed->base.count == 1 ? "" : "s", shown);
    *out = &feed->base;
    feed = NULL;
done:
    if (feed) close_folder(&feed->base);
    return st;
}
