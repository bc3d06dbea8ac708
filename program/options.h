/* SPDX-License-Identifier: MIT
 * Command lines: parsing, checks and help come from a table of options, as do the man page and the
 * shell completions of the installed program. */
#ifndef PROGRAM_OPTIONS_H
#define PROGRAM_OPTIONS_H

#include <stdint.h>

/** Maximum number of rows in a table, including the end. */
enum { OPTION_ROWS = 80 };

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
    void *value;              /* holds the default before parsing; shown in the help */
    const char *argument;     /* name of the argument in the help */
    const char *help;         /* may contain line breaks */
    double low, high;         /* numbers: limits, inclusive */
    const char *choices;      /* OPTION_CHOICE: words, such as "auto|fixed" */
    const char *former;       /* a former name that is still accepted but not shown in the help, or
                                 NULL */
    const char *former_word;  /* likewise, a deprecated word for one of the choices, */
    const char *present_word; /* which is this one now */
    int is_needed;            /* OPTION_TEXT: the option is required */
    int32_t *is_given;        /* set to 1 if the option occurs; NULL: not wanted */
} option_row;

option_row option_text(const char *name, const char **value, const char *argument,
                       const char *help);
option_row option_count(const char *name, int32_t *value, int32_t low, int32_t high,
                        const char *help);
option_row option_number(const char *name, double *value, double low, double high,
                         const char *help);
/** value: the index of the word in choices, from 0. */
option_row option_choice(const char *name, int32_t *value, const char *choices, const char *help);
/** value: set to 1. */
option_row option_flag(const char *name, int32_t *value, const char *help);
/** The argument and the help of an option --device, for option_text(). */
extern const char device_words[], device_help[];
/** The same option, which had another name in an earlier release. */
option_row option_formerly(const char *former, option_row row);
/** The same choice, one of whose words was different in an earlier release. */
option_row option_formerly_word(const char *former_word, const char *word, option_row row);
/** The same option, made required. */
option_row option_needed(option_row row);
/** The same option, which records whether it occurs. */
option_row option_noted(int32_t *is_given, option_row row);
/** The end of a table. */
option_row option_end(void);

/** The texts of a program's help. */
typedef struct program_text {
    const char *name;  /* the command, such as "attractivenet train"; NULL = base name of argv[0] */
    const char *usage; /* after the name, such as "--data FILE [options]" */
    const char *about; /* what it does and how to use it; indented lines are not filled */
    const char *operands; /* what follows the options, such as "IMAGE...": at least one, or, in
                             brackets as in
                             "[SOURCE]", at most one; NULL = nothing */
    const char *examples; /* command lines to copy, or NULL */
} program_text;

/**
 * Parse a command line.
 *
 * Takes:   rows: ends with option_end(); --help and --version are added.
 * Returns: the index in argv of the first operand; options may appear anywhere. With --help or
 *          --version, it prints the text and exits with 0; an invalid or missing option, an
 *          unexpected operand or a missing one makes it exit with 2.
 */
int options_parse(int argc, char **argv, const option_row *rows, const program_text *text);

/** Print on stderr what is wrong with a command line, and the usage. Exits with 2. */
_Noreturn void options_refuse(char **argv, const program_text *text, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Write the option's default or, after parsing, its value as text; "" if it has none. Returns
 *  text. */
const char *option_value(char text[64], const option_row *row);

/** Copy the word at index place of "first|second" to text. Returns text. */
const char *option_word(char text[32], const char *words, int32_t place);

#endif
