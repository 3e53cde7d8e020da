/* The clocks of one process, moved from outside: `LD_PRELOAD` of this, with TMR_CLOCK naming a file
 * of two 64-bit numbers, the nanoseconds to add to the wall clock and to the monotonic one. They
 * may change at any time. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *moved;

__attribute__((constructor)) static void find(void)
{
    const char *name = getenv("TMR_CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *at = mmap(NULL, 2 * sizeof *moved, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (at != MAP_FAILED)
        moved = at;
}

int clock_gettime(clockid_t clock, struct timespec *at)
{
    if (syscall(SYS_clock_gettime, clock, at))
        return -1;
    if (moved && (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC)) {
        int64_t add = moved[clock == CLOCK_MONOTONIC];
        int64_t nanos = at->tv_nsec + add % 1000000000;
        at->tv_sec += add / 1000000000 + (nanos >= 1000000000) - (nanos < 0);
        at->tv_nsec = (nanos + 1000000000) % 1000000000;
    }
    return 0;
}
