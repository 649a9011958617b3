/*
 * process.h - a real mosquitto of our own, and the programs that come with it
 * as independent witnesses. Nothing outlives the test program.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct broker {
    pid_t pid;              /* 0: it does not run */
    uint16_t port, port_v6; /* port_v6 is 0 where loopback has no IPv6 */
    char folder[64];
    char socket[80];  /* path of its unix socket */
    char password[8]; /* of the user "user"; empty: anybody may come */
    char more[512];   /* lines of its configuration */
};

/* A folder, free ports, a configuration, and the broker. */
void broker_begin(struct broker *broker, const char *password);
/* The same in steps: `more` and files in the folder go before it runs. */
void broker_draft(struct broker *broker, const char *password);
void broker_write(const struct broker *broker, const char *name,
                  const char *content);
void broker_run(struct broker *broker);
/* SIGTERM, so that it writes down what it has acknowledged. */
void broker_stop(struct broker *broker);
/* Again with the same ports and the same folder; returns when it answers. */
void broker_start(struct broker *broker);
/* broker_stop(), and the folder is gone. */
void broker_end(struct broker *broker);

/* Another program, `arguments` ending in NULL; its standard output goes to
 * `output`, a path, or nowhere. */
pid_t program_start(const char *const arguments[], const char *output);
/* Wait until it ends by itself; its exit code. */
int program_wait(pid_t pid);
void program_stop(pid_t pid);

/* A loopback TCP port above 20000 that nobody listens on. */
uint16_t free_port(void);
/* A socket that listens on loopback, not blocking; *port is chosen. */
int listen_on_loopback(uint16_t *port);
bool has_ipv6(void);
/* Milliseconds of a clock that never goes back. */
uint64_t milliseconds(void);
/* One more look in a moment. */
void moment(void);

/* The content of a file, NUL-terminated, to be freed; "" if there is none. */
char *content_of(const char *path);

#endif
