/* SPDX-License-Identifier: MIT
 * Loads and stores of vectors from and to tensors. A source file for bfloat16 defines
 * ANI_TENSOR_BFLOAT16 before it includes this: the templates that follow then use such tensors.
 * Numbers are first rounded by e_round(), which leaves floats unchanged; e_store() takes rounded
 * ones, so that the summed and stored values are the same. */
#include "kernels/kernels.h"

#ifdef ANI_TENSOR_BFLOAT16

enum { ELEMENT = ANI_BFLOAT16 };
typedef uint16_t element;

/* Without an instruction for it, rounding takes four registers for its constants. */
#ifdef ANI_NATIVE_BFLOAT16
enum { ROUNDS_BY_HAND = 0 };
#else
enum { ROUNDS_BY_HAND = 1 };
#endif

ANI_INLINE vec e_round(vec v) {
    return v_round_bfloat16(v);
}
/* Clamped, not rounded. */
ANI_INLINE vec e_clip(vec v) {
    return v_clip_bfloat16(v);
}
ANI_INLINE vec e_load(const element *from) {
    return v_load_bfloat16(from);
}
ANI_INLINE void e_store(element *to, vec v) {
    v_store_bfloat16(to, v);
}
/* Blocks and panels may be half lines here: non-temporal stores would write partial lines. Drivers
 * stream tiles of them (ani_cpu_streams_tiles). */
ANI_INLINE int can_stream(const element *pointer, int64_t stride) {
    (void)pointer;
    (void)stride;
    return 0;
}
ANI_INLINE void put(element *to, vec v, const int stream) {
    (void)stream;
    e_store(to, v);
}
ANI_INLINE vec e_load_part(const element *from, int64_t count) {
    return v_load_part_bfloat16(from, count);
}
ANI_INLINE void e_store_part(element *to, vec v, int64_t count) {
    v_store_part_bfloat16(to, v, count);
}

#else

enum { ELEMENT = ANI_FLOAT32, ROUNDS_BY_HAND = 0 };
typedef float element;

ANI_INLINE vec e_round(vec v) {
    return v;
}
ANI_INLINE vec e_clip(vec v) {
    return v_clip(v);
}
ANI_INLINE vec e_load(const element *from) {
    return v_load(from);
}
ANI_INLINE void e_store(element *to, vec v) {
    v_store(to, v);
}
/* Can all rows be written with non-temporal stores? They must be whole lines. */
ANI_INLINE int can_stream(const element *pointer, int64_t stride) {
    return ((uintptr_t)pointer | ((uintptr_t)stride * sizeof(element))) % 64 == 0;
}
ANI_INLINE void put(element *to, vec v, const int stream) {
    if (stream)
        v_stream(to, v);
    else
        v_store(to, v);
}
ANI_INLINE vec e_load_part(const element *from, int64_t count) {
    return v_load_part(from, count);
}
ANI_INLINE void e_store_part(element *to, vec v, int64_t count) {
    v_store_part(to, v, count);
}

#endif
