/* SPDX-License-Identifier: MIT
 * The layouts in which Keras 2 and 3 keep weights in HDF5, turned into one list: LAYER/VARIABLE in
 * layer order. First all locations are collected, then sorted, then read. */
#include "io/keras.h"

#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/arrays.h"
#include "io/hdf5_file.h"
#include "io/zip.h"

enum {
    MAX_ARRAYS = 20000,
    MAX_DEPTH = 16,     /* of groups in a .weights.h5 */
    MAX_VISITS = 50000, /* groups visited there: hard links may form cycles */
    MAX_CHUNKS = 1000,  /* attributes that one list of names is split into */
    MAX_FACTS = 64      /* entries of the attribute ANI_KERAS_FACTS */
};

/* One array of the file on its way into the list. */
typedef struct place {
    char *path; /* in the file */
    char *layer;
    char *variable;
    bool is_depthwise;   /* known to belong to a depthwise layer */
    bool is_known_class; /* is_depthwise is all there is to know */
    int64_t group;       /* order of the top-level layer */
    int64_t position;    /* order of the layer within it */
    int64_t sequence;    /* order in which the file names it */
} place;

typedef struct collection {
    ani_hdf5 *file;
    const char *name;               /* of the file, for messages */
    const ani_keras_config *config; /* NULL: none */
    place *places;
    int64_t count, capacity;
    int64_t visits;
    const char *container; /* name of a .weights.h5's groups of layers */
    int64_t class_number;  /* in a .weights.h5: counts the classes of layers as they come */
    bool is_counted;       /* a layer without a name of its own was given a numbered one */
    bool is_unordered;     /* the order of a nested model's layers is unknown */
    ani_text classes;      /* lines "CLASS COUNT", of a .weights.h5 */
} collection;

static void clear_collection(collection *all) {
    for (int64_t i = 0; i < all->count; i++) {
        ani_free(all->places[i].path);
        ani_free(all->places[i].layer);
        ani_free(all->places[i].variable);
    }
    ani_free(all->places);
    ani_text_clear(&all->classes);
}

/* Append a place and take ownership of its three texts, even on failure. */
static an_status add_place(collection *all, place new, an_error *err) {
    an_status st = AN_OK;
    if (!new.path || !new.layer || !new.variable) {
        st = ani_fail_memory(err, sizeof new, "an array's place");
        goto done;
    }
    if (all->count == MAX_ARRAYS) {
        st = ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' has over %d arrays", all->name, MAX_ARRAYS);
        goto done;
    }
    if (all->count == all->capacity) {
        const int64_t capacity = all->capacity ? 2 * all->capacity : 64;
        place *grown = ani_realloc(all->places, all->count * (int64_t)sizeof *grown,
                                   capacity * (int64_t)sizeof *grown);
        if (!grown) {
            st = ani_fail_memory(err, capacity * (int64_t)sizeof *grown, "places of arrays");
            goto done;
        }
        all->places = grown;
        all->capacity = capacity;
    }
    new.sequence = all->count;
    all->places[all->count++] = new;
    return AN_OK;
done:
    ani_free(new.path);
    ani_free(new.layer);
    ani_free(new.variable);
    return st;
}

static char *copy_part(const char *text, size_t size) {
    char *copy = ani_alloc((int64_t)size + 1);
    if (!copy) return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

/* Index of a layer in the config; -1 if there is no config or it lacks the layer. */
static int64_t config_position(const ani_keras_config *config, const char *layer) {
    return config ? ani_keras_config_find(config, layer) : -1;
}

/* --- the legacy layout: lists of names -------------------------------------------------------- */

/* Read attribute, or attribute0, attribute1, ... into which Keras splits a long list. */
static an_status read_list(collection *all, const char *path, const char *attribute,
                           ani_names *names, bool *found, an_error *err) {
    an_status st = ani_hdf5_texts(all->file, path, attribute, names, found, err);
    for (int chunk = 0; !st && (chunk == 0 ? !*found : true); chunk++) {
        char chunk_name[64];
        bool more;
        if (chunk == MAX_CHUNKS)
            return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s': the list '%s' has over %d parts",
                            all->name, attribute, MAX_CHUNKS);
        snprintf(chunk_name, sizeof chunk_name, "%s%d", attribute, chunk);
        st = ani_hdf5_texts(all->file, path, chunk_name, names, &more, err);
        if (st || !more) break;
        *found = true;
    }
    return st;
}

