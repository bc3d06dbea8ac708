/* SPDX-License-Identifier: MIT
 * Names that differ only in spelling are found by a hash of the rest, names that differ in a letter
 * or two by their edit distance. Unicode tables are not needed: in every normal form, a name has
 * the same ASCII letters without a mark and the same number of characters. */
#include "dataset/nearest.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

enum {
    NAME_MAX_BYTES = 256, /* longer ones are never near */
    SAME_HASH_MAX = 64,   /* names with the same hash that are compared */
    SIMILAR_MAX = 1000,   /* names compared letter by letter */
    SIMILAR_SIZE = 64,    /* bytes of them */
    DISTANCE_MAX = 2
};

/* A name reduced to what identifies the image. */
typedef struct core {
    char bytes[NAME_MAX_BYTES]; /* without path, quotes and extension, in lower case */
    int64_t size;
    char plain[NAME_MAX_BYTES]; /* of these, the ASCII letters without a mark */
    int64_t plain_size;
    int64_t characters; /* marks and parts of syllables not counted */
    bool is_ascii;
    bool has_marks;
} core;

static bool is_wrapping(char c) {
    return c == ' ' || c == '\t' || c == '"' || c == '\'' || c == ',' || c == ';';
}

static void unwrap(const char **text, int64_t *size) {
    while (*size > 0 && is_wrapping(**text)) {
        (*text)++;
        (*size)--;
    }
    while (*size > 0 && is_wrapping((*text)[*size - 1]))
        (*size)--;
}

static void remove_path(const char **text, int64_t *size) {
    for (int64_t i = *size; i > 0; i--)
        if ((*text)[i - 1] == '/' || (*text)[i - 1] == '\\') {
            *text += i;
            *size -= i;
            return;
        }
}

/* Bytes of a lower-case name before the extension of any image format. */
static int64_t before_ending(const char *bytes, int64_t size) {
    static const char *const endings[] = {".jpg",  ".jpeg", ".jpe",  ".jfif", ".png",
                                          ".webp", ".heic", ".heif", ".avif", ".gif",
                                          ".bmp",  ".tif",  ".tiff"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const int64_t span = (int64_t)strlen(endings[i]);
        if (size > span && !memcmp(bytes + size - span, endings[i], (size_t)span))
            return size - span;
    }
    return size;
}

/* The next UTF-8 character; an invalid byte counts as one. */
static uint32_t next_character(const core *c, int64_t *at) {
    const uint8_t lead = (uint8_t)c->bytes[(*at)++];
    const int more = lead < 0xC2 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : lead < 0xF5 ? 3 : 0;
    if (*at + more > c->size) return lead;
    uint32_t code = more ? lead & (0x3Fu >> more) : lead;
    for (int i = 0; i < more; i++)
        code = code << 6 | ((uint8_t)c->bytes[*at + i] & 0x3Fu);
    *at += more;
    return code;
}

/* Accents, kana marks, and the second and third parts of Hangul syllables. */
static bool is_mark(uint32_t code) {
    return (code >= 0x0300 && code <= 0x036F) || code == 0x3099 || code == 0x309A ||
           (code >= 0x1160 && code <= 0x11FF);
}

/* False if there is nothing to compare, or too much. */
static bool reduce(core *c, const char *text, int64_t size) {
    unwrap(&text, &size);
    remove_path(&text, &size);
    unwrap(&text, &size);
    if (size == 0 || size > NAME_MAX_BYTES) return false;
    for (int64_t i = 0; i < size; i++)
        c->bytes[i] = ani_lower(text[i]);
    c->size = before_ending(c->bytes, size);
    c->plain_size = c->characters = 0;
    c->is_ascii = true;
    c->has_marks = false;
    bool was_ascii = false;
    for (int64_t at = 0; at < c->size;) {
        const uint32_t code = next_character(c, &at);
        if (code < 0x80) {
            c->plain[c->plain_size++] = (char)code;
        } else if (is_mark(code)) {
            if (was_ascii) c->plain_size--;
            c->has_marks = true;
        }
        was_ascii = code < 0x80;
        c->is_ascii = c->is_ascii && was_ascii;
        c->characters += !is_mark(code);
    }
    return true;
}

static uint64_t hash(const char *bytes, int64_t size, uint64_t kind) {
    uint64_t h = 0xcbf29ce484222325u ^ kind;
    for (int64_t i = 0; i < size; i++)
        h = (h ^ (uint8_t)bytes[i]) * 0x100000001b3u;
    return h;
}

static uint64_t hash_whole(const core *c) {
    return hash(c->bytes, c->size, 0);
}

static uint64_t hash_plain(const core *c) {
    return hash(c->plain, c->plain_size, 1);
}

