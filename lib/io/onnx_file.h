/* SPDX-License-Identifier: MIT
 * ONNX files as nodes and constants. All that is returned is borrowed from the file's bytes, and
 * whatever a file claims is checked against the bytes that are there. What the nodes compute is the
 * matter of mobilenetv2/onnx_net.c. */
#ifndef IO_ONNX_FILE_H
#define IO_ONNX_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/shape.h"
#include "io/protobuf.h"

/** A text of a file, not terminated by a zero; {0}: none. */
typedef struct ani_onnx_text {
    const char *bytes;
    int64_t size;
} ani_onnx_text;

/** For "%.*s" in messages: a text, or the end of a long one, which says more than its beginning. */
#define ANI_ONNX_SHOW(text)                                                                        \
    (int)((text).size < 64 ? (text).size : 64),                                                    \
        (text).bytes + ((text).size < 64 ? 0 : (text).size - 64)

bool ani_onnx_is(ani_onnx_text text, const char *word);

/** Types of elements that this library reads, as ONNX numbers them. */
enum {
    ANI_ONNX_FLOAT = 1,
    ANI_ONNX_UINT8 = 2,
    ANI_ONNX_INT8 = 3,
    ANI_ONNX_INT32 = 6,
    ANI_ONNX_INT64 = 7,
    ANI_ONNX_BOOL = 9,
    ANI_ONNX_HALF = 10,
    ANI_ONNX_DOUBLE = 11,
    ANI_ONNX_BFLOAT16 = 16
};

/** A constant. */
typedef struct ani_onnx_tensor {
    ani_onnx_text name;
    int32_t type; /* ANI_ONNX_*, or another of ONNX's */
    int32_t rank;
    int64_t shape[ANI_SHAPE_MAX_RANK];
    int64_t count;
    ani_proto_cursor message;
} ani_onnx_tensor;

enum { ANI_ONNX_MAX_INPUTS = 8, ANI_ONNX_MAX_NUMBERS = 16 };

typedef struct ani_onnx_node {
    ani_onnx_text name; /* its own, else that of its first output */
    ani_onnx_text kind; /* its operator */
    ani_onnx_text inputs[ANI_ONNX_MAX_INPUTS];
    ani_onnx_text output; /* the first; further ones have no use here */
    int32_t input_count, output_count;
    ani_proto_cursor message;
} ani_onnx_node;

/** An attribute of a node. */
typedef struct ani_onnx_attribute {
    ani_onnx_text name;
    int32_t type; /* ANI_ONNX_IS_* */
    int32_t count;
    float number;
    int64_t integer;
    ani_onnx_text text;
    int64_t integers[ANI_ONNX_MAX_NUMBERS]; /* count of them */
    ani_proto_cursor tensor;
} ani_onnx_attribute;
enum {
    ANI_ONNX_IS_NUMBER = 1,
    ANI_ONNX_IS_INTEGER = 2,
    ANI_ONNX_IS_TEXT = 3,
    ANI_ONNX_IS_TENSOR = 4,
    ANI_ONNX_IS_INTEGERS = 7
};

/** The input of a graph, or its output. */
typedef struct ani_onnx_value {
    ani_onnx_text name;
    int32_t type;                      /* of its elements, as in a tensor; 0: not stated */
    int32_t rank;                      /* -1: not stated */
    int64_t shape[ANI_SHAPE_MAX_RANK]; /* -1: free, or not stated */
} ani_onnx_value;

typedef struct ani_onnx_file {
    const char *path;         /* for messages; owned by the caller */
    int64_t opset;            /* of the standard operators */
    int64_t nodes, constants; /* how many the graph has */
    ani_proto_cursor model, graph;
} ani_onnx_file;

enum { ANI_ONNX_HEAD_SIZE = 9 };
/** True if a file that begins with these bytes is ONNX. */
bool ani_onnx_begins(const uint8_t head[ANI_ONNX_HEAD_SIZE]);

/** Look at a whole file: AN_ERR_FORMAT if it is damaged, or has no graph or no opset;
 * AN_ERR_UNSUPPORTED for more than a graph of standard operators (functions). */
an_status ani_onnx_open(ani_onnx_file *out, const uint8_t *bytes, int64_t size, const char *path,
                        an_error *err);

/** What a graph consists of, as ani_onnx_next() finds it in the order of the file. */
enum {
    ANI_ONNX_NODE = 1,
    ANI_ONNX_CONSTANT = 5,
    ANI_ONNX_INPUT = 11,
    ANI_ONNX_OUTPUT = 12,
    ANI_ONNX_SPARSE = 15
};
/** Find the next part of that kind from *at on, which begins as file->graph; false: there is none.
 * ani_onnx_open() has checked the graph's fields. */
bool ani_onnx_next(ani_proto_cursor *at, int32_t kind, ani_proto_cursor *part);

an_status ani_onnx_read_node(const ani_onnx_file *file, const ani_proto_cursor *part,
                             ani_onnx_node *out, an_error *err);
an_status ani_onnx_read_value(const ani_onnx_file *file, const ani_proto_cursor *part,
                              ani_onnx_value *out, an_error *err);
/** Read what precedes the elements: AN_ERR_UNSUPPORTED for elements in another file. */
an_status ani_onnx_read_tensor(const ani_onnx_file *file, const ani_proto_cursor *part,
                               ani_onnx_tensor *out, an_error *err);
/** Read all elements, [count]: floats of any precision are converted, integers too.
 * AN_ERR_UNSUPPORTED for another type, AN_ERR_FORMAT if there are more or fewer than the shape
 * says. */
an_status ani_onnx_read_floats(const ani_onnx_file *file, const ani_onnx_tensor *tensor, float *out,
                               an_error *err);
an_status ani_onnx_read_integers(const ani_onnx_file *file, const ani_onnx_tensor *tensor,
                                 int64_t *out, an_error *err);

/** Find an attribute; *found says whether the node has it. */
an_status ani_onnx_attribute_of(const ani_onnx_file *file, const ani_onnx_node *node,
                                const char *name, ani_onnx_attribute *out, bool *found,
                                an_error *err);
/** AN_ERR_UNSUPPORTED if the node has an attribute that is not among the names, which are separated
 * by spaces. */
an_status ani_onnx_check_attributes(const ani_onnx_file *file, const ani_onnx_node *node,
                                    const char *names, an_error *err);

/** Find the next entry of the model's metadata from *at on, which begins as file->model. */
bool ani_onnx_next_metadata(ani_proto_cursor *at, ani_onnx_text *key, ani_onnx_text *value);

#endif
