/* SPDX-License-Identifier: MIT
 * Settings as names and texts in the metadata of a list of arrays. Each module adds its own. */
#ifndef IO_SETTINGS_H
#define IO_SETTINGS_H

#include <attractivenet/io.h>

/* The prefix of setting names in the metadata. */
#define ANI_SETTING_PREFIX "setting."

/** A list being built; the settings go to arrays. After a failure, nothing more is added. */
typedef struct ani_setting_list {
    an_arrays *arrays;
    an_status status;
    an_error *err;
} ani_setting_list;

void ani_setting_text(ani_setting_list *to, const char *name, const char *text);
void ani_setting_whole(ani_setting_list *to, const char *name, int64_t value);
void ani_setting_number(ani_setting_list *to, const char *name, double value);
/** The readable name of a choice; words are in the order of the constants, terminated by NULL. */
void ani_setting_word(ani_setting_list *to, const char *name, int32_t value,
                      const char *const *words);

#endif
