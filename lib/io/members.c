/* SPDX-License-Identifier: MIT
 * Which members of an archive a data set takes. */
#include "io/members.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/callbacks.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

bool ani_name_is_wanted(const char *base, const char *suffix, const char *label_file) {
    return *base && (ani_ends_with(base, suffix) || !strcmp(base, label_file));
}

bool ani_name_is_hidden(const char *base) {
    return *base == '.';
}

const char *ani_name_fault(const char *base, const char *suffix) {
    const int64_t size = (int64_t)strlen(base);
    if (size == 0) return "is empty";
    if (size > ANI_NAME_MAX_BYTES) return "is longer than 200 bytes";
    if (!strcmp(base, suffix)) return "has nothing before its ending";
    if (!strcmp(base, ".") || !strcmp(base, "..")) return "is that of a folder";
    for (const char *c = base; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) return "has a control character";
        if (*c == '\\') return "has a backslash";
        if (*c == '/') return "has a slash";
    }
    if (!ani_is_utf8(base, size)) return "is not valid UTF-8";
    return NULL;
}

/* A member that the filter took. */
struct taken {
    const char *base;
    int64_t index;
    bool refused;
};

static int compare_bases(const void *a, const void *b) {
    const struct taken *x = a, *y = b;
    const int order = strcmp(x->base, y->base);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static int compare_indices(const void *a, const void *b) {
    const struct taken *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

/* Say why member index is refused. Strict: fails with that; skip: warns of it and goes on. */
static an_status refuse(struct taken *taken, ani_members *members, const ani_zip *zip,
                        const an_extract_options *options, const char *why, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    an_error reason;
    taken->refused = true;
    members->skipped++;
    ani_fail(&reason, AN_ERR_FORMAT, "member '%s' of '%s' is refused: %s",
             ani_name_show(shown, ani_zip_member_at(zip, taken->index)->name), ani_zip_path(zip),
             why);
    if (options->policy == AN_POLICY_STRICT)
        return ani_fail(err, reason.status, "%s", reason.message);
    return ani_warn(options->warn, options->warn_user, AN_WARN_MEMBER_SKIPPED, 1, reason.message,
                    err);
}

/* Refuse those whose base name an earlier member has. */
static an_status refuse_duplicates(struct taken *taken, int64_t count, ani_members *members,
                                   const ani_zip *zip, const an_extract_options *options,
                                   an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    an_error why;
    int64_t first = 0; /* of those with one base name, in the order of the archive */
    qsort(taken, (size_t)count, sizeof *taken, compare_bases);
    for (int64_t i = 1; i < count; i++) {
        if (strcmp(taken[first].base, taken[i].base) != 0) {
            first = i;
            continue;
        }
        if (taken[i].refused) continue;
        if (taken[first].refused) {
            first = i;
            continue;
        }
        ani_fail(&why, AN_ERR_FORMAT, "'%s' has the same base name",
                 ani_name_show(shown, ani_zip_member_at(zip, taken[first].index)->name));
        an_status st = refuse(&taken[i], members, zip, options, why.message, err);
        if (st) return st;
    }
    qsort(taken, (size_t)count, sizeof *taken, compare_indices);
    return AN_OK;
}

/* Refuse names and kinds of file that must not reach a disk. */
static an_status refuse_names(struct taken *taken, int64_t count, ani_members *members,
                              const ani_zip *zip, const an_extract_options *options,
                              an_error *err) {
    for (int64_t i = 0; i < count; i++) {
        const char *fault = ani_name_fault(taken[i].base, options->suffix);
        an_error why;
        if (fault)
            ani_fail(&why, AN_ERR_FORMAT, "its name %s", fault);
        else if (ani_zip_member_at(zip, taken[i].index)->is_special)
            ani_fail(&why, AN_ERR_FORMAT, "it is a link or device");
        else
            continue;
        an_status st = refuse(&taken[i], members, zip, options, why.message, err);
        if (st) return st;
    }
    return AN_OK;
}

static an_status check_options(const an_extract_options *options, an_error *err) {
    if (options->policy != AN_POLICY_STRICT && options->policy != AN_POLICY_SKIP)
        return ani_fail(err, AN_ERR_ARG, "an_extract_options: policy is %d; it must be 0 or 1",
                        options->policy);
    if (!options->suffix || !options->label_file)
        return ani_fail(err, AN_ERR_ARG, "an_extract_options: %s is NULL",
                        options->suffix ? "label_file" : "suffix");
    return AN_OK;
}

an_status ani_members_select(ani_members *out, const ani_zip *zip,
                             const an_extract_options *options, an_error *err) {
    *out = (ani_members){0};
    ani_members members = {0};
    const int64_t total = ani_zip_count(zip);
    struct taken *taken = NULL;
    int64_t count = 0, size;
    an_status st = check_options(options, err);
    if (st) goto done;
    if (!ani_mul_size(total, sizeof *taken, &size)) size = -1;
    taken = ani_alloc(size);
    members.index = ani_alloc_zero(total, sizeof *members.index);
    if (!taken || !members.index) {
        st = ani_fail_memory(err, size, "the members of an archive");
        goto done;
    }
    for (int64_t i = 0; i < total; i++) {
        const char *base = ani_zip_member_at(zip, i)->base;
        if (ani_name_is_wanted(base, options->suffix, options->label_file))
            taken[count++] = (struct taken){.base = base, .index = i};
        else
            members.ignored++;
    }
    st = refuse_names(taken, count, &members, zip, options, err);
    if (st) goto done;
    st = refuse_duplicates(taken, count, &members, zip, options, err);
    if (st) goto done;
    for (int64_t i = 0; i < count; i++) {
        if (taken[i].refused) continue;
        st = ani_zip_check(zip, taken[i].index, err);
        if (st) goto done;
        members.index[members.count++] = taken[i].index;
        if (!ani_add_size(members.bytes, ani_zip_member_at(zip, taken[i].index)->size,
                          &members.bytes) ||
            members.bytes > options->max_total_bytes) {
            st = ani_fail(err, AN_ERR_UNSUPPORTED,
                          "archive '%s' unpacks to more than the limit of %" PRId64 " bytes",
                          ani_zip_path(zip), options->max_total_bytes);
            goto done;
        }
    }
    if (members.count == 0) {
        st = ani_fail(err, AN_ERR_FORMAT,
                      "archive '%s' has no member that ends in '%s' or is called '%s' "
                      "(%" PRId64 " members in all)",
                      ani_zip_path(zip), options->suffix, options->label_file, total);
        goto done;
    }
    *out = members;
    members.index = NULL;
done:
    ani_members_clear(&members);
    ani_free(taken);
    return st;
}

void ani_members_clear(ani_members *members) {
    ani_free(members->index);
    *members = (ani_members){0};
}
