/* SPDX-License-Identifier: MIT
 * Encodings of names that are not UTF-8: CP437 by a table, others by iconv(3). */
#include "io/encoding.h"

#include <errno.h>
#include <string.h>

#include "base/show.h"

enum { CHUNK = 256 };

/* CP437 from 0x80 on; below that it is ASCII. */
static const uint16_t cp437[128] = {
    0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef,
    0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9,
    0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa,
    0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
    0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557,
    0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
    0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559,
    0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
    0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4,
    0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
    0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
};

an_status ani_encoding_open(ani_encoding *out, const char *name, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    *out = (ani_encoding){0};
    if (!name) return AN_OK;
    const iconv_t none = (iconv_t)-1;
    const bool is_name = *name && !strchr(name, '/');
    const iconv_t decoder = is_name ? iconv_open("UTF-8", name) : none;
    const iconv_t encoder = is_name ? iconv_open(name, "UTF-8") : none;
    if (decoder != none && encoder != none) {
        *out = (ani_encoding){.decoder = decoder, .encoder = encoder, .is_open = true};
        return AN_OK;
    }
    if (decoder != none) iconv_close(decoder);
    if (encoder != none) iconv_close(encoder);
    return ani_fail(err, AN_ERR_ARG,
                    "names_encoding is '%s', which iconv does not know; examples are GBK, "
                    "BIG5, CP932, CP1252",
                    ani_name_show(shown, name));
}

void ani_encoding_close(ani_encoding *encoding) {
    if (encoding->is_open) {
        iconv_close(encoding->decoder);
        iconv_close(encoding->encoder);
    }
    *encoding = (ani_encoding){0};
}

static bool convert(iconv_t converter, ani_text *out, const char *bytes, int64_t size) {
    char chunk[CHUNK];
    char *from = (char *)(uintptr_t)bytes; /* iconv only reads it, whatever the type says */
    size_t left = (size_t)size;
    iconv(converter, NULL, NULL, NULL, NULL);
    for (bool is_last = false; !is_last;) {
        char *to = chunk;
        size_t room = sizeof chunk;
        is_last = left == 0; /* what a stateful encoding needs at the end */
        const size_t result = is_last ? iconv(converter, NULL, NULL, &to, &room)
                                      : iconv(converter, &from, &left, &to, &room);
        if (result != 0 && (result != (size_t)-1 || errno != E2BIG)) return false;
        ani_text_add(out, chunk, to - chunk);
    }
    return true;
}

static bool decode_cp437(ani_text *out, const char *bytes, int64_t size) {
    char character[4];
    for (int64_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        ani_text_add(out, character,
                     ani_utf8_encode(character, byte < 0x80 ? byte : cp437[byte - 0x80]));
    }
    return true;
}

static bool encode_cp437(ani_text *out, const char *text, int64_t size) {
    if (!ani_is_utf8(text, size)) return false;
    for (int64_t i = 0; i < size;) {
        const unsigned char *s = (const unsigned char *)text + i;
        unsigned c = s[0], place = 0;
        if (c >= 0xF0) return false;
        i += c < 0x80 ? 1 : c < 0xE0 ? 2 : 3;
        if (c >= 0xE0)
            c = (c & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
        else if (c >= 0x80)
            c = (c & 0x1Fu) << 6 | (s[1] & 0x3Fu);
        while (c >= 0x80 && place < 128 && cp437[place] != c)
            place++;
        if (place == 128) return false;
        ani_text_add(out, &(char){(char)(c < 0x80 ? c : 0x80 + place)}, 1);
    }
    return true;
}

/* Keep what was appended, or undo it. */
static bool end(ani_text *out, int64_t begin, bool is_whole) {
    if (is_whole && !out->failed) return true;
    out->size = begin;
    if (out->bytes) out->bytes[begin] = '\0';
    return false;
}

bool ani_encoding_decode(const ani_encoding *encoding, ani_text *out, const char *bytes,
                         int64_t size) {
    const int64_t begin = out->size;
    return end(out, begin,
               encoding->is_open ? convert(encoding->decoder, out, bytes, size)
                                 : decode_cp437(out, bytes, size));
}

bool ani_encoding_encode(const ani_encoding *encoding, ani_text *out, const char *text,
                         int64_t size) {
    const int64_t begin = out->size;
    return end(out, begin,
               encoding->is_open ? convert(encoding->encoder, out, text, size)
                                 : encode_cp437(out, text, size));
}
