/* SPDX-License-Identifier: MIT
 * Reads label files (docs/numerics.md, section labels): one pass over the bytes, one hash table. */
#include "dataset/labels.h"

#include <float.h>
#include <math.h>
#include <string.h>
#include <sys/random.h>

#include <attractivenet/io.h>

#include "base/memory.h"
#include "base/text.h"

enum { SHOWN = 48 }; /* bytes of a field that a message shows */

/* A field in a form fit for a message: truncated, and without bytes that are not text. It has no
 * control characters, which read_line() has refused. */
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

/* True if the label after the last one equals that of entry. */
static bool is_same_label(const ani_labels *labels, int64_t entry, const char *class,
                          int64_t class_size) {
    if (labels->weights && labels->weights[entry] != labels->weights[labels->count]) return false;
    if (labels->items)
        return ani_classes_find(labels->form.classes, class, class_size) == labels->items[entry];
    const int32_t outputs = labels->form.outputs;
    const double *values = labels->values + entry * outputs;
    const double *others = labels->values + labels->count * outputs;
    for (int32_t i = 0; i < outputs; i++)
        if (values[i] != others[i]) return false;
    return true;
}

/* Fail if a known name now has a different label or path. */
static an_status refuse_other(const ani_labels *labels, const char *file, int64_t first,
                              const ani_label *label, const char *class, int64_t class_size,
                              an_error *err) {
    char text[SHOWN + 4], other[SHOWN + 4];
    const ani_label *there = &labels->entries[first];
    const char *path = labels->bytes + label->offset - label->folders;
    const char *path_there = labels->bytes + there->offset - there->folders;
    if (label->folders != there->folders || memcmp(path, path_there, label->folders) != 0)
        return ani_fail(
            err, AN_ERR_FORMAT, "'%s', line %lld: '%s' has the base name of '%s' on line %lld",
            file, (long long)label->line, shown(text, path, label->folders + label->size),
            shown(other, path_there, there->folders + there->size), (long long)there->line);
    if (is_same_label(labels, first, class, class_size)) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: '%s' has another label on line %lld",
                    file, (long long)label->line, shown(text, path, label->folders + label->size),
                    (long long)there->line);
}

an_status ani_labels_add(ani_labels *labels, const char *file, const ani_label *label,
                         const char *class_text, int64_t class_size, an_error *err) {
    an_error why;
    uint32_t *slot = find_slot(labels, labels->bytes + label->offset, label->size);
    if (*slot) return refuse_other(labels, file, *slot - 1, label, class_text, class_size, err);
    if (labels->items) {
        const an_status st = ani_classes_take(labels->form.classes, class_text, class_size,
                                              label->line, &labels->items[labels->count], &why);
        if (st)
            return ani_fail(err, st, "'%s', line %lld: %s", file, (long long)label->line,
                            why.message);
    }
    labels->entries[labels->count] = *label;
    *slot = (uint32_t)++labels->count;
    return AN_OK;
}

/* --- lines ----------------------------------------------------------------------------------- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static int64_t field_size(const char *field, const char *end) {
    const char *c = field;
    while (c < end && !is_blank(*c))
        c++;
    return c - field;
}

static const char *behind_blanks(const char *c, const char *end) {
    while (c < end && is_blank(*c))
        c++;
    return c;
}

static const char *before_blanks(const char *begin, const char *c) {
    while (c > begin && is_blank(c[-1]))
        c--;
    return c;
}

/* The start of the last field before end. */
static const char *last_field(const char *begin, const char *end) {
    const char *c = before_blanks(begin, end);
    while (c > begin && !is_blank(c[-1]))
        c--;
    return c;
}

static int64_t count_fields(const char *c, const char *end) {
    int64_t fields = 0;
    for (c = behind_blanks(c, end); c < end; c = behind_blanks(c, end), fields++)
        c += field_size(c, end);
    return fields;
}

typedef struct reader {
    ani_labels *labels;
    const char *file;
    int64_t line;
} reader;

