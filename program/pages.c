/* SPDX-License-Identifier: MIT
 * Writes the man page and the shell completions of attractivenet from its table of commands, like
 * --help. Run during the build; not installed.
 *
 * usage: pages man|bash|zsh|fish >FILE */
#include "command.h"

#include <attractivenet/attractivenet.h>

#include <stdio.h>
#include <string.h>

/* Added to every table by options_parse(). */
static const option_row added[] = {
    {.name = "help", .kind = OPTION_FLAG, .argument = "", .help = "show help for the command"},
    {.name = "version",
     .kind = OPTION_FLAG,
     .argument = "",
     .help = "show release, features and ISA level"},
    {.name = NULL},
};

/** All options of a command: its rows, then the added ones. */
static void read_options(const command *of, option_row rows[OPTION_ROWS + 2]) {
    int count = 0;
    of->options(rows);
    while (rows[count].name)
        count++;
    memcpy(rows + count, added, sizeof added);
}

/** How the value of an option is completed. */
enum { NO_VALUE, WORDS, FILES, FOLDERS, ANYTHING };

static int kind_of_value(const option_row *row) {
    if (row->kind == OPTION_FLAG) return NO_VALUE;
    if (row->kind == OPTION_CHOICE) return WORDS;
    if (row->kind != OPTION_TEXT) return ANYTHING;
    if (strstr(row->argument, "FILE") || strstr(row->argument, "PATH")) return FILES;
    if (!strcmp(row->argument, "DIR") || !strcmp(row->argument, "FOLDER")) return FOLDERS;
    return ANYTHING;
}

/* --- the man page ----------------------------------------------------------------------------- */

/* Text with troff's special characters escaped: '.' and ''' at the beginning of a line, '\' and
 * '-'. */
static void print_roff(const char *text, size_t length) {
    if (length && (*text == '.' || *text == '\'')) printf("\\&");
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\')
            printf("\\e");
        else if (text[i] == '-')
            printf("\\-");
        else
            putchar(text[i]);
    }
}

static void print_word(const char *text) {
    print_roff(text, strlen(text));
}

/* Indented lines are kept as they are, the others are filled. */
static void print_paragraph(const char *text, int is_fixed) {
    int fixed = 0;
    while (*text) {
        const size_t length = strcspn(text, "\n");
        const int wants = is_fixed || *text == ' ';
        if (wants != fixed) printf(wants ? ".nf\n" : ".fi\n");
        fixed = wants;
        print_roff(text, length);
        printf("\n");
        text += length + (text[length] == '\n');
    }
    if (fixed) printf(".fi\n");
}

static void print_options(const option_row *rows) {
    char value[64];
    for (const option_row *row = rows; row->name; row++) {
        printf(".TP\n.B \\-\\-");
        print_word(row->name);
        if (*row->argument) {
            printf(" \\fI");
            print_word(row->argument);
            printf("\\fR");
        }
        printf("\n");
        print_paragraph(row->help, 0);
        if (*option_value(value, row)) {
            printf("(default ");
            print_word(value);
            printf(")\n");
        } else if (row->is_needed) {
            printf("(required)\n");
        }
    }
}

