/* SPDX-License-Identifier: MIT
 * Label files with a header, and folders as labels: what is read, and what each fault is called. */
#include "dataset/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/memory.h"
#include "dataset/dataset.h"
#include "support/data.h"
#include "support/folder.h"
#include "support/test_folder.h"
#include "support/warnings.h"

enum { COUNT = 6, SIDE = 16, BYTES = SIDE * SIDE * 3 };

/* --- tables ---------------------------------------------------------------------------------- */

static const char *const score[] = {"score"}, *const two[] = {"b", "a"};

/* Read a table that is called "T.csv", or "T.tsv". */
static an_status read_bytes(ani_labels *labels, const char *name, const void *text, int64_t size,
                            const ani_labels_form *form, uint8_t **bytes, an_error *err) {
    *bytes = malloc((size_t)size + 1);
    assert_non_null(*bytes);
    memcpy(*bytes, text, (size_t)size);
    (*bytes)[size] = 0;
    return ani_csv_read(labels, name, *bytes, size, form, err);
}

/* What a table says, as "name value ... *weight" for each label. */
static void expect_table(const char *name, const char *text, const ani_labels_form *form,
                         const char *want) {
    ani_labels labels;
    an_error err;
    uint8_t *bytes;
    char got[512] = "";
    if (read_bytes(&labels, name, text, (int64_t)strlen(text), form, &bytes, &err))
        fail_msg("%s\nin: %s", err.message, text);
    for (int64_t i = 0; i < labels.count; i++) {
        const ani_label *label = &labels.entries[i];
        char *to = got + strlen(got);
        to += snprintf(to, 100, "%s%.*s", i ? "|" : "", (int)label->size,
                       labels.bytes + label->offset);
        for (int32_t k = 0; labels.values && k < form->outputs; k++)
            to += snprintf(to, 40, " %g", labels.values[i * form->outputs + k]);
        if (labels.items) to += snprintf(to, 40, " #%d", (int)labels.items[i]);
        if (labels.weights) snprintf(to, 40, " *%g", labels.weights[i]);
        assert_int_equal(ani_labels_find(&labels, labels.bytes + label->offset, label->size), i);
    }
    if (strcmp(got, want) != 0) fail_msg("read: %s\nexpected: %s", got, want);
    ani_labels_clear(&labels);
    free(bytes);
}

static void tables_are_read(void **state) {
    (void)state;
    const ani_labels_form plain = {.outputs = 1};
    const ani_labels_form chosen = {
        .outputs = 1, .name_column = "file", .score_columns = score, .weight_column = "w"};
    const ani_labels_form swapped = {.outputs = 2, .score_columns = two};
    const ani_labels_form pair = {.outputs = 2};
    const ani_labels_form weighted = {.outputs = 1, .weight_column = "w"};
    expect_table("T.csv", "name,score\na.jpg,1.5\nb.jpg,-2e0\n", &plain, "a.jpg 1.5|b.jpg -2");
    expect_table("T.csv", "name;score\r\na,b.jpg;1.5\r\nb.jpg; 2 \r\n", &plain,
                 "a,b.jpg 1.5|b.jpg 2");
    expect_table("T.CSV", "name\tscore\ra.jpg\t1\rb b.jpg \t2", &plain, "a.jpg 1|b b.jpg 2");
    expect_table("T.tsv", "na,me\tsc;ore\na.jpg\t1\n", &plain, "a.jpg 1");
    expect_table("T.csv", "\xEF\xBB\xBF\n  \nname,score\n\n\na.jpg,1\n\n", &plain, "a.jpg 1");
    expect_table("T.csv", "\"na,me\",\"sc\"\"ore\"\n\"a,\"\"1\"\".jpg\",\" 1 \"\n\"b.jpg\",\"2\"",
                 &plain, "a,\"1\".jpg 1|b.jpg 2");
    expect_table(
        "T.csv",
        "id,w,score,note,file\n7,0.5,3,\"two\nlines, \"\"quoted\"\"\r\n\",a.jpg\n8,1,4,,b.jpg\n",
        &chosen, "a.jpg 3 *0.5|b.jpg 4 *1");
    expect_table("T.csv", "\"na;me\",\"sco\tre\"\na.jpg,1\n", &plain, "a.jpg 1");
    expect_table("T.csv", "name,a,b,c\nx.jpg,1,2,3\n", &swapped, "x.jpg 2 1");
    expect_table("T.csv", "name,a,b\nx.jpg,1,2\n", &pair, "x.jpg 1 2");
    expect_table("T.csv", "name,w,s\nx.jpg,0,2\ny.jpg,3e38,4\n", &weighted,
                 "x.jpg 2 *0|y.jpg 4 *3e+38");
    expect_table("T.csv", "name,score\nin/a/x.jpg,1\nC:\\y.jpg,2\nin/a/x.jpg,1\n", &plain,
                 "x.jpg 1|y.jpg 2");
}

