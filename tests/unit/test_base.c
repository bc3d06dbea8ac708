/* SPDX-License-Identifier: MIT
 * base: errors, options, sizes, memory, faults, files, text, random numbers, the thread pool,
 * libraries that are loaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <attractivenet/version.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/library.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/shape.h"
#include "base/text.h"
#include "support/folder.h"
#include "support/test_folder.h"

static const char *in_folder(const char *name) {
    return folder_path(test_folder, name);
}

/* --- errors, options, sizes ------------------------------------------------------------------- */

static void status_has_names(void **state) {
    (void)state;
    assert_string_equal(an_status_name(AN_OK), "AN_OK");
    for (an_status st = AN_DONE; st >= AN_ERR_INTERNAL; st--)
        assert_memory_equal(an_status_name(st), "AN_", 3);
    assert_string_equal(an_status_name(-99), "unknown status");
    assert_int_equal(sizeof(an_error), 256);
}

static void fail_cuts_long_messages_between_characters(void **state) {
    (void)state;
    an_error err;
    char name[400];
    /* 2-byte characters: an even and an odd start make the cut fall inside one of them once */
    for (int lead = 0; lead < 2; lead++) {
        memset(name, 'a', (size_t)lead);
        for (int i = lead; i + 2 < (int)sizeof name; i += 2)
            memcpy(name + i, "\xC3\xA9", 2);
        name[sizeof name - 2 + (size_t)lead % 2] = '\0';
        name[sizeof name - 1] = '\0';
        assert_int_equal(ani_fail(&err, AN_ERR_IO, "%s", name), AN_ERR_IO);
        assert_int_equal(err.status, AN_ERR_IO);
        assert_true(strlen(err.message) >= 249);
        assert_true(ani_is_utf8(err.message, (int64_t)strlen(err.message)));
    }
    assert_int_equal(ani_fail(NULL, AN_ERR_ARG, "x"), AN_ERR_ARG);
}

static void fail_hides_what_a_terminal_would_obey(void **state) {
    (void)state;
    an_error err;
    ani_fail(&err, AN_ERR_IO, "'%s'",
             "a\x1b[2Jb\n\x7f\xC2\x9B"
             "1m\xE4\xC3\xA4\xC2\xA0\xF0\x9F\x98");
    assert_string_equal(err.message, "'a\?[2Jb\?\?\?\?1m\?\xC3\xA4\xC2\xA0\?\?\?'");
}

static void fail_can_frame_the_old_message(void **state) {
    (void)state;
    an_error err;
    ani_fail(&err, AN_ERR_IO, "inner");
    ani_fail(&err, err.status, "outer: %s", err.message);
    assert_string_equal(err.message, "outer: inner");
}

typedef struct sample_options {
    uint32_t struct_size;
    int32_t number;
    double rate;
} sample_options;

static void options_of_older_and_newer_callers(void **state) {
    (void)state;
    an_error err;
    const sample_options defaults = {sizeof defaults, 7, 0.5};
    sample_options ours = defaults;
    assert_int_equal(ani_options_copy(&ours, sizeof ours, NULL, "o", &err), AN_OK);

    struct {
        uint32_t struct_size;
        int32_t number;
    } older = {8, 9};
    assert_int_equal(ani_options_copy(&ours, sizeof ours, &older, "o", &err), AN_OK);
    assert_int_equal(ours.number, 9);
    assert_true(ours.rate == 0.5);
    assert_int_equal(ours.struct_size, sizeof ours);

    struct {
        sample_options known;
        int64_t later;
    } newer = {{sizeof newer, 1, 2.0}, 0};
    assert_int_equal(ani_options_copy(&ours, sizeof ours, &newer, "o", &err), AN_OK);
    assert_true(ours.rate == 2.0);
    newer.later = 1;
    assert_int_equal(ani_options_copy(&ours, sizeof ours, &newer, "my_options", &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "my_options: byte 16 of 24 is set"));

    older.struct_size = 0;
    assert_int_equal(ani_options_copy(&ours, sizeof ours, &older, "o", &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "init function"));

    memset(&newer, 0xff, sizeof newer);
    ani_options_init(&newer, sizeof newer, &defaults, sizeof defaults);
    assert_int_equal(newer.known.struct_size, sizeof newer);
    assert_int_equal(newer.known.number, 7);
    assert_int_equal(newer.later, 0);
}

