/* SPDX-License-Identifier: MIT
 * The file layer: all reading and writing goes through it, so that tests can make it fail. EINTR
 * and short counts are handled here and, for locks, in lock.c. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/** A file open for reading at any offset; safe for several threads at once. */
typedef struct ani_file ani_file;

an_status ani_file_open(ani_file **out, const char *path, an_error *err);
/** Open bytes in memory as a file. They are borrowed until it is closed; name, which is copied,
 * replaces the path in messages. */
an_status ani_file_open_bytes(ani_file **out, const void *bytes, int64_t size, const char *name,
                              an_error *err);
void ani_file_close(ani_file *file);         /* NULL is allowed */
int64_t ani_file_size(const ani_file *file); /* when it was opened */
const char *ani_file_path(const ani_file *file);
/** The bytes of a file in memory; NULL for one on disk. */
const uint8_t *ani_file_bytes(const ani_file *file);
/** Read exactly size bytes at offset. AN_ERR_FORMAT if the file is shorter. */
an_status ani_file_read(ani_file *file, int64_t offset, void *bytes, int64_t size, an_error *err);

/** Open a file as open(2) does, but retry after EINTR, and set close-on-exec: for callers that need
 * the descriptor. -1 with errno. */
int ani_descriptor_open(const char *path, int flags, unsigned mode);
/** Read what is there, up to size bytes, as read(2) does, but retry after EINTR: for pipes. 0: the
 * end; -1 with errno. */
int64_t ani_descriptor_read(int fd, void *bytes, int64_t size);

/** Read a whole file of at most max_size bytes. *bytes is the caller's (ani_free) and has a zero
 * byte after its end, which *size does not count. */
an_status ani_file_read_all(const char *path, int64_t max_size, uint8_t **bytes, int64_t *size,
                            an_error *err);

/** A file that appears under its name complete or not at all: it is written to a temporary file
 * beside it, synced and renamed, and the folder is synced. */
typedef struct ani_writer ani_writer;

/** Fail if it is clear in advance that path cannot be written: its folder is missing or not
 * writable, or path is a folder. */
an_status ani_writer_check(const char *path, an_error *err);
an_status ani_writer_begin(ani_writer **out, const char *path, an_error *err);
an_status ani_writer_write(ani_writer *writer, const void *bytes, int64_t size, an_error *err);
/** Make the file appear. The writer is freed, even on failure. */
an_status ani_writer_commit(ani_writer *writer, an_error *err);
/** The same without syncing, for one of many files: a power failure may damage it until
 * ani_folder_sync() has been called after the last one. */
an_status ani_writer_commit_unsynced(ani_writer *writer, an_error *err);
/** Discard the file; NULL is allowed. */
void ani_writer_abort(ani_writer *writer);

/** Remove the temporary files that killed writers of path left behind, as far as possible; nothing
 * is reported. */
void ani_writer_sweep(const char *path);

/** Takes the next bytes of a file that another module composes. */
typedef an_status (*ani_put_fn)(void *user, const void *bytes, int64_t size, an_error *err);
/** ani_writer_write() as such a function. */
an_status ani_writer_put(void *writer, const void *bytes, int64_t size, an_error *err);

/** Write a whole file: begin, write, commit. */
an_status ani_file_write_all(const char *path, const void *bytes, int64_t size, an_error *err);
/** The same for one of many files: see ani_writer_commit_unsynced(). */
an_status ani_file_write_all_unsynced(const char *path, const void *bytes, int64_t size,
                                      an_error *err);

/** A file that is appended to and keeps its contents (logs, partial downloads). */
typedef struct ani_appender ani_appender;
an_status ani_appender_open(ani_appender **out, const char *path, bool truncate, an_error *err);
an_status ani_appender_write(ani_appender *appender, const void *bytes, int64_t size,
                             an_error *err);
int64_t ani_appender_size(const ani_appender *appender); /* bytes in the file */
an_status ani_appender_close(ani_appender *appender, bool sync, an_error *err); /* always frees */

/** Rename a file over another in the same folder, which is synced. */
an_status ani_file_rename(const char *from, const char *to, an_error *err);
/** Remove a file; a missing one is not an error. */
an_status ani_file_remove(const char *path, an_error *err);
/** Create a folder and its parents; AN_OK if it exists already. */
an_status ani_folder_make(const char *path, an_error *err);
/** Flush everything written to the folder's file system to disk. */
an_status ani_folder_sync(const char *path, an_error *err);
/** Call visit for each entry of a folder except "." and "..", in no particular order, until it
 * returns a status other than AN_OK, which the walk then returns. entry: as readdir() returns
 * it. */
struct dirent;
an_status ani_folder_walk(const char *path,
                          an_status (*visit)(void *user, const struct dirent *entry, an_error *err),
                          void *user, an_error *err);
bool ani_is_folder(const char *path);
bool ani_is_file(const char *path);

/** The part of a path after its last '/'; borrowed. */
const char *ani_base_name(const char *path);
/** The folder that a path is in, "." if it names none; owned by the caller (ani_free); NULL if out
 * of memory. */
char *ani_folder_of(const char *path);
/** folder + "/" + name; owned by the caller (ani_free); NULL if out of memory. */
char *ani_path_join(const char *folder, const char *name);

#endif
