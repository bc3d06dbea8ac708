/* SPDX-License-Identifier: MIT
 * Addresses of Google Drive. */
#include "io/drive.h"

#include <string.h>

#include "io/transfer.h"

bool ani_drive_is(const char *url, const char *origin, bool *failed) {
    static const char *const hosts[] = {"drive.google.com", "docs.google.com",
                                        "drive.usercontent.google.com"};
    ani_text own = {0}, host = {0};
    bool found = false;
    if (origin && ani_url_origin(&own, url)) found = !strcmp(own.bytes, origin);
    if (ani_url_host(&host, url) && host.size > 0)
        for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
            found |= !strcmp(host.bytes, hosts[i]);
    *failed |= own.failed | host.failed;
    ani_text_clear(&own);
    ani_text_clear(&host);
    return found;
}

bool ani_drive_is_target(const char *url, const char *origin, bool *failed) {
    ani_text host = {0};
    const bool is_google = ani_url_host(&host, url) && host.size > 0 &&
                           !strncmp(url, "https:", 6) &&
                           (ani_ends_with(host.bytes, ".google.com") ||
                            ani_ends_with(host.bytes, ".googleusercontent.com"));
    *failed |= host.failed;
    ani_text_clear(&host);
    return is_google || (origin && ani_drive_is(url, origin, failed));
}

an_status ani_drive_direct(ani_text *direct, const char *url, const char *origin, an_error *err) {
    ani_text id = {0}, key = {0};
    bool failed = false;
    if (ani_drive_is(url, origin, &failed)) {
        const char *in_path = strstr(url, "/file/d/");
        if (in_path) {
            in_path += strlen("/file/d/");
            ani_text_add(&id, in_path, (int64_t)strcspn(in_path, "/?#"));
        } else if (strstr(url, "/open?") || strstr(url, "/uc?")) {
            ani_url_field(&id, url, "id");
        }
        ani_url_field(&key, url, "resourcekey");
    }
    /* An ID consists of letters, digits, '-' and '_': anything else is left to the server. */
    const bool is_id = id.size > 0 && (int64_t)strspn(id.bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                                "abcdefghijklmnopqrstuvwxyz"
                                                                "0123456789-_") == id.size;
    if (is_id) {
        ani_text_print(direct, "%s/uc?export=download&id=%s",
                       origin ? origin : "https://drive.google.com", id.bytes);
        if (key.size > 0 && !strpbrk(key.bytes, "&#? "))
            ani_text_print(direct, "&resourcekey=%s", key.bytes);
    } else {
        ani_text_print(direct, "%s", url);
    }
    an_status st = AN_OK;
    failed |= direct->failed | id.failed | key.failed;
    if (failed) st = ani_fail_memory(err, direct->size, "a URL");
    ani_text_clear(&id);
    ani_text_clear(&key);
    return st;
}
