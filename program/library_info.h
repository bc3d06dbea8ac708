/* SPDX-License-Identifier: MIT
 * The output of --version. */
#ifndef PROGRAM_LIBRARY_INFO_H
#define PROGRAM_LIBRARY_INFO_H

/** Print the program's name, the library's release, the features it was built with, and the ISA
 *  level on this processor. Returns an exit status. */
int library_info_print(const char *name);

#endif
