/* SPDX-License-Identifier: MIT
 * The devices of this machine: how they are named, what is known of each. */
#ifndef BACKEND_DEVICE_H
#define BACKEND_DEVICE_H

#include <attractivenet/backend.h>

#include "base/error.h"

enum { ANI_DEVICES = 64, ANI_DEVICE_INDEX_MAX = 999 };

/** What an_device_info says of a device. */
typedef struct ani_device {
    char device[16];
    char name[128];
    char reason[sizeof((an_error *)0)->message];
    const char *level; /* constant */
    int32_t is_usable, capability_major, capability_minor, reserved;
    int64_t memory_total, memory_free;
} ani_device;

/** Which devices a text means. */
enum { ANI_DEVICE_CPU, ANI_DEVICE_REF, ANI_DEVICE_CUDA, ANI_DEVICE_AUTO };

/** Parse "cpu", "ref", "cuda", "cuda:N" or "auto" (NULL: "cpu") into ANI_DEVICE_* and the index of
 * the GPU. AN_ERR_ARG for anything else. */
an_status ani_device_parse(const char *text, int32_t *kind, int32_t *index, an_error *err);

/** The processor, as device "cpu" or "ref". */
void ani_device_host(ani_device *out, const char *device, const char *level);

/** Fill in the caller's struct, which has been checked (base/options.h). */
void ani_device_report(const ani_device *device, an_device_info *info);

#endif