/* What a weight name says: "NAME/Conv1/kernel:0" is variable "kernel" of layer "Conv1". The layer
 * is empty if the name has no part before the variable. */
typedef struct weight_name {
    const char *layer, *variable;
    size_t layer_size, variable_size;
} weight_name;

static weight_name split_weight_name(const char *name) {
    weight_name parts = {.layer = name, .variable = name};
    const char *slash = strrchr(name, '/');
    if (slash) {
        parts.variable = slash + 1;
        const char *start = slash;
        while (start > name && start[-1] != '/')
            start--;
        parts.layer = start;
        parts.layer_size = (size_t)(slash - start);
    }
    parts.variable_size = strlen(parts.variable);
    const char *colon = strrchr(parts.variable, ':');
    if (colon && strspn(colon + 1, "0123456789") == strlen(colon + 1))
        parts.variable_size = (size_t)(colon - parts.variable);
    return parts;
}

/* Index of the model of that name among the layers of the outermost one; -1 if there is none. */
static int64_t find_model(const ani_keras_config *config, const char *name) {
    for (int64_t i = 0; config && i < config->model_count; i++)
        if (config->models[i].parent == 0 && !strcmp(config->models[i].name, name)) return i;
    return -1;
}

/* Do all weights have the names of layers of the config? */
static bool are_named(const ani_keras_config *config, const ani_names *names) {
    for (int64_t i = 0; i < names->count; i++) {
        const weight_name parts = split_weight_name(names->items[i]);
        bool is_known = parts.layer_size == 0;
        for (int64_t k = 0; k < config->count && !is_known; k++)
            is_known = strlen(config->layers[k].name) == parts.layer_size &&
                       !memcmp(config->layers[k].name, parts.layer, parts.layer_size);
        if (!is_known) return false;
    }
    return true;
}

/* Find the layers of a model's weights from their order alone: the trained ones come first, layer
 * by layer, then the others. layers [count] gets the index of each weight's layer; false if the
 * variables are not those of the config's layers in this order. */
static bool find_layers(const ani_keras_config *config, int64_t model, const ani_names *names,
                        int64_t *layers) {
    static const struct {
        int32_t kind;
        const char *name, *other; /* Keras 3 has a name of its own for one of them */
        size_t condition;         /* offset of the setting that must be true */
        bool is_moving;
    } variables[] = {
        {ANI_KERAS_CONV | ANI_KERAS_DENSE, "kernel", "kernel", 0, false},
        {ANI_KERAS_DEPTHWISE, "depthwise_kernel", "kernel", 0, false},
        {ANI_KERAS_CONV | ANI_KERAS_DEPTHWISE | ANI_KERAS_DENSE, "bias", "bias",
         offsetof(ani_keras_layer, use_bias), false},
        {ANI_KERAS_NORM, "gamma", "gamma", offsetof(ani_keras_layer, scale), false},
        {ANI_KERAS_NORM, "beta", "beta", offsetof(ani_keras_layer, center), false},
        {ANI_KERAS_NORM, "moving_mean", "moving_mean", 0, true},
        {ANI_KERAS_NORM, "moving_variance", "moving_variance", 0, true},
    };
    enum { VARIABLES = sizeof variables / sizeof *variables };
    int64_t at = 0;
    for (int64_t k = 0; k < 2 * config->count * VARIABLES; k++) {
        const bool is_first_pass = k < config->count * VARIABLES;
        const int64_t index = k / VARIABLES % config->count;
        const ani_keras_layer *layer = &config->layers[index];
        const int32_t v = (int32_t)(k % VARIABLES);
        int32_t has = 1;
        if (variables[v].condition)
            memcpy(&has, (const char *)layer + variables[v].condition, sizeof has);
        if (layer->model != model || !(layer->kind & variables[v].kind) || !has ||
            (layer->trainable && !variables[v].is_moving) != is_first_pass)
            continue;
        if (at == names->count) return false;
        const weight_name parts = split_weight_name(names->items[at]);
        const char *const both[] = {variables[v].name, variables[v].other};
        bool is_same = false;
        for (int i = 0; i < 2; i++)
            is_same = is_same || (strlen(both[i]) == parts.variable_size &&
                                  !memcmp(both[i], parts.variable, parts.variable_size));
        if (!is_same) return false;
        layers[at++] = index;
    }
    return at == names->count;
}

