/* SPDX-License-Identifier: MIT
 * Bytes from outside: download, archives, 8-bit images, and weight files as named arrays. */
#ifndef ATTRACTIVENET_IO_H
#define ATTRACTIVENET_IO_H

#include <attractivenet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- download ------------------------------------------------------------------------------- */

/** How to download. Fill with an_download_options_init(), then change what you need. */
typedef struct an_download_options {
    uint32_t struct_size;      /* set by init; later fields are only appended */
    int32_t max_redirects;     /* 0 to 50; default 10 */
    int64_t max_bytes;         /* a larger answer is an error; default 8 GiB */
    int32_t low_speed_bytes;   /* bytes per second below which ... default 1024 */
    int32_t low_speed_seconds; /* ... for so long the transfer is given up; default 30 */
    const char *sha256;        /* 64 hexadecimal digits to be checked; NULL = none; default NULL */
    const char *expected_type; /* "zip", "hdf5", "any": refuse other content; NULL = "any" */
    an_progress_fn progress;   /* NULL = none; counts bytes; called at least five times a second,
                                  also while nothing comes and while a hash is checked */
    void *progress_user;       /* handed to progress */
    an_warning_fn warn;        /* NULL = none */
    void *warn_user;           /* handed to warn */
} an_download_options;

AN_API void an_download_options_init(an_download_options *options, uint32_t struct_size);

/**
 * Download url to path, unless the file is already there.
 *
 * Takes:   url: http, https or file; Google Drive's share and download links are followed through
 *          its confirmation page. options: copied for the call; NULL = defaults.
 * Checks:  an existing file is taken without a request if its SHA-256 is the one given or, if none
 *          is given, if an earlier call fetched it from url ("path.origin" records that, by
 *          hashes). If it came from another url or has another SHA-256, it is replaced, with a
 *          warning, once the new file is complete; a file: url is read again at each call. A file
 *          of unknown origin is left alone: AN_ERR_IO.
 * Writes:  path, whole or not at all: data goes to "path.part", which is renamed when length, type
 *          and hash are right, and removed when one of them is wrong. With expected_type, or if the
 *          server gives no length, an archive or HDF5 file must be complete by its own structure,
 *          too. A later call resumes a part by a range request if "path.part.info" says that it is
 *          of this url and the server still has the same content (ETag or date; without either,
 *          only if sha256 is given), else it starts again. HTML is never taken for data, whatever
 *          expected_type says.
 * Returns: AN_OK; AN_ERR_IO (connection, HTTP status, disk, too slow, a file in the way);
 *          AN_ERR_FORMAT (a quota, virus-scan, login or other page, JSON, XML or text instead of
 *          data, which the message shows; wrong length, truncated content, wrong hash);
 *          AN_ERR_CANCELLED (by a callback; the part stays); AN_ERR_ARG (an option, or a url of
 *          another scheme); AN_ERR_UNSUPPORTED in a build without libcurl. Messages omit a password
 *          in url.
 * Threads: any, one call at a time for a path; blocks.
 */
AN_API an_status an_download(const char *url, const char *path, const an_download_options *options,
                             an_error *err);

/**
 * Check a file against a SHA-256, given as 64 hexadecimal digits in either case.
 *
 * Takes:   progress: NULL = none; counts bytes; called several times a second.
 * Returns: AN_OK; AN_ERR_FORMAT (the file has another one: the message has both); AN_ERR_ARG (NULL,
 *          or sha256 is not 64 such digits); AN_ERR_IO; AN_ERR_CANCELLED (by progress);
 * AN_ERR_NOMEM. Threads: any.
 */
AN_API an_status an_file_verify(const char *path, const char *sha256, an_progress_fn progress,
                                void *progress_user, an_error *err);

/* --- archive -------------------------------------------------------------------------------- */

/** What to do with something damaged or doubtful. */
enum {
    AN_POLICY_STRICT = 0, /* stop with an error that names it */
    AN_POLICY_SKIP = 1    /* leave it out, warn, list it in the report */
};

