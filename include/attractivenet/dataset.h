/* SPDX-License-Identifier: MIT
 * A data set: images with a score each, and its split. Images stay encoded where they lie. */
#ifndef ATTRACTIVENET_DATASET_H
#define ATTRACTIVENET_DATASET_H

#include <attractivenet/io.h>
#include <attractivenet/kinds.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A list of (name, label, where the image's bytes are). Samples from a folder or an archive are
 *  sorted by name, byte by byte; others are in the order of the caller. */
typedef struct an_dataset an_dataset;

enum {
    AN_CACHE_NONE = 0,    /* read from the folder or archive each time */
    AN_CACHE_ENCODED = 1, /* keep the files' bytes after the first read */
    AN_CACHE_PIXELS = 2   /* keep 8-bit pixels, decoded and resized, after the first read */
};

/** What a label is. */
enum {
    AN_LABELS_NUMBERS = 0, /* outputs numbers, such as a score */
    AN_LABELS_CLASSES = 1, /* one of several classes, by its name or by its index from 0 */
    AN_LABELS_FOLDERS = 2  /* one of several classes: the folder that the image lies in */
};

/** Fill the 256 values of a scale, made in double and rounded to float. Returns AN_ERR_ARG for AUTO
 *  or an unknown mode. */
AN_API an_status an_scale_fill_table(int32_t scale, float table[256], an_error *err);

/** How to open a data set. Fill with an_dataset_options_init(), then change what you need. */
typedef struct an_dataset_options {
    uint32_t struct_size;   /* set by init; later fields are only appended */
    int32_t policy;         /* AN_POLICY_*: SKIP leaves out, with a count and a warning, label lines
                               and rows in error, images without label, files with a base name that
                               is taken, refused members and damaged images; default STRICT */
    int32_t height, width;  /* of the pixels handed out, 1 to 8192; default 350, 350 */
    int32_t cache;          /* AN_CACHE_*; default AN_CACHE_ENCODED */
    int32_t outputs;        /* numbers of a label, 1 to 1000; with classes 1 or their number;
                               default 1 */
    const char *label_file; /* base name; default "All_labels.txt"; .csv and .tsv: with a header */
    const char *suffix;     /* ending of image names, in any case; NULL = .jpg .jpeg .jpe .jfif
                               .png; default NULL */
    const an_image_limits *limits;     /* of decoding; copied; NULL = defaults */
    const an_extract_options *archive; /* caps, names_encoding; copied; NULL = defaults. Its policy,
                                          label_file, suffix and warn are ignored: the fields of
                                          this struct apply */
    an_warning_fn warn;                /* NULL = none */
    void *warn_user;                   /* handed to warn */
    int32_t labels;                    /* AN_LABELS_*; default NUMBERS */
    int32_t class_count;               /* of classes; default 0 */
    const char *const *classes;        /* [class_count], copied: names in the order of their
                                          indices, 2 to 1000 that differ in more than case, each
                                          UTF-8 of 1 to 255 bytes without control characters and
                                          without spaces at its ends. NULL = those that the labels
                                          have; default NULL */
    const char *name_column; /* title of the column of names in a .csv or .tsv label file; NULL =
                                the first; default NULL */
    const char *const *score_columns; /* [outputs], with classes [1]: titles of the columns of the
                                         label; NULL = all other columns, which must be as many;
                                         default NULL */
    const char *weight_column; /* title of the column of weights, as an_dataset_set_weights() takes
                                  them; NULL = none; default NULL */
} an_dataset_options;

AN_API void an_dataset_options_init(an_dataset_options *options, uint32_t struct_size);

