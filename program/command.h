/* SPDX-License-Identifier: MIT
 * The commands of attractivenet. A new one is a file with a command, and its name in commands.c. */
#ifndef PROGRAM_COMMAND_H
#define PROGRAM_COMMAND_H

#include "options.h"

/** One command: "attractivenet NAME". */
typedef struct command {
    const char *name;
    const char *what; /* in a line, for the list of commands */
    program_text text;
    /** Fill in the defaults, and write the table of options. */
    void (*options)(option_row rows[OPTION_ROWS]);
    /** Do it. Takes: rows: as options() wrote them, after the parsing; operands [count]. Returns:
     *  an exit status. */
    int (*run)(const option_row *rows, int count, char **operands);
} command;

/** All of them, in the order in which --help lists them; the last is NULL. */
extern const command *const commands[];

/** The command of that name, or NULL. */
const command *find_command(const char *name);

#endif
