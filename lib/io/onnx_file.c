/* SPDX-License-Identifier: MIT
 * Source: onnx.proto of ONNX 1.12 for the numbers of the fields.
 *
 * The work is bounded by the size of the file: the graph is walked a few times, a node once per
 * attribute that is asked for, and a tensor once to see its shape and once for its elements. A
 * tensor is refused whose message is much larger than its elements, so that reading one of few
 * elements again and again is cheap. */
#include "io/onnx_file.h"

#include <string.h>

#include "base/element.h"
#include "base/size.h"

/* Fields of the messages. */
enum { MODEL_IR_VERSION = 1, MODEL_GRAPH = 7, MODEL_OPSET = 8, MODEL_METADATA = 14 };
enum { MODEL_FUNCTIONS = 25, OPSET_DOMAIN = 1, OPSET_VERSION = 2, ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OPERATOR = 4, NODE_ATTRIBUTE = 5 };
enum { NODE_DOMAIN = 7 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3, ATTRIBUTE_TEXT = 4 };
enum { ATTRIBUTE_TENSOR = 5, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TENSOR_DIMENSION = 1, TENSOR_TYPE = 2, TENSOR_SEGMENT = 3, TENSOR_FLOATS = 4 };
enum { TENSOR_INT32S = 5, TENSOR_INT64S = 7, TENSOR_NAME = 8, TENSOR_BYTES = 9 };
enum { TENSOR_DOUBLES = 10, TENSOR_EXTERNAL = 13, TENSOR_LOCATION = 14 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2 };
enum { SHAPE_DIMENSION = 1, DIMENSION_VALUE = 1 };

enum {
    MAX_NODES = 20000,       /* MobileNetV2 has 100 to 700, with its constants */
    MAX_METADATA = 4096,     /* as in safetensors */
    MAX_BYTES_PER_VALUE = 12 /* an unpacked double takes 9, an integer of 64 bits up to 11 */
};
enum { TENSOR_ROOM = 4096 }; /* bytes of a tensor besides its elements: name, notes */

static ani_onnx_text text_of(const ani_proto_field *field) {
    return (ani_onnx_text){(const char *)field->bytes.at, ani_proto_size(&field->bytes)};
}

bool ani_onnx_is(ani_onnx_text text, const char *word) {
    const size_t size = strlen(word);
    return (size_t)text.size == size && (!size || !memcmp(text.bytes, word, size));
}

static an_status fail_damaged(const ani_onnx_file *file, const char *what, an_error *err) {
    return ani_fail(err, AN_ERR_FORMAT, "'%s' is damaged, or not an ONNX file: %s cannot be read",
                    file->path, what);
}

/* --- the file --------------------------------------------------------------------------------- */

bool ani_onnx_begins(const uint8_t head[ANI_ONNX_HEAD_SIZE]) {
    /* The version of the format, a small number, comes first, then one of the model's other fields:
     * producer, its version, domain, version, notes, graph, opset, metadata. */
    static const uint8_t next[] = {0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72};
    static const uint8_t zeros[4];
    /* safetensors: the size of the header, far below 4 GiB, and the header */
    if (head[8] == '{' && !memcmp(head + 4, zeros, sizeof zeros)) return false;
    return head[0] == 0x08 && head[1] > 0 && head[1] < 128 && memchr(next, head[2], sizeof next);
}

static an_status read_opset(ani_onnx_file *file, ani_proto_cursor message, an_error *err) {
    ani_proto_field field;
    ani_onnx_text domain = {0};
    uint64_t version = 0;
    int32_t more;
    while ((more = ani_proto_next(&message, &field)) > 0) {
        if (field.number == OPSET_DOMAIN && field.wire == ANI_PROTO_BYTES) domain = text_of(&field);
        if (field.number == OPSET_VERSION && field.wire == ANI_PROTO_NUMBER) version = field.value;
    }
    if (more < 0) return fail_damaged(file, "an opset", err);
    if (domain.size && !ani_onnx_is(domain, "ai.onnx")) return AN_OK;
    file->opset = version < 1000 ? (int64_t)version : 0;
    return AN_OK;
}