static void print_man(void) {
    option_row rows[OPTION_ROWS + 2];
    printf(".\\\" SPDX-License-Identifier: MIT\n"
           ".TH ATTRACTIVENET 1 \"\" \"attractivenet %s\" \"User Commands\"\n"
           ".SH NAME\nattractivenet \\- train networks to score photographs, and score "
           "photographs with them\n.SH SYNOPSIS\n",
           an_version());
    for (int i = 0; commands[i]; i++) {
        printf(i ? ".br\n.B " : ".B ");
        print_word(commands[i]->text.name);
        if (*commands[i]->text.usage) {
            printf("\n");
            print_word(commands[i]->text.usage);
        }
        printf("\n");
    }
    printf(".SH DESCRIPTION\n"
           "Trains MobileNetV2 networks to score photographs as people did, and scores photographs "
           "with "
           "them.\nWithout a command, the options are those of\n.BR train .\n"
           ".SH COMMANDS\n");
    for (int i = 0; commands[i]; i++) {
        const command *at = commands[i];
        read_options(at, rows);
        printf(".SS ");
        print_word(at->name);
        printf("\n");
        print_paragraph(at->text.about, 0);
        print_options(rows);
        if (at->text.examples) {
            printf(".PP\nExamples:\n.PP\n");
            print_paragraph(at->text.examples, 1);
        }
    }
    printf(".SH ENVIRONMENT\n.TP\n.B AN_CPU\n"
           "limits the ISA level: c, avx2, avx512, avx512vnni, avx512bf16, neon\n"
           ".TP\n.B XDG_CACHE_HOME\ndirectory for downloaded ImageNet weights, in attractivenet/ "
           "(default ~/.cache)\n"
           ".SH EXIT STATUS\n.TP\n.B 0\nSuccess.\n.TP\n.B 1\nAn error occurred; it is "
           "printed on standard error.\n.TP\n.B 2\nInvalid command line.\n.TP\n.B 3\nTraining "
           "was stopped by a signal; continue it with\n.BR \\-\\-resume .\n");
}

/* --- bash ------------------------------------------------------------------------------------- */

static void print_choices(const char *choices, const char *between) {
    for (; *choices; choices++)
        if (*choices == '|')
            printf("%s", between);
        else
            putchar(*choices);
}

static void print_names(const option_row *rows) {
    for (const option_row *row = rows; row->name; row++)
        printf("%s--%s", row == rows ? "" : " ", row->name);
}

/* Offers the lines that compgen prints: names may contain spaces. */
static void print_offer(const char *options, const char *words) {
    printf("mapfile -t COMPREPLY < <(compgen %s", options);
    if (words) {
        printf(" '");
        print_choices(words, " ");
        printf("'");
    }
    printf(" -- \"$word\")");
}

static void print_bash_values(const command *of, const option_row *rows) {
    for (const option_row *row = rows; row->name; row++) {
        const int kind = kind_of_value(row);
        if (kind == NO_VALUE || kind == FILES) continue; /* files are bash's default */
        printf("    '%s --%s') ", of->name, row->name);
        if (kind == WORDS) {
            print_offer("-W", row->choices);
            printf("; compopt +o default");
        } else if (kind == FOLDERS) {
            print_offer("-d", NULL);
            printf("; compopt -o filenames");
        } else {
            printf("compopt +o default");
        }
        printf("; return ;;\n");
    }
}

static void print_bash(void) {
    option_row rows[OPTION_ROWS + 2];
    printf("# SPDX-License-Identifier: MIT\n"
           "# bash completion for attractivenet\n"
           "_attractivenet() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} "
           "command=train options=''\n"
           "    COMPREPLY=()\n"
           "    if [[ $COMP_CWORD == 1 && $word != -* ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W '");
    for (int i = 0; commands[i]; i++)
        printf("%s%s", i ? " " : "", commands[i]->name);
    printf("' -- \"$word\")\n        compopt +o default\n        return\n    fi\n"
           "    [[ ${COMP_WORDS[1]} == -* ]] || command=${COMP_WORDS[1]}\n"
           "    case \"$command $before\" in\n");
    for (int i = 0; commands[i]; i++) {
        read_options(commands[i], rows);
        print_bash_values(commands[i], rows);
    }
    printf("    esac\n    [[ $word == -* ]] || return\n    case $command in\n");
    for (int i = 0; commands[i]; i++) {
        read_options(commands[i], rows);
        printf("    %s) options='", commands[i]->name);
        print_names(rows);
        printf("' ;;\n");
    }
    printf("    esac\n    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n}\n"
           "complete -o default -F _attractivenet attractivenet\n");
}

/* --- zsh and fish ----------------------------------------------------------------------------- */

/* The first line of a text, in shell quotes. */
static void print_quoted(const char *help) {
    putchar('\'');
    for (size_t i = 0; i < strcspn(help, "\n"); i++) {
        if (help[i] == '\'')
            printf("'\\''");
        else
            putchar(help[i]);
    }
    putchar('\'');
}