static void sizes_say_when_they_overflow(void **state) {
    (void)state;
    int64_t out = 5;
    assert_true(ani_mul_size(1 << 20, 1 << 20, &out) && out == (int64_t)1 << 40);
    assert_false(ani_mul_size(INT64_MAX, 2, &out));
    assert_false(ani_mul_size(-1, 2, &out));
    assert_false(ani_add_size(INT64_MAX, 1, &out));
    assert_true(out == (int64_t)1 << 40);
}

/* --- memory and faults ------------------------------------------------------------------------ */

static void shapes_are_counted_and_shown(void **state) {
    (void)state;
    const int64_t shape[] = {2, 3, -1, 0}, wide[] = {INT64_MAX / 4, 1, 0},
                  over[] = {INT64_C(1) << 31, 1 << 30};
    char shown[ANI_SHOWN_SHAPE_SIZE];
    int64_t count = -5;
    assert_true(ani_shape_count(NULL, 0, &count) && count == 1);
    assert_true(ani_shape_count(shape, 2, &count) && count == 6);
    assert_true(ani_shape_count(wide, 2, &count) && count == INT64_MAX / 4);
    assert_true(ani_shape_count(wide, 3, &count) && count == 0);
    count = -5;
    assert_false(ani_shape_count(shape, 4, &count)); /* below 0 */
    assert_false(ani_shape_count(over, 2, &count));  /* the bytes overflow */
    assert_int_equal(count, -5);
    assert_string_equal(ani_shape_show(shown, NULL, 0), "[]");
    assert_string_equal(ani_shape_show(shown, shape, 4), "[2,3,any,0]");
    const int64_t longest[ANI_SHAPE_MAX_RANK] = {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN,
                                                 INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN};
    assert_int_equal(strlen(ani_shape_show(shown, longest, ANI_SHAPE_MAX_RANK)), 8 * 20 + 9);
    assert_int_equal(shown[8 * 20 + 8], ']');
}

static void memory_is_aligned_and_can_fail(void **state) {
    (void)state;
    for (int64_t size = 0; size < 200; size += 33) {
        uint8_t *memory = ani_alloc(size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % ANI_ALIGNMENT, 0);
        memset(memory, 1, (size_t)size);
        ani_free(memory);
    }
    assert_null(ani_alloc(-1));
    assert_null(ani_alloc(INT64_MAX));
    assert_null(ani_alloc_zero(INT64_MAX, 8));
    ani_fault_arm(ANI_FAULT_ALLOC, 1, ENOMEM, false);
    void *first = ani_alloc(1);
    assert_non_null(first);
    assert_null(ani_alloc(1));
    void *third = ani_alloc(1);
    assert_non_null(third);
    assert_int_equal(ani_fault_calls(ANI_FAULT_ALLOC), 3);
    ani_fault_disarm();
    ani_free(first);
    ani_free(third);

    uint8_t *arena = ani_alloc_large(5 << 20);
    assert_non_null(arena);
    assert_int_equal(arena[0] + arena[(5 << 20) - 1], 0);
    memset(arena, 1, 5 << 20);
    ani_free_large(arena, 5 << 20);
    ani_free_large(NULL, 1);
    assert_null(ani_alloc_large(-1));
}

/* --- files ------------------------------------------------------------------------------------ */

