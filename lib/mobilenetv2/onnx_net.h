/* SPDX-License-Identifier: MIT
 * Reads an ONNX graph that computes a MobileNetV2. */
#ifndef MOBILENETV2_ONNX_NET_H
#define MOBILENETV2_ONNX_NET_H

#include <attractivenet/io.h>

#include "base/file.h"

/** Read a weight or model file of any format: an ONNX graph as described below, otherwise what
 * an_arrays_read() reads. *out is the caller's. */
an_status ani_model_file_read(an_arrays **out, const char *path, an_error *err);
an_status ani_model_file_read_bytes(an_arrays **out, const void *bytes, int64_t size,
                                    const char *name, an_error *err);

/** Append the weights of a graph under this library's names, and as metadata what the graph and its
 * own metadata say about the network: size, paddings, scale, task, epsilon, classes. The bytes are
 * those of a whole file; path is used in messages.
 * AN_ERR_FORMAT: damaged; AN_ERR_UNSUPPORTED: the first node that computes something else than a
 * MobileNetV2, with what was expected. */
an_status ani_onnx_net_read(an_arrays *arrays, const uint8_t *bytes, int64_t size, const char *path,
                            an_error *err);

#endif