/* Are some layers of a nested model frozen and others not? The weights of the frozen ones then come
 * after the trained weights of the others, whatever the order of the layers. */
static bool is_partly_frozen(const ani_names *names) {
    bool has_split = false, has_whole = false, has_late = false, was_moving = false;
    weight_name before = {0};
    for (int64_t i = 0; i < names->count; i++) {
        const weight_name parts = split_weight_name(names->items[i]);
        const bool is_moving = !strncmp(parts.variable, "moving_", 7);
        const bool is_next = i == 0 || parts.layer_size != before.layer_size ||
                             memcmp(parts.layer, before.layer, parts.layer_size) != 0;
        if (is_moving && is_next) has_split = true;
        if (is_moving && !is_next && !was_moving) has_whole = true;
        if (!is_moving && is_next && has_split) has_late = true;
        before = parts;
        was_moving = is_moving;
    }
    return has_split && (has_whole || has_late);
}

static an_status collect_legacy_layer(collection *all, const char *base, const char *layer,
                                      int64_t group, an_error *err) {
    ani_names names = {0};
    int64_t *layers = NULL; /* by their order; NULL: by their names */
    bool found;
    an_status st = AN_OK;
    char *path = base[0] ? ani_path_join(base, layer) : ani_strdup(layer);
    if (!path) {
        st = ani_fail_memory(err, (int64_t)strlen(layer), "a path");
        goto done;
    }
    ani_hdf5_kind kind;
    st = ani_hdf5_look(all->file, path, &kind, err);
    if (st) goto done;
    if (kind != ANI_HDF5_GROUP) {
        st = ani_fail(err, AN_ERR_FORMAT, "'%s' lists the layer '%s' but has no such group",
                      all->name, layer);
        goto done;
    }
    st = read_list(all, path, "weight_names", &names, &found, err);
    if (st) goto done;
    if (!found) {
        st = ani_fail(err, AN_ERR_FORMAT, "'%s': layer '%s' has no list of weight_names", all->name,
                      layer);
        goto done;
    }
    /* A nested model keeps the names of its layers. A single layer is called what the layer list
     * calls it: within its group, Keras writes other names ("MODEL/dense/kernel",
     * "Conv1_1/kernel:0"). */
    const int64_t model = find_model(all->config, layer);
    bool is_nested = model >= 0;
    for (int64_t i = 1; i < names.count && !is_nested; i++) {
        const weight_name first = split_weight_name(names.items[0]);
        const weight_name other = split_weight_name(names.items[i]);
        is_nested = first.layer_size != other.layer_size ||
                    memcmp(first.layer, other.layer, first.layer_size) != 0;
    }
    if (model >= 0 && !are_named(all->config, &names)) {
        layers = ani_alloc(names.count * (int64_t)sizeof *layers);
        if (!layers) {
            st = ani_fail_memory(err, names.count * (int64_t)sizeof *layers, "layers");
            goto done;
        }
    }
    const bool has_order = layers && find_layers(all->config, model, &names, layers);
    if (is_nested && !has_order && (model < 0 || layers) && is_partly_frozen(&names))
        all->is_unordered = true;
    for (int64_t i = 0; i < names.count && !st; i++) {
        const weight_name parts = split_weight_name(names.items[i]);
        const bool is_inner = is_nested && parts.layer_size > 0;
        st = add_place(all,
                       (place){.path = ani_path_join(path, names.items[i]),
                               .layer = has_order  ? ani_strdup(all->config->layers[layers[i]].name)
                                        : is_inner ? copy_part(parts.layer, parts.layer_size)
                                                   : ani_strdup(layer),
                               .variable = copy_part(parts.variable, parts.variable_size),
                               .group = group},
                       err);
    }
done:
    ani_names_clear(&names);
    ani_free(layers);
    ani_free(path);
    return st;
}

static int compare_layer(const void *left, const void *right) {
    const place *a = left, *b = right;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    const int order = strcmp(a->layer, b->layer);
    if (order) return order;
    return a->sequence < b->sequence ? -1 : 1;
}

