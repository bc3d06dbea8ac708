/* SPDX-License-Identifier: MIT
 * The backends that a test runs on: ref, and cpu at each ISA level that this machine has. With
 * AN_TEST_DEVICE, only that device. AN_TEST_CUDA_LIBRARY: the file of the CUDA library; otherwise
 * the one that a program would find. */
#ifndef SUPPORT_BACKENDS_H
#define SUPPORT_BACKENDS_H

#include <attractivenet/backend.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda_load.h"
#include "support/orders.h"

typedef struct test_backend {
    const char *level; /* of the cpu backend; "": none */
    char label[24];    /* "cpu avx2", "ref" */
} test_backend;

enum { TEST_BACKENDS = 8 };

static inline an_backend *test_backend_make(const char *device, const char *level,
                                            int32_t threads) {
    an_backend_options options;
    an_backend *backend = NULL;
    an_error error = {0};
    an_backend_options_init(&options, sizeof options);
    options.device = device;
    options.threads = threads;
    static int32_t library_is_set;
    if (getenv("AN_TEST_CUDA_LIBRARY") && !library_is_set++)
        ani_cuda_use(getenv("AN_TEST_CUDA_LIBRARY"));
    if (level && *level) setenv("AN_CPU", level, 1);
    const an_status st = an_backend_create(&backend, &options, &error);
    if (level && *level) unsetenv("AN_CPU");
    if (st) fail_msg("cannot make a backend: %s", error.message);
    return backend;
}

/** List them; with only_fastest, cpu has only the level that it selects itself. A level that the
 * machine lacks appears as another one and is left out. AN_CPU, if set by the caller, is the only
 * level. */
static inline int32_t test_backends(test_backend out[TEST_BACKENDS], int32_t only_fastest) {
    static const char *const levels[] = {"c", "avx2", "avx512", "avx512bf16", "neon"};
    int32_t count = 0;
    if (getenv("AN_TEST_DEVICE")) {
        out->level = "";
        snprintf(out->label, sizeof out->label, "%s", test_device());
        return 1;
    }
    out[count++] = (test_backend){"", "ref"};
    an_backend *best = test_backend_make("cpu", NULL, 1);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if ((only_fastest || getenv("AN_CPU")) && strcmp(levels[i], an_backend_level(best)))
            continue;
        const char *given = getenv("AN_CPU");
        an_backend *backend = test_backend_make("cpu", given ? NULL : levels[i], 1);
        if (!strcmp(an_backend_level(backend), levels[i])) {
            out[count].level = levels[i];
            snprintf(out[count].label, sizeof out[count].label, "cpu %s", levels[i]);
            count++;
        }
        an_backend_destroy(backend);
    }
    an_backend_destroy(best);
    return count;
}

static inline an_backend *test_backend_open(const test_backend *which) {
    const char *level = getenv("AN_CPU") ? NULL : which->level;
    return test_backend_make(*which->level ? "cpu" : which->label, level, 2);
}

#endif
