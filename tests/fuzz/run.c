/* SPDX-License-Identifier: MIT
 * Runs a fuzz target on files, or on standard input: to reproduce a finding, and for AFL++ (built
 * with its compiler, the loop is its persistent mode).
 *
 * usage: fuzz_TARGET_run [FILE...] */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#ifndef __AFL_LOOP
#define __AFL_LOOP(count) (round++ < 1)
#endif

static int run(FILE *file, const char *name) {
    size_t size = 0, capacity = 1 << 16;
    uint8_t *bytes = malloc(capacity);
    while (bytes) {
        size += fread(bytes + size, 1, capacity - size, file);
        if (size < capacity) break;
        uint8_t *grown = realloc(bytes, capacity *= 2);
        if (!grown) free(bytes);
        bytes = grown;
    }
    if (!bytes || ferror(file)) {
        fprintf(stderr, "cannot read %s\n", name);
        free(bytes);
        return 1;
    }
    /* Exactly size bytes, so that reading past them is seen. */
    uint8_t *exact = realloc(bytes, size ? size : 1);
    LLVMFuzzerTestOneInput(exact ? exact : bytes, size);
    free(exact ? exact : bytes);
    return 0;
}

int main(int argc, char **argv) {
    int failed = 0;
    unsigned round = 0;
    if (argc == 1) {
        while (__AFL_LOOP(10000))
            failed |= run(stdin, "standard input");
        (void)round;
        return failed;
    }
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            perror(argv[i]);
            failed = 1;
            continue;
        }
        failed |= run(file, argv[i]);
        fclose(file);
    }
    return failed;
}