/**
 * Open a folder (searched with its sub-folders) or a zip archive (read in place) whose images have
 * labels in a file, or by the folders that they lie in. No image is decoded yet.
 *
 * Files:   hidden files and folders are skipped: those whose names begin with a dot, and those that
 *          a system keeps for itself ("__MACOSX", "@eaDir"). Links to folders are not followed. Of
 *          several files with the same base name and the same bytes one is taken.
 * Lines:   a label file has "name score" lines. They end with LF, CRLF or CR, their fields are
 *          separated by spaces or tabs, numbers are decimal with a point; a UTF-8 byte order mark
 *          and blank lines are skipped; a name may occur twice with the same label. With
 *          AN_LABELS_CLASSES a line is "name class": what follows the first tab, or without one the
 *          last field.
 * Tables:  a label file whose name ends in .csv or .tsv has a header and columns, separated by
 *          commas, semicolons or tabs, whichever the header has (.tsv: tabs), with quotes as in RFC
 *          4180. name_column, score_columns and weight_column choose columns by their titles; a
 *          class has one column. A name may have folders: then the shorter of it and the image's
 *          path must be the end of the other.
 * Classes: with classes in the options a label is one of their names, or an index, unless a class
 *          is called by a whole number. Without, the classes are what the labels are: names, sorted
 *          byte by byte, or whole numbers that are indices, from 0 without a gap; at least 2.
 * Folders: with AN_LABELS_FOLDERS each image lies directly in the folder of its class, and these
 *          folders lie beside each other, at the top or further down. The name of a sample is
 *          "folder/base name", so that base names may be the same. label_file is not used.
 * Returns: AN_OK; AN_ERR_IO; AN_ERR_FORMAT (label file: the message has file and line; image
 *          without label: the message names the first ones; classes that could be meant in two
 *          ways, both named; an image beside the folders of the classes, or deeper; a base name
 *          with different bytes, both named; no images; no label file; damaged archive);
 *          AN_ERR_UNSUPPORTED (over a cap); AN_ERR_CANCELLED (by warn); AN_ERR_ARG; AN_ERR_NOMEM.
 * Owns:    *out is the caller's; free with an_dataset_destroy().
 * Threads: any.
 */
AN_API an_status an_dataset_open(an_dataset **out, const char *path,
                                 const an_dataset_options *options, an_error *err);

/**
 * Make a data set from image files anywhere, with their labels in arrays: two columns of a table.
 *
 * Shapes:  paths [count]; scores [count,outputs] of the options, each finite and at most 3.4e38 in
 *          size. With AN_LABELS_CLASSES scores [count]: the index of each image's class, a whole
 *          number below class_count of the options, which must have the classes' names. All copied.
 * Takes:   paths: as the system has them; relative ones are looked up again whenever a file is
 *          read. The name of a sample is its path as given. A path may occur again with the same
 *          label. options: NULL = defaults; policy, height, width, cache, outputs, limits, warn,
 *          labels (NUMBERS or CLASSES), classes and max_member_bytes of archive are used here;
 *          columns may not be set.
 * Returns: AN_OK; AN_ERR_ARG (NULL, count below 1, an empty path, a score that is no label, a path
 *          with two labels, a wrong option); AN_ERR_IO (a file that cannot be opened: the first);
 *          AN_ERR_NOMEM.
 * Owns:    *out is the caller's; free with an_dataset_destroy().
 * Threads: any.
 */
AN_API an_status an_dataset_from_files(an_dataset **out, const char *const *paths,
                                       const double *scores, int64_t count,
                                       const an_dataset_options *options, an_error *err);

/**
 * Make a data set from encoded images in memory: the bytes of JPEG or PNG files.
 *
 * Shapes:  images [count], of sizes [count] bytes each; scores as in an_dataset_from_files(). All
 *          copied.
 * Takes:   names [count]: copied, NULL = "00000000", "00000001", ...; a name may occur again with
 *          the same bytes and label. options: as in an_dataset_from_files(); the encoded images
 *          stay in memory whatever the cache is.
 * Returns: AN_OK; AN_ERR_ARG (NULL, count or a size below 1, an empty name, a score that is no
 *          label, a name with two labels or different bytes, a wrong option); AN_ERR_NOMEM.
 * Owns:    *out is the caller's; free with an_dataset_destroy().
 * Threads: any.
 */
AN_API an_status an_dataset_from_bytes(an_dataset **out, const void *const *images,
                                       const int64_t *sizes, const char *const *names,
                                       const double *scores, int64_t count,
                                       const an_dataset_options *options, an_error *err);

/**
 * Make a data set from a copy of pixels in memory.
 *
 * Shapes:  rgb [count,height,width,3], height and width 1 to 8192; scores [count,outputs], outputs
 *          1 to 1000, or [count] with classes, as in an_dataset_from_files(). All copied.
 * Takes:   options: NULL = defaults; labels and classes are used here. Height, width and outputs
 *          are the arguments, those of the options are not used. Sample 7 has the name "00000007".
 * Returns: AN_OK; AN_ERR_ARG (NULL, count below 1, height, width or outputs out of range, a score
 *          that is no label, a wrong option); AN_ERR_NOMEM.
 * Owns:    *out is the caller's; free with an_dataset_destroy().
 * Threads: any.
 */
AN_API an_status an_dataset_from_pixels(an_dataset **out, const uint8_t *rgb, int64_t count,
                                        int32_t height, int32_t width, const double *scores,
                                        int32_t outputs, const an_dataset_options *options,
                                        an_error *err);

