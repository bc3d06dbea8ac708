/* SPDX-License-Identifier: MIT
 * A data set: images, each with a score, and how to split it. Images stay encoded in their original
 * location. */
#ifndef ATTRACTIVENET_DATASET_H
#define ATTRACTIVENET_DATASET_H

#include <attractivenet/io.h>
#include <attractivenet/kinds.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A list of samples: name, label and location of the image's bytes. Samples from a folder or an
 *  archive are sorted by name, byte by byte; others keep the caller's order. */
typedef struct an_dataset an_dataset;

enum {
    AN_CACHE_NONE = 0,    /* read from the folder or archive each time */
    AN_CACHE_ENCODED = 1, /* keep the files' bytes after the first read */
    AN_CACHE_PIXELS = 2   /* keep 8-bit pixels, decoded and resized, after the first read */
};

/** What a label is. */
enum {
    AN_LABELS_NUMBERS = 0, /* as many numbers as outputs, such as one score */
    AN_LABELS_CLASSES = 1, /* one of several classes, by its name or by its index from 0 */
    AN_LABELS_FOLDERS = 2  /* one of several classes: the folder that holds the image */
};

/** Fill in the values of a scale, [3,256]: tables[256*c + x] is that of pixel x in channel c (red,
 *  green, blue), computed in double and rounded to float. Only TORCH differs between channels.
 *  Returns AN_ERR_ARG for AUTO or an unknown mode. */
AN_API an_status an_scale_fill_tables(int32_t scale, float tables[768], an_error *err);

/** How to open a data set. Initialise with an_dataset_options_init(), then change what you need. */
typedef struct an_dataset_options {
    uint32_t struct_size;   /* set by init; new fields are only appended */
    int32_t policy;         /* AN_POLICY_*: SKIP leaves out, counts and warns about invalid label
                               lines and rows, images without a label, files whose base name is
                               already in use, refused members and damaged images; default STRICT */
    int32_t height, width;  /* size of the pixels returned, 1 to 8192; default 350, 350 */
    int32_t cache;          /* AN_CACHE_*; default AN_CACHE_ENCODED */
    int32_t outputs;        /* numbers per label, 1 to 1000; with classes, 1 or the number of
                               classes; default 1 */
    const char *label_file; /* base name; default "All_labels.txt"; .csv and .tsv files have a
                               header */
    const char *suffix;     /* extension of image files, case-insensitive; NULL = .jpg .jpeg .jpe
                               .jfif .png; default NULL */
    const an_image_limits *limits;     /* for decoding; copied; NULL = defaults */
    const an_extract_options *archive; /* limits, names_encoding; copied; NULL = defaults. Its
                                          policy, label_file, suffix and warn are ignored: the
                                          fields of this struct apply */
    an_warning_fn warn;                /* NULL = none */
    void *warn_user;                   /* passed to warn */
    int32_t labels;                    /* AN_LABELS_*; default NUMBERS */
    int32_t class_count;               /* length of classes; default 0 */
    const char *const *classes;        /* [class_count], copied: 2 to 1000 names in index order that
                                          differ in more than case, each 1 to 255 bytes of UTF-8
                                          without control characters or leading or trailing spaces.
                                          NULL = the classes found in the labels; default NULL */
    const char *name_column; /* title of the name column in a .csv or .tsv label file; NULL = the
                                first column; default NULL */
    const char *const *score_columns; /* [outputs], with classes [1]: titles of the label columns;
                                         NULL = all other columns, whose number must match; default
                                         NULL */
    const char *weight_column; /* title of the weight column, as for an_dataset_set_weights(); NULL
                                  = none; default NULL */
} an_dataset_options;

AN_API void an_dataset_options_init(an_dataset_options *options, uint32_t struct_size);

