/* SPDX-License-Identifier: MIT
 * Classes by name or index (docs/numerics.md, section classes). Anything ambiguous is an error that
 * shows both meanings. */
#include "dataset/classes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/show.h"

enum { FIRST_CAPACITY = 16 };

/* --- names ----------------------------------------------------------------------------------- */

static int compare(const char *a, int64_t a_size, const char *b, int64_t b_size) {
    const int order = memcmp(a, b, (size_t)(a_size < b_size ? a_size : b_size));
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static bool is_same_but_for_case(const char *a, int64_t a_size, const char *b, int64_t b_size) {
    if (a_size != b_size) return false;
    for (int64_t i = 0; i < a_size; i++)
        if (ani_lower(a[i]) != ani_lower(b[i])) return false;
    return true;
}

/* The value of a text that is a whole number without sign and leading zeros; -1 if it is not
 * one. */
static int64_t whole_number(const char *text, int64_t size) {
    int64_t value = 0;
    if (size < 1 || size > 9 || (size > 1 && text[0] == '0')) return -1;
    for (int64_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* Format a name for use in a message. */
static const char *show(char shown[ANI_SHOWN_NAME_SIZE], const char *text, int64_t size) {
    char copy[ANI_CLASS_NAME_MAX_BYTES + 1];
    if (size > ANI_CLASS_NAME_MAX_BYTES) size = ANI_CLASS_NAME_MAX_BYTES;
    memcpy(copy, text, (size_t)size);
    copy[size] = '\0';
    return ani_name_show(shown, copy);
}

static const char *name_of(const ani_classes *classes, int32_t item) {
    return classes->names.bytes + classes->items[item].offset;
}

/* Write "'cat' on line 7", or just "'cat'". */
static const char *describe(char out[ANI_SHOWN_CLASS_SIZE + 64], const ani_classes *classes,
                            int32_t item) {
    char shown[ANI_SHOWN_NAME_SIZE];
    const ani_class *class = &classes->items[item];
    show(shown, name_of(classes, item), class->size);
    if (class->line)
        snprintf(out, ANI_SHOWN_CLASS_SIZE + 64, "'%s' on line %lld", shown,
                 (long long)class->line);
    else
        snprintf(out, ANI_SHOWN_CLASS_SIZE + 64, "'%s'", shown);
    return out;
}

/* Why a class may not have this name; NULL if it may. */
static const char *fault_of(const char *text, int64_t size) {
    if (size == 0) return "is empty";
    if (size > ANI_CLASS_NAME_MAX_BYTES) return "is longer than 255 bytes";
    for (int64_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) return "has a control character";
    if (!ani_is_utf8(text, size)) return "is not valid UTF-8";
    if (text[0] == '.' && (size == 1 || (size == 2 && text[1] == '.')))
        return "is that of a folder which is every folder's";
    if (text[0] == ' ' || text[size - 1] == ' ') return "begins or ends with a space";
    return NULL;
}

/* The sorted position of a name; *found tells whether the name is present. */
static int32_t look_up(const ani_classes *classes, const char *text, int64_t size, bool *found) {
    int32_t low = 0, high = classes->count;
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        const int32_t item = classes->order[middle];
        const int order = compare(name_of(classes, item), classes->items[item].size, text, size);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

static an_status grow(ani_classes *classes, an_error *err) {
    const int64_t capacity = classes->count ? 2 * (int64_t)classes->count : FIRST_CAPACITY;
    const bool is_full = classes->count == 0 || (classes->count >= FIRST_CAPACITY &&
                                                 !(classes->count & (classes->count - 1)));
    if (!is_full) return AN_OK;
    const int64_t count = classes->count, unit = sizeof *classes->items;
    ani_class *items = ani_realloc(classes->items, count * unit, capacity * unit);
    if (items) classes->items = items;
    int32_t *order = ani_realloc(classes->order, count * (int64_t)sizeof *order,
                                 capacity * (int64_t)sizeof *order);
    if (order) classes->order = order;
    return items && order ? AN_OK : ani_fail_memory(err, capacity * unit, "classes");
}

/* Add a name at its place in order. */
static an_status add(ani_classes *classes, const char *text, int64_t size, int64_t line,
                     int32_t place, an_error *err) {
    an_status st = grow(classes, err);
    if (st) return st;
    const int64_t offset = classes->names.size;
    ani_text_add(&classes->names, text, size);
    ani_text_add(&classes->names, "", 1);
    if (classes->names.failed) return ani_fail_memory(err, offset + size, "names of classes");
    const int32_t item = classes->count++;
    classes->items[item] = (ani_class){offset, size, line, whole_number(text, size)};
    memmove(classes->order + place + 1, classes->order + place,
            (size_t)(item - place) * sizeof *classes->order);
    classes->order[place] = item;
    if (classes->items[item].index >= 0 && !classes->has_whole) {
        classes->has_whole = true;
        classes->whole_item = item;
    }
    return AN_OK;
}

/* Fail if two names differ only in case. */
static an_status refuse_cases(const ani_classes *classes, an_status status, an_error *err) {
    char one[ANI_SHOWN_CLASS_SIZE + 64], other[ANI_SHOWN_CLASS_SIZE + 64];
    for (int32_t a = 0; a < classes->count; a++)
        for (int32_t b = a + 1; b < classes->count; b++)
            if (is_same_but_for_case(name_of(classes, a), classes->items[a].size,
                                     name_of(classes, b), classes->items[b].size))
                return ani_fail(err, status, "the classes %s and %s differ only in case",
                                describe(one, classes, a), describe(other, classes, b));
    return AN_OK;
}

an_status ani_classes_fix(ani_classes *out, const char *const *names, int32_t count,
                          an_error *err) {
    ani_classes classes = {0};
    char shown[ANI_SHOWN_NAME_SIZE];
    an_status st = AN_OK;
    *out = (ani_classes){0};
    if (count < 2 || count > ANI_CLASSES_MAX)
        return ani_fail(err, AN_ERR_ARG, "class_count is %d; it must be 2 to %d", (int)count,
                        (int)ANI_CLASSES_MAX);
    if (!names)
        return ani_fail(err, AN_ERR_ARG, "classes is NULL and class_count is %d", (int)count);
    for (int32_t i = 0; i < count && !st; i++) {
        bool found;
        if (!names[i]) {
            st = ani_fail(err, AN_ERR_ARG, "classes[%d] is NULL", (int)i);
            break;
        }
        const int64_t size = (int64_t)strlen(names[i]);
        const char *fault = fault_of(names[i], size);
        const int32_t place = look_up(&classes, names[i], size, &found);
        if (fault)
            st = ani_fail(err, AN_ERR_ARG, "classes[%d], '%s', %s", (int)i,
                          show(shown, names[i], size), fault);
        else if (found)
            st = ani_fail(err, AN_ERR_ARG, "classes[%d] and classes[%d] are both '%s'",
                          (int)classes.order[place], (int)i, show(shown, names[i], size));
        else
            st = add(&classes, names[i], size, 0, place, err);
    }
    if (!st) st = refuse_cases(&classes, AN_ERR_ARG, err);
    if (!st) {
        classes.is_fixed = true;
        *out = classes;
        classes = (ani_classes){0};
    }
    ani_classes_clear(&classes);
    return st;
}

/* --- labels ---------------------------------------------------------------------------------- */

int32_t ani_classes_find(const ani_classes *classes, const char *text, int64_t size) {
    bool found;
    const int32_t place = look_up(classes, text, size, &found);
    if (found) return classes->order[place];
    const int64_t index = classes->is_fixed && !classes->has_whole ? whole_number(text, size) : -1;
    return index < classes->count ? (int32_t)index : -1;
}

/* A label that is none of the fixed classes. */
static an_status refuse(const ani_classes *classes, const char *text, int64_t size, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE], other[ANI_SHOWN_NAME_SIZE];
    const int64_t index = whole_number(text, size);
    show(shown, text, size);
    if (index >= 0 && classes->has_whole)
        return ani_fail(
            err, AN_ERR_FORMAT,
            "'%s' is not one of the classes; it is not an index, either, since a class is "
            "named '%s'",
            shown,
            show(other, name_of(classes, classes->whole_item),
                 classes->items[classes->whole_item].size));
    if (index >= 0)
        return ani_fail(err, AN_ERR_FORMAT, "the class is %lld; it must be 0 to %d",
                        (long long)index, (int)classes->count - 1);
    for (int32_t i = 0; i < classes->count; i++)
        if (is_same_but_for_case(text, size, name_of(classes, i), classes->items[i].size))
            return ani_fail(err, AN_ERR_FORMAT,
                            "'%s' is not one of the classes; one of them is '%s'", shown,
                            show(other, name_of(classes, i), classes->items[i].size));
    return ani_fail(err, AN_ERR_FORMAT, "'%s' is not one of the %d classes", shown,
                    (int)classes->count);
}

an_status ani_classes_take(ani_classes *classes, const char *text, int64_t size, int64_t line,
                           int32_t *item, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    double number;
    *item = ani_classes_find(classes, text, size);
    if (*item >= 0) return AN_OK;
    if (classes->is_fixed) return refuse(classes, text, size, err);
    const char *fault = fault_of(text, size);
    if (fault)
        return ani_fail(err, AN_ERR_FORMAT, "the class '%s' %s", show(shown, text, size), fault);
    char copy[ANI_CLASS_NAME_MAX_BYTES + 1];
    const char *end = copy;
    memcpy(copy, text, (size_t)size);
    copy[size] = '\0';
    if (whole_number(text, size) < 0 && ani_parse_double(copy, &end, &number, NULL) && !*end)
        return ani_fail(
            err, AN_ERR_FORMAT,
            "the class '%s' is a number but not an index (0, 1, 2, ...); if it is a name, "
            "list the classes",
            show(shown, text, size));
    if (classes->count == ANI_CLASSES_MAX)
        return ani_fail(err, AN_ERR_FORMAT, "'%s' exceeds the limit of %d classes",
                        show(shown, text, size), (int)ANI_CLASSES_MAX);
    bool found;
    const int32_t place = look_up(classes, text, size, &found);
    *item = classes->count;
    return add(classes, text, size, line, place, err);
}

/* Sort classes whose names are indices; all from 0 on must be present. */
static an_status settle_indices(const ani_classes *classes, int32_t *places, an_error *err) {
    for (int32_t i = 0; i < classes->count; i++)
        places[i] = -1;
    for (int32_t i = 0; i < classes->count; i++) {
        const int64_t index = classes->items[i].index;
        if (index < classes->count) places[index] = i;
    }
    for (int32_t i = 0; i < classes->count; i++)
        if (places[i] < 0)
            return ani_fail(
                err, AN_ERR_FORMAT,
                "the labels are %d whole numbers, and none is %d: as indices of "
                "classes they must run from 0 without gaps; if they are names, list the classes",
                (int)classes->count, (int)i);
    for (int32_t i = 0; i < classes->count; i++)
        places[i] = (int32_t)classes->items[i].index;
    return AN_OK;
}

an_status ani_classes_settle(ani_classes *classes, int32_t *places, an_error *err) {
    char one[ANI_SHOWN_CLASS_SIZE + 64], other[ANI_SHOWN_CLASS_SIZE + 64];
    const int32_t count = classes->count;
    if (classes->is_fixed) {
        for (int32_t i = 0; i < count; i++)
            places[i] = i;
        return AN_OK;
    }
    if (count < 2)
        return ani_fail(err, AN_ERR_FORMAT, "there is only one class, %s; at least 2 are needed",
                        count ? describe(one, classes, 0) : "''");
    int32_t whole = 0, name = -1;
    for (int32_t i = 0; i < count; i++) {
        whole += classes->items[i].index >= 0;
        if (classes->items[i].index < 0 && name < 0) name = i;
    }
    if (whole && name >= 0)
        return ani_fail(err, AN_ERR_FORMAT,
                        "the class %s is an index or a name, and %s is a name: list the classes",
                        describe(one, classes, classes->whole_item),
                        describe(other, classes, name));
    an_status st =
        whole ? settle_indices(classes, places, err) : refuse_cases(classes, AN_ERR_FORMAT, err);
    if (st) return st;
    for (int32_t i = 0; i < count && !whole; i++)
        places[classes->order[i]] = i;
    ani_class *sorted = ani_alloc(count * (int64_t)sizeof *sorted);
    if (!sorted) return ani_fail_memory(err, count * (int64_t)sizeof *sorted, "classes");
    for (int32_t i = 0; i < count; i++)
        sorted[places[i]] = classes->items[i];
    for (int32_t i = 0; i < count; i++)
        classes->order[i] = places[classes->order[i]];
    ani_free(classes->items);
    classes->items = sorted;
    classes->whole_item = 0;
    classes->is_fixed = true;
    return AN_OK;
}

const char *ani_classes_name(const ani_classes *classes, int32_t i) {
    return name_of(classes, i);
}

void ani_classes_clear(ani_classes *classes) {
    ani_text_clear(&classes->names);
    ani_free(classes->items);
    ani_free(classes->order);
    *classes = (ani_classes){0};
}
