/* SPDX-License-Identifier: MIT
 * The model_config of MobileNetV2 with a dense head, as Keras writes it, to be changed by tests. */
#ifndef SUPPORT_KERAS_MODEL_H
#define SUPPORT_KERAS_MODEL_H

#include <jansson.h>

/** How Keras writes inbound_nodes. */
enum { KERAS_2 = 2, KERAS_3 = 3 };

/** A layer as text; settings: "" or ",\"KEY\":VALUE...". */
#define LAYER(class_name, name, settings)                                                          \
    "{\"class_name\":\"" class_name "\",\"config\":{\"name\":\"" name "\"" settings "}}"

/** Make the config of alpha 0.1 at 32 x 32: a Sequential "net" of "base" (a Functional named
 * mobilenetv2_0.10_32, with pooling "pool") and "dense". The caller's: json_decref(). */
json_t *keras_model(int generation);
/** Make the base alone, with "dense" behind it: one Functional. */
json_t *keras_model_flat(int generation);
/** Find a layer or a nested model by its name, borrowed; the test fails if it is not there. */
json_t *keras_layer(json_t *model, const char *name);
/** Set a setting of a layer from JSON; NULL takes it away. */
void keras_set(json_t *model, const char *layer, const char *key, const char *value);
/** Insert a layer or model, given as JSON, into the list that holds another, behind that; in a
 * Functional, those that took the other's output then take the new one's. */
void keras_insert(json_t *model, const char *behind, const char *layer);
/** Let a layer of a Functional take others (a second may be NULL). */
void keras_wire(json_t *model, const char *layer, int generation, const char *first,
                const char *second);
/** Take a layer out; those that took its output take its input. */
void keras_remove(json_t *model, const char *layer);

#endif
