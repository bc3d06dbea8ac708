# SPDX-License-Identifier: MIT
"""The mutants: what is broken where, why that is wrong, and which tests should notice.

m(NAME, FILE below lib, TEXT that occurs there once, replacement TEXT, WHY, TESTS in order). A test is one of
`meson test --list`; the closest first, since the first failure ends the run. Choose meaningful texts: a
formula lasts longer than the lines around it.
"""

MUTANTS = []


def m(name, file, find, put, why, *tests):
    MUTANTS.append(dict(name=name, file="lib/" + file, find=find, put=put, why=why, tests=list(tests)))


# --- kernels: plain C, which the other levels are compared with ------------------------------------------

m("c_depthwise_tap", "kernels/c/depthwise.c",
  "sum += x[r][(i * stride + k) * ANI_BLOCK + j] * w[(r * 3 + k) * ANI_BLOCK + j];",
  "sum += x[r][(i * stride + k) * ANI_BLOCK + j] * w[(k * 3 + r) * ANI_BLOCK + j];",
  "taps are transposed: rows and columns of a kernel swapped", "backend_units_c")
m("c_gradient_mask", "kernels/c/tensors.h",
  "value = ((y > 0) & (y < 6)) ? value : 0;",
  "value = y > 0 ? value : 0;",
  "ReLU6 passes the gradient above 6", "backend_units_c")
m("c_moments_square", "kernels/c/tensors.h",
  "square[i] += (double)distance * distance;",
  "square[i] += (double)distance;",
  "the second moment is not squared", "backend_units_c")
m("c_adam_epsilon", "kernels/c/optim.c",
  "w[i] -= alpha * m[i] / (sqrtf(v[i]) + epsilon);",
  "w[i] -= alpha * m[i] / sqrtf(v[i] + epsilon);",
  "Adam's epsilon is inside the root", "backend_entries_c")
m("c_infer_residual", "kernels/c/infer.c",
  "if (residual) start[q][j] += residual[at];",
  "if (residual) start[q][j] += residual[j];",
  "each row adds the residual of the first row", "backend_infer_c")
m("c_int8_code", "kernels/c/infer.c",
  "const float value = rintf(fmaf(residual, residual_scale, (float)sum * scale));",
  "const float value = floorf(fmaf(residual, residual_scale, (float)sum * scale));",
  "codes are rounded down", "backend_infer_c")
m("c_warp_weights", "kernels/c/warp.c",
  "const float only_right = right - both, only_down = down - both;",
  "const float only_right = right, only_down = down - both;",
  "weights of bilinear sampling do not sum to 1", "augment", "kernels_pixels_c")
m("c_halve_rounding", "kernels/c/resize.c",
  "const int32_t half = channels == 2 ? 1 + (sum >> 2 & 1) : 2;",
  "const int32_t half = channels == 2 ? 1 + (sum >> 2 & 1) : 1;",
  "halving rounds halves down", "golden_images", "kernels_pixels_c")
m("c_halve_even", "kernels/c/resize.c",
  "const int32_t half = channels == 2 ? 1 + (sum >> 2 & 1) : 2;",
  "const int32_t half = 2;",
  "halving two channels rounds halves up, OpenCV to even", "golden_images", "kernels_pixels_c")

# --- kernels: levels ------------------------------------------------------------------------------------

m("avx2_clip_low", "kernels/avx2/vec.h",
  "return _mm256_min_ps(_mm256_set1_ps(6), _mm256_max_ps(_mm256_setzero_ps(), a));",
  "return _mm256_min_ps(_mm256_set1_ps(6), a);",
  "ReLU6 does not clamp at 0", "kernels_levels_avx2")
m("avx2_pass_bound", "kernels/avx2/vec.h",
  "const vec below = _mm256_cmp_ps(y, high, _CMP_LT_OQ);",
  "const vec below = _mm256_cmp_ps(y, high, _CMP_LE_OQ);",
  "ReLU6 passes the gradient at exactly 6", "kernels_levels_avx2", "layers")
m("avx2_bfloat16_ties", "kernels/avx2/vec.h",
  "const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);",
  "const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x8000)), _mm256_setzero_si256()); (void)odd;",
  "bfloat16 rounds ties up instead of to even", "kernels_levels_avx2")
m("avx2_codes_order", "kernels/avx2/codes.h",
  "const ivec ordered = _mm256_permute4x64_epi64(words, 0xd8);",
  "const ivec ordered = words;",
  "codes are stored in lane order", "kernels_infer_avx2")
m("avx2_resize_round", "kernels/avx2/pixels.c",
  "return _mm256_srai_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(2)), 2);",
  "return _mm256_srai_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(1)), 2);",
  "the last rounding of a resize is wrong", "kernels_pixels_avx2")
m("avx512_part_mask", "kernels/avx512/vec.h",
  "_mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), v);",
  "_mm512_mask_storeu_ps(to, (__mmask16)((2u << count) - 1), v);",
  "one float past the end is written", "kernels_levels_avx512")
m("avx512_double_halves", "kernels/avx512/vec.h",
  "_mm512_storeu_pd(sum + 8, _mm512_add_pd(_mm512_loadu_pd(sum + 8), high));",
  "_mm512_storeu_pd(sum + 8, _mm512_add_pd(_mm512_loadu_pd(sum + 8), low)); (void)high;",
  "sums of the upper half of a vector are those of the lower half", "kernels_levels_avx512")
m("vnni_negative", "kernels/avx512vnni/codes.h",
  "return _mm512_cvtusepi32_epi8(_mm512_max_epi32(a, _mm512_setzero_si512()));",
  "return _mm512_cvtusepi32_epi8(a);",
  "negative codes become 255", "kernels_infer_avx512vnni")
m("bf16_pair_order", "kernels/avx512bf16/vec.h",
  "return (vec)_mm512_cvtne2ps_pbh(high, low);",
  "return (vec)_mm512_cvtne2ps_pbh(low, high);",
  "pairs of columns are swapped", "kernels_pairs_avx512bf16")
m("simd_depthwise_second", "kernels/simd/depthwise.h",
  "second = v_fma(value[k + stride], taps[r * 3 + k], second);",
  "second = v_fma(value[k + 1], taps[r * 3 + k], second);",
  "the second of two columns ignores the stride", "kernels_levels_avx2")
m("simd_spread_tap", "kernels/simd/depthwise.h",
  "even = v_fma(before, taps[r * 3 + 2], even);",
  "even = v_fma(before, taps[r * 3 + 1], even);",
  "a tap of the input gradient with stride 2 is wrong", "kernels_levels_avx2")
