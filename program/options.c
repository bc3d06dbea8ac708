/* SPDX-License-Identifier: MIT
 * Command lines from a table: getopt_long, checked numbers, choices, generated help.
 */
#include "options.h"

#include "nearest.h"
#include "library_info.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 26, FIRST_LONG = 256, HELP = 1, VERSION = 2 };

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

const char device_words[] = "cpu|cuda|cuda:N|auto";
const char device_help[] = "what computes: cuda is the first NVIDIA GPU, cuda:1 the next; auto:\n"
                           "a GPU if there is one, otherwise the processor";

option_row option_formerly(const char *former, option_row row) {
    row.former = former;
    return row;
}

option_row option_formerly_word(const char *former_word, const char *word, option_row row) {
    row.former_word = former_word;
    row.present_word = word;
    return row;
}

option_row option_needed(option_row row) {
    row.is_needed = 1;
    return row;
}

option_row option_noted(int32_t *is_given, option_row row) {
    row.is_given = is_given;
    return row;
}

option_row option_end(void) {
    return (option_row){0};
}

static const char *program_name(char **argv, const program_text *text) {
    if (text->name) return text->name;
    const char *slash = strrchr(argv[0], '/');
    return slash ? slash + 1 : argv[0];
}

const char *option_word(char text[32], const char *words, int32_t place) {
    while (place-- > 0)
        words = strchr(words, '|') + 1;
    snprintf(text, 32, "%.*s", (int)strcspn(words, "|"), words);
    return text;
}

/* The index of a word in the choices of a row, or -1. */
static int32_t find_word(const option_row *row, const char *word) {
    const char *words = row->choices;
    if (row->former_word && !strcmp(row->former_word, word)) word = row->present_word;
    const size_t length = strlen(word);
    for (int32_t place = 0;; place++) {
        const size_t span = strcspn(words, "|");
        if (span == length && !strncmp(words, word, span)) return place;
        if (!words[span]) return -1;
        words += span + 1;
    }
}

const char *option_value(char text[64], const option_row *row) {
    const char *word;
    text[0] = 0;
    switch (row->kind) {
    case OPTION_TEXT:
        word = *(const char *const *)row->value;
        if (word) snprintf(text, 64, "%s", word);
        break;
    case OPTION_COUNT:
        snprintf(text, 64, "%d", (int)*(const int32_t *)row->value);
        break;
    case OPTION_NUMBER:
        snprintf(text, 64, "%g", *(const double *)row->value);
        break;
    case OPTION_CHOICE:
        option_word(text, row->choices, *(const int32_t *)row->value);
        break;
    case OPTION_FLAG:
        break;
    }
    return text;
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
    char value[64];
    if (*option_value(value, row)) printf(" (default %s)", value);
    printf("\n");
}

static void print_rows(const option_row *rows) {
    for (const option_row *row = rows; row->name; row++)
        print_row(row);
    printf("  --help%*sshow this help\n", HELP_COLUMN - 8, "");
    printf("  --version%*sshow release, features and ISA level\n", HELP_COLUMN - 11, "");
}

static void print_help(char **argv, const option_row *rows, const program_text *text) {
    printf("usage: %s %s\n\n%s\n\noptions:\n", program_name(argv, text), text->usage, text->about);
    print_rows(rows);
    if (text->examples) printf("\nexamples:\n%s\n", text->examples);
}

void options_refuse(char **argv, const program_text *text, const char *format, ...) {
    const char *name = program_name(argv, text);
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nusage: %s %s\ntry '%s --help'\n", name, text->usage, name);
    va_end(arguments);
    exit(2);
}

/** A command line being parsed. */
typedef struct parsing {
    char **argv;
    const option_row *rows;
    const program_text *text;
} parsing;

static _Noreturn void refuse_value(const parsing *at, const option_row *row, const char *found,
                                   const char *expected) {
    fprintf(stderr, "%s: --%s is '%s'; it must be %s\n", program_name(at->argv, at->text),
            row->name, found, expected);
    exit(2);
}

static double parse_number(const parsing *at, const option_row *row, const char *word) {
    char expected[96], *end;
    snprintf(expected, sizeof expected, "%s from %.10g to %.10g",
             row->kind == OPTION_COUNT ? "a whole number" : "a number", row->low, row->high);
    errno = 0;
    const double value = strtod(word, &end);
    if (end == word || *end || errno || !isfinite(value) || value < row->low || value > row->high)
        refuse_value(at, row, word, expected);
    if (row->kind == OPTION_COUNT && value != floor(value)) refuse_value(at, row, word, expected);
    return value;
}

