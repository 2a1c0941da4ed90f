/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes one call of a preloaded nginx fail, the nth from when a test says so.
 * WBA_TEST_FAULTS names the file through which they talk: control_t, which is
 * mapped by the test (harness/faults.py), the master, and so by its workers.
 *
 * Three families of calls are told apart:
 *
 *     POOL   nginx's own memory, asked for by the module: ngx_palloc() and the
 *            like.  nginx's symbols come before those of anything preloaded:
 *            what the module's calls go to is changed in its table of
 *            addresses, when it is loaded.
 *     HEAP   malloc() and the like, by whomever
 *     CALLS  what asks the system
 *
 * With scope MODULE, calls count beneath which the module is on the stack, and
 * those of threads that are not the main one: nginx has none of its own here.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MODULE_NAME "ngx_http_web_bot_auth_module"

enum { POOL = 1, HEAP = 2, CALLS = 4 };

#define SCOPE_MODULE 1

#define CHILDREN (-1) /* as pid: every process but the master */
#define MASTER (-2)   /* and the master, which has no number yet */

#define DEPTH 40
#define SITES 16384

typedef struct {
    uint64_t at; /* in the module: where its innermost call returns to */
    char name[24];
} site_t;

/* As harness/faults.py has it. */
typedef struct {
    /* what the test asks for */
    _Atomic uint32_t families; /* that count now; 0: none */
    uint32_t scope;
    int32_t pid;   /* whose calls; 0: anybody's, CHILDREN or MASTER */
    int32_t error; /* errno then; 0: what is usual for the call */
    uint64_t at;   /* the call that fails, from 1; 0: none */
    uint32_t onward; /* 1: and all that follow; 2: those from the same place */
    int32_t tracked; /* whose blocks are counted */
    char only[32];   /* the one call that counts, unless empty */

    /* what it is told */
    _Atomic uint64_t seen;
    _Atomic uint64_t failed;
    _Atomic int64_t live; /* blocks of the heap, more or fewer */
    int32_t master;
    int32_t found_module;
    char text[3968]; /* of the first that failed: its name, and the stack */
    site_t sites[SITES];
} control_t;

static control_t *control;

/* Where the module is, and names.so, whose own calls do not count. */
static uintptr_t module_begin, module_end;
static uintptr_t names_begin, names_end;

/* Calls of the shim's own do not count. */
static __thread int inside __attribute__((tls_model("initial-exec")));

static void *
next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* NEXT(f): a pointer to the f that is behind this one. */
#define NEXT(name)                                                            \
    static __typeof__(name) *real;                                            \
                                                                              \
    if (real == NULL) {                                                       \
        void *symbol = next(#name);                                           \
                                                                              \
        memcpy(&real, &symbol, sizeof(real));                                 \
    }

static int
find_names(struct dl_phdr_info *info, size_t size, void *unused)
{
    const ElfW(Phdr) *part;
    int i;

    (void) size;
    (void) unused;
    if (strstr(info->dlpi_name, "/names.so") != NULL) {
        names_begin = info->dlpi_addr;
        for (i = 0; i < info->dlpi_phnum; i++) {
            part = &info->dlpi_phdr[i];
            if (part->p_type == PT_LOAD) {
                names_end = names_begin + part->p_vaddr + part->p_memsz;
            }
        }
    }
    return 0;
}

__attribute__((constructor)) static void
map_control(void)
{
    const char *path = getenv("WBA_TEST_FAULTS");
    void *frames[2], *map;
    long fd;

    if (path == NULL) {
        return;
    }
    backtrace(frames, 2); /* loads what it needs */
    dl_iterate_phdr(find_names, NULL);
    fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd == -1) {
        return;
    }
    map = (void *) syscall(SYS_mmap, NULL, sizeof(control_t),
                           PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
    syscall(SYS_close, fd);
    if (map != MAP_FAILED) {
        control = map;
        control->master = (int32_t) getpid();
    }
}

/* --- which call it is */

static void
describe(const char *name, void *const *frames, int n)
{
    size_t used, size = sizeof(control->text);
    const char *file;
    Dl_info info;
    int i;

    used = (size_t) snprintf(control->text, size, "%s errno", name);
    for (i = 0; i < n && used < size - 200; i++) {
        if (dladdr(frames[i], &info) == 0 || info.dli_fname == NULL) {
            continue;
        }
        file = strrchr(info.dli_fname, '/');
        used += (size_t) snprintf(
            control->text + used, size - used, "\n%.60s+0x%lx %.60s",
            file == NULL ? info.dli_fname : file + 1,
            (unsigned long) ((uintptr_t) frames[i]
                             - (uintptr_t) info.dli_fbase),
            info.dli_sname == NULL ? "" : info.dli_sname);
    }
}

static int
is_other_process(void)
{
    int32_t pid = control->pid;

    if (pid == CHILDREN) {
        return (int32_t) getpid() == control->master;
    }
    if (pid == MASTER) {
        return (int32_t) getpid() != control->master;
    }
    return pid != 0 && pid != (int32_t) getpid();
}

/* frames[0] is the shim's. */
static int
is_of_names(void *const *frames, int n)
{
    int i;

    for (i = 1; i < n; i++) {
        if ((uintptr_t) frames[i] >= names_begin
            && (uintptr_t) frames[i] < names_end)
        {
            return 1;
        }
    }
    return 0;
}

static uintptr_t
innermost(void *const *frames, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        if ((uintptr_t) frames[i] >= module_begin
            && (uintptr_t) frames[i] < module_end)
        {
            return (uintptr_t) frames[i] - module_begin;
        }
    }
    return 0;
}