m("simd_product_row", "kernels/simd/product_tile.h",
  "const vec value = v_broadcast(a + r * lda + i);",
  "const vec value = v_broadcast(a + r * lda + (i & ~7));",
  "a product reads every eighth element of a row", "kernels_levels_avx2")
m("simd_gradient_add", "kernels/simd/store.h",
  "if (add) value = v_add(value, rest ? e_load_part(add + i, rest) : e_load(add + i));",
  "if (add && !rest) value = v_add(value, e_load(add + i));",
  "the shortcut's gradient is lost in the last channels", "kernels_levels_avx2")
m("simd_adam_second", "kernels/simd/optim.h",
  "*v = v_fma(v_sub(v_mul(slope, slope), *v), v_set(v_rate), *v);",
  "*v = v_fma(v_sub(v_mul(slope, slope), *v), v_set(m_rate), *v);",
  "Adam's second moment uses the rate of the first", "backend_entries_avx2", "kernels_levels_avx2")
m("simd_infer_clip", "kernels/simd/infer_depthwise.h",
  "store_result(p->y, p->at, relu6 ? v_clip(sums[i]) : sums[i], halves);",
  "store_result(p->y, p->at, sums[i], halves);",
  "depthwise inference does not clamp", "kernels_infer_avx2")
m("simd_infer_segment", "kernels/simd/infer_product.h",
  "for (int64_t left = p->k; left > 0; left -= run, a += p->segment) {",
  "for (int64_t left = p->k; left > 0; left -= run, a += run) {",
  "the rows of a 3x3 window are read one after another", "kernels_infer_avx2")
m("simd_int8_residual", "kernels/simd/infer_int8.h",
  "sums[r][j] = v_round(v_fma(codes, factor, v_mul(v_of_ints(sums[r][j]), scale)));",
  "sums[r][j] = v_round(v_fma(codes, scale, v_mul(v_of_ints(sums[r][j]), scale))); (void)factor;",
  "the residual's codes have the scale of the sums", "kernels_infer_avx2")

# --- kernels: pixels ------------------------------------------------------------------------------------

m("resize_half_pixel", "kernels/resize.c",
  "const float place = (float)(((double)at + 0.5) * scale - 0.5);",
  "const float place = (float)((double)at * scale);",
  "resizing aligns corners instead of pixel centres", "golden_images")
m("resize_lower_row", "kernels/resize.c",
  "*lower = tap.index < last ? tap.index + 1 : last;",
  "*lower = *upper;",
  "rows are not interpolated", "golden_images")
m("warp_reflect", "kernels/warp.c",
  "return c >= n ? period - c - 1.0 : c;",
  "return c >= n ? period - c : c;",
  "reflection does not repeat the border pixel", "augment")
m("warp_wrap", "kernels/warp.c",
  "return c - last * trunc(c / last);",
  "return c - (last + 1.0) * trunc(c / (last + 1.0));",
  "wrapping has period n, SciPy's is n - 1", "augment")

# --- backend: the reference -----------------------------------------------------------------------------

m("ref_pad_side", "backend/ref/unit.c",
  "const int64_t ix = ox * s->stride + tap % width - s->pad_left;",
  "const int64_t ix = ox * s->stride + tap % width - s->pad_top;",
  "padding on the left is that at the top", "backend_units_c", "layers")
m("ref_bn_epsilon", "backend/ref/norm.c",
  "return 1 / sqrt(variance + bn->epsilon);",
  "return 1 / sqrt(variance + ANI_KERAS_EPSILON);",
  "batch norm has Keras' epsilon, whatever the network's", "backend_entries_c")
m("keras_bn_epsilon", "backend/backend.h",
  "#define ANI_KERAS_EPSILON 1e-3",
  "#define ANI_KERAS_EPSILON 1e-5",
  "batch norm's epsilon is that of other frameworks", "layers")
m("ref_bn_bessel", "backend/ref/norm.c",
  "const double unbiased = m2 / (double)(count > 1 ? count - 1 : 1);",
  "const double unbiased = m2 / (double)count;",
  "the moving variance lacks Bessel's correction", "backend_entries_c", "layers")
m("ref_bn_momentum", "backend/ref/norm.c",
  "bn->moving_mean[i] = (float)(momentum * bn->moving_mean[i] + (1 - momentum) * mean);",
  "bn->moving_mean[i] = (float)((1 - momentum) * bn->moving_mean[i] + momentum * mean);",
  "momentum is applied the wrong way round", "backend_entries_c", "layers")
m("ref_bn_mean_term", "backend/ref/norm.c",
  "c[i] = batch ? (float)(-factor * sum_g / (double)count - slope * bn->mean[i]) : 0;",
  "c[i] = batch ? (float)(-factor * sum_g / (double)count) : 0;",
  "batch norm's gradient ignores the mean of z", "backend_entries_c", "layers")
m("ref_adam_bias", "backend/ref/optim.c",
  "const double alpha = s->rate * sqrt(1 - pow(s->beta2, t)) / (1 - pow(s->beta1, t));",
  "const double alpha = s->rate; (void)t;",
  "Adam lacks bias correction", "optim", "golden_training")
m("ref_adamw_decay", "backend/ref/optim.c",
  "const double w = s->w[i] - s->w[i] * decay * s->rate;",
  "const double w = s->w[i] - s->w[i] * decay;",
  "AdamW's decay ignores the rate", "optim")
m("ref_nesterov", "backend/ref/optim.c",
  "s->w[i] = (float)(s->w[i] + (s->nesterov ? s->momentum * m - step : m));",
  "s->w[i] = (float)(s->w[i] + m);",
  "Nesterov's step is the plain one", "backend_entries_c")
m("ref_huber", "backend/ref/head.c",
  "return fabs(e) <= 1 ? 0.5 * e * e : fabs(e) - 0.5;",
  "return fabs(e) <= 1 ? 0.5 * e * e : fabs(e);",
  "Huber's loss jumps at 1", "layers")
m("ref_categorical_slope", "backend/ref/head.c",
  "dy[o] = (float)(weight * (exp(y[o] - largest) / sum * all - t[o]) / (double)of);",
  "dy[o] = (float)(weight * (exp(y[o] - largest) / sum * all - t[o]) / (double)(of * out));",
  "a categorical gradient is also averaged over outputs", "layers")
m("ref_loss_weight", "backend/ref/head.c",
  "const double weight = weights ? weights[i / out] : 1;",
  "const double weight = weights ? weights[i % n] : 1;",
  "an output takes another sample's weight", "backend_entries_c", "layers")
m("ref_categorical_weight", "backend/ref/head.c",
  "return weight * loss;",
  "return loss;",
  "the categorical loss has no weights, its gradient has", "backend_entries_c", "layers")