/* Check the graph's own fields, and count its nodes. */
static an_status check_graph(ani_onnx_file *file, an_error *err) {
    ani_proto_cursor at = file->graph;
    ani_proto_field field;
    int32_t more;
    while ((more = ani_proto_next(&at, &field)) > 0) {
        const bool is_known = field.number == ANI_ONNX_NODE || field.number == ANI_ONNX_CONSTANT ||
                              field.number == ANI_ONNX_INPUT || field.number == ANI_ONNX_OUTPUT ||
                              field.number == ANI_ONNX_SPARSE;
        if (is_known && field.wire != ANI_PROTO_BYTES) return fail_damaged(file, "its graph", err);
        file->nodes += field.number == ANI_ONNX_NODE;
        file->constants += field.number == ANI_ONNX_CONSTANT;
    }
    if (more < 0) return fail_damaged(file, "its graph", err);
    if (file->nodes > MAX_NODES || file->constants > MAX_NODES)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s' has %lld nodes and %lld constants; at most %d of each are read",
                        file->path, (long long)file->nodes, (long long)file->constants, MAX_NODES);
    return AN_OK;
}

an_status ani_onnx_open(ani_onnx_file *out, const uint8_t *bytes, int64_t size, const char *path,
                        an_error *err) {
    ani_proto_cursor at = {bytes, bytes + size};
    ani_proto_field field;
    int32_t more, graphs = 0, entries = 0;
    *out = (ani_onnx_file){.path = path, .model = at};
    while ((more = ani_proto_next(&at, &field)) > 0) {
        an_status st = AN_OK;
        if (field.wire != ANI_PROTO_BYTES) continue;
        if (field.number == MODEL_OPSET) st = read_opset(out, field.bytes, err);
        if (field.number == MODEL_GRAPH) {
            out->graph = field.bytes;
            graphs++;
        }
        if (field.number == MODEL_FUNCTIONS)
            st = ani_fail(err, AN_ERR_UNSUPPORTED,
                          "'%s' has functions besides its graph; write the file again with them "
                          "inlined",
                          path);
        entries += field.number == MODEL_METADATA;
        if (entries > MAX_METADATA)
            st = ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' has more than %d entries of metadata",
                          path, MAX_METADATA);
        if (st) return st;
    }
    if (more < 0) return fail_damaged(out, "the model", err);
    if (graphs != 1 || out->opset < 1)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s' is not an ONNX model: it has %s; it must have one graph and an opset",
                        path,
                        !graphs      ? "no graph"
                        : graphs > 1 ? "several graphs"
                                     : "no opset");
    return check_graph(out, err);
}

bool ani_onnx_next(ani_proto_cursor *at, int32_t kind, ani_proto_cursor *part) {
    ani_proto_field field;
    while (ani_proto_next(at, &field) > 0) {
        if (field.number != kind) continue;
        *part = field.bytes;
        return true;
    }
    return false;
}

bool ani_onnx_next_metadata(ani_proto_cursor *at, ani_onnx_text *key, ani_onnx_text *value) {
    ani_proto_field field;
    while (ani_proto_next(at, &field) > 0) {
        if (field.number != MODEL_METADATA || field.wire != ANI_PROTO_BYTES) continue;
        ani_proto_cursor entry = field.bytes;
        *key = *value = (ani_onnx_text){0};
        while (ani_proto_next(&entry, &field) > 0) {
            if (field.wire != ANI_PROTO_BYTES) continue;
            if (field.number == ENTRY_KEY) *key = text_of(&field);
            if (field.number == ENTRY_VALUE) *value = text_of(&field);
        }
        return true;
    }
    return false;
}

/* --- nodes ------------------------------------------------------------------------------------ */