/** What to take from an archive and how much at most. Fill with an_extract_options_init(). */
typedef struct an_extract_options {
    uint32_t struct_size;       /* set by init; later fields are only appended */
    int32_t policy;             /* AN_POLICY_*, for refused names and duplicates; default STRICT */
    const char *label_file;     /* base name of the label file; default "All_labels.txt" */
    const char *suffix;         /* ending of image members, in any case; NULL = .jpg .jpeg .jpe
                                   .jfif .png; default NULL */
    int64_t max_members;        /* of the archive; default 1,000,000 */
    int64_t max_member_bytes;   /* uncompressed, of one; default 256 MiB */
    int64_t max_total_bytes;    /* uncompressed, of all taken; default 16 GiB */
    int32_t max_ratio;          /* uncompressed to compressed after the first MiB; default 200 */
    int32_t reserved;           /* 0 */
    an_progress_fn progress;    /* NULL = none; counts members */
    void *progress_user;        /* handed to progress */
    an_warning_fn warn;         /* NULL = none; AN_WARN_MEMBER_SKIPPED */
    void *warn_user;            /* handed to warn */
    const char *names_encoding; /* of names not marked as UTF-8, by its iconv(3) name: "GBK",
                                   "CP932" (Shift-JIS), "CP1252"; NULL = UTF-8 where it is valid,
                                   else CP437; default NULL */
    int32_t exact;     /* 1: refuse a folder that holds images or labels that the archive does not
                          have, such as those of another one; 0: they stay; default 0 */
    int32_t reserved2; /* 0 */
} an_extract_options;

AN_API void an_extract_options_init(an_extract_options *options, uint32_t struct_size);

/** What an extraction did. */
typedef struct an_extract_report {
    uint32_t struct_size; /* set by init; the library fills no more than that */
    int32_t reserved;     /* 0 */
    int64_t written;      /* files written */
    int64_t present;      /* files that were already there with the right size and CRC */
    int64_t skipped;      /* members that the filter took but a check refused (policy skip) */
    int64_t ignored;      /* members that the filter left out, and copies of one that was taken */
    int64_t bytes;        /* written */
} an_extract_report;

AN_API void an_extract_report_init(an_extract_report *report, uint32_t struct_size);

/**
 * Extract the members that a data set needs, flat, by base name, into a folder.
 *
 * Takes:   archive: path of a zip file; folder: made if absent; options: NULL = defaults; report
 *          may be NULL. A member is taken if its base name ends in suffix or equals label_file, and
 *          no part of its path is hidden: none begins with a dot or is kept by a system for itself
 *          ("__MACOSX", "@eaDir"). Of members with the same base name, size and CRC the first is
 *          taken. Names are read as unzip and zipfile do (docs/numerics.md, section archive):
 *          backslashes of DOS and Windows separate folders, names of older tools become UTF-8.
 * Checks:  all names, sizes and places before the first file is written; policy skip leaves out
 *          members with a name that no file should have, links, and of members with one base name
 *          and different bytes all but the first.
 * Writes:  only inside folder; each file whole or not at all (CRC checked before it gets its name).
 *          After a failure the files written so far stay, and another call goes on from there.
 *          report: also after a failure, except one of the arguments.
 * Returns: AN_OK; AN_ERR_IO; AN_ERR_FORMAT (damaged, false sizes, overlapping members, a refused
 *          name, duplicate base names, no member to take; with exact, files of another archive,
 *          before any is written); AN_ERR_UNSUPPORTED (encrypted, unknown method, more than one
 *          volume, over a limit); AN_ERR_CANCELLED (by a callback); AN_ERR_ARG; AN_ERR_NOMEM. The
 *          message names the member.
 * Threads: any.
 * Source:  Python zipfile as the tutorial uses it (docs/numerics.md, section archive).
 */
AN_API an_status an_archive_extract(const char *archive, const char *folder,
                                    const an_extract_options *options, an_extract_report *report,
                                    an_error *err);

/* --- images --------------------------------------------------------------------------------- */

/** An 8-bit RGB image [H,W,3], row-major without padding. */
typedef struct an_image an_image;

/** Limits for decoding. Fill with an_image_limits_init(). */
typedef struct an_image_limits {
    uint32_t struct_size; /* set by init; later fields are only appended */
    int32_t max_scans;    /* of a progressive JPEG; default 500 */
    int64_t max_pixels;   /* width times height; default INT64_MAX: max_memory alone decides */
    int64_t max_memory;   /* bytes that decoding one image may take; default 1 GiB. It takes 3 a
                             pixel, twice that if EXIF turns the image, and for a progressive JPEG
                             2 more a coefficient. Each decoding thread may take as much */
} an_image_limits;

AN_API void an_image_limits_init(an_image_limits *limits, uint32_t struct_size);

