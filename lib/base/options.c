/* SPDX-License-Identifier: MIT
 * Options structs of callers older and newer than the library. */
#include "base/options.h"

#include <string.h>

an_status ani_options_copy(void *ours, uint32_t our_size, const void *options, const char *name,
                           an_error *err) {
    if (!options) return AN_OK;
    uint32_t size;
    memcpy(&size, options, sizeof size);
    if (size < sizeof size)
        return ani_fail(err, AN_ERR_ARG,
                        "%s: struct_size is %u; fill the struct with its init function first", name,
                        (unsigned)size);
    const uint8_t *bytes = options;
    for (uint32_t i = our_size; i < size; i++)
        if (bytes[i])
            return ani_fail(
                err, AN_ERR_ARG,
                "%s: byte %u of %u is set, but this library knows %u bytes: the program "
                "was built for a newer one",
                name, (unsigned)i, (unsigned)size, (unsigned)our_size);
    const uint32_t known = size < our_size ? size : our_size;
    memcpy((uint8_t *)ours + sizeof size, bytes + sizeof size, known - sizeof size);
    return AN_OK;
}

void ani_options_init(void *options, uint32_t struct_size, const void *defaults,
                      uint32_t our_size) {
    if (!options || struct_size < sizeof struct_size) return;
    memset(options, 0, struct_size);
    memcpy(options, defaults, struct_size < our_size ? struct_size : our_size);
    memcpy(options, &struct_size, sizeof struct_size);
}

void ani_report_copy(void *report, const void *ours, uint32_t our_size) {
    if (!report) return;
    uint32_t size;
    memcpy(&size, report, sizeof size);
    if (size <= sizeof size) return;
    const uint32_t known = size < our_size ? size : our_size;
    memcpy((uint8_t *)report + sizeof size, (const uint8_t *)ours + sizeof size,
           known - sizeof size);
}
