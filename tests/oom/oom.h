/* SPDX-License-Identifier: MIT
 * What happens when something fails: each call of the allocator and of the file layer that a
 * scenario makes is made to fail once, and then from there on. */
#ifndef OOM_OOM_H
#define OOM_OOM_H

#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/attractivenet.h>

/** What a scenario works with. */
typedef struct bench {
    const char *in;  /* folder that prepare() fills and nobody changes later */
    const char *out; /* folder that act() may change; before each run it is as prepare() left it */
    void *object;    /* lives over all runs */
    uint64_t result; /* what act() found out, as a checksum; compared if it succeeds */
} bench;

typedef struct scenario {
    const char *name;
    void (*prepare)(bench *b);                 /* may be NULL; ends the program if it fails */
    an_status (*act)(bench *b, an_error *err); /* the calls that are to fail */
    void (*finish)(bench *b);                  /* gives object up; may be NULL */
    bool writes;                               /* also write, sync and rename fail */
    bool is_costly;                            /* each point takes long, and there are thousands */
} scenario;

extern const scenario oom_file_scenarios[];
extern const int oom_file_scenario_count;
extern const scenario oom_model_scenarios[];
extern const int oom_model_scenario_count;
extern const scenario oom_train_scenarios[];
extern const int oom_train_scenario_count;

/** Return in or out + "/" + name, in a ring of 8 buffers. */
const char *oom_path(const char *folder, const char *name);
/** End the program: a scenario cannot be prepared. */
#define OOM_NEED(condition) ((condition) ? (void)0 : oom_stop(#condition, __FILE__, __LINE__))
_Noreturn void oom_stop(const char *condition, const char *file, int line);
/** Mix bytes into a checksum. */
uint64_t oom_mix(uint64_t sum, const void *bytes, int64_t size);

#endif
