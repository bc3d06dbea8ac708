/* SPDX-License-Identifier: MIT
 * Source: protobuf.dev, "Encoding": a tag, field number * 8 + wire type, then a base-128 number or
 * a size and that many bytes. */
#include "io/protobuf.h"

#include <string.h>

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
    add_tag(to, field, ANI_PROTO_NUMBER);
    add_varint(to, (uint64_t)value);
}

void ani_proto_begin(ani_text *to, int32_t field, int64_t size) {
    add_tag(to, field, ANI_PROTO_BYTES);
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

int64_t ani_proto_size(const ani_proto_cursor *cursor) {
    return cursor->end - cursor->at;
}

static int32_t next_varint(ani_proto_cursor *cursor, uint64_t *value) {
    *value = 0;
    for (int32_t shift = 0; shift < 70 && cursor->at < cursor->end; shift += 7) {
        const uint64_t byte = *cursor->at++;
        if (shift == 63 && byte > 1) return -1;
        *value |= (byte & 127) << shift;
        if (byte < 128) return 1;
    }
    return -1;
}

/* Little-endian, as every machine that this library runs on. */
static int32_t next_fixed(ani_proto_cursor *cursor, int64_t size, uint64_t *value) {
    *value = 0;
    if (ani_proto_size(cursor) < size) return -1;
    memcpy(value, cursor->at, (size_t)size);
    cursor->at += size;
    return 1;
}

int32_t ani_proto_next_number(ani_proto_cursor *packed, int32_t wire, uint64_t *value) {
    if (packed->at == packed->end) return 0;
    if (wire == ANI_PROTO_NUMBER) return next_varint(packed, value);
    return next_fixed(packed, wire == ANI_PROTO_FIXED32 ? 4 : 8, value);
}

int32_t ani_proto_next(ani_proto_cursor *message, ani_proto_field *field) {
    enum { MAX_FIELD = (1 << 29) - 1 };
    uint64_t tag;
    if (message->at == message->end) return 0;
    *field = (ani_proto_field){0};
    if (next_varint(message, &tag) < 0 || !(tag >> 3) || tag >> 3 > MAX_FIELD) return -1;
    field->number = (int32_t)(tag >> 3);
    field->wire = (int32_t)(tag & 7);
    switch (field->wire) {
    case ANI_PROTO_NUMBER:
        return next_varint(message, &field->value);
    case ANI_PROTO_FIXED64:
    case ANI_PROTO_FIXED32:
        return next_fixed(message, field->wire == ANI_PROTO_FIXED32 ? 4 : 8, &field->value);
    case ANI_PROTO_BYTES:
        if (next_varint(message, &field->value) < 0) return -1;
        if (field->value > (uint64_t)ani_proto_size(message)) return -1;
        field->bytes = (ani_proto_cursor){message->at, message->at + field->value};
        message->at = field->bytes.end;
        return 1;
    default: /* groups, which nobody writes any more, and what does not exist */
        return -1;
    }
}
