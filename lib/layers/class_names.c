/* SPDX-License-Identifier: MIT
 * Names of classes. */
#include "layers/class_names.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/show.h"
#include "base/text.h"

enum { MAX_NAME = 1000, MAX_COUNT = 10000 };

static int compare(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static an_status check_unique(const ani_class_names *names, an_status wrong, an_error *err) {
    const int64_t size = names->count * (int64_t)sizeof *names->names;
    char shown[ANI_SHOWN_NAME_SIZE];
    an_status st = AN_OK;
    char **sorted = ani_alloc(size);
    if (!sorted) return ani_fail_memory(err, size, "names of classes");
    memcpy(sorted, names->names, (size_t)size);
    qsort(sorted, (size_t)names->count, sizeof *sorted, compare);
    for (int32_t i = 1; !st && i < names->count; i++)
        if (!strcmp(sorted[i - 1], sorted[i]))
            st =
                ani_fail(err, wrong, "two classes are named '%s'", ani_name_show(shown, sorted[i]));
    ani_free(sorted);
    return st;
}

an_status ani_class_names_create(ani_class_names **out, const char *const *names, int32_t count,
                                 an_status wrong, an_error *err) {
    const int64_t size = (int64_t)sizeof(ani_class_names) + count * (int64_t)sizeof(*(*out)->names);
    an_status st = AN_OK;
    *out = NULL;
    ani_class_names *copy = ani_alloc_zero(1, size);
    if (!copy) return ani_fail_memory(err, size, "names of classes");
    atomic_init(&copy->references, 1);
    copy->count = count;
    for (int32_t i = 0; !st && i < count; i++) {
        const size_t length = names[i] ? strnlen(names[i], MAX_NAME + 1) : 0;
        if (length < 1 || length > MAX_NAME || !ani_is_utf8(names[i], (int64_t)length)) {
            st = ani_fail(err, wrong,
                          "the name of class %d is %s; it must be 1 to %d bytes of UTF-8", (int)i,
                          !names[i]           ? "NULL"
                          : !length           ? "empty"
                          : length > MAX_NAME ? "longer"
                                              : "not UTF-8",
                          MAX_NAME);
            break;
        }
        copy->names[i] = ani_strdup(names[i]);
        if (!copy->names[i]) st = ani_fail_memory(err, (int64_t)length, "the name of a class");
    }
    if (!st) st = check_unique(copy, wrong, err);
    if (st) {
        ani_class_names_destroy(copy);
        return st;
    }
    *out = copy;
    return AN_OK;
}

void ani_class_names_hold(ani_class_names *names) {
    if (names) atomic_fetch_add(&names->references, 1);
}

void ani_class_names_destroy(ani_class_names *names) {
    if (!names || atomic_fetch_sub(&names->references, 1) > 1) return;
    for (int32_t i = 0; i < names->count; i++)
        ani_free(names->names[i]);
    ani_free(names);
}

an_status ani_class_names_print(char **out, const ani_class_names *names, an_error *err) {
    ani_text text = {0};
    *out = NULL;
    if (names) {
        ani_text_add(&text, "[", 1);
        for (int32_t i = 0; i < names->count; i++) {
            if (i) ani_text_add(&text, ",", 1);
            ani_text_quote(&text, names->names[i]);
        }
        ani_text_add(&text, "]", 1);
    } else {
        ani_text_add(&text, "", 0);
    }
    if (text.failed) {
        const int64_t size = text.size;
        ani_text_clear(&text);
        return ani_fail_memory(err, size, "names of classes");
    }
    *out = text.bytes;
    return AN_OK;
}

an_status ani_class_names_parse(ani_class_names **out, const char *text, an_error *err) {
    const char **names = NULL;
    an_status st = AN_OK;
    *out = NULL;
    json_t *json = json_loads(text, 0, NULL);
    const size_t count = json_array_size(json); /* 0 for something else */
    if (!count || count > MAX_COUNT) {
        st =
            ani_fail(err, AN_ERR_FORMAT,
                     "the names of the classes are not a JSON array of 1 to %d strings", MAX_COUNT);
        goto done;
    }
    names = ani_alloc_zero((int64_t)count, sizeof *names);
    if (!names) {
        st = ani_fail_memory(err, (int64_t)(count * sizeof *names), "names of classes");
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = json_string_value(json_array_get(json, i));
        if (names[i]) continue;
        st = ani_fail(err, AN_ERR_FORMAT, "the name of class %d is not a string", (int)i);
        goto done;
    }
    st = ani_class_names_create(out, names, (int32_t)count, AN_ERR_FORMAT, err);
done:
    json_decref(json);
    ani_free(names);
    return st;
}
