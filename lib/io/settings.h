/* SPDX-License-Identifier: MIT
 * Settings as names and texts, in the metadata of a list of arrays. Each module adds its own. */
#ifndef IO_SETTINGS_H
#define IO_SETTINGS_H

#include <attractivenet/io.h>

/* What the names of settings begin with in the metadata. */
#define ANI_SETTING_PREFIX "setting."

/** A list being made; the settings go to arrays. After a failure nothing is added. */
typedef struct ani_setting_list {
    an_arrays *arrays;
    an_status status;
    an_error *err;
} ani_setting_list;

void ani_setting_text(ani_setting_list *to, const char *name, const char *text);
void ani_setting_whole(ani_setting_list *to, const char *name, int64_t value);
void ani_setting_number(ani_setting_list *to, const char *name, double value);
/** The word of a choice, for people; words in the order of the constants, ended by NULL. */
void ani_setting_word(ani_setting_list *to, const char *name, int32_t value,
                      const char *const *words);

#endif
