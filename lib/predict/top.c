/* SPDX-License-Identifier: MIT
 * The classes with the highest scores. The best so far form a heap with the worst of them first, so
 * that neither many classes nor many requested ones take long, and nothing is allocated. */
#include <attractivenet/predict.h>

#include <math.h>
#include <stdbool.h>

#include "base/error.h"

/* Equal scores are in class order. */
static bool is_worse(const float *scores, int32_t a, int32_t b) {
    return scores[a] < scores[b] || (scores[a] == scores[b] && a > b);
}

/* Put a class into the heap of count at a free position, or below it. */
static void sift(const float *scores, int32_t *heap, int32_t count, int64_t at, int32_t class) {
    for (int64_t below = 2 * at + 1; below < count; below = 2 * at + 1) {
        if (below + 1 < count && is_worse(scores, heap[below + 1], heap[below])) below++;
        if (is_worse(scores, class, heap[below])) break;
        heap[at] = heap[below];
        at = below;
    }
    heap[at] = class;
}

an_status an_top_classes(const float *scores, int32_t outputs, int32_t k, int32_t *classes,
                         an_error *err) {
    if (!scores || !classes)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", scores ? "classes" : "scores");
    if (outputs < 1)
        return ani_fail(err, AN_ERR_ARG, "outputs is %d; it must be 1 or more", (int)outputs);
    if (k < 1 || k > outputs)
        return ani_fail(err, AN_ERR_ARG, "k is %d; it must be 1 to the %d outputs", (int)k,
                        (int)outputs);
    for (int32_t i = 0; i < outputs; i++)
        if (isnan(scores[i]))
            return ani_fail(err, AN_ERR_ARG, "score %d is NaN, which cannot be ordered", (int)i);
    for (int32_t i = 0; i < k; i++)
        classes[i] = i;
    for (int32_t i = k / 2 - 1; i >= 0; i--)
        sift(scores, classes, k, i, classes[i]);
    for (int32_t i = k; i < outputs; i++)
        if (is_worse(scores, classes[0], i)) sift(scores, classes, k, 0, i);
    for (int32_t n = k - 1; n > 0; n--) { /* the worst of the remaining ones goes after them */
        const int32_t last = classes[n];
        classes[n] = classes[0];
        sift(scores, classes, n, 0, last);
    }
    return AN_OK;
}
