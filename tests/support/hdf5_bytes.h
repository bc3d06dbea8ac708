/* SPDX-License-Identifier: MIT
 * HDF5 files written byte by byte, with any field possibly wrong. One file at a time. */
#ifndef SUPPORT_HDF5_BYTES_H
#define SUPPORT_HDF5_BYTES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/hdf5_file.h"
#include "io/hdf5_format.h"
#include "support/archive.h"

/* --- writing ---------------------------------------------------------------------------------- */

/* A file begins with the superblock and some values for arrays. */
enum { DATA = 96, DATA_SIZE = 64, ROOT_FIELD = 64, END_FIELD = 40 };

static struct bytes out;
static int64_t object_at, message_at;
static int version; /* of object headers */

static inline void put(uint64_t value, int size) {
    bytes_add_number(&out, value, size);
}

static inline void put_text(const char *text) {
    bytes_add(&out, text, (int64_t)strlen(text));
}

static inline void patch(int64_t place, uint64_t value, int size) {
    for (int i = 0; i < size; i++)
        out.data[place + i] = (uint8_t)(value >> (8 * i));
}

static inline void begin_file(void) {
    free(out.data);
    out = (struct bytes){0};
    version = 1;
    bytes_add(&out, "\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0\4\0\x10\0\0\0\0\0", 24);
    put(0, 8);          /* base address */
    put(UINT64_MAX, 8); /* free space */
    put(0, 8);          /* end, see end_file() */
    put(UINT64_MAX, 8); /* driver information */
    put(0, 8);          /* root: name, header, see end_file() */
    put(0, 8);
    put(0, 24);
    for (int i = 0; i < DATA_SIZE / 4; i++)
        put(UINT32_C(0x3f800000) + (uint32_t)i, 4); /* 1 and a little more */
}

static inline uint32_t turn(uint32_t x, int bits) {
    return x << bits | x >> (32 - bits);
}

/* The checksum of new headers: Bob Jenkins' lookup3, byte by byte. */
static inline uint32_t lookup3(const uint8_t *p, int64_t size) {
    uint32_t s[3];
    s[0] = s[1] = s[2] = UINT32_C(0xdeadbeef) + (uint32_t)size;
    for (;; p += 12, size -= 12) {
        for (int64_t i = 0; i < 12 && i < size; i++)
            s[i / 4] += (uint32_t)p[i] << (8 * (i % 4));
        if (size <= 12) break;
        static const int turns[6] = {4, 6, 8, 16, 19, 4};
        for (int i = 0; i < 6; i++) { /* mix(): (a, b, c) rotates */
            uint32_t *x = &s[i % 3], *y = &s[(i + 2) % 3], *z = &s[(i + 1) % 3];
            *x -= *y;
            *x ^= turn(*y, turns[i]);
            *y += *z;
        }
    }
    static const int turns[7] = {14, 11, 25, 16, 4, 14, 24};
    for (int i = 0; i < 7; i++) { /* final(): c, a, b, c, a, b, c */
        uint32_t *x = &s[(i + 2) % 3], *y = &s[(i + 1) % 3];
        *x ^= *y;
        *x -= turn(*y, turns[i]);
    }
    return s[2];
}

static inline int64_t begin_object(void) {
    object_at = out.size;
    if (version == 1) {
        put(1, 8); /* version; the number of messages is not checked */
        put(0, 8);
    } else {
        put_text("OHDR");
        put(2, 1);
        put(2, 1); /* flags: a size of 4 bytes */
        put(0, 4);
    }
    return object_at;
}

static inline void end_object(void) {
    if (version == 1) {
        patch(object_at + 8, (uint64_t)(out.size - object_at - 16), 4);
    } else {
        patch(object_at + 6, (uint64_t)(out.size - object_at - 10), 4);
        put(lookup3(out.data + object_at, out.size - object_at), 4);
    }
}

static inline void begin_message(int type, int flags) {
    message_at = out.size;
    put((uint64_t)type, version == 1 ? 2 : 1);
    put(0, 2);
    put((uint64_t)flags, version == 1 ? 4 : 1);
}

static inline void end_message(void) {
    const int64_t head = version == 1 ? 8 : 4;
    patch(message_at + (version == 1 ? 2 : 1), (uint64_t)(out.size - message_at - head), 2);
}

/** Bytes of a message; size 0: the message is left out, unless it is empty. */
typedef struct raw {
    const char *bytes;
    int64_t size;
    int flags;
} raw;
#define RAW(literal)                                                                               \
    { literal, sizeof(literal) - 1, 0 }
#define SHARED(literal)                                                                            \
    { literal, sizeof(literal) - 1, 2 }
#define ABSENT                                                                                     \
    { NULL, 0, 0 }

static inline void put_message(int type, raw content) {
    if (!content.bytes) return;
    begin_message(type, content.flags);
    bytes_add(&out, content.bytes, content.size);
    end_message();
}

static inline void put_link(const char *name, int64_t object) {
    begin_message(ANI_HDF5_LINK, 0);
    put(1, 2); /* version, flags: hard, a size of one byte */
    put(strlen(name), 1);
    put_text(name);
    put((uint64_t)object, 8);
    end_message();
}

/* End with a root group that holds object under the name "a". */
static inline ani_hdf5 *end_file_with(int64_t root) {
    an_error err = {0};
    ani_hdf5 *file = NULL;
    patch(ROOT_FIELD, (uint64_t)root, 8);
    patch(END_FIELD, (uint64_t)out.size, 8);
    uint8_t *exact = realloc(out.data, (size_t)out.size); /* so that a sanitizer sees its end */
    assert_non_null(exact);
    out.data = exact;
    if (ani_hdf5_open(&file, out.data, out.size, "f", &err)) fail_msg("%s", err.message);
    return file;
}

static inline ani_hdf5 *end_file(int64_t object) {
    const int64_t root = begin_object();
    put_link("a", object);
    end_object();
    return end_file_with(root);
}

/* --- asking ----------------------------------------------------------------------------------- */

static an_error err;

static inline void refuse(an_status st, an_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline void refuse(an_status st, an_status status, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    assert_string_equal(err.message, message);
    assert_int_equal(st, status);
    err = (an_error){0};
}

/* Every place where work is counted ends the call when the limit is exceeded. */
static inline void expect_entangled(ani_hdf5 *file, an_status (*call)(ani_hdf5 *file)) {
    int64_t left = 0;
    for (an_status st = 1; st; left++) {
        file->work = 20000000 - left;
        file->bytes_read = 0;
        st = call(file);
        if (st) refuse(st, AN_ERR_UNSUPPORTED, "'f' exceeds the work limit (a link cycle?)");
        assert_true(left < 1000);
    }
    assert_true(left > 3);
    ani_hdf5_close(file);
}

static inline int free_bytes(void **state) {
    (void)state;
    free(out.data);
    return 0;
}

#endif
