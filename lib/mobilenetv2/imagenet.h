/* SPDX-License-Identifier: MIT
 * The published ImageNet weights: which file, from where, and where it is kept. */
#ifndef MOBILENETV2_IMAGENET_H
#define MOBILENETV2_IMAGENET_H

#include <attractivenet/mobilenetv2.h>

/** Where Keras publishes the files. */
#define ANI_IMAGENET_SOURCE                                                                        \
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"

/** Find the no-top weight file that Keras would take for these options in the user's cache folder
 *  ($XDG_CACHE_HOME/attractivenet, else $HOME/.cache/attractivenet); download it from source, an
 *  address that ends in '/', if it is not there. *path is owned by the caller:
 *  ani_imagenet_free(). */
an_status ani_imagenet_file(char **path, const an_mobilenetv2_options *options, const char *source,
                            an_error *err);
void ani_imagenet_free(char *path); /* NULL is allowed */

#endif