static void
note_site(uint64_t seen, const char *name, uintptr_t at)
{
    site_t *site;

    if (seen <= SITES) {
        site = &control->sites[seen - 1];
        site->at = at;
        snprintf(site->name, sizeof(site->name), "%s", name);
    }
}

static int
is_asked_for(uint64_t seen, uintptr_t at)
{
    uint64_t first = control->at;

    if (first == 0 || seen < first) {
        return 0;
    }
    return seen == first || control->onward == 1
           || (control->onward == 2 && first <= SITES
               && at == control->sites[first - 1].at);
}

static int
count(const char *name, void *const *frames, int n, uintptr_t at)
{
    uint64_t seen = atomic_fetch_add(&control->seen, 1) + 1;

    note_site(seen, name, at);
    if (!is_asked_for(seen, at)) {
        return 0;
    }
    if (atomic_fetch_add(&control->failed, 1) == 0) {
        describe(name, frames, n);
    }
    return 1;
}

/* Whether the call is to fail; site: where in the module it returns to, or 0
 * where only the stack can tell. */
static int
fails(uint32_t family, const char *name, uintptr_t site)
{
    void *frames[DEPTH];
    int n, result = 0, saved = errno;
    uintptr_t at;

    if (control == NULL || inside
        || !(atomic_load(&control->families) & family)
        || (control->only[0] && strcmp(control->only, name) != 0)
        || is_other_process())
    {
        return 0;
    }
    inside++;
    n = backtrace(frames, DEPTH);
    at = site != 0 ? site - module_begin : innermost(frames, n);
    if ((at != 0 || control->scope != SCOPE_MODULE
         || syscall(SYS_gettid) != getpid())
        && !is_of_names(frames, n))
    {
        result = count(name, frames, n, at);
    }
    inside--;
    errno = saved;
    return result;
}

static int
error_of(int usual)
{
    return control->error ? control->error : usual;
}

/* --- POOL: nginx's memory, for the module */

typedef uintptr_t word_t;
typedef word_t (*any_pt)(word_t, word_t, word_t, word_t, word_t, word_t);

/* Functions of up to six words; bad: what they answer when they fail. */
#define POOL_CALLS(X)                                                         \
    X(ngx_palloc, 0)                                                          \
    X(ngx_pcalloc, 0)                                                         \
    X(ngx_pnalloc, 0)                                                         \
    X(ngx_pstrdup, 0)                                                         \
    X(ngx_alloc, 0)                                                           \
    X(ngx_array_create, 0)                                                    \
    X(ngx_array_push, 0)                                                      \
    X(ngx_array_push_n, 0)                                                    \
    X(ngx_list_push, 0)                                                       \
    X(ngx_pool_cleanup_add, 0)                                                \
    X(ngx_slab_alloc, 0)                                                      \
    X(ngx_shared_memory_add, 0)                                               \
    X(ngx_http_add_variable, 0)                                               \
    X(ngx_get_connection, 0)                                                  \
    X(ngx_conf_full_name, -1)                                                 \
    X(ngx_add_path, -1)                                                       \
    X(ngx_parse_url, -1)                                                      \
    X(ngx_http_compile_complex_value, -1)                                     \
    X(ngx_http_complex_value, -1)

