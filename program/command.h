/* SPDX-License-Identifier: MIT
 * The commands of attractivenet. To add one, write a file with a command and list it in commands.c.
 */
#ifndef PROGRAM_COMMAND_H
#define PROGRAM_COMMAND_H

#include "options.h"

/** One command: "attractivenet NAME". */
typedef struct command {
    const char *name;
    const char *what; /* one line, for the list of commands */
    program_text text;
    /** Fill in the defaults, and write the table of options. */
    void (*options)(option_row rows[OPTION_ROWS]);
    /** Run the command. Takes: rows: those of options(), after parsing; operands [count]. Returns:
     *  an exit status. */
    int (*run)(const option_row *rows, int count, char **operands);
} command;

/** All commands, in the order in which --help lists them; ends with NULL. */
extern const command *const commands[];

/** Return the command with that name, or NULL. */
const command *find_command(const char *name);

#endif