static void writer_leaves_all_or_nothing(void **state) {
    (void)state;
    an_error err;
    char path[4096];
    snprintf(path, sizeof path, "%s", in_folder("file"));
    assert_int_equal(ani_file_write_all(path, "old", 3, &err), AN_OK);
    /* every failing call of every kind leaves the old content, and nothing beside it */
    const int kinds[] = {ANI_FAULT_ALLOC, ANI_FAULT_OPEN, ANI_FAULT_WRITE, ANI_FAULT_SYNC,
                         ANI_FAULT_RENAME};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        ani_fault_arm(kinds[k], 0, ENOSPC, false);
        assert_true(ani_file_write_all(path, "new", 3, &err) < 0);
        ani_fault_disarm();
        uint8_t *bytes;
        int64_t size;
        assert_int_equal(ani_file_read_all(path, 100, &bytes, &size, &err), AN_OK);
        assert_int_equal(size, 3);
        assert_string_equal((char *)bytes, "old");
        ani_free(bytes);
    }
    /* interrupted and short calls are gone on with */
    ani_fault_arm(ANI_FAULT_WRITE, 0, EINTR, false);
    assert_int_equal(ani_file_write_all(path, "interrupted", 11, &err), AN_OK);
    ani_fault_arm(ANI_FAULT_WRITE, 0, -1, true);
    assert_int_equal(ani_file_write_all(path, "in short pieces", 15, &err), AN_OK);
    ani_fault_arm(ANI_FAULT_READ, 0, -1, true);
    uint8_t *bytes;
    int64_t size;
    assert_int_equal(ani_file_read_all(path, 100, &bytes, &size, &err), AN_OK);
    ani_fault_disarm();
    assert_string_equal((char *)bytes, "in short pieces");
    ani_free(bytes);
    assert_int_equal(ani_file_read_all(path, 10, &bytes, &size, &err), AN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "has 15 bytes; at most 10 are read"));
    assert_int_equal(ani_file_remove(path, &err), AN_OK);
    assert_int_equal(ani_file_remove(path, &err), AN_OK);
}

static void reading_says_what_is_wrong(void **state) {
    (void)state;
    an_error err;
    ani_file *file;
    assert_int_equal(ani_file_open(&file, in_folder("absent"), &err), AN_ERR_IO);
    assert_non_null(strstr(err.message, "absent': No such file or directory"));
    assert_null(file);
    assert_int_equal(ani_file_open(&file, test_folder, &err), AN_ERR_IO);
    assert_non_null(strstr(err.message, "it is a folder"));
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(ani_file_open(&file, in_folder("pipe"), &err), AN_ERR_IO);
    assert_non_null(strstr(err.message, "pipe"));
    unlink(in_folder("pipe"));

    char path[4096];
    snprintf(path, sizeof path, "%s", in_folder("short"));
    assert_int_equal(ani_file_write_all(path, "12345", 5, &err), AN_OK);
    assert_int_equal(ani_file_open(&file, path, &err), AN_OK);
    char bytes[8];
    assert_int_equal(ani_file_read(file, 3, bytes, 2, &err), AN_OK);
    assert_memory_equal(bytes, "45", 2);
    assert_int_equal(ani_file_read(file, 3, bytes, 3, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "ends at byte 5, but 6 are needed"));
    ani_fault_arm(ANI_FAULT_READ, 0, EIO, false);
    assert_int_equal(ani_file_read(file, 0, bytes, 1, &err), AN_ERR_IO);
    ani_fault_disarm();
    ani_file_close(file);
    ani_file_close(NULL);
    unlink(path);
}

static void appender_keeps_what_is_there(void **state) {
    (void)state;
    an_error err;
    char path[4096];
    snprintf(path, sizeof path, "%s", in_folder("log"));
    ani_appender *log;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ani_appender_open(&log, path, false, &err), AN_OK);
        assert_int_equal(ani_appender_size(log), 2 * i);
        assert_int_equal(ani_appender_write(log, "ab", 2, &err), AN_OK);
        assert_int_equal(ani_appender_close(log, true, &err), AN_OK);
    }
    assert_int_equal(ani_appender_open(&log, path, true, &err), AN_OK);
    assert_int_equal(ani_appender_size(log), 0);
    assert_int_equal(ani_appender_close(log, false, &err), AN_OK);
    unlink(path);
}

