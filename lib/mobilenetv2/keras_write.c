/* SPDX-License-Identifier: MIT
 * The three files that Keras loads a model or its weights from. What the library's own model file
 * says besides the weights goes into an attribute that Keras ignores and our reader uses.
 *
 * Source: tf_keras 2.15, saving/legacy/hdf5_format.py (.h5), and Keras 3, saving/saving_lib.py
 * (.weights.h5, .keras). A .h5 has no optimizer state: Keras 3 does not continue with it. */
#include "mobilenetv2/keras_write.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "io/hdf5_write.h"
#include "io/zip_write.h"
#include "layers/model.h"
#include "mobilenetv2/keras_layers.h"

/* The versions whose layouts these are. */
static const char *const old_version = "2.15.0", *const new_version = "3.0.0";

/** A file being written. */
typedef struct draft {
    const an_arrays *arrays; /* the weights, of one moment */
    ani_keras_outs outs;
    ani_hdf5_draft hdf5;
    ani_text config, facts;
} draft;

/* --- weights ---------------------------------------------------------------------------------- */

/** The variables of a layer, in the order in which Keras stores them. */
typedef struct variables {
    const char *names[5]; /* NULL after the last */
} variables;

static const variables *variables_of(int32_t kind) {
    static const variables conv = {{"kernel"}}, depthwise = {{"depthwise_kernel"}},
                           dense = {{"kernel", "bias"}}, none = {{NULL}},
                           norm = {{"gamma", "beta", "moving_mean", "moving_variance"}};
    return kind == ANI_KERAS_CONV        ? &conv
           : kind == ANI_KERAS_DEPTHWISE ? &depthwise
           : kind == ANI_KERAS_NORM      ? &norm
           : kind == ANI_KERAS_DENSE     ? &dense
                                         : &none;
}

static void add_array(draft *d, int64_t group, const char *name, const char *layer,
                      const char *variable) {
    char path[ANI_ARRAY_NAME_SIZE];
    int64_t shape[4];
    snprintf(path, sizeof path, "%s/%s", layer, variable);
    const int64_t index = an_arrays_find(d->arrays, path);
    const int32_t rank = an_arrays_rank(d->arrays, index);
    for (int32_t axis = 0; axis < rank; axis++)
        shape[axis] = an_arrays_length(d->arrays, index, axis);
    ani_hdf5_add_array(&d->hdf5, group, name, shape, rank, an_arrays_data(d->arrays, index));
}

/* A layer of a .h5: its group has a group of the same name, as the names of its variables say. */
static void add_named_layer(draft *d, int64_t parent, const ani_keras_out *layer) {
    char names[4][ANI_ARRAY_NAME_SIZE];
    const char *list[4];
    const variables *all = variables_of(layer->kind);
    int64_t count = 0;
    const int64_t group = ani_hdf5_add_group(&d->hdf5, parent, layer->name);
    const int64_t inner = ani_hdf5_add_group(&d->hdf5, group, layer->name);
    for (; all->names[count]; count++) {
        char name[32];
        snprintf(name, sizeof name, "%s:0", all->names[count]);
        snprintf(names[count], sizeof *names, "%s/%s", layer->name, name);
        list[count] = names[count];
        add_array(d, inner, name, layer->name, all->names[count]);
    }
    ani_hdf5_add_list(&d->hdf5, group, "weight_names", list, count);
}

/* model_weights of a .h5. Layers without weights, which Keras skips in the list, are left out. */
static void add_named_layers(draft *d) {
    const char *list[ANI_KERAS_OUT_MAX];
    int64_t count = 0;
    const int64_t group = ani_hdf5_add_group(&d->hdf5, ANI_HDF5_ROOT, "model_weights");
    for (int32_t i = 0; i < d->outs.count; i++) {
        const ani_keras_out *layer = &d->outs.layers[i];
        if (!variables_of(layer->kind)->names[0]) continue;
        list[count++] = layer->name;
        add_named_layer(d, group, layer);
    }
    ani_hdf5_add_list(&d->hdf5, group, "layer_names", list, count);
    ani_hdf5_add_text(&d->hdf5, group, "backend", "tensorflow");
    ani_hdf5_add_text(&d->hdf5, group, "keras_version", old_version);
}

/* "Conv2D" as part of a path: "conv2d". */
static const char *word_of(int32_t kind) {
    return kind == ANI_KERAS_CONV        ? "conv2d"
           : kind == ANI_KERAS_DEPTHWISE ? "depthwise_conv2d"
           : kind == ANI_KERAS_NORM      ? "batch_normalization"
                                         : "dense";
}

/* layers of a .weights.h5: each is named by its class and its number in that. */
static void add_counted_layers(draft *d) {
    const int64_t layers = ani_hdf5_add_group(&d->hdf5, ANI_HDF5_ROOT, "layers");
    for (int32_t i = 0; i < d->outs.count; i++) {
        const ani_keras_out *layer = &d->outs.layers[i];
        const variables *all = variables_of(layer->kind);
        char name[40], number[16] = "";
        if (!all->names[0]) continue;
        if (layer->class_number) snprintf(number, sizeof number, "_%d", (int)layer->class_number);
        snprintf(name, sizeof name, "%s%s", word_of(layer->kind), number);
        const int64_t group = ani_hdf5_add_group(&d->hdf5, layers, name);
        const int64_t vars = ani_hdf5_add_group(&d->hdf5, group, "vars");
        ani_hdf5_add_text(&d->hdf5, vars, "name", layer->name);
        for (int32_t k = 0; all->names[k]; k++) {
            snprintf(name, sizeof name, "%d", (int)k);
            add_array(d, vars, name, layer->name, all->names[k]);
        }
    }
}