/* Give each layer its position within its group: the one in the config; layers that are not in it
 * follow, in the order in which the file first names them. */
static void set_positions(collection *all) {
    if (all->count == 0) return;
    qsort(all->places, (size_t)all->count, sizeof *all->places, compare_layer);
    for (int64_t i = 0; i < all->count; i++) {
        place *here = &all->places[i];
        const place *before = i > 0 ? here - 1 : NULL;
        if (before && before->group == here->group && !strcmp(before->layer, here->layer)) {
            here->position = before->position;
            here->is_depthwise = before->is_depthwise;
            here->is_known_class = before->is_known_class;
            continue;
        }
        const int64_t position = config_position(all->config, here->layer);
        here->is_known_class = position >= 0;
        here->position = position >= 0 ? position : (int64_t)MAX_ARRAYS + here->sequence;
        here->is_depthwise =
            position >= 0 && all->config->layers[position].kind == ANI_KERAS_DEPTHWISE;
    }
}

static an_status collect_legacy(collection *all, const char *base, an_error *err) {
    ani_names layers = {0};
    bool found;
    an_status st = read_list(all, base, "layer_names", &layers, &found, err);
    if (!st && !found)
        st = ani_fail(err, AN_ERR_FORMAT, "'%s' has no list of layer_names", all->name);
    for (int64_t i = 0; i < layers.count && !st; i++)
        st = collect_legacy_layer(all, base, layers.items[i], i, err);
    if (!st) set_positions(all);
    ani_names_clear(&layers);
    return st;
}

/* --- Keras 3 weights: numbered groups --------------------------------------------------------- */

/* The class and number in a group's name: "conv2d" is number 0, "conv2d_12" number 12. */
static int64_t split_number(const char *group, size_t *class_size) {
    const char *underscore = strrchr(group, '_');
    *class_size = strlen(group);
    if (!underscore || underscore == group) return 0;
    const size_t digits = strspn(underscore + 1, "0123456789");
    if (digits == 0 || digits > 6 || underscore[1 + digits] != '\0') return 0;
    *class_size = (size_t)(underscore - group);
    return strtol(underscore + 1, NULL, 10);
}

/* Keras 2.12 numbers a layer with weights twice and keeps the first number. */
static const char old_container[] = "_layer_checkpoint_dependencies";

static bool is_twice(const collection *all) {
    return all->container == old_container;
}

static bool has_weights(const ani_keras_config *config, int64_t model) {
    const int32_t kinds = ANI_KERAS_CONV | ANI_KERAS_DEPTHWISE | ANI_KERAS_NORM | ANI_KERAS_DENSE;
    for (int64_t i = 0; i < config->count; i++) {
        int64_t at = config->layers[i].model;
        while (at >= 0 && at != model)
            at = config->models[at].parent;
        if (at >= 0 && config->layers[i].kind & kinds) return true;
    }
    return false;
}

/* The layer of a config model that a numbered group with weights stands for: the one with that
 * number in its class. -1: unknown. */
static int64_t counted_position(const collection *all, int64_t model, const char *group) {
    const ani_keras_config *config = all->config;
    size_t size;
    int64_t left = split_number(group, &size);
    for (int64_t i = 0; config && i < config->count; i++) {
        if (config->layers[i].model != model ||
            !ani_keras_is_class(group, size, config->layers[i].class_name))
            continue;
        if (left == 0) return i;
        left -= is_twice(all) ? 2 : 1;
    }
    return -1;
}

/* The same for a group that is a model. */
static int64_t counted_model(const collection *all, int64_t parent, const char *group) {
    const ani_keras_config *config = all->config;
    size_t size;
    int64_t left = split_number(group, &size);
    int64_t only = -1, inner = 0;
    for (int64_t i = 1; config && i < config->model_count; i++) {
        if (config->models[i].parent != parent) continue;
        if (ani_keras_is_class(group, size, config->models[i].class_name)) {
            if (left == 0) return i;
            left -= is_twice(all) && has_weights(config, i) ? 2 : 1;
        }
        only = i;
        inner++;
    }
    return inner == 1 ? only : -1; /* whatever its class is called: formerly "Model" */
}