/**
 * Decode a JPEG or PNG, recognised by content, to RGB, with its EXIF orientation applied.
 *
 * Takes:   bytes, size: the file's content; name: for messages; limits: NULL = defaults.
 * Returns: AN_OK; AN_ERR_ARG (NULL, a limit below 1); AN_ERR_FORMAT (not an image, damaged,
 *          truncated); AN_ERR_UNSUPPORTED (over a limit, or an image of another format: the message
 *          names it and a program that converts it); AN_ERR_NOMEM. A PNG in which only the checksum
 *          of IEND, its last chunk, is wrong is read.
 * Owns:    *out is the caller's; free with an_image_destroy().
 * Threads: any.
 * Source:  OpenCV imread with IMREAD_COLOR then BGR to RGB (docs/numerics.md, section images).
 */
AN_API an_status an_image_decode(an_image **out, const void *bytes, int64_t size, const char *name,
                                 const an_image_limits *limits, an_error *err);

/** Read and decode an image file: an_image_decode() of its content; AN_ERR_IO if it can't be read,
 *  AN_ERR_ARG for NULL or a limit below 1, AN_ERR_UNSUPPORTED also for a file over max_memory.
 *  Owns: *out is the caller's; free with an_image_destroy(). Threads: any. */
AN_API an_status an_image_read(an_image **out, const char *path, const an_image_limits *limits,
                               an_error *err);

/** Make an image from the caller's RGB bytes [height,width,3], which are copied; NULL = black.
 *  Returns AN_OK; AN_ERR_ARG (height, width: each 1 to 65535); AN_ERR_NOMEM. Owns: *out is the
 *  caller's; free with an_image_destroy(). Threads: any. */
AN_API an_status an_image_create(an_image **out, const uint8_t *rgb, int64_t height, int64_t width,
                                 an_error *err);

/** Free an image; NULL is allowed. */
AN_API void an_image_destroy(an_image *image);
AN_API int64_t an_image_height(const an_image *image); /**< Return the height in pixels. */
AN_API int64_t an_image_width(const an_image *image);  /**< Return the width in pixels. */
AN_API uint8_t *an_image_data(an_image *image); /**< Return RGB [H,W,3]; borrowed from the image. */
AN_API const uint8_t *an_image_const_data(const an_image *image); /**< The same, for reading. */

/**
 * Resize 8-bit pixels with bilinear interpolation, without antialiasing.
 *
 * Shapes:  src [src_height,src_width,channels], dst [dst_height,dst_width,channels]; no overlap;
 *          each length 1 to 65535, channels 1 to 4.
 * Returns: AN_OK; AN_ERR_ARG for a length out of range; AN_ERR_NOMEM.
 * Threads: any.
 * Source:  OpenCV 4 resize INTER_LINEAR on 8-bit, bit for bit (docs/numerics.md, section resize).
 */
AN_API an_status an_resize_u8(const uint8_t *src, int64_t src_height, int64_t src_width,
                              int32_t channels, uint8_t *dst, int64_t dst_height, int64_t dst_width,
                              an_error *err);

/** Write an image as an 8-bit RGB PNG, whole or not at all. Returns AN_OK; AN_ERR_ARG (NULL);
 *  AN_ERR_IO; AN_ERR_NOMEM. */
AN_API an_status an_image_write_png(const an_image *image, const char *path, an_error *err);

/** Write an image as a baseline JPEG (4:2:0), whole or not at all. Takes: quality: 1 to 100.
 *  Returns AN_OK; AN_ERR_ARG; AN_ERR_IO; AN_ERR_UNSUPPORTED (a side over 65,500); AN_ERR_NOMEM. */
AN_API an_status an_image_write_jpeg(const an_image *image, const char *path, int32_t quality,
                                     an_error *err);

/* --- bytes ---------------------------------------------------------------------------------- */

/** Bytes that the library made: a file's content in memory. They never change. Threads: any. */
typedef struct an_bytes an_bytes;

/** Return the first byte; borrowed from bytes. */
AN_API const uint8_t *an_bytes_data(const an_bytes *bytes);
AN_API int64_t an_bytes_size(const an_bytes *bytes); /**< Return the number of bytes. */
AN_API void an_bytes_destroy(an_bytes *bytes);       /**< Free; NULL is allowed. */

/* --- named arrays: weight and model files --------------------------------------------------- */

/** An ordered list of named float32 arrays with text metadata: what a weight file holds. Threads:
 *  any number of calls may read one at once while none changes it. */
typedef struct an_arrays an_arrays;

/** Make an empty list. Owns: *out is the caller's; free with an_arrays_destroy(). */
AN_API an_status an_arrays_create(an_arrays **out, an_error *err);
/** Free a list; NULL is allowed. */
AN_API void an_arrays_destroy(an_arrays *arrays);

