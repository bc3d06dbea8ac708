/* SPDX-License-Identifier: MIT
 * The file that keras.applications.MobileNetV2(weights='imagenet', include_top=False) loads. */
#include "mobilenetv2/imagenet.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

enum { FILE_NAME_SIZE = 128, URL_SIZE = 512 };

/* Source: keras.applications.mobilenet_v2: weights were trained for six alphas and five sizes; a
 * network without a given shape, or of another size, uses those for 224. */
static an_status file_name(char out[FILE_NAME_SIZE], const an_mobilenetv2_options *o,
                           an_error *err) {
    static const struct {
        double alpha;
        const char *text; /* as Python prints it */
    } alphas[] = {{0.35, "0.35"}, {0.5, "0.5"}, {0.75, "0.75"},
                  {1.0, "1.0"},   {1.3, "1.3"}, {1.4, "1.4"}};
    static const int32_t sizes[] = {96, 128, 160, 192};
    int32_t size = 224;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (o->padding == AN_PADDING_FIXED && o->height == o->width && o->height == sizes[i])
            size = sizes[i];
    for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++) {
        if (fabs(o->alpha - alphas[i].alpha) > 1e-9) continue;
        snprintf(out, FILE_NAME_SIZE,
                 "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_%s_%d_no_top.h5", alphas[i].text,
                 size);
        return AN_OK;
    }
    return ani_fail(err, AN_ERR_ARG,
                    "MobileNetV2: there are no ImageNet weights for alpha %g; there are for 0.35, "
                    "0.5, 0.75, 1.0, 1.3 and 1.4",
                    o->alpha);
}

/* The user's cache folder by the XDG rules; relative paths there must be ignored. */
static an_status cache_folder(char **out, an_error *err) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *parent = NULL;
    *out = NULL;
    if (cache && cache[0] == '/')
        parent = ani_strdup(cache);
    else if (home && home[0] == '/')
        parent = ani_path_join(home, ".cache");
    else
        return ani_fail(
            err, AN_ERR_IO,
            "ImageNet weights: no cache folder, as neither XDG_CACHE_HOME nor HOME is set; set "
            "one, or use weights none or FILE");
    if (parent) *out = ani_path_join(parent, "attractivenet");
    ani_free(parent);
    return *out ? AN_OK : ani_fail_memory(err, -1, "a path");
}

/* What failed, without the address, which the enclosing message states in full. */
static const char *reason(const char *message) {
    static const char *const beginnings[] = {"': ", "' "};
    const char *quoted = strstr(message, "'http");
    const char *end = quoted ? strchr(quoted + 1, '\'') : NULL;
    for (size_t i = 0; end && i < sizeof beginnings / sizeof *beginnings; i++)
        if (!strncmp(end, beginnings[i], strlen(beginnings[i]))) return end + strlen(beginnings[i]);
    return message;
}

/* Say what to do without a network. A message is short: the address and what to do with the file
 * are given in full; the reason comes last, in the remaining room. */
static an_status explain(an_status st, const char *why, const char *url, const char *folder,
                         an_error *err) {
    static const char form[] = "cannot get %s; save it in '%s' or use weights none or FILE: %s";
    const int64_t room = (int64_t)sizeof err->message - (int64_t)sizeof form -
                         (int64_t)strlen(url) + 3 * (int64_t)strlen("%s");
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *shown =
        cache && cache[0] == '/' ? "$XDG_CACHE_HOME/attractivenet" : "$HOME/.cache/attractivenet";
    if ((int64_t)strlen(folder) <= room) shown = folder;
    return ani_fail(err, st, form, url, shown, reason(why));
}

an_status ani_imagenet_file(char **path, const an_mobilenetv2_options *options, const char *source,
                            an_error *err) {
    char name[FILE_NAME_SIZE], url[URL_SIZE];
    char *folder = NULL, *file = NULL;
    *path = NULL;
    an_status st = file_name(name, options, err);
    if (!st) st = cache_folder(&folder, err);
    if (st) goto done;
    file = ani_path_join(folder, name);
    if (!file) {
        st = ani_fail_memory(err, -1, "a path");
        goto done;
    }
    if (!ani_is_file(file)) {
        an_download_options download;
        an_error why = {0};
        an_download_options_init(&download, sizeof download);
        download.expected_type = "hdf5";
        download.progress = options->progress;
        download.progress_user = options->progress_user;
        snprintf(url, sizeof url, "%s%s", source, name);
        st = ani_folder_make(folder, err);
        if (st) goto done;
        st = an_download(url, file, &download, &why);
        /* Local files, memory and callbacks have their own messages. */
        const bool is_network = strstr(why.message, "'http") || st == AN_ERR_UNSUPPORTED;
        if (st)
            st = is_network ? explain(st, why.message, url, folder, err)
                            : ani_fail(err, st, "%s", why.message);
        if (st) goto done;
    }
    *path = file;
    file = NULL;
done:
    ani_free(file);
    ani_free(folder);
    return st;
}

void ani_imagenet_free(char *path) {
    ani_free(path);
}