an_status ani_onnx_read_node(const ani_onnx_file *file, const ani_proto_cursor *part,
                             ani_onnx_node *out, an_error *err) {
    ani_proto_cursor at = *part;
    ani_proto_field field;
    ani_onnx_text domain = {0};
    int32_t more, inputs = 0;
    *out = (ani_onnx_node){.message = *part};
    while ((more = ani_proto_next(&at, &field)) > 0) {
        if (field.wire != ANI_PROTO_BYTES) continue;
        const ani_onnx_text text = text_of(&field);
        if (field.number == NODE_NAME) out->name = text;
        if (field.number == NODE_OPERATOR) out->kind = text;
        if (field.number == NODE_DOMAIN) domain = text;
        if (field.number == NODE_INPUT && inputs++ < ANI_ONNX_MAX_INPUTS)
            out->inputs[inputs - 1] = text;
        if (field.number == NODE_OUTPUT && !out->output_count++) out->output = text;
    }
    if (more < 0) return fail_damaged(file, "a node", err);
    if (!out->name.size) out->name = out->output;
    /* inputs that are left out at the end may be written as empty names */
    out->input_count = inputs;
    while (out->input_count && out->input_count <= ANI_ONNX_MAX_INPUTS &&
           !out->inputs[out->input_count - 1].size)
        out->input_count--;
    if (domain.size && !ani_onnx_is(domain, "ai.onnx"))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': node '%.*s' is '%.*s' of '%.*s'; operators must be those of ONNX",
                        file->path, ANI_ONNX_SHOW(out->name), ANI_ONNX_SHOW(out->kind),
                        ANI_ONNX_SHOW(domain));
    if (inputs > ANI_ONNX_MAX_INPUTS)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': node '%.*s' (%.*s) has %d inputs; at most %d are read", file->path,
                        ANI_ONNX_SHOW(out->name), ANI_ONNX_SHOW(out->kind), (int)inputs,
                        ANI_ONNX_MAX_INPUTS);
    return AN_OK;
}

static an_status read_attribute(const ani_onnx_file *file, ani_proto_cursor at,
                                ani_onnx_attribute *out, an_error *err) {
    ani_proto_field field;
    int32_t more;
    *out = (ani_onnx_attribute){0};
    while ((more = ani_proto_next(&at, &field)) > 0) {
        const uint32_t bits = (uint32_t)field.value;
        const bool has_bytes = field.wire == ANI_PROTO_BYTES;
        if (field.number == ATTRIBUTE_NAME && has_bytes) out->name = text_of(&field);
        if (field.number == ATTRIBUTE_TEXT && has_bytes) out->text = text_of(&field);
        if (field.number == ATTRIBUTE_TENSOR && has_bytes) out->tensor = field.bytes;
        if (field.number == ATTRIBUTE_INT) out->integer = (int64_t)field.value;
        if (field.number == ATTRIBUTE_TYPE) out->type = field.value < 100 ? (int32_t)bits : 0;
        if (field.number == ATTRIBUTE_FLOAT && field.wire == ANI_PROTO_FIXED32)
            memcpy(&out->number, &bits, sizeof bits);
        if (field.number != ATTRIBUTE_INTS) continue;
        ani_proto_cursor packed = field.bytes;
        uint64_t value = field.value;
        while (!has_bytes ||
               (more = ani_proto_next_number(&packed, ANI_PROTO_NUMBER, &value)) > 0) {
            if (out->count == ANI_ONNX_MAX_NUMBERS)
                return ani_fail(err, AN_ERR_UNSUPPORTED,
                                "'%s': attribute '%.*s' of a node has more than %d numbers",
                                file->path, ANI_ONNX_SHOW(out->name), ANI_ONNX_MAX_NUMBERS);
            out->integers[out->count++] = (int64_t)value;
            if (!has_bytes) break;
        }
        if (more < 0) break;
    }
    return more < 0 ? fail_damaged(file, "an attribute", err) : AN_OK;
}

/* The next attribute of a node from *at on; *found: there is one. */
static an_status next_attribute(const ani_onnx_file *file, ani_proto_cursor *at,
                                ani_onnx_attribute *out, bool *found, an_error *err) {
    ani_proto_field field;
    *found = false;
    while (ani_proto_next(at, &field) > 0) {
        if (field.number != NODE_ATTRIBUTE || field.wire != ANI_PROTO_BYTES) continue;
        *found = true;
        return read_attribute(file, field.bytes, out, err);
    }
    return AN_OK;
}