/**
 * Open a folder (searched recursively) or a zip archive (read in place) whose images are labelled
 * by a file, or by the folders that hold them. No image is decoded yet.
 *
 * Files:   hidden files and folders are skipped: those whose names begin with a dot, and those that
 *          operating systems create ("__MACOSX", "@eaDir"). Symbolic links to folders are not
 *          followed. Of several files with the same base name and the same bytes, one is used.
 * Lines:   a label file has "name score" lines. They end with LF, CRLF or CR; fields are separated
 *          by spaces or tabs; numbers are decimal, with a point as the decimal separator. A UTF-8
 *          byte order mark and blank lines are skipped; a name may be repeated with the same label.
 *          With AN_LABELS_CLASSES a line is "name class", where the class is the text after the
 *          first tab or, without a tab, the last field.
 * Tables:  a label file whose name ends in .csv or .tsv has a header and columns separated by
 *          commas, semicolons or tabs, whichever the header uses (.tsv: tabs), with quoting as in
 *          RFC 4180. name_column, score_columns and weight_column select columns by their titles; a
 *          class takes one column. If a name contains folders, the shorter of the name and the
 *          image's path must be a suffix of the longer.
 * Classes: with classes in the options, a label is one of their names or, unless the name of a
 *          class is a whole number, an index. Without them, the labels define the classes: names,
 *          sorted byte by byte, or whole numbers used as indices, from 0 without gaps; at least 2.
 * Folders: with AN_LABELS_FOLDERS each image lies directly in the folder of its class, and these
 *          folders share one parent, at the top level or deeper. The name of a sample is
 *          "folder/base name", so base names may repeat in different folders. label_file is not
 *          used.
 * Returns: AN_OK; AN_ERR_IO; AN_ERR_FORMAT (invalid label file: the message gives the file and the
 *          line; image without a label: the message names the first ones; ambiguous classes: both
 *          are named; an image outside the class folders, or deeper; files with the same base name
 *          but different bytes: both are named; no images; no label file; damaged archive);
 *          AN_ERR_UNSUPPORTED (over a limit); AN_ERR_CANCELLED (by warn); AN_ERR_ARG; AN_ERR_NOMEM.
 * Owns:    *out is the caller's; free with an_dataset_destroy().
 * Threads: any.
 */
AN_API an_status an_dataset_open(an_dataset **out, const char *path,
                                 const an_dataset_options *options, an_error *err);

/**
 * Make a data set from image files in any location, with their labels in arrays, such as two
 * columns of a table.
 *
 * Shapes:  paths [count]; scores [count,outputs], with outputs from the options, each finite and at
 *          most 3.4e38 in magnitude. With AN_LABELS_CLASSES scores [count]: the index of each
 *          image's class, a whole number below class_count; the options must name the classes. All
 *          copied.
 * Takes:   paths: file system paths; relative ones are resolved each time a file is read. The name
 *          of a sample is its path as given. A path may be repeated with the same label. options:
 *          NULL = defaults; policy, height, width, cache, outputs, limits, warn, labels (NUMBERS or
 *          CLASSES), classes and max_member_bytes of archive are used here; the column fields must
 *          not be set.
 * Returns: AN_OK; AN_ERR_ARG (NULL, count below 1, an empty path, an invalid score, a path with two
 *          labels, an invalid option); AN_ERR_IO (a file cannot be opened: the message names the
 *          first); AN_ERR_NOMEM.
 * Owns:    *out is the caller's; free with an_dataset_destroy().
 * Threads: any.
 */
AN_API an_status an_dataset_from_files(an_dataset **out, const char *const *paths,
                                       const double *scores, int64_t count,
                                       const an_dataset_options *options, an_error *err);

/**
 * Make a data set from encoded images in memory: the bytes of JPEG or PNG files.
 *
 * Shapes:  images [count], each of sizes[i] bytes; scores as in an_dataset_from_files(). All
 *          copied.
 * Takes:   names [count]: copied; NULL = "00000000", "00000001", ...; a name may be repeated with
 *          the same bytes and label. options: as in an_dataset_from_files(); the encoded images
 *          stay in memory regardless of cache.
 * Returns: AN_OK; AN_ERR_ARG (NULL, count or a size below 1, an empty name, an invalid score, a
 *          name with two labels or different bytes, an invalid option); AN_ERR_NOMEM.
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
 *          come from the arguments; those of the options are ignored. Sample 7 has the name
 *          "00000007".
 * Returns: AN_OK; AN_ERR_ARG (NULL, count below 1, height, width or outputs out of range, an
 *          invalid score, an invalid option); AN_ERR_NOMEM.
 * Owns:    *out is the caller's; free with an_dataset_destroy().
 * Threads: any.
 */