/* Name variable `index` of `count` in a layer of a class, as Keras 2 does; NULL: unknown. */
static const char *variable_name(const char *class_word, size_t size, int64_t index,
                                 int64_t count) {
    static const char *const plain[] = {"kernel", "bias"};
    static const char *const depthwise[] = {"depthwise_kernel", "bias"};
    static const char *const normalisation[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    static const char *const standard[] = {"mean", "variance", "count"};
    if (ani_keras_is_class(class_word, size, "BatchNormalization"))
        return count == 4 ? normalisation[index] : NULL;
    if (ani_keras_is_class(class_word, size, "Normalization"))
        return count == 3 ? standard[index] : NULL;
    if (count > 2) return NULL;
    if (ani_keras_is_class(class_word, size, "DepthwiseConv2D")) return depthwise[index];
    if (ani_keras_is_class(class_word, size, "Conv2D") ||
        ani_keras_is_class(class_word, size, "Dense"))
        return plain[index];
    return NULL;
}

/* The arrays of one layer: PARENT/vars/0, 1, ... */
static an_status collect_vars(collection *all, const char *path, const char *group, int64_t model,
                              bool in_head, an_error *err) {
    ani_names variables = {0}, names = {0};
    bool found;
    size_t class_size;
    an_status st = ani_hdf5_list(all->file, path, &variables, err);
    if (!st && variables.count == 0) goto done;
    if (!st) st = ani_hdf5_texts(all->file, path, "name", &names, &found, err);
    if (st) goto done;

    const int64_t number = split_number(group, &class_size);
    const int64_t behind =
        (1 + all->class_number) * INT64_C(10000000); /* all numbers are smaller */
    int64_t position = counted_position(all, model, group);
    const char *layer = group;
    if (names.count == 1 && names.items[0][0])
        layer = names.items[0];
    else if (position >= 0)
        layer = all->config->layers[position].name;
    else
        all->is_counted = true;
    if (all->config && config_position(all->config, layer) >= 0)
        position = config_position(all->config, layer);
    for (int64_t i = 0; i < variables.count && !st; i++) {
        char index[24]; /* the list is sorted by bytes, so look up by number */
        snprintf(index, sizeof index, "%lld", (long long)i);
        const char *variable = variable_name(group, class_size, i, variables.count);
        st = add_place(all,
                       (place){.path = ani_path_join(path, index),
                               .layer = ani_strdup(layer),
                               .variable = ani_strdup(variable ? variable : index),
                               .is_known_class = true,
                               .group = in_head,
                               .position = position >= 0 ? position : behind + number},
                       err);
    }
done:
    ani_names_clear(&variables);
    ani_names_clear(&names);
    return st;
}

/* Record how many layers of each class a group has: members are sorted, so those of one class are
 * adjacent. */
static void note_classes(collection *all, const ani_names *members) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t size, next_size;
    int64_t count = 0;
    for (int64_t i = 0; i < members->count; i++) {
        const char *member = members->items[i];
        const char *next = i + 1 < members->count ? members->items[i + 1] : "";
        split_number(member, &size);
        split_number(next, &next_size);
        count++;
        if (size == next_size && !memcmp(member, next, size)) continue;
        const bool is_class = size > 0 && size < 64 && strspn(member, letters) >= size;
        ani_text_print(&all->classes, "%.*s %lld\n", is_class ? (int)size : 1,
                       is_class ? member : "?", (long long)count);
        count = 0;
    }
}

/* Walk a group of layers: each member is a layer, with "vars", or a nested model, with such a
 * group. model: the index of the model in the config, -1 if unknown. */