an_status ani_onnx_attribute_of(const ani_onnx_file *file, const ani_onnx_node *node,
                                const char *name, ani_onnx_attribute *out, bool *found,
                                an_error *err) {
    ani_proto_cursor at = node->message;
    for (;;) {
        an_status st = next_attribute(file, &at, out, found, err);
        if (st || !*found || ani_onnx_is(out->name, name)) return st;
    }
}

an_status ani_onnx_check_attributes(const ani_onnx_file *file, const ani_onnx_node *node,
                                    const char *names, an_error *err) {
    ani_proto_cursor at = node->message;
    ani_onnx_attribute attribute;
    bool found, is_known = true;
    for (;;) {
        an_status st = next_attribute(file, &at, &attribute, &found, err);
        if (st || !found) return st;
        is_known = false;
        for (const char *word = names; *word && !is_known;) {
            const size_t size = strcspn(word, " ");
            is_known =
                (size_t)attribute.name.size == size && !memcmp(attribute.name.bytes, word, size);
            word += size + (word[size] == ' ');
        }
        if (!is_known)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "'%s': node '%.*s' (%.*s) has an attribute '%.*s', which is not known "
                            "here",
                            file->path, ANI_ONNX_SHOW(node->name), ANI_ONNX_SHOW(node->kind),
                            ANI_ONNX_SHOW(attribute.name));
    }
}

/* --- inputs and outputs ----------------------------------------------------------------------- */

/* Find a field of bytes of a message; false: there is none, or the message is damaged. */
static bool find_bytes(ani_proto_cursor message, int32_t number, ani_proto_cursor *out) {
    ani_proto_field field;
    while (ani_proto_next(&message, &field) > 0) {
        if (field.number != number || field.wire != ANI_PROTO_BYTES) continue;
        *out = field.bytes;
        return true;
    }
    return false;
}

an_status ani_onnx_read_value(const ani_onnx_file *file, const ani_proto_cursor *part,
                              ani_onnx_value *out, an_error *err) {
    ani_proto_cursor name, type, tensor, shape, dimension;
    ani_proto_field field;
    int32_t more;
    *out = (ani_onnx_value){.rank = -1};
    if (!find_bytes(*part, VALUE_NAME, &name)) return fail_damaged(file, "an input", err);
    out->name = (ani_onnx_text){(const char *)name.at, ani_proto_size(&name)};
    if (!find_bytes(*part, VALUE_TYPE, &type)) return AN_OK;
    if (!find_bytes(type, TYPE_TENSOR, &tensor))
        return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s': '%.*s' is not a tensor", file->path,
                        ANI_ONNX_SHOW(out->name));
    ani_proto_cursor at = tensor;
    while ((more = ani_proto_next(&at, &field)) > 0)
        if (field.number == TENSOR_ELEMENT && field.value < 1000) out->type = (int32_t)field.value;
    if (more < 0) return fail_damaged(file, "an input's type", err);
    if (!find_bytes(tensor, TENSOR_SHAPE, &shape)) return AN_OK;
    out->rank = 0;
    while ((more = ani_proto_next(&shape, &field)) > 0) {
        if (field.number != SHAPE_DIMENSION || field.wire != ANI_PROTO_BYTES) continue;
        if (out->rank == ANI_SHAPE_MAX_RANK)
            return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s': '%.*s' has more than %d axes",
                            file->path, ANI_ONNX_SHOW(out->name), ANI_SHAPE_MAX_RANK);
        int64_t *length = &out->shape[out->rank++];
        *length = -1;
        dimension = field.bytes;
        while (ani_proto_next(&dimension, &field) > 0)
            if (field.number == DIMENSION_VALUE && field.wire == ANI_PROTO_NUMBER)
                *length = field.value <= INT32_MAX ? (int64_t)field.value : -1;
    }
    return more < 0 ? fail_damaged(file, "an input's shape", err) : AN_OK;
}

/* --- constants -------------------------------------------------------------------------------- */

static an_status add_length(const ani_onnx_file *file, ani_onnx_tensor *tensor, uint64_t length,
                            an_error *err) {
    if (tensor->rank == ANI_SHAPE_MAX_RANK)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s': constant '%.*s' has more than %d axes",
                        file->path, ANI_ONNX_SHOW(tensor->name), ANI_SHAPE_MAX_RANK);
    tensor->shape[tensor->rank++] = (int64_t)length; /* negative: refused below */
    return AN_OK;
}

