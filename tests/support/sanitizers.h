/* SPDX-License-Identifier: MIT
 * Which sanitizers a test was compiled with; gcc and clang indicate this differently. */
#ifndef SUPPORT_SANITIZERS_H
#define SUPPORT_SANITIZERS_H

#ifdef __has_feature
#define SANITIZERS_HAVE(feature) __has_feature(feature)
#else
#define SANITIZERS_HAVE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SANITIZERS_HAVE(address_sanitizer)
enum { HAS_ASAN = 1 };
#else
enum { HAS_ASAN = 0 };
#endif

#if defined(__SANITIZE_THREAD__) || SANITIZERS_HAVE(thread_sanitizer)
enum { HAS_TSAN = 1 };
#else
enum { HAS_TSAN = 0 };
#endif

#endif
