/* SPDX-License-Identifier: MIT
 * Writes the seeds of a fuzz target into a folder, for libFuzzer and AFL++.
 *
 * usage: fuzz_make_corpus TARGET FOLDER */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "corpus.h"

int main(int argc, char **argv) {
    corpus all = {0};
    int failed = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: %s TARGET FOLDER\n", argv[0]);
        return 2;
    }
    if (!corpus_make(&all, argv[1])) {
        fprintf(stderr, "no fuzz target '%s'\n", argv[1]);
        return 2;
    }
    if (mkdir(argv[2], 0777) < 0 && errno != EEXIST) {
        perror(argv[2]);
        failed = 1;
    }
    for (int64_t i = 0; i < all.count && !failed; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[2], all.items[i].name);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(all.items[i].bytes, 1, (size_t)all.items[i].size, file) !=
                         (size_t)all.items[i].size) {
            perror(path);
            failed = 1;
        }
        if (file && fclose(file) != 0) failed = 1;
    }
    if (!failed) printf("%lld seeds in %s\n", (long long)all.count, argv[2]);
    corpus_clear(&all);
    return failed;
}
