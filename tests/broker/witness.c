#include "witness.h"

#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 40

/* `program`, the broker's port, `arguments` and `more`. */
static pid_t start(const char *program, const struct broker *broker,
                   const char *const arguments[], const char *const more[],
                   const char *output)
{
    const char *all[ARGUMENTS_MAX] = {program, "-p"};
    char port[8];
    size_t count = 2;

    snprintf(port, sizeof(port), "%u", broker->port);
    all[count++] = port;
    while (*arguments && count < ARGUMENTS_MAX - 1)
        all[count++] = *arguments++;
    while (*more && count < ARGUMENTS_MAX - 1)
        all[count++] = *more++;
    assert_true(count < ARGUMENTS_MAX - 1);
    return program_start(all, output);
}

void mosquitto_pub(const struct broker *broker, const char *const arguments[])
{
    static const char *const none[] = {NULL};

    assert_int_equal(
        program_wait(start("mosquitto_pub", broker, arguments, none, NULL)), 0);
}

static bool has_begun(const struct witness *witness)
{
    char *text = content_of(witness->path);
    bool begun = strchr(text, '\n') != NULL;

    free(text);
    return begun;
}

struct witness witness_start(const struct broker *broker, struct station *s,
                             unsigned count, const char *format,
                             const char *const arguments[])
{
    static unsigned number;
    struct witness witness;
    unsigned before = s->acknowledged;
    char count_text[16];

    /* What it sees first. */
    station_publish(s, "ready", "y", MQTT_QOS_1, true);
    wait_for(s, s->acknowledged > before);
    snprintf(count_text, sizeof(count_text), "%u", count + 1);
    snprintf(witness.path, sizeof(witness.path), "%s/witness-%u",
             broker->folder, number++);
    witness.pid = start(
        "mosquitto_sub", broker, arguments,
        ARGUMENTS("-t", "ready", "-C", count_text, "-F", format), witness.path);
    wait_for(s, has_begun(&witness));
    return witness;
}

static bool has_ended(const struct witness *witness, int *status)
{
    return waitpid(witness->pid, status, WNOHANG) == witness->pid;
}

char *witness_lines(const struct witness *witness, struct station *s)
{
    char *text, *lines;
    int status = 0;

    wait_for(s, has_ended(witness, &status));
    assert_int_equal(status, 0);
    text = content_of(witness->path);
    lines = strdup(strchr(text, '\n') + 1); /* behind "ready" */
    free(text);
    assert_non_null(lines);
    return lines;
}

void expect_witnessed(const struct witness *witness, struct station *s,
                      const char *lines)
{
    char *seen = witness_lines(witness, s);

    assert_string_equal(seen, lines);
    free(seen);
}
