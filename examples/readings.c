#include "readings.h"

#include <stdio.h>
#include <string.h>

/* The number behind `key` at the start of a line. */
static bool number_in(const char *path, const char *key, double *number)
{
    FILE *file = fopen(path, "r");
    char line[256];
    bool found = false;

    while (file && !found && fgets(line, sizeof line, file))
        found = !strncmp(line, key, strlen(key)) &&
                sscanf(line + strlen(key), "%lf", number) == 1;
    if (file)
        fclose(file);
    return found;
}

/* Sums of all interfaces; columns 1 and 9 of /proc/net/dev. */
static bool network_bytes(double *received, double *sent)
{
    FILE *file = fopen("/proc/net/dev", "r");
    char line[256], *colon;
    double in, out;

    *received = *sent = 0;
    while (file && fgets(line, sizeof line, file)) {
        colon = strchr(line, ':');
        if (colon && sscanf(colon + 1, "%lf %*f %*f %*f %*f %*f %*f %*f %lf",
                            &in, &out) == 2) {
            *received += in;
            *sent += out;
        }
    }
    if (file)
        fclose(file);
    return file != NULL;
}

/* Of the last minute. */
static bool load(double *number)
{
    return number_in("/proc/loadavg", "", number);
}

/* Available, in KiB. */
static bool memory(double *number)
{
    return number_in("/proc/meminfo", "MemAvailable:", number);
}

/* Degrees Celsius. */
static bool temperature(double *number)
{
    bool found =
        number_in("/sys/class/thermal/thermal_zone0/temp", "", number) ||
        number_in("/sys/class/hwmon/hwmon0/temp1_input", "", number);

    *number /= 1000;
    return found;
}

static bool received(double *number)
{
    double other;

    return network_bytes(number, &other);
}

static bool sent(double *number)
{
    double other;

    return network_bytes(&other, number);
}

const struct reading readings[] = {
    {"load", load},         {"memory", memory}, {"temperature", temperature},
    {"received", received}, {"sent", sent},
};
const size_t reading_count = sizeof readings / sizeof *readings;
