/* SPDX-License-Identifier: MIT
 * A stranger's program, in the language that C and C++ share: the split of the tutorial, and an
 * error. */
#include <attractivenet/attractivenet.h>

#include <stdio.h>
#include <string.h>

enum { COUNT = 20 };

int main(void) {
    an_error err;
    int64_t indices[COUNT], n_train = 0, n_val = 0, n_test = 0;
    if (an_tutorial_split(COUNT, 42, indices, &n_train, &n_val, &n_test, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    if (n_train + n_val + n_test != COUNT) return 2;

    an_model *model = NULL;
    an_backend *backend = NULL;
    if (an_backend_create(&backend, NULL, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const an_status status = an_model_load(&model, backend, "no/such/model", NULL, &err);
    an_backend_destroy(backend);
    if (status != AN_ERR_IO || model || !strstr(err.message, "no/such/model")) {
        fprintf(stderr, "%s: %s\n", an_status_name(status), err.message);
        return 3;
    }
    printf("libattractivenet %s\n", an_version());
    return 0;
}
