/* SPDX-License-Identifier: MIT
 * Downloads that can be resumed. Bytes go to PATH.part; PATH.part.info beside it tells what they
 * are the beginning of: the address, the server's validator and the length. A part is resumed only
 * if the server still has exactly that content, and renamed only if it has the right length, type
 * and hash. */
#include "io/download.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/show.h"
#include "base/text.h"
#include "io/content.h"
#include "io/drive.h"
#include "io/hash.h"
#include "io/origin.h"
#include "io/page.h"
#include "io/transfer.h"

enum {
    SNIFF_SIZE = 512,   /* bytes that identify a response */
    MAX_PAGE = 1 << 18, /* bytes kept of a web page */
    MAX_REQUESTS = 6,   /* for one download: confirmations, restarts */
    SHOWN_SIZE = 100    /* bytes of an address shown in a message */
};

static const char info_mark[] = "attractivenet-part-1";

typedef enum sink { SINK_UNKNOWN, SINK_PAGE, SINK_FILE } sink;

/* One call of an_download(). */
typedef struct job {
    an_download_options options;
    const char *url, *path;
    char shown[SHOWN_SIZE];
    char *part, *info;
    /* what PATH.part.info says, or will say */
    char *validator;
    int64_t total; /* of the whole file; -1 = not known */
    /* the current request */
    int64_t offset; /* requested */
    sink sink;
    uint8_t head[SNIFF_SIZE]; /* of a response not yet identified */
    int64_t head_size;
    ani_text page;
    ani_appender *out;
    int64_t done; /* bytes in the part */
    bool must_restart;
    /* progress */
    double begin, reported;
    int64_t done_at_begin;
} job;

