/* SPDX-License-Identifier: MIT
 * How much processor time a container or service may use. */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include <stdint.h>

/** Return how many processors' time the control groups of a process allow it, rounded up; 0: no
 * limit, or none that can be read. groups: its list ("/proc/self/cgroup"); root: where the groups
 * are mounted ("/sys/fs/cgroup"). Versions 1 and 2; a limit of a parent holds for its children. */
int32_t ani_quota_processors(const char *groups, const char *root);

#endif
