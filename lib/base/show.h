/* SPDX-License-Identifier: MIT
 * Names from outside as they may stand in a message. */
#ifndef BASE_SHOW_H
#define BASE_SHOW_H

enum { ANI_SHOWN_NAME_SIZE = 104 };

/** Write name so that a message can hold it: bytes that do not show (control characters, invalid
 * UTF-8) become "\\x0a", and a long name loses its beginning, so that what the message says of it
 * fits behind. Returns shown. */
const char *ani_name_show(char shown[ANI_SHOWN_NAME_SIZE], const char *name);

#endif
