/* SPDX-License-Identifier: MIT
 * Step 1 of the tutorial: get the data. Downloads an archive if necessary and extracts the images
 * and the label file; existing files are kept. */
#include "messages.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const program_text text = {
    .usage = "--data ARCHIVE|FOLDER|URL --out DIR",
    .about = "Step 1: get the data. If --data is a URL, the archive is downloaded (an\n"
             "interrupted transfer is resumed). It is checked, and its images and All_labels.txt\n"
             "are extracted to DIR/data. Everything else in the archive is ignored, and existing\n"
             "files are kept.",
    .examples = "  01_get_data --data https://example.org/SCUT-FBP5500_v2.1.zip --out run\n"
                "  01_get_data --data faces.zip --out run",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(&s, argc, argv,
                   "data labels suffix names-encoding skip-damaged out sha256 quiet", &text);
    an_error err;
    struct stat found = {0};
    char downloaded[PATH_SIZE], folder[PATH_SIZE];
    const char *archive = s.data;
    if (strstr(s.data, "://")) {
        an_download_options options;
        settings_download(&s, &options);
        if (make_folder(s.out)) return 1;
        archive = join_path(downloaded, s.out, "archive.zip");
        say(s.quiet, "downloading %s\n", s.data);
        if (an_download(s.data, archive, &options, &err)) return complain(&err);
        say(s.quiet, "archive: %s\n", archive);
    } else if (stat(s.data, &found)) {
        return complain_of("cannot open '%s': %s", s.data, strerror(errno));
    } else if (s.sha256 && S_ISDIR(found.st_mode)) {
        return complain_of("--sha256 is the hash of one file, but '%s' is a folder", s.data);
    } else if (s.sha256 && an_file_verify(archive, s.sha256, NULL, NULL, &err)) {
        return complain(&err);
    }
    if (S_ISDIR(found.st_mode)) {
        say(s.quiet, "data: %s\n", s.data);
        return 0;
    }

    an_extract_options options;
    an_extract_report report;
    an_extract_report_init(&report, sizeof report);
    settings_extract(&s, &options);
    if (make_folder(s.out)) return 1;
    join_path(folder, s.out, "data");
    if (an_archive_extract(archive, folder, &options, &report, &err)) return complain(&err);
    say_extracted(&s, &report, folder);
    say(s.quiet, "data: %s\n", folder);
    return 0;
}
