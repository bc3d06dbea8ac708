/* SPDX-License-Identifier: MIT
 * Models as ONNX files. */
#ifndef MOBILENETV2_ONNX_H
#define MOBILENETV2_ONNX_H

#include <attractivenet/mobilenetv2.h>

/** Write a model, whose file has these arrays, as ONNX. Options are checked. AN_ERR_ARG: int8 of a
 * model that is not calibrated. */
an_status ani_onnx_write(const an_arrays *arrays, const an_model *model, const char *path,
                         const an_export_options *options, an_error *err);

#endif