m("cpu_combine", "backend/cpu/elementwise.c",
  "job->b, job->y + first);",
  "job->b, job->y);",
  "sums of gradients beyond the first piece go to the wrong place", "backend_entries_c")
m("ref_mae_slope", "backend/ref/head.c",
  "*slope = e > 0 ? 1 : e < 0 ? -1 : e; /* NaN stays NaN */",
  "*slope = e;",
  "the gradient of MAE is that of half the square", "layers")
m("ref_binary_loss", "backend/ref/head.c",
  "return fmax(y, 0) - y * t + log1p(exp(-fabs(y)));",
  "return fmax(y, 0) - y * t + log1p(exp(-y));",
  "binary cross-entropy is wrong for negative logits", "layers")
m("ref_softmax", "backend/ref/head.c",
  "row[o] = (float)(exp(row[o] - largest) / sum);",
  "row[o] = (float)(exp(row[o]) / sum);",
  "softmax does not subtract the largest logit", "backend_entries_c")
m("ref_range_high", "backend/ref/norm.c",
  "if (value > high) high = value;",
  "if (value > high) high = fmin(value, 1);",
  "the range of a tensor ends at 1", "backend_entries_c")

# --- backend: cpu ---------------------------------------------------------------------------------------

m("cpu_depthwise_pad", "backend/cpu/depthwise.c",
  ".first = p.column * s->stride - s->pad_left,\n              .columns = (columns - 1) * s->stride + 3,\n              .next = p.row * s->stride - s->pad_top};\n    for (int64_t oy = p.row; oy < p.last_row; oy++) {",
  ".first = p.column * s->stride - s->pad_top,\n              .columns = (columns - 1) * s->stride + 3,\n              .next = p.row * s->stride - s->pad_top};\n    for (int64_t oy = p.row; oy < p.last_row; oy++) {",
  "depthwise padding on the left is that at the top", "backend_units_c")
m("cpu_join_delta", "backend/cpu/join.c",
  "m2[i] += part_m2[i] + delta * delta * factor;",
  "m2[i] += part_m2[i];",
  "the combined variance lacks the variance between parts", "backend_units_c")
m("cpu_moments_shift", "backend/cpu/join.c",
  "mean[i] = pivot[i] + shift;",
  "mean[i] = pivot[i];",
  "the mean is that of the first rows", "backend_units_c")
m("cpu_full_edge", "backend/cpu/full.c",
  "const int64_t c = s->cin, first = ani_max(-ix, 0), last = ani_min(s->w - ix, 3);",
  "const int64_t c = s->cin, first = ani_max(-ix, 0), last = ani_min(s->w - ix - 1, 3);",
  "the last column of the image counts as padding", "backend_units_c")
m("cpu_pool_mean", "backend/cpu/head.c",
  "job->y[n * job->c + channel + i] = (float)(sums[i] / (double)job->hw);",
  "job->y[n * job->c + channel + i] = (float)(sums[i] / (double)(job->hw + 1));",
  "pooling divides by one pixel too many", "layers")
m("cpu_pool_slope", "backend/cpu/head.c",
  "value[i] = (float)(job->dy[n * job->c + channel + i] / (double)job->hw);",
  "value[i] = job->dy[n * job->c + channel + i];",
  "the gradient of pooling is not that of a mean", "layers")
m("cpu_dense_bias", "backend/cpu/head.c",
  "sums[o] = job->b[first + o];",
  "sums[o] = job->b[o];",
  "outputs from the 65th on have the first ones' biases", "backend_entries_c")
m("cpu_adam_bias", "backend/cpu/elementwise.c",
  "job.alpha = (float)(step->rate * sqrt(1 - pow(step->beta2, t)) / (1 - pow(step->beta1, t)));",
  "job.alpha = (float)(step->rate * sqrt(1 - pow(step->beta2, t)) / (1 - pow(step->beta2, t)));",
  "Adam's bias correction of the first moment uses the second's beta", "backend_entries_c")
m("cpu_sgd_clip", "backend/cpu/elementwise.c",
  "job.alpha = (float)(step->rate * factor);",
  "job.alpha = (float)step->rate;",
  "SGD does not clip gradients", "backend_entries_c")
m("cpu_adamw", "backend/cpu/elementwise.c",
  "if (step->kind == AN_OPTIM_ADAMW) job.decay = (float)(step->rate * step->weight_decay);",
  "if (step->kind == AN_OPTIM_ADAM) job.decay = (float)(step->rate * step->weight_decay);",
  "Adam applies weight decay and AdamW does not", "backend_entries_c")
m("cpu_infer_channels", "backend/cpu/infer.c",
  "p->bias = (const float *)panels->bias + first;",
  "p->bias = (const float *)panels->bias;",
  "biases of later panels are those of the first", "backend_infer_c")

# --- backend: int8 --------------------------------------------------------------------------------------

m("quant_lost_mean", "backend/quant.c",
  "biases[j] += lost * mean_of(q, k, first + j);",
  "biases[j] -= lost * mean_of(q, k, first + j);",
  "the rounding error is subtracted twice", "quant")
m("quant_zero", "backend/quant.c",
  "codes.zero = ani_quant_code(&codes, 0);",
  "codes.zero = 0;",
  "padding has the lowest value and not 0", "quant")
m("quant_output_low", "backend/quant.c",
  "biases[j] += (q->residual ? q->residual->low : 0) - q->out->low;",
  "biases[j] += -q->out->low;",
  "the residual's lower bound is ignored", "quant")
m("quant_depthwise_mean", "backend/quant.c",
  "const double mean = q->means[s->kind == ANI_UNIT_DEPTHWISE ? j : k % s->cin];",
  "const double mean = q->means[s->kind == ANI_UNIT_DEPTHWISE ? 0 : k % s->cin];",
  "depthwise channels use the mean of the first", "quant")

# --- tensor, layers -------------------------------------------------------------------------------------

m("run_shortcut_gradient", "layers/run.c",
  "if (run->net->units[u].adder >= 0) store.add = store.dx;",
  "(void)0;",
  "the gradient of a shortcut is lost", "golden_training", "model")
m("run_statistics_bessel", "layers/run.c",
  "*variance++ += (double)n * moments[c + i] / (double)(rows > 1 ? rows - 1 : 1);",
  "*variance++ += (double)n * moments[c + i] / (double)rows;",
  "recomputed variances lack Bessel's correction", "statistics")
