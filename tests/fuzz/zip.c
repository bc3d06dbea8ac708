/* SPDX-License-Identifier: MIT
 * Fuzz target: an archive is opened, its members are chosen as a data set does it, and all are
 * read. */
#include <string.h>

#include <zlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "fuzz.h"
#include "io/members.h"
#include "io/zip.h"

/* What a name must not have if a file is to get it; written anew, apart from the library's check.
 */
static void check_name(const char *name) {
    const size_t length = strlen(name);
    REQUIRE(length > 0 && length <= 200);
    REQUIRE(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    for (size_t i = 0; i < length; i++)
        REQUIRE(name[i] != '/' && name[i] != '\\' && (unsigned char)name[i] >= 0x20);
}

/* Names are text, whatever the stored bytes are; and what a member was found by, it is found by. */
static void check_names(const ani_zip *zip, int64_t index) {
    const ani_zip_member *member = ani_zip_member_at(zip, index);
    const int64_t size = (int64_t)strlen(member->name);
    const size_t raw = strlen(member->raw);
    char shown[ANI_SHOWN_NAME_SIZE];
    REQUIRE(strlen(ani_name_show(shown, member->name)) < sizeof shown);
    REQUIRE(ani_is_utf8(member->name, size) || !strcmp(member->name, member->raw) ||
            strchr(member->raw, '\\'));
    REQUIRE(!member->is_guessed || ani_is_utf8(member->name, size));
    REQUIRE(member->base >= member->name && member->base <= member->name + size);
    REQUIRE(!strchr(member->base, '/'));
    REQUIRE(member->raw_base >= member->raw && member->raw_base <= member->raw + raw);
    REQUIRE(ani_zip_find(zip, member->name) <= index);
}

static void check_selection(const ani_zip *zip, const an_extract_options *options) {
    ani_members members = {0};
    an_error err;
    const an_status st = ani_members_select(&members, zip, options, false, &err);
    fuzz_check_status(st, &err);
    if (st) return;
    REQUIRE(members.count > 0 && members.count <= ani_zip_count(zip));
    REQUIRE(members.count + members.skipped + members.ignored == ani_zip_count(zip));
    int64_t bytes = 0;
    for (int64_t i = 0; i < members.count; i++) {
        const ani_zip_member *member = ani_zip_member_at(zip, members.index[i]);
        REQUIRE(member && !member->is_encrypted && !member->is_special && !member->is_outside);
        check_name(member->base);
        bytes += member->size;
        for (int64_t k = 0; k < i && members.count < 50; k++)
            REQUIRE(strcmp(ani_zip_member_at(zip, members.index[k])->base, member->base) != 0);
    }
    REQUIRE(bytes == members.bytes && bytes <= options->max_total_bytes);
    ani_members_clear(&members);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ani_zip *zip = NULL;
    an_error err;
    an_extract_options options;
    an_extract_options_init(&options, sizeof options);
    options.max_members = 10000;
    options.max_member_bytes = 4 << 20;
    options.max_total_bytes = 16 << 20;
    an_status st = ani_zip_open(&zip, fuzz_path(data, size), &options, &err);
    fuzz_check_status(st, &err);
    if (st) {
        REQUIRE(!zip);
        return 0;
    }
    int64_t taken = 0; /* in the file: members can't share bytes */
    for (int64_t i = 0; i < ani_zip_count(zip); i++) {
        const ani_zip_member *member = ani_zip_member_at(zip, i);
        uint8_t *bytes = NULL;
        int64_t length = 0;
        check_names(zip, i);
        st = ani_zip_read(zip, i, &bytes, &length, &err);
        fuzz_check_status(st, &err);
        if (!st) {
            REQUIRE(length == member->size && length <= options.max_member_bytes);
            REQUIRE(bytes[length] == 0);
            REQUIRE(crc32_z(crc32_z(0, NULL, 0), bytes, (z_size_t)length) == member->crc);
            REQUIRE(length <= (1 << 20) || length <= member->packed * options.max_ratio);
            taken += member->packed;
        } else {
            REQUIRE(!bytes);
        }
        ani_free(bytes);
    }
    REQUIRE(taken <= (int64_t)size);
    REQUIRE(!ani_zip_member_at(zip, -1) && !ani_zip_member_at(zip, ani_zip_count(zip)));
    options.policy = AN_POLICY_SKIP;
    check_selection(zip, &options);
    options.policy = AN_POLICY_STRICT;
    check_selection(zip, &options);
    const int64_t count = ani_zip_count(zip);
    ani_zip_close(zip);
    options.names_encoding = "GBK"; /* the same members, or a name that is not in it */
    st = ani_zip_open(&zip, fuzz_path(data, size), &options, &err);
    fuzz_check_status(st, &err);
    REQUIRE(!st || st == AN_ERR_FORMAT || st == AN_ERR_NOMEM);
    REQUIRE(!zip || ani_zip_count(zip) == count);
    for (int64_t i = 0; zip && i < count; i++)
        check_names(zip, i);
    ani_zip_close(zip);
    return 0;
}
