/* SPDX-License-Identifier: MIT
 * Protocol buffers, written field by field: just the four kinds of values that ONNX files need. A
 * message within a message is written to a buffer of its own first, since its size precedes it. */
#ifndef IO_PROTOBUF_H
#define IO_PROTOBUF_H

#include <stdint.h>

#include "base/text.h"

/* Each appends one field; field: its number in the message's definition. */

void ani_proto_number(ani_text *to, int32_t field, int64_t value); /* int32, int64, enum */
void ani_proto_bytes(ani_text *to, int32_t field, const void *bytes, int64_t size);
void ani_proto_string(ani_text *to, int32_t field, const char *string);
/** Append a message, and clear it: {0} again. If it failed, to fails, too. */
void ani_proto_message(ani_text *to, int32_t field, ani_text *message);
/** Append what precedes size bytes of a string, bytes or message that the caller writes itself. */
void ani_proto_begin(ani_text *to, int32_t field, int64_t size);

#endif