static void print_zsh_option(const option_row *row) {
    char text[512];
    const int kind = kind_of_value(row);
    const int length = (int)strcspn(row->help, "\n");
    printf("        ");
    if (kind == NO_VALUE) {
        snprintf(text, sizeof text, "--%s[%.*s]", row->name, length, row->help);
    } else if (kind == WORDS) {
        snprintf(text, sizeof text, "--%s[%.*s]:word:(%s)", row->name, length, row->help,
                 row->choices);
        for (char *at = strrchr(text, '('); *at; at++)
            if (*at == '|') *at = ' ';
    } else {
        snprintf(text, sizeof text, "--%s[%.*s]:value:%s", row->name, length, row->help,
                 kind == FILES     ? "_files"
                 : kind == FOLDERS ? "_files -/"
                                   : " ");
    }
    print_quoted(text);
    printf(" \\\n");
}

static void print_zsh(void) {
    option_row rows[OPTION_ROWS + 2];
    printf("#compdef attractivenet\n# SPDX-License-Identifier: MIT\n"
           "_attractivenet() {\n    local command=train\n"
           "    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n"
           "        local -a names=(\n");
    for (int i = 0; commands[i]; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s:%s", commands[i]->name, commands[i]->what);
        printf("            ");
        print_quoted(text);
        printf("\n");
    }
    printf("        )\n        _describe command names\n        return\n    fi\n"
           "    if [[ $words[2] != -* ]]; then\n        command=$words[2]\n        shift words\n"
           "        (( CURRENT-- ))\n    fi\n    case $command in\n");
    for (int i = 0; commands[i]; i++) {
        read_options(commands[i], rows);
        printf("    %s)\n        _arguments \\\n", commands[i]->name);
        for (const option_row *row = rows; row->name; row++)
            print_zsh_option(row);
        printf("        %s ;;\n", commands[i]->text.operands ? "'*:file:_files'" : "");
    }
    printf("    esac\n}\n_attractivenet \"$@\"\n");
}

static void print_fish_option(const command *of, const option_row *row) {
    const int kind = kind_of_value(row);
    printf("complete -c attractivenet -n '__attractivenet_is %s' -l %s", of->name, row->name);
    if (kind == WORDS) {
        printf(" -x -a '");
        print_choices(row->choices, " ");
        printf("'");
    } else if (kind == FILES) {
        printf(" -r -F");
    } else if (kind == FOLDERS) {
        printf(" -x -a '(__fish_complete_directories)'");
    } else if (kind == ANYTHING) {
        printf(" -x");
    }
    printf(" -d ");
    print_quoted(row->help);
    printf("\n");
}

static void print_fish(void) {
    option_row rows[OPTION_ROWS + 2];
    printf("# SPDX-License-Identifier: MIT\n"
           "# fish completion for attractivenet\n"
           "function __attractivenet_is\n"
           "    set -l words (commandline -opc)\n"
           "    set -l command train\n"
           "    set -q words[2]; and not string match -q -- '-*' $words[2]; and set command "
           "$words[2]\n"
           "    test $command = $argv[1]\n"
           "end\n"
           "complete -c attractivenet -f\n");
    for (int i = 0; commands[i]; i++) {
        printf("complete -c attractivenet -n __fish_use_subcommand -a %s -d ", commands[i]->name);
        print_quoted(commands[i]->what);
        printf("\n");
    }
    for (int i = 0; commands[i]; i++) {
        read_options(commands[i], rows);
        for (const option_row *row = rows; row->name; row++)
            print_fish_option(commands[i], row);
        if (commands[i]->text.operands)
            printf("complete -c attractivenet -n '__attractivenet_is %s' -F\n", commands[i]->name);
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*print)(void);
    } pages[] = {
        {"man", print_man}, {"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; argc == 2 && i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(argv[1], pages[i].name) != 0) continue;
        pages[i].print();
        return fflush(stdout) || ferror(stdout);
    }
    fprintf(stderr, "usage: pages man|bash|zsh|fish\n");
    return 2;
}
