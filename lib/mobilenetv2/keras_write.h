/* SPDX-License-Identifier: MIT
 * Models as files of Keras. */
#ifndef MOBILENETV2_KERAS_WRITE_H
#define MOBILENETV2_KERAS_WRITE_H

#include <attractivenet/mobilenetv2.h>

/** Write a model, whose file has these arrays, as AN_EXPORT_KERAS_H5, _WEIGHTS or _ARCHIVE. Options
 * are checked. */
an_status ani_keras_write(const an_arrays *arrays, const an_model *model, const char *path,
                          const an_export_options *options, an_error *err);

#endif
