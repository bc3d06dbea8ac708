/* SPDX-License-Identifier: MIT
 * The pointwise convolution forward, in bfloat16: see pointwise.h. */
#include "backend/cuda/kernel/pointwise.h"

#include "backend/cuda/kernel/launch.h"

extern "C" int32_t ani_cuda_pointwise_forward_takes(const ani_unit_shape *s, int32_t element) {
    return ani_pw_takes(s, element);
}

extern "C" int64_t ani_cuda_pointwise_forward_scratch(const ani_unit_shape *s, int32_t element) {
    const int64_t own = ani_pw_scratch<false>(s->n * s->oh * s->ow, (int)s->cin, (int)s->cout);
    const int64_t other = ani_cuda_product_forward_scratch(s, element);
    return ani_most(own, other);
}

extern "C" int ani_cuda_pointwise_forward(const ani_unit_shape *s, const ani_unit_forward *args,
                                          unsigned *counters, cudaStream_t stream) {
    if (args->x.element != ANI_BFLOAT16) /* the image */
        return ani_cuda_product_forward(s, args, counters, stream);
    ani_pw a = {};
    a.first = args->x.z;
    a.p = args->x.scale;
    a.q = args->x.shift;
    a.w = args->w;
    a.to = args->y;
    a.rows = s->n * s->oh * s->ow;
    a.inner = (int32_t)s->cin;
    a.outer = (int32_t)s->cout;
    a.relu6 = args->x.relu6;
    a.moments = ani_moments_end_of(args->moments, args->bn);
    return ani_pw_launch<false>(a, ani_wants_moments(a.moments), args->scratch, counters, stream);
}
