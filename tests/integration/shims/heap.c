/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into nginx: how many blocks, and bytes, of the heap its first
 * process (the master) holds.  WBA_TEST_HEAP names a file, which begins with
 * the two as longs.  Its children are not counted.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void __libc_free(void *p);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static long *heap; /* blocks, bytes */
static pid_t owner;

static void *
count(void *p, long sign)
{
    if (p != NULL && heap != NULL && getpid() == owner) {
        heap[0] += sign;
        heap[1] += sign * (long) malloc_usable_size(p);
    }
    return p;
}

__attribute__((constructor)) static void
begin(void)
{
    const char *name = getenv("WBA_TEST_HEAP");
    size_t size = 2 * sizeof(long);
    void *map;
    int fd;

    if (name == NULL) {
        return;
    }
    fd = open(name, O_RDWR | O_CREAT, 0600);
    if (fd == -1 || ftruncate(fd, (off_t) size) == -1) {
        abort();
    }
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void) close(fd);
    if (map == MAP_FAILED) {
        abort();
    }
    owner = getpid();
    heap = map;
}

void *
malloc(size_t size)
{
    return count(__libc_malloc(size), 1);
}

void
free(void *p)
{
    __libc_free(count(p, -1));
}

void *
calloc(size_t n, size_t size)
{
    return count(__libc_calloc(n, size), 1);
}

void *
realloc(void *p, size_t size)
{
    return count(__libc_realloc(count(p, -1), size), 1);
}

void *
memalign(size_t alignment, size_t size)
{
    return count(__libc_memalign(alignment, size), 1);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int
posix_memalign(void **p, size_t alignment, size_t size)
{
    *p = memalign(alignment, size);
    return *p != NULL ? 0 : 12; /* ENOMEM */
}