static void tables_of_classes(void **state) {
    (void)state;
    ani_classes classes = {0};
    const ani_labels_form form = {.outputs = 1, .classes = &classes};
    int32_t places[3];
    expect_table("T.csv", "name,class\na.jpg,\"grey, wolf\"\nb.jpg,cat\nc.jpg, dog\nd.jpg,cat\n",
                 &form, "a.jpg #0|b.jpg #1|c.jpg #2|d.jpg #1");
    assert_int_equal(classes.count, 3);
    assert_int_equal(ani_classes_settle(&classes, places, NULL), AN_OK);
    assert_string_equal(ani_classes_name(&classes, 0), "cat");
    assert_string_equal(ani_classes_name(&classes, 2), "grey, wolf");
    assert_int_equal(places[0], 2);
    ani_classes_clear(&classes);
}

static void a_table_in_utf16(void **state) {
    (void)state;
    static const char text[] = "name;score\r\na.jpg;1,5\r\nb.jpg;2\r\n";
    uint8_t wide[2 * sizeof text];
    const ani_labels_form form = {.outputs = 1, .policy = AN_POLICY_SKIP};
    ani_labels labels;
    an_error err;
    uint8_t *bytes;
    wide[0] = 0xFF;
    wide[1] = 0xFE;
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        wide[2 + 2 * i] = (uint8_t)text[i];
        wide[3 + 2 * i] = 0;
    }
    if (read_bytes(&labels, "T.csv", wide, 2 * sizeof text, &form, &bytes, &err))
        fail_msg("%s", err.message);
    assert_int_equal(labels.count, 1);
    assert_int_equal(labels.skipped, 1);
    assert_true(labels.values[0] == 2.0);
    ani_labels_clear(&labels);
    free(bytes);
}

/* Faults in the order of the text; skip is how many labels remain if bad lines are left out, -1 if
 * even then the file is refused. */
