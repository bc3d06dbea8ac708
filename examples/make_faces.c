/* SPDX-License-Identifier: MIT
 * Draws a data set of made-up faces with scores, with the layout of SCUT-FBP5500. The library
 * writes the JPEG files; face.c of the installed program draws the faces and computes their scores.
 */
#include "face.h"
#include "face_set.h"

#include <stdlib.h>

enum { JPEG_QUALITY = 92 };

int main(int argc, char **argv) {
    static const program_text text = {
        .usage = face_usage,
        .about = face_about,
        .examples = "  make_faces --out faces.zip --count 600 --size 350\n"
                    "  attractivenet --data faces.zip --out run --size 96 --alpha 0.35 "
                    "--weights none"};
    face_request ask;
    option_row rows[OPTION_ROWS];
    face_request_rows(&ask, rows);
    options_parse(argc, argv, rows, &text);

    an_error err;
    face_set set;
    char path[PATH_SIZE];
    int failed = 0;
    an_image *image = NULL;
    if (an_image_create(&image, NULL, ask.size, ask.size, &err)) return complain(&err);
    double *scratch = malloc((size_t)ask.size * (size_t)ask.size * 3 * sizeof *scratch);
    int status = scratch ? face_set_begin(&set, ask.out) : complain_of("no memory for an image");
    if (!status) {
        for (int32_t i = 1; i <= ask.count && !failed; i++) {
            const double score = draw_face(ask.seed, i, ask.size, scratch, an_image_data(image));
            if (an_image_write_jpeg(image, face_set_next(&set, path), JPEG_QUALITY, &err))
                failed = complain(&err);
            face_set_label(&set, score);
            face_set_show(&set, &ask);
        }
        status = face_set_end(&set, failed);
    }
    if (!status) say(ask.quiet, "wrote %d faces with scores to %s\n", (int)ask.count, ask.out);
    free(scratch);
    an_image_destroy(image);
    return status;
}