enum {
#define POOL_INDEX(name, bad) INDEX_##name,
    POOL_CALLS(POOL_INDEX)
    POOL_COUNT
};

static any_pt pool_real[POOL_COUNT];

/* nginx says of each pool that found no memory. */
static word_t
no_pool(word_t bad)
{
    static void (*say)(word_t level, void *log, int error, const char *, ...);
    static void *const *const *cycle; /* its third member is the log */
    void *symbol;

    inside++;
    if (say == NULL) {
        symbol = dlsym(RTLD_DEFAULT, "ngx_log_error_core");
        memcpy(&say, &symbol, sizeof(say));
        cycle = dlsym(RTLD_DEFAULT, "ngx_cycle");
    }
    say(1, (*cycle)[2], ENOMEM, "malloc(0) failed");
    inside--;
    return bad;
}

#define POOL_WRAPPER(name, bad)                                               \
    static word_t wrap_##name(word_t a, word_t b, word_t c, word_t d,         \
                              word_t e, word_t f)                             \
    {                                                                         \
        if (fails(POOL, #name, (word_t) __builtin_return_address(0))) {       \
            return no_pool((word_t) (bad));                                   \
        }                                                                     \
        return pool_real[INDEX_##name](a, b, c, d, e, f);                     \
    }
POOL_CALLS(POOL_WRAPPER)

static const struct {
    const char *name;
    any_pt wrapper;
} pool_calls[] = {
#define POOL_ROW(name, bad) { #name, wrap_##name },
    POOL_CALLS(POOL_ROW)
};

static void
redirect(void **slot, const char *name)
{
    uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t) slot & ~(page - 1);
    any_pt now;
    int i;

    for (i = 0; i < POOL_COUNT; i++) {
        if (strcmp(name, pool_calls[i].name) != 0) {
            continue;
        }
        memcpy(&now, slot, sizeof(now));
        if (now == pool_calls[i].wrapper) {
            return; /* loaded before */
        }
        if (syscall(SYS_mprotect, start, page, PROT_READ | PROT_WRITE) != 0) {
            abort();
        }
        pool_real[i] = now;
        memcpy(slot, &pool_calls[i].wrapper, sizeof(now));
        control->found_module++;
    }
}

static void
redirect_all(const struct link_map *map, ElfW(Addr) table, size_t size,
             const ElfW(Sym) *symbols, const char *names)
{
    const ElfW(Rela) *rela = (const ElfW(Rela) *) table;
    size_t i;

    for (i = 0; i < size / sizeof(*rela); i++) {
        size_t symbol = ELF64_R_SYM(rela[i].r_info);

        if (symbol != 0 && rela[i].r_addend == 0) {
            redirect((void **) (map->l_addr + rela[i].r_offset),
                     names + symbols[symbol].st_name);
        }
    }
}

static void
find_module(void *handle)
{
    const ElfW(Sym) *symbols = NULL;
    const char *names = NULL;
    ElfW(Addr) calls = 0, others = 0;
    size_t calls_size = 0, others_size = 0, i;
    const ElfW(Ehdr) *header;
    const ElfW(Phdr) *part;
    const ElfW(Dyn) *d;
    struct link_map *map;

    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) {
        abort();
    }
    header = (const ElfW(Ehdr) *) map->l_addr;
    part = (const ElfW(Phdr) *) (map->l_addr + header->e_phoff);
    module_begin = map->l_addr;
    for (i = 0; i < header->e_phnum; i++) {
        if (part[i].p_type == PT_LOAD) {
            module_end = map->l_addr + part[i].p_vaddr + part[i].p_memsz;
        }
    }
    for (d = map->l_ld; d->d_tag != DT_NULL; d++) {
        switch (d->d_tag) {
        case DT_SYMTAB: symbols = (const ElfW(Sym) *) d->d_un.d_ptr; break;
        case DT_STRTAB: names = (const char *) d->d_un.d_ptr; break;
        case DT_JMPREL: calls = d->d_un.d_ptr; break;
        case DT_PLTRELSZ: calls_size = d->d_un.d_val; break;
        case DT_RELA: others = d->d_un.d_ptr; break;
        case DT_RELASZ: others_size = d->d_un.d_val; break;
        default: break;
        }
    }
    if (symbols == NULL || names == NULL) {
        abort();
    }
    redirect_all(map, calls, calls_size, symbols, names);
    redirect_all(map, others, others_size, symbols, names);
}