m("explain_mask", "layers/run.c",
  "if (run->map && run->map->unit == u && run->map->part == ANI_PART_VALUE) value.relu6 = 0;",
  "if (run->map && run->map->unit < 0) value.relu6 = 0;",
  "the gradient of an activation's maps has that activation's mask", "explain")
m("explain_gain", "layers/run.c",
  "if (gain) host[k] *= gains[k];",
  "if (gain) host[k] *= 1;",
  "the gradient of a convolution's maps is that of its batch norm", "explain")
m("run_moving", "layers/run.c",
  ".momentum = momentum, .update = momentum >= 0};",
  ".momentum = momentum, .update = momentum > 1};",
  "moving statistics are never updated", "golden_training")
m("run_cancel_statistics", "layers/run.c",
  """    if (st)
        restore_moving(&run, NULL);
    else if (run.batch)""",
  """    if (!st && run.batch)""",
  "a cancelled step leaves the moving statistics of its forward pass", "cancel")
m("trainer_cancel_place", "train/trainer.c",
  "} else if (!trainer->in_place && !ani_watch_stops(ani_trainer_watch(trainer))) {",
  "} else if (!trainer->in_place) {",
  "a cancelled epoch starts over, with changed weights", "cancel")
m("cancel_latch", "base/cancel.c",
  "if (atomic_load_explicit(&watch->seen, memory_order_relaxed)) return true;",
  "(void)0;",
  "a withdrawn request lets a call continue although parts were skipped", "cancel")
m("calibrate_cancel", "layers/calibrate.c",
  "memcpy(calibration->ends, calibration->before, size);",
  "(void)size;",
  "a cancelled call leaves some of its images in the calibration", "cancel")
m("run_frozen_by_batch", "layers/run.c",
  "if (!run->batch) refresh_running(run->net);",
  "(void)0;",
  "frozen batch norm uses old statistics", "model", "statistics", "layers")
m("calibrate_low", "layers/calibrate.c",
  "ends[0] = fmin(ends[0], range.low);",
  "ends[0] = range.low;",
  "a range is only that of the last image", "int8")
m("draw_fan", "layers/draw.c",
  "const double limit = sqrt(6 / (fan_in + fan_out));",
  "const double limit = sqrt(3 / (fan_in + fan_out));",
  "Glorot's limit of random weights is wrong", "model")

m("run_finetune_by_batch", "layers/run.c",
  "step->base == AN_BASE_TRAIN || step->base == AN_BASE_STATISTICS,",
  "step->base != AN_BASE_FROZEN,",
  "fine-tuning with moving statistics uses those of the batch", "model", "statistics", "trainer", "golden_training")
m("plan_lifetime", "layers/net_plan.c",
  "add_buffer(list, &run->g, rows, c, f, arrives, backward_step(net, root));",
  "add_buffer(list, &run->g, rows, c, f, arrives, backward_step(net, u) - 1);",
  "a gradient is overwritten before it is read", "plan", "model", "golden_training")
m("plan_same_time", "layers/plan.c",
  "return a->first <= b->last && b->first <= a->last;",
  "return a->first < b->last && b->first < a->last;",
  "buffers that meet in one step share memory", "plan")
m("plan_mixed", "layers/net_plan.c",
  "plan->element = ANI_BFLOAT16;",
  "plan->element = ANI_FLOAT32;",
  "mixed precision is fp32", "mixed")
m("model_trainable", "layers/model.c",
  "if (head || (all && !array->moving)) ours.trainable += array->count;",
  "if (head || all) ours.trainable += array->count;",
  "moving statistics count as trained", "golden_mobilenetv2", "model")
m("model_slices", "layers/model_run.c",
  "y ? y + i * spec->outputs : NULL",
  "y ? y + i : NULL",
  "scores of several outputs overlap from the 33rd image on", "model")
m("update_batch_norm_mean", "layers/run.c",
  "*mean++ += (double)n * moments[i];",
  "*mean++ += moments[i];",
  "recomputed means are not weighted by their images", "statistics")

# --- mobilenetv2 ----------------------------------------------------------------------------------------

m("mnv2_divisible", "mobilenetv2/build.c",
  "int64_t rounded = (int64_t)((value + 4) / 8) * 8;",
  "int64_t rounded = (int64_t)(value / 8) * 8;",
  "channels are rounded down to a multiple of 8", "golden_mobilenetv2")
m("mnv2_divisible_tenth", "mobilenetv2/build.c",
  "if ((double)rounded < 0.9 * value) rounded += 8;",
  "(void)0;",
  "channels may be 10 % fewer than requested", "golden_mobilenetv2")
m("mnv2_padding", "mobilenetv2/build.c",
  "const bool known = padding == AN_PADDING_FIXED;",
  "const bool known = padding != AN_PADDING_FIXED;",
  "the two paddings are swapped", "golden_mobilenetv2")
m("mnv2_last_alpha", "mobilenetv2/build.c",
  "alpha > 1 ? ani_mnv2_divisible(1280 * alpha) : 1280);",
  "ani_mnv2_divisible(1280 * alpha));",
  "the last layer shrinks with alpha", "golden_mobilenetv2")
m("mnv2_scale_tf", "dataset/scale.c",
  "return x / 127.5 - 1.0;",
  "return x / 128.0 - 1.0;",
  "the scale tf divides by 128", "golden_scale")
m("mnv2_scale_torch", "dataset/scale.c",
  "return (x / 255.0 - means[channel]) / deviations[channel];",
  "return (x / 255.0 - means[2 - channel]) / deviations[2 - channel];",
  "the scale torch takes BGR", "torch")
m("mnv2_symmetric", "mobilenetv2/build.c",
  "pads->stem = (ani_mnv2_pad){symmetric ? 1 : before(h), 1, symmetric ? 1 : before(w), 1};",
  "pads->stem = (ani_mnv2_pad){before(h), 1, before(w), 1};",
  "symmetric padding leaves out the first convolution", "torch")
m("mnv2_epsilon", "mobilenetv2/mobilenetv2.c",
  "b->epsilon = wanted > 0 ? wanted : found > 0 ? found : ANI_KERAS_EPSILON;",
  "b->epsilon = wanted > 0 ? wanted : ANI_KERAS_EPSILON;",
  "the file's epsilon is ignored", "torch")

m("weights_variables", "mobilenetv2/weights.c",
  "place[i + 1] = find_variable(arrays, &layer, norm_variables[i]);",
  "place[i + 1] = find_variable(arrays, &layer, norm_variables[i ^ 1]);",
  "matched by order, gamma and beta are swapped, and so are mean and variance", "weights", "keras")

# --- optim ----------------------------------------------------------------------------------------------

