/* SPDX-License-Identifier: MIT
 * attractivenet devices: lists what --device can name here. */
#include "command.h"
#include "console.h"
#include "json_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t as_json;

static void options(option_row rows[OPTION_ROWS]) {
    as_json = 0;
    rows[0] = option_flag("json", &as_json, "print JSON instead of a table");
    rows[1] = option_end();
}

static void print_json(const an_device_info *all, int64_t count) {
    json_file json;
    json_begin_output(&json);
    json_open(&json, "devices", '[');
    for (int64_t i = 0; i < count; i++) {
        char capability[32] = "";
        if (all[i].capability_major)
            snprintf(capability, sizeof capability, "%d.%d", (int)all[i].capability_major,
                     (int)all[i].capability_minor);
        json_open(&json, NULL, '{');
        json_text(&json, "device", all[i].device);
        json_flag(&json, "usable", all[i].is_usable);
        json_text(&json, "name", all[i].name);
        json_text(&json, "level", all[i].level);
        json_text(&json, "compute_capability", *capability ? capability : NULL);
        json_count(&json, "memory_total", all[i].memory_total);
        json_count(&json, "memory_free", all[i].memory_free);
        json_text(&json, "reason", *all[i].reason ? all[i].reason : NULL);
        json_close(&json);
    }
    json_close(&json);
    json_close(&json);
    printf("\n");
}

static double gib(int64_t bytes) {
    return (double)bytes / (1 << 30);
}

static void print_table(const an_device_info *all, int64_t count) {
    int width = (int)strlen("name");
    for (int64_t i = 0; i < count; i++)
        if ((int)strlen(all[i].name) > width) width = (int)strlen(all[i].name);
    printf("%-9s %-*s %-11s %10s %10s %11s\n", "device", width, "name", "level", "total", "free",
           "capability");
    for (int64_t i = 0; i < count; i++) {
        const an_device_info *one = &all[i];
        if (!one->is_usable && !*one->name) { /* no card was found */
            printf("%-9s not usable: %s\n", one->device, one->reason);
            continue;
        }
        printf("%-9s %-*s %-11s %6.1f GiB %6.1f GiB", one->device, width, one->name, one->level,
               gib(one->memory_total), gib(one->memory_free));
        if (one->capability_major)
            printf(" %9d.%d", (int)one->capability_major, (int)one->capability_minor);
        printf("\n");
        if (!one->is_usable) printf("%-9s not usable: %s\n", "", one->reason);
    }
}

static int run_devices(const option_row *rows, int count, char **operands) {
    (void)rows, (void)count, (void)operands;
    an_error err;
    int status = 0;
    an_device_list *list = NULL;
    an_device_info *all = NULL;
    if (an_device_list_create(&list, &err)) return complain(&err);
    const int64_t found = an_device_list_count(list);
    all = calloc((size_t)found, sizeof *all);
    if (!all) {
        status = complain_of("no memory for %lld devices", (long long)found);
        goto done;
    }
    for (int64_t i = 0; i < found; i++) {
        an_device_info_init(&all[i], sizeof all[i]);
        an_device_list_describe(list, i, &all[i], NULL);
    }
    if (as_json)
        print_json(all, found);
    else
        print_table(all, found);
    if (fflush(stdout) || ferror(stdout)) status = complain_of("cannot write the devices");
done:
    free(all);
    an_device_list_destroy(list);
    return status;
}

const command devices_command = {
    .name = "devices",
    .what = "list the processor and the GPUs that can compute",
    .text = {.name = "attractivenet devices",
             .usage = "[--json]",
             .about = "Lists what --device can name: the processor and each NVIDIA GPU, with its\n"
                      "memory (total and free), its compute capability, and the level: the ISA\n"
                      "level or kind of kernels that would run. Where no GPU can be used, it says\n"
                      "which library, driver or card is missing. The exit status is 0 in any case.",
             .examples = "  attractivenet devices\n"
                         "  attractivenet devices --json"},
    .options = options,
    .run = run_devices,
};
