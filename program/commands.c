/* SPDX-License-Identifier: MIT
 * The table of commands. */
#include "command.h"

#include <stddef.h>
#include <string.h>

extern const command train_command, predict_command, live_command, test_command, report_command,
    convert_command, faces_command, devices_command, version_command;

const command *const commands[] = {
    &train_command,   &predict_command, &live_command,    &test_command,    &report_command,
    &convert_command, &faces_command,   &devices_command, &version_command, NULL,
};

const command *find_command(const char *name) {
    for (int i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, name)) return commands[i];
    return NULL;
}
