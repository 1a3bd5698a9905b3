/* Loaded before the C library: programs see a clock on the wall that is wrong by as many milliseconds as the file
 * in TELEPULSE_CLOCK says (eight bytes, this machine's order), now, whenever they look. The clocks that only
 * measure time stay right, as they do where an operator sets a machine's clock. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef int look(clockid_t, struct timespec *);

static look *right;
static const volatile int64_t *wrong_by_ms;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("TELEPULSE_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *wrong_by_ms, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED)
        wrong_by_ms = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *shown)
{
    if (!right)
        right = (look *)dlsym(RTLD_NEXT, "clock_gettime");
    int failed = right(clock, shown);
    if (failed || !wrong_by_ms || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return failed;
    int64_t ns = shown->tv_nsec + *wrong_by_ms % 1000 * 1000000;
    shown->tv_sec += *wrong_by_ms / 1000 + (ns >= 1000000000) - (ns < 0);
    shown->tv_nsec = (ns + 1000000000) % 1000000000;
    return 0;
}
