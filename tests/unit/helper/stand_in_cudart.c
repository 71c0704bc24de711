/* SPDX-License-Identifier: MIT */
/* stand_in_cudart.c - what hq-helper needs of the CUDA runtime, for nodes without GPUs. STAND_IN_GPUS is the number of
 * its devices; when it is not set there are none, and when it is negative there is no driver. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define NO_DEVICE 100
#define INSUFFICIENT_DRIVER 35

struct device { /* as cudaDeviceProp starts */
    char name[256], uuid[16], luid[8];
    unsigned luid_mask;
    size_t memory;
};

EXPORT int cudaGetDeviceCount(int *n);
EXPORT int cudaGetDeviceProperties(struct device *ret, int index);
EXPORT int cudaDeviceGetPCIBusId(char *ret, int size, int index);
EXPORT const char *cudaGetErrorString(int error);

static int count(void)
{
    const char *text = getenv("STAND_IN_GPUS");
    return text ? atoi(text) : 0;
}

int cudaGetDeviceCount(int *n)
{
    *n = count();
    if (*n < 0)
        return INSUFFICIENT_DRIVER;
    return *n == 0 ? NO_DEVICE : 0;
}

int cudaGetDeviceProperties(struct device *ret, int index)
{
    if (index < 0 || index >= count())
        return 1;
    memset(ret, 0, sizeof *ret);
    snprintf(ret->name, sizeof ret->name, "Stand-in %d", index);
    ret->memory = (size_t)(index + 1) << 30;
    return 0;
}

int cudaDeviceGetPCIBusId(char *ret, int size, int index)
{
    snprintf(ret, (size_t)size, "0000:%02X:00.0", 0x1a + index);
    return 0;
}

const char *cudaGetErrorString(int error)
{
    return error == INSUFFICIENT_DRIVER ? "CUDA driver version is insufficient" : "unknown";
}
