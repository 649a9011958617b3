/*
 * main.c - runs a target once over each file of the folders that are named,
 * and says `passed FILE` of each.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static void *allocate(size_t size)
{
    void *memory = malloc(size);

    if (!memory)
        abort();
    return memory;
}

/* In memory of just its size, so that a sanitizer sees each byte too far. */
static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long end;

    if (!file || fseek(file, 0, SEEK_END) || (end = ftell(file)) < 0) {
        perror(path);
        exit(1);
    }
    *size = (size_t)end;
    rewind(file);
    bytes = allocate(*size ? *size : 1);
    if (fread(bytes, 1, *size, file) != *size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return bytes;
}

static void run_file(const char *path, const char *name)
{
    size_t size;
    uint8_t *bytes = read_file(path, &size);

    fuzz_file = path;
    fuzz_one(bytes, size);
    free(bytes);
    printf("passed %s\n", name);
}

/* All files but hidden ones. */
static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static unsigned run_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, visible, alphasort);

    if (count < 0) {
        perror(folder);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        run_file(path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return (unsigned)count;
}

int main(int count, char **arguments)
{
    unsigned files = 0;

    for (int i = 1; i < count; i++)
        files += run_folder(arguments[i]);
    printf("%u passed, 0 failed\n", files);
    return files ? 0 : 1;
}
