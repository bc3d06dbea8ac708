/* SPDX-License-Identifier: MIT
 * Input and output: download, archives, 8-bit images, and weight files as named arrays. */
#ifndef ATTRACTIVENET_IO_H
#define ATTRACTIVENET_IO_H

#include <attractivenet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- download ------------------------------------------------------------------------------- */

/** How to download. Initialise with an_download_options_init(), then change what you need. */
typedef struct an_download_options {
    uint32_t struct_size;      /* set by init; new fields are only appended */
    int32_t max_redirects;     /* 0 to 50; default 10 */
    int64_t max_bytes;         /* a larger response is an error; default 8 GiB */
    int32_t low_speed_bytes;   /* a transfer that stays below this many bytes per second ...;
                                  default 1024 */
    int32_t low_speed_seconds; /* ... for this many seconds is aborted; default 30 */
    const char *sha256;        /* expected hash, 64 hexadecimal digits; NULL = none; default NULL */
    const char *expected_type; /* "zip", "hdf5" or "any": other content is refused; NULL = "any" */
    an_progress_fn progress;   /* NULL = none; counts bytes; called at least five times a second,
                                  even while no data arrives and while a hash is checked */
    void *progress_user;       /* passed to progress */
    an_warning_fn warn;        /* NULL = none */
    void *warn_user;           /* passed to warn */
} an_download_options;

AN_API void an_download_options_init(an_download_options *options, uint32_t struct_size);

/**
 * Download url to path, unless the file is already there.
 *
 * Takes:   url: http, https or file; Google Drive's share and download links are followed through
 *          its confirmation page. options: NULL = defaults.
 * Checks:  an existing file is used without a request if its SHA-256 matches or, when none is
 *          given, if an earlier call fetched it from url ("path.origin" records that, by hashes).
 *          If it came from another url or has another SHA-256, it is replaced, with a warning, once
 *          the new file is complete; a file: url is read again on every call. A file of unknown
 *          origin is left untouched: AN_ERR_IO.
 * Writes:  path, atomically: data goes to "path.part", which is renamed once length, type and hash
 *          have been verified, and removed if any of them is wrong. With expected_type, or if the
 *          server gives no length, the structure of an archive or HDF5 file must also be complete.
 *          A later call resumes a partial file with a range request if "path.part.info" says that
 *          it came from this url and the server still has the same content (ETag or date; without
 *          either, only if sha256 is given); otherwise it starts again. HTML is never accepted as
 *          data, regardless of expected_type.
 * Returns: AN_OK; AN_ERR_IO (connection, HTTP status, disk, too slow, a file in the way);
 *          AN_ERR_FORMAT (a quota, virus-scan, login or other page, JSON, XML or text instead of
 *          data, which the message quotes; wrong length, truncated content, wrong hash);
 *          AN_ERR_CANCELLED (by a callback; the partial file stays); AN_ERR_ARG (an invalid option
 *          or URL scheme); AN_ERR_UNSUPPORTED in a build without libcurl. Messages omit any
 *          password in url.
 * Threads: any, but only one call at a time per path; blocks.
 */
AN_API an_status an_download(const char *url, const char *path, const an_download_options *options,
                             an_error *err);

/**
 * Check a file against a SHA-256, given as 64 hexadecimal digits in either case.
 *
 * Takes:   progress: NULL = none; counts bytes; called several times a second.
 * Returns: AN_OK; AN_ERR_FORMAT (the hashes differ: the message gives both); AN_ERR_ARG (NULL, or
 *          sha256 is not 64 such digits); AN_ERR_IO; AN_ERR_CANCELLED (by progress); AN_ERR_NOMEM.
 * Threads: any.
 */
AN_API an_status an_file_verify(const char *path, const char *sha256, an_progress_fn progress,
                                void *progress_user, an_error *err);

/* --- archive -------------------------------------------------------------------------------- */

