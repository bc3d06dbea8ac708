/* SPDX-License-Identifier: MIT
 * Reading of label files (docs/numerics.md, section labels): one pass over the bytes, one hash
 * table. */
#include "dataset/labels.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <attractivenet/io.h>

#include "base/memory.h"
#include "base/text.h"

enum { SHOWN = 48 }; /* bytes of a field that a message shows */

/* --- names: a hash table with open addressing ------------------------------------------------ */

static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

static uint64_t hash(uint64_t key, const char *bytes, int64_t size) {
    uint64_t h = key ^ (uint64_t)size;
    for (; size >= 8; bytes += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        h = mix(h ^ word);
    }
    uint64_t tail = 0;
    memcpy(&tail, bytes, (size_t)size);
    return mix(h ^ tail);
}

/* Return the slot that holds the name, or the empty one where it belongs. */
static uint32_t *find_slot(const ani_labels *labels, const char *name, int64_t size) {
    for (uint64_t i = hash(labels->key, name, size);; i++) {
        uint32_t *slot = &labels->slots[i & labels->slot_mask];
        if (!*slot) return slot;
        const ani_label *entry = &labels->entries[*slot - 1];
        if (entry->size == size && !memcmp(labels->bytes + entry->offset, name, (size_t)size))
            return slot;
    }
}

int64_t ani_labels_find(const ani_labels *labels, const char *name, int64_t size) {
    return (int64_t)*find_slot(labels, name, size) - 1;
}

/* --- lines ----------------------------------------------------------------------------------- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* A field as a message may show it: cut, and without bytes that are no text. It has no control
 * characters: read_line() refuses them first. */
static const char *shown(char out[SHOWN + 4], const char *field, int64_t size) {
    const int64_t kept = size > SHOWN ? SHOWN : size;
    const bool plain = ani_is_utf8(field, size);
    int64_t end = 0;
    for (; end < kept; end++) {
        const unsigned char c = (unsigned char)field[end];
        out[end] = !plain && c >= 0x80 ? '?' : (char)c;
    }
    if (kept < size) { /* not in the middle of a character */
        while (end > 0 && ((unsigned char)field[end] & 0xC0u) == 0x80u)
            end--;
        memcpy(out + end, "...", 4);
    } else {
        out[end] = '\0';
    }
    return out;
}

static int64_t field_size(const char *field, const char *end) {
    const char *c = field;
    while (c < end && !is_blank(*c))
        c++;
    return c - field;
}

typedef struct reader {
    ani_labels *labels;
    const char *file;
    int64_t line;
} reader;

/* Read the numbers after a name into values; begin stands behind the name. */
static an_status read_values(const reader *r, const char *name, int64_t name_size,
                             const char *begin, const char *end, double *values, an_error *err) {
    char text[SHOWN + 4];
    const int32_t outputs = r->labels->outputs;
    const long long line = (long long)r->line;
    const char *c = begin;
    for (int32_t i = 0;; i++) {
        while (c < end && is_blank(*c))
            c++;
        if (c == end && i < outputs)
            return ani_fail(err, AN_ERR_FORMAT,
                            "'%s', line %lld: %d numbers after the name '%s', expected %d", r->file,
                            line, (int)i, shown(text, name, name_size), (int)outputs);
        if (c == end) return AN_OK;
        const int64_t size = field_size(c, end);
        if (i == outputs)
            return ani_fail(
                err, AN_ERR_FORMAT,
                "'%s', line %lld: '%s' is too much; expected a name without blanks and %d "
                "number%s",
                r->file, line, shown(text, c, size), (int)outputs, outputs == 1 ? "" : "s");
        bool overflow = false;
        const char *behind = c;
        const bool found = ani_parse_double(c, &behind, &values[i], &overflow);
        if (overflow)
            return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: '%s' is too large for a number",
                            r->file, line, shown(text, c, size));
        if (!found || behind != c + size)
            return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: '%s' is not a finite number",
                            r->file, line, shown(text, c, size));
        c = behind;
    }
}