/* A line, without spaces at its ends. */
typedef struct line {
    const char *begin, *end;
    const char *name_end; /* the name is what comes before */
    bool is_certain;      /* a tab ends it */
} line;

/* A guess at the meaning of a line whose fields are separated in another way. */
static const char *hint(const line *l) {
    for (const char *c = l->begin; c < l->end; c++)
        if (*c == ',' || *c == ';' || *c == '"')
            return "; expected the name, a blank or tab, and numbers with a point, without quotes "
                   "and commas";
    return "";
}

static an_status read_number(const reader *r, const line *l, const char *field, int64_t size,
                             double *value, an_error *err) {
    char text[SHOWN + 4];
    bool overflow = false;
    const char *behind = field;
    const bool found = ani_parse_double(field, &behind, value, &overflow);
    if (overflow || (found && behind == field + size && fabs(*value) > FLT_MAX))
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s', line %lld: '%s' is too large: the limit is 3.4e38", r->file,
                        (long long)r->line, shown(text, field, size));
    if (found && behind == field + size) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: '%s' is not a finite number%s", r->file,
                    (long long)r->line, shown(text, field, size), hint(l));
}

static an_status refuse_count(const reader *r, const line *l, int64_t numbers, an_error *err) {
    char text[SHOWN + 4];
    return ani_fail(
        err, AN_ERR_FORMAT, "'%s', line %lld: %lld numbers after the name '%s', expected %d%s",
        r->file, (long long)r->line, (long long)numbers,
        shown(text, l->begin, l->name_end - l->begin), (int)r->labels->form.outputs, hint(l));
}

/* Find where the name ends: at a tab, if the expected number of fields follows it; otherwise before
 * that many fields at the end. */
static an_status find_name(const reader *r, line *l, an_error *err) {
    const int32_t outputs = r->labels->form.outputs;
    const char *tab = memchr(l->begin, '\t', (size_t)(l->end - l->begin));
    if (tab && count_fields(tab, l->end) == outputs) {
        l->name_end = before_blanks(l->begin, tab);
        l->is_certain = true;
        return AN_OK;
    }
    const char *c = l->end;
    for (int32_t i = 0; i < outputs; i++) {
        c = last_field(l->begin, c);
        if (c > l->begin) continue;
        l->name_end = l->begin + field_size(l->begin, l->end);
        return refuse_count(r, l, i, err);
    }
    l->name_end = before_blanks(l->begin, c);
    return AN_OK;
}

/* A name not ended by a tab contains none, and its last field is not a number, which would be one
 * number too many: an image name has an extension. */
static an_status check_name(const reader *r, line *l, an_error *err) {
    const char *c = memchr(l->begin, '\t', (size_t)(l->name_end - l->begin));
    double value;
    while (c && (c = behind_blanks(c, l->name_end)) < l->name_end) {
        const int64_t size = field_size(c, l->name_end);
        const an_status st = read_number(r, l, c, size, &value, err);
        if (st) return st;
        c += size;
    }
    int64_t more = 0;
    for (;; more++) {
        const char *field = last_field(l->begin, l->name_end);
        const int64_t size = l->name_end - field;
        if (field == l->begin || read_number(r, l, field, size, &value, NULL)) break;
        l->name_end = before_blanks(l->begin, field);
    }
    return more ? refuse_count(r, l, r->labels->form.outputs + more, err) : AN_OK;
}

/* Read the numbers after the name. */
static an_status read_values(const reader *r, const line *l, double *values, an_error *err) {
    const char *c = l->name_end;
    for (int32_t i = 0; i < r->labels->form.outputs; i++) {
        c = behind_blanks(c, l->end);
        const int64_t size = field_size(c, l->end);
        const an_status st = read_number(r, l, c, size, &values[i], err);
        if (st) return st;
        c += size;
    }
    return AN_OK;
}