void an_download_options_init(an_download_options *options, uint32_t struct_size) {
    const an_download_options defaults = {
        .struct_size = sizeof defaults,
        .max_redirects = 10,
        .max_bytes = INT64_C(8) << 30,
        .low_speed_bytes = 1024,
        .low_speed_seconds = 30,
    };
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

/* --- options and messages --------------------------------------------------------------------- */

static an_status check_options(const an_download_options *options, an_error *err) {
    if (options->max_redirects < 0 || options->max_redirects > 50)
        return ani_fail(err, AN_ERR_ARG, "max_redirects is %d; it must be 0 to 50",
                        options->max_redirects);
    if (options->max_bytes < 1)
        return ani_fail(err, AN_ERR_ARG, "max_bytes is %" PRId64 "; it must be 1 or more",
                        options->max_bytes);
    if (options->low_speed_bytes < 0 || options->low_speed_seconds < 0)
        return ani_fail(err, AN_ERR_ARG, "%s is negative",
                        options->low_speed_bytes < 0 ? "low_speed_bytes" : "low_speed_seconds");
    const char *type = options->expected_type;
    if (type && strcmp(type, "zip") != 0 && strcmp(type, "hdf5") != 0 && strcmp(type, "any") != 0)
        return ani_fail(err, AN_ERR_ARG, "expected_type is '%.40s'; it must be zip, hdf5 or any",
                        type);
    return options->sha256 ? ani_hash_check(options->sha256, err) : AN_OK;
}

static bool is_local(const char *url) {
    return !strncasecmp(url, "file:", 5);
}

/* Write an address for messages: without "user:password@" and control characters, truncated if
 * long. */
static void show_url(char shown[SHOWN_SIZE], const char *url) {
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    const char *const path = host + strcspn(host, "/?#");
    const char *at = path;
    while (at > host && at[-1] != '@')
        at--;
    size_t size = (size_t)(host - url);
    if (size > SHOWN_SIZE / 2) size = 0;
    memcpy(shown, url, size);
    for (const char *s = at; *s && size < SHOWN_SIZE - 1; s++)
        shown[size++] = (uint8_t)*s > 0x20 && (uint8_t)*s < 0x7f ? *s : '?';
    if (size == SHOWN_SIZE - 1) memcpy(shown + size - 3, "...", 3);
    shown[size] = '\0';
}

static an_status warn(const job *now, const char *message, an_error *err) {
    const an_warning warning = {
        .struct_size = sizeof warning, .code = AN_WARN_OTHER, .count = 1, .message = message};
    if (now->options.warn && now->options.warn(now->options.warn_user, &warning))
        return ani_fail(err, AN_ERR_CANCELLED, "the download of '%s' was stopped", now->shown);
    return AN_OK;
}

static an_status report(job *now, bool is_last, an_error *err) {
    const double seconds = ani_clock_seconds() - now->begin;
    if (!now->options.progress || (!is_last && seconds - now->reported < 0.1)) return AN_OK;
    now->reported = seconds;
    const an_progress progress = {.struct_size = sizeof progress,
                                  .done = now->done,
                                  .total = now->total,
                                  .seconds = seconds,
                                  .seconds_left =
                                      ani_seconds_left(now->done - now->done_at_begin,
                                                       now->total - now->done_at_begin, seconds),
                                  .what = "bytes"};
    if (now->options.progress(now->options.progress_user, &progress))
        return ani_fail(err, AN_ERR_CANCELLED, "the download of '%s' was stopped", now->shown);
    return AN_OK;
}

/* --- the part and what is known of it --------------------------------------------------------- */

static an_status close_part(job *now, bool sync, an_error *err) {
    an_status st = ani_appender_close(now->out, sync, err);
    now->out = NULL;
    return st;
}

static an_status remove_part(job *now, an_error *err) {
    an_status st = close_part(now, false, err);
    if (!st) st = ani_file_remove(now->part, err);
    if (!st) st = ani_file_remove(now->info, err);
    return st;
}

/* After another failure, which has already been reported. */
static void drop_part(job *now) {
    an_error ignored;
    (void)remove_part(now, &ignored);
}

static an_status write_info(const job *now, an_error *err) {
    char hash[ANI_HASH_SIZE]; /* the address may contain a password */
    ani_text text = {0};
    ani_hash_text(hash, now->url);
    ani_text_print(&text, "%s\n%s\n%s\n%" PRId64 "\n", info_mark, hash,
                   now->validator ? now->validator : "", now->total);
    an_status st = text.failed ? ani_fail_memory(err, text.size, now->info)
                               : ani_file_write_all(now->info, text.bytes, text.size, err);
    ani_text_clear(&text);
    return st;
}

/* Cut the next line off *rest; NULL if there is none. */
static char *next_line(char **rest) {
    char *line = *rest;
    char *end = strchr(line, '\n');
    if (!end) return NULL;
    *end = '\0';
    *rest = end + 1;
    return line;
}

/* Find out where to resume: at now->offset, 0 = from the beginning. A part of unknown origin is
 * useless. */
static an_status look_at_part(job *now, an_error *err) {
    char hash[ANI_HASH_SIZE];
    uint8_t *bytes = NULL;
    int64_t size;
    ani_file *file = NULL;
    an_status st = AN_OK;
    if (!ani_is_file(now->part) || !ani_is_file(now->info)) goto done;
    st = ani_file_read_all(now->info, 1 << 16, &bytes, &size, err);
    if (st) goto done;
    ani_hash_text(hash, now->url);
    char *rest = (char *)bytes, *behind;
    const char *mark = next_line(&rest), *url = mark ? next_line(&rest) : NULL;
    const char *validator = url ? next_line(&rest) : NULL,
               *total = validator ? next_line(&rest) : NULL;
    if (!total || strcmp(mark, info_mark) != 0 || strcmp(url, hash) != 0) goto done;
    const int64_t length = strtoll(total, &behind, 10);
    st = ani_file_open(&file, now->part, err);
    if (st) goto done;
    const int64_t there = ani_file_size(file);
    /* Without a validator, only a hash can show that two halves belong to one file. */
    const bool is_sure = validator[0] || now->options.sha256;
    if (*behind || length < -1 || !is_sure || (length >= 0 && there > length) || is_local(now->url))
        goto done;
    now->validator = ani_strdup(validator);
    if (!now->validator) {
        st = ani_fail_memory(err, (int64_t)strlen(validator), "a validator");
        goto done;
    }
    now->offset = now->done = now->done_at_begin = there;
    now->total = length;
done:
    ani_file_close(file);
    ani_free(bytes);
    return st;
}

/* --- taking an answer ------------------------------------------------------------------------- */

static an_status check_size(const job *now, int64_t size, an_error *err) {
    if (size <= now->options.max_bytes) return AN_OK;
    return ani_fail(err, AN_ERR_IO, "'%s' has %" PRId64 " bytes or more; max_bytes is %" PRId64,
                    now->shown, size, now->options.max_bytes);
}

static an_status append_to_page(job *now, const void *bytes, int64_t size, an_error *err) {
    const int64_t room = MAX_PAGE - now->page.size;
    const int64_t from = now->page.size;
    ani_text_add(&now->page, bytes, size < room ? size : room);
    if (now->page.failed) return ani_fail_memory(err, now->page.size, "a web page");
    for (int64_t i = from; i < now->page.size; i++)
        if (!now->page.bytes[i]) now->page.bytes[i] = ' ';
    return AN_OK;
}

static an_status append_to_file(job *now, const void *bytes, int64_t size, an_error *err) {
    an_status st = check_size(now, now->done + size, err);
    if (!st) st = ani_appender_write(now->out, bytes, size, err);
    if (!st) now->done += size;
    return st;
}

static const char *wanted_type(const job *now) {
    return now->options.expected_type ? now->options.expected_type : "any";
}

static bool is_wanted(const job *now, const char *type) {
    const char *wanted = wanted_type(now);
    return !strcmp(wanted, "any") || !strcmp(wanted, type);
}

/* The response is not the kind of file that was requested: show how it begins. */
static an_status fail_content(const job *now, const uint8_t *head, int64_t size, an_error *err) {
    char excerpt[ANI_PAGE_EXCERPT_SIZE];
    const char *kind = ani_page_kind_of(head, size);
    if (!kind)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s' is not a %s file: it begins with the bytes %02x %02x %02x %02x",
                        now->shown, wanted_type(now), head[0], size > 1 ? head[1] : 0,
                        size > 2 ? head[2] : 0, size > 3 ? head[3] : 0);
    ani_page_excerpt(excerpt, head, size);
    return ani_fail(err, AN_ERR_FORMAT, "'%s' returned %s instead of a %s file: '%s'", now->shown,
                    kind, wanted_type(now), excerpt);
}