/** Called once, when something that was borrowed, such as pixels, is no longer needed: within the
 *  call that destroys the last holder (data set, loader, trainer, ...), on its thread. */
typedef void (*an_release_fn)(void *user);

/**
 * Make a data set of pixels that stay where they are: no copy is made of them.
 *
 * Shapes:  image i begins i * image_stride bytes behind rgb, row j of it j * row_stride behind
 *          that, and has [width,3] bytes without gaps. A row must not reach into the next, nor an
 *          image; 0 = dense: row_stride 3 * width, image_stride height * row_stride.
 * Takes:   the rest as an_dataset_from_pixels(); scores are copied.
 * Owns:    rgb is kept, and must not change, until release is called: once, if this call returned
 *          AN_OK; never, if it failed, since rgb then is the caller's as before. release NULL: rgb
 *          must be there until the last holder is destroyed. *out is the caller's; free with
 *          an_dataset_destroy().
 * Returns: as an_dataset_from_pixels(); AN_ERR_ARG also for a stride out of range.
 * Threads: any.
 */
AN_API an_status an_dataset_borrow_pixels(an_dataset **out, const uint8_t *rgb, int64_t count,
                                          int32_t height, int32_t width, int64_t image_stride,
                                          int64_t row_stride, const double *scores, int32_t outputs,
                                          an_release_fn release, void *release_user,
                                          const an_dataset_options *options, an_error *err);

/** Release a data set; NULL is allowed. It lives on while its loaders live. */
AN_API void an_dataset_destroy(an_dataset *dataset);
AN_API int64_t an_dataset_count(const an_dataset *dataset);   /**< Return the number of samples. */
AN_API int32_t an_dataset_height(const an_dataset *dataset);  /**< Return the pixels' height. */
AN_API int32_t an_dataset_width(const an_dataset *dataset);   /**< Return the pixels' width. */
AN_API int32_t an_dataset_outputs(const an_dataset *dataset); /**< Return numbers per label. */
/** Return the name of sample index: the base name of its file, or as the call that made the data
 *  set says; borrowed; NULL if out of range. */
AN_API const char *an_dataset_name(const an_dataset *dataset, int64_t index);
/** Return number output of the label of sample index, as read, in double; with classes 1 for that
 *  of the sample, else 0; NaN if out of range. */
AN_API double an_dataset_score(const an_dataset *dataset, int64_t index, int32_t output);
/** Write the labels of all samples, scores [count,outputs]: what an_dataset_score() returns of
 *  each. Returns AN_OK; AN_ERR_ARG (NULL). */
AN_API an_status an_dataset_copy_scores(const an_dataset *dataset, double *scores, an_error *err);
/** Return the number of classes, which is that of the outputs; 0 if labels are numbers. */
AN_API int32_t an_dataset_class_count(const an_dataset *dataset);
/** Return the name of a class; borrowed; NULL if out of range. */
AN_API const char *an_dataset_class_name(const an_dataset *dataset, int32_t class_index);
/** Return the index of the class of sample index; -1 if out of range, or without classes. */
AN_API int32_t an_dataset_class(const an_dataset *dataset, int64_t index);

/**
 * Set the weight of each sample, by which its loss and its part in the metrics are multiplied.
 *
 * Takes:   weights [count], copied; finite, at least 0, not all 0, each 0 or between 1.18e-38 and
 *          3.4e38, so that float holds it. count: an_dataset_count(). NULL with count 0: no weights
 *          any more, so that each sample counts as 1, which is the default.
 * Returns: AN_OK; AN_ERR_ARG (NULL, another count, a weight out of range, a loader holds the data
 *          set); AN_ERR_NOMEM. After an error the weights are as before.
 * Threads: no other call on the data set meanwhile.
 */
AN_API an_status an_dataset_set_weights(an_dataset *dataset, const double *weights, int64_t count,
                                        an_error *err);
/** Return the weight of sample index: 1 if the data set has none; NaN if out of range. */
AN_API double an_dataset_weight(const an_dataset *dataset, int64_t index);
/** Return 1 if the samples have weights of their own, else 0. */
AN_API int32_t an_dataset_has_weights(const an_dataset *dataset);

/** Return how many labels had no image. */
AN_API int64_t an_dataset_labels_without_image(const an_dataset *dataset);
/** Return how many label lines, files and images have been left out so far: those that policy skip
 *  leaves out, and images without a label whose ending no labelled image has. Damaged images are
 *  found by an_dataset_check() or while batches are loaded. Threads: any. */
AN_API int64_t an_dataset_skipped(const an_dataset *dataset);

