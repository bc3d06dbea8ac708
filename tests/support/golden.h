/* SPDX-License-Identifier: MIT
 * Helpers for tests against reference data: its location, safetensors with every number type (read
 * here without the library under test), JSON, and comparisons that report the worst element. */
#ifndef SUPPORT_GOLDEN_H
#define SUPPORT_GOLDEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/** Return AN_GOLDEN_DIR/relative in a static ring of buffers (valid for the next 8 calls); files
 * missing there are looked for in tests/golden/data, which has small copies and files found nowhere
 * else. NULL if there is no such file: the test then calls skip(). */
const char *golden_path(const char *relative);

/** The names of the files in a reference data folder with this beginning and end, sorted by bytes.
 * None if there is no such folder. */
enum { GOLDEN_NAMES = 256, GOLDEN_NAME_SIZE = 256 };
typedef struct golden_names {
    int32_t count;
    char at[GOLDEN_NAMES][GOLDEN_NAME_SIZE];
} golden_names;
void golden_list(golden_names *out, const char *folder, const char *prefix, const char *suffix);

/** The network that a file name refers to: "weights_0.35_96.safetensors" is alpha 0.35 at 96
 * pixels. */
typedef struct golden_tag {
    double alpha;
    int32_t size;
} golden_tag;
bool golden_tag_of(const char *name, golden_tag *tag);
/** Return the path of the file in folder with this beginning and end and these numbers in its name,
 * however they are written (0.5, 0.50); size 0: any size, if only one file matches. NULL if there
 * is none. */
const char *golden_tagged(const char *folder, const char *prefix, const char *suffix,
                          golden_tag tag);
/** Return the weights of a network, "weights_ALPHA_SIZE.safetensors" in the topic's own folder or
 * in pretrained/; weights do not depend on the size, so those of another size are used if there are
 * none for this one. NULL if there are none. */
const char *golden_weights_of(const char *folder, golden_tag tag);

typedef struct st_array {
    char *name;
    char dtype[8]; /* as in the file: "F32", "F64", "U8", "I64", ... */
    int32_t rank;
    int64_t shape[8];
    int64_t count;
    const void *data; /* borrowed from the file */
} st_array;
typedef struct st_file {
    st_array *arrays;
    int64_t count;
    json_t *metadata; /* object of strings, or NULL */
    uint8_t *bytes;
} st_file;

/** Open a safetensors file; fails the test (cmocka fail) if it is damaged. */
st_file *st_open(const char *path);
void st_close(st_file *file);
/** Return an array by name, NULL if it is missing; printf-style name. */
const st_array *st_find(const st_file *file, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
double st_value(const st_array *array, int64_t index); /* any dtype, as double */
float *st_floats(const st_array *array);               /* a float copy; free() */
double *st_doubles(const st_array *array);             /* a double copy; free() */

/** Load JSON; fails the test if it is damaged. The strings "nan", "inf", "-inf" stand for numbers.
 */
json_t *golden_json(const char *path);
double golden_number(const json_t *value); /* a number or one of those strings */

/** Compare got with want: |got - want| <= absolute + relative * max|want|. A failure prints what,
 * the worst element, its index, both values and the limit, and fails the test. */
void expect_close(const char *what, const float *got, const double *want, int64_t count,
                  double absolute, double relative);
/** Compare numbers: |got - want| <= limit, or both NaN. A failure prints the label, the numbers and
 * the limit, and fails the test. */
void expect_within(double got, double want, double limit, const char *label, ...)
    __attribute__((format(printf, 4, 5)));
/** Print the number of comparisons made by the two functions above since the last call, and which
 * came closest to its limit. */
void golden_report(const char *topic);
/** Compare bytes exactly; a failure prints the first difference. */
void expect_bytes(const char *what, const uint8_t *got, const uint8_t *want, int64_t count);

#endif
