/* SPDX-License-Identifier: MIT
 * Options structs from callers older or newer than the library. */
#include "base/options.h"

#include <stdbool.h>
#include <string.h>

/* None of our structs comes near this size: a larger value is uninitialised memory. */
enum { MAX_SIZE = 4096 };

static bool is_size(uint32_t size) {
    return size > sizeof size && size <= MAX_SIZE;
}

/* Read the struct_size at the start of the caller's struct; set: how it should be set. */
static an_status read_size(uint32_t *size, const void *theirs, const char *name, const char *set,
                           an_error *err) {
    memcpy(size, theirs, sizeof *size);
    if (is_size(*size)) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "%s: struct_size is %u; %s", name, (unsigned)*size, set);
}

an_status ani_options_copy(void *ours, uint32_t our_size, const void *options, const char *name,
                           an_error *err) {
    if (!options) return AN_OK;
    uint32_t size;
    const an_status st =
        read_size(&size, options, name, "fill the struct with its init function first", err);
    if (st) return st;
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
    if (!options || !is_size(struct_size)) return;
    memset(options, 0, struct_size);
    memcpy(options, defaults, struct_size < our_size ? struct_size : our_size);
    memcpy(options, &struct_size, sizeof struct_size);
}

void ani_report_init(void *report, uint32_t struct_size) {
    if (!report || !is_size(struct_size)) return;
    memset(report, 0, struct_size);
    memcpy(report, &struct_size, sizeof struct_size);
}

an_status ani_report_check(const void *report, const char *name, an_error *err) {
    uint32_t size;
    return report ? read_size(&size, report, name, "set it to the struct's sizeof first", err)
                  : AN_OK;
}

void ani_report_copy(void *report, const void *ours, uint32_t our_size) {
    if (!report) return;
    uint32_t size;
    memcpy(&size, report, sizeof size);
    const uint32_t known = size < our_size ? size : our_size;
    memcpy((uint8_t *)report + sizeof size, (const uint8_t *)ours + sizeof size,
           known - sizeof size);
}
