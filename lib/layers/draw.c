/* SPDX-License-Identifier: MIT
 * Random weights, as Keras' default initialisers distribute them. */
#include "layers/model.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

/* Source: Keras initializers, VarianceScaling(1, fan_avg, uniform): limit sqrt(6 / (fan_in +
 * fan_out)), the fans being the last two lengths times the kernel's area. */
static void glorot_uniform(const ani_net_array *array, float *values, ani_stream *stream) {
    const int32_t rank = array->rank;
    double area = 1;
    for (int32_t axis = 0; axis < rank - 2; axis++)
        area *= (double)array->shape[axis];
    const double fan_in = area * (double)array->shape[rank - 2];
    const double fan_out = area * (double)array->shape[rank - 1];
    const double limit = sqrt(6 / (fan_in + fan_out));
    for (int64_t i = 0; i < array->count; i++)
        values[i] = (float)ani_stream_uniform(stream, -limit, limit);
}

an_status ani_net_draw(ani_net *net, uint32_t seed, int64_t first, an_error *err) {
    int64_t largest = 0;
    for (int64_t i = first; i < ani_net_array_count(net); i++)
        if (ani_net_array_at(net, i)->count > largest) largest = ani_net_array_at(net, i)->count;
    float *values = ani_alloc_zero(largest, sizeof *values);
    if (!values) return ani_fail_memory(err, largest * (int64_t)sizeof *values, "random weights");
    for (int64_t i = first; i < ani_net_array_count(net); i++) {
        const ani_net_array *array = ani_net_array_at(net, i);
        ani_stream stream = ani_stream_begin(seed, 0, i);
        const char *variable = array->variable;
        const float fill = !strcmp(variable, "gamma") || !strcmp(variable, "moving_variance");
        if (array->rank > 1)
            glorot_uniform(array, values, &stream);
        else
            for (int64_t k = 0; k < array->count; k++)
                values[k] = fill;
        ani_net_write_array(net, array, values);
    }
    ani_free(values);
    return AN_OK;
}
