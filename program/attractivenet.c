/* SPDX-License-Identifier: MIT
 * attractivenet: trains a network on an archive of photographs with scores, and scores other
 * photographs with it. Each command has its own file. */
#include "command.h"
#include "nearest.h"
#include "library_info.h"

#include <stdio.h>
#include <string.h>

static void print_usage(FILE *file) {
    fprintf(file, "usage: attractivenet COMMAND [options]\n"
                  "       attractivenet [options of train]\n");
}

static void print_commands(FILE *file) {
    fprintf(file, "\ncommands:\n");
    for (int i = 0; commands[i]; i++)
        fprintf(file, "  %-10s%s\n", commands[i]->name, commands[i]->what);
}

static int print_help(void) {
    print_usage(stdout);
    printf("\nTrains networks to score photographs as people did, and scores photographs with "
           "them.\n");
    print_commands(stdout);
    printf("\n  --help    show this help; for a command, see attractivenet COMMAND --help\n"
           "  --version show release, features and ISA level\n"
           "\nWithout a command, as in \"attractivenet --data faces.zip --out run\", the command "
           "is train.\n");
    return 0;
}

static int refuse_command(const char *name) {
    nearest best = {.word = name, .length = (int)strlen(name)};
    for (int i = 0; commands[i]; i++)
        nearest_offer(&best, commands[i]->name);
    if (best.found) {
        fprintf(stderr, "attractivenet: unknown command '%s'; did you mean '%s'?\n", name,
                best.found);
    } else {
        fprintf(stderr, "attractivenet: unknown command '%s'\n", name);
        print_commands(stderr);
    }
    return 2;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_usage(stderr);
        print_commands(stderr);
        return 2;
    }
    const char *first = argv[1];
    if (!strcmp(first, "--help") || !strcmp(first, "-h")) return print_help();
    if (!strcmp(first, "--version")) return library_info_print("attractivenet");
    const int is_bare = first[0] == '-';
    const command *found = find_command(is_bare ? "train" : first);
    if (!found) return refuse_command(first);
    option_row rows[OPTION_ROWS];
    found->options(rows);
    char **words = is_bare ? argv : argv + 1;
    const int count = is_bare ? argc : argc - 1;
    const int operands = options_parse(count, words, rows, &found->text);
    return found->run(rows, count - operands, words + operands);
}