/**
 * Read, decode and resize sample index.
 *
 * Shapes:  rgb [height,width,3], written; undefined after a failure.
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_IO; AN_ERR_FORMAT or AN_ERR_UNSUPPORTED with the file's name,
 *          whatever the policy; AN_ERR_NOMEM.
 * Threads: any number at once.
 * Source:  OpenCV imread and resize INTER_LINEAR (docs/numerics.md, section images).
 */
AN_API an_status an_dataset_read_pixels(an_dataset *dataset, int64_t index, uint8_t *rgb,
                                        an_error *err);

/**
 * Decode every image once, so that all damaged ones are known before training begins. Call it
 * before loaders are made.
 *
 * Takes:   threads: that decode, 0 to 1024; 0 = as many as there are processors. progress: NULL =
 *          none; counts images; called several times a second.
 * Writes:  the cache of the options, so that nothing is read (AN_CACHE_PIXELS: decoded) again.
 * Returns: AN_OK. Policy strict: AN_ERR_FORMAT if images are damaged or over a limit: the message
 *          has their number and the first names, and the options' warn has been called for each, in
 *          order, with what is wrong with it (AN_WARN_IMAGE_DAMAGED). Policy skip: each is left out
 *          with a warning (AN_WARN_IMAGE_SKIPPED) and counted; the samples after it move up, so
 *          indices and an_dataset_count() change; AN_ERR_FORMAT only if none is left. AN_ERR_ARG
 *          (NULL, threads out of range, a loader holds the data set); AN_ERR_IO; AN_ERR_CANCELLED
 *          (by warn or progress); AN_ERR_NOMEM. After an error the indices are as before.
 * Threads: no other call on the data set meanwhile; warn and progress are called on the caller's.
 * Cost:    reads and decodes all images; starts threads, each with height * width * 3 bytes.
 */
AN_API an_status an_dataset_check(an_dataset *dataset, int32_t threads, an_progress_fn progress,
                                  void *progress_user, an_error *err);

/* --- split ---------------------------------------------------------------------------------- */

enum { AN_SIZE_ABSENT = 0, AN_SIZE_FRACTION = 1, AN_SIZE_COUNT = 2 };

/** Sizes of a split, with scikit-learn's meaning. Fill with an_split_options_init(). */
typedef struct an_split_options {
    uint32_t struct_size;  /* set by init; later fields are only appended */
    int32_t shuffle;       /* 0 or 1; default 1 */
    int32_t test_kind;     /* AN_SIZE_*; both absent: a test fraction of 0.25; default ABSENT */
    int32_t train_kind;    /* AN_SIZE_*; default ABSENT = all that test leaves */
    double test_fraction;  /* strictly inside (0,1); rounded up to samples */
    double train_fraction; /* strictly inside (0,1); rounded down to samples */
    int64_t test_count;    /* 1 to count-1 */
    int64_t train_count;   /* 1 to count-1 */
    uint32_t seed;         /* of NumPy's RandomState; default 42 */
    uint32_t reserved;     /* 0 */
} an_split_options;

AN_API void an_split_options_init(an_split_options *options, uint32_t struct_size);

/** Compute how many samples train and test get. Returns AN_OK; AN_ERR_ARG where scikit-learn
 *  raises. Threads: any. */
AN_API an_status an_split_compute_sizes(int64_t count, const an_split_options *options,
                                        int64_t *n_train, int64_t *n_test, an_error *err);

/**
 * Split the numbers 0 to count-1.
 *
 * Writes:  train [n_train], test [n_test] of an_split_compute_sizes(): allocated by the caller.
 * Returns: AN_OK; AN_ERR_ARG as an_split_compute_sizes(); AN_ERR_NOMEM.
 * Threads: any.
 * Source:  scikit-learn train_test_split, index for index (docs/numerics.md, section split).
 */
AN_API an_status an_train_test_split(int64_t count, const an_split_options *options, int64_t *train,
                                     int64_t *test, an_error *err);

/**
 * Split as the tutorial does: 0.30 set aside, a third of that for the test, both with seed.
 *
 * Writes:  indices [count]: train first, then validation, then test; the three counts.
 * Returns: AN_OK; AN_ERR_ARG (fewer than 4 samples); AN_ERR_NOMEM.
 * Threads: any.
 */
AN_API an_status an_tutorial_split(int64_t count, uint32_t seed, int64_t *indices, int64_t *n_train,
                                   int64_t *n_val, int64_t *n_test, an_error *err);

#ifdef __cplusplus
}
#endif
#endif
