/* SPDX-License-Identifier: MIT
 * Aligned memory from the C library and arenas from the kernel. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fault.h"

enum { HUGE_PAGE = 2 << 20 };

void *ani_alloc(int64_t size) {
    int64_t rounded;
    if (!ani_add_size(size, ANI_ALIGNMENT - 1, &rounded)) return NULL;
    if (ani_fault_check(ANI_FAULT_ALLOC)) return NULL;
    rounded &= ~(int64_t)(ANI_ALIGNMENT - 1);
    return aligned_alloc(ANI_ALIGNMENT, (size_t)(rounded ? rounded : ANI_ALIGNMENT));
}

void *ani_alloc_zero(int64_t count, int64_t size) {
    int64_t bytes;
    if (!ani_mul_size(count, size, &bytes)) return NULL;
    void *memory = ani_alloc(bytes);
    if (memory) memset(memory, 0, (size_t)bytes);
    return memory;
}

void *ani_realloc(void *old, int64_t old_size, int64_t new_size) {
    /* realloc() would lose the alignment. */
    void *memory = ani_alloc(new_size);
    if (!memory) return NULL;
    if (old) memcpy(memory, old, (size_t)(old_size < new_size ? old_size : new_size));
    ani_free(old);
    return memory;
}

char *ani_strdup(const char *text) {
    if (!text) return NULL;
    const size_t size = strlen(text) + 1;
    char *copy = ani_alloc((int64_t)size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

void ani_free(void *memory) {
    free(memory);
}

/* mmap() sizes and addresses are rounded to huge pages, so that the kernel can use huge pages from
 * the start. */
static bool large_extent(int64_t size, size_t *extent) {
    int64_t rounded;
    if (size < 0 || !ani_add_size(size ? size : 1, HUGE_PAGE - 1, &rounded)) return false;
    *extent = (size_t)(rounded & ~(int64_t)(HUGE_PAGE - 1));
    return true;
}

void *ani_alloc_large(int64_t size) {
    size_t extent;
    if (!large_extent(size, &extent) || extent > SIZE_MAX - HUGE_PAGE) return NULL;
    if (ani_fault_check(ANI_FAULT_ALLOC)) return NULL;
    uint8_t *mapped =
        mmap(NULL, extent + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return NULL;
    uint8_t *start = (uint8_t *)(((uintptr_t)mapped + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    if (start > mapped) munmap(mapped, (size_t)(start - mapped));
    const size_t behind = (size_t)(mapped + HUGE_PAGE - start);
    if (behind) munmap(start + extent, behind);
    /* These are only hints: the memory works without them. The tail that does not fill a huge page
     * should not take one, since a network has several small arenas. */
    const size_t whole = (size_t)size & ~(size_t)(HUGE_PAGE - 1);
    if (whole) madvise(start, whole, MADV_HUGEPAGE);
    if (extent > whole) madvise(start + whole, extent - whole, MADV_NOHUGEPAGE);
    return start;
}

void ani_free_large(void *memory, int64_t size) {
    size_t extent;
    if (memory && large_extent(size, &extent)) munmap(memory, extent);
}
