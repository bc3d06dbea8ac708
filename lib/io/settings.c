/* SPDX-License-Identifier: MIT
 * Settings as texts. */
#include "io/settings.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

void ani_setting_text(ani_setting_list *to, const char *name, const char *text) {
    char key[64];
    if (to->status) return;
    snprintf(key, sizeof key, "%s%s", ANI_SETTING_PREFIX, name);
    to->status = an_arrays_set_metadata(to->arrays, key, text, to->err);
}

void ani_setting_whole(ani_setting_list *to, const char *name, int64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    ani_setting_text(to, name, text);
}

void ani_setting_number(ani_setting_list *to, const char *name, double value) {
    char text[32];
    ani_format_shortest(text, sizeof text, value);
    ani_setting_text(to, name, text);
}

void ani_setting_word(ani_setting_list *to, const char *name, int32_t value,
                      const char *const *words) {
    int32_t count = 0;
    while (words[count])
        count++;
    if (value >= 0 && value < count)
        ani_setting_text(to, name, words[value]);
    else
        ani_setting_whole(to, name, value);
}
