/* SPDX-License-Identifier: MIT
 * Seeds for the fuzz targets, made when they are needed with the libraries that wrote such files in
 * the first place. */
#ifndef FUZZ_CORPUS_H
#define FUZZ_CORPUS_H

#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/attractivenet.h>

typedef struct corpus_item {
    char name[96];
    uint8_t *bytes;
    int64_t size;
    bool is_good; /* a well-formed file: a start for flips, cuts and splices */
} corpus_item;

typedef struct corpus {
    corpus_item *items;
    int64_t count, capacity;
} corpus;

/** Append a copy of bytes. */
void corpus_add(corpus *all, const char *name, const void *bytes, int64_t size, bool is_good);
/** Append the files of a folder (not of its sub-folders), sorted by name, up to max_size bytes
 * each; no folder there is no error. */
void corpus_add_folder(corpus *all, const char *folder, int64_t max_size, bool is_good);
/** Append a weight file with metadata ("\"key\":\"value\",...") and arrays, but a byte for each
 * number, the whole number below it or 0, so that most of it is header. A checksum is put right if
 * the metadata begins with one. */
void corpus_add_arrays(corpus *all, const char *name, const an_arrays *arrays, const char *metadata,
                       bool is_good);
void corpus_clear(corpus *all);

/** End the program unless something worked, saying what did not. */
void corpus_need(bool ok, const char *what);

/** Append what a target starts from: made seeds, tests/fuzz/regress/TARGET and, if AN_GOLDEN_DIR is
 * set, reference and hostile files of its kind. Returns false for an unknown target. */
bool corpus_make(corpus *all, const char *target);

/* One a target; corpus_*.c. */
void corpus_zip(corpus *all);
void corpus_image(corpus *all);
void corpus_labels(corpus *all);
void corpus_safetensors(corpus *all);
void corpus_keras(corpus *all);
void corpus_onnx(corpus *all);
void corpus_network(corpus *all);
void corpus_config(corpus *all);
void corpus_model(corpus *all);
void corpus_history(corpus *all);
void corpus_page(corpus *all);
void corpus_checkpoint(corpus *all);

/** Make a zip archive of one deflated or stored member a line: for the Keras archive. */
uint8_t *corpus_archive(const char *const *names, const uint8_t *const *contents,
                        const int64_t *sizes, int count, int64_t *size);

/** Make the trainer whose checkpoints the seeds are; resume_path: of options, may be NULL. */
an_trainer *corpus_trainer(const char *resume_path, int32_t restore_best);
/** Put the checksum of a sealed file right. False if these bytes have no place for one. */
bool corpus_seal(uint8_t *bytes, int64_t size);

/** The model_config of a small Keras model. */
extern const char corpus_keras_config[];

#endif