/** What to do with damaged or suspicious input. */
enum {
    AN_POLICY_STRICT = 0, /* stop with an error that names it */
    AN_POLICY_SKIP = 1    /* leave it out, warn, and count it in the report */
};

/** What to extract from an archive, and limits. Initialise with an_extract_options_init(). */
typedef struct an_extract_options {
    uint32_t struct_size;       /* set by init; new fields are only appended */
    int32_t policy;             /* AN_POLICY_*, for refused names and duplicates; default STRICT */
    const char *label_file;     /* base name of the label file; default "All_labels.txt" */
    const char *suffix;         /* extension of image members, case-insensitive; NULL = .jpg .jpeg
                                   .jpe .jfif .png; default NULL */
    int64_t max_members;        /* in the archive; default 1,000,000 */
    int64_t max_member_bytes;   /* uncompressed size of one member; default 256 MiB */
    int64_t max_total_bytes;    /* uncompressed size of all extracted members; default 16 GiB */
    int32_t max_ratio;          /* uncompressed to compressed size after the first MiB; default
                                   200 */
    int32_t reserved;           /* 0 */
    an_progress_fn progress;    /* NULL = none; counts members */
    void *progress_user;        /* passed to progress */
    an_warning_fn warn;         /* NULL = none; AN_WARN_MEMBER_SKIPPED */
    void *warn_user;            /* passed to warn */
    const char *names_encoding; /* encoding of names not marked as UTF-8, by its iconv(3) name:
                                   "GBK", "CP932" (Shift-JIS), "CP1252"; NULL = UTF-8 where valid,
                                   else CP437; default NULL */
    int32_t exact;     /* 1: refuse a folder that holds images or labels that are not in the
                          archive, such as those of another archive; 0: leave them; default 0 */
    int32_t reserved2; /* 0 */
} an_extract_options;

AN_API void an_extract_options_init(an_extract_options *options, uint32_t struct_size);

/** The result of an extraction. */
typedef struct an_extract_report {
    uint32_t struct_size; /* set by init; the library fills in no more than that */
    int32_t reserved;     /* 0 */
    int64_t written;      /* files written */
    int64_t present;      /* files that were already there with the right size and CRC */
    int64_t skipped;      /* members that passed the filter but failed a check (policy skip) */
    int64_t ignored;      /* members that the filter left out, and copies of an extracted member */
    int64_t bytes;        /* written */
} an_extract_report;

AN_API void an_extract_report_init(an_extract_report *report, uint32_t struct_size);

/**
 * Extract the members that a data set needs into a flat folder, by base name.
 *
 * Takes:   archive: path of a zip file; folder: created if absent; options: NULL = defaults; report
 *          may be NULL. A member is extracted if its base name ends in suffix or equals label_file,
 *          and no part of its path is hidden: none begins with a dot or is one that operating
 *          systems create ("__MACOSX", "@eaDir"). Of members with the same base name, size and CRC,
 *          the first is extracted. Names are read as unzip and zipfile do (docs/numerics.md,
 *          section archive): backslashes from DOS and Windows separate folders, and names from
 *          older tools are converted to UTF-8.
 * Checks:  all names, sizes and offsets before the first file is written. Policy skip leaves out
 *          members with unsafe names, links, and, of members with the same base name and different
 *          bytes, all but the first.
 * Writes:  only inside folder, and each file atomically (the CRC is checked before the file gets
 *          its name). Files written before a failure are kept, and another call continues from
 *          there. report is also filled in after a failure, unless an argument was invalid.
 * Returns: AN_OK; AN_ERR_IO; AN_ERR_FORMAT (damaged, wrong sizes, overlapping members, a refused
 *          name, duplicate base names, no member to extract; with exact, files of another archive,
 *          checked before anything is written); AN_ERR_UNSUPPORTED (encrypted, unknown compression
 *          method, more than one volume, over a limit); AN_ERR_CANCELLED (by a callback);
 *          AN_ERR_ARG; AN_ERR_NOMEM. The message names the member.
 * Threads: any.
 * Source:  Python zipfile as the tutorial uses it (docs/numerics.md, section archive).
 */
