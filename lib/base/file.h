/* SPDX-License-Identifier: MIT
 * The file layer: all reading and writing goes through it, so that it can fail in tests. EINTR and
 * short counts are handled here and, for a lock, in lock.c. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/** A file open for reading at any place; safe for several threads at once. */
typedef struct ani_file ani_file;

an_status ani_file_open(ani_file **out, const char *path, an_error *err);
/** Read bytes in memory as a file is read. They are borrowed until it is closed; name, which is
 * copied, stands for its path in messages. */
an_status ani_file_open_bytes(ani_file **out, const void *bytes, int64_t size, const char *name,
                              an_error *err);
void ani_file_close(ani_file *file);         /* NULL is allowed */
int64_t ani_file_size(const ani_file *file); /* at the time of opening */
const char *ani_file_path(const ani_file *file);
/** The bytes of a file in memory; NULL for one on disk. */
const uint8_t *ani_file_bytes(const ani_file *file);
/** Read exactly size bytes at offset. AN_ERR_FORMAT if the file ends before. */
an_status ani_file_read(ani_file *file, int64_t offset, void *bytes, int64_t size, an_error *err);

/** Open a file as open(2) does, but again after EINTR, and never for a program that is started: for
 * those who need the descriptor. -1 with errno. */
int ani_descriptor_open(const char *path, int flags, unsigned mode);

/** Read a whole file of at most max_size bytes. *bytes is the caller's (ani_free) and has a zero
 * byte after its end, which *size does not count. */
an_status ani_file_read_all(const char *path, int64_t max_size, uint8_t **bytes, int64_t *size,
                            an_error *err);

/** A file that appears under its name whole or not at all: written to a temporary file beside it,
 *  synced, renamed, folder synced. */
typedef struct ani_writer ani_writer;

/** Fail if it is clear before anything is written that path cannot be: its folder is missing or not
 * writable, or path is a folder. */
an_status ani_writer_check(const char *path, an_error *err);
an_status ani_writer_begin(ani_writer **out, const char *path, an_error *err);
an_status ani_writer_write(ani_writer *writer, const void *bytes, int64_t size, an_error *err);
/** Make the file appear. The writer is freed, whether that worked or not. */
an_status ani_writer_commit(ani_writer *writer, an_error *err);
/** The same without syncing, for one of many files: a power cut may tear it until ani_folder_sync()
 * has been called after the last one. */
an_status ani_writer_commit_unsynced(ani_writer *writer, an_error *err);
/** Take everything back; NULL is allowed. */
void ani_writer_abort(ani_writer *writer);

/** Remove what writers of path left that were killed: temporary files of processes that are no
 * more. As far as that is possible; nothing is reported. */
void ani_writer_sweep(const char *path);

/** Write a whole file at once: begin, write, commit. */
an_status ani_file_write_all(const char *path, const void *bytes, int64_t size, an_error *err);
/** The same, one of many: see ani_writer_commit_unsynced(). */
an_status ani_file_write_all_unsynced(const char *path, const void *bytes, int64_t size,
                                      an_error *err);

/** A file that grows at its end and keeps what is there (logs, partial downloads). */
typedef struct ani_appender ani_appender;
an_status ani_appender_open(ani_appender **out, const char *path, bool truncate, an_error *err);
an_status ani_appender_write(ani_appender *appender, const void *bytes, int64_t size,
                             an_error *err);
int64_t ani_appender_size(const ani_appender *appender); /* bytes in the file */
an_status ani_appender_close(ani_appender *appender, bool sync, an_error *err); /* frees always */

/** Move a file over another; both in one folder, which is synced. */
an_status ani_file_rename(const char *from, const char *to, an_error *err);
/** Remove a file; none there is no error. */
an_status ani_file_remove(const char *path, an_error *err);
/** Make a folder with its parents; AN_OK if it is there. */
an_status ani_folder_make(const char *path, an_error *err);
/** Bring all that was written to the folder's file system to its disk. */
an_status ani_folder_sync(const char *path, an_error *err);
/** Call visit with each entry of a folder but "." and "..", in no order, until it returns another
 * status than AN_OK, which is then the walk's. entry: as readdir() gives it. */
struct dirent;
an_status ani_folder_walk(const char *path,
                          an_status (*visit)(void *user, const struct dirent *entry, an_error *err),
                          void *user, an_error *err);
bool ani_is_folder(const char *path);
bool ani_is_file(const char *path);

/** The part of a path after its last '/'; borrowed. */
const char *ani_base_name(const char *path);
/** The folder that a path is in, "." if it names none; the caller's (ani_free); NULL if there is no
 * memory. */
char *ani_folder_of(const char *path);
/** folder + "/" + name; the caller's (ani_free); NULL if there is no memory. */
char *ani_path_join(const char *folder, const char *name);

#endif