void *
dlopen(const char *path, int flags)
{
    void *handle;

    NEXT(dlopen);
    handle = real(path, flags);
    if (control != NULL && handle != NULL && path != NULL
        && strstr(path, MODULE_NAME) != NULL)
    {
        inside++;
        find_module(handle);
        inside--;
    }
    return handle;
}

/* --- HEAP */

static void
track(int blocks)
{
    if (control != NULL && control->tracked != 0
        && control->tracked == (int32_t) getpid())
    {
        atomic_fetch_add(&control->live, blocks);
    }
}

static int
no_memory(const char *name)
{
    if (fails(HEAP, name, 0)) {
        errno = ENOMEM;
        return 1;
    }
    return 0;
}

void *
malloc(size_t size)
{
    void *p;

    NEXT(malloc);
    p = no_memory("malloc") ? NULL : real(size);
    track(p != NULL);
    return p;
}

void *
calloc(size_t n, size_t size)
{
    void *p;

    NEXT(calloc);
    p = no_memory("calloc") ? NULL : real(n, size);
    track(p != NULL);
    return p;
}

void *
realloc(void *old, size_t size)
{
    void *p;

    NEXT(realloc);
    if (no_memory("realloc")) {
        return NULL;
    }
    p = real(old, size);
    track((old == NULL && p != NULL) - (old != NULL && size == 0));
    return p;
}

int
posix_memalign(void **p, size_t alignment, size_t size)
{
    int rc;

    NEXT(posix_memalign);
    rc = fails(HEAP, "posix_memalign", 0) ? ENOMEM : real(p, alignment, size);
    track(rc == 0);
    return rc;
}

void
free(void *p)
{
    NEXT(free);
    track(-(p != NULL));
    real(p);
}

/* --- CALLS */

#define CALL(type, name, params, args, usual)                                 \
    type name params                                                          \
    {                                                                         \
        NEXT(name);                                                           \
        if (fails(CALLS, #name, 0)) {                                         \
            errno = error_of(usual);                                          \
            return (type) -1;                                                 \
        }                                                                     \
        return real args;                                                     \
    }

/* One whose last argument need not be there. */
#define CALL_MORE(name, params, last, type, args, usual)                      \
    int name params                                                           \
    {                                                                         \
        va_list list;                                                         \
        type more;                                                            \
                                                                              \
        NEXT(name);                                                           \
        va_start(list, last);                                                 \
        more = va_arg(list, type);                                            \
        va_end(list);                                                         \
        if (fails(CALLS, #name, 0)) {                                         \
            errno = error_of(usual);                                          \
            return -1;                                                        \
        }                                                                     \
        return real args;                                                     \
    }

/* Those that answer with the error itself. */
#define CALL_CODE(name, params, args, usual)                                  \
    int name params                                                           \
    {                                                                         \
        NEXT(name);                                                           \
        return fails(CALLS, #name, 0) ? error_of(usual) : real args;          \
    }

CALL_MORE(open, (const char *path, int flags, ...), flags, unsigned,
          (path, flags, more), EMFILE)
CALL_MORE(open64, (const char *path, int flags, ...), flags, unsigned,
          (path, flags, more), EMFILE)
CALL_MORE(openat, (int at, const char *path, int flags, ...), flags, unsigned,
          (at, path, flags, more), EMFILE)
CALL_MORE(openat64, (int at, const char *path, int flags, ...), flags,
          unsigned, (at, path, flags, more), EMFILE)
CALL_MORE(fcntl, (int fd, int command, ...), command, void *,
          (fd, command, more), EMFILE)
CALL_MORE(fcntl64, (int fd, int command, ...), command, void *,
          (fd, command, more), EMFILE)
CALL_MORE(ioctl, (int fd, unsigned long what, ...), what, void *,
          (fd, what, more), EIO)

CALL(int, stat, (const char *path, struct stat *st), (path, st), EIO)
CALL(int, stat64, (const char *path, struct stat64 *st), (path, st), EIO)
CALL(int, lstat, (const char *path, struct stat *st), (path, st), EIO)
CALL(int, lstat64, (const char *path, struct stat64 *st), (path, st), EIO)
CALL(int, fstat, (int fd, struct stat *st), (fd, st), EIO)
CALL(int, fstat64, (int fd, struct stat64 *st), (fd, st), EIO)
CALL(int, access, (const char *path, int mode), (path, mode), EACCES)
CALL(int, rename, (const char *from, const char *to), (from, to), EIO)
CALL(int, unlink, (const char *path), (path), EIO)
CALL(int, flock, (int fd, int how), (fd, how), ENOLCK)

CALL(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n), EIO)
CALL(ssize_t, pread64, (int fd, void *p, size_t n, off64_t at),
     (fd, p, n, at), EIO)
CALL(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), ENOSPC)
CALL(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t at),
     (fd, p, n, at), ENOSPC)
