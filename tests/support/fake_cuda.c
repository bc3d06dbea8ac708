/* SPDX-License-Identifier: MIT
 * Stands in for libattractivenet-cuda: says what FAKE asks for, and computes nothing. Compiled once
 * for each of the values below. */
#include <stdio.h>

#include "backend/cuda_load.h"
#include "config.h"

#ifdef FAKE
enum { OTHER_RELEASE, OTHER_BUILD, WITHOUT_CARDS, TWO_CARDS };

static const ani_core_functions *core;

static an_status create(an_backend **out, int32_t index, an_error *err) {
    *out = NULL;
    if (FAKE == WITHOUT_CARDS)
        return core->fail(err, AN_ERR_DEVICE, "the NVIDIA driver 580.65 found no card");
    if (index == 0) return core->fail_memory(err, 1 << 20, "a fake card");
    return core->fail(err, AN_ERR_DEVICE, "there is no GPU %d; this machine has 2", (int)index);
}

static an_status list(ani_device *out, int32_t capacity, int32_t *count, an_error *err) {
    *count = 0;
    if (FAKE == WITHOUT_CARDS) return create(&(an_backend *){0}, 0, err);
    if (capacity < 2) return core->fail(err, AN_ERR_INTERNAL, "room for %d", (int)capacity);
    for (int32_t i = 0; i < 2; i++) {
        out[i] = (ani_device){.level = "fused",
                              .is_usable = i == 0,
                              .capability_major = i ? 6 : 9,
                              .memory_total = INT64_C(1) << 37,
                              .memory_free = INT64_C(1) << 36};
        snprintf(out[i].device, sizeof out[i].device, "cuda:%d", (int)i);
        snprintf(out[i].name, sizeof out[i].name, "Fake Card %d", (int)i);
        if (i) snprintf(out[i].reason, sizeof out[i].reason, "compute capability 6.0 is too old");
    }
    *count = 2;
    return AN_OK;
}

ani_companion_entry_fn ani_cuda_entry;

__attribute__((visibility("default"))) const ani_companion_build *
ani_cuda_entry(const void *functions) {
    static const ani_cuda_library library = {
        .build = {FAKE == OTHER_RELEASE ? "9.8.7" : ANI_COMPANION_VERSION,
                  FAKE == OTHER_BUILD ? 1 : ANI_CUDA_LAYOUT},
        .create = create,
        .list = list};
    core = functions;
    return &library.build;
}
#else
extern const int fake_nothing;
const int fake_nothing = 1; /* a library, but not this one */
#endif
