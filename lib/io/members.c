/* SPDX-License-Identifier: MIT
 * Selects the members of an archive that a data set uses. */
#include "io/members.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/callbacks.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

/* Ignores the case of ASCII letters, whatever the locale. */
static bool is_same_text(const char *a, const char *b, int64_t size) {
    for (int64_t i = 0; i < size; i++)
        if (ani_lower(a[i]) != ani_lower(b[i])) return false;
    return true;
}

/* Names under which systems keep their own data alongside the user's files: Finder's attribute
 * files, and thumbnails and recycle bins of Windows, Synology and QNAP. */
static bool is_hidden(const char *part, int64_t size) {
    static const char *const known[] = {"__MACOSX", "@eaDir",    "@Recycle",
                                        "#recycle", "Thumbs.db", "$RECYCLE.BIN"};
    if (size > 0 && part[0] == '.') return size > 2 || (size == 2 && part[1] != '.');
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((int64_t)strlen(known[i]) == size && is_same_text(part, known[i], size)) return true;
    return false;
}

/* Bytes of base before an extension of span bytes; -1 if base lacks it or is nothing but the
 * extension. */
static int64_t stem_before(const char *base, const char *ending, int64_t span) {
    const int64_t stem = (int64_t)strlen(base) - span;
    return stem > 0 && is_same_text(base + stem, ending, span) ? stem : -1;
}

int64_t ani_name_stem(const char *base, const char *suffix) {
    if (suffix) return stem_before(base, suffix, (int64_t)strlen(suffix));
    int64_t stem = -1;
    for (const char *ending = ANI_IMAGE_ENDINGS; stem < 0 && *ending;) {
        const int64_t span = (int64_t)strcspn(ending, " ");
        stem = stem_before(base, ending, span);
        ending += span + (ending[span] == ' ');
    }
    return stem;
}

int ani_name_kind(const char *path, const char *suffix, const char *label_file) {
    const char *part = path;
    for (const char *slash; (slash = strchr(part, '/')); part = slash + 1)
        if (is_hidden(part, slash - part)) return ANI_NAME_HIDDEN;
    if (!*part) return ANI_NAME_OTHER;
    if (!strcmp(part, label_file)) return ANI_NAME_LABELS;
    if (is_hidden(part, (int64_t)strlen(part))) return ANI_NAME_HIDDEN;
    return ani_name_stem(part, suffix) > 0 ? ANI_NAME_IMAGE : ANI_NAME_OTHER;
}

const char *ani_name_fault(const char *base) {
    const int64_t size = (int64_t)strlen(base);
    if (size == 0) return "is empty";
    if (size > ANI_NAME_MAX_BYTES) return "is longer than 200 bytes";
    if (!strcmp(base, ".") || !strcmp(base, "..")) return "is that of a folder";
    for (const char *c = base; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) return "has a control character";
        if (*c == '\\') return "has a backslash";
        if (*c == '/') return "has a slash";
    }
    if (!ani_is_utf8(base, size)) return "is not valid UTF-8";
    return NULL;
}

/* A member that the filter selected. */
struct taken {
    const char *name; /* must be unique: the base name, or the whole path */
    int64_t index;
    bool refused; /* or a copy of one that is selected */
};

static int compare_taken(const void *a, const void *b) {
    const struct taken *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static int compare_indices(const void *a, const void *b) {
    const struct taken *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

/* Report why member index is refused. strict: fails; skip: warns and continues. */
static an_status refuse(struct taken *taken, ani_members *members, const ani_zip *zip,
                        const an_extract_options *options, const char *why, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    an_error reason;
    taken->refused = true;
    members->skipped++;
    const ani_zip_member *member = ani_zip_member_at(zip, taken->index);
    ani_fail(&reason, AN_ERR_FORMAT, "member '%s' of '%s' is refused: %s%s",
             ani_name_show(shown, member->name), ani_zip_path(zip), why,
             member->is_guessed ? " (read as CP437: is it in names_encoding?)" : "");
    if (options->policy == AN_POLICY_STRICT)
        return ani_fail(err, reason.status, "%s", reason.message);
    return ani_warn(options->warn, options->warn_user, AN_WARN_MEMBER_SKIPPED, 1, reason.message,
                    err);
}

/* True if two members have the same contents, according to the archive. */
static bool are_copies(const ani_zip *zip, int64_t a, int64_t b) {
    const ani_zip_member *x = ani_zip_member_at(zip, a), *y = ani_zip_member_at(zip, b);
    return x->size == y->size && x->crc == y->crc && x->is_encrypted == y->is_encrypted;
}

/* Refuse members whose name an earlier member has; ignore those with the same contents. */
static an_status refuse_duplicates(struct taken *taken, int64_t count, ani_members *members,
                                   const ani_zip *zip, const an_extract_options *options,
                                   an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    an_error why;
    int64_t first = 0; /* those with the same name, in archive order */
    qsort(taken, (size_t)count, sizeof *taken, compare_taken);
    for (int64_t i = 1; i < count; i++) {
        if (strcmp(taken[first].name, taken[i].name) != 0) {
            first = i;
            continue;
        }
        if (taken[i].refused) continue;
        if (taken[first].refused) {
            first = i;
            continue;
        }
        if (are_copies(zip, taken[first].index, taken[i].index)) {
            taken[i].refused = true;
            members->ignored++;
            continue;
        }
        ani_fail(&why, AN_ERR_FORMAT, "'%s' has the same base name and different bytes",
                 ani_name_show(shown, ani_zip_member_at(zip, taken[first].index)->name));
        an_status st = refuse(&taken[i], members, zip, options, why.message, err);
        if (st) return st;
    }
    qsort(taken, (size_t)count, sizeof *taken, compare_indices);
    return AN_OK;
}

/* Refuse names and kinds of file that must not be written to disk. */
static an_status refuse_names(struct taken *taken, int64_t count, ani_members *members,
                              const ani_zip *zip, const an_extract_options *options,
                              an_error *err) {
    for (int64_t i = 0; i < count; i++) {
        const ani_zip_member *member = ani_zip_member_at(zip, taken[i].index);
        const char *fault = ani_name_fault(member->base);
        an_error why;
        if (fault)
            ani_fail(&why, AN_ERR_FORMAT, "its name %s", fault);
        else if (member->is_outside)
            ani_fail(&why, AN_ERR_FORMAT, "its back-slashes lead out of the archive's folder");
        else if (member->is_special)
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
    if (!options->label_file)
        return ani_fail(err, AN_ERR_ARG, "an_extract_options: label_file is NULL");
    return AN_OK;
}

an_status ani_members_select(ani_members *out, const ani_zip *zip,
                             const an_extract_options *options, bool by_path, an_error *err) {
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
        const ani_zip_member *member = ani_zip_member_at(zip, i);
        const int kind =
            ani_name_kind(member->name, options->suffix, by_path ? "" : options->label_file);
        if (kind == ANI_NAME_IMAGE || kind == ANI_NAME_LABELS)
            taken[count++] =
                (struct taken){.name = by_path ? member->name : member->base, .index = i};
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
                      "archive '%s' has no member that ends in '%s'%s%s%s (%" PRId64
                      " members in all)",
                      ani_zip_path(zip), options->suffix ? options->suffix : ANI_IMAGE_ENDINGS,
                      by_path ? "" : " or is called '", by_path ? "" : options->label_file,
                      by_path ? "" : "'", total);
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