AN_API an_status an_archive_extract(const char *archive, const char *folder,
                                    const an_extract_options *options, an_extract_report *report,
                                    an_error *err);

/* --- images --------------------------------------------------------------------------------- */

/** An 8-bit RGB image [H,W,3], row-major without padding. */
typedef struct an_image an_image;

/** Limits for decoding. Initialise with an_image_limits_init(). */
typedef struct an_image_limits {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t max_scans;    /* in a progressive JPEG; default 500 */
    int64_t max_pixels;   /* width times height; default INT64_MAX: max_memory alone decides */
    int64_t max_memory;   /* bytes that decoding one image may use; default 1 GiB. Decoding uses 3
                             bytes per pixel, twice that if EXIF rotates the image, and 2 more per
                             coefficient for a progressive JPEG. The limit applies to each decoding
                             thread */
} an_image_limits;

AN_API void an_image_limits_init(an_image_limits *limits, uint32_t struct_size);

/**
 * Decode a JPEG or PNG to RGB, with its EXIF orientation applied. The format is detected from the
 * content.
 *
 * Takes:   bytes, size: the content of the file; name: used in messages; limits: NULL = defaults.
 * Returns: AN_OK; AN_ERR_ARG (NULL, a limit below 1); AN_ERR_FORMAT (not an image, damaged,
 *          truncated); AN_ERR_UNSUPPORTED (over a limit, or an image in another format: the message
 *          names the format and a program that converts it); AN_ERR_NOMEM. A wrong checksum in
 *          IEND, the last chunk of a PNG, is not an error.
 * Owns:    *out is the caller's; free with an_image_destroy().
 * Threads: any.
 * Source:  OpenCV imread with IMREAD_COLOR, then BGR to RGB (docs/numerics.md, section images).
 */
AN_API an_status an_image_decode(an_image **out, const void *bytes, int64_t size, const char *name,
                                 const an_image_limits *limits, an_error *err);

/** Read and decode an image file: an_image_decode() of its content; AN_ERR_IO if it cannot be read,
 *  AN_ERR_ARG for NULL or a limit below 1, AN_ERR_UNSUPPORTED also for a file larger than
 *  max_memory. Owns: *out is the caller's; free with an_image_destroy(). Threads: any. */
AN_API an_status an_image_read(an_image **out, const char *path, const an_image_limits *limits,
                               an_error *err);

/** Make an image from RGB bytes [height,width,3], which are copied; NULL = black. Returns AN_OK;
 *  AN_ERR_ARG (height, width: each 1 to 65535); AN_ERR_NOMEM. Owns: *out is the caller's; free with
 *  an_image_destroy(). Threads: any. */
AN_API an_status an_image_create(an_image **out, const uint8_t *rgb, int64_t height, int64_t width,
                                 an_error *err);

/** Free an image; NULL is allowed. */
AN_API void an_image_destroy(an_image *image);
AN_API int64_t an_image_height(const an_image *image); /**< Return the height in pixels. */
AN_API int64_t an_image_width(const an_image *image);  /**< Return the width in pixels. */
AN_API uint8_t *an_image_data(an_image *image); /**< Return RGB [H,W,3]; borrowed from the image. */
AN_API const uint8_t *an_image_const_data(const an_image *image); /**< As an_image_data(),
                                                                       read-only. */

/**
 * Resize 8-bit pixels with bilinear interpolation, without antialiasing.
 *
 * Shapes:  src [src_height,src_width,channels], dst [dst_height,dst_width,channels]; no overlap;
 *          each length 1 to 65535, channels 1 to 4.
 * Returns: AN_OK; AN_ERR_ARG for a length out of range; AN_ERR_NOMEM.
 * Threads: any.
 * Source:  OpenCV 4 resize INTER_LINEAR on 8-bit pixels, bit for bit (docs/numerics.md, section
 *          resize).
 */