static int compare_keys(const void *a, const void *b) {
    const ani_nearest_key *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

static void add(ani_nearest *nearest, const char *name, bool is_image) {
    core c;
    if (!reduce(&c, name, (int64_t)strlen(name))) return;
    nearest->keys[nearest->count++] = (ani_nearest_key){hash_whole(&c), name, is_image};
    if (!c.is_ascii)
        nearest->keys[nearest->count++] = (ani_nearest_key){hash_plain(&c), name, is_image};
}

an_status ani_nearest_open(ani_nearest *out, const ani_source_file *images, int64_t image_count,
                           const ani_source_list *others, an_error *err) {
    ani_nearest nearest = {.images = images, .image_count = image_count};
    *out = (ani_nearest){0};
    const int64_t most = 2 * (image_count + others->count);
    nearest.keys = ani_alloc_zero(most, sizeof *nearest.keys);
    if (!nearest.keys)
        return ani_fail_memory(err, most * (int64_t)sizeof *nearest.keys, "names of files");
    for (int64_t i = 0; i < image_count; i++)
        add(&nearest, images[i].name, true);
    for (int64_t i = 0; i < others->count; i++)
        add(&nearest, others->files[i].name, false);
    if (nearest.count)
        qsort(nearest.keys, (size_t)nearest.count, sizeof *nearest.keys, compare_keys);
    *out = nearest;
    return AN_OK;
}

void ani_nearest_clear(ani_nearest *nearest) {
    ani_free(nearest->keys);
    *nearest = (ani_nearest){0};
}

/* --- the same name, written otherwise -------------------------------------------------------- */

static bool is_same(const core *a, const core *b) {
    if (a->size == b->size && !memcmp(a->bytes, b->bytes, (size_t)a->size)) return true;
    return (a->has_marks || b->has_marks) && a->characters == b->characters &&
           a->plain_size == b->plain_size && !memcmp(a->plain, b->plain, (size_t)a->plain_size);
}

static const ani_nearest_key *look_up(const ani_nearest *nearest, const core *label,
                                      uint64_t wanted) {
    int64_t low = 0, high = nearest->count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (nearest->keys[middle].hash < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    for (int64_t i = low; i < nearest->count && i < low + SAME_HASH_MAX; i++) {
        const ani_nearest_key *key = &nearest->keys[i];
        core c;
        if (key->hash != wanted) break;
        if (reduce(&c, key->name, (int64_t)strlen(key->name)) && is_same(label, &c)) return key;
    }
    return NULL;
}

static bool is_name(const char *name, const char *text, int64_t size) {
    return (int64_t)strlen(name) == size && !memcmp(name, text, (size_t)size);
}

/* How a label differs from the file's name. */
static const char *tell(const char *label, int64_t size, const core *reduced,
                        const ani_nearest_key *key) {
    const char *name = key->name;
    if (is_name(name, label, size))
        return key->is_image ? "the folders differ" : "files with this ending are not read";
    remove_path(&label, &size);
    if (is_name(name, label, size)) return "the label has a path";
    unwrap(&label, &size);
    if (is_name(name, label, size)) return "the label has quotes or a comma";
    core c;
    reduce(&c, name, (int64_t)strlen(name));
    if (c.size != reduced->size || memcmp(c.bytes, reduced->bytes, (size_t)c.size) != 0)
        return "another Unicode normal form: NFC, NFD";
    if ((int64_t)strlen(name) != size) return "the endings differ";
    for (int64_t i = 0; i < size; i++)
        if (ani_lower(name[i]) != ani_lower(label[i])) return "the endings differ";
    return "upper and lower case differ";
}

ani_near ani_nearest_same(const ani_nearest *nearest, const char *label, int64_t size) {
    core c;
    if (!reduce(&c, label, size)) return (ani_near){0};
    const ani_nearest_key *key = look_up(nearest, &c, hash_whole(&c));
    if (!key) key = look_up(nearest, &c, hash_plain(&c));
    if (!key) return (ani_near){0};
    return (ani_near){key->name, tell(label, size, &c, key), key->is_image};
}

/* --- similar names --------------------------------------------------------------------------- */

/* The Levenshtein distance of two short texts. */
static int64_t distance(const char *a, int64_t a_size, const char *b, int64_t b_size) {
    int64_t row[SIMILAR_SIZE + 1];
    for (int64_t k = 0; k <= b_size; k++)
        row[k] = k;
    for (int64_t i = 1; i <= a_size; i++) {
        int64_t corner = row[0];
        row[0] = i;
        for (int64_t k = 1; k <= b_size; k++) {
            const int64_t change = corner + (a[i - 1] != b[k - 1]);
            const int64_t shift = 1 + (row[k] < row[k - 1] ? row[k] : row[k - 1]);
            corner = row[k];
            row[k] = change < shift ? change : shift;
        }
    }
    return row[b_size];
}

ani_near ani_nearest_find(const ani_nearest *nearest, const char *label, int64_t size) {
    ani_near found = ani_nearest_same(nearest, label, size);
    core wanted, c;
    if (found.name || !reduce(&wanted, label, size) || wanted.size > SIMILAR_SIZE) return found;
    int64_t least = wanted.size / 3 < DISTANCE_MAX ? wanted.size / 3 : DISTANCE_MAX;
    for (int64_t i = 0; i < nearest->image_count && i < SIMILAR_MAX && least > 0; i++) {
        const char *name = nearest->images[i].name;
        if (!reduce(&c, name, (int64_t)strlen(name)) || c.size > SIMILAR_SIZE) continue;
        const int64_t away = distance(wanted.bytes, wanted.size, c.bytes, c.size);
        if (away > least || (found.name && away == least)) continue;
        found = (ani_near){name, "the nearest name", true};
        least = away;
    }
    return found;
}
