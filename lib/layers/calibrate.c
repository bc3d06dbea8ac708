/* SPDX-License-Identifier: MIT
 * Ranges of a network's values: measured, checked, kept. */
#include "layers/calibrate.h"

#include <math.h>
#include <string.h>

#include "backend/quant.h"
#include "base/memory.h"
#include "layers/net_state.h"

/* --- what a network goes by ------------------------------------------------------------------- */

const ani_calibrated *ani_net_calibrated(const ani_net *net) {
    return net->calibrated.ranges ? &net->calibrated : NULL;
}

int64_t ani_net_mean_count(const ani_net *net) {
    return 3 + net->channels;
}

/* Copy the weights and statistics of a unit to the host. */
static void read_unit(const ani_net *net, int32_t u, ani_infer_unit *unit, float *host) {
    const ani_net_unit *from = &net->units[u];
    const ani_net_array *const arrays[] = {from->kernel, from->gamma, from->beta, from->moving_mean,
                                           from->moving_variance};
    const float *places[5];
    for (int32_t i = 0; i < 5; i++) {
        places[i] = host;
        ani_net_read_array(net, arrays[i], host);
        host += arrays[i]->count;
    }
    unit->w = places[0];
    unit->bn = (ani_bn){.gamma = places[1], .beta = places[2], .epsilon = net->spec.epsilon};
    unit->bn.moving_mean = host - 2 * from->spec.cout;
    unit->bn.moving_variance = host - from->spec.cout;
}

/* Check it against the weights. */
static an_status check(const ani_net *net, const ani_calibrated *calibrated, an_error *err) {
    ani_infer_unit *units = NULL;
    float *host = NULL;
    int64_t most = 0;
    for (int32_t u = 0; u < net->spec.unit_count; u++) {
        const int64_t count = net->units[u].kernel->count + 4 * net->units[u].spec.cout;
        most = count > most ? count : most;
    }
    an_status st = ani_quant_check_means(calibrated, ani_net_mean_count(net), err);
    if (!st) st = ani_net_infer_units(net, &units, err);
    if (st) goto done;
    host = ani_alloc_zero(most, sizeof *host);
    if (!host) {
        st = ani_fail_memory(err, most * (int64_t)sizeof *host, "weights to check");
        goto done;
    }
    for (int32_t u = 0; !st && u < net->spec.unit_count; u++) {
        read_unit(net, u, &units[u], host);
        st = ani_quant_check_unit(&units[u], u, calibrated->ranges, err);
    }
done:
    ani_free(host);
    ani_free(units);
    return st;
}

an_status ani_net_calibrate(ani_net *net, const ani_calibrated *calibrated, an_error *err) {
    const int64_t count = (int64_t)net->spec.unit_count + 1, means = ani_net_mean_count(net);
    an_status st = check(net, calibrated, err);
    if (st) return st;
    ani_range *ranges = ani_alloc_zero(count, sizeof *ranges);
    float *mean = ani_alloc_zero(means, sizeof *mean);
    if (!ranges || !mean) {
        ani_free(ranges);
        ani_free(mean);
        return ani_fail_memory(err, means * (int64_t)sizeof *mean, "a calibration");
    }
    memcpy(ranges, calibrated->ranges, (size_t)count * sizeof *ranges);
    memcpy(mean, calibrated->means, (size_t)means * sizeof *mean);
    ani_net_forget_ranges(net);
    pthread_mutex_lock(&net->lock);
    net->calibrated = (ani_calibrated){ranges, mean};
    pthread_mutex_unlock(&net->lock);
    ani_net_set_inference(net, AN_INFERENCE_INT8);
    return AN_OK;
}

/* --- measuring -------------------------------------------------------------------------------- */

struct ani_calibration {
    int64_t images, images_before;
    int64_t count;     /* doubles in ends and means */
    double (*ends)[2]; /* [units + 1]: smallest and largest values */
    double *means;     /* sums of each channel's means; they follow ends */
    double *before;    /* [count]: both, as they were before the call that adds images */
    float *channels;   /* [widest]: means of the current value */
};

typedef struct observer {
    ani_net *net;
    ani_calibration *calibration;
    double *means; /* of the next unit */
} observer;

static void observe(void *user, int32_t unit, const float *z, const ani_lazy *value) {
    (void)z;
    observer *o = user;
    const ani_net_unit *u = &o->net->units[unit];
    an_backend *backend = o->net->backend;
    const int64_t pixels = u->oh * u->ow, c = u->spec.cout;
    double *ends = o->calibration->ends[unit + 1];
    float *channels = o->calibration->channels;
    ani_range range;
    backend->ops->value_range(backend, pixels, c, value, &range);
    ends[0] = fmin(ends[0], range.low);
    ends[1] = fmax(ends[1], range.high);
    /* a: room for one number per channel, used only in backward runs */
    backend->ops->pool_forward(backend, 1, pixels, c, value, u->a);
    backend->ops->read(backend, channels, u->a, c * (int64_t)sizeof *channels);
    for (int64_t i = 0; i < c; i++)
        *o->means++ += channels[i];
}

