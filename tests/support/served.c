/* SPDX-License-Identifier: MIT
 * One file on a local server, and its download. */
#include "support/served.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/download.h"
#include "io/sha256.h"
#include "support/archive.h"
#include "support/folder.h"
#include "support/test_folder.h"

http_server *served_host;
uint8_t *served_content;
char served_hash[65];
an_error served_err;

static int64_t file_size;

uint8_t *served_archive(int64_t size, uint32_t seed) {
    struct entry member = {.name = "noise", .data = "", .data_size = 0};
    const struct archive archive = {.entries = &member, .count = 1};
    struct bytes built = archive_build(&archive);
    member.data_size = size - built.size;
    free(built.data);
    uint8_t *noise = malloc((size_t)size);
    assert_non_null(noise);
    for (int64_t i = 0; i < size; i++)
        noise[i] = (uint8_t)((uint32_t)(i + seed) * 2654435761u >> 24);
    member.data = noise;
    built = archive_build(&archive);
    assert_int_equal(built.size, size);
    free(noise);
    return built.data;
}

void served_begin(server_answer answer, int64_t size, int64_t spare) {
    ani_sha256 sha;
    file_size = size;
    served_content = realloc(served_archive(size, 0), (size_t)(size + spare));
    assert_non_null(served_content);
    memset(served_content + size, 'x', (size_t)spare);
    ani_sha256_begin(&sha);
    ani_sha256_add(&sha, served_content, size);
    ani_sha256_end(&sha, served_hash);
    /* A proxy from the environment must not be used for 127.0.0.1. */
    setenv("no_proxy", "*", 1);
    unsetenv("http_proxy");
    served_host = server_begin(answer);
}

void served_end(void) {
    server_end(served_host);
    free(served_content);
}

const char *served_target(const char *suffix) {
    char name[64];
    snprintf(name, sizeof name, "data.zip%s", suffix);
    return folder_path(test_folder, name);
}

an_status served_get(const char *path, const an_download_options *options) {
    char url[512];
    snprintf(url, sizeof url, "%s%s", server_origin(served_host), path);
    served_err = (an_error){0};
    return ani_download(url, served_target(""), options, NULL, &served_err);
}

an_status served_get_drive(const char *url) {
    served_err = (an_error){0};
    return ani_download(url, served_target(""), NULL, server_origin(served_host), &served_err);
}

void served_expect_message(const char *word) {
    if (!strstr(served_err.message, word))
        fail_msg("'%s' is not in '%s'", word, served_err.message);
}

void served_expect_whole(void) {
    int64_t size;
    uint8_t *bytes = folder_read(served_target(""), &size);
    assert_int_equal(size, file_size);
    assert_memory_equal(bytes, served_content, (size_t)size);
    free(bytes);
    unlink(served_target(""));
    unlink(served_target(".origin"));
    assert_int_equal(folder_count(test_folder), 0);
}
