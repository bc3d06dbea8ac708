/* SPDX-License-Identifier: MIT
 * A scanner for the few tags and words that distinguish such pages. */
#include "io/page.h"

#include <stdlib.h>
#include <string.h>

/* --- bytes ------------------------------------------------------------------------------------ */

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Case-insensitive for ASCII, in every locale. */
static bool begins_with(const char *text, const char *word) {
    for (; *word; text++, word++)
        if (ani_lower(*text) != *word) return false;
    return true;
}

static const char *find_word(const char *text, const char *word) {
    for (; *text; text++)
        if (begins_with(text, word)) return text;
    return NULL;
}

bool ani_page_is_html(const void *bytes, int64_t size) {
    static const char *const beginnings[] = {"<!doctype html", "<html", "<head", "<body", "<!--"};
    char start[32] = {0};
    const char *text = bytes;
    int64_t skip = size >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (skip < size && is_space(text[skip]))
        skip++;
    const int64_t length = size - skip < 31 ? size - skip : 31;
    if (length > 0) memcpy(start, text + skip, (size_t)length);
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (begins_with(start, beginnings[i])) return true;
    return false;
}

/* --- tags ------------------------------------------------------------------------------------- */

/* A tag, or one of its attributes, as positions in the page. */
typedef struct span {
    const char *begin;
    int64_t size;
} span;

/* Move *place past the next tag; inside is its content, "form id=x action=...". A tag that does not
 * end soon (an unclosed quote) ends at its first '>'. */
static bool next_tag(const char **place, span *inside) {
    enum { LONGEST = 4096 };
    const char *begin = strchr(*place, '<');
    if (!begin) return false;
    const char *end = ++begin;
    char quote = 0;
    for (; *end && end - begin < LONGEST && (quote || *end != '>'); end++) {
        if (quote ? *end == quote : (*end == '"' || *end == '\'')) quote = quote ? 0 : *end;
    }
    if (quote || end - begin == LONGEST) {
        const char *const longest = end;
        for (end = begin; end < longest && *end != '>';)
            end++;
    }
    *inside = (span){begin, end - begin};
    *place = *end == '>' ? end + 1 : end;
    return true;
}

static bool is_tag(span tag, const char *name) {
    const int64_t length = (int64_t)strlen(name);
    return tag.size >= length && begins_with(tag.begin, name) &&
           (tag.size == length || is_space(tag.begin[length]) || tag.begin[length] == '/');
}

/* Find an attribute's value; false if the tag does not have it. */
static bool find_attribute(span tag, const char *name, span *value) {
    const char *s = tag.begin, *const end = tag.begin + tag.size;
    while (s < end && !is_space(*s))
        s++;
    while (s < end) {
        while (s < end && (is_space(*s) || *s == '/'))
            s++;
        const char *const key = s;
        while (s < end && !is_space(*s) && *s != '=' && *s != '/')
            s++;
        const int64_t key_size = s - key;
        while (s < end && is_space(*s))
            s++;
        *value = (span){s, 0};
        if (s < end && *s == '=') {
            s++;
            while (s < end && is_space(*s))
                s++;
            const char quote = s < end && (*s == '"' || *s == '\'') ? *s++ : 0;
            value->begin = s;
            while (s < end && (quote ? *s != quote : !is_space(*s)))
                s++;
            value->size = s - value->begin;
            if (quote && s < end) s++;
        } else if (key_size == 0) {
            return false; /* only white space was left */
        }
        if (key_size == (int64_t)strlen(name) && begins_with(key, name)) return true;
    }
    return false;
}

static bool is_value(span value, const char *word) {
    return value.size == (int64_t)strlen(word) && begins_with(value.begin, word);
}

