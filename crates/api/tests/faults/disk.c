/*
 * A disk that fails on demand. Preloaded into the server, it lets every write to a SQLite file fail while the file that
 * DISK_FAULT names exists: its text says how.
 *
 *   fsync-eio   what was written cannot be made durable
 *   write-eio   nothing can be written
 *   enospc      the disk is full
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static int is_database(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return ends_with(path, "denizen.db") || ends_with(path, "denizen.db-wal") || ends_with(path, "denizen.db-journal");
}

/* The error that this call must fail with, or 0. */
static int fault(int fd, int is_sync) {
    int before = errno, error = 0;
    const char *control = getenv("DISK_FAULT");
    char mode[32] = "";
    if (control != NULL) {
        int file = open(control, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            ssize_t length = read(file, mode, sizeof mode - 1);
            mode[length < 0 ? 0 : length] = 0;
            close(file);
        }
    }
    if (mode[0] != 0 && is_database(fd)) {
        if (strcmp(mode, "fsync-eio") == 0 && is_sync) error = EIO;
        if (strcmp(mode, "write-eio") == 0 && !is_sync) error = EIO;
        if (strcmp(mode, "enospc") == 0 && !is_sync) error = ENOSPC;
    }
    errno = before;
    return error;
}

#define WITH_FAULTS(result, name, is_sync, parameters, arguments)                                    \
    result name parameters {                                                                         \
        static result(*real) parameters;                                                             \
        if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, #name);                                 \
        int error = fault(fd, is_sync);                                                              \
        if (error != 0) {                                                                            \
            errno = error;                                                                           \
            return -1;                                                                               \
        }                                                                                            \
        return real arguments;                                                                       \
    }

WITH_FAULTS(ssize_t, write, 0, (int fd, const void *bytes, size_t count), (fd, bytes, count))
WITH_FAULTS(ssize_t, pwrite, 0, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at))
WITH_FAULTS(ssize_t, pwrite64, 0, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at))
WITH_FAULTS(ssize_t, pwritev, 0, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
WITH_FAULTS(int, ftruncate, 0, (int fd, off_t length), (fd, length))
WITH_FAULTS(int, ftruncate64, 0, (int fd, off64_t length), (fd, length))
WITH_FAULTS(int, fallocate, 0, (int fd, int mode, off_t at, off_t length), (fd, mode, at, length))
WITH_FAULTS(int, fsync, 1, (int fd), (fd))
WITH_FAULTS(int, fdatasync, 1, (int fd), (fd))