/* --- facts ------------------------------------------------------------------------------------ */

/* The metadata of our own file as a JSON object. */
static void print_facts(draft *d) {
    ani_text_print(&d->facts, "{");
    for (int64_t i = 0; i < an_arrays_metadata_count(d->arrays); i++) {
        const char *key = an_arrays_metadata_key(d->arrays, i);
        /* int8 needs its calibration, which Keras has no place for */
        if (!strcmp(key, "inference")) continue;
        if (d->facts.size > 1) ani_text_print(&d->facts, ", ");
        ani_text_quote(&d->facts, key);
        ani_text_print(&d->facts, ": ");
        ani_text_quote(&d->facts, an_arrays_metadata(d->arrays, key));
    }
    ani_text_print(&d->facts, "}");
}

static an_status check_text(const ani_text *text, an_error *err) {
    return text->failed ? ani_fail_memory(err, text->size, "a Keras config") : AN_OK;
}

/* --- files ------------------------------------------------------------------------------------ */

static an_status describe_model(draft *d, an_error *err) {
    ani_text training = {0};
    ani_keras_print_config(&d->config, &d->outs, ANI_KERAS_2);
    ani_keras_print_training(&training, &d->outs);
    an_status st = check_text(&d->config, err);
    if (!st) st = check_text(&training, err);
    if (st) goto done;
    ani_hdf5_add_text(&d->hdf5, ANI_HDF5_ROOT, ANI_KERAS_FACTS, d->facts.bytes);
    ani_hdf5_add_text(&d->hdf5, ANI_HDF5_ROOT, "backend", "tensorflow");
    ani_hdf5_add_text(&d->hdf5, ANI_HDF5_ROOT, "keras_version", old_version);
    ani_hdf5_add_text(&d->hdf5, ANI_HDF5_ROOT, "model_config", d->config.bytes);
    ani_hdf5_add_text(&d->hdf5, ANI_HDF5_ROOT, "training_config", training.bytes);
    add_named_layers(d);
    st = ani_hdf5_end(&d->hdf5, err);
done:
    ani_text_clear(&training);
    return st;
}

static an_status describe_weights(draft *d, an_error *err) {
    ani_hdf5_add_text(&d->hdf5, ANI_HDF5_ROOT, ANI_KERAS_FACTS, d->facts.bytes);
    add_counted_layers(d);
    return ani_hdf5_end(&d->hdf5, err);
}

static an_status put_hdf5(const void *member, ani_put_fn put, void *user, an_error *err) {
    return ani_hdf5_write(member, put, user, err);
}

static an_status put_text(const void *member, ani_put_fn put, void *user, an_error *err) {
    const ani_text *text = member;
    return put(user, text->bytes, text->size, err);
}

static an_status write_archive(draft *d, ani_writer *writer, an_error *err) {
    ani_zip_draft zip = {.file = writer};
    ani_text metadata = {0};
    ani_text_print(&metadata, "{\"keras_version\": \"%s\"}", new_version);
    ani_keras_print_config(&d->config, &d->outs, ANI_KERAS_3);
    an_status st = check_text(&metadata, err);
    if (!st) st = check_text(&d->config, err);
    if (!st) st = ani_zip_add(&zip, "metadata.json", put_text, &metadata, err);
    if (!st) st = ani_zip_add(&zip, "config.json", put_text, &d->config, err);
    if (!st) st = ani_zip_add(&zip, "model.weights.h5", put_hdf5, &d->hdf5, err);
    if (!st) st = ani_zip_end(&zip, err);
    ani_zip_clear(&zip);
    ani_text_clear(&metadata);
    return st;
}

an_status ani_keras_write(const an_arrays *arrays, const an_model *model, const char *path,
                          const an_export_options *options, an_error *err) {
    ani_writer *writer = NULL;
    an_status st = AN_OK;
    draft *d = ani_alloc_zero(1, sizeof *d);
    if (!d) {
        st = ani_fail_memory(err, sizeof *d, "a Keras file");
        goto done;
    }
    d->arrays = arrays;
    st = ani_keras_list(&d->outs, ani_net_spec_of(ani_model_net(model)), ani_model_facts_of(model),
                        options->include_scale != 0, err);
    print_facts(d);
    if (!st) st = check_text(&d->facts, err);
    if (!st)
        st = options->format == AN_EXPORT_KERAS_H5 ? describe_model(d, err)
                                                   : describe_weights(d, err);
    if (!st) st = ani_writer_begin(&writer, path, err);
    if (st) goto done;
    st = options->format == AN_EXPORT_KERAS_ARCHIVE
             ? write_archive(d, writer, err)
             : ani_hdf5_write(&d->hdf5, ani_writer_put, writer, err);
    if (st) goto done;
    st = ani_writer_commit(writer, err);
    writer = NULL;
done:
    ani_writer_abort(writer);
    if (d) {
        ani_hdf5_clear(&d->hdf5);
        ani_text_clear(&d->config);
        ani_text_clear(&d->facts);
    }
    ani_free(d);
    return st;
}