/* Decide from the beginning of a response where it goes, and send it there. */
static an_status take_head(job *now, const ani_answer *answer, an_error *err) {
    const bool is_page = answer->status != 200 || !strncmp(answer->type, "text/html", 9) ||
                         ani_page_is_html(now->head, now->head_size);
    an_status st = AN_OK;
    if (is_page) {
        now->sink = SINK_PAGE;
        return append_to_page(now, now->head, now->head_size, err);
    }
    if (now->head_size > 0 && !is_wanted(now, ani_content_type(now->head, now->head_size)))
        return fail_content(now, now->head, now->head_size, err);
    if (answer->length >= 0) st = check_size(now, answer->length, err);
    if (st) return st;
    now->sink = SINK_FILE;
    now->done = now->done_at_begin = 0;
    now->total = answer->length;
    ani_free(now->validator);
    now->validator = ani_strdup(answer->validator);
    if (!now->validator) return ani_fail_memory(err, sizeof answer->validator, "a validator");
    st = ani_appender_open(&now->out, now->part, true, err);
    if (!st) st = write_info(now, err);
    if (!st) st = append_to_file(now, now->head, now->head_size, err);
    return st;
}

/* The first bytes of a response that continues where the part ends. */
static an_status continue_part(job *now, const ani_answer *answer, an_error *err) {
    if (now->offset == 0)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s' returned part of the file, but the whole file was requested",
                        now->shown);
    if (answer->offset != now->offset ||
        (now->total >= 0 && answer->length >= 0 && answer->length != now->total)) {
        now->must_restart = true;
        return ani_fail(err, AN_ERR_FORMAT, "'%s' resumes with different content", now->shown);
    }
    if (now->total < 0) now->total = answer->length;
    now->sink = SINK_FILE;
    return ani_appender_open(&now->out, now->part, false, err);
}