m("schedule_warmup", "optim/schedule.c",
  "const double done = (double)step / (double)o.warmup_steps;",
  "const double done = (double)(step + 1) / (double)o.warmup_steps;",
  "warm-up is one step ahead", "optim")
m("schedule_cosine", "optim/schedule.c",
  "const double cosine = 0.5 * (1 + cos(M_PI * done));",
  "const double cosine = cos(M_PI / 2 * done);",
  "a different curve with the same end points", "optim")
m("clip_norm", "backend/ref/optim.c",
  "step->squares ? sqrt(*step->squares) : 0;",
  "step->squares ? *step->squares : 0;",
  "gradients are clipped by the square of their norm", "optim")

m("moments_offset", "optim/optim.c",
  "step.m = optimizer->m + low;",
  "step.m = optimizer->m + (low - first);",
  "the head's first moments are those of other arrays", "optim", "checkpoint")
m("optimizer_steps", "optim/optim.c",
  "    ani_optimizer_set_steps(optimizer, steps);\n",
  "    (void)steps;\n",
  "a resumed optimizer corrects its bias as if it were new", "checkpoint")

# --- dataset --------------------------------------------------------------------------------------------

m("split_ceil", "dataset/split.c",
  "(int64_t)ceil(o->test_fraction * (double)count)",
  "(int64_t)floor(o->test_fraction * (double)count)",
  "the test part is rounded down", "golden_split", "split")
m("split_order", "dataset/split.c",
  "memcpy(train, order + n_test, (size_t)n_train * sizeof *order);",
  "memcpy(train, order, (size_t)n_train * sizeof *order);",
  "training and test overlap", "golden_split", "split")
m("split_seed", "dataset/split.c",
  "ani_mt19937_seed(&mt, o.seed);",
  "ani_mt19937_seed(&mt, 42);",
  "a split ignores its seed", "golden_split", "split")
m("split_second", "dataset/split.c",
  "indices[train + i] = rest_indices[places[i]];",
  "indices[train + i] = rest_indices[i];",
  "validation and test are not shuffled a second time", "split", "golden_split")
m("labels_overflow", "dataset/labels.c",
  "const double *values = labels->values + entry * outputs;",
  "const double *values = labels->values + entry;",
  "two labels with the same name are compared at the wrong offset", "labels")
m("table_quotes", "base/table.c",
  "if (*c == '\"') quoted = !quoted;",
  ";",
  "quoted separators count in the header of a table", "csv")
m("table_paths", "dataset/open.c",
  "return left == 0 || path[left - 1] == '/';",
  "return true;",
  "part of a folder's name in a table is enough", "csv")
m("classes_whole", "dataset/classes.c",
  "classes->is_fixed && !classes->has_whole",
  "classes->is_fixed",
  "an index is accepted although the name of a class is a number", "sources")
m("classes_move", "dataset/dataset.c",
  "d->class_of[to] = d->class_of[i];",
  "d->class_of[to] = d->class_of[to];",
  "classes stay behind when samples are left out", "sources")
m("pixels_scores", "dataset/dataset.c",
  "return dataset->scores[index * outputs + output];",
  "return dataset->scores[index + output];",
  "labels of several outputs are mixed up", "dataset")

# --- fixed batch norm -----------------------------------------------------------------------------------

m("fixed_dw_scale", "backend/cpu/join.c",
  "            dw[j] *= scale[j];\n",
  "",
  "the gradient of a weight lacks the factor by which it was folded", "backend_fixed_c")
m("fixed_dgamma_mean", "backend/cpu/join.c",
  "(dots[j] - bn->mean[first + j] * sum)",
  "dots[j]",
  "the gradient of gamma forgets the mean", "backend_fixed_c")
m("fixed_dgamma_scale", "backend/cpu/join.c",
  "if (fabsf(scale[j]) > 0x1p-60f) dots[j] /= scale[j];",
  "",
  "the gradient of gamma has the folded weights' factor", "backend_fixed_c")
m("fixed_shift_channel", "backend/cpu/depthwise.c",
  ".shift = fixed->bn->shift + channel,",
  ".shift = fixed->bn->shift,",
  "all blocks of channels are shifted as the first one", "backend_fixed_c")
m("fixed_residual_row", "backend/cpu/rows.c",
  "ani_element_at(fixed->residual, args->element, row * cout),",
  "ani_element_at(fixed->residual, args->element, 0),",
  "each tile adds the first rows of the residual", "backend_fixed_c")

# --- augment --------------------------------------------------------------------------------------------

m("order_epoch", "augment/order.c",
  "seed(first, order, epoch);",
  "seed(first, order, 0);",
  "each epoch has the same order", "loader")
m("order_unseeded", "augment/order.c",
  "ani_mt19937_seed(mt, (uint32_t)((uint64_t)order->options->seed + (uint64_t)steps_before));",
  "ani_mt19937_seed(mt, (uint32_t)steps_before);",
  "the order ignores the seed", "loader")
m("augment_order", "augment/transform.c",
  "if (o->shear != 0.0) t->shear = draw(n, -o->shear, o->shear);\n    if (has_zoom(o)) {\n        t->zx = draw(n, o->zoom_low, o->zoom_high);\n        t->zy = draw(n, o->zoom_low, o->zoom_high);\n    }",
  "if (has_zoom(o)) {\n        t->zx = draw(n, o->zoom_low, o->zoom_high);\n        t->zy = draw(n, o->zoom_low, o->zoom_high);\n    }\n    if (o->shear != 0.0) t->shear = draw(n, -o->shear, o->shear);",
  "zoom is drawn before shear", "augment")
m("augment_sign", "augment/transform.c",
  "{{c, -s, 0}, {s, c, 0}, {0, 0, 1}}",
  "{{c, s, 0}, {-s, c, 0}, {0, 0, 1}}",
  "rotation in the wrong direction", "augment")
m("augment_flip", "augment/transform.c",
  "t->flip_vertical = (draw(n, 0.0, 1.0) < 0.5) && o->vertical_flip;",
  "t->flip_vertical = o->vertical_flip && (draw(n, 0.0, 1.0) < 0.5);",
  "a disabled flip does not draw a number", "augment")
m("augment_centre", "augment/transform.c",
  "const double half = geometry == ANI_GEOMETRY_2020 ? 0.5 : -0.5;",
  "const double half = geometry == ANI_GEOMETRY_2020 ? 0.5 : 0.0;",
  "the centre is half a pixel off", "augment")
m("augment_shift_axes", "augment/transform.c",
  "out->tx = out->ty;\n    out->ty = height_shift;",
  "(void)height_shift;",
  "shifts are along the wrong axes in mode fast", "augment")
