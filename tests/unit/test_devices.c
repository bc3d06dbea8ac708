/* SPDX-License-Identifier: MIT
 * Devices by name, the list of devices, and what is said when the CUDA library is missing, is of
 * another build, or finds no card. Fake libraries stand in for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <attractivenet/version.h>

#include "backend/backend.h"
#include "backend/cuda_load.h"
#include "support/backends.h"

static an_error error;

static an_status make(an_backend **out, const char *device) {
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.device = device;
    options.threads = 1;
    memset(&error, 0, sizeof error);
    return an_backend_create(out, &options, &error);
}

static void expect_refused(const char *device, an_status status, const char *part) {
    an_backend *backend = (an_backend *)&error;
    assert_int_equal(make(&backend, device), status);
    assert_null(backend);
    if (!strstr(error.message, part))
        fail_msg("'%s': the message is '%s', without '%s'", device, error.message, part);
}

static an_device_info describe(an_backend *backend) {
    an_device_info info;
    an_device_info_init(&info, sizeof info);
    if (an_backend_describe(backend, &info, &error)) fail_msg("%s", error.message);
    return info;
}

static void use(const char *name) {
    static char path[4096];
    const char *folder = getenv("AN_FAKE_CUDA_DIR");
    assert_non_null(folder);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ani_cuda_use(path);
}

static int use_installed(void **state) {
    (void)state;
    ani_cuda_use(NULL);
    return 0;
}

static void a_device_has_one_name(void **state) {
    (void)state;
    int32_t kind, index;
    static const struct {
        const char *text;
        int32_t kind, index;
    } known[] = {{NULL, ANI_DEVICE_CPU, 0},        {"cpu", ANI_DEVICE_CPU, 0},
                 {"ref", ANI_DEVICE_REF, 0},       {"auto", ANI_DEVICE_AUTO, 0},
                 {"cuda", ANI_DEVICE_CUDA, 0},     {"cuda:0", ANI_DEVICE_CUDA, 0},
                 {"cuda:12", ANI_DEVICE_CUDA, 12}, {"cuda:999", ANI_DEVICE_CUDA, 999}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        assert_int_equal(ani_device_parse(known[i].text, &kind, &index, &error), AN_OK);
        assert_int_equal(kind, known[i].kind);
        assert_int_equal(index, known[i].index);
    }
    static const char *const unknown[] = {"",
                                          "gpu",
                                          "CPU",
                                          "cuda:",
                                          "cuda:-1",
                                          "cuda:1 ",
                                          "cuda:1000",
                                          "cuda:x",
                                          "cuda0",
                                          "cpu:0",
                                          "cuda:99999999999999999999",
                                          "autos",
                                          "cuda:0x1",
                                          " cpu"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        expect_refused(unknown[i], AN_ERR_ARG, unknown[i]);
        assert_non_null(strstr(error.message, "it must be 'cpu', 'cuda', 'cuda:N'"));
    }
}

static void a_backend_says_where_it_runs(void **state) {
    (void)state;
    static const char *const names[] = {"cpu", "ref"};
    for (int i = 0; i < 2; i++) {
        an_backend *backend = test_backend_make(names[i], NULL, 1);
        const an_device_info info = describe(backend);
        assert_string_equal(info.device, names[i]);
        assert_string_equal(info.level, an_backend_level(backend));
        assert_true(*info.name && !*info.reason && info.is_usable);
        assert_int_equal(info.capability_major, 0);
        assert_true(info.memory_total >= info.memory_free && info.memory_free > 0);
        an_backend_destroy(backend);
    }
}

static void a_library_that_is_not_there_is_named(void **state) {
    (void)state;
    use("libattractivenet-cuda.so.none");
    expect_refused("cuda", AN_ERR_UNSUPPORTED, "libattractivenet-cuda.so.none");
    assert_non_null(strstr(error.message, "No such file"));
    expect_refused("cuda:3", AN_ERR_UNSUPPORTED, "libattractivenet-cuda.so.none");
}

static void a_library_of_another_build_is_refused(void **state) {
    (void)state;
    use("libfake-other-release.so");
    expect_refused("cuda", AN_ERR_UNSUPPORTED, "is of release 9.8.7, and this is libattractivenet");
    assert_non_null(strstr(error.message, an_version()));
    use("libfake-other-build.so");
    expect_refused("cuda", AN_ERR_UNSUPPORTED, "is of another build of release");
    use("libfake-none.so");
    expect_refused("cuda", AN_ERR_UNSUPPORTED, "it has no ani_cuda_entry");
}

static void without_a_card_auto_takes_the_cpu_and_says_why(void **state) {
    (void)state;
    static const char *const libraries[][2] = {
        {"libfake-without-cards.so", "driver 580.65 found no card"},
        {"libfake-other-build.so", "another build"},
        {"libfake-absent.so", "libfake-absent.so"}};
    for (int i = 0; i < 3; i++) {
        an_backend *backend = NULL;
        use(libraries[i][0]);
        if (make(&backend, "auto")) fail_msg("%s", error.message);
        const an_device_info info = describe(backend);
        assert_string_equal(info.device, "cpu");
        assert_non_null(strstr(info.reason, libraries[i][1]));
        an_backend_destroy(backend);
    }
    use("libfake-without-cards.so");
    expect_refused("cuda", AN_ERR_DEVICE, "the NVIDIA driver 580.65 found no card");
}

static void a_card_that_fails_is_no_silent_cpu(void **state) {
    (void)state;
    use("libfake-two-cards.so");
    expect_refused("cuda:7", AN_ERR_DEVICE, "there is no GPU 7; this machine has 2");
    expect_refused("cuda", AN_ERR_NOMEM, "a fake card");
    expect_refused("auto", AN_ERR_NOMEM,
                   "a fake card"); /* it is there, and would have been taken */
}

