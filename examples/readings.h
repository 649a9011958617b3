/* What a Linux host tells about itself in /proc and /sys; for gateway.c. */
#ifndef READINGS_H
#define READINGS_H

#include <stdbool.h>
#include <stddef.h>

struct reading {
    const char *name;
    /** False: this host has no such thing. */
    bool (*read)(double *number);
};

extern const struct reading readings[];
extern const size_t reading_count;

#endif