m("augment_sample_seed", "augment/loader.c",
  "b->options.seed, b->epoch, sample);",
  "b->options.seed, 0, sample);",
  "a sample is augmented in the same way in each epoch", "loader", "augment")
m("batches_left_out", "augment/loader.c",
  "s->samples[kept] = s->samples[k];",
  "(void)0;",
  "samples after a damaged one have another's number", "loader")
m("batches_left_out_weights", "augment/loader.c",
  "if (s->weights) s->weights[kept] = s->weights[k];",
  "(void)0;",
  "samples after a damaged one have another's weight", "loader_callback")
m("callback_goes_on", "augment/loader.c",
  "if (!st) b->filled++;",
  "b->filled++;",
  "a batch that a callback refused to fill is returned as it is", "loader_callback")
m("callback_values", "augment/callback.c",
  "while (i < count && x[i] >= low && x[i] <= high)",
  "while (i < count)",
  "floats on a different scale, or NaN, are used for training", "loader_callback")
m("callback_pixels", "augment/transform.c",
  "if (scaling->tables[256 * c + out[i + c]] != in[i + c]) return false;",
  "(void)0;",
  "floats between two pixels are rounded to one", "augment", "loader_callback")

# --- train ----------------------------------------------------------------------------------------------

m("early_delta", "train/decisions.c",
  "if (value + delta < state->best) {",
  "if (value < state->best) {",
  "any decrease counts as an improvement", "callbacks")
m("early_patience", "train/decisions.c",
  "state->wait >= state->patience && epoch > 0",
  "state->wait > state->patience && epoch > 0",
  "patience is one epoch longer", "callbacks")
m("early_first", "train/decisions.c",
  "state->wait >= state->patience && epoch > 0",
  "state->wait >= state->patience",
  "a run may stop after its first epoch", "callbacks")
m("checkpoint_equal", "train/decisions.c",
  "if (!(value < state->best)) return 0;",
  "if (value > state->best) return 0;",
  "an equal loss, or NaN, is saved as the best", "callbacks")
m("reduce_cooldown", "train/decisions.c",
  "state->cooldown_left = state->cooldown;",
  "state->cooldown_left = 0;",
  "no cooldown after the rate is reduced", "callbacks")
m("train_loss_mean", "train/trainer_steps.c",
  "place->loss_sum += *loss * (double)b->n;",
  "place->loss_sum += *loss;",
  "the loss of an epoch is not a mean over samples", "trainer")
m("train_monitor", "train/trainer.c",
  "const double value = trainer->val ? report->val_loss : report->loss;",
  "const double value = report->loss;",
  "callbacks watch the training loss", "trainer")
m("train_restore", "train/trainer.c",
  "if (options->restore_best && (early & AN_EARLY_KEEP)) st = keep_weights(trainer, err);",
  "if (options->restore_best) st = keep_weights(trainer, err);",
  "the last weights are restored as the best", "trainer")
m("train_schedule", "train/trainer_steps.c",
  "(int64_t)trainer->state.epoch * ani_trainer_updates(trainer, run->steps) + run->update;",
  "run->update;",
  "each epoch restarts the schedule", "trainer")
m("evaluate_mean", "train/evaluate.c",
  "loss /= (double)outputs;",
  "(void)0;",
  "a loss is a sum over outputs", "trainer", "layers", "misuse")
m("ranks_loss_of_own", "layers/run.c",
  "of = run->peers ? run->peers->images : n;",
  "of = n;",
  "each replica divides the loss by its own images", "replicas")
m("ranks_own_a_b_c", "layers/run.c",
  "    an_status st = run->peers->sums(run->peers->user, unit->sums, 2 * c, err);\n",
  "    an_status st = AN_OK;\n",
  "batch norm's backward step uses this replica's sums", "replicas", "golden_training")
m("ranks_gamma_of_all", "layers/run.c",
  "unit->sums, bn->bn, NULL, NULL,",
  "unit->sums, bn->bn, bn->dgamma, bn->dbeta,",
  "gradients of gamma and beta are counted once for each replica", "replicas", "golden_training")
m("ranks_moments_of_equal_parts", "train/ranks.c",
  "(double)(ranks->news[r].images * pixels));",
  "(double)pixels);",
  "moments of parts of different size are joined as if they were equal", "replicas")
m("loader_part_stream", "augment/loader.c",
  "for (int64_t i = -first; i < s->count; i++)",
  "for (int64_t i = 0; i < s->count; i++)",
  "a part of a batch draws the transforms of its first images", "loader")
m("evaluate_samples", "train/evaluate.c",
  "*loss_value = sums[1] > 0 ? sums[0] / sums[1] : NAN;",
  "*loss_value = sums[1] > 0 ? sums[0] / (double)an_loader_steps(loader) : NAN;",
  "a validation loss is the sum of a batch", "trainer")
m("resume_place", "train/state.c",
  "    NUMBER(place.loss_sum),\n",
  "",
  "a resumed epoch forgets the loss so far", "checkpoint")
m("events_crc", "train/events.c",
  "return (crc >> 15 | crc << 17) + 0xA282EAD8u;",
  "return (crc >> 17 | crc << 15) + 0xA282EAD8u;",
  "TensorBoard's checksum is rotated the wrong way", "callbacks")

m("train_gather", "train/trainer_features.c",
  "const int64_t row = f->rows[places[i]];",
  "const int64_t row = f->rows[i];",
  "the order of an epoch is not that of its features", "trainer")
m("train_validation_weights", "train/trainer.c",
  "if (trainer->val_features)",
  "if (trainer->val_features && trainer->train_features) { run->report.val_loss = run->report.loss; return AN_OK; }\n    if (trainer->val_features)",
  "the validation loss of features is the training's", "trainer")
m("events_validation", "train/events.c",
  "st = write_scalar(events, 1, step, \"epoch_loss\", report->val_loss, err);",
  "st = write_scalar(events, 1, step, \"epoch_loss\", report->loss, err);",
  "TensorBoard shows the training loss twice", "callbacks", "trainer")
m("history_columns", "train/history_csv.c",
  "const double values[] = {epoch.loss, epoch.val_loss, epoch.rate};",
  "const double values[] = {epoch.val_loss, epoch.loss, epoch.rate};",
  "columns of history.csv are swapped", "history")
m("history_second_fit", "train/history_csv.c",
  "report->stage = before->stage + (report->epoch > before->epoch ? 0 : 1);",
  "report->stage = before->stage;",
  "a second fit() in a Keras log counts as the same stage", "history")

# --- metrics --------------------------------------------------------------------------------------------