/**
 * Read a weight or model file, recognised by content: safetensors (float32 arrays; other number
 * types are converted to float32), Keras legacy HDF5 (weights or full model, Keras 2 and 3), Keras
 * 3 .weights.h5 and .keras.
 *
 * Names:   as the file has them, normalised to "LAYER/VARIABLE" without ":0" ("dense/kernel",
 *          "block_1_depthwise/depthwise_kernel"); in the order of the file's layers.
 * Metadata: safetensors: its own. Keras: "keras_version", "model_config" (JSON text) if the file
 *          has them, and "layout": "keras-model", "keras-weights", "keras3-weights",
 *          "keras3-archive"; of Keras 3 also "layer_classes": "CLASS COUNT" a line, and
 *          "layer_names": "counted" where layers have no names in the file.
 * Owns:    *out is the caller's; free with an_arrays_destroy().
 * Returns: AN_OK; AN_ERR_ARG (NULL); AN_ERR_IO; AN_ERR_FORMAT (damaged, false sizes, links out of
 *          the file); AN_ERR_UNSUPPORTED (HDF5 with filters or fractal heaps, unknown format);
 *          AN_ERR_NOMEM. The message names the array or layer.
 * Threads: any.
 */
AN_API an_status an_arrays_read(an_arrays **out, const char *path, an_error *err);

/**
 * Read a weight or model file whose content is in memory.
 *
 * Takes:   bytes, size: of any format that an_arrays_read() reads; not kept. name: stands for the
 *          path in messages; NULL = "in memory".
 * Owns:    *out is the caller's; free with an_arrays_destroy().
 * Returns: as an_arrays_read(), without AN_ERR_IO; AN_ERR_ARG also for a size below 0.
 * Threads: any.
 */
AN_API an_status an_arrays_read_bytes(an_arrays **out, const void *bytes, int64_t size,
                                      const char *name, an_error *err);

/** Write as safetensors, whole or not at all. Returns AN_OK; AN_ERR_ARG (NULL); AN_ERR_IO;
 *  AN_ERR_UNSUPPORTED (names and metadata over 100 MB); AN_ERR_NOMEM. */
AN_API an_status an_arrays_write(const an_arrays *arrays, const char *path, an_error *err);

/** Write as safetensors into memory: the bytes of the file that an_arrays_write() makes. Owns: *out
 *  is the caller's; free with an_bytes_destroy(). Returns as an_arrays_write(), without AN_ERR_IO.
 */
AN_API an_status an_arrays_write_bytes(an_bytes **out, const an_arrays *arrays, an_error *err);

/** Append an array of shape [rank], 0 to 8 axes; data [product of shape] and name are copied.
 *  Returns AN_OK; AN_ERR_ARG (a name that is empty, not UTF-8 or already present, a shape that is
 *  negative or overflows); AN_ERR_NOMEM. */
AN_API an_status an_arrays_add(an_arrays *arrays, const char *name, const float *data,
                               const int64_t *shape, int32_t rank, an_error *err);
/** Set a metadata text; key and value are copied. Replaces what was there. Returns AN_OK;
 *  AN_ERR_ARG (not UTF-8); AN_ERR_NOMEM. */
AN_API an_status an_arrays_set_metadata(an_arrays *arrays, const char *key, const char *value,
                                        an_error *err);

AN_API int64_t an_arrays_count(const an_arrays *arrays); /**< Return the number of arrays. */
/** Return the place of a name, from 0; -1 if it is not there. */
AN_API int64_t an_arrays_find(const an_arrays *arrays, const char *name);
/** Return the name of array index; borrowed; NULL if index is out of range. */
AN_API const char *an_arrays_name(const an_arrays *arrays, int64_t index);
/** Return the values of array index; borrowed; NULL if index is out of range. */
AN_API const float *an_arrays_data(const an_arrays *arrays, int64_t index);
AN_API int32_t an_arrays_rank(const an_arrays *arrays, int64_t index); /**< 0 to 8; -1: no such. */
/** Return the length of axis of array index; 0 if there is no such array or axis. */
AN_API int64_t an_arrays_length(const an_arrays *arrays, int64_t index, int32_t axis);
/** Return a metadata text; borrowed; NULL if the key is not there. */
AN_API const char *an_arrays_metadata(const an_arrays *arrays, const char *key);
/** Return the number of metadata texts. */
AN_API int64_t an_arrays_metadata_count(const an_arrays *arrays);
/** Return the key of metadata text index, in the order set; borrowed; NULL if out of range. */
AN_API const char *an_arrays_metadata_key(const an_arrays *arrays, int64_t index);

#ifdef __cplusplus
}
#endif
#endif
