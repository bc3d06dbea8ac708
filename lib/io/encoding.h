/* SPDX-License-Identifier: MIT
 * Encodings of names that are not UTF-8, as in archives made by older tools and in label files from
 * the same machines. */
#ifndef IO_ENCODING_H
#define IO_ENCODING_H

#include <stdbool.h>
#include <stdint.h>

#include <iconv.h>

#include "base/error.h"
#include "base/text.h"

/** An encoding; {0} is CP437, the DOS encoding, which is the default in zip archives. Threads: one
 * call at a time on one encoding, since iconv keeps a state. */
typedef struct ani_encoding {
    iconv_t decoder, encoder;
    bool is_open; /* both must be closed */
} ani_encoding;

/**
 * Open an encoding by its iconv(3) name.
 *
 * Takes:   name: NULL = CP437, which always works.
 * Returns: AN_OK; AN_ERR_ARG (unknown name; an empty one, or one with '/', which iconv gives other
 *          meanings).
 */
an_status ani_encoding_open(ani_encoding *out, const char *name, an_error *err);
void ani_encoding_close(ani_encoding *encoding); /* of {0} too */

/** Append bytes of the encoding to out, as UTF-8. Returns false, with nothing appended, if they are
 * not valid in it or if memory ran out (out->failed). */
bool ani_encoding_decode(const ani_encoding *encoding, ani_text *out, const char *bytes,
                         int64_t size);
/** Append UTF-8 to out, as bytes of the encoding. Returns false if the encoding lacks a character,
 * or if memory ran out, as above. */
bool ani_encoding_encode(const ani_encoding *encoding, ani_text *out, const char *text,
                         int64_t size);

#endif