AN_API an_status an_dataset_from_pixels(an_dataset **out, const uint8_t *rgb, int64_t count,
                                        int32_t height, int32_t width, const double *scores,
                                        int32_t outputs, const an_dataset_options *options,
                                        an_error *err);

/** Called once, when something borrowed, such as pixels, is no longer needed: from within the call
 *  that destroys the last holder (data set, loader, trainer, ...), on that call's thread. */
typedef void (*an_release_fn)(void *user);

/**
 * Make a data set of pixels that stay where they are, without copying them.
 *
 * Shapes:  image i begins at rgb + i * image_stride bytes; its row j begins j * row_stride bytes
 *          after that and has [width,3] bytes without gaps. Neither rows nor images may overlap. 0
 *          = dense: row_stride 3 * width, image_stride height * row_stride.
 * Takes:   the rest as in an_dataset_from_pixels(); scores are copied.
 * Owns:    rgb is kept and must not change until release is called. It is called once if this call
 *          returned AN_OK, and never if it failed, since rgb then still belongs to the caller. If
 *          release is NULL, rgb must stay valid until the last holder is destroyed. *out is the
 *          caller's; free with an_dataset_destroy().
 * Returns: as an_dataset_from_pixels(); AN_ERR_ARG also for a stride out of range.
 * Threads: any.
 */
AN_API an_status an_dataset_borrow_pixels(an_dataset **out, const uint8_t *rgb, int64_t count,
                                          int32_t height, int32_t width, int64_t image_stride,
                                          int64_t row_stride, const double *scores, int32_t outputs,
                                          an_release_fn release, void *release_user,
                                          const an_dataset_options *options, an_error *err);

/** Release a data set; NULL is allowed. It is freed once no loader uses it. */
AN_API void an_dataset_destroy(an_dataset *dataset);
AN_API int64_t an_dataset_count(const an_dataset *dataset);   /**< Return the number of samples. */
AN_API int32_t an_dataset_height(const an_dataset *dataset);  /**< Return the image height. */
AN_API int32_t an_dataset_width(const an_dataset *dataset);   /**< Return the image width. */
AN_API int32_t an_dataset_outputs(const an_dataset *dataset); /**< Return the numbers per label. */
/** Return the name of sample index: the base name of its file, or the name described at the call
 *  that made the data set; borrowed; NULL if out of range. */
AN_API const char *an_dataset_name(const an_dataset *dataset, int64_t index);
/** Return element output of the label of sample index, as read, in double; with classes, 1 if
 *  output is the sample's class, else 0; NaN if out of range. */
AN_API double an_dataset_score(const an_dataset *dataset, int64_t index, int32_t output);
/** Write the labels of all samples to scores [count,outputs], as an_dataset_score() returns them.
 *  Returns AN_OK; AN_ERR_ARG (NULL). */
AN_API an_status an_dataset_copy_scores(const an_dataset *dataset, double *scores, an_error *err);
/** Return the number of classes, which equals the number of outputs; 0 if labels are numbers. */
AN_API int32_t an_dataset_class_count(const an_dataset *dataset);
/** Return the name of a class; borrowed; NULL if out of range. */
AN_API const char *an_dataset_class_name(const an_dataset *dataset, int32_t class_index);
/** Return the class index of sample index; -1 if out of range or if there are no classes. */
AN_API int32_t an_dataset_class(const an_dataset *dataset, int64_t index);

/**
 * Set the weight of each sample: it multiplies the sample's loss and its share in the metrics.
 *
 * Takes:   weights [count], copied; finite, at least 0, not all 0, each 0 or between 1.18e-38 and
 *          3.4e38, the range of a normal float. count: an_dataset_count(). NULL with count 0
 *          removes the weights: every sample then counts as 1, the default.
 * Returns: AN_OK; AN_ERR_ARG (NULL, a wrong count, a weight out of range, a loader holds the data
 *          set); AN_ERR_NOMEM. After an error the weights are unchanged.
 * Threads: no concurrent call on the data set.
 */