m("metrics_rmse", "metrics/metrics.c",
  "ours.rmse = sqrt(ours.mse);",
  "ours.rmse = ours.mse;",
  "RMSE is the MSE", "golden_metrics", "metrics")
m("metrics_mae", "metrics/metrics.c",
  "add(&distances, w * fabs(difference));",
  "add(&distances, w * difference);",
  "MAE lacks absolute values", "golden_metrics", "metrics")
m("metrics_r2", "metrics/metrics.c",
  "difference = p->truth[i] - mean_truth;",
  "difference = p->truth[i] - mean_prediction;",
  "R2 uses the mean of the predictions", "golden_metrics", "metrics")
m("metrics_weights", "metrics/metrics.c",
  "add(&spread, w * difference * difference);",
  "add(&spread, difference * difference);",
  "the variance of R2 is unweighted", "metrics")

# --- io -------------------------------------------------------------------------------------------------

m("exif_turn", "io/exif.c",
  "[5] = {false, false, true}, [6] = {false, true, true}, [7] = {true, true, true},\n        [8] = {true, false, true},",
  "[5] = {false, false, true}, [6] = {true, false, true}, [7] = {true, true, true},\n        [8] = {false, true, true},",
  "orientations 6 and 8 are swapped", "golden_images", "image")
m("jpeg_cmyk", "io/jpeg.c",
  "rgb[i] = (uint8_t)(cmyk[3] - (((255 - cmyk[i]) * cmyk[3]) >> 8));",
  "rgb[i] = (uint8_t)(cmyk[3] - (((255 - cmyk[i]) * cmyk[3]) / 255));",
  "a different rule for four components", "golden_images")
m("png_16_bit", "io/png.c",
  "if (png_get_bit_depth(png, info) == 16) png_set_strip_16(png);",
  "if (png_get_bit_depth(png, info) == 16) png_set_scale_16(png);",
  "16 bits are scaled instead of truncated", "golden_images")
m("png_passes", "io/png.c",
  "const int passes = png_set_interlace_handling(png);",
  "const int passes = png_set_interlace_handling(png) ? 1 : 1;",
  "only the first pass of an interlaced image is read", "golden_images")
m("safetensors_half", "io/safetensors.c",
  "{\"F16\", 2, convert_f16},\n    {\"BF16\", 2, convert_bf16}",
  "{\"F16\", 2, convert_bf16},\n    {\"BF16\", 2, convert_f16}",
  "the two kinds of half are swapped", "arrays")
m("safetensors_gap", "io/safetensors.c",
  "else if (sorted[i]->begin != place)",
  "else if (sorted[i]->begin < place)",
  "gaps between arrays are allowed", "arrays")
m("seal", "io/safetensors.c",
  "if (memcmp(found, digits, SEAL_DIGITS) != 0)",
  "if (memcmp(found, digits, 0) != 0)",
  "a damaged checkpoint is accepted", "checkpoint")
m("keras_variables", "io/keras.c",
  "{\"gamma\", \"beta\", \"moving_mean\", \"moving_variance\"};",
  "{\"beta\", \"gamma\", \"moving_mean\", \"moving_variance\"};",
  "Keras 3's gamma and beta are swapped", "keras")
m("keras_counted", "io/keras.c",
  "        if (left == 0) return i;\n        left -= is_twice(all) ? 2 : 1;",
  "        if (left == 0) return i;\n        left -= 2;",
  "the second layer of a class is not found by its number", "keras")
m("hdf5_chunk", "io/hdf5_array.c",
  "source = source * from->chunk[i] + at[i];",
  "source = source * from->shape.lengths[i] + at[i];",
  "chunks are read as if they were as wide as the array", "hdf5")
m("zip_crc", "io/unzip.c",
  "if (part < 0)",
  "if (part < 0 && done != member->size)",
  "damaged members are accepted", "zip", "unzip")
m("zip_behind", "io/unzip.c",
  "r->reached < data + member->packed)",
  "r->reached < data)",
  "any number of bytes may follow a member's stream", "zip")
m("zip_ratio", "io/zip.c",
  "member->method == ANI_ZIP_DEFLATED && zip->max_ratio > DEFLATE_RATIO_MAX",
  "zip->max_ratio > DEFLATE_RATIO_MAX",
  "bzip2 is limited to deflate's maximum ratio", "unzip")
m("zip_overlap", "io/zip.c",
  "if (least <= member->limit - member->offset) continue;",
  "if (member->packed <= member->limit - member->offset) continue;",
  "members may overlap by their headers", "zip")
m("sha256", "io/sha256.c",
  "(turn(a, 2) ^ turn(a, 13) ^ turn(a, 22))",
  "(turn(a, 2) ^ turn(a, 13) ^ turn(a, 23))",
  "the hash is not SHA-256", "base", "extract", "download", "checkpoint")
m("mt19937", "base/random.c",
  "const uint32_t y = (k[i] & 0x80000000u) | (k[(i + 1) % 624] & 0x7fffffffu);",
  "const uint32_t y = (k[i] & 0x80000000u) | (k[i] & 0x7fffffffu);",
  "the stream is not MT19937", "golden_split", "split")

m("hdf5_signed", "io/hdf5_array.c",
  "return (float)(int64_t)((bits ^ sign) - sign);",
  "return (float)(int64_t)bits;",
  "negative HDF5 integers become large positive ones", "hdf5")
m("utf8_surrogates", "base/text.c",
  "if (lead == 0xED && s[i + 1] >= 0xA0) return false;",
  "(void)0;",
  "surrogates count as UTF-8", "base")

# --- predict --------------------------------------------------------------------------------------------

m("frame_row_stride", "predict/frame.c",
  "const uint8_t *row = frame + (r->y + y) * frames->row_stride + as->pixel * r->x;",
  "const uint8_t *row = frame + (r->y + y) * as->pixel * frames->width + as->pixel * r->x;",
  "rows of a frame with gaps are read without them", "predict", "frames")
m("frame_stride", "predict/frame.c",
  "const uint8_t *frame = frames->first + index * frames->frame_stride;",
  "const uint8_t *frame = frames->first + index * frames->height * frames->row_stride;",
  "frames with gaps are read without them", "frames")
m("frame_size", "predict/frame.c",
  "frames->format == AN_FORMAT_RGB && r->height == reader->height &&",
  "frames->format == AN_FORMAT_RGB &&",
  "a frame of the right width is not resized", "predict")
m("frame_dense", "predict/frame.c",
  "(frames->frame_stride == row * r->height || frames->count == 1);",
  "(frames->row_stride == row || frames->count == 1);",
  "frames with gaps between them are predicted as if there were none", "frames")