static an_status collect_layers(collection *all, const char *path, int depth, int64_t model,
                                bool in_head, an_error *err) {
    ani_names members = {0};
    char *member = NULL, *inner = NULL, *vars = NULL;
    an_status st = AN_OK;
    if (depth > MAX_DEPTH) {
        st = ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' nests groups over %d deep", all->name,
                      MAX_DEPTH);
        goto done;
    }
    st = ani_hdf5_list(all->file, path, &members, err);
    if (st) goto done;
    note_classes(all, &members);
    /* Next to a nested model, the layers on the same level are the head. */
    bool has_nested = false;
    const char *before = "";
    size_t before_size = 0, class_size;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < members.count; i++) {
            ani_hdf5_kind kind;
            ani_free(member);
            ani_free(inner);
            ani_free(vars);
            inner = vars = NULL;
            member = ani_path_join(path, members.items[i]);
            if (member) inner = ani_path_join(member, all->container);
            if (member) vars = ani_path_join(member, "vars");
            if (!inner || !vars) {
                st = ani_fail_memory(err, (int64_t)strlen(path), "a path");
                goto done;
            }
            if (++all->visits > MAX_VISITS) {
                st = ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' has over %d groups", all->name,
                              MAX_VISITS);
                goto done;
            }
            st = ani_hdf5_look(all->file, pass == 0 ? inner : vars, &kind, err);
            if (!st && kind == ANI_HDF5_GROUP) {
                if (pass == 0) {
                    has_nested = true;
                    st = collect_layers(all, inner, depth + 1,
                                        counted_model(all, model, members.items[i]), in_head, err);
                } else {
                    split_number(members.items[i], &class_size);
                    if (class_size != before_size || memcmp(before, members.items[i], class_size))
                        all->class_number++;
                    before = members.items[i];
                    before_size = class_size;
                    st = collect_vars(all, vars, members.items[i], model, in_head || has_nested,
                                      err);
                }
            }
            if (st) goto done;
        }
    }
done:
    ani_names_clear(&members);
    ani_free(member);
    ani_free(inner);
    ani_free(vars);
    return st;
}

/* --- order and values ------------------------------------------------------------------------- */

static int variable_rank(const char *variable) {
    static const char *const order[] = {
        "kernel", "depthwise_kernel", "pointwise_kernel", "bias", "gamma",
        "beta",   "moving_mean",      "moving_variance"};
    int rank = 0;
    while (rank < (int)(sizeof order / sizeof order[0]) && strcmp(order[rank], variable) != 0)
        rank++;
    return rank;
}

static int compare_order(const void *left, const void *right) {
    const place *a = left, *b = right;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    if (a->position != b->position) return a->position < b->position ? -1 : 1;
    const int order = strcmp(a->layer, b->layer);
    if (order) return order;
    const int rank_a = variable_rank(a->variable), rank_b = variable_rank(b->variable);
    if (rank_a != rank_b) return rank_a < rank_b ? -1 : 1;
    return a->sequence < b->sequence ? -1 : 1;
}

static an_status read_place(an_arrays *arrays, const collection *all, const place *here,
                            an_error *err) {
    ani_hdf5_shape shape;
    ani_text name = {0};
    float *data;
    const char *variable = here->variable;
    an_status st = ani_hdf5_shape_of(all->file, here->path, &shape, err);
    if (st) goto done;
    /* Keras 3 calls the kernel of a depthwise layer "kernel". Its shape is [kh,kw,channels,1];
     * without a config, only the layer's name distinguishes it from a convolution with one
     * filter. */
    if (!strcmp(variable, "kernel") &&
        (here->is_depthwise || (!here->is_known_class && strstr(here->layer, "depthwise") &&
                                shape.rank == 4 && shape.lengths[3] == 1)))
        variable = "depthwise_kernel";
    ani_text_print(&name, "%s/%s", here->layer, variable);
    if (name.failed) {
        st = ani_fail_memory(err, name.size, "a name");
        goto done;
    }
    st = ani_arrays_append(arrays, name.bytes, shape.lengths, shape.rank, &data, err);
    if (st) goto done;
    st = ani_hdf5_read(all->file, here->path, data, err);
done:
    ani_text_clear(&name);
    return st;
}

static an_status read_places(an_arrays *arrays, collection *all, an_error *err) {
    an_status st = AN_OK;
    if (all->count == 0)
        return ani_fail(err, AN_ERR_FORMAT, "'%s' is a Keras file without any weights", all->name);
    qsort(all->places, (size_t)all->count, sizeof *all->places, compare_order);
    for (int64_t i = 0; i < all->count && !st; i++)
        st = read_place(arrays, all, &all->places[i], err);
    return st;
}

/* --- files ------------------------------------------------------------------------------------ */

/* Copy a text attribute into the metadata under the same name. */
static an_status copy_attribute(an_arrays *arrays, ani_hdf5 *file, const char *path,
                                const char *attribute, an_error *err) {
    ani_names texts = {0};
    bool found;
    an_status st = ani_hdf5_texts(file, path, attribute, &texts, &found, err);
    if (!st && texts.count == 1)
        st = an_arrays_set_metadata(arrays, attribute, texts.items[0], err);
    ani_names_clear(&texts);
    return st;
}