static void folders_are_made_with_their_parents(void **state) {
    (void)state;
    an_error err;
    char path[4096];
    snprintf(path, sizeof path, "%s", in_folder("a/b/c"));
    assert_int_equal(ani_folder_make(path, &err), AN_OK);
    assert_int_equal(ani_folder_make(path, &err), AN_OK);
    assert_true(ani_is_folder(path));
    assert_false(ani_is_file(path));
    assert_int_equal(ani_file_write_all(in_folder("a/b/c/f"), "", 0, &err), AN_OK);
    assert_int_equal(ani_folder_make(in_folder("a/b/c/f"), &err), AN_ERR_IO);
    assert_string_equal(ani_base_name("x/y.jpg"), "y.jpg");
    assert_string_equal(ani_base_name("y.jpg"), "y.jpg");
    char *joined = ani_path_join("x/", "y");
    assert_string_equal(joined, "x/y");
    ani_free(joined);
    unlink(in_folder("a/b/c/f"));
    rmdir(in_folder("a/b/c"));
    rmdir(in_folder("a/b"));
    rmdir(in_folder("a"));
}

/* --- text ------------------------------------------------------------------------------------- */

static void numbers_do_not_depend_on_the_locale(void **state) {
    (void)state;
    const char *locales[] = {"C", "de_DE.UTF-8", "fr_FR.UTF-8"};
    for (size_t i = 0; i < 3; i++) {
        setlocale(LC_ALL, locales[i]); /* absent ones change nothing */
        const char *end;
        double value;
        bool overflow;
        assert_true(ani_parse_double("2.883333 x", &end, &value, &overflow));
        assert_true(value == 2.883333);
        assert_string_equal(end, " x");
        assert_true(ani_parse_double("-1e-3", &end, &value, NULL) && value == -1e-3);
        assert_true(ani_parse_double(".5", &end, &value, NULL) && value == 0.5);
        const char *wrong[] = {"", " 1", "nan", "inf", "0x10", "-", ".", "e5", "+-1", "1e999"};
        for (size_t j = 0; j < sizeof wrong / sizeof *wrong; j++) {
            assert_false(ani_parse_double(wrong[j], &end, &value, &overflow));
            assert_int_equal(overflow, !strcmp(wrong[j], "1e999"));
        }
        char text[32];
        ani_format_double(text, sizeof text, 0.1, 17);
        assert_string_equal(text, "0.10000000000000001");
        ani_format_fixed(text, sizeof text, -2.5, 4);
        assert_string_equal(text, "-2.5000");
        ani_format_exponent(text, sizeof text, 0.00025, 4);
        assert_string_equal(text, "2.5000e-04");
        ani_format_fixed(text, sizeof text, -NAN, 4);
        assert_string_equal(text, "nan");
        /* as Python's repr */
        const double numbers[] = {0.1,      1e-3,
                                  1e-5,     3,
                                  -0.0,     0.00010000000474974513,
                                  1e16,     1e15,
                                  5e-324,   1.7976931348623157e308,
                                  -INFINITY};
        const char *shortest[] = {"0.1",    "0.001",
                                  "1e-05",  "3.0",
                                  "-0.0",   "0.00010000000474974513",
                                  "1e+16",  "1000000000000000.0",
                                  "5e-324", "1.7976931348623157e+308",
                                  "-inf"};
        for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++) {
            ani_format_shortest(text, sizeof text, numbers[j]);
            assert_string_equal(text, shortest[j]);
        }
    }
    setlocale(LC_ALL, "C");
}

static void text_grows_and_remembers_failure(void **state) {
    (void)state;
    ani_text text = {0};
    for (int i = 0; i < 1000; i++)
        ani_text_print(&text, "%d,", i % 10);
    assert_int_equal(text.size, 2000);
    assert_int_equal(strlen(text.bytes), 2000);
    ani_fault_arm(ANI_FAULT_ALLOC, 0, ENOMEM, false);
    char big[8192] = {0};
    ani_text_add(&text, big, sizeof big);
    ani_fault_disarm();
    assert_true(text.failed);
    ani_text_add(&text, "x", 1);
    assert_int_equal(text.size, 2000);
    ani_text_clear(&text);
    assert_true(ani_ends_with("a.jpg", ".jpg") && !ani_ends_with("jpg", ".jpg"));
}

