/* SPDX-License-Identifier: MIT
 * Makes calls fail, one after another, and looks at what is left.
 *
 * usage: test_oom LIMIT|all [SCENARIO]
 *
 * LIMIT: at most so many points of one kind in a costly scenario, spread over all, their begin
 * chosen by AN_SEED (any text); other scenarios have every point. For every point: a status and a
 * message, nothing leaked (file descriptors here, memory by LeakSanitizer if it is there), each
 * file of the output folder as before or as it should become, and the same call works afterwards.
 */
#include "oom.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "support/scratch.h"

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

_Noreturn void oom_stop(const char *condition, const char *file, int line) {
    printf("Bail out! %s:%d: %s\n", file, line, condition);
    exit(1);
}

const char *oom_path(const char *folder, const char *name) {
    static char ring[8][4096];
    static int next;
    char *path = ring[next];
    next = (next + 1) % 8;
    snprintf(path, sizeof ring[0], "%s/%s", folder, name);
    return path;
}

uint64_t oom_mix(uint64_t sum, const void *bytes, int64_t size) {
    const uint8_t *p = bytes;
    for (int64_t i = 0; i < size; i++)
        sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
    return sum;
}

/* --- folders ---------------------------------------------------------------------------------- */

enum { MAX_FILES = 64 };

/* The files of a folder with their bytes. */
typedef struct listing {
    int count;
    struct {
        char name[256];
        uint8_t *bytes;
        int64_t size;
    } file[MAX_FILES];
} listing;

static void clear_listing(listing *list) {
    for (int i = 0; i < list->count; i++)
        free(list->file[i].bytes);
    list->count = 0;
}

static void read_listing(listing *list, const char *folder) {
    DIR *entries = opendir(folder);
    OOM_NEED(entries);
    list->count = 0;
    for (const struct dirent *entry; (entry = readdir(entries));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        OOM_NEED(list->count < MAX_FILES);
        const int i = list->count++;
        snprintf(list->file[i].name, sizeof list->file[i].name, "%s", entry->d_name);
        list->file[i].bytes = NULL;
        list->file[i].size = -1; /* a folder */
        FILE *file = fopen(oom_path(folder, entry->d_name), "rb");
        if (!file || fseek(file, 0, SEEK_END)) {
            if (file) fclose(file);
            continue;
        }
        struct stat info;
        OOM_NEED(!fstat(fileno(file), &info));
        if (S_ISREG(info.st_mode)) {
            list->file[i].size = info.st_size;
            list->file[i].bytes = malloc((size_t)info.st_size + 1);
            rewind(file);
            OOM_NEED(list->file[i].bytes && fread(list->file[i].bytes, 1, (size_t)info.st_size,
                                                  file) == (size_t)info.st_size);
        }
        fclose(file);
    }
    closedir(entries);
}

static int find_file(const listing *list, const char *name) {
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->file[i].name, name)) return i;
    return -1;
}

static bool has_same(const listing *list, const listing *other, int i) {
    const int k = find_file(list, other->file[i].name);
    return k >= 0 && list->file[k].size == other->file[i].size &&
           (other->file[i].size < 0 ||
            !memcmp(list->file[k].bytes, other->file[i].bytes, (size_t)other->file[i].size));
}

static bool is_same(const listing *a, const listing *b) {
    if (a->count != b->count) return false;
    for (int i = 0; i < b->count; i++)
        if (!has_same(a, b, i)) return false;
    return true;
}

/* Each file as before or as it should become, and none of before gone. */
static bool is_between(const listing *now, const listing *before, const listing *good,
                       const char **what) {
    for (int i = 0; i < now->count; i++) {
        if (has_same(before, now, i) || has_same(good, now, i)) continue;
        *what = now->file[i].name;
        return false;
    }
    for (int i = 0; i < before->count; i++) {
        if (find_file(now, before->file[i].name) >= 0) continue;
        *what = before->file[i].name;
        return false;
    }
    return true;
}

static void restore(const char *folder, const listing *before) {
    scratch_clear(folder);
    for (int i = 0; i < before->count; i++) {
        FILE *file = fopen(oom_path(folder, before->file[i].name), "wb");
        OOM_NEED(file && before->file[i].size >= 0 &&
                 fwrite(before->file[i].bytes, 1, (size_t)before->file[i].size, file) ==
                     (size_t)before->file[i].size);
        fclose(file);
    }
}