static void each_fault_has_its_line_and_column(void **state) {
    (void)state;
    static const char *const twice[] = {"name"}, *const absent[] = {"Score"};
    static const ani_labels_form plain = {.outputs = 1}, pair = {.outputs = 2},
                                 weighted = {.outputs = 1, .weight_column = "w"},
                                 double_use = {.outputs = 1, .score_columns = twice},
                                 no_column = {.outputs = 1, .score_columns = absent},
                                 double_weight = {.outputs = 1, .weight_column = "name"};
    static const struct {
        const char *text;
        const ani_labels_form *form;
        int64_t skip;
        const char *message;
    } cases[] = {
        {"", &plain, -1, "'T.csv' contains no labels"},
        {"\n \n", &plain, -1, "'T.csv' contains no labels"},
        {"name,score\n", &plain, -1, "'T.csv' contains no labels"},
        {"name\na.jpg\n", &plain, -1,
         "'T.csv', line 1: the header has one column; the name and the label of an image must be "
         "separated by commas, semicolons or tabs"},
        {"name;score, mean\na.jpg;1\n", &plain, -1,
         "'T.csv', line 1: the header has commas and semicolons; titles that contain one of them "
         "must be in quotes"},
        {"a.jpg,1\nb.jpg,2\n", &plain, -1,
         "'T.csv', line 1: must be the titles of the columns; 'a.jpg' is the name of an image"},
        {"face,3.5\nb.jpg,2\n", &plain, -1,
         "'T.csv', line 1: must be the titles of the columns; '3.5' is a number"},
        {"name,age,score\na.jpg,7,1\n", &plain, -1,
         "'T.csv', line 1: the header has 2 columns besides the name, expected 1; set "
         "score_columns "
         "to choose"},
        {"name,score\na.jpg,1\n", &pair, -1,
         "'T.csv', line 1: the header has 1 columns besides the name, expected 2; set "
         "score_columns "
         "to choose"},
        {"name,w\na.jpg,1\n", &weighted, -1,
         "'T.csv', line 1: the header has 0 columns besides the name and the weight, expected 1; "
         "set score_columns to choose"},
        {"name,score\na.jpg,1\n", &no_column, -1,
         "'T.csv', line 1: no column 'Score'; there are 'name', 'score'"},
        {"n,b,c,d,e,f,g,h\na.jpg,1\n", &no_column, -1,
         "'T.csv', line 1: no column 'Score'; there are 'n', 'b', 'c', 'd', 'e', 'f' and 2 more"},
        {"\nx,Score,Score\na.jpg,1,2\n", &no_column, -1,
         "'T.csv', line 2: columns 2 and 3 are both 'Score'"},
        {"name,score\na.jpg,1\n", &double_use, -1,
         "'T.csv', line 1: column 'name' is in score_columns and in name_column"},
        {"name,score\na.jpg,1\n", &double_weight, -1,
         "'T.csv', line 1: column 'name' is both name_column and weight_column"},
        {"name,score\na.jpg,1\nb.jpg\nc.jpg,1\n", &plain, 2,
         "'T.csv', line 3: 1 fields, the header has 2"},
        {"name,score\na.jpg,1,5\n", &plain, -1, "'T.csv', line 2: 3 fields, the header has 2"},
        {"name;score\na.jpg;1,5\nb.jpg;2\n", &plain, 1,
         "'T.csv', line 2, column 2 ('score'): '1,5' has a decimal comma; it must be a point"},
        {"name;score\na.jpg;1,5,3\nb.jpg;2\n", &plain, 1,
         "'T.csv', line 2, column 2 ('score'): '1,5,3' is not a finite number"},
        {"name,score\na.jpg,\nb.jpg,2\n", &plain, 1,
         "'T.csv', line 2, column 2 ('score'): '' is not a finite number"},
        {"name,score\na.jpg,nan\nb.jpg,2\n", &plain, 1,
         "'T.csv', line 2, column 2 ('score'): 'nan' is not a finite number"},
        {"name,score\na.jpg,1e39\nb.jpg,2\n", &plain, 1,
         "'T.csv', line 2, column 2 ('score'): '1e39' is too large: the limit is 3.4e38"},
        {"name,score\na.jpg,1e999\nb.jpg,2\n", &plain, 1,
         "'T.csv', line 2, column 2 ('score'): '1e999' is too large: the limit is 3.4e38"},
        {"name,score\n,1\nb.jpg,2\n", &plain, 1,
         "'T.csv', line 2, column 1 ('name'): '' is empty; expected the name of an image"},
        {"name,score\na/,1\nb.jpg,2\n", &plain, 1,
         "'T.csv', line 2, column 1 ('name'): 'a/' is a folder; expected the name of an image"},
        {"name,score\n\"a\n.jpg\",1\nb.jpg,2\n", &plain, 1,
         "'T.csv', line 2, column 1 ('name'): 'a?.jpg' has a control character"},
        {"name,score\na.jpg,1\na.jpg,2\n", &plain, 1,
         "'T.csv', line 3: 'a.jpg' has another label on line 2"},
        {"name,score\nx/a.jpg,1\ny/a.jpg,1\n", &plain, 1,
         "'T.csv', line 3: 'y/a.jpg' has the base name of 'x/a.jpg' on line 2"},
        {"name,score,w\na.jpg,1,1\na.jpg,1,2\n", &weighted, 1,
         "'T.csv', line 3: 'a.jpg' has another label on line 2"},
        {"name,score,w\na.jpg,1,-1\nb.jpg,1,2\n", &weighted, 1,
         "'T.csv', line 2, column 3 ('w'): '-1' is not a weight: it must be 0 or between 1.18e-38 "
         "and "
         "3.4e38"},
        {"name,score\n\"a\"b.jpg,1\nb.jpg,2\n", &plain, 1,
         "'T.csv', line 2: 'b' follows the closing quote of field 1"},
        {"name,score\na\"b.jpg,1\nb.jpg,2\n", &plain, 1,
         "'T.csv', line 2: field 1, 'a\"b.jpg', has a quote inside; it must be in quotes, and its "
         "quotes written twice"},
        {"name,score\nz.jpg,1\n\"a.jpg,1\nb.jpg,2\n", &plain, -1,
         "'T.csv', line 3: the quote of field 1 is not closed"},
        {"name,\"score\na.jpg,1\n", &plain, -1,
         "'T.csv', line 1: the quote of field 2 is not closed"},
        {"name,note,score\na.jpg,\"x\r\ny\rz\n\",1\nb.jpg,x,-\n", &no_column, -1,
         "'T.csv', line 1: no column 'Score'; there are 'name', 'note', 'score'"},
        {"name,a,b\na.jpg,\"\r\n\r\n1\",2\n", &pair, -1,
         "'T.csv', line 2, column 2 ('a'): '????1' is not a finite number"},
        {"name,a,b\nc.jpg,1,\" 2\"\n\na.jpg,1,x\n", &pair, 1,
         "'T.csv', line 4, column 3 ('b'): 'x' is not a finite number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ani_labels labels;
        an_error err;
        uint8_t *bytes;
        ani_labels_form form = *cases[i].form;
        const int64_t size = (int64_t)strlen(cases[i].text);
        const an_status st = read_bytes(&labels, "T.csv", cases[i].text, size, &form, &bytes, &err);
        if (st != AN_ERR_FORMAT) fail_msg("accepted: %s", cases[i].text);
        if (strcmp(err.message, cases[i].message) != 0)
            fail_msg("%s\nexpected: %s", err.message, cases[i].message);
        assert_null(labels.entries);
        free(bytes);
        form.policy = AN_POLICY_SKIP;
        const an_status skips =
            read_bytes(&labels, "T.csv", cases[i].text, size, &form, &bytes, &err);
        if ((skips ? -1 : labels.count) != cases[i].skip)
            fail_msg("%lld labels of: %s", skips ? -1LL : (long long)labels.count, cases[i].text);
        if (!skips) assert_int_equal(labels.skipped, 1);
        if (!skips) assert_string_equal(labels.first_skipped.message, cases[i].message);
        ani_labels_clear(&labels);
        free(bytes);
    }
    assert_true(ani_csv_is("x.csv") && ani_csv_is("x.TSV") && !ani_csv_is("csv") &&
                !ani_csv_is("x.csv.txt"));
}

/* --- data sets ------------------------------------------------------------------------------- */

static an_dataset_options table_options(warnings *w) {
    an_dataset_options options;
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.label_file = "labels.csv";
    options.warn = w ? warnings_note : NULL;
    options.warn_user = w;
    return options;
}

static int set_up(void **state) {
    static char folder[512];
    test_folder_make(state);
    snprintf(folder, sizeof folder, "%s/faces", test_folder);
    assert_int_equal(mkdir(folder, 0777), 0);
    data_folder(folder, COUNT, SIDE, SIDE);
    *state = folder;
    return 0;
}

static void write_table(const char *folder, const char *text) {
    folder_write_text(folder_path(folder, "labels.csv"), text);
}

#define ROWS(prefix)                                                                               \
    prefix "P0000.jpg;0.5;dog;1\n" prefix "P0001.jpg;1.5;cat;2\n" prefix                           \
           "P0002.jpg;2.5;dog;3\n" prefix "P0003.jpg;3.5;cat;0\n" prefix                           \
           "P0004.jpg;4.5;ant;5\n" prefix "P0005.jpg;5.5;cat;6\n"

/* Scores, weights and classes come with their images, from folders and archives. */
static void a_table_beside_the_images(void **state) {
    const char *folder = *state;
    static const char *const columns[] = {"score"}, *const animal[] = {"animal"};
    char archive[600];
    snprintf(archive, sizeof archive, "%s.zip", folder);
    write_table(folder, "file;score;animal;weight\n" ROWS(""));
    data_zip(archive, folder, "x/");
    for (int which = 0; which < 4; which++) {
        an_dataset *dataset;
        an_error err;
        an_dataset_options options = table_options(NULL);
        options.score_columns = which % 2 ? animal : columns;
        options.weight_column = "weight";
        if (which % 2) options.labels = AN_LABELS_CLASSES;
        if (an_dataset_open(&dataset, which / 2 ? archive : folder, &options, &err))
            fail_msg("%s", err.message);
        assert_int_equal(an_dataset_count(dataset), COUNT);
        assert_int_equal(an_dataset_has_weights(dataset), 1);
        for (int64_t i = 0; i < COUNT; i++) {
            assert_true(an_dataset_weight(dataset, i) == (i == 3 ? 0.0 : (double)i + 1));
            if (which % 2)
                assert_int_equal(an_dataset_class(dataset, i), "212101"[i] - '0');
            else
                assert_true(an_dataset_score(dataset, i, 0) == (double)i + 0.5);
        }
        assert_int_equal(an_dataset_class_count(dataset), which % 2 ? 3 : 0);
        an_dataset_destroy(dataset);
    }
}

static void expect_open_failure(const char *folder, const an_dataset_options *options,
                                an_status status, const char *message) {
    an_dataset *dataset;
    an_error err;
    assert_int_equal(an_dataset_open(&dataset, folder, options, &err), status);
    assert_null(dataset);
    if (!strstr(err.message, message)) fail_msg("%s\nexpected: %s", err.message, message);
}

/* A name with folders says where the image is; it may begin further up, or further down. */
static void names_with_folders(void **state) {
    const char *folder = *state;
    static const char *const columns[] = {"score"};
    static const char *const right[] = {ROWS("faces/"), ROWS("/data/top/faces/"), ROWS("./"),
                                        ROWS("D:\\top\\faces\\"), ROWS("top/faces/")};
    an_dataset_options options = table_options(NULL);
    char archive[600], text[1024];
    an_dataset *dataset;
    an_error err;
    snprintf(archive, sizeof archive, "%s.zip", folder);
    options.score_columns = columns;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        snprintf(text, sizeof text, "file;score;animal;weight\n%s", right[i]);
        write_table(folder, text);
        data_zip(archive, folder, "top/faces/");
        for (int zipped = 0; zipped < 2; zipped++) {
            if (an_dataset_open(&dataset, zipped ? archive : folder, &options, &err))
                fail_msg("%s", err.message);
            assert_true(an_dataset_score(dataset, 5, 0) == 5.5);
            assert_string_equal(an_dataset_name(dataset, 5), "P0005.jpg");
            an_dataset_destroy(dataset);
        }
    }
    write_table(folder, "file;score;animal;weight\n" ROWS("cafaces/"));
    data_zip(archive, folder, "top/faces/");
    expect_open_failure(archive, &options, AN_ERR_FORMAT,
                        "'labels.csv', line 2: the image 'cafaces/P0000.jpg' is not there; that of "
                        "its name is 'top/faces/P0000.jpg'");
    write_table(folder, "file;score;animal;weight\n" ROWS("aces/")); /* the end of a name */
    data_zip(archive, folder, "top/faces/");
    expect_open_failure(archive, &options, AN_ERR_FORMAT,
                        "the image 'aces/P0000.jpg' is not there");
    write_table(folder, "file;score;animal;weight\n" ROWS("xtop/faces/"));
    data_zip(archive, folder, "top/faces/");
    expect_open_failure(archive, &options, AN_ERR_FORMAT,
                        "the image 'xtop/faces/P0000.jpg' is not there");
    write_table(folder, "file;score;animal;weight\nfaces/P0000.jpg;1;x;1\nother/P0001.jpg;2;x;1\n");
    data_zip(archive, folder, "top/faces/");
    warnings w = {0};
    options.policy = AN_POLICY_SKIP;
    options.warn = warnings_note;
    options.warn_user = &w;
    assert_int_equal(an_dataset_open(&dataset, archive, &options, &err), AN_OK);
    assert_int_equal(an_dataset_count(dataset), 1);
    assert_int_equal(an_dataset_skipped(dataset), 5);
    /* the label of another folder's image has none */
    assert_int_equal(an_dataset_labels_without_image(dataset), 1);
    assert_string_equal(w.last, "1 of 2 labels in 'labels.csv' have no image: 'other/P0001.jpg' on "
                                "line 3 (near 'P0001.jpg': the folders differ)");
    an_dataset_destroy(dataset);
}

