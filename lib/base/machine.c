/* SPDX-License-Identifier: MIT
 * What the system says of the processor and of the memory. */
#include "base/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

void ani_machine_name(char *out, int64_t capacity) {
    struct utsname system;
    *out = 0;
#if defined(__x86_64__)
    unsigned words[13] = {0};                                        /* 48 characters and a zero */
    if ((unsigned)__get_cpuid_max(0x80000000u, NULL) >= 0x80000004u) /* int in clang */
        for (unsigned i = 0; i < 3; i++)
            __get_cpuid(0x80000002u + i, words + 4 * i, words + 4 * i + 1, words + 4 * i + 2,
                        words + 4 * i + 3);
    const char *name = (const char *)words;
    snprintf(out, (size_t)capacity, "%s", name + strspn(name, " "));
    for (size_t end = strlen(out); end && out[end - 1] == ' '; end--)
        out[end - 1] = 0;
#endif
    if (!*out && !uname(&system)) snprintf(out, (size_t)capacity, "%s", system.machine);
}

void ani_machine_memory(int64_t *total, int64_t *free) {
    char line[128];
    const int64_t page = sysconf(_SC_PAGESIZE);
    *total = page * sysconf(_SC_PHYS_PAGES);
    *free = page * sysconf(_SC_AVPHYS_PAGES);
    FILE *file = fopen("/proc/meminfo", "re"); /* counts what the page cache can give back */
    while (file && fgets(line, sizeof line, file)) {
        long long kib;
        if (sscanf(line, "MemAvailable: %lld kB", &kib) == 1 && kib >= 0) *free = kib * 1024;
    }
    if (file) fclose(file);
    if (*total < 0) *total = 0;
    if (*free < 0) *free = 0;
}