static int open_files(void) {
    int count = 0;
    DIR *entries = opendir("/proc/self/fd");
    if (!entries) return 0;
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

/* --- points ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int kind;
    int code;
    bool sticky, is_write, heals; /* heals: the call must succeed all the same */
} plans[] = {
    {"allocation", ANI_FAULT_ALLOC, ENOMEM, false, false, false},
    {"allocation and all after it", ANI_FAULT_ALLOC, ENOMEM, true, false, false},
    {"open, EMFILE", ANI_FAULT_OPEN, EMFILE, false, false, false},
    {"open, EINTR from there on", ANI_FAULT_OPEN, EINTR, true, false, true},
    {"read, EIO", ANI_FAULT_READ, EIO, false, false, false},
    {"read, EINTR", ANI_FAULT_READ, EINTR, false, false, true},
    {"read, EINTR from there on", ANI_FAULT_READ, EINTR, true, false, true},
    {"read, short from there on", ANI_FAULT_READ, -1, true, false, true},
    {"write, ENOSPC from there on", ANI_FAULT_WRITE, ENOSPC, true, true, false},
    {"write, EIO", ANI_FAULT_WRITE, EIO, false, true, false},
    {"write, EINTR", ANI_FAULT_WRITE, EINTR, false, true, true},
    {"write, EINTR from there on", ANI_FAULT_WRITE, EINTR, true, true, true},
    {"write, short from there on", ANI_FAULT_WRITE, -1, true, true, true},
    {"sync, EIO", ANI_FAULT_SYNC, EIO, false, true, false},
    {"sync, ENOSPC from there on", ANI_FAULT_SYNC, ENOSPC, true, true, false},
    {"rename, EIO", ANI_FAULT_RENAME, EIO, false, true, false},
    {"rename, ENOSPC", ANI_FAULT_RENAME, ENOSPC, false, true, false},
};
enum { PLAN_COUNT = sizeof plans / sizeof *plans };

/* What one point did: a sentence if it was wrong, else NULL. */
static const char *judge(bench *b, const scenario *s, int plan, int64_t n, const listing *before,
                         const listing *good, uint64_t result, bool *tolerated, an_error *err) {
    static char text[512];
    const int files = open_files();
    listing now;
    const char *what = NULL;
    restore(b->out, before);
    *err = (an_error){0};
    b->result = 0;
    ani_fault_arm(plans[plan].kind, n, plans[plan].code, plans[plan].sticky);
    const an_status st = s->act(b, err);
    const bool reached = ani_fault_calls(plans[plan].kind) > n;
    ani_fault_disarm();
    read_listing(&now, b->out);
    *tolerated = !st && !plans[plan].heals;
    const char *wrong = NULL;
    if (!st && !is_same(&now, good))
        wrong = "reports success, but the output is not what it should be";
    else if (!st && b->result != result)
        wrong = "reports success, but with another result";
    else if (st && !reached)
        wrong = "fails without a fault";
    else if (st && plans[plan].heals)
        wrong = "fails, though it should have gone on";
    else if (st && (err->status != st || !err->message[0]))
        wrong = "fails without a message";
    else if (st > 0 || (st && plans[plan].kind == ANI_FAULT_ALLOC && st != AN_ERR_NOMEM) ||
             (st && plans[plan].kind != ANI_FAULT_ALLOC && st != AN_ERR_IO))
        wrong = "fails with another status";
    else if (st && !is_between(&now, before, good, &what))
        wrong = "leaves a file that it should not";
    else if (open_files() != files)
        wrong = "leaves a file open";
    clear_listing(&now);
    if (!wrong && st) { /* usable afterwards */
        an_error later = {0};
        b->result = 0;
        if (s->act(b, &later)) {
            snprintf(text, sizeof text, "does not work afterwards: %s", later.message);
            return text;
        }
        read_listing(&now, b->out);
        if (!is_same(&now, good) || b->result != result) wrong = "gives another result afterwards";
        clear_listing(&now);
    }
    if (!wrong) return NULL;
    snprintf(text, sizeof text, "%s%s%s (status %s, message '%s')", wrong, what ? ": " : "",
             what ? what : "", an_status_name(st), err->message);
    return text;
}