static void utf8_is_told_from_other_bytes(void **state) {
    (void)state;
    const char *good[] = {
        "", "abc", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF"};
    const char *bad[] = {"\xC3",     "\x80",         "\xC0\x80",
                         "\xE2\x82", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                         "\xFF",     "a\xE9z"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(ani_is_utf8(good[i], (int64_t)strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ani_is_utf8(bad[i], (int64_t)strlen(bad[i])));
}

/* --- random numbers --------------------------------------------------------------------------- */

static void mt19937_is_numpys(void **state) {
    (void)state;
    static const uint32_t first[] = {1608637542u, 3421126067u, 4083286876u, 787846414u};
    ani_mt19937 mt;
    ani_mt19937_seed(&mt, 42);
    for (int i = 0; i < 4; i++)
        assert_true(ani_mt19937_next(&mt) == first[i]);
    ani_mt19937_seed(&mt, 42);
    assert_true(ani_mt19937_double(&mt) == 0.3745401188473625);
    assert_true(ani_mt19937_double(&mt) == 0.9507143064099162);
    static const int64_t order[] = {8, 1, 5, 0, 7, 2, 9, 4, 3, 6};
    int64_t out[10];
    ani_mt19937_seed(&mt, 42);
    ani_mt19937_permutation(&mt, out, 10);
    assert_memory_equal(out, order, sizeof order);
    ani_mt19937_permutation(&mt, out, 1);
    assert_int_equal(out[0], 0);
}

static void streams_are_unrelated(void **state) {
    (void)state;
    double sum = 0, squares = 0, neighbours = 0;
    const int count = 20000;
    double before = 0;
    for (int i = 0; i < count; i++) {
        ani_stream stream = ani_stream_begin(42, i / 100, i % 100);
        const double x = ani_stream_double(&stream) - 0.5;
        assert_true(x >= -0.5 && x < 0.5);
        sum += x;
        squares += x * x;
        neighbours += x * before;
        before = x;
    }
    /* five standard deviations of the mean, the variance and the correlation of uniform numbers */
    assert_true(fabs(sum / count) < 5 * sqrt(1.0 / 12 / count));
    assert_true(fabs(squares / count - 1.0 / 12) < 5 * sqrt(1.0 / 180 / count));
    assert_true(fabs(neighbours / count) < 5 * (1.0 / 12) / sqrt(count));
    ani_stream a = ani_stream_begin(1, 2, 3), b = ani_stream_begin(1, 2, 3);
    assert_true(ani_stream_next(&a) == ani_stream_next(&b));
    double normal = 0;
    for (int i = 0; i < count; i++) {
        const double x = ani_stream_normal(&a);
        assert_true(isfinite(x));
        normal += x * x;
    }
    assert_true(fabs(normal / count - 1) < 5 * sqrt(2.0 / count));
}

/* --- pool ------------------------------------------------------------------------------------- */

typedef struct loop {
    atomic_int *seen;
    int32_t threads;
} loop;

static void count_pass(void *context, int64_t index, int32_t worker) {
    loop *self = context;
    assert_true(worker >= 0 && worker < self->threads);
    atomic_fetch_add(&self->seen[index], 1);
}

static void pool_runs_every_pass_once(void **state) {
    (void)state;
    an_error err;
    const int32_t threads[] = {1, 2, 3, 7};
    for (size_t t = 0; t < 4; t++) {
        ani_pool *pool;
        assert_int_equal(ani_pool_create(&pool, threads[t], &err), AN_OK);
        assert_int_equal(ani_pool_threads(pool), threads[t]);
        atomic_int seen[64];
        for (int round = 0; round < 300; round++) {
            const int64_t count = round % 64;
            memset(seen, 0, sizeof seen);
            loop context = {seen, threads[t]};
            ani_pool_run(pool, count, count_pass, &context);
            for (int64_t i = 0; i < 64; i++)
                assert_int_equal(seen[i], i < count);
        }
        ani_pool_destroy(pool);
    }
    ani_pool *pool;
    assert_int_equal(ani_pool_create(&pool, 0, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "threads is 0; it must be 1 to 1024");
    for (int n = 0; n < 4; n++) {
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = ani_pool_create(&pool, 3, &err);
        ani_fault_disarm();
        if (!st) ani_pool_destroy(pool);
        assert_int_equal(st, n < 4 ? AN_ERR_NOMEM : AN_OK);
    }
}

/* --- processor, clock, version ---------------------------------------------------------------- */

static void cpu_level_can_be_limited(void **state) {
    (void)state;
    int known;
    setenv("AN_CPU", "c", 1);
    assert_int_equal(ani_cpu_mask(&known), 0);
    assert_true(known);
    setenv("AN_CPU", "quantum", 1);
    assert_int_equal(ani_cpu_mask(&known), ani_cpu_features());
    assert_false(known);
    unsetenv("AN_CPU");
    assert_int_equal(ani_cpu_mask(&known), ani_cpu_features());
    assert_true(ani_cpu_count() >= 1);
}

static void time_left_is_a_proportion(void **state) {
    (void)state;
    assert_true(ani_seconds_left(1, 4, 2.0) == 6.0);
    assert_true(ani_seconds_left(0, 4, 2.0) == -1);
    assert_true(ani_seconds_left(4, -1, 2.0) == -1);
    const double before = ani_clock_seconds();
    assert_true(ani_clock_seconds() >= before);
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", AN_VERSION_MAJOR, AN_VERSION_MINOR,
             AN_VERSION_PATCH);
    assert_string_equal(an_version(), version);
    assert_true(an_abi() >= 0);
    assert_int_equal(an_has_feature("teleport"), 0);
    assert_int_equal(an_has_feature(NULL), 0);
}

#define MATHS(F) F(cos) F(sqrt)
#define NOT_ALL(F) F(cos) F(no_such_function_)
double no_such_function_(double x);

static void library_is_loaded_whole_or_not(void **state) {
    (void)state;
    static const char *const missing[] = {"libno_such_library.so.1", NULL};
    static const char *const second[] = {"libno_such_library.so.1", "libm.so.6", NULL};
    static const char *const maths_names[] = {MATHS(ANI_FUNCTION_NAME)};
    static const char *const other_names[] = {NOT_ALL(ANI_FUNCTION_NAME)};
    struct {
        MATHS(ANI_FUNCTION)
    } maths = {NULL, NULL};
    struct {
        NOT_ALL(ANI_FUNCTION)
    } other = {NULL, NULL};
    assert_int_equal(ani_library_load(missing, maths_names, 2, &maths), 0);
    assert_null(maths.cos);
    void *libm = dlopen(second[1], RTLD_NOW);
    if (!libm) skip(); /* another C library, which has it under another name */
    dlclose(libm);
    assert_int_equal(ani_library_load(second, other_names, 2, &other), 0);
    assert_null(other.cos);
    assert_int_equal(ani_library_load(second, maths_names, 2, &maths), 1);
    assert_true(maths.sqrt(9) == 3);
    assert_true(maths.cos(0) == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_has_names),
        cmocka_unit_test(fail_cuts_long_messages_between_characters),
        cmocka_unit_test(fail_hides_what_a_terminal_would_obey),
        cmocka_unit_test(fail_can_frame_the_old_message),
        cmocka_unit_test(options_of_older_and_newer_callers),
        cmocka_unit_test(sizes_say_when_they_overflow),
        cmocka_unit_test(shapes_are_counted_and_shown),
        cmocka_unit_test(memory_is_aligned_and_can_fail),
        cmocka_unit_test(writer_leaves_all_or_nothing),
        cmocka_unit_test(reading_says_what_is_wrong),
        cmocka_unit_test(appender_keeps_what_is_there),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(numbers_do_not_depend_on_the_locale),
        cmocka_unit_test(text_grows_and_remembers_failure),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
        cmocka_unit_test(mt19937_is_numpys),
        cmocka_unit_test(streams_are_unrelated),
        cmocka_unit_test(pool_runs_every_pass_once),
        cmocka_unit_test(cpu_level_can_be_limited),
        cmocka_unit_test(time_left_is_a_proportion),
        cmocka_unit_test(library_is_loaded_whole_or_not),
    };
    return cmocka_run_group_tests_name("base", tests, test_folder_make, test_folder_end);
}
