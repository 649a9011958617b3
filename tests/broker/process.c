#include "process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define PATIENCE_MS 10000

uint64_t milliseconds(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

void moment(void)
{
    nanosleep(&(struct timespec){0, 2000000}, NULL);
}

/* ---- programs ------------------------------------------------------------ */

static void become(const char *const arguments[], const char *output)
{
    int descriptor =
        open(output ? output : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(descriptor, STDOUT_FILENO);
    execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

pid_t program_start(const char *const arguments[], const char *output)
{
    pid_t pid;

    setenv("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/bin", 1);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) /* other threads may hold locks: only what is async-safe */
        become(arguments, output);
    return pid;
}

/* A signal, if any, is sent again and again: mosquitto 2.0.11 forgets one that
 * comes between its handler and its loop. */
static int wait_for_end(pid_t pid, int signal)
{
    uint64_t until = milliseconds() + PATIENCE_MS;
    int status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (milliseconds() > until) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            fail_msg("process %d did not end", (int)pid);
        }
        if (signal)
            kill(pid, signal);
        moment();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int program_wait(pid_t pid)
{
    return wait_for_end(pid, 0);
}

void program_stop(pid_t pid)
{
    wait_for_end(pid, SIGTERM);
}

char *content_of(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t size = 0, room = 1 << 20;
    char *text = malloc(room + 1);

    assert_non_null(text);
    if (file) {
        size = fread(text, 1, room, file);
        fclose(file);
    }
    text[size] = '\0';
    return text;
}

/* ---- ports --------------------------------------------------------------- */

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static bool listens(int descriptor, uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int on = 1;

    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return bind(descriptor, (struct sockaddr *)&address, sizeof(address)) ==
               0 &&
           listen(descriptor, 64) == 0;
}

/* Below the ports that the kernel gives to those who connect: else one of our
 * own connections may take a port while a broker is down. At random, so that
 * programs that run side by side stay out of each other's way. */
static uint16_t random_port(void)
{
    uint16_t bits;

    assert_int_equal(getrandom(&bits, sizeof(bits), 0), sizeof(bits));
    return (uint16_t)(20001 + bits % 12000);
}

int listen_on_loopback(uint16_t *port)
{
    for (int i = 0; i < 10000; i++) {
        int descriptor =
            socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        *port = random_port();
        if (listens(descriptor, *port))
            return descriptor;
        close(descriptor);
    }
    fail_msg("no free port");
    return -1;
}

uint16_t free_port(void)
{
    uint16_t port;

    close(listen_on_loopback(&port));
    return port;
}

bool has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int descriptor = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = descriptor >= 0 && bind(descriptor, (struct sockaddr *)&address,
                                       sizeof(address)) == 0;

    close(descriptor);
    return has;
}

/* ---- the broker ---------------------------------------------------------- */

/* max_inflight_messages: with its limit of 20, mosquitto 2.0.11 never sends
 * the rest of a queue of QoS 2 to a subscriber, its own included, if the
 * publisher had more than 20 on their way at once. */
static void configure(const struct broker *broker)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof(path), "%s/conf", broker->folder);
    file = fopen(path, "w");
    assert_non_null(file);
    if (geteuid() == 0)
        fprintf(file, "user root\n");
    if (broker->password[0])
        fprintf(file, "password_file %s/passwords\n", broker->folder);
    fprintf(file,
            "allow_anonymous %s\n"
            "persistence true\n"
            "persistence_location %s/\n"
            "autosave_interval 1\n"
            "max_inflight_messages 0\n"
            "max_queued_messages 100000\n"
            "log_dest file %s/log\n"
            "listener %u 127.0.0.1\n"
            "%s"
            "listener 0 %s\n",
            broker->password[0] ? "false" : "true", broker->folder,
            broker->folder, broker->port, broker->more, broker->socket);
    if (broker->port_v6)
        fprintf(file, "listener %u ::1\n", broker->port_v6);
    assert_int_equal(fclose(file), 0);
}

static void write_password(const struct broker *broker)
{
    char path[96];
    const char *arguments[] = {"mosquitto_passwd", "-c", "-b", path, "user",
                               broker->password,   NULL};

    snprintf(path, sizeof(path), "%s/passwords", broker->folder);
    assert_int_equal(program_wait(program_start(arguments, NULL)), 0);
}

/* Whether somebody accepts on the broker's unix socket: the last listener
 * that it opens but the one for IPv6, which is of the same moment. */
static bool answers(const struct broker *broker)
{
    struct sockaddr_in address = loopback(broker->port);
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good;

    snprintf(path.sun_path, sizeof(path.sun_path), "%s", broker->socket);
    good = connect(tcp, (struct sockaddr *)&address, sizeof(address)) == 0 &&
           connect(local, (struct sockaddr *)&path, sizeof(path)) == 0;
    close(tcp);
    close(local);
    return good;
}

static void launch(struct broker *broker)
{
    char path[96];
    const char *arguments[] = {"mosquitto", "-c", path, NULL};

    snprintf(path, sizeof(path), "%s/conf", broker->folder);
    broker->pid = program_start(arguments, NULL);
}

static void broker_is_silent(const struct broker *broker)
{
    char path[96], *log;
    size_t size;

    snprintf(path, sizeof(path), "%s/log", broker->folder);
    log = content_of(path);
    size = strlen(log);
    print_error("%s\n", size > 2000 ? log + size - 2000 : log);
    free(log);
    fail_msg("mosquitto (process %d) does not answer", (int)broker->pid);
}

/* If it ends at once, somebody may have had its port for a moment. */
void broker_start(struct broker *broker)
{
    uint64_t until = milliseconds() + PATIENCE_MS;

    assert_int_equal(broker->pid, 0);
    launch(broker);
    while (!answers(broker)) {
        if (milliseconds() > until)
            broker_is_silent(broker);
        if (waitpid(broker->pid, NULL, WNOHANG) != 0)
            launch(broker);
        moment();
    }
}

void broker_draft(struct broker *broker, const char *password)
{
    const char *parent = getenv("TMPDIR");

    memset(broker, 0, sizeof(*broker));
    snprintf(broker->folder, sizeof(broker->folder), "%s/mqttloop-XXXXXX",
             parent && strlen(parent) < 32 ? parent : "/tmp");
    assert_non_null(mkdtemp(broker->folder));
    snprintf(broker->socket, sizeof(broker->socket), "%s/socket",
             broker->folder);
    snprintf(broker->password, sizeof(broker->password), "%s", password);
    broker->port = free_port();
    broker->port_v6 = has_ipv6() ? free_port() : 0;
}

void broker_write(const struct broker *broker, const char *name,
                  const char *content)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", broker->folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void broker_run(struct broker *broker)
{
    if (broker->password[0])
        write_password(broker);
    configure(broker);
    broker_start(broker);
}

void broker_begin(struct broker *broker, const char *password)
{
    broker_draft(broker, password);
    broker_run(broker);
}

void broker_stop(struct broker *broker)
{
    if (broker->pid)
        program_stop(broker->pid);
    broker->pid = 0;
    unlink(broker->socket);
}

void broker_end(struct broker *broker)
{
    DIR *folder;
    struct dirent *entry;
    char path[360];

    broker_stop(broker);
    folder = opendir(broker->folder);
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", broker->folder, entry->d_name);
        unlink(path);
    }
    closedir(folder);
    rmdir(broker->folder);
}
