/* SPDX-License-Identifier: MIT
 * What the fuzz targets share. A target is a file with one function, LLVMFuzzerTestOneInput(), that
 * gives its bytes to one parser and checks what any answer must fulfil, whatever the bytes are. The
 * same function is run by libFuzzer, by AFL++, by run.c (files by hand) and by replay.c (tests). */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include <attractivenet/status.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Stop the program as a crash would if condition, which any input must fulfil, does not hold. */
#define REQUIRE(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_fail(const char *condition, const char *file, int line);

/** Stop unless a call ended as the library promises: AN_OK, or an error of an input (not of the
 * caller, not internal) with a message that is UTF-8 and not empty. */
void fuzz_check_status(an_status st, const an_error *err);

/** Return the path of a file in memory with these bytes; the same file in each call. */
const char *fuzz_path(const uint8_t *data, size_t size);

/** Read all bytes, so that a sanitizer sees those that are not there. */
void fuzz_touch(const void *bytes, int64_t size);

#endif