m("frame_pair", "predict/frame.c",
  "return reader->row + 3 * (r->x - left);",
  "return reader->row;",
  "a region that begins at an odd YUV pixel begins one pixel early", "frames", "golden_frames")
m("frame_chroma_row", "predict/frame.c",
  "const int64_t chroma = frames->height + (r->y + y) / 2;",
  "const int64_t chroma = frames->height + r->y / 2 + y / 2;",
  "a region that begins at an odd NV12 row has the chroma of other rows", "frames", "golden_frames")
m("frame_batch", "predict/predictor.c",
  "found ? found + i * size : predictor->images",
  "found ? found : predictor->images",
  "from the 33rd frame on, the scores are those of the first", "frames")
m("resize_needs", "kernels/resize.c",
  "return r->seen == upper || r->seen == lower;",
  "return r->seen == upper;",
  "the lower of two rows is not read when rows are converted first", "frames", "golden_frames")
m("yuv_dark", "kernels/c/yuv.c",
  "(*luma > 16 ? *luma - 16 : 0)",
  "(*luma - 16)",
  "Y below 16 is darker than black", "golden_frames")
m("top_ties", "predict/top.c",
  "(scores[a] == scores[b] && a > b)",
  "(scores[a] == scores[b] && a < b)",
  "among equal scores, the higher class comes first", "frames")
m("predict_outputs", "predict/loader.c",
  "to[place * width + k] = batch[i * width + k];",
  "to[place * width + k] = batch[i * width];",
  "all outputs have the first one's score", "predict")
m("predict_calibrate", "predict/loader.c",
  "n = n < count - done ? n : count - done;",
  "(void)count;",
  "calibration uses more images than requested", "predict", "int8")

# --- wrong calls ------------------------------------------------------------------------------------------

m("batches_scale", "augment/loader.c",
  "if (an_loader_scale(loader) != info.scale)",
  "if (an_loader_scale(loader) == AN_SCALE_AUTO)",
  "batches of a different scale are accepted: a loss of 11.76 instead of 0.5", "misuse_train")
m("loss_of_task", "layers/loss.c",
  "const bool classes = task == AN_TASK_CLASSIFICATION;",
  "const bool classes = outputs > 1;",
  "the loss depends on the outputs, whatever the task", "misuse_model")
m("accumulate_shares", "layers/model_run.c",
  "st ? 1 : (double)before / all",
  "st ? 1 : 0.5",
  "the last of several batches counts as much as all earlier ones", "losses")
m("accumulate_rest", "train/trainer_steps.c",
  "if (!run->pending || run->broken) return AN_OK;",
  "if (!run->broken) return AN_OK;",
  "gradients that wait for a damaged image are lost", "losses")
m("accumulate_moving", "train/trainer_steps.c",
  "    ani_net_restore_moving(net, trainer->moving);\n",
  "",
  "an interrupted step of several batches leaves its moving statistics", "losses")
m("broken_moving", "layers/run.c",
  "    if (!st && run->guard) restore_moving(run, run->guard);\n",
  "",
  "a step whose loss is not finite leaves its moving statistics", "losses")
m("broken_late", "train/trainer_steps.c",
  "    if (run->is_late) ani_net_take_loss(net, &unused, NULL);\n    run->is_late = false;\n",
  "    (void)unused;\n",
  "the step after a broken one is counted", "losses")
m("guard_step", "optim/optim.c",
  "step.guard = guarded ? ani_net_guard(net) : NULL;",
  "step.guard = NULL;",
  "a step whose loss is not finite changes the weights", "losses")
m("own_loss_moving", "layers/run.c",
  "(net->watch.cancel || step->loss->fn || run->guard || run->peers);",
  "(net->watch.cancel || run->guard || run->peers);",
  "a cancelled loss function leaves the moving statistics of its batch", "losses")
m("copy_shares_for_ever", "layers/net.c",
  "if (!st && net->holders && atomic_load(net->holders) > 1) {",
  "if (!st && net->holders && atomic_load(net->holders) > 99) {",
  "a copy with shared weights is trained along with its model", "copy")
m("copy_packs_what_has_gone", "layers/net.c",
  "    ani_net_release_packed(net); /* it would be repacked from the old location of the weights */\n",
  "",
  "weights are packed from freed memory", "copy")
m("copy_inference", "layers/net.c",
  "if (!st) ani_net_set_inference(copy, ani_net_inference(net));",
  "",
  "a copy predicts in a different way from its model", "copy")
m("classes_by_count", "train/evaluate.c",
  "if (want && strcmp(found, want) != 0)",
  "if (want && !*found)",
  "a data set with its classes in a different order is used for training", "classes")
m("memory_ends", "base/file.c",
  "const int64_t left = offset < file->size ? file->size - offset : 0;",
  "const int64_t left = offset < file->size ? file->size : 0;",
  "a file in memory is read beyond its end", "bytes")
m("turns_own", "base/turns.c",
  "if (turns->taken && pthread_equal(turns->owner, mine.thread)) {",
  "if (turns->taken && !turns) {",
  "a loss function that saves its model waits forever", "losses")
m("evaluate_weights", "train/evaluate.c",
  "total += weights ? (double)weights[i] * loss : loss;",
  "total += loss;",
  "an evaluation ignores weights", "losses")
m("features_weights", "train/evaluate.c",
  "memcpy(rows->weights, weights, (size_t)*n * sizeof *weights);",
  "for (int64_t i = 0; weights && i < *n; i++) rows->weights[i] = 1;",
  "features of a frozen base lose their weights", "losses")
m("loss_auto", "layers/loss.c",
  "return outputs > 1 ? AN_LOSS_CATEGORICAL : AN_LOSS_BINARY;",
  "return AN_LOSS_CATEGORICAL;",
  "one output of a classification has a softmax", "losses")
m("evaluate_progress", "train/evaluate.c",
  "st = done(user, ani_loader_place(loader), an_loader_steps(loader), err);",
  "done(user, ani_loader_place(loader), an_loader_steps(loader), err);",
  "an evaluation ignores a request to stop", "losses")
m("null_with_a_count", "augment/loader.c",
  "if (!indices && count)",
  "if (!indices && count < 0)",
  "indices NULL with a count selects all samples", "misuse")
m("report_size", "base/options.c",
  "return size > sizeof size && size <= MAX_SIZE;",
  "return size <= MAX_SIZE;",
  "a report without struct_size is zeroed", "misuse")
m("calibration_of_old_weights", "layers/model_run.c",
  "if (ani_net_changes(model->net) == changes) return AN_OK;",
  "if (changes >= 0) return AN_OK;",
  "ranges for the previous weights are used for the current ones", "int8")