/* Find the name and the class after it: at the first tab, otherwise before the last field. */
static an_status find_class(const reader *r, line *l, const char **class, an_error *err) {
    char text[SHOWN + 4];
    const char *tab = memchr(l->begin, '\t', (size_t)(l->end - l->begin));
    *class = tab ? behind_blanks(tab, l->end) : last_field(l->begin, l->end);
    l->name_end = before_blanks(l->begin, tab ? tab : *class);
    if (l->name_end > l->begin) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: no class after the name '%s'", r->file,
                    (long long)r->line, shown(text, l->begin, l->end - l->begin));
}

static an_status refuse_control(const reader *r, char c, an_error *err) {
    return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: has a control character (byte %d)%s",
                    r->file, (long long)r->line, (int)c,
                    c ? "" : "; a file in UTF-16 needs a byte order mark, or save it as UTF-8");
}

/* Add one line, without its line end, to the labels. */
static an_status read_line(const reader *r, const char *begin, const char *end, an_error *err) {
    ani_labels *labels = r->labels;
    line l = {.begin = behind_blanks(begin, end)};
    l.end = before_blanks(l.begin, end);
    if (l.begin == l.end) return AN_OK;
    for (const char *c = l.begin; c < l.end; c++)
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
            return refuse_control(r, *c, err);
    const char *class = NULL;
    an_status st;
    if (labels->items) {
        st = find_class(r, &l, &class, err);
    } else {
        st = find_name(r, &l, err);
        if (!st)
            st = read_values(r, &l, labels->values + labels->count * labels->form.outputs, err);
        if (!st && !l.is_certain) st = check_name(r, &l, err);
    }
    if (st) return st;
    const ani_label label = {.offset = (uint32_t)(l.begin - labels->bytes),
                             .size = (uint32_t)(l.name_end - l.begin),
                             .line = (uint32_t)r->line};
    return ani_labels_add(labels, r->file, &label, class, class ? l.end - class : 0, err);
}

/* --- the file -------------------------------------------------------------------------------- */

/* Upper bound on the labels in a file: its line ends, and a last line without one. */
static int64_t count_line_ends(const char *bytes, int64_t size) {
    int64_t ends = 1;
    for (int64_t i = 0; i < size; i++)
        ends += (bytes[i] == '\n') | (bytes[i] == '\r');
    return ends;
}

static an_status allocate(ani_labels *labels, int64_t lines, an_error *err) {
    /* no overflow: at most 2^30 lines of 2^31 numbers of 2^3 bytes would be needed for one */
    const bool has_classes = labels->form.classes;
    const int64_t unit = has_classes ? (int64_t)sizeof *labels->items
                                     : labels->form.outputs * (int64_t)sizeof *labels->values;
    const bool has_weights = labels->form.weight_column;
    int64_t slots = 16;
    while (slots < 2 * lines)
        slots *= 2;
    labels->slot_mask = (uint64_t)slots - 1;
    labels->entries = ani_alloc(lines * (int64_t)sizeof *labels->entries);
    if (has_classes)
        labels->items = ani_alloc(lines * unit);
    else
        labels->values = ani_alloc(lines * unit);
    labels->slots = ani_alloc_zero(slots, sizeof *labels->slots);
    if (has_weights) labels->weights = ani_alloc(lines * (int64_t)sizeof *labels->weights);
    if (!labels->entries || !(labels->values || labels->items) || !labels->slots ||
        (has_weights && !labels->weights))
        return ani_fail_memory(err, lines * unit, "labels");
    return AN_OK;
}