static an_status take_bytes(void *user, const ani_answer *answer, const void *bytes, int64_t size,
                            an_error *err) {
    job *now = user;
    if (now->sink == SINK_UNKNOWN && answer->status == 206) {
        an_status st = continue_part(now, answer, err);
        if (st) return st;
    }
    if (now->sink == SINK_PAGE) return append_to_page(now, bytes, size, err);
    if (now->sink == SINK_FILE) return append_to_file(now, bytes, size, err);
    const int64_t room = SNIFF_SIZE - now->head_size;
    const int64_t used = size < room ? size : room;
    if (used) memcpy(now->head + now->head_size, bytes, (size_t)used);
    now->head_size += used;
    if (now->head_size < SNIFF_SIZE) return AN_OK;
    an_status st = take_head(now, answer, err);
    return st ? st : take_bytes(now, answer, (const uint8_t *)bytes + used, size - used, err);
}

static an_status tick(void *user, an_error *err) {
    return report(user, false, err);
}

/* A file is being hashed; the progress reported stays that of the download, in bytes. */
static an_status hash_tick(void *user, int64_t done, int64_t total, an_error *err) {
    (void)done;
    (void)total;
    return tick(user, err);
}

/* --- pages and statuses ----------------------------------------------------------------------- */

/* The response is a web page. Follow Drive's virus-scan page (next is set to the address), or
 * report what the page is. */
static an_status take_page(job *now, const ani_answer *answer, const char *url,
                           const char *drive_origin, ani_text *next, an_error *err) {
    char title[ANI_PAGE_TITLE_SIZE], excerpt[ANI_PAGE_EXCERPT_SIZE];
    ani_text link = {0};
    const char *page = now->page.bytes ? now->page.bytes : "";
    const bool is_html =
        !strncmp(answer->type, "text/html", 9) || ani_page_is_html(page, now->page.size);
    const ani_page_kind kind = is_html ? ani_page_classify(page) : ANI_PAGE_OTHER;
    bool failed = false;
    an_status st = AN_OK;
    ani_page_title(title, is_html ? page : "");
    ani_page_excerpt(excerpt, page, now->page.size);
    const char *says = title[0] ? title : excerpt;
    if (kind == ANI_PAGE_QUOTA)
        st = ani_fail(
            err, AN_ERR_FORMAT,
            "'%s': the file's download quota is exceeded; try again in a few hours, or download it "
            "manually and pass its path",
            now->shown);
    else if (kind == ANI_PAGE_LOGIN)
        st = ani_fail(
            err, AN_ERR_FORMAT,
            "'%s' requires a login ('%s'); the file must be shared with anyone who has the link",
            now->shown, title);
    else if (kind == ANI_PAGE_VIRUS_SCAN && ani_drive_is(url, drive_origin, &failed) &&
             ani_page_confirm_link(&link, page) && ani_url_resolve(next, url, link.bytes) &&
             ani_drive_is_target(next->bytes, drive_origin, &failed))
        st = AN_OK;
    else if (failed | link.failed | next->failed)
        st = ani_fail_memory(err, link.size, "a link");
    else if (kind == ANI_PAGE_VIRUS_SCAN)
        st = ani_fail(
            err, AN_ERR_FORMAT,
            "'%s' returned a virus-scan page that cannot be confirmed; download the file manually",
            now->shown);
    else if (answer->status != 200)
        st = ani_fail(err, AN_ERR_IO, "'%s' returned HTTP status %d%s%s%s", now->shown,
                      answer->status, says[0] ? " ('" : "", says, says[0] ? "')" : "");
    else
        st = ani_fail(err, AN_ERR_FORMAT, "'%s' returned a web page, %s'%s', instead of data",
                      now->shown, title[0] ? "titled " : "", says);
    ani_text_clear(&link);
    return st;
}

