/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kills a process of a preloaded nginx that holds the zone's lock, when a test
 * says so.  WBA_TEST_DIES names the file through which it does (see
 * test_worker_killed.py), which is mapped by the master, and so by its workers:
 * two numbers, each of which the module's calls count down; who comes to zero
 * dies.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef int (*mutex_call_t)(pthread_mutex_t *);

typedef struct {
    _Atomic int locked;   /* having taken a lock */
    _Atomic int unlocked; /* about to give one back */
} control_t;

static control_t *control;

__attribute__((constructor)) static void
map_control(void)
{
    const char *path = getenv("WBA_TEST_DIES");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *map;

    if (fd == -1) {
        return;
    }
    map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
               0);
    if (map == MAP_FAILED) {
        abort();
    }
    control = map;
    close(fd);
}

static void
count_down(_Atomic int *left, const void *caller)
{
    Dl_info info;

    if (atomic_load(left) > 0 && dladdr(caller, &info) != 0
        && strstr(info.dli_fname, "web_bot_auth_module") != NULL
        && atomic_fetch_sub(left, 1) == 1)
    {
        kill(getpid(), SIGKILL);
    }
}

static mutex_call_t
next(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    mutex_call_t call;

    memcpy(&call, &symbol, sizeof(call));
    return call;
}

int
pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static mutex_call_t real;
    int rc;

    if (real == NULL) {
        real = next("pthread_mutex_lock");
    }
    rc = real(mutex);
    if (control != NULL) {
        count_down(&control->locked, __builtin_return_address(0));
    }
    return rc;
}

int
pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    static mutex_call_t real;

    if (real == NULL) {
        real = next("pthread_mutex_unlock");
    }
    if (control != NULL) {
        count_down(&control->unlocked, __builtin_return_address(0));
    }
    return real(mutex);
}
