/* SPDX-License-Identifier: MIT */
/* raw.h - system calls that leave errno alone, for a child that shares this process's memory.
 *
 * Between clone and exec the child runs beside its parent on the same thread-local storage: a call through
 * libc would write the parent's errno. Results are the kernel's own: >= 0, or -errno. On machines without a
 * version of ours the parent waits for the exec (RAW_CONCURRENT is 0), and libc's syscall serves. */
#ifndef HQI_HELPER_RAW_H
#define HQI_HELPER_RAW_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define RAW_CONCURRENT 1
static inline long raw_call(long nr, long a, long b, long c, long d)
{
    long ret;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return ret;
}
#elif defined(__aarch64__)
#define RAW_CONCURRENT 1
static inline long raw_call(long nr, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
#else
#define RAW_CONCURRENT 0
static inline long raw_call(long nr, long a, long b, long c, long d)
{
    long ret = syscall(nr, a, b, c, d);
    return ret < 0 ? -errno : ret;
}
#endif

#endif