/* Make one request after another until the file is complete. */
static an_status fetch(job *now, const char *drive_origin, an_error *err) {
    const ani_session_limits limits = {.max_redirects = now->options.max_redirects,
                                       .low_speed_bytes = now->options.low_speed_bytes,
                                       .low_speed_seconds = now->options.low_speed_seconds};
    ani_session *session = NULL;
    ani_text url = {0}, next = {0};
    an_status st = ani_session_open(&session, &limits, err);
    if (!st) st = ani_drive_direct(&url, now->url, drive_origin, err);
    for (int requests = 0; !st; requests++) {
        ani_answer answer;
        if (requests == MAX_REQUESTS) {
            st = ani_fail(err, AN_ERR_FORMAT, "'%s' keeps asking for confirmation", now->shown);
            break;
        }
        const ani_request request = {.url = url.bytes,
                                     .shown = now->shown,
                                     .offset = now->offset,
                                     .validator = now->validator,
                                     .write = take_bytes,
                                     .tick = tick,
                                     .user = now};
        now->sink = SINK_UNKNOWN;
        now->head_size = 0;
        ani_text_clear(&now->page);
        st = ani_session_get(session, &request, &answer, err);
        if (!st && now->sink == SINK_UNKNOWN) st = take_head(now, &answer, err);
        const bool is_past_end = !st && answer.status == 416 && now->offset > 0;
        if (now->must_restart || is_past_end) {
            /* The server's content is no longer what the part is the beginning of. */
            now->must_restart = false;
            now->offset = 0;
            st = remove_part(now, err);
            continue;
        }
        if (st || now->sink == SINK_FILE) break;
        st = take_page(now, &answer, url.bytes, drive_origin, &next, err);
        ani_text_clear(&url);
        url = next;
        next = (ani_text){0};
    }
    ani_text_clear(&url);
    ani_text_clear(&next);
    ani_session_close(session);
    return st;
}

/* --- what has come ---------------------------------------------------------------------------- */

/* The part's own bytes must be of the requested type, and complete: a server that gives no length
 * may have stopped anywhere, and one that does may itself have a truncated file. */
static an_status check_content(const job *now, ani_file *file, an_error *err) {
    uint8_t head[ANI_CONTENT_HEAD_SIZE];
    const int64_t size = ani_file_size(file);
    const int64_t head_size = size < ANI_CONTENT_HEAD_SIZE ? size : ANI_CONTENT_HEAD_SIZE;
    bool is_whole;
    an_status st = ani_file_read(file, 0, head, head_size, err);
    if (st) return st;
    const char *type = ani_content_type(head, head_size);
    if (!is_wanted(now, type)) return fail_content(now, head, head_size, err);
    /* A caller that accepts any type may want an archive that we cannot read. */
    if (now->total >= 0 && !strcmp(wanted_type(now), "any")) return AN_OK;
    st = ani_content_is_whole(&is_whole, now->part, type, err);
    if (st || is_whole) return st;
    return ani_fail(err, AN_ERR_FORMAT,
                    "'%s' sent %" PRId64
                    " bytes%s, and they are not a whole %s file; the next call "
                    "tries again",
                    now->shown, size, now->total < 0 ? " without announcing the length" : "", type);
}

/* Rename the part. Its origin is recorded first, so that there is never a file of unknown origin. A
 * rename can fail after the fact, when the folder is synced: the part's information is removed
 * then, too. */
static an_status name_part(const job *now, an_error *err) {
    an_error ignored;
    an_status st = ani_origin_write(now->path, now->part, now->url, err);
    if (st) return st;
    st = ani_file_rename(now->part, now->path, err);
    if (!st) return ani_file_remove(now->info, err);
    if (!ani_is_file(now->part)) (void)ani_file_remove(now->info, &ignored);
    return st;
}

/* Check the part and rename it. A part that is too short is kept for resuming; a wrong one is
 * removed. */
static an_status finish(job *now, an_error *err) {
    ani_file *file = NULL;
    an_status st = close_part(now, true, err);
    if (!st) st = ani_file_open(&file, now->part, err);
    if (st) goto done;
    const int64_t size = ani_file_size(file);
    if (size == 0) {
        st = ani_fail(err, AN_ERR_FORMAT, "'%s' returned an empty file", now->shown);
    } else if (now->total >= 0 && size < now->total) {
        st = ani_fail(err, AN_ERR_IO,
                      "'%s' sent %" PRId64 " of %" PRId64 " bytes; call again to resume",
                      now->shown, size, now->total);
        goto done;
    } else if (now->total >= 0 && size > now->total) {
        st = ani_fail(err, AN_ERR_FORMAT, "'%s' sent %" PRId64 " bytes instead of %" PRId64,
                      now->shown, size, now->total);
    } else {
        st = check_content(now, file, err);
        if (!st && now->options.sha256)
            st = ani_hash_compare(now->part, now->options.sha256, now->shown, hash_tick, now, err);
    }
    if (st == AN_ERR_FORMAT) drop_part(now);
    if (!st) st = name_part(now, err);
done:
    ani_file_close(file);
    return st;
}