CALL(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n), EIO)
CALL(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n),
     ENOSPC)

CALL(ssize_t, recv, (int fd, void *p, size_t n, int flags),
     (fd, p, n, flags), ECONNRESET)
CALL(ssize_t, recvfrom,
     (int fd, void *restrict p, size_t n, int flags,
      struct sockaddr *restrict from, socklen_t *restrict len),
     (fd, p, n, flags, from, len), ECONNRESET)
CALL(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags),
     ECONNRESET)
CALL(ssize_t, send, (int fd, const void *p, size_t n, int flags),
     (fd, p, n, flags), EPIPE)
CALL(ssize_t, sendto,
     (int fd, const void *p, size_t n, int flags, const struct sockaddr *to,
      socklen_t len),
     (fd, p, n, flags, to, len), EPIPE)
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags),
     (fd, m, flags), EPIPE)

CALL(int, socket, (int domain, int type, int protocol),
     (domain, type, protocol), EMFILE)
CALL(int, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds), EMFILE)
CALL(int, connect, (int fd, const struct sockaddr *to, socklen_t len),
     (fd, to, len), ENETUNREACH)
CALL(int, bind, (int fd, const struct sockaddr *to, socklen_t len),
     (fd, to, len), EADDRINUSE)
CALL(int, getsockopt,
     (int fd, int level, int name, void *restrict p, socklen_t *restrict n),
     (fd, level, name, p, n), ENOBUFS)
CALL(int, setsockopt,
     (int fd, int level, int name, const void *p, socklen_t n),
     (fd, level, name, p, n), ENOBUFS)
CALL(int, getsockname,
     (int fd, struct sockaddr *restrict to, socklen_t *restrict n),
     (fd, to, n), ENOBUFS)
CALL(int, getpeername,
     (int fd, struct sockaddr *restrict to, socklen_t *restrict n),
     (fd, to, n), ENOTCONN)

CALL(int, poll, (struct pollfd *fds, nfds_t n, int ms), (fds, n, ms), ENOMEM)
CALL(int, epoll_ctl, (int ep, int op, int fd, struct epoll_event *e),
     (ep, op, fd, e), ENOSPC)
CALL(int, dup2, (int from, int to), (from, to), EMFILE)

CALL(void *, mmap,
     (void *at, size_t n, int prot, int flags, int fd, off_t offset),
     (at, n, prot, flags, fd, offset), ENOMEM)
CALL(void *, mmap64,
     (void *at, size_t n, int prot, int flags, int fd, off64_t offset),
     (at, n, prot, flags, fd, offset), ENOMEM)

CALL_CODE(posix_fallocate64, (int fd, off64_t at, off64_t n), (fd, at, n),
          ENOSPC)
CALL_CODE(pthread_create,
          (pthread_t *restrict thread, const pthread_attr_t *restrict attr,
           void *(*run)(void *), void *restrict arg),
          (thread, attr, run, arg), EAGAIN)

/* As close() does it: the descriptor is closed whatever it says. */
int
close(int fd)
{
    int rc;

    NEXT(close);
    rc = real(fd);
    if (fails(CALLS, "close", 0)) {
        errno = error_of(EIO);
        return -1;
    }
    return rc;
}

int
getaddrinfo(const char *restrict node, const char *restrict service,
            const struct addrinfo *restrict hints,
            struct addrinfo **restrict found)
{
    NEXT(getaddrinfo);
    if (fails(CALLS, "getaddrinfo", 0)) {
        return EAI_AGAIN;
    }
    return real(node, service, hints, found);
}

#define CALL_FILE(name)                                                       \
    FILE *name(const char *restrict path, const char *restrict mode)          \
    {                                                                         \
        NEXT(name);                                                           \
        if (fails(CALLS, #name, 0)) {                                         \
            errno = error_of(EMFILE);                                         \
            return NULL;                                                      \
        }                                                                     \
        return real(path, mode);                                              \
    }

CALL_FILE(fopen)
CALL_FILE(fopen64)