/* Copy what a file written by this library says about its model into the metadata. Keys that the
 * readers set themselves are left alone. */
static an_status copy_facts(an_arrays *arrays, ani_hdf5 *file, const char *name, an_error *err) {
    static const char *const own[] = {"layout", "keras_version", "model_config", "layer_classes",
                                      "layer_names"};
    ani_names texts = {0};
    json_t *json = NULL, *value;
    const char *key;
    bool found;
    an_status st = ani_hdf5_texts(file, "", ANI_KERAS_FACTS, &texts, &found, err);
    if (st || !found) goto done;
    if (texts.count == 1) json = json_loads(texts.items[0], JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json) || json_object_size(json) > MAX_FACTS) {
        st = ani_fail(err, AN_ERR_FORMAT,
                      "'%s': attribute '%s' is not a JSON object of up to %d texts", name,
                      ANI_KERAS_FACTS, MAX_FACTS);
        goto done;
    }
    json_object_foreach(json, key, value) {
        bool is_own = false;
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            is_own = is_own || !strcmp(key, own[i]);
        if (is_own || !json_is_string(value)) continue;
        st = an_arrays_set_metadata(arrays, key, json_string_value(value), err);
        if (st) break;
    }
done:
    json_decref(json);
    ani_names_clear(&texts);
    return st;
}

/* Read the config that orders the layers. A config that we do not understand is no reason to refuse
 * the weights: code that needs the config itself reads it again and gets the message. */
static an_status read_config(ani_keras_config **config, const char *json, an_error *err) {
    an_error why;
    *config = NULL;
    if (!json) return AN_OK;
    an_status st = ani_keras_config_read(config, json, &why);
    if (st == AN_ERR_NOMEM) return ani_fail(err, st, "%s", why.message);
    return AN_OK;
}

/* container: what the groups of layers of a .weights.h5 are called. */
static an_status find_layout(ani_hdf5 *file, const char *name, const char **layout,
                             const char **container, an_error *err) {
    static const char *const containers[] = {"layers", old_container};
    ani_names texts = {0};
    ani_hdf5_kind kind;
    bool found;
    *layout = "keras-model";
    an_status st = ani_hdf5_look(file, "model_weights", &kind, err);
    if (st || kind == ANI_HDF5_GROUP) goto done;
    *layout = "keras-weights";
    st = ani_hdf5_texts(file, "", "layer_names", &texts, &found, err);
    if (st || found) goto done;
    st = ani_hdf5_texts(file, "", "layer_names0", &texts, &found, err);
    if (st || found) goto done;
    *layout = "keras3-weights";
    for (int i = 0; i < 2; i++) {
        *container = containers[i];
        st = ani_hdf5_look(file, *container, &kind, err);
        if (st || kind == ANI_HDF5_GROUP) goto done;
    }
    st = ani_fail(
        err, AN_ERR_FORMAT,
        "'%s' is HDF5 but not a Keras file: it has neither model_weights nor layer_names nor "
        "layers",
        name);
done:
    ani_names_clear(&texts);
    return st;
}

an_status ani_keras_read_hdf5(an_arrays *arrays, const uint8_t *bytes, int64_t size,
                              const char *name, const char *config_json, an_error *err) {
    collection all = {.name = name};
    ani_keras_config *config = NULL;
    const char *layout;
    an_status st = ani_hdf5_open(&all.file, bytes, size, name, err);
    if (st) goto done;
    st = find_layout(all.file, name, &layout, &all.container, err);
    if (st) goto done;
    const bool is_model = !strcmp(layout, "keras-model");
    const char *base = is_model ? "model_weights" : "";
    st = an_arrays_set_metadata(arrays, "layout", layout, err);
    if (!st) st = copy_attribute(arrays, all.file, "", "keras_version", err);
    if (!st && !an_arrays_metadata(arrays, "keras_version"))
        st = copy_attribute(arrays, all.file, base, "keras_version", err);
    if (!st) st = copy_attribute(arrays, all.file, "", "model_config", err);
    if (!st) st = copy_facts(arrays, all.file, name, err);
    if (!st)
        st = read_config(
            &config, config_json ? config_json : an_arrays_metadata(arrays, "model_config"), err);
    if (st) goto done;
    all.config = config;
    st = !strcmp(layout, "keras3-weights") ? collect_layers(&all, all.container, 0, 0, false, err)
                                           : collect_legacy(&all, base, err);
    if (!st) st = read_places(arrays, &all, err);
    if (!st && all.classes.failed) st = ani_fail_memory(err, all.classes.size, "classes");
    if (!st && all.classes.size)
        st = an_arrays_set_metadata(arrays, "layer_classes", all.classes.bytes, err);
    if (!st && all.is_counted) st = an_arrays_set_metadata(arrays, "layer_names", "counted", err);
    if (!st && all.is_unordered) st = an_arrays_set_metadata(arrays, "layer_order", "unknown", err);
done:
    clear_collection(&all);
    ani_keras_config_free(config);
    ani_hdf5_close(all.file);
    return st;
}

