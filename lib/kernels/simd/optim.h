/* SPDX-License-Identifier: MIT
 * Optimizers over flat arrays. */

ANI_INLINE void adam_vector(vec *w, vec g, vec *m, vec *v, float gradient_scale, float decay,
                            float m_rate, float v_rate, float alpha, float epsilon) {
    const vec slope = v_mul(g, v_set(gradient_scale));
    *w = v_sub(*w, v_mul(v_set(decay), *w));
    *m = v_fma(v_sub(slope, *m), v_set(m_rate), *m);
    *v = v_fma(v_sub(v_mul(slope, slope), *v), v_set(v_rate), *v);
    *w = v_sub(*w, v_div(v_mul(v_set(alpha), *m), v_add(v_sqrt(*v), v_set(epsilon))));
}

static void adam(float *w, const float *g, float *m, float *v, int64_t count, float gradient_scale,
                 float decay, float m_rate, float v_rate, float alpha, float epsilon) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec weight = v_load(w + i), first = v_load(m + i), second = v_load(v + i);
        adam_vector(&weight, v_load(g + i), &first, &second, gradient_scale, decay, m_rate, v_rate,
                    alpha, epsilon);
        v_store(w + i, weight);
        v_store(m + i, first);
        v_store(v + i, second);
    }
    const int64_t rest = count - i;
    if (!rest) return;
    vec weight = v_load_part(w + i, rest), first = v_load_part(m + i, rest);
    vec second = v_load_part(v + i, rest);
    adam_vector(&weight, v_load_part(g + i, rest), &first, &second, gradient_scale, decay, m_rate,
                v_rate, alpha, epsilon);
    v_store_part(w + i, weight, rest);
    v_store_part(m + i, first, rest);
    v_store_part(v + i, second, rest);
}

ANI_INLINE void sgd_vector(vec *w, vec g, vec *m, float rate, float momentum, int32_t nesterov) {
    const vec step = v_mul(v_set(rate), g);
    *m = v_sub(v_mul(v_set(momentum), *m), step);
    *w = v_add(*w, nesterov ? v_sub(v_mul(v_set(momentum), *m), step) : *m);
}

static void sgd(float *w, const float *g, float *m, int64_t count, float rate, float momentum,
                int32_t nesterov) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec weight = v_load(w + i), velocity = v_load(m + i);
        sgd_vector(&weight, v_load(g + i), &velocity, rate, momentum, nesterov);
        v_store(w + i, weight);
        v_store(m + i, velocity);
    }
    const int64_t rest = count - i;
    if (!rest) return;
    vec weight = v_load_part(w + i, rest), velocity = v_load_part(m + i, rest);
    sgd_vector(&weight, v_load_part(g + i, rest), &velocity, rate, momentum, nesterov);
    v_store_part(w + i, weight, rest);
    v_store_part(m + i, velocity, rest);
}
