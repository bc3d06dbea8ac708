/* SPDX-License-Identifier: MIT
 * Tables of calls that must be refused. */
#ifndef SUPPORT_MISUSE_H
#define SUPPORT_MISUSE_H

#include <attractivenet/status.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

/** Options with one wrong field: wrong_TYPE_FIELD(). The second form has its own name. */
#define WRONG(type, field, value) WRONG_AS(type##_##field, type, field, value)
#define WRONG_AS(name, type, field, value)                                                         \
    static const type *wrong_##name(void) {                                                        \
        static type options;                                                                       \
        type##_init(&options, sizeof options);                                                     \
        options.field = value;                                                                     \
        return &options;                                                                           \
    }

/** One call: its name in failures, its text, and a part of the message. */
typedef struct misuse_call {
    const char *name, *text;
    an_status (*call)(an_error *err);
    const char *part;
} misuse_call;

/* For lists of CASE(name, call, part), where err is the call's last argument. */
#define MISUSE_DEFINE(name, call, part)                                                            \
    static an_status call_##name(an_error *err) {                                                  \
        return call;                                                                               \
    }
#define MISUSE_LIST(name, call, part) {#name, #call, call_##name, part},

/** Where a call would store a handle: "&model_out", and the address. */
typedef struct misuse_out {
    const char *text;
    void *place;
} misuse_out;

/** Each call returns AN_ERR_ARG with its part of the message, with and without an error object, and
 * leaves NULL where a handle would go. */
static inline void misuse_refused(const misuse_call *calls, size_t count, const misuse_out *outs,
                                  size_t out_count) {
    int wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const misuse_call *one = &calls[i];
        const void *const stale = one;
        const void *left = NULL;
        an_error err = {.status = 99};
        for (size_t k = 0; k < out_count; k++)
            memcpy(outs[k].place, &stale, sizeof stale);
        const an_status st = one->call(&err);
        if (st != AN_ERR_ARG) {
            print_error("%s: returns %s, '%s'\n", one->name, an_status_name(st), err.message);
            wrong++;
            continue;
        }
        if (err.status != st || !strstr(err.message, one->part)) {
            print_error("%s: the message '%s' lacks '%s'\n", one->name, err.message, one->part);
            wrong++;
        }
        if (one->call(NULL) != AN_ERR_ARG) {
            print_error("%s: other without an error object\n", one->name);
            wrong++;
        }
        for (size_t k = 0; k < out_count; k++) {
            memcpy(&left, outs[k].place, sizeof left);
            if (strstr(one->text, outs[k].text) && left) {
                print_error("%s: leaves something in %s\n", one->name, outs[k].text);
                wrong++;
            }
        }
    }
    for (size_t k = 0; k < out_count; k++)
        memset(outs[k].place, 0, sizeof(void *));
    assert_int_equal(wrong, 0);
}

/** An init function does nothing for NULL and for impossible sizes. */
#define MISUSE_INIT(type, init)                                                                    \
    do {                                                                                           \
        type untouched, options;                                                                   \
        memset(&options, 0xa5, sizeof options);                                                    \
        memset(&untouched, 0xa5, sizeof untouched);                                                \
        init(NULL, sizeof options);                                                                \
        init(&options, 0);                                                                         \
        init(&options, 3);                                                                         \
        init(&options, 0xa5a5a5a5u);                                                               \
        assert_memory_equal(&options, &untouched, sizeof options);                                 \
        init(&options, sizeof options);                                                            \
        assert_int_equal(options.struct_size, sizeof options);                                     \
    } while (0)

#endif
