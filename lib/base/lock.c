/* SPDX-License-Identifier: MIT
 * flock() excludes other processes; a list of the locks that this process holds excludes its own
 * other runs, and lets the stages of one run share a lock. */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

/** An open lock file. */
typedef struct held {
    struct held *next;
    char *name; /* of the lock file */
    int fd;     /* -1: inherited through fork(), and closed */
    pid_t process;
    dev_t device;
    ino_t inode;
    bool is_effective;
    int holders;
    const void *owner; /* owner, if the lock was taken with one; else NULL */
    int owned;
} held;

struct ani_lock {
    held *file;
    bool is_owned;
};

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static held *all_held;

/* A child of fork() inherits its parent's open files; once it has closed them, the lock ends with
 * the parent. */
static void close_inherited(void) {
    for (held *file = all_held; file; file = file->next)
        if (file->process != getpid() && file->fd >= 0) {
            close(file->fd);
            file->fd = -1;
        }
}

static held *find_held(const struct stat *info) {
    for (held *file = all_held; file; file = file->next)
        if (file->process == getpid() && file->device == info->st_dev &&
            file->inode == info->st_ino)
            return file;
    return NULL;
}

/* Called while the lock is held: a process that opened the file earlier then finds that the name is
 * gone or belongs to another file. The process may have changed its working directory since, so
 * that a relative name means another file: that one is left alone. */
static void remove_file(const held *file) {
    struct stat named;
    if (file->process == getpid() && stat(file->name, &named) == 0 &&
        named.st_dev == file->device && named.st_ino == file->inode)
        unlink(file->name);
}

static void free_held(held *file) {
    if (!file) return;
    if (file->fd >= 0) close(file->fd);
    ani_free(file->name);
    ani_free(file);
}

/* Another process holds the lock; once written, the file contains that process's ID. */
static an_status fail_locked(const char *path, int fd, an_error *err) {
    char number[32] = "", who[64] = "another process";
    char *folder = ani_folder_of(path);
    if (!folder) return ani_fail_memory(err, (int64_t)strlen(path), "a path");
    const ssize_t size = fd < 0 ? 0 : pread(fd, number, sizeof number - 1, 0);
    const long process = size > 0 ? strtol(number, NULL, 10) : 0;
    if (fd < 0)
        snprintf(who, sizeof who, "another run of this process");
    else if (process > 0)
        snprintf(who, sizeof who, "process %ld", process);
    an_status st =
        ani_fail(err, AN_ERR_IO,
                 "folder '%s' is in use: %s is training there and holds '%s.lock'; wait until "
                 "it ends, or choose another folder",
                 folder, who, ani_base_name(path));
    ani_free(folder);
    return st;
}

static int lock_file(int fd) {
    int result;
    do {
        result = flock(fd, LOCK_EX | LOCK_NB);
    } while (result < 0 && errno == EINTR);
    return result;
}

/* Open and lock a file that this process does not hold; *found is set if it does. */
static an_status open_lock(held *file, held **found, const char *path, an_error *err) {
    struct stat info, named;
    for (;;) {
        file->fd = ani_descriptor_open(file->name, O_RDWR | O_CREAT, 0666);
        if (file->fd < 0 || fstat(file->fd, &info) < 0)
            return ani_fail_system(err, errno, "write", file->name);
        *found = find_held(&info);
        if (*found) return AN_OK;
        file->is_effective = lock_file(file->fd) == 0;
        if (!file->is_effective && errno == EWOULDBLOCK) return fail_locked(path, file->fd, err);
        /* The previous holder may have removed the file after it was opened here. */
        if (stat(file->name, &named) == 0 && named.st_dev == info.st_dev &&
            named.st_ino == info.st_ino)
            break;
        close(file->fd);
    }
    char number[32];
    const int size = snprintf(number, sizeof number, "%ld\n", (long)getpid());
    /* For messages only: the lock holds without it. */
    if (ftruncate(file->fd, 0) < 0 || pwrite(file->fd, number, (size_t)size, 0) < 0) errno = 0;
    file->device = info.st_dev;
    file->inode = info.st_ino;
    file->process = getpid();
    return AN_OK;
}

static bool may_share(const held *file, int sharing, const void *owner) {
    if (sharing == ANI_LOCK_OWNER) return !file->owner || file->owner == owner;
    return sharing == ANI_LOCK_JOIN;
}

static an_status take(ani_lock *lock, const char *path, int sharing, const void *owner,
                      an_error *err) {
    const size_t size = strlen(path) + sizeof ".lock";
    held *found = NULL, *file = ani_alloc_zero(1, sizeof *file);
    an_status st = AN_OK;
    if (file) {
        file->fd = -1;
        file->name = ani_alloc((int64_t)size);
    }
    if (!file || !file->name) {
        st = ani_fail_memory(err, (int64_t)size, "a lock");
        goto done;
    }
    snprintf(file->name, size, "%s.lock", path);
    st = open_lock(file, &found, path, err);
    if (!st && found && !may_share(found, sharing, owner)) st = fail_locked(path, -1, err);
    if (st) goto done;
    if (!found) {
        found = file;
        file->next = all_held;
        all_held = file;
        file = NULL;
    }
    lock->file = found;
    lock->is_owned = sharing == ANI_LOCK_OWNER;
    found->holders++;
    if (lock->is_owned) {
        found->owner = owner;
        found->owned++;
    }
done:
    free_held(file);
    return st;
}

an_status ani_lock_take(ani_lock **out, const char *path, int sharing, const void *owner,
                        an_error *err) {
    *out = NULL;
    ani_lock *lock = ani_alloc_zero(1, sizeof *lock);
    if (!lock) return ani_fail_memory(err, sizeof *lock, "a lock");
    pthread_mutex_lock(&guard);
    close_inherited();
    an_status st = take(lock, path, sharing, owner, err);
    pthread_mutex_unlock(&guard);
    if (st) {
        ani_free(lock);
        return st;
    }
    *out = lock;
    return AN_OK;
}

void ani_lock_release(ani_lock *lock) {
    if (!lock) return;
    held *file = lock->file;
    pthread_mutex_lock(&guard);
    if (lock->is_owned && --file->owned == 0) file->owner = NULL;
    if (--file->holders == 0) {
        held **at = &all_held;
        while (*at != file)
            at = &(*at)->next;
        *at = file->next;
        remove_file(file);
        free_held(file);
    }
    pthread_mutex_unlock(&guard);
    ani_free(lock);
}

bool ani_lock_is_effective(const ani_lock *lock) {
    return lock->file->is_effective;
}
