/* SPDX-License-Identifier: MIT
 * Release, features and ISA level of the library that is running. */
#include "library_info.h"

#include "console.h"

#include <stdio.h>

static const char *const features[] = {"blas", "cuda", "curl", "hdf5",
                                       "live", "mpi",  "nccl", "plot"};
enum { FEATURES = sizeof features / sizeof *features };

static void print_features(const char *title, int32_t is_built) {
    printf("%s", title);
    int count = 0;
    for (int i = 0; i < FEATURES; i++)
        if (an_has_feature(features[i]) == is_built) count += printf(" %s", features[i]) > 0;
    printf("%s\n", count ? "" : " none");
}

int library_info_print(const char *name) {
    an_error err;
    an_backend *backend = NULL;
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.threads = 1;
    printf("%s: libattractivenet %s, ABI %d\n", name, an_version(), (int)an_abi());
    print_features("features:", 1);
    print_features("not built in:", 0);
    if (an_backend_create(&backend, &options, &err)) return complain(&err);
    printf("ISA level: %s\n", an_backend_level(backend));
    an_backend_destroy(backend);
    return 0;
}