static uint64_t seed_of(const char *text) {
    return text ? oom_mix(UINT64_C(0xcbf29ce484222325), text, (int64_t)strlen(text)) : 0;
}

static double now_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Run all points of one plan; returns whether all were right. */
static bool run_plan(bench *b, const scenario *s, int plan, int64_t limit, const listing *before,
                     const listing *good, uint64_t result) {
    an_error err;
    const double start = now_seconds();
    restore(b->out, before);
    ani_fault_arm(plans[plan].kind, INT64_MAX, ENOMEM, false);
    const an_status st = s->act(b, &err);
    const int64_t points = ani_fault_calls(plans[plan].kind);
    ani_fault_disarm();
    OOM_NEED(!st);
    if (points == 0) return true;
    const int64_t step = limit > 0 && points > limit ? (points + limit - 1) / limit : 1;
    const int64_t first = (int64_t)(seed_of(getenv("AN_SEED")) % (uint64_t)step);
    int64_t done = 0, tolerated = 0;
    const char *wrong = NULL;
    for (int64_t n = first; n < points && !wrong; n += step, done++) {
        bool let_pass;
        wrong = judge(b, s, plan, n, before, good, result, &let_pass, &err);
        tolerated += let_pass;
        if (!wrong) continue;
        printf("not ok - %s: %s\n# call %" PRId64 " of %" PRId64 ": %s\n", s->name,
               plans[plan].name, n, points, wrong);
        return false;
    }
    printf("ok - %s: %s, %" PRId64 " of %" PRId64 " points\n# %.1f s", s->name, plans[plan].name,
           done, points, now_seconds() - start);
    if (tolerated) printf(", %" PRId64 " did no harm", tolerated);
    printf("\n");
    return true;
}

static int run_scenario(const scenario *s, const char *folder, int64_t limit) {
    static char in[4096], out[4096];
    listing before, good = {0};
    an_error err;
    int failed = 0;
    snprintf(in, sizeof in, "%s/in", folder);
    snprintf(out, sizeof out, "%s/out", folder);
    OOM_NEED(!mkdir(in, 0777) && !mkdir(out, 0777));
    bench b = {.in = in, .out = out};
    if (s->prepare) s->prepare(&b);
    read_listing(&before, out);
    /* Twice: what libraries make at their first use is no leak. */
    for (int i = 0; i < 2 && !failed; i++) {
        restore(out, &before);
        b.result = 0;
        if (!s->act(&b, &err)) continue;
        printf("not ok - %s\n# fails without a fault: %s\n", s->name, err.message);
        failed = 1;
    }
    if (!failed) {
        const uint64_t result = b.result;
        read_listing(&good, out);
        for (int plan = 0; plan < PLAN_COUNT; plan++)
            if (s->writes || !plans[plan].is_write)
                failed += !run_plan(&b, s, plan, limit, &before, &good, result);
    }
    if (s->finish) s->finish(&b);
    clear_listing(&before);
    clear_listing(&good);
    scratch_clear(folder);
    if (__lsan_do_recoverable_leak_check) {
        const bool leaks = __lsan_do_recoverable_leak_check() != 0;
        printf("%s - %s: no memory is lost\n", leaks ? "not ok" : "ok", s->name);
        failed += leaks;
    }
    fflush(NULL);
    return failed;
}

int main(int argc, char **argv) {
    int failed = 0;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s LIMIT|all [SCENARIO]\n", argv[0]);
        return 2;
    }
    char *made = scratch_make(true); /* the points sync a lot */
    OOM_NEED(made);
    const struct {
        const scenario *first;
        int count;
    } parts[] = {{oom_file_scenarios, oom_file_scenario_count},
                 {oom_model_scenarios, oom_model_scenario_count},
                 {oom_train_scenarios, oom_train_scenario_count}};
    for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) {
        for (int i = 0; i < parts[part].count; i++) {
            const scenario *s = &parts[part].first[i];
            if (argc == 3 && strcmp(argv[2], s->name) != 0) continue;
            failed += run_scenario(s, made, s->is_costly ? atoll(argv[1]) : 0); /* "all": 0 */
        }
    }
    scratch_remove(made);
    return failed ? 1 : 0;
}
