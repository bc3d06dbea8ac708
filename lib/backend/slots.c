/* SPDX-License-Identifier: MIT
 * Each value takes the lowest free slot: a chain with shortcuts needs two or three. */
#include "backend/slots.h"

#include <stdbool.h>

static bool is_free(int32_t slot, int32_t step, const int32_t *last, const int32_t *slots) {
    for (int32_t i = 0; i < step; i++)
        if (slots[i] == slot && last[i] >= step) return false;
    return true;
}

int32_t ani_slots(int32_t count, const int32_t *last, int32_t *slots) {
    int32_t most = 0;
    for (int32_t i = 0; i < count; i++) {
        slots[i] = 0;
        for (int32_t slot = 0; !is_free(slot, i, last, slots); slot++)
            slots[i] = slot + 1;
        if (slots[i] >= most) most = slots[i] + 1;
    }
    return most;
}
