/* SPDX-License-Identifier: MIT
 * Source: protobuf.dev, "Encoding": a tag, field number * 8 + wire type, then a base-128 number or
 * a size and that many bytes. */
#include "io/protobuf.h"

#include <string.h>

enum { WIRE_NUMBER = 0, WIRE_BYTES = 2 };

static void add_varint(ani_text *to, uint64_t value) {
    char bytes[10];
    int64_t size = 0;
    for (; value > 127; value >>= 7)
        bytes[size++] = (char)(value | 128);
    bytes[size++] = (char)value;
    ani_text_add(to, bytes, size);
}

static void add_tag(ani_text *to, int32_t field, int32_t wire) {
    add_varint(to, (uint64_t)field << 3 | (uint64_t)wire);
}

void ani_proto_number(ani_text *to, int32_t field, int64_t value) {
    add_tag(to, field, WIRE_NUMBER);
    add_varint(to, (uint64_t)value);
}

void ani_proto_begin(ani_text *to, int32_t field, int64_t size) {
    add_tag(to, field, WIRE_BYTES);
    add_varint(to, (uint64_t)size);
}

void ani_proto_bytes(ani_text *to, int32_t field, const void *bytes, int64_t size) {
    ani_proto_begin(to, field, size);
    ani_text_add(to, bytes, size);
}

void ani_proto_string(ani_text *to, int32_t field, const char *string) {
    ani_proto_bytes(to, field, string, (int64_t)strlen(string));
}

void ani_proto_message(ani_text *to, int32_t field, ani_text *message) {
    to->failed |= message->failed;
    ani_proto_bytes(to, field, message->bytes ? message->bytes : "", message->size);
    ani_text_clear(message);
}