static void tables_and_options_that_do_not_fit(void **state) {
    const char *folder = *state;
    static const char *const columns[] = {"score", NULL};
    an_dataset_options options = table_options(NULL);
    write_table(folder, "file,score,weight\nP0000.jpg,1,0\nP0001.jpg,1,0\nP0002.jpg,1,0\n"
                        "P0003.jpg,1,0\nP0004.jpg,1,0\nP0005.jpg,1,0\n");
    options.weight_column = "weight";
    expect_open_failure(folder, &options, AN_ERR_FORMAT,
                        "'labels.csv', column 'weight': all 6 weights are 0");
    options.label_file = "All_labels.txt";
    expect_open_failure(folder, &options, AN_ERR_ARG,
                        "an_dataset_options: weight_column is set, and All_labels.txt has no "
                        "columns");
    options.weight_column = NULL;
    options.name_column = "file";
    expect_open_failure(folder, &options, AN_ERR_ARG, "name_column is set");
    options.label_file = "labels.csv";
    options.labels = AN_LABELS_FOLDERS;
    expect_open_failure(folder, &options, AN_ERR_ARG,
                        "name_column is set, and AN_LABELS_FOLDERS has no columns");
    options.labels = AN_LABELS_NUMBERS;
    options.outputs = 2;
    options.score_columns = columns;
    expect_open_failure(folder, &options, AN_ERR_ARG, "score_columns[1] is NULL");
    an_dataset *dataset;
    an_error err;
    const double one = 1;
    const char *const path = folder_path(folder, "P0000.jpg");
    assert_int_equal(an_dataset_from_files(&dataset, &path, &one, 1, &options, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "name_column is set; labels are an argument here"));
    options.name_column = NULL;
    options.score_columns = NULL;
    options.labels = AN_LABELS_FOLDERS;
    assert_int_equal(an_dataset_from_files(&dataset, &path, &one, 1, &options, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "AN_LABELS_FOLDERS is set"));
}