AN_API an_status an_dataset_set_weights(an_dataset *dataset, const double *weights, int64_t count,
                                        an_error *err);
/** Return the weight of sample index: 1 if the data set has none; NaN if out of range. */
AN_API double an_dataset_weight(const an_dataset *dataset, int64_t index);
/** Return 1 if the samples have weights, else 0. */
AN_API int32_t an_dataset_has_weights(const an_dataset *dataset);

/** Return how many labels had no image. */
AN_API int64_t an_dataset_labels_without_image(const an_dataset *dataset);
/** Return how many label lines, files and images have been left out so far: those skipped under
 *  policy skip, and unlabelled images whose extension differs from that of every labelled image.
 *  Damaged images are found by an_dataset_check() or while batches are loaded. Threads: any. */
AN_API int64_t an_dataset_skipped(const an_dataset *dataset);

/**
 * Read, decode and resize sample index.
 *
 * Shapes:  rgb [height,width,3], written; undefined after a failure.
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_IO; AN_ERR_FORMAT or AN_ERR_UNSUPPORTED naming the file,
 *          regardless of the policy; AN_ERR_NOMEM.
 * Threads: any number at once.
 * Source:  OpenCV imread and resize INTER_LINEAR (docs/numerics.md, section images).
 */
AN_API an_status an_dataset_read_pixels(an_dataset *dataset, int64_t index, uint8_t *rgb,
                                        an_error *err);

/**
 * Read the encoded image of sample index: the bytes of its JPEG or PNG file.
 *
 * Owns:    *out is the caller's; free with an_bytes_destroy().
 * Returns: AN_OK; AN_ERR_ARG (NULL, index out of range, a data set of pixels); AN_ERR_IO;
 *          AN_ERR_FORMAT or AN_ERR_UNSUPPORTED (the archive is damaged, the file over a limit);
 *          AN_ERR_NOMEM.
 * Threads: any number at once.
 */
AN_API an_status an_dataset_read_bytes(an_bytes **out, an_dataset *dataset, int64_t index,
                                       an_error *err);

/**
 * Decode every image once, so that all damaged ones are known before training begins. Call it
 * before making loaders.
 *
 * Takes:   threads: number of decoding threads, 0 to 1024; 0 = one per processor. progress: NULL =
 *          none; counts images; called several times a second.
 * Writes:  the cache chosen in the options, so that nothing is read (AN_CACHE_PIXELS: decoded)
 *          again.
 * Returns: AN_OK. Policy strict: AN_ERR_FORMAT if images are damaged or over a limit: the message
 *          gives their number and the first names, and the options' warn has been called for each
 *          in order, saying what is wrong with it (AN_WARN_IMAGE_DAMAGED). Policy skip: each is
 *          left out with a warning (AN_WARN_IMAGE_SKIPPED) and counted; the samples after it move
 *          up, so indices and an_dataset_count() change; AN_ERR_FORMAT only if none is left.
 *          AN_ERR_ARG (NULL, threads out of range, a loader holds the data set); AN_ERR_IO;
 *          AN_ERR_CANCELLED (by warn or progress); AN_ERR_NOMEM. After an error the indices are
 *          unchanged.
 * Threads: no concurrent call on the data set; warn and progress are called on the caller's thread.
 * Cost:    reads and decodes all images; starts threads, each with a buffer of height * width * 3
 *          bytes.
 */
AN_API an_status an_dataset_check(an_dataset *dataset, int32_t threads, an_progress_fn progress,
                                  void *progress_user, an_error *err);

/* --- split ---------------------------------------------------------------------------------- */

enum { AN_SIZE_ABSENT = 0, AN_SIZE_FRACTION = 1, AN_SIZE_COUNT = 2 };