AN_API an_status an_resize_u8(const uint8_t *src, int64_t src_height, int64_t src_width,
                              int32_t channels, uint8_t *dst, int64_t dst_height, int64_t dst_width,
                              an_error *err);

/** Write an image as an 8-bit RGB PNG, atomically. Returns AN_OK; AN_ERR_ARG (NULL); AN_ERR_IO;
 *  AN_ERR_NOMEM. */
AN_API an_status an_image_write_png(const an_image *image, const char *path, an_error *err);

/** Write an image as a baseline JPEG (4:2:0), atomically. Takes: quality: 1 to 100. Returns AN_OK;
 *  AN_ERR_ARG; AN_ERR_IO; AN_ERR_UNSUPPORTED (a side over 65,500); AN_ERR_NOMEM. */
AN_API an_status an_image_write_jpeg(const an_image *image, const char *path, int32_t quality,
                                     an_error *err);

/** Return the size of an encoded image in *height and *width, in pixels, from its header alone; the
 *  rest may be damaged. The size is that of the stored image, before its EXIF orientation is
 *  applied. Takes: bytes, size, name: as in an_image_decode(). Returns AN_OK; AN_ERR_ARG (NULL);
 *  AN_ERR_FORMAT; AN_ERR_UNSUPPORTED (another format); AN_ERR_NOMEM. Threads: any. */
AN_API an_status an_image_measure(const void *bytes, int64_t size, const char *name,
                                  int64_t *height, int64_t *width, an_error *err);

/* --- bytes ---------------------------------------------------------------------------------- */

/** Bytes produced by the library: the content of a file in memory. They never change. Threads: any.
 */
typedef struct an_bytes an_bytes;

/** Return the first byte; borrowed from bytes. */
AN_API const uint8_t *an_bytes_data(const an_bytes *bytes);
AN_API int64_t an_bytes_size(const an_bytes *bytes); /**< Return the number of bytes. */
AN_API void an_bytes_destroy(an_bytes *bytes);       /**< Free; NULL is allowed. */

/** Encode an image as a JPEG in memory: the bytes of the file that an_image_write_jpeg() writes.
 *  Owns: *out is the caller's; free with an_bytes_destroy(). Returns as an_image_write_jpeg(),
 *  without AN_ERR_IO. */
AN_API an_status an_image_encode_jpeg(an_bytes **out, const an_image *image, int32_t quality,
                                      an_error *err);

/* --- named arrays: weight and model files --------------------------------------------------- */

/** An ordered list of named float32 arrays with text metadata: the content of a weight file.
 *  Threads: any number of calls may read a list concurrently as long as no call changes it. */
typedef struct an_arrays an_arrays;

/** Make an empty list. Owns: *out is the caller's; free with an_arrays_destroy(). */
AN_API an_status an_arrays_create(an_arrays **out, an_error *err);
/** Free a list; NULL is allowed. */
AN_API void an_arrays_destroy(an_arrays *arrays);

/**
 * Read a weight or model file: safetensors (float32 arrays; other number types are converted to
 * float32), Keras legacy HDF5 (weights or full model, Keras 2 and 3), Keras 3 .weights.h5 and
 * .keras. The format is detected from the content.
 *
 * Names:   as in the file, normalised to "LAYER/VARIABLE" without ":0" ("dense/kernel",
 *          "block_1_depthwise/depthwise_kernel"), in the order of the file's layers.
 * Metadata: safetensors: as in the file. Keras: "keras_version", "model_config" (JSON text) if the
 *           file has them, and "layout": "keras-model", "keras-weights", "keras3-weights",
 *           "keras3-archive"; for Keras 3 also "layer_classes": one "CLASS COUNT" per line, and
 *           "layer_names": "counted" where layers have no names in the file.
 * Owns:    *out is the caller's; free with an_arrays_destroy().
 * Returns: AN_OK; AN_ERR_ARG (NULL); AN_ERR_IO; AN_ERR_FORMAT (damaged, wrong sizes, links to other
 *          files); AN_ERR_UNSUPPORTED (HDF5 with filters or fractal heaps, unknown format);
 *          AN_ERR_NOMEM. The message names the array or layer.
 * Threads: any.
 */
