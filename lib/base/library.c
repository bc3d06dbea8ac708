/* SPDX-License-Identifier: MIT
 * Loads libraries with dlopen() and fills a table with dlsym(). */
#include "base/library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(void *) == sizeof(void (*)(void)), "a table holds what dlsym gives");

int32_t ani_library_load(const char *const files[], const char *const names[], int32_t count,
                         void *table) {
    for (int32_t f = 0; files[f]; f++) {
        void *library = dlopen(files[f], RTLD_NOW | RTLD_LOCAL);
        int32_t found = 0;
        while (library && found < count) {
            void *function = dlsym(library, names[found]);
            if (!function) break;
            /* C does not define the conversion of an object pointer to a function pointer. */
            memcpy((char *)table + (size_t)found++ * sizeof function, &function, sizeof function);
        }
        if (found == count) return 1;
        memset(table, 0, (size_t)count * sizeof(void *));
        if (library) dlclose(library);
    }
    return 0;
}