/** Sizes of a split, as in scikit-learn. Initialise with an_split_options_init(). */
typedef struct an_split_options {
    uint32_t struct_size;  /* set by init; new fields are only appended */
    int32_t shuffle;       /* 0 or 1; default 1 */
    int32_t test_kind;     /* AN_SIZE_*; if both are absent, the test fraction is 0.25; default
                              ABSENT */
    int32_t train_kind;    /* AN_SIZE_*; default ABSENT = everything that is not in test */
    double test_fraction;  /* strictly between 0 and 1; rounded up to whole samples */
    double train_fraction; /* strictly between 0 and 1; rounded down to whole samples */
    int64_t test_count;    /* 1 to count-1 */
    int64_t train_count;   /* 1 to count-1 */
    uint32_t seed;         /* of NumPy's RandomState; default 42 */
    uint32_t reserved;     /* 0 */
} an_split_options;

AN_API void an_split_options_init(an_split_options *options, uint32_t struct_size);

/** Compute the sizes of train and test. Returns AN_OK; AN_ERR_ARG where scikit-learn raises an
 *  error. Threads: any. */
AN_API an_status an_split_compute_sizes(int64_t count, const an_split_options *options,
                                        int64_t *n_train, int64_t *n_test, an_error *err);

/**
 * Split the numbers 0 to count-1.
 *
 * Writes:  train [n_train] and test [n_test], with the sizes from an_split_compute_sizes(); both
 *          are allocated by the caller.
 * Returns: AN_OK; AN_ERR_ARG as an_split_compute_sizes(); AN_ERR_NOMEM.
 * Threads: any.
 * Source:  scikit-learn train_test_split, index for index (docs/numerics.md, section split).
 */
AN_API an_status an_train_test_split(int64_t count, const an_split_options *options, int64_t *train,
                                     int64_t *test, an_error *err);

/**
 * Split as the tutorial does: a fraction of 0.30 is set aside, and a third of that becomes the test
 * set; both splits use seed.
 *
 * Writes:  indices [count]: train first, then validation, then test; and the three counts.
 * Returns: AN_OK; AN_ERR_ARG (fewer than 4 samples); AN_ERR_NOMEM.
 * Threads: any.
 */
AN_API an_status an_tutorial_split(int64_t count, uint32_t seed, int64_t *indices, int64_t *n_train,
                                   int64_t *n_val, int64_t *n_test, an_error *err);

/**
 * Split around a given test set: 2/9 of the rest become the validation set, so that training and
 * validation have the tutorial's ratio.
 *
 * Takes:   test [n_test]: different numbers of 0 to count-1, such as those of a data set's own fold
 *          files; at least 4 must remain.
 * Writes:  indices [count]: train first, then validation, then test as given; and both counts.
 * Returns: AN_OK; AN_ERR_ARG (a number out of range or given twice, fewer than 4 that remain);
 *          AN_ERR_NOMEM.
 * Threads: any.
 * Source:  scikit-learn train_test_split(rest, test_size=2/9, random_state=seed), rest ascending.
 */
AN_API an_status an_held_out_split(int64_t count, const int64_t *test, int64_t n_test,
                                   uint32_t seed, int64_t *indices, int64_t *n_train,
                                   int64_t *n_val, an_error *err);

/**
 * Split for cross-validation: the samples are shuffled and cut into folds of equal size (the first
 * count % folds of them are one larger); one is the test set, and the rest is split by
 * an_held_out_split().
 *
 * Takes:   folds: 2 to count. fold: 1 to folds.
 * Writes:  as an_tutorial_split(). Over all folds each sample is in the test set once.
 * Returns: AN_OK; AN_ERR_ARG (folds, fold, fewer than 4 samples that remain); AN_ERR_NOMEM.
 * Threads: any.
 * Source:  scikit-learn KFold(folds, shuffle=True, random_state=seed), index for index.
 */
AN_API an_status an_fold_split(int64_t count, int32_t folds, int32_t fold, uint32_t seed,
                               int64_t *indices, int64_t *n_train, int64_t *n_val, int64_t *n_test,
                               an_error *err);

#ifdef __cplusplus
}
#endif
#endif
