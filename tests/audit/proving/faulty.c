/* Writes that fail. While the file FAULTS exists, calls that write to a file whose path contains FAULTS_IN fail with
   the error number that stands in it; a second number N lets through all but each Nth of them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int calls;

/* The error number, or 0. */
static int fault(int fd) {
    const char *faults = getenv("FAULTS"), *part = getenv("FAULTS_IN");
    if (!faults || !part || access(faults, F_OK) != 0) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!strstr(path, part)) return 0;
    int number = 0, each = 1;
    FILE *file = fopen(faults, "r");
    if (!file) return 0;
    int found = fscanf(file, "%d %d", &number, &each);
    fclose(file);
    if (found < 1 || atomic_fetch_add(&calls, 1) % each != each - 1) return 0;
    return number;
}

#define FAULTY(type, name, parameters, arguments)                  \
    type name parameters {                                         \
        static type(*real) parameters;                             \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
        int number = fault(fd);                                    \
        if (number) { errno = number; return -1; }                 \
        return real arguments;                                     \
    }

FAULTY(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
FAULTY(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
FAULTY(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
FAULTY(ssize_t, pwritev, (int fd, const struct iovec *data, int count, off_t at), (fd, data, count, at))
FAULTY(ssize_t, pwritev64, (int fd, const struct iovec *data, int count, off64_t at), (fd, data, count, at))
FAULTY(int, ftruncate, (int fd, off_t size), (fd, size))
FAULTY(int, ftruncate64, (int fd, off64_t size), (fd, size))
FAULTY(int, fsync, (int fd), (fd))
FAULTY(int, fdatasync, (int fd), (fd))

/* These answer with the error number. */
int posix_fallocate(int fd, off_t at, off_t size) {
    static int (*real)(int, off_t, off_t);
    if (!real) real = (int (*)(int, off_t, off_t))dlsym(RTLD_NEXT, "posix_fallocate");
    int number = fault(fd);
    return number ? number : real(fd, at, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size) {
    return posix_fallocate(fd, at, size);
}
