/* SPDX-License-Identifier: MIT
 * attractivenet version: shows which library this is. */
#include "command.h"
#include "library_info.h"

#include <stddef.h>

static void options(option_row rows[OPTION_ROWS]) {
    rows[0] = option_end();
}

static int run(const option_row *rows, int count, char **operands) {
    (void)rows, (void)count, (void)operands;
    return library_info_print("attractivenet");
}

const command version_command = {
    .name = "version",
    .what = "show release, features and ISA level",
    .text = {.name = "attractivenet version",
             .usage = "",
             .about = "Shows the release of the library, the features it was built with, and the\n"
                      "ISA level that it uses on this processor."},
    .options = options,
    .run = run,
};
