/* SPDX-License-Identifier: MIT
 * A fuzz target as a test: the corpus, single flips, cuts and splices of good files, and deep
 * mutations, all chosen by a seed. Each part runs in a process of its own with the input in shared
 * memory, so that one that crashes or hangs can be kept.
 *
 * usage: fuzz_TARGET_replay FLIPS MUTATIONS [SECONDS]
 *
 * FLIPS and MUTATIONS are numbers of executions; with SECONDS the mutations end after that time if
 * they are not done before. Environment: AN_SEED, any text: another text, other mutations (default
 * "1"); AN_FUZZ_KEEP: folder for inputs that failed (default: the working folder). */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "corpus.h"
#include "fuzz.h"
#include "mutate.h"

enum { HANG_SECONDS = 60 };

#ifndef FUZZ_TARGET
#error "FUZZ_TARGET must be the name of the target"
#endif

/* What the parent sees of the child. */
typedef struct shared {
    int64_t done; /* executions that ended */
    int64_t item; /* the input at work began as this item */
    int64_t size;
    uint8_t input[1 << 20];
} shared;

typedef struct part {
    const char *name;
    int64_t (*make)(uint8_t *out, const corpus *all, uint64_t random, int64_t *from);
    int64_t count;
    uint64_t seed;
    double seconds; /* 0: no limit */
} part;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* In part "corpus" the number is that of the item. */
static int64_t take_item(uint8_t *out, const corpus *all, uint64_t number, int64_t *from) {
    const corpus_item *item = &all->items[number];
    *from = (int64_t)number;
    if (item->size) memcpy(out, item->bytes, (size_t)item->size);
    return item->size;
}

static void run_part(const part *this, const corpus *all, shared *state) {
    const double start = now();
    for (int64_t i = 0; i < this->count; i++) {
        if (this->seconds > 0 && i % 64 == 0 && now() - start > this->seconds) break;
        state->size = this->make(state->input, all, this->seed + (uint64_t)i, &state->item);
        /* Exactly size bytes, so that reading past them is seen. */
        uint8_t *bytes = malloc(state->size ? (size_t)state->size : 1);
        if (!bytes) abort();
        if (state->size) memcpy(bytes, state->input, (size_t)state->size);
        alarm(HANG_SECONDS);
        LLVMFuzzerTestOneInput(bytes, (size_t)state->size);
        alarm(0);
        free(bytes);
        state->done = i + 1;
    }
}

static void keep_input(const part *this, const corpus *all, const shared *state) {
    const char *folder = getenv("AN_FUZZ_KEEP");
    char path[4096];
    snprintf(path, sizeof path, "%s/failed-%s-%s-%" PRId64, folder ? folder : ".", FUZZ_TARGET,
             this->name, state->done);
    printf("# execution %" PRId64 ", from '%s', %" PRId64 " bytes: kept as %s\n"
           "# again: fuzz_%s_run %s\n",
           state->done, all->items[state->item].name, state->size, path, FUZZ_TARGET, path);
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        return;
    }
    fwrite(state->input, 1, (size_t)state->size, file);
    fclose(file);
}

/* Returns true if the part ran to its end and nothing was found. */
static bool try_part(const part *this, const corpus *all, shared *state) {
    const double start = now();
    int status = 0;
    *state = (shared){0};
    fflush(NULL);
    const pid_t child = fork();
    if (child < 0) {
        perror("fork");
        return false;
    }
    if (child == 0) {
        run_part(this, all, state);
        exit(0); /* a leak is reported here */
    }
    if (waitpid(child, &status, 0) != child) perror("waitpid");
    const bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    printf("%s - %s: %s, %" PRId64 " executions\n", passed ? "ok" : "not ok", FUZZ_TARGET,
           this->name, state->done);
    printf("# %.1f s\n", now() - start);
    if (!passed) {
        if (WIFSIGNALED(status))
            printf("# ended by signal %d%s\n", WTERMSIG(status),
                   WTERMSIG(status) == SIGALRM ? ": it hangs" : "");
        else
            printf("# exit status %d\n", WEXITSTATUS(status));
        if (state->done < this->count) keep_input(this, all, state);
    }
    return passed;
}

/* FNV-1a, so that a commit's name can be the seed. */
static uint64_t seed_of(const char *text) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return hash;
}

int main(int argc, char **argv) {
    const char *seed = getenv("AN_SEED");
    corpus all = {0};
    int failed = 0;
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: %s FLIPS MUTATIONS [SECONDS]\n", argv[0]);
        return 2;
    }
    shared *state =
        mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED || !corpus_make(&all, FUZZ_TARGET)) {
        fprintf(stderr, "no memory, or no corpus for '%s'\n", FUZZ_TARGET);
        return 2;
    }
    if (!seed || !*seed) seed = "1";
    printf("# seed %s, %" PRId64 " items\n", seed, all.count);
    const part parts[] = {
        {.name = "corpus", .make = take_item, .count = all.count},
        {.name = "flips", .make = mutate_once, .count = atoll(argv[1]), .seed = seed_of(seed)},
        {.name = "mutations",
         .make = mutate_deeply,
         .count = atoll(argv[2]),
         .seed = ~seed_of(seed),
         .seconds = argc > 3 ? atof(argv[3]) : 0},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        failed |= !try_part(&parts[i], &all, state);
    corpus_clear(&all);
    munmap(state, sizeof *state);
    return failed;
}