/* --- folders --------------------------------------------------------------------------------- */

/* Move image number of the folder to a path below it. */
static void move(const char *folder, int number, const char *path) {
    char name[32], to[600];
    snprintf(name, sizeof name, "P%04d.jpg", number);
    snprintf(to, sizeof to, "%s/%s", folder, path);
    for (char *slash = to + strlen(folder) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(to, 0777);
    }
    assert_int_equal(rename(folder_path(folder, name), to), 0);
}

static void expect_folders(const char *place, const an_dataset_options *options,
                           const char *classes, const char *names, const char *indices) {
    an_dataset *dataset;
    an_error err;
    char text[512] = "", name[512] = "";
    uint8_t rgb[BYTES];
    if (an_dataset_open(&dataset, place, options, &err)) fail_msg("%s", err.message);
    for (int32_t i = 0; i < an_dataset_class_count(dataset); i++)
        snprintf(text + strlen(text), 100, "%s%s", i ? "," : "", an_dataset_class_name(dataset, i));
    assert_string_equal(text, classes);
    for (int64_t i = 0; i < an_dataset_count(dataset); i++) {
        snprintf(name + strlen(name), 100, "%s%s", i ? "," : "", an_dataset_name(dataset, i));
        assert_int_equal(an_dataset_class(dataset, i), indices[i] - '0');
        assert_int_equal(an_dataset_read_pixels(dataset, i, rgb, NULL), AN_OK);
    }
    assert_string_equal(name, names);
    an_dataset_destroy(dataset);
}

