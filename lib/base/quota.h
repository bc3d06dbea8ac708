/* SPDX-License-Identifier: MIT
 * How much processor time a container or service may use. */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include <stdint.h>

/** Return the processor time that a process's control groups allow, in processors, rounded up; 0:
 * no limit, or none that can be read. groups: the list of groups ("/proc/self/cgroup"); root: where
 * the groups are mounted ("/sys/fs/cgroup"). Versions 1 and 2 are supported; a parent's limit
 * applies to its children. */
int32_t ani_quota_processors(const char *groups, const char *root);

#endif
