/* SPDX-License-Identifier: MIT
 * Runs golden topics: those named on the command line, or all. Of these, AN_TEST_CASES names a
 * case; a * stands for any text. GOLDEN_TOPICS is a list of TOPIC(name), given by meson.build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/golden.h"

#define TOPIC(name) int golden_##name(void);
GOLDEN_TOPICS
#undef TOPIC

typedef struct topic {
    const char *name;
    int (*run)(void); /* failed cases */
} topic;

static const topic topics[] = {
#define TOPIC(name) {#name, golden_##name},
    GOLDEN_TOPICS
#undef TOPIC
};
enum { TOPIC_COUNT = sizeof topics / sizeof topics[0] };

static const topic *find(const char *name) {
    for (int i = 0; i < TOPIC_COUNT; i++)
        if (!strcmp(topics[i].name, name)) return &topics[i];
    return NULL;
}

static int run(const topic *which) {
    const int failed = which->run();
    golden_report(which->name);
    return failed;
}

int main(int argc, char **argv) {
    int failed = 0;
    if (getenv("AN_TEST_CASES")) cmocka_set_test_filter(getenv("AN_TEST_CASES"));
    for (int i = 1; i < argc; i++) {
        if (find(argv[i])) continue;
        fprintf(stderr, "no golden topic '%s'; there are:", argv[i]);
        for (int k = 0; k < TOPIC_COUNT; k++)
            fprintf(stderr, " %s", topics[k].name);
        fprintf(stderr, "\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        failed += run(find(argv[i]));
    for (int i = 0; argc == 1 && i < TOPIC_COUNT; i++)
        failed += run(&topics[i]);
    return failed ? 1 : 0;
}