static void a_folder_for_each_class(void **state) {
    const char *folder = *state;
    static const char *const fixed[] = {"dog", "cat", "yak"};
    char archive[600], above[512];
    an_dataset_options options = table_options(NULL);
    options.labels = AN_LABELS_FOLDERS;
    snprintf(archive, sizeof archive, "%s.zip", folder);
    snprintf(above, sizeof above, "%s", test_folder);
    static const char *const names = "ant/1.jpg,cat/1.jpg,cat/2.jpg,cat/3.jpg,dog/1.jpg,dog/9.jpg";
    move(folder, 0, "dog/1.jpg");
    move(folder, 1, "cat/1.jpg");
    move(folder, 2, "ant/1.jpg");
    move(folder, 3, "cat/2.jpg");
    move(folder, 4, "dog/9.jpg");
    move(folder, 5, "cat/3.jpg");
    data_zip_tree(archive, folder, "top/");
    expect_folders(folder, &options, "ant,cat,dog", names, "011122");
    expect_folders(above, &options, "ant,cat,dog", names,
                   "011122"); /* the folder above counts not */
    expect_folders(archive, &options, "ant,cat,dog", names, "011122");
    options.classes = fixed;
    options.class_count = 3;
    for (int zipped = 0; zipped < 2; zipped++)
        expect_open_failure(zipped ? archive : folder, &options, AN_ERR_FORMAT,
                            "'ant/1.jpg': 'ant' is not one of the 3 classes");
    warnings w = {0};
    options.policy = AN_POLICY_SKIP;
    options.warn = warnings_note;
    options.warn_user = &w;
    expect_folders(archive, &options, "dog,cat,yak",
                   "cat/1.jpg,cat/2.jpg,cat/3.jpg,dog/1.jpg,dog/9.jpg", "11100");
    assert_int_equal(w.calls, 1);
    assert_int_equal(w.counts[AN_WARN_IMAGE_SKIPPED], 1);
    assert_string_equal(w.last, "'ant/1.jpg': 'ant' is not one of the 3 classes");
}

