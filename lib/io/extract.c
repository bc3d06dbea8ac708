/* SPDX-License-Identifier: MIT
 * Extraction of a data set's members into a folder: flat, by base name, each file complete or not
 * at all. */
#include <attractivenet/io.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/callbacks.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "io/members.h"

void an_extract_options_init(an_extract_options *options, uint32_t struct_size) {
    const an_extract_options defaults = {
        .policy = AN_POLICY_STRICT,
        .label_file = "All_labels.txt",
        .max_members = 1000000,
        .max_member_bytes = INT64_C(256) << 20,
        .max_total_bytes = INT64_C(16) << 30,
        .max_ratio = 200,
    };
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

/* Find out whether path already holds the member's bytes. A file that cannot be read is
 * replaced. */
static an_status is_present(bool *present, const char *path, const ani_zip_member *member,
                            an_error *err) {
    uint8_t *bytes = NULL;
    int64_t size = 0;
    *present = false;
    if (!ani_is_file(path)) return AN_OK;
    const an_status st = ani_file_read_all(path, member->size, &bytes, &size, err);
    if (st == AN_ERR_NOMEM) return st;
    *present = !st && size == member->size && crc32_z(0, bytes, (z_size_t)size) == member->crc;
    ani_free(bytes);
    return AN_OK;
}

static an_status extract_member(ani_zip *zip, int64_t index, const char *folder,
                                an_extract_report *report, an_error *err) {
    const ani_zip_member *member = ani_zip_member_at(zip, index);
    uint8_t *bytes = NULL;
    int64_t size = 0;
    bool present;
    an_status st;
    char *path = ani_path_join(folder, member->base);
    if (!path) {
        st = ani_fail_memory(err, (int64_t)strlen(folder), "a path");
        goto done;
    }
    st = is_present(&present, path, member, err);
    if (st) goto done;
    if (present) {
        report->present++;
        goto done;
    }
    st = ani_zip_read(zip, index, &bytes, &size, err);
    if (st) goto done;
    st = ani_file_write_all_unsynced(path, bytes, size, err);
    if (st) goto done;
    report->written++;
    report->bytes += size;
done:
    ani_free(bytes);
    ani_free(path);
    return st;
}

/* The state of the folder before anything is written. */
typedef struct look {
    const an_extract_options *options;
    const char **names; /* [count] of the selected members, sorted */
    int64_t count;
    int64_t strangers;
    char first[ANI_SHOWN_NAME_SIZE]; /* one of them */
} look;

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static an_status look_at_entry(void *user, const struct dirent *entry, an_error *err) {
    look *now = user;
    const char *name = entry->d_name;
    const int kind = ani_name_kind(name, now->options->suffix, now->options->label_file);
    (void)err;
    if (entry->d_type == DT_DIR || (kind != ANI_NAME_IMAGE && kind != ANI_NAME_LABELS))
        return AN_OK;
    if (bsearch(&name, now->names, (size_t)now->count, sizeof *now->names, compare_names))
        return AN_OK;
    if (now->strangers++ == 0) ani_name_show(now->first, name);
    return AN_OK;
}

/* Refuse a folder with images from another archive: a data set must not be a mixture of both. */
static an_status refuse_strangers(const char *folder, const ani_zip *zip,
                                  const ani_members *members, const an_extract_options *options,
                                  an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    look now = {.options = options, .count = members->count};
    now.names = ani_alloc_zero(members->count, sizeof *now.names);
    if (!now.names) return ani_fail_memory(err, members->count, "a list of names");
    for (int64_t i = 0; i < members->count; i++)
        now.names[i] = ani_zip_member_at(zip, members->index[i])->base;
    qsort(now.names, (size_t)now.count, sizeof *now.names, compare_names);
    an_status st = ani_folder_walk(folder, look_at_entry, &now, err);
    if (!st && now.strangers > 0)
        st = ani_fail(err, AN_ERR_FORMAT,
                      "remove '%s' or choose another folder: it contains %" PRId64
                      " files that are not in the archive, such as '%s'",
                      ani_name_show(shown, folder), now.strangers, now.first);
    ani_free(now.names);
    return st;
}

void an_extract_report_init(an_extract_report *report, uint32_t struct_size) {
    ani_report_init(report, struct_size);
}

an_status an_archive_extract(const char *archive, const char *folder,
                             const an_extract_options *options, an_extract_report *report,
                             an_error *err) {
    const double begun = ani_clock_seconds();
    an_extract_report did = {0};
    ani_zip *zip = NULL;
    ani_members members = {0};
    an_extract_options ours;
    an_extract_options_init(&ours, sizeof ours);
    an_status st = ani_report_check(report, "an_extract_report", err);
    if (st) return st;
    st = ani_options_copy(&ours, sizeof ours, options, "an_extract_options", err);
    if (st) goto done;
    if (ours.exact != 0 && ours.exact != 1) {
        st = ani_fail(err, AN_ERR_ARG, "an_extract_options: exact is %d; it must be 0 or 1",
                      ours.exact);
        goto done;
    }
    if (!archive || !folder) {
        st = ani_fail(err, AN_ERR_ARG, "%s is NULL", archive ? "folder" : "archive");
        goto done;
    }
    if (ours.reserved || ours.reserved2) {
        st = ani_fail(err, AN_ERR_ARG, "an_extract_options: %s is %d; it must be 0",
                      ours.reserved ? "reserved" : "reserved2",
                      ours.reserved ? ours.reserved : ours.reserved2);
        goto done;
    }
    st = ani_zip_open(&zip, archive, &ours, err);
    if (st) goto done;
    st = ani_members_select(&members, zip, &ours, false, err);
    if (st) goto done;
    did.skipped = members.skipped;
    did.ignored = members.ignored;
    st = ani_folder_make(folder, err);
    if (!st && ours.exact) st = refuse_strangers(folder, zip, &members, &ours, err);
    if (st) goto done;
    for (int64_t i = 0; i < members.count; i++) {
        st = extract_member(zip, members.index[i], folder, &did, err);
        if (st) goto done;
        st = ani_report_progress(ours.progress, ours.progress_user, i + 1, members.count, begun,
                                 "members", err);
        if (st) goto done;
    }
    if (did.written > 0) st = ani_folder_sync(folder, err);
done:
    ani_report_copy(report, &did, sizeof did);
    ani_members_clear(&members);
    ani_zip_close(zip);
    return st;
}