an_status ani_onnx_read_tensor(const ani_onnx_file *file, const ani_proto_cursor *part,
                               ani_onnx_tensor *out, an_error *err) {
    ani_proto_cursor at = *part;
    ani_proto_field field;
    bool is_elsewhere = false;
    int32_t more;
    *out = (ani_onnx_tensor){.message = *part};
    while ((more = ani_proto_next(&at, &field)) > 0) {
        an_status st = AN_OK;
        if (field.number == TENSOR_NAME && field.wire == ANI_PROTO_BYTES)
            out->name = text_of(&field);
        if (field.number == TENSOR_TYPE) out->type = field.value < 1000 ? (int32_t)field.value : 0;
        if (field.number == TENSOR_LOCATION) is_elsewhere |= field.value != 0;
        if (field.number == TENSOR_EXTERNAL) is_elsewhere = true;
        if (field.number == TENSOR_SEGMENT) return fail_damaged(file, "a part of a constant", err);
        if (field.number == TENSOR_DIMENSION && field.wire == ANI_PROTO_BYTES) {
            uint64_t length;
            while (!st &&
                   (more = ani_proto_next_number(&field.bytes, ANI_PROTO_NUMBER, &length)) > 0)
                st = add_length(file, out, length, err);
            if (more < 0) break;
        } else if (field.number == TENSOR_DIMENSION) {
            st = add_length(file, out, field.value, err);
        }
        if (st) return st;
    }
    if (more < 0) return fail_damaged(file, "a constant", err);
    if (is_elsewhere)
        return ani_fail(
            err, AN_ERR_UNSUPPORTED,
            "'%s': constant '%.*s' is in another file; write one file: "
            "torch.onnx.export(..., external_data=False), or onnx.save(onnx.load(a), b)",
            file->path, ANI_ONNX_SHOW(out->name));
    if (!ani_shape_count(out->shape, out->rank, &out->count))
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': the shape of constant '%.*s' is negative or "
                        "overflows",
                        file->path, ANI_ONNX_SHOW(out->name));
    const int64_t size = ani_proto_size(part);
    if (out->count > size ||
        (size > TENSOR_ROOM && (size - TENSOR_ROOM) / MAX_BYTES_PER_VALUE > out->count))
        return ani_fail(err, AN_ERR_FORMAT, "'%s': constant '%.*s' has %lld values in %lld bytes",
                        file->path, ANI_ONNX_SHOW(out->name), (long long)out->count,
                        (long long)size);
    return AN_OK;
}

/** Elements on their way from one of a tensor's fields to a list of floats or integers. */
typedef struct elements {
    float *floats;     /* one of the two */
    int64_t *integers; /* the other is NULL */
    int64_t count, capacity;
    int32_t type;
} elements;

static void put(elements *to, uint64_t bits) {
    const int64_t i = to->count++;
    double value = 0;
    float single;
    if (i >= to->capacity) return; /* counted, and refused in the end */
    if (to->integers) {
        to->integers[i] = (int64_t)bits;
        return;
    }
    const uint32_t low = (uint32_t)bits;
    switch (to->type) {
    case ANI_ONNX_FLOAT:
        memcpy(&single, &low, sizeof single);
        to->floats[i] = single;
        break;
    case ANI_ONNX_DOUBLE:
        memcpy(&value, &bits, sizeof value);
        to->floats[i] = (float)value;
        break;
    case ANI_ONNX_HALF:
        to->floats[i] = ani_from_half((uint16_t)bits);
        break;
    case ANI_ONNX_BFLOAT16:
        to->floats[i] = ani_from_bfloat16((uint16_t)bits);
        break;
    default: /* integers, as numbers or sign-extended */
        to->floats[i] = (float)(int64_t)bits;
    }
}

