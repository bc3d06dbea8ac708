/* SPDX-License-Identifier: MIT
 * Names of devices, and the processor as a device. */
#include "backend/device.h"

#include <stdio.h>
#include <string.h>

#include "base/machine.h"
#include "base/options.h"

an_status ani_device_parse(const char *text, int32_t *kind, int32_t *index, an_error *err) {
    static const char *const words[] = {"cpu", "ref", "cuda", "auto"}; /* ANI_DEVICE_* */
    *index = 0;
    if (!text) text = words[ANI_DEVICE_CPU];
    for (*kind = 0; *kind <= ANI_DEVICE_AUTO; ++*kind)
        if (!strcmp(text, words[*kind])) return AN_OK;
    *kind = ANI_DEVICE_CUDA;
    const char *digits = strncmp(text, "cuda:", 5) ? "" : text + 5;
    const size_t count = strspn(digits, "0123456789");
    for (size_t i = 0; i < count && *index <= ANI_DEVICE_INDEX_MAX; i++)
        *index = 10 * *index + (digits[i] - '0');
    if (count && !digits[count] && *index <= ANI_DEVICE_INDEX_MAX) return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "device is '%s'; it must be 'cpu', 'cuda', 'cuda:N' with N from 0 to %d, "
                    "'auto' or 'ref'",
                    text, ANI_DEVICE_INDEX_MAX);
}

void ani_device_host(ani_device *out, const char *device, const char *level) {
    *out = (ani_device){.level = level, .is_usable = 1};
    snprintf(out->device, sizeof out->device, "%s", device);
    ani_machine_name(out->name, sizeof out->name);
}

void ani_device_report(const ani_device *device, an_device_info *info) {
    const an_device_info ours = {.struct_size = sizeof ours,
                                 .is_usable = device->is_usable,
                                 .capability_major = device->capability_major,
                                 .capability_minor = device->capability_minor,
                                 .memory_total = device->memory_total,
                                 .memory_free = device->memory_free,
                                 .device = device->device,
                                 .name = device->name,
                                 .level = device->level,
                                 .reason = device->reason};
    ani_report_copy(info, &ours, sizeof ours);
}

void an_device_info_init(an_device_info *info, uint32_t struct_size) {
    ani_report_init(info, struct_size);
}