static an_device_info entry(const an_device_list *list, int64_t index) {
    an_device_info info;
    an_device_info_init(&info, sizeof info);
    if (an_device_list_describe(list, index, &info, &error)) fail_msg("%s", error.message);
    return info;
}

static void the_list_has_the_cpu_and_every_card(void **state) {
    (void)state;
    an_device_list *list = NULL;
    use("libfake-two-cards.so");
    assert_int_equal(an_device_list_create(&list, &error), AN_OK);
    assert_int_equal(an_device_list_count(list), 3);
    const an_device_info cpu = entry(list, 0), first = entry(list, 1), second = entry(list, 2);
    assert_string_equal(cpu.device, "cpu");
    assert_true(cpu.is_usable && *cpu.name && *cpu.level && cpu.memory_total > 0);
    assert_string_equal(first.device, "cuda:0");
    assert_string_equal(first.name, "Fake Card 0");
    assert_string_equal(first.level, "fused");
    assert_true(first.is_usable && first.capability_major == 9 && !first.capability_minor);
    assert_true(first.memory_total == INT64_C(1) << 37 && first.memory_free == INT64_C(1) << 36);
    assert_string_equal(second.device, "cuda:1");
    assert_false(second.is_usable);
    assert_string_equal(second.reason, "compute capability 6.0 is too old");
    an_device_list_destroy(list);
}

static void without_a_card_the_list_says_why(void **state) {
    (void)state;
    an_device_list *list = NULL;
    use("libfake-without-cards.so");
    assert_int_equal(an_device_list_create(&list, &error), AN_OK);
    assert_int_equal(an_device_list_count(list), 2);
    const an_device_info none = entry(list, 1);
    assert_string_equal(none.device, "cuda");
    assert_false(none.is_usable);
    assert_string_equal(none.name, "");
    assert_non_null(strstr(none.reason, "found no card"));
    an_device_list_destroy(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_has_one_name),
        cmocka_unit_test(a_backend_says_where_it_runs),
        cmocka_unit_test_teardown(a_library_that_is_not_there_is_named, use_installed),
        cmocka_unit_test_teardown(a_library_of_another_build_is_refused, use_installed),
        cmocka_unit_test_teardown(without_a_card_auto_takes_the_cpu_and_says_why, use_installed),
        cmocka_unit_test_teardown(a_card_that_fails_is_no_silent_cpu, use_installed),
        cmocka_unit_test_teardown(the_list_has_the_cpu_and_every_card, use_installed),
        cmocka_unit_test_teardown(without_a_card_the_list_says_why, use_installed),
    };
    return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