/* Convert a UTF-16 file, which begins with a byte order mark, to UTF-8. */
static an_status convert(ani_labels *labels, const char *name, const uint8_t *bytes, int64_t *size,
                         an_error *err) {
    const int high = bytes[0] == 0xFF; /* index of the high byte */
    const int64_t room = *size / 2 * 3 + 1;
    char *to = ani_alloc(room);
    labels->bytes = labels->owned = to;
    if (!to) return ani_fail_memory(err, room, "labels");
    for (int64_t at = 2; at < *size;) {
        uint32_t code = 0, low = 0;
        const int64_t begin = at;
        if (*size - at >= 2) code = (uint32_t)bytes[at + high] << 8 | bytes[at + !high];
        const bool is_first = code >= 0xD800 && code < 0xDC00;
        if (is_first && *size - at >= 4)
            low = (uint32_t)bytes[at + 2 + high] << 8 | bytes[at + 2 + !high];
        const bool is_pair = is_first && low >= 0xDC00 && low < 0xE000;
        if (*size - at < 2 || (code >= 0xD800 && code < 0xE000 && !is_pair))
            return ani_fail(err, AN_ERR_FORMAT, "'%s' is UTF-16 with half a character at byte %lld",
                            name, (long long)begin);
        if (is_pair) code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        at += is_pair ? 4 : 2;
        to += ani_utf8_encode(to, code);
    }
    *to = 0;
    *size = to - labels->owned;
    return AN_OK;
}

an_status ani_labels_begin(ani_labels *labels, const char *name, const uint8_t *bytes,
                           int64_t *size, const ani_labels_form *form, an_error *err) {
    *labels = (ani_labels){.bytes = (const char *)bytes, .form = *form};
    if (*size > ANI_LABELS_MAX_BYTES)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' has %lld bytes; at most %lld are read", name,
                        (long long)*size, (long long)ANI_LABELS_MAX_BYTES);
    /* Without a random key (early in boot), the address in memory is used. */
    if (getrandom(&labels->key, sizeof labels->key, GRND_NONBLOCK) != (ssize_t)sizeof labels->key)
        labels->key = (uint64_t)(uintptr_t)bytes;
    an_status st = AN_OK;
    if (*size >= 2 && (!memcmp(bytes, "\xFF\xFE", 2) || !memcmp(bytes, "\xFE\xFF", 2)))
        st = convert(labels, name, bytes, size, err);
    return st ? st : allocate(labels, count_line_ends(labels->bytes, *size), err);
}

void ani_labels_skip(ani_labels *labels, const an_error *why) {
    if (!labels->skipped) labels->first_skipped = *why;
    labels->skipped++;
}

an_status ani_labels_end(const ani_labels *labels, const char *name, an_error *err) {
    if (labels->count) return AN_OK;
    if (labels->skipped)
        return ani_fail(err, AN_ERR_FORMAT, "no label is left: %s", labels->first_skipped.message);
    return ani_fail(err, AN_ERR_FORMAT, "'%s' contains no labels", name);
}

an_status ani_labels_read(ani_labels *out, const char *name, const uint8_t *bytes, int64_t size,
                          const ani_labels_form *form, an_error *err) {
    ani_labels labels = {0};
    *out = (ani_labels){0};
    an_status st = ani_labels_begin(&labels, name, bytes, &size, form, err);
    if (st) goto done;
    reader r = {.labels = &labels, .file = name, .line = 1};
    const char *c = labels.bytes, *end = labels.bytes + size;
    if (size >= 3 && !memcmp(c, "\xEF\xBB\xBF", 3)) c += 3;
    for (; c < end; r.line++) {
        const char *begin = c;
        while (c < end && *c != '\n' && *c != '\r')
            c++;
        an_error why;
        const an_status bad = read_line(&r, begin, c, &why);
        if (bad && (form->policy != AN_POLICY_SKIP || bad == AN_ERR_NOMEM)) {
            st = ani_fail(err, bad, "%s", why.message);
            goto done;
        }
        if (bad) ani_labels_skip(&labels, &why);
        if (end - c >= 2 && c[0] == '\r' && c[1] == '\n') c++;
        c++;
    }
    st = ani_labels_end(&labels, name, err);
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
    ani_free(labels->items);
    ani_free(labels->weights);
    ani_free(labels->slots);
    ani_free(labels->owned);
    *labels = (ani_labels){0};
}
