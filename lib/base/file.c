/* SPDX-License-Identifier: MIT
 * File access by system calls, with EINTR and short counts handled and faults injected. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"

/* --- system calls that can fail in tests ------------------------------------------------------ */

int ani_descriptor_open(const char *path, int flags, unsigned mode) {
    int fd;
    do {
        const int code = ani_fault_check(ANI_FAULT_OPEN);
        errno = code > 0 ? code : EIO;
        fd = code ? -1 : open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

int64_t ani_descriptor_read(int fd, void *bytes, int64_t size) {
    for (;;) {
        const int code = ani_fault_check(ANI_FAULT_READ);
        errno = code > 0 ? code : 0;
        if (code < 0 && size > 1) size = 1;
        const ssize_t count = code > 0 ? -1 : read(fd, bytes, (size_t)size);
        if (count >= 0 || errno != EINTR) return count;
    }
}

/* Read or write all of size bytes unless the file ends; returns the bytes done, -1 with errno. */
static int64_t sys_read(int fd, void *bytes, int64_t size, int64_t offset) {
    int64_t done = 0;
    while (done < size) {
        size_t wanted = (size_t)(size - done);
        const int code = ani_fault_check(ANI_FAULT_READ);
        if (code > 0) {
            errno = code;
            if (code == EINTR) continue;
            return -1;
        }
        if (code < 0 && wanted > 1) wanted = wanted / 2;
        const ssize_t count = pread(fd, (uint8_t *)bytes + done, wanted, (off_t)(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -1;
        if (count == 0) break;
        done += count;
    }
    return done;
}

static int64_t sys_write(int fd, const void *bytes, int64_t size) {
    int64_t done = 0;
    while (done < size) {
        size_t wanted = (size_t)(size - done);
        const int code = ani_fault_check(ANI_FAULT_WRITE);
        if (code > 0) {
            errno = code;
            if (code == EINTR) continue;
            return -1;
        }
        if (code < 0 && wanted > 1) wanted = wanted / 2;
        const ssize_t count = write(fd, (const uint8_t *)bytes + done, wanted);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -1;
        done += count;
    }
    return done;
}

static int sys_sync(int fd, int (*sync)(int fd)) {
    const int code = ani_fault_check(ANI_FAULT_SYNC);
    if (code > 0 && code != EINTR) {
        errno = code;
        return -1;
    }
    int result;
    do {
        result = sync(fd);
    } while (result < 0 && errno == EINTR);
    return result;
}

static int sys_rename(const char *from, const char *to) {
    const int code = ani_fault_check(ANI_FAULT_RENAME);
    if (code) {
        errno = code > 0 ? code : EIO;
        return -1;
    }
    return rename(from, to);
}

/* Make a rename survive a power failure. Some file systems cannot sync a folder: that is not an
 * error. */
static an_status sync_folder_of(const char *path, an_error *err) {
    an_status st = AN_OK;
    char *folder = ani_folder_of(path);
    if (!folder) return ani_fail_memory(err, (int64_t)strlen(path), "a path");
    const int fd = ani_descriptor_open(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        st = ani_fail_system(err, errno, "open folder", folder);
    else if (sys_sync(fd, fsync) < 0 && errno != EINVAL && errno != ENOTSUP)
        st = ani_fail_system(err, errno, "sync folder", folder);
    if (fd >= 0) close(fd);
    ani_free(folder);
    return st;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct ani_file {
    int fd;               /* -1: in memory */
    const uint8_t *bytes; /* in memory; else NULL */
    int64_t size;
    char *path;
};

an_status ani_file_open_bytes(ani_file **out, const void *bytes, int64_t size, const char *name,
                              an_error *err) {
    *out = NULL;
    ani_file *file = ani_alloc_zero(1, sizeof *file);
    if (!file) return ani_fail_memory(err, sizeof *file, "an open file");
    file->fd = -1;
    file->bytes = bytes;
    file->size = size;
    file->path = ani_strdup(name);
    if (!file->path) {
        ani_file_close(file);
        return ani_fail_memory(err, (int64_t)strlen(name), "a name");
    }
    *out = file;
    return AN_OK;
}

an_status ani_file_open(ani_file **out, const char *path, an_error *err) {
    ani_file *file = NULL;
    struct stat info;
    *out = NULL;
    an_status st = ani_file_open_bytes(&file, NULL, 0, path, err);
    if (st) goto done;
    /* O_NONBLOCK: opening a FIFO must not hang; it is refused below. */
    file->fd = ani_descriptor_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (file->fd < 0 || fstat(file->fd, &info) < 0) {
        st = ani_fail_system(err, errno, "open", path);
        goto done;
    }
    if (!S_ISREG(info.st_mode)) {
        st = ani_fail(err, AN_ERR_IO, "cannot open '%s': it is %s, not a file", path,
                      S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
        goto done;
    }
    file->size = info.st_size;
    *out = file;
    file = NULL;
done:
    ani_file_close(file);
    return st;
}

void ani_file_close(ani_file *file) {
    if (!file) return;
    if (file->fd >= 0) close(file->fd);
    ani_free(file->path);
    ani_free(file);
}

int64_t ani_file_size(const ani_file *file) {
    return file->size;
}

const char *ani_file_path(const ani_file *file) {
    return file->path;
}

const uint8_t *ani_file_bytes(const ani_file *file) {
    return file->bytes;
}

/* sys_read() for a file in memory. */
static int64_t copy_bytes(const ani_file *file, void *bytes, int64_t size, int64_t offset) {
    const int64_t left = offset < file->size ? file->size - offset : 0;
    const int64_t done = size < left ? size : left;
    if (done > 0) memcpy(bytes, file->bytes + offset, (size_t)done);
    return done;
}

an_status ani_file_read(ani_file *file, int64_t offset, void *bytes, int64_t size, an_error *err) {
    const int64_t done = file->bytes ? copy_bytes(file, bytes, size, offset)
                                     : sys_read(file->fd, bytes, size, offset);
    if (done < 0) return ani_fail_system(err, errno, "read", file->path);
    if (done < size)
        return ani_fail(err, AN_ERR_FORMAT, "'%s' ends at byte %lld, but %lld are needed",
                        file->path, (long long)(offset + done), (long long)(offset + size));
    return AN_OK;
}

an_status ani_file_read_all(const char *path, int64_t max_size, uint8_t **bytes, int64_t *size,
                            an_error *err) {
    *bytes = NULL;
    *size = 0;
    ani_file *file = NULL;
    uint8_t *content = NULL;
    an_status st = ani_file_open(&file, path, err);
    if (st) goto done;
    if (file->size > max_size) {
        st = ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' has %lld bytes; at most %lld are read", path,
                      (long long)file->size, (long long)max_size);
        goto done;
    }
    content = ani_alloc(file->size + 1);
    if (!content) {
        st = ani_fail_memory(err, file->size, path);
        goto done;
    }
    st = ani_file_read(file, 0, content, file->size, err);
    if (st) goto done;
    content[file->size] = 0;
    *bytes = content;
    *size = file->size;
    content = NULL;
done:
    ani_free(content);
    ani_file_close(file);
    return st;
}

/* --- writing whole or not at all -------------------------------------------------------------- */

enum { WRITER_BUFFER = 1 << 16 };

struct ani_writer {
    int fd;
    char *path;      /* final name */
    char *temporary; /* name until then, in the same folder */
    uint8_t *buffer;
    int64_t buffered;
};

an_status ani_writer_check(const char *path, an_error *err) {
    an_status st = AN_OK;
    char *folder = ani_folder_of(path);
    if (!folder)
        st = ani_fail_memory(err, (int64_t)strlen(path), "a path");
    else if (!ani_is_folder(folder))
        st = ani_fail(err, AN_ERR_IO, "cannot write '%s': there is no folder '%s'", path, folder);
    else if (ani_is_folder(path))
        st = ani_fail(err, AN_ERR_IO, "cannot write '%s': a folder with that name exists", path);
    else if (access(folder, W_OK) < 0)
        st = ani_fail_system(err, errno, "write", path);
    ani_free(folder);
    return st;
}

an_status ani_writer_begin(ani_writer **out, const char *path, an_error *err) {
    *out = NULL;
    an_status st = AN_OK;
    ani_writer *writer = ani_alloc_zero(1, sizeof *writer);
    if (!writer) return ani_fail_memory(err, sizeof *writer, "a file to write");
    writer->fd = -1;
    const int64_t name_size = (int64_t)strlen(path) + 32;
    writer->path = ani_strdup(path);
    writer->buffer = ani_alloc(WRITER_BUFFER);
    char *temporary = ani_alloc(name_size);
    if (!writer->path || !writer->buffer || !temporary) {
        ani_free(temporary);
        st = ani_fail_memory(err, WRITER_BUFFER + name_size, "a file to write");
        goto done;
    }
    /* O_EXCL, and a number that no other process has: nothing is written through somebody else's
     * link. */
    for (int attempt = 0; writer->fd < 0; attempt++) {
        snprintf(temporary, (size_t)name_size, "%s.%ld.%d.tmp", path, (long)getpid(), attempt);
        writer->fd = ani_descriptor_open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (writer->fd < 0 && (errno != EEXIST || attempt == 1000)) {
            st = ani_fail_system(err, errno, "write", path);
            ani_free(temporary);
            goto done;
        }
    }
    writer->temporary = temporary;
    *out = writer;
    writer = NULL;
done:
    ani_writer_abort(writer);
    return st;
}

static an_status flush_writer(ani_writer *writer, an_error *err) {
    if (sys_write(writer->fd, writer->buffer, writer->buffered) < 0)
        return ani_fail_system(err, errno, "write", writer->path);
    writer->buffered = 0;
    return AN_OK;
}

an_status ani_writer_write(ani_writer *writer, const void *bytes, int64_t size, an_error *err) {
    if (size > WRITER_BUFFER - writer->buffered) {
        an_status st = flush_writer(writer, err);
        if (st) return st;
        if (size > WRITER_BUFFER) {
            if (sys_write(writer->fd, bytes, size) < 0)
                return ani_fail_system(err, errno, "write", writer->path);
            return AN_OK;
        }
    }
    if (size) memcpy(writer->buffer + writer->buffered, bytes, (size_t)size);
    writer->buffered += size;
    return AN_OK;
}

an_status ani_writer_put(void *writer, const void *bytes, int64_t size, an_error *err) {
    return ani_writer_write(writer, bytes, size, err);
}

static an_status commit(ani_writer *writer, bool sync, an_error *err) {
    an_status st = flush_writer(writer, err);
    if (st) goto done;
    if (sync && sys_sync(writer->fd, fsync) < 0) {
        st = ani_fail_system(err, errno, "sync", writer->path);
        goto done;
    }
    const int fd = writer->fd;
    writer->fd = -1;
    if (close(fd) < 0) { /* network file systems report a full disk here */
        st = ani_fail_system(err, errno, "close", writer->path);
        goto done;
    }
    if (sys_rename(writer->temporary, writer->path) < 0) {
        st = ani_fail_system(err, errno, "rename a finished file to", writer->path);
        goto done;
    }
    ani_free(writer->temporary);
    writer->temporary = NULL;
    if (sync) st = sync_folder_of(writer->path, err);
done:
    ani_writer_abort(writer);
    return st;
}

an_status ani_writer_commit(ani_writer *writer, an_error *err) {
    return commit(writer, true, err);
}

an_status ani_writer_commit_unsynced(ani_writer *writer, an_error *err) {
    return commit(writer, false, err);
}

void ani_writer_abort(ani_writer *writer) {
    if (!writer) return;
    if (writer->fd >= 0) close(writer->fd);
    if (writer->temporary) unlink(writer->temporary);
    ani_free(writer->temporary);
    ani_free(writer->path);
    ani_free(writer->buffer);
    ani_free(writer);
}

/* A name that ani_writer_begin() gave to the temporary file of base, in a process that no longer
 * exists. */
static bool is_left_over(const char *name, const char *base) {
    const size_t length = strlen(base);
    long process;
    int attempt, end = 0;
    if (strncmp(name, base, length) != 0) return false;
    if (sscanf(name + length, ".%ld.%d.tmp%n", &process, &attempt, &end) != 2 || !end) return false;
    return !name[length + (size_t)end] && process > 0 && kill((pid_t)process, 0) < 0 &&
           errno == ESRCH;
}

void ani_writer_sweep(const char *path) {
    char *folder = ani_folder_of(path);
    DIR *entries = folder ? opendir(folder) : NULL;
    ani_free(folder);
    if (!entries) return;
    for (const struct dirent *entry; (entry = readdir(entries));)
        if (is_left_over(entry->d_name, ani_base_name(path)))
            unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
}

static an_status write_all(const char *path, const void *bytes, int64_t size, bool sync,
                           an_error *err) {
    ani_writer *writer = NULL;
    an_status st = ani_writer_begin(&writer, path, err);
    if (st) return st;
    st = ani_writer_write(writer, bytes, size, err);
    if (st) {
        ani_writer_abort(writer);
        return st;
    }
    return commit(writer, sync, err);
}

an_status ani_file_write_all(const char *path, const void *bytes, int64_t size, an_error *err) {
    return write_all(path, bytes, size, true, err);
}

an_status ani_file_write_all_unsynced(const char *path, const void *bytes, int64_t size,
                                      an_error *err) {
    return write_all(path, bytes, size, false, err);
}

/* --- appending -------------------------------------------------------------------------------- */

struct ani_appender {
    int fd;
    int64_t size;
    char *path;
};

an_status ani_appender_open(ani_appender **out, const char *path, bool truncate, an_error *err) {
    *out = NULL;
    an_status st = AN_OK;
    struct stat info;
    ani_appender *appender = ani_alloc_zero(1, sizeof *appender);
    if (!appender) return ani_fail_memory(err, sizeof *appender, "an open file");
    appender->path = ani_strdup(path);
    appender->fd = -1;
    if (!appender->path) {
        st = ani_fail_memory(err, (int64_t)strlen(path), "a path");
        goto done;
    }
    appender->fd =
        ani_descriptor_open(path, O_WRONLY | O_CREAT | O_APPEND | (truncate ? O_TRUNC : 0), 0666);
    if (appender->fd < 0 || fstat(appender->fd, &info) < 0) {
        st = ani_fail_system(err, errno, "write", path);
        goto done;
    }
    appender->size = info.st_size;
    *out = appender;
    appender = NULL;
done:
    if (appender) {
        if (appender->fd >= 0) close(appender->fd);
        ani_free(appender->path);
        ani_free(appender);
    }
    return st;
}

an_status ani_appender_write(ani_appender *appender, const void *bytes, int64_t size,
                             an_error *err) {
    if (sys_write(appender->fd, bytes, size) < 0)
        return ani_fail_system(err, errno, "write", appender->path);
    appender->size += size;
    return AN_OK;
}

int64_t ani_appender_size(const ani_appender *appender) {
    return appender->size;
}

an_status ani_appender_close(ani_appender *appender, bool sync, an_error *err) {
    if (!appender) return AN_OK;
    an_status st = AN_OK;
    if (sync && sys_sync(appender->fd, fsync) < 0)
        st = ani_fail_system(err, errno, "sync", appender->path);
    if (close(appender->fd) < 0 && !st) st = ani_fail_system(err, errno, "close", appender->path);
    ani_free(appender->path);
    ani_free(appender);
    return st;
}

/* --- names and folders ------------------------------------------------------------------------ */

an_status ani_file_rename(const char *from, const char *to, an_error *err) {
    if (sys_rename(from, to) < 0) return ani_fail_system(err, errno, "rename a file to", to);
    return sync_folder_of(to, err);
}

an_status ani_file_remove(const char *path, an_error *err) {
    if (unlink(path) < 0 && errno != ENOENT) return ani_fail_system(err, errno, "remove", path);
    return AN_OK;
}

an_status ani_folder_make(const char *path, an_error *err) {
    an_status st = AN_OK;
    char *partial = ani_strdup(path);
    if (!partial) return ani_fail_memory(err, (int64_t)strlen(path), "a path");
    for (char *end = partial;; end++) {
        if (*end != '/' && *end != '\0') continue;
        const char cut = *end;
        *end = '\0';
        if (*partial && mkdir(partial, 0777) < 0 && errno != EEXIST && !ani_is_folder(partial)) {
            st = ani_fail_system(err, errno, "make folder", partial);
            break;
        }
        *end = cut;
        if (cut == '\0') break;
    }
    if (!st && !ani_is_folder(path))
        st = ani_fail(err, AN_ERR_IO, "cannot create folder '%s': a file with that name exists",
                      path);
    ani_free(partial);
    return st;
}

an_status ani_folder_sync(const char *path, an_error *err) {
    an_status st = AN_OK;
    const int fd = ani_descriptor_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return ani_fail_system(err, errno, "open folder", path);
    if (sys_sync(fd, syncfs) < 0) st = ani_fail_system(err, errno, "sync folder", path);
    close(fd);
    return st;
}

/* NULL with errno if it cannot be opened; an interrupted call is retried. */
static DIR *open_folder(const char *path) {
    DIR *folder;
    do {
        const int code = ani_fault_check(ANI_FAULT_OPEN);
        folder = code > 0 ? NULL : opendir(path);
        if (code > 0) errno = code;
    } while (!folder && errno == EINTR);
    return folder;
}

/* NULL at the end, with errno 0, or on failure, with the error. */
static const struct dirent *next_entry(DIR *folder) {
    const struct dirent *entry;
    do {
        const int code = ani_fault_check(ANI_FAULT_READ);
        errno = code > 0 ? code : 0;
        entry = errno ? NULL : readdir(folder);
    } while (!entry && errno == EINTR);
    return entry;
}

an_status ani_folder_walk(const char *path,
                          an_status (*visit)(void *user, const struct dirent *entry, an_error *err),
                          void *user, an_error *err) {
    DIR *folder = open_folder(path);
    if (!folder) return ani_fail_system(err, errno, "open folder", path);
    an_status st = AN_OK;
    while (!st) {
        const struct dirent *entry = next_entry(folder);
        if (!entry) {
            if (errno) st = ani_fail_system(err, errno, "read folder", path);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            st = visit(user, entry, err);
    }
    closedir(folder);
    return st;
}

bool ani_is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool ani_is_file(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

const char *ani_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *ani_folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return ani_strdup(".");
    const size_t length = slash == path ? 1 : (size_t)(slash - path);
    char *folder = ani_alloc((int64_t)length + 1);
    if (!folder) return NULL;
    memcpy(folder, path, length);
    folder[length] = '\0';
    return folder;
}

char *ani_path_join(const char *folder, const char *name) {
    const size_t length = strlen(folder);
    const size_t size = length + strlen(name) + 2;
    char *path = ani_alloc((int64_t)size);
    if (path)
        snprintf(path, size, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/",
                 name);
    return path;
}