static void folders_that_are_no_classes(void **state) {
    const char *folder = *state;
    static const char *const fixed[] = {"dog", "cat"};
    an_dataset_options options = table_options(NULL);
    char inner[600];
    options.labels = AN_LABELS_FOLDERS;
    expect_open_failure(folder, &options, AN_ERR_FORMAT,
                        "are in one folder; each class needs its own folder");
    for (int i = 0; i < 5; i++) {
        char path[32];
        snprintf(path, sizeof path, "cat/%d.jpg", i);
        move(folder, i, path);
    }
    expect_open_failure(folder, &options, AN_ERR_FORMAT,
                        "'P0005.jpg' is outside the class folders");
    options.policy = AN_POLICY_SKIP;
    expect_open_failure(folder, &options, AN_ERR_FORMAT, "there is only one class, 'cat'");
    options.policy = AN_POLICY_STRICT;
    options.classes = fixed;
    options.class_count = 2;
    move(folder, 5, "cat/5.jpg");
    expect_folders(folder, &options, "dog,cat",
                   "cat/0.jpg,cat/1.jpg,cat/2.jpg,cat/3.jpg,cat/4.jpg,cat/5.jpg", "111111");
    snprintf(inner, sizeof inner, "%s/cat", folder); /* nothing says the class */
    expect_open_failure(inner, &options, AN_ERR_FORMAT, "are in one folder");
    options.classes = NULL;
    options.class_count = 0;
    assert_int_equal(mkdir(folder_path(folder, "Cat"), 0777), 0);
    char from[600], to[600];
    snprintf(from, sizeof from, "%s/cat/5.jpg", folder);
    snprintf(to, sizeof to, "%s/Cat/5.jpg", folder);
    assert_int_equal(rename(from, to), 0);
    expect_open_failure(folder, &options, AN_ERR_FORMAT,
                        "the classes 'Cat' and 'cat' differ only in case");
    assert_int_equal(mkdir(folder_path(folder, "Cat/in"), 0777), 0);
    snprintf(from, sizeof from, "%s/Cat/in/5.jpg", folder);
    assert_int_equal(rename(to, from), 0);
    expect_open_failure(folder, &options, AN_ERR_FORMAT, "'Cat/in/5.jpg' of '");
}

