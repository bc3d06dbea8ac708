/* SPDX-License-Identifier: MIT
 * Limits of control groups. They are kernel files without a size. If one is missing or unreadable,
 * there is no limit, and nothing is reported. */
#include "base/quota.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 1024, LINE_SIZE = 512 };

/* Read the first line of folder/name. */
static bool read_line(char line[LINE_SIZE], const char *folder, const char *name) {
    char path[PATH_SIZE + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    const bool read = fgets(line, LINE_SIZE, file) != NULL;
    fclose(file);
    return read;
}

/* The limit of one group in processors; 0: none. */
static int32_t limit_of(const char *folder) {
    char line[LINE_SIZE];
    long long quota = -1, period = 0;
    if (read_line(line, folder, "cpu.max")) { /* version 2: "max 100000" or "150000 100000" */
        if (sscanf(line, "%lld %lld", &quota, &period) != 2) return 0;
    } else {
        if (!read_line(line, folder, "cpu.cfs_quota_us") || sscanf(line, "%lld", &quota) != 1 ||
            !read_line(line, folder, "cpu.cfs_period_us") || sscanf(line, "%lld", &period) != 1)
            return 0;
    }
    if (quota <= 0 || period <= 0) return 0;
    const long long processors = quota / period + (quota % period != 0);
    return processors < INT32_MAX ? (int32_t)processors : 0;
}

static int32_t smaller(int32_t a, int32_t b) {
    return !a ? b : !b ? a : a < b ? a : b;
}

/* The smallest limit of root + group and its parents. A group that is not visible here, as in a
 * container, is skipped. */
static int32_t smallest_limit(const char *root, const char *group) {
    char folder[PATH_SIZE];
    const size_t top = strlen(root);
    if (snprintf(folder, sizeof folder, "%s%s", root, group) >= (int)sizeof folder) return 0;
    int32_t limit = limit_of(folder);
    for (size_t end = strlen(folder); end > top; end--) {
        if (folder[end - 1] != '/') continue;
        folder[end - 1] = 0;
        limit = smaller(limit, limit_of(folder));
    }
    return limit;
}

/* Return whether a list such as "cpu,cpuacct" contains "cpu". */
static bool has_cpu(const char *controllers) {
    const char *at = controllers;
    while (at) {
        if (!strncmp(at, "cpu", 3) && (at[3] == ',' || !at[3])) return true;
        at = strchr(at, ',');
        if (at) at++;
    }
    return false;
}

int32_t ani_quota_processors(const char *groups, const char *root) {
    char line[PATH_SIZE + LINE_SIZE], mounted[PATH_SIZE];
    int32_t limit = 0;
    FILE *file = fopen(groups, "re");
    if (!file) return 0;
    /* Each line: number:controllers:group; version 2 has no controllers. */
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        controllers++;
        if (!*controllers) {
            limit = smaller(limit, smallest_limit(root, group));
        } else if (has_cpu(controllers)) {
            if (snprintf(mounted, sizeof mounted, "%s/%s", root, controllers) < (int)sizeof mounted)
                limit = smaller(limit, smallest_limit(mounted, group));
            if (snprintf(mounted, sizeof mounted, "%s/cpu", root) < (int)sizeof mounted)
                limit = smaller(limit, smallest_limit(mounted, group));
        }
    }
    fclose(file);
    return limit;
}