an_status ani_calibration_create(ani_calibration **out, const ani_net *net, an_error *err) {
    const int64_t count = (int64_t)net->spec.unit_count + 1, means = ani_net_mean_count(net);
    *out = NULL;
    ani_calibration *calibration = ani_alloc_zero(1, sizeof *calibration);
    if (!calibration) return ani_fail_memory(err, sizeof *calibration, "a calibration");
    calibration->count = 2 * count + means;
    double *measured = ani_alloc_zero(calibration->count, sizeof *measured);
    calibration->ends = (double(*)[2])measured;
    calibration->before = ani_alloc_zero(calibration->count, sizeof *calibration->before);
    calibration->channels = ani_alloc_zero(net->widest, sizeof *calibration->channels);
    if (!measured || !calibration->before || !calibration->channels) {
        ani_calibration_destroy(calibration);
        return ani_fail_memory(err, means * (int64_t)sizeof(double), "a calibration");
    }
    calibration->means = measured + 2 * count;
    *out = calibration;
    return AN_OK;
}

void ani_calibration_destroy(ani_calibration *calibration) {
    if (!calibration) return;
    ani_free(calibration->ends);
    ani_free(calibration->before);
    ani_free(calibration->channels);
    ani_free(calibration);
}

int64_t ani_calibration_images(const ani_calibration *calibration) {
    return calibration->images;
}

an_status ani_calibration_add(ani_calibration *calibration, ani_net *net, const float *x, int64_t n,
                              an_error *err) {
    const int64_t pixels = net->spec.height * net->spec.width;
    const size_t size = (size_t)calibration->count * sizeof *calibration->before;
    memcpy(calibration->before, calibration->ends, size);
    calibration->images_before = calibration->images;
    for (int64_t i = 0; i < n; i++, x += 3 * pixels) {
        observer o = {net, calibration, calibration->means + 3};
        an_status st = ani_net_inspect(net, x, 1, observe, &o, err);
        if (st) { /* either all images are added, or none */
            memcpy(calibration->ends, calibration->before, size);
            calibration->images = calibration->images_before;
            return st;
        }
        for (int64_t k = 0; k < 3 * pixels; k++)
            calibration->means[k % 3] += x[k] / (double)pixels;
        calibration->images++;
    }
    return AN_OK;
}

/* The range of a unit's value: it contains 0, and is not empty if all values were the same. */
static ani_range range_of(const double ends[2], int32_t relu6) {
    ani_range range = {relu6 ? 0 : (float)ends[0], (float)ends[1]};
    if (range.high - range.low < 1e-3f) range.high = range.low + 1e-3f;
    return range;
}

/* A sum and what is added to it get one range, so that their codes have the same steps: adding
 * codes then rounds nothing (backend/quant.c). A value after ReLU6 keeps its own. */
static void join_ranges(const ani_net *net, ani_range *ranges) {
    for (int32_t pass = 0; pass < 2; pass++) /* to the first value of a chain, and back */
        for (int32_t i = 0; i < net->spec.unit_count; i++) {
            const int32_t u = pass ? i : net->spec.unit_count - 1 - i;
            const int32_t added = net->units[u].spec.residual;
            if (added == ANI_INPUT || net->units[added].spec.relu6) continue;
            ani_range *a = &ranges[added + 1], *b = &ranges[u + 1];
            a->low = b->low = fminf(a->low, b->low);
            a->high = b->high = fmaxf(a->high, b->high);
        }
}

an_status ani_calibration_finish(const ani_calibration *calibration, ani_net *net, ani_range image,
                                 an_error *err) {
    const int32_t count = net->spec.unit_count;
    const int64_t means = ani_net_mean_count(net), images = calibration->images;
    an_status st = AN_OK;
    ani_range *ranges = ani_alloc_zero((int64_t)count + 1, sizeof *ranges);
    float *mean = ani_alloc_zero(means, sizeof *mean);
    if (!ranges || !mean) {
        st = ani_fail_memory(err, means * (int64_t)sizeof *mean, "a calibration");
        goto done;
    }
    ranges[0] = image;
    for (int32_t u = 0; u < count; u++)
        ranges[u + 1] = range_of(calibration->ends[u + 1], net->units[u].spec.relu6);
    join_ranges(net, ranges);
    for (int64_t i = 0; i < means; i++)
        mean[i] = (float)(calibration->means[i] / (double)images);
    const ani_calibrated calibrated = {ranges, mean};
    st = ani_net_calibrate(net, &calibrated, err);
done:
    ani_free(mean);
    ani_free(ranges);
    return st;
}
