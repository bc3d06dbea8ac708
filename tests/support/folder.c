/* SPDX-License-Identifier: MIT
 * Folders for tests to fill. */
#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scratch.h"

char *folder_make(void) {
    char *folder = scratch_make(false);
    if (!folder) fail_msg("cannot make a temporary folder");
    return folder;
}

void folder_remove(char *folder) {
    scratch_remove(folder);
}

const char *folder_path(const char *folder, const char *name) {
    static char ring[8][4096];
    static int next;
    char *path = ring[next];
    next = (next + 1) % 8;
    snprintf(path, sizeof ring[0], "%s/%s", folder, name);
    return path;
}

static int is_entry(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

int64_t folder_count(const char *folder) {
    int64_t count = 0;
    DIR *entries = opendir(folder);
    if (!entries) return 0;
    for (const struct dirent *entry; (entry = readdir(entries));)
        count += is_entry(entry);
    closedir(entries);
    return count;
}

void folder_walk(const char *folder, void (*visit)(void *user, const char *name), void *user) {
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_entry, by_bytes);
    if (count < 0) fail_msg("cannot list '%s'", folder);
    for (int i = 0; i < count; i++) {
        visit(user, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

uint8_t *folder_read(const char *path, int64_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail_msg("cannot open '%s'", path);
    *size = ftell(file);
    rewind(file);
    uint8_t *bytes = malloc((size_t)*size + 1);
    if (!bytes || fread(bytes, 1, (size_t)*size, file) != (size_t)*size)
        fail_msg("cannot read '%s'", path);
    fclose(file);
    bytes[*size] = 0;
    return bytes;
}

void folder_write(const char *path, const void *bytes, int64_t size) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, (size_t)size, file) != (size_t)size || fclose(file))
        fail_msg("cannot write '%s'", path);
}

void folder_write_text(const char *path, const char *text) {
    folder_write(path, text, (int64_t)strlen(text));
}