/* Take one line, without its end, into the labels. */
static an_status read_line(const reader *r, const char *begin, const char *end, an_error *err) {
    ani_labels *labels = r->labels;
    char text[SHOWN + 4];
    while (begin < end && is_blank(*begin))
        begin++;
    if (begin == end) return AN_OK;
    for (const char *c = begin; c < end; c++)
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
            return ani_fail(err, AN_ERR_FORMAT,
                            "'%s', line %lld: has a control character (byte %d)", r->file,
                            (long long)r->line, (int)*c);
    const int64_t size = field_size(begin, end);
    double *values = labels->values + labels->count * labels->outputs;
    an_status st = read_values(r, begin, size, begin + size, end, values, err);
    if (st) return st;

    uint32_t *slot = find_slot(labels, begin, size);
    if (*slot) {
        const int64_t first = *slot - 1;
        for (int32_t i = 0; i < labels->outputs; i++)
            if (labels->values[first * labels->outputs + i] != values[i])
                return ani_fail(err, AN_ERR_FORMAT,
                                "'%s', line %lld: '%s' has another label on line %lld", r->file,
                                (long long)r->line, shown(text, begin, size),
                                (long long)labels->entries[first].line);
        return AN_OK;
    }
    labels->entries[labels->count] = (ani_label){.offset = (uint32_t)(begin - labels->bytes),
                                                 .size = (uint32_t)size,
                                                 .line = (uint32_t)r->line};
    *slot = (uint32_t)++labels->count;
    return AN_OK;
}

/* --- the file -------------------------------------------------------------------------------- */

/* Upper bound for the labels in a file: its line ends, and a last line without one. */
static int64_t count_line_ends(const char *bytes, int64_t size) {
    int64_t ends = 1;
    for (int64_t i = 0; i < size; i++)
        ends += (bytes[i] == '\n') | (bytes[i] == '\r');
    return ends;
}

static an_status allocate(ani_labels *labels, int64_t lines, an_error *err) {
    /* no overflow: at most 2^30 lines of 2^31 numbers of 2^3 bytes would be needed for one */
    const int64_t values = lines * labels->outputs * (int64_t)sizeof *labels->values;
    int64_t slots = 16;
    while (slots < 2 * lines)
        slots *= 2;
    labels->slot_mask = (uint64_t)slots - 1;
    labels->entries = ani_alloc(lines * (int64_t)sizeof *labels->entries);
    labels->values = ani_alloc(values);
    labels->slots = ani_alloc_zero(slots, sizeof *labels->slots);
    if (!labels->entries || !labels->values || !labels->slots)
        return ani_fail_memory(err, values, "labels");
    return AN_OK;
}

an_status ani_labels_read(ani_labels *out, const char *name, const uint8_t *bytes, int64_t size,
                          int32_t outputs, int32_t policy, an_error *err) {
    ani_labels labels = {.bytes = (const char *)bytes, .outputs = outputs};
    *out = (ani_labels){0};
    if (size > ANI_LABELS_MAX_BYTES)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' has %lld bytes; at most %lld are read", name,
                        (long long)size, (long long)ANI_LABELS_MAX_BYTES);
    /* Without a random key (early at boot) the place in memory serves. */
    if (getrandom(&labels.key, sizeof labels.key, GRND_NONBLOCK) != (ssize_t)sizeof labels.key)
        labels.key = (uint64_t)(uintptr_t)bytes;
    an_status st = allocate(&labels, count_line_ends(labels.bytes, size), err);
    if (st) goto done;

    reader r = {.labels = &labels, .file = name, .line = 1};
    const char *c = labels.bytes, *end = labels.bytes + size;
    if (size >= 3 && !memcmp(c, "\xEF\xBB\xBF", 3)) c += 3;
    for (; c < end; r.line++) {
        const char *begin = c;
        while (c < end && *c != '\n' && *c != '\r')
            c++;
        if (policy == AN_POLICY_SKIP) {
            an_error *why = labels.skipped ? NULL : &labels.first_skipped;
            if (read_line(&r, begin, c, why)) labels.skipped++;
        } else {
            st = read_line(&r, begin, c, err);
            if (st) goto done;
        }
        if (end - c >= 2 && c[0] == '\r' && c[1] == '\n') c++;
        c++;
    }
    if (labels.count == 0 && labels.skipped)
        st = ani_fail(err, AN_ERR_FORMAT, "no label is left: %s", labels.first_skipped.message);
    else if (labels.count == 0)
        st = ani_fail(err, AN_ERR_FORMAT, "'%s' holds no labels", name);
    if (st) goto done;
    *out = labels;
    labels = (ani_labels){0};
done:
    ani_labels_clear(&labels);
    return st;
}

void ani_labels_clear(ani_labels *labels) {
    ani_free(labels->entries);
    ani_free(labels->values);
    ani_free(labels->slots);
    *labels = (ani_labels){0};
}
