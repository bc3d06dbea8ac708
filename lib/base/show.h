/* SPDX-License-Identifier: MIT
 * Untrusted names in a form fit for messages. */
#ifndef BASE_SHOW_H
#define BASE_SHOW_H

enum { ANI_SHOWN_NAME_SIZE = 104 };

/** Write name in a form fit for a message: unprintable bytes (control characters, invalid UTF-8)
 * become "\\x0a" and the like, and the beginning of a long name is cut so that the rest of the
 * message fits. Returns shown. */
const char *ani_name_show(char shown[ANI_SHOWN_NAME_SIZE], const char *name);

#endif
