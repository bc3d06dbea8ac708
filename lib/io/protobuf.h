/* SPDX-License-Identifier: MIT
 * Protocol buffers, written and read field by field. A message within a message is written to a
 * buffer of its own first, since its size precedes it. Reading borrows: nothing is allocated or
 * copied, so what a file claims to contain costs nothing. */
#ifndef IO_PROTOBUF_H
#define IO_PROTOBUF_H

#include <stdint.h>

#include "base/text.h"

/* --- writing: just the four kinds of values that ONNX files need ------------------------------ */

/* Each appends one field; field: its number in the message's definition. */

void ani_proto_number(ani_text *to, int32_t field, int64_t value); /* int32, int64, enum */
void ani_proto_bytes(ani_text *to, int32_t field, const void *bytes, int64_t size);
void ani_proto_string(ani_text *to, int32_t field, const char *string);
/** Append a message, and clear it: {0} again. If it failed, to fails, too. */
void ani_proto_message(ani_text *to, int32_t field, ani_text *message);
/** Append what precedes size bytes of a string, bytes or message that the caller writes itself. */
void ani_proto_begin(ani_text *to, int32_t field, int64_t size);

/* --- reading ---------------------------------------------------------------------------------- */

/** Bytes that are read from front to back; borrowed. */
typedef struct ani_proto_cursor {
    const uint8_t *at, *end;
} ani_proto_cursor;

/** How a field's value is written. */
enum {
    ANI_PROTO_NUMBER = 0, /* base 128: int32, int64, enum, bool */
    ANI_PROTO_FIXED64 = 1,
    ANI_PROTO_BYTES = 2, /* a string, bytes, a message, or packed numbers */
    ANI_PROTO_FIXED32 = 5
};

typedef struct ani_proto_field {
    int32_t number, wire; /* wire: ANI_PROTO_* */
    uint64_t value;       /* unless BYTES; of a fixed one: its bits */
    ani_proto_cursor bytes;
} ani_proto_field;

/** Read the next field: 1; at the end of the message: 0; -1: this is no message (cut off, a number
 * of more than 64 bits, a size beyond the end, a group). The cursor is then undefined. */
int32_t ani_proto_next(ani_proto_cursor *message, ani_proto_field *field);
/** The same for one number of packed ones; wire: NUMBER, FIXED32 or FIXED64. */
int32_t ani_proto_next_number(ani_proto_cursor *packed, int32_t wire, uint64_t *value);
/** The number of bytes that are left. */
int64_t ani_proto_size(const ani_proto_cursor *cursor);

#endif
