/* SPDX-License-Identifier: MIT
 * The model_config of MobileNetV2 with a dense head, as Keras writes it, for tests to modify. */
#ifndef SUPPORT_KERAS_MODEL_H
#define SUPPORT_KERAS_MODEL_H

#include <jansson.h>

/** How Keras writes inbound_nodes. */
enum { KERAS_2 = 2, KERAS_3 = 3 };

/** A layer as text; settings: "" or ",\"KEY\":VALUE...". */
#define LAYER(class_name, name, settings)                                                          \
    "{\"class_name\":\"" class_name "\",\"config\":{\"name\":\"" name "\"" settings "}}"

/** Make the config of alpha 0.1 at 32 x 32: a Sequential "net" of "base" (a Functional named
 * mobilenetv2_0.10_32, with pooling "pool") and "dense". Owned by the caller: json_decref(). */
json_t *keras_model(int generation);
/** Make only the base, followed by "dense": one Functional. */
json_t *keras_model_flat(int generation);
/** Find a layer or a nested model by its name, borrowed; the test fails if it is missing. */
json_t *keras_layer(json_t *model, const char *name);
/** Set a setting of a layer from JSON; NULL removes it. */
void keras_set(json_t *model, const char *layer, const char *key, const char *value);
/** Insert a layer or model, given as JSON, after another one in its list; in a Functional, the
 * layers that used the other's output then use the new one's. */
void keras_insert(json_t *model, const char *behind, const char *layer);
/** Set the inputs of a layer of a Functional (a second may be NULL). */
void keras_wire(json_t *model, const char *layer, int generation, const char *first,
                const char *second);
/** Remove a layer; the layers that used its output use its input instead. */
void keras_remove(json_t *model, const char *layer);

#endif