AN_API an_status an_arrays_read(an_arrays **out, const char *path, an_error *err);

/**
 * Read a weight or model file from memory.
 *
 * Takes:   bytes, size: in any format that an_arrays_read() reads; not kept. name: used instead of
 *          the path in messages; NULL = "in memory".
 * Owns:    *out is the caller's; free with an_arrays_destroy().
 * Returns: as an_arrays_read(), without AN_ERR_IO; AN_ERR_ARG also for a size below 0.
 * Threads: any.
 */
AN_API an_status an_arrays_read_bytes(an_arrays **out, const void *bytes, int64_t size,
                                      const char *name, an_error *err);

/** Write as safetensors, atomically. Returns AN_OK; AN_ERR_ARG (NULL); AN_ERR_IO;
 *  AN_ERR_UNSUPPORTED (names and metadata over 100 MB); AN_ERR_NOMEM. */
AN_API an_status an_arrays_write(const an_arrays *arrays, const char *path, an_error *err);

/** Write as safetensors to memory: the bytes of the file that an_arrays_write() writes. Owns: *out
 *  is the caller's; free with an_bytes_destroy(). Returns as an_arrays_write(), without AN_ERR_IO.
 */
AN_API an_status an_arrays_write_bytes(an_bytes **out, const an_arrays *arrays, an_error *err);

/** Append an array with dimensions shape [rank], rank 0 to 8; data [product of shape] and name are
 *  copied. Returns AN_OK; AN_ERR_ARG (a name that is empty, not UTF-8 or already present, a shape
 *  that is negative or overflows); AN_ERR_NOMEM. */
AN_API an_status an_arrays_add(an_arrays *arrays, const char *name, const float *data,
                               const int64_t *shape, int32_t rank, an_error *err);
/** Set a metadata entry, replacing any previous value; key and value are copied. Returns AN_OK;
 *  AN_ERR_ARG (not UTF-8); AN_ERR_NOMEM. */
AN_API an_status an_arrays_set_metadata(an_arrays *arrays, const char *key, const char *value,
                                        an_error *err);

AN_API int64_t an_arrays_count(const an_arrays *arrays); /**< Return the number of arrays. */
/** Return the index of a name, from 0; -1 if there is no such array. */
AN_API int64_t an_arrays_find(const an_arrays *arrays, const char *name);
/** Return the name of array index; borrowed; NULL if index is out of range. */
AN_API const char *an_arrays_name(const an_arrays *arrays, int64_t index);
/** Return the values of array index; borrowed; NULL if index is out of range. */
AN_API const float *an_arrays_data(const an_arrays *arrays, int64_t index);
AN_API int32_t an_arrays_rank(const an_arrays *arrays, int64_t index); /**< Return 0 to 8; -1:
                                                                            none. */
/** Return the length of axis of array index; 0 if there is no such array or axis. */
AN_API int64_t an_arrays_length(const an_arrays *arrays, int64_t index, int32_t axis);
/** Return the value of a metadata key; borrowed; NULL if there is no such key. */
AN_API const char *an_arrays_metadata(const an_arrays *arrays, const char *key);
/** Return the number of metadata entries. */
AN_API int64_t an_arrays_metadata_count(const an_arrays *arrays);
/** Return the key of metadata entry index, in the order set; borrowed; NULL if out of range. */
AN_API const char *an_arrays_metadata_key(const an_arrays *arrays, int64_t index);

#ifdef __cplusplus
}
#endif
#endif