static void take(const parsing *at, const option_row *row, const char *word) {
    char expected[160];
    if (row->is_given) *row->is_given = 1;
    switch (row->kind) {
    case OPTION_TEXT:
        if (!*word) refuse_value(at, row, word, row->argument);
        *(const char **)row->value = word;
        break;
    case OPTION_COUNT:
        *(int32_t *)row->value = (int32_t)parse_number(at, row, word);
        break;
    case OPTION_NUMBER:
        *(double *)row->value = parse_number(at, row, word);
        break;
    case OPTION_CHOICE:
        *(int32_t *)row->value = find_word(row, word);
        if (*(int32_t *)row->value >= 0) break;
        snprintf(expected, sizeof expected, "one of %s", row->choices);
        refuse_value(at, row, word, expected);
        break;
    case OPTION_FLAG:
        *(int32_t *)row->value = 1;
        break;
    }
}

/* A word of the command line that is not an option, or is the prefix of several. */
static _Noreturn void refuse_option(const parsing *at, const char *word) {
    const char *name = word + strspn(word, "-");
    const int length = (int)strcspn(name, "=");
    int begun = 0;
    nearest best = {.word = name, .length = length};
    for (const option_row *row = at->rows; row->name; row++) {
        begun += length > 0 && !strncmp(row->name, name, (size_t)length);
        nearest_offer(&best, row->name);
    }
    if (begun > 1)
        options_refuse(at->argv, at->text, "option '%s' is ambiguous", word);
    else if (best.found)
        options_refuse(at->argv, at->text, "unknown option '%s'; did you mean '--%s'?", word,
                       best.found);
    options_refuse(at->argv, at->text, "unknown option '%s'", word);
}

/* getopt's table: each option, and its former name with the same value. */
static void fill_table(struct option table[2 * OPTION_ROWS + 3], const option_row *rows) {
    int count = 0;
    for (int i = 0; rows[i].name && i < OPTION_ROWS; i++) {
        const char *const names[] = {rows[i].name, rows[i].former};
        for (int k = 0; k < 2 && names[k]; k++)
            table[count++] = (struct option){
                .name = names[k],
                .has_arg = rows[i].kind == OPTION_FLAG ? no_argument : required_argument,
                .val = FIRST_LONG + i};
    }
    table[count++] = (struct option){.name = "help", .val = HELP};
    table[count++] = (struct option){.name = "version", .val = VERSION};
    table[count] = (struct option){0};
}

int options_parse(int argc, char **argv, const option_row *rows, const program_text *text) {
    struct option table[2 * OPTION_ROWS + 3];
    const parsing at = {argv, rows, text};
    fill_table(table, rows);
    opterr = 0; /* we print the messages */
    for (int found; (found = getopt_long(argc, argv, ":h", table, NULL)) != -1;) {
        switch (found) {
        case 'h':
        case HELP:
            print_help(argv, rows, text);
            exit(0);
        case VERSION:
            exit(library_info_print(program_name(argv, text)));
        case ':':
            options_refuse(argv, text, "'%s' needs a value: %s", argv[optind - 1],
                           rows[optopt - FIRST_LONG].argument);
        case '?':
            if (optopt >= FIRST_LONG)
                options_refuse(argv, text, "--%s does not take a value",
                               rows[optopt - FIRST_LONG].name);
            if (optopt == HELP || optopt == VERSION)
                options_refuse(argv, text, "'%s' does not take a value", argv[optind - 1]);
            /* A short option: getopt stays within a word that holds several. */
            if (optopt) options_refuse(argv, text, "unknown option '-%c'", optopt);
            refuse_option(&at, argv[optind - 1]);
        default:
            take(&at, &rows[found - FIRST_LONG], optarg);
        }
    }
    for (const option_row *row = rows; row->name; row++)
        if (row->is_needed && !*(const char *const *)row->value)
            options_refuse(argv, text, "--%s is missing", row->name);
    if (optind < argc && !text->operands)
        options_refuse(argv, text, "unexpected argument '%s'", argv[optind]);
    const int is_optional = text->operands && *text->operands == '[';
    if (is_optional && optind + 1 < argc)
        options_refuse(argv, text, "unexpected argument '%s'", argv[optind + 1]);
    if (optind == argc && text->operands && !is_optional)
        options_refuse(argv, text, "%s is missing", text->operands);
    return optind;
}