/* Is there nothing to do? A file with a hash other than the one wanted, or from another address, is
 * fetched again; a local source always is, since reading it costs no transfer. A file that is not
 * known to be a download of ours is left alone. */
static an_status look_at_file(job *now, bool *is_there, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    ani_origin origin;
    *is_there = false;
    if (ani_is_folder(now->path))
        return ani_fail(err, AN_ERR_IO, "cannot download to '%s': it is a folder", now->path);
    if (!ani_is_file(now->path)) return AN_OK;
    if (now->options.sha256) {
        an_error why;
        an_status st =
            ani_hash_compare(now->path, now->options.sha256, now->path, hash_tick, now, &why);
        if (st == AN_ERR_FORMAT)
            return warn(now, "the file that is there has another SHA-256 and is downloaded again",
                        err);
        *is_there = !st;
        return st ? ani_fail(err, st, "%s", why.message) : AN_OK;
    }
    an_status st = ani_origin_look(&origin, now->path, now->url, err);
    if (st) return st;
    if (origin == ANI_ORIGIN_UNKNOWN)
        return ani_fail(err, AN_ERR_IO,
                        "'%s' already exists, and it is unknown whether it came from this address: "
                        "pass its path to use it, or move it away to download again",
                        ani_name_show(shown, now->path));
    if (origin == ANI_ORIGIN_OTHER)
        return warn(now,
                    "the file that is there came from another address; it is replaced when the "
                    "download is whole",
                    err);
    *is_there = !is_local(now->url);
    return AN_OK;
}

an_status ani_download(const char *url, const char *path, const an_download_options *options,
                       const char *drive_origin, an_error *err) {
    bool is_there;
    if (!url || !path || !url[0] || !path[0])
        return ani_fail(err, AN_ERR_ARG, "%s is empty", !url || !url[0] ? "url" : "path");
    if (strpbrk(url, "\r\n")) return ani_fail(err, AN_ERR_ARG, "url has a line break in it");
    job now = {.url = url, .path = path, .total = -1, .begin = ani_clock_seconds(), .reported = -1};
    an_download_options_init(&now.options, sizeof now.options);
    an_status st =
        ani_options_copy(&now.options, sizeof now.options, options, "an_download_options", err);
    if (!st) st = check_options(&now.options, err);
    if (st) return st;
    show_url(now.shown, url);
    st = look_at_file(&now, &is_there, err);
    if (st || is_there) goto done;

    const int64_t name_size = (int64_t)strlen(path) + 16;
    now.part = ani_alloc(name_size);
    now.info = ani_alloc(name_size);
    if (!now.part || !now.info) {
        st = ani_fail_memory(err, name_size, "a path");
        goto done;
    }
    snprintf(now.part, (size_t)name_size, "%s.part", path);
    snprintf(now.info, (size_t)name_size, "%s.part.info", path);
    st = look_at_part(&now, err);
    if (st) goto done;
    const bool is_whole = now.total > 0 && now.offset == now.total;
    if (!is_whole) st = fetch(&now, drive_origin, err);
    if (!st) st = report(&now, true, err);
    if (!st) st = finish(&now, err);
done:
    if (now.out) {
        an_error ignored; /* the first failure is the one to report */
        (void)close_part(&now, true, &ignored);
    }
    ani_text_clear(&now.page);
    ani_free(now.validator);
    ani_free(now.part);
    ani_free(now.info);
    return st;
}

an_status an_download(const char *url, const char *path, const an_download_options *options,
                      an_error *err) {
    return ani_download(url, path, options, NULL, err);
}