/* Add a value with its character references decoded; only ASCII ones can occur in a URL. */
static void add_decoded(ani_text *text, span value) {
    static const struct {
        const char *name;
        char character;
    } references[] = {
        {"&amp;", '&'}, {"&quot;", '"'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&apos;", '\''}};
    const char *s = value.begin, *const end = value.begin + value.size;
    while (s < end) {
        char character = *s;
        int64_t used = 1;
        if (*s == '&' && end - s > 3 && s[1] == '#') {
            const bool is_hex = s[2] == 'x' || s[2] == 'X';
            char *behind;
            const long code = strtol(s + (is_hex ? 3 : 2), &behind, is_hex ? 16 : 10);
            if (code > 0 && code < 128 && behind < end && *behind == ';') {
                character = (char)code;
                used = behind + 1 - s;
            }
        } else if (*s == '&') {
            for (size_t i = 0; i < sizeof references / sizeof references[0]; i++) {
                const int64_t length = (int64_t)strlen(references[i].name);
                if (end - s < length || memcmp(s, references[i].name, (size_t)length) != 0)
                    continue;
                character = references[i].character;
                used = length;
            }
        }
        ani_text_add(text, &character, 1);
        s += used;
    }
}

/* Add a value as part of a query: decoded, then percent-encoded. */
static void add_encoded(ani_text *text, span value) {
    ani_text decoded = {0};
    add_decoded(&decoded, value);
    for (int64_t i = 0; i < decoded.size; i++) {
        const char c = decoded.bytes[i];
        if (is_alphanumeric(c) || strchr("-_.~", c))
            ani_text_add(text, &c, 1);
        else
            ani_text_print(text, "%%%02X", (unsigned)(uint8_t)c);
    }
    if (decoded.failed) text->failed = true;
    ani_text_clear(&decoded);
}

/* --- what a page says ------------------------------------------------------------------------- */

void ani_page_title(char title[ANI_PAGE_TITLE_SIZE], const char *page) {
    span tag;
    int64_t size = 0;
    title[0] = '\0';
    while (next_tag(&page, &tag)) {
        if (!is_tag(tag, "title")) continue;
        for (; *page && *page != '<' && size < ANI_PAGE_TITLE_SIZE - 1; page++) {
            const bool is_blank = is_space(*page) || (uint8_t)*page < 0x20 || *page == 0x7f;
            if (is_blank && (size == 0 || title[size - 1] == ' ')) continue;
            title[size++] = is_blank ? ' ' : *page;
        }
        while (size > 0 && (title[size - 1] == ' ' || !ani_is_utf8(title, size)))
            size--;
        title[size] = '\0';
        return;
    }
}

/* --- what any body says ----------------------------------------------------------------------- */

/* The start of the text, after a byte order mark and white space. */
static int64_t text_begin(const char *text, int64_t size) {
    int64_t at = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (at < size && is_space(text[at]))
        at++;
    return at;
}

const char *ani_page_kind_of(const void *bytes, int64_t size) {
    const char *text = bytes;
    for (int64_t i = 0; i < size; i++)
        if (((uint8_t)text[i] < 0x20 && !is_space(text[i])) || text[i] == 0x7f) return NULL;
    const int64_t at = text_begin(text, size);
    if (at < size && (text[at] == '{' || text[at] == '[')) return "JSON";
    if (at < size && text[at] == '<') return "XML";
    return "text";
}

/* The line being written. */
typedef struct excerpt_line {
    char *bytes;
    int64_t size;
    bool is_cut;
} excerpt_line;

/* Add the UTF-8 character at text, of at most size bytes; returns the bytes it takes. */
static int64_t add_character(excerpt_line *line, const char *text, int64_t size) {
    const uint8_t lead = (uint8_t)*text;
    int64_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const char *shown = text;
    if (lead < 0x20 || lead == 0x7f || lead == ' ') {
        if (line->size == 0 || line->bytes[line->size - 1] == ' ') return 1;
        shown = " ";
    } else if (length > size || !ani_is_utf8(text, length)) {
        length = 1;
        shown = "?";
    }
    if (line->size + length >= ANI_PAGE_EXCERPT_SIZE) {
        line->is_cut = true;
        return length;
    }
    memcpy(line->bytes + line->size, shown, (size_t)length);
    line->size += length;
    return length;
}

/* Write the text outside tags, scripts and styles; with_tags: everything. */
static void write_excerpt(excerpt_line *line, const char *text, int64_t size, bool with_tags) {
    const char *skipped = NULL; /* the tag that ends the invisible content */
    for (int64_t i = text_begin(text, size); i < size && !line->is_cut;) {
        if (text[i] == '<' && !with_tags) {
            char name[16] = {0};
            for (int64_t k = 0; k < 15 && i + 1 + k < size; k++)
                name[k] = text[i + 1 + k];
            if (skipped && begins_with(name, skipped))
                skipped = NULL;
            else if (!skipped)
                skipped = begins_with(name, "script")  ? "/script"
                          : begins_with(name, "style") ? "/style"
                                                       : NULL;
            while (i < size && text[i] != '>')
                i++;
            i++;
            add_character(line, " ", 1);
        } else if (skipped) {
            i++;
        } else {
            i += add_character(line, text + i, size - i);
        }
    }
}

void ani_page_excerpt(char excerpt[ANI_PAGE_EXCERPT_SIZE], const void *bytes, int64_t size) {
    const char *text = bytes;
    const int64_t begin = text_begin(text, size);
    const bool has_tags = begin < size && text[begin] == '<';
    excerpt_line line = {.bytes = excerpt};
    write_excerpt(&line, text, size, !has_tags);
    if (has_tags && line.size == 0) write_excerpt(&line, text, size, true);
    while (line.size > 0 && excerpt[line.size - 1] == ' ')
        line.size--;
    while (line.is_cut &&
           (line.size > ANI_PAGE_EXCERPT_SIZE - 4 || !ani_is_utf8(excerpt, line.size)))
        line.size--;
    if (line.is_cut) {
        memcpy(excerpt + line.size, "...", 3);
        line.size += 3;
    }
    excerpt[line.size] = '\0';
}

/* --- which page it is ------------------------------------------------------------------------- */

static bool has_password_field(const char *page) {
    span tag, type;
    while (next_tag(&page, &tag))
        if (is_tag(tag, "input") && find_attribute(tag, "type", &type) &&
            is_value(type, "password"))
            return true;
    return false;
}

ani_page_kind ani_page_classify(const char *page) {
    char title[ANI_PAGE_TITLE_SIZE];
    ani_page_title(title, page);
    if (find_word(title, "quota exceeded") ||
        find_word(page, "too many users have viewed or downloaded") ||
        find_word(page, "download quota for this file"))
        return ANI_PAGE_QUOTA;
    if (find_word(title, "virus scan warning") || find_word(page, "scan this file for viruses"))
        return ANI_PAGE_VIRUS_SCAN;
    if (find_word(title, "sign in") || find_word(title, "sign-in") || find_word(title, "log in") ||
        find_word(title, "login") || has_password_field(page))
        return ANI_PAGE_LOGIN;
    return ANI_PAGE_OTHER;
}

/* The form's action and its hidden fields as one URL; place is just after the form's tag. */
static bool read_form(ani_text *link, span form, const char *place) {
    span tag, action, type, name, value;
    if (!find_attribute(form, "action", &action)) return false;
    add_decoded(link, action);
    bool has_query = link->bytes && strchr(link->bytes, '?');
    while (next_tag(&place, &tag) && !is_tag(tag, "/form")) {
        if (!is_tag(tag, "input") || !find_attribute(tag, "name", &name)) continue;
        if (!find_attribute(tag, "type", &type) || !is_value(type, "hidden")) continue;
        if (!find_attribute(tag, "value", &value)) value.size = 0;
        ani_text_add(link, has_query ? "&" : "?", 1);
        has_query = true;
        add_encoded(link, name);
        ani_text_add(link, "=", 1);
        add_encoded(link, value);
    }
    return true;
}

bool ani_page_confirm_link(ani_text *link, const char *page) {
    span tag, id, target;
    while (next_tag(&page, &tag)) {
        if (!find_attribute(tag, "id", &id)) continue;
        if (is_tag(tag, "form") && (is_value(id, "download-form") || is_value(id, "downloadform")))
            return read_form(link, tag, page);
        if (is_tag(tag, "a") && is_value(id, "uc-download-link") &&
            find_attribute(tag, "href", &target)) {
            add_decoded(link, target);
            return true;
        }
    }
    return false;
}
