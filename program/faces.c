/* SPDX-License-Identifier: MIT
 * attractivenet faces: draws a data set of made-up faces. */
#include "command.h"
#include "face.h"
#include "face_set.h"

#include <stdlib.h>

enum { JPEG_QUALITY = 92 };

static face_request ask;

static void options(option_row rows[OPTION_ROWS]) {
    face_request_rows(&ask, rows);
}

static int draw_faces(face_set *set, an_image *image, double *scratch) {
    an_error err;
    char path[PATH_SIZE];
    for (int32_t i = 1; i <= ask.count; i++) {
        const double score = draw_face(ask.seed, i, ask.size, scratch, an_image_data(image));
        if (an_image_write_jpeg(image, face_set_next(set, path), JPEG_QUALITY, &err))
            return complain(&err);
        face_set_label(set, score);
        face_set_show(set, &ask);
    }
    return 0;
}

static int run_faces(const option_row *rows, int count, char **operands) {
    (void)rows, (void)count, (void)operands;
    an_error err;
    face_set set;
    int status = 1;
    an_image *image = NULL;
    double *scratch = malloc((size_t)ask.size * (size_t)ask.size * 3 * sizeof *scratch);
    if (!scratch || an_image_create(&image, NULL, ask.size, ask.size, &err))
        complain_of("no memory for an image");
    else if (!face_set_begin(&set, ask.out))
        status = face_set_end(&set, draw_faces(&set, image, scratch));
    if (!status) say(ask.quiet, "wrote %d faces with scores to %s\n", (int)ask.count, ask.out);
    an_image_destroy(image);
    free(scratch);
    return status;
}

const command faces_command = {
    .name = "faces",
    .what = "draw a data set of made-up faces",
    .text = {.name = "attractivenet faces",
             .usage = face_usage,
             .about = face_about,
             .examples =
                 "  attractivenet faces --out faces.zip --count 600 --size 350\n"
                 "  attractivenet train --data faces.zip --out run --size 96 --alpha 0.35 \\\n"
                 "      --weights none"},
    .options = options,
    .run = run_faces,
};
