/*
 * fuzz.c - the entry of libFuzzer. The number of executions is kept in a file
 * that tools/fuzz looks into: libFuzzer itself speaks too rarely.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

const char *fuzz_file;

void fuzz_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: not so: %s%s%s\n", file, line, condition,
            fuzz_file ? ", in " : "", fuzz_file ? fuzz_file : "");
    fflush(NULL);
    abort();
}

#ifdef WITH_LIBFUZZER

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static uint64_t nowhere;
static volatile uint64_t *executions = &nowhere;

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    const char *path = getenv("MQTTLOOP_FUZZ_COUNT");
    int descriptor = path ? open(path, O_RDWR) : -1;
    void *memory = MAP_FAILED;

    (void)count;
    (void)arguments;
    if (descriptor >= 0)
        memory = mmap(NULL, sizeof(*executions), PROT_READ | PROT_WRITE,
                      MAP_SHARED, descriptor, 0);
    if (memory != MAP_FAILED)
        executions = memory;
    if (descriptor >= 0)
        close(descriptor);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    ++*executions;
    fuzz_one(bytes, size);
    return 0;
}

#endif
