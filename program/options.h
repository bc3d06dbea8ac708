/* SPDX-License-Identifier: MIT
 * Command lines: a table of options gives the parsing, the checks, the help, and for the installed
 * program its man page and completion. */
#ifndef PROGRAM_OPTIONS_H
#define PROGRAM_OPTIONS_H

#include <stdint.h>

/** Rows of a table, its end included: at most. */
enum { OPTION_ROWS = 64 };

typedef enum option_kind {
    OPTION_TEXT,
    OPTION_COUNT,
    OPTION_NUMBER,
    OPTION_CHOICE,
    OPTION_FLAG
} option_kind;

/** One option. Made by the functions below. */
typedef struct option_row {
    const char *name; /* without "--" */
    option_kind kind;
    void *value;             /* holds the default before the parsing; the help shows it */
    const char *argument;    /* what the help calls the argument */
    const char *help;        /* lines are broken at line feeds */
    double low, high;        /* numbers: limits, both allowed */
    const char *choices;     /* OPTION_CHOICE: words, as "auto|fixed" */
    const char *former;      /* a name that is still understood, and not in the help; or NULL */
    const char *former_word; /* likewise a word that means the last choice */
    int is_needed;           /* OPTION_TEXT: a command line without it is a mistake */
} option_row;

option_row option_text(const char *name, const char **value, const char *argument,
                       const char *help);
option_row option_count(const char *name, int32_t *value, int32_t low, int32_t high,
                        const char *help);
option_row option_number(const char *name, double *value, double low, double high,
                         const char *help);
/** value: the place of the word in choices, from 0. */
option_row option_choice(const char *name, int32_t *value, const char *choices, const char *help);
/** value: becomes 1. */
option_row option_flag(const char *name, int32_t *value, const char *help);
/** The same option, which an earlier release called otherwise. */
option_row option_formerly(const char *former, option_row row);
/** The same choice, whose last word was another in an earlier release. */
option_row option_formerly_word(const char *former_word, option_row row);
/** The same option, which must be given. */
option_row option_needed(option_row row);
/** The end of a table. */
option_row option_end(void);

/** What a program says of itself. */
typedef struct program_text {
    const char *name;  /* as it is called, "attractivenet train"; NULL = base name of argv[0] */
    const char *usage; /* after the name, as "--data FILE [options]" */
    const char *about; /* what it does, and how it is used; indented lines stay as they are */
    const char
        *operands; /* what follows the options, at least one, as "IMAGE..."; NULL = nothing */
    const char *examples; /* command lines to copy, or NULL */
} program_text;

/**
 * Parse a command line.
 *
 * Takes:   rows: up to option_end(); --help and --version are added.
 * Returns: the place in argv of the first operand; options may stand anywhere. With --help or
 *          --version that is printed and the program ends with 0; a wrong option, an option that is
 *          missing, an operand too many or none ends it with 2.
 */
int options_parse(int argc, char **argv, const option_row *rows, const program_text *text);

/** Say on stderr what is wrong with a command line, and how it is used. Ends the program with 2. */
_Noreturn void options_refuse(char **argv, const program_text *text, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The option's default or, after the parsing, its value as a text; "" if it has none. Returns
 *  text. */
const char *option_value(char text[64], const option_row *row);

/** Copy the word at a place of "first|second" into text. Returns text. */
const char *option_word(char text[32], const char *words, int32_t place);

#endif
