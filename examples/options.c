/* SPDX-License-Identifier: MIT
 * Command lines from a table: getopt_long, checked numbers, words to choose from, a generated help.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 64, HELP_COLUMN = 26, FIRST_LONG = 256 };

option_row option_text(const char *name, const char **value, const char *argument,
                       const char *help) {
    return (option_row){
        .name = name, .kind = OPTION_TEXT, .value = value, .argument = argument, .help = help};
}

option_row option_count(const char *name, int32_t *value, int32_t low, int32_t high,
                        const char *help) {
    return (option_row){.name = name,
                        .kind = OPTION_COUNT,
                        .value = value,
                        .argument = "N",
                        .help = help,
                        .low = low,
                        .high = high};
}

option_row option_number(const char *name, double *value, double low, double high,
                         const char *help) {
    return (option_row){.name = name,
                        .kind = OPTION_NUMBER,
                        .value = value,
                        .argument = "X",
                        .help = help,
                        .low = low,
                        .high = high};
}

option_row option_choice(const char *name, int32_t *value, const char *choices, const char *help) {
    return (option_row){.name = name,
                        .kind = OPTION_CHOICE,
                        .value = value,
                        .argument = choices,
                        .help = help,
                        .choices = choices};
}

option_row option_flag(const char *name, int32_t *value, const char *help) {
    return (option_row){
        .name = name, .kind = OPTION_FLAG, .value = value, .argument = "", .help = help};
}

option_row option_formerly(const char *former, option_row row) {
    row.former = former;
    return row;
}

option_row option_formerly_word(const char *former_word, option_row row) {
    row.former_word = former_word;
    return row;
}

option_row option_end(void) {
    return (option_row){0};
}

static const char *program_name(char **argv) {
    const char *slash = strrchr(argv[0], '/');
    return slash ? slash + 1 : argv[0];
}

const char *option_word(char text[32], const char *words, int32_t place) {
    while (place-- > 0)
        words = strchr(words, '|') + 1;
    snprintf(text, 32, "%.*s", (int)strcspn(words, "|"), words);
    return text;
}

/* The place of a word in the choices of a row, or -1. */
static int32_t find_word(const option_row *row, const char *word) {
    const size_t length = strlen(word);
    const char *words = row->choices;
    for (int32_t place = 0;; place++) {
        const size_t span = strcspn(words, "|");
        if (span == length && !strncmp(words, word, span)) return place;
        if (!words[span]) return row->former_word && !strcmp(row->former_word, word) ? place : -1;
        words += span + 1;
    }
}

static void print_default(const option_row *row) {
    char word[32];
    switch (row->kind) {
    case OPTION_TEXT: {
        const char *text = *(const char *const *)row->value;
        if (text) printf(" (default %s)", text);
        break;
    }
    case OPTION_COUNT:
        printf(" (default %d)", (int)*(const int32_t *)row->value);
        break;
    case OPTION_NUMBER:
        printf(" (default %g)", *(const double *)row->value);
        break;
    case OPTION_CHOICE:
        printf(" (default %s)", option_word(word, row->choices, *(const int32_t *)row->value));
        break;
    case OPTION_FLAG:
        break;
    }
}

static void print_row(const option_row *row) {
    const int width =
        printf("  --%s%s%s", row->name, row->kind == OPTION_FLAG ? "" : " ", row->argument);
    if (width >= HELP_COLUMN)
        printf("\n%*s", HELP_COLUMN, "");
    else
        printf("%*s", HELP_COLUMN - width, "");
    for (const char *line = row->help; *line;) {
        const size_t span = strcspn(line, "\n");
        printf("%.*s", (int)span, line);
        line += span;
        if (*line) {
            line++;
            printf("\n%*s", HELP_COLUMN, "");
        }
    }
    print_default(row);
    printf("\n");
}

static void print_help(char **argv, const option_row *rows, const program_text *text) {
    printf("usage: %s %s\n\n%s\n\noptions:\n", program_name(argv), text->usage, text->about);
    for (const option_row *row = rows; row->name; row++)
        print_row(row);
    printf("  --help%*sshow this text\n", HELP_COLUMN - 8, "");
    if (text->examples) printf("\nexamples:\n%s\n", text->examples);
}

static void refuse(char **argv, const option_row *row, const char *found, const char *expected) {
    fprintf(stderr, "%s: --%s is '%s'; it must be %s\n", program_name(argv), row->name, found,
            expected);
    exit(2);
}

static double parse_number(char **argv, const option_row *row, const char *word) {
    char expected[96], *end;
    snprintf(expected, sizeof expected, "%s from %.10g to %.10g",
             row->kind == OPTION_COUNT ? "a whole number" : "a number", row->low, row->high);
    errno = 0;
    const double value = strtod(word, &end);
    if (end == word || *end || errno || !isfinite(value) || value < row->low || value > row->high)
        refuse(argv, row, word, expected);
    if (row->kind == OPTION_COUNT && value != floor(value)) refuse(argv, row, word, expected);
    return value;
}

static void take(char **argv, const option_row *row, const char *word) {
    char expected[160];
    switch (row->kind) {
    case OPTION_TEXT:
        if (!*word) refuse(argv, row, word, row->argument);
        *(const char **)row->value = word;
        break;
    case OPTION_COUNT:
        *(int32_t *)row->value = (int32_t)parse_number(argv, row, word);
        break;
    case OPTION_NUMBER:
        *(double *)row->value = parse_number(argv, row, word);
        break;
    case OPTION_CHOICE:
        *(int32_t *)row->value = find_word(row, word);
        if (*(int32_t *)row->value >= 0) break;
        snprintf(expected, sizeof expected, "one of %s", row->choices);
        refuse(argv, row, word, expected);
        break;
    case OPTION_FLAG:
        *(int32_t *)row->value = 1;
        break;
    }
}

int options_parse(int argc, char **argv, const option_row *rows, const program_text *text) {
    struct option table[2 * MAX_ROWS + 2];
    int count = 0;
    memset(table, 0, sizeof table);
    for (int i = 0; rows[i].name && i < MAX_ROWS; i++) {
        const char *const names[] = {rows[i].name, rows[i].former};
        for (int k = 0; k < 2 && names[k]; k++)
            table[count++] = (struct option){
                .name = names[k],
                .has_arg = rows[i].kind == OPTION_FLAG ? no_argument : required_argument,
                .val = FIRST_LONG + i};
    }
    table[count].name = "help";
    table[count].val = 'h';
    for (int found; (found = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
        if (found == 'h') {
            print_help(argv, rows, text);
            exit(0);
        }
        if (found == '?') {
            fprintf(stderr, "usage: %s %s\n'%s --help' explains\n", program_name(argv), text->usage,
                    program_name(argv));
            exit(2);
        }
        take(argv, &rows[found - FIRST_LONG], optarg);
    }
    return optind;
}
