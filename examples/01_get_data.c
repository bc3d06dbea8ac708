/* SPDX-License-Identifier: MIT
 * Step 1 of the tutorial: get the data. Downloads an archive if need be and extracts the images
 * and the label file; what is there already stays. */
#include "steps.h"

static const program_text text = {
    .usage = "--data ARCHIVE|FOLDER|URL --out DIR",
    .about = "Step 1: get the data. An archive is downloaded if --data is a URL (a transfer\n"
             "that broke is taken up again), checked, and its images and All_labels.txt are\n"
             "extracted into DIR/data. Nothing else in the archive is touched, and what is\n"
             "there already stays.",
    .examples = "  01_get_data --data https://example.org/SCUT-FBP5500_v2.1.zip --out run\n"
                "  01_get_data --data faces.zip --out run",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(&s, argc, argv,
                   "data labels suffix names-encoding skip-damaged out sha256 quiet", &text);
    char path[PATH_SIZE];
    s.extract = 1;
    if (get_data(&s, path)) return 1;
    say(s.quiet, "the data is in %s\n", path);
    return 0;
}