/* --- faults ---------------------------------------------------------------------------------- */

static an_status open_and_close(const char *place, int32_t labels) {
    static const char *const columns[] = {"animal"};
    an_dataset *dataset = NULL;
    an_error err = {0};
    warnings w = {0};
    an_dataset_options options = table_options(&w);
    options.labels = labels;
    options.policy = AN_POLICY_SKIP;
    if (labels == AN_LABELS_CLASSES) {
        options.score_columns = columns;
        options.weight_column = "weight";
    }
    const an_status st = an_dataset_open(&dataset, place, &options, &err);
    if (st) assert_null(dataset);
    if (st) assert_true(err.message[0] != '\0');
    an_dataset_destroy(dataset);
    return st;
}

static void fail_each(const char *place, int32_t labels) {
    static const int kinds[] = {ANI_FAULT_ALLOC, ANI_FAULT_OPEN, ANI_FAULT_READ};
    static const int codes[] = {ENOMEM, EACCES, EIO};
    for (int k = 0; k < 3; k++) {
        ani_fault_arm(kinds[k], INT64_MAX, codes[k], false);
        assert_int_equal(open_and_close(place, labels), AN_OK);
        const int64_t calls = ani_fault_calls(kinds[k]);
        for (int64_t n = 0; n < calls; n++) {
            ani_fault_arm(kinds[k], n, codes[k], false);
            const an_status st = open_and_close(place, labels);
            ani_fault_disarm();
            if (st != AN_ERR_NOMEM && st != AN_ERR_IO)
                fail_msg("kind %d, call %lld of %lld: %s", k, (long long)n, (long long)calls,
                         an_status_name(st));
        }
        ani_fault_disarm();
    }
}

static void each_call_may_fail(void **state) {
    const char *folder = *state;
    char archive[600];
    snprintf(archive, sizeof archive, "%s.zip", folder);
    write_table(folder, "a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q;animal;weight\n"
                        "P0000.jpg;;;;;;;;;;;;;;;;;dog;1\nP0001.jpg;;;;;;;;;;;;;;;;;cat;1\n"
                        "P0002.jpg;;;;;;;;;;;;;;;;;cat;x\nfaces/P0003.jpg;;;;;;;;;;;;;;;;;cat;1\n");
    data_zip(archive, folder, "");
    fail_each(folder, AN_LABELS_CLASSES);
    fail_each(archive, AN_LABELS_CLASSES);
    for (int i = 0; i < COUNT; i++)
        move(folder, i, i % 2 ? i == 3 ? "in.jpg" : "a/x.jpg" : "b/y.jpg");
    data_zip_tree(archive, folder, "top/");
    fail_each(folder, AN_LABELS_FOLDERS);
    fail_each(archive, AN_LABELS_FOLDERS);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, test_folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_read),
        cmocka_unit_test(tables_of_classes),
        cmocka_unit_test(a_table_in_utf16),
        cmocka_unit_test(each_fault_has_its_line_and_column),
        CASE(a_table_beside_the_images),
        CASE(names_with_folders),
        CASE(tables_and_options_that_do_not_fit),
        CASE(a_folder_for_each_class),
        CASE(folders_that_are_no_classes),
        CASE(each_call_may_fail),
    };
    return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