/* The size of an element in raw bytes, and how and where it is written otherwise. */
static bool find_type(int32_t type, int64_t *size, int32_t *field, int32_t *wire) {
    static const struct {
        int32_t type, size, field, wire;
    } types[] = {{ANI_ONNX_FLOAT, 4, TENSOR_FLOATS, ANI_PROTO_FIXED32},
                 {ANI_ONNX_DOUBLE, 8, TENSOR_DOUBLES, ANI_PROTO_FIXED64},
                 {ANI_ONNX_HALF, 2, TENSOR_INT32S, ANI_PROTO_NUMBER},
                 {ANI_ONNX_BFLOAT16, 2, TENSOR_INT32S, ANI_PROTO_NUMBER},
                 {ANI_ONNX_INT32, 4, TENSOR_INT32S, ANI_PROTO_NUMBER},
                 {ANI_ONNX_INT64, 8, TENSOR_INT64S, ANI_PROTO_NUMBER},
                 {ANI_ONNX_BOOL, 1, TENSOR_INT32S, ANI_PROTO_NUMBER}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].type != type) continue;
        *size = types[i].size;
        *field = types[i].field;
        *wire = types[i].wire;
        return true;
    }
    return false;
}

static void put_raw(elements *to, const ani_proto_cursor *raw, int64_t size) {
    for (const uint8_t *at = raw->at; raw->end - at >= size; at += size) {
        uint64_t bits = 0;
        memcpy(&bits, at, (size_t)size);
        if (to->type == ANI_ONNX_INT32) bits = (uint64_t)(int64_t)(int32_t)(uint32_t)bits;
        put(to, bits);
    }
}

static an_status read_elements(const ani_onnx_file *file, const ani_onnx_tensor *tensor,
                               elements *to, an_error *err) {
    ani_proto_cursor at = tensor->message;
    ani_proto_field field;
    int64_t size;
    int32_t wanted, wire, more;
    if (!find_type(tensor->type, &size, &wanted, &wire))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': constant '%.*s' has elements of type %d of ONNX, which are not read "
                        "here",
                        file->path, ANI_ONNX_SHOW(tensor->name), (int)tensor->type);
    to->capacity = tensor->count;
    to->type = tensor->type;
    while ((more = ani_proto_next(&at, &field)) > 0) {
        if (field.number == TENSOR_BYTES && field.wire == ANI_PROTO_BYTES) {
            if (ani_proto_size(&field.bytes) % size) return fail_damaged(file, "a constant", err);
            if (size == 4 && to->floats && to->type == ANI_ONNX_FLOAT &&
                ani_proto_size(&field.bytes) / size == to->capacity && !to->count) {
                memcpy(to->floats, field.bytes.at, (size_t)ani_proto_size(&field.bytes));
                to->count = to->capacity;
            } else {
                put_raw(to, &field.bytes, size);
            }
        } else if (field.number == wanted && field.wire == ANI_PROTO_BYTES) {
            uint64_t bits;
            while ((more = ani_proto_next_number(&field.bytes, wire, &bits)) > 0)
                put(to, bits);
            if (more < 0) break;
        } else if (field.number == wanted && field.wire == wire) {
            put(to, field.value);
        }
    }
    if (more < 0) return fail_damaged(file, "a constant", err);
    if (to->count != tensor->count)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': constant '%.*s' has %lld elements; by its shape it must have %lld",
                        file->path, ANI_ONNX_SHOW(tensor->name), (long long)to->count,
                        (long long)tensor->count);
    return AN_OK;
}

an_status ani_onnx_read_floats(const ani_onnx_file *file, const ani_onnx_tensor *tensor, float *out,
                               an_error *err) {
    elements to = {.floats = out};
    return read_elements(file, tensor, &to, err);
}

an_status ani_onnx_read_integers(const ani_onnx_file *file, const ani_onnx_tensor *tensor,
                                 int64_t *out, an_error *err) {
    elements to = {.integers = out};
    if (tensor->type != ANI_ONNX_INT32 && tensor->type != ANI_ONNX_INT64)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': constant '%.*s' has elements of type %d of ONNX; they must be "
                        "integers",
                        file->path, ANI_ONNX_SHOW(tensor->name), (int)tensor->type);
    return read_elements(file, tensor, &to, err);
}