/* Read a member of the archive; AN_ERR_FORMAT if it is missing, AN_ERR_UNSUPPORTED if it has over
 * most bytes. */
static an_status read_member(ani_zip *zip, const char *member, int64_t most, uint8_t **bytes,
                             int64_t *size, an_error *err) {
    const int64_t index = ani_zip_find(zip, member);
    if (index < 0 && ani_zip_find(zip, "model.weights.json") >= 0)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s' keeps its weights in several files; save it without max_shard_size",
                        ani_zip_path(zip));
    if (index < 0)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s' is a zip archive but not a .keras file: it has no '%s'",
                        ani_zip_path(zip), member);
    const int64_t found = ani_zip_member_at(zip, index)->size;
    if (found > most)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s': '%s' has %lld bytes; at most %lld are read",
                        ani_zip_path(zip), member, (long long)found, (long long)most);
    return ani_zip_read(zip, index, bytes, size, err);
}

/* metadata.json holds the version; if it is missing or has other contents, there is no version. */
static an_status read_version(an_arrays *arrays, ani_zip *zip, an_error *err) {
    uint8_t *bytes = NULL;
    int64_t size;
    json_t *json = NULL;
    an_status st = AN_OK;
    if (ani_zip_find(zip, "metadata.json") < 0) goto done;
    st = read_member(zip, "metadata.json", ANI_KERAS_MAX_CONFIG, &bytes, &size, err);
    if (st) goto done;
    json = json_loadb((const char *)bytes, (size_t)size, 0, NULL);
    const char *version = json_string_value(json_object_get(json, "keras_version"));
    if (version) st = an_arrays_set_metadata(arrays, "keras_version", version, err);
done:
    json_decref(json);
    ani_free(bytes);
    return st;
}

an_status ani_keras_read_archive(an_arrays *arrays, ani_file *file, an_error *err) {
    const char *path = ani_file_path(file);
    const int64_t max_weights = INT64_C(2) << 30; /* twice those of the widest network */
    ani_zip *zip = NULL;
    uint8_t *config = NULL, *weights = NULL;
    int64_t config_size, weights_size;
    an_extract_options caps;
    an_extract_options_init(&caps, sizeof caps);
    caps.max_member_bytes = max_weights;
    an_status st = ani_zip_open_file(&zip, file, &caps, err);
    if (st) goto done;
    st = read_member(zip, "model.weights.h5", max_weights, &weights, &weights_size, err);
    if (!st) st = read_member(zip, "config.json", ANI_KERAS_MAX_CONFIG, &config, &config_size, err);
    if (!st) st = read_version(arrays, zip, err);
    if (st) goto done;
    const char *json = (const char *)config;
    if ((int64_t)strlen(json) != config_size || !ani_is_utf8(json, config_size)) {
        st = ani_fail(err, AN_ERR_FORMAT, "'%s': config.json is not UTF-8 text", path);
        goto done;
    }
    st = an_arrays_set_metadata(arrays, "model_config", json, err);
    if (!st) st = ani_keras_read_hdf5(arrays, weights, weights_size, path, json, err);
    if (!st) st = an_arrays_set_metadata(arrays, "layout", "keras3-archive", err);
done:
    ani_free(weights);
    ani_free(config);
    ani_zip_close(zip);
    return st;
}
