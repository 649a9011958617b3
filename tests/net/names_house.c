#include "names_house.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

const char *house_lacks;
static pid_t other_host;
static char hosts[] = "/tmp/mqttloop-hosts-XXXXXX";

void house_needed(void)
{
    if (!house_lacks)
        return;
    print_message("skip: %s\n", house_lacks);
    skip();
}

/* A process that does nothing but be in another network. */
static pid_t start_other_host(void)
{
    int ready[2];
    char byte = 0;
    pid_t pid;

    if (pipe(ready))
        return -1;
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        byte = unshare(CLONE_NEWNET) ? 'n' : 'y';
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1 || byte != 'y')
        pid = -1;
    close(ready[0]);
    return pid;
}

static const char script[] =
    "set -e; PATH=/usr/sbin:/usr/bin:/sbin:/bin; exec 2>&1 >/dev/null\n"
    "ip link set lo up\n"
    "ip link add house type veth peer name yard\n"
    "ip link set yard netns $0\n"
    "ip addr add 10.9.0.1/24 dev house\n"
    "ip -6 addr add fd09::1/64 dev house nodad\n"
    "ip -6 addr add fe80::9/64 dev house nodad\n"
    "ip link set house up\n"
    "nsenter -t $0 -n ip link set lo up\n"
    "nsenter -t $0 -n ip addr add 10.9.0.2/24 dev yard\n"
    "nsenter -t $0 -n ip link set yard up\n"
    "for i in $(seq 11 74); do\n"
    "    echo neigh add 10.9.0.$i lladdr 02:00:00:00:00:$i dev house\n"
    "done | ip -batch -\n"
    "ip -6 neigh add fd09::11 lladdr 02:00:00:00:01:11 dev house\n";

static bool build(void)
{
    char pid[16];
    const char *const arguments[] = {"sh", "-c", script, pid, NULL};
    int status;
    pid_t child;

    snprintf(pid, sizeof pid, "%d", (int)other_host);
    child = fork();
    if (child == 0) {
        execv("/bin/sh", (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

static bool open_hosts(void)
{
    int descriptor = mkstemp(hosts);

    if (descriptor < 0)
        return false;
    close(descriptor);
    return !mount(hosts, "/etc/hosts", NULL, MS_BIND, NULL);
}

void house_hosts(const char *text)
{
    FILE *file = fopen(hosts, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

int house_enter(void **state)
{
    (void)state;
    if (geteuid() != 0)
        house_lacks = "only root may make a network of its own";
    else if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
             mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
        house_lacks = "this machine lets nobody make a network of his own";
    else if ((other_host = start_other_host()) < 0 || !build())
        house_lacks = "ip(8) cannot make the interfaces here";
    else if (!open_hosts())
        house_lacks = "/etc/hosts cannot be another here";
    return 0;
}

int house_leave(void **state)
{
    (void)state;
    if (other_host > 0) {
        kill(other_host, SIGKILL);
        waitpid(other_host, NULL, 0);
    }
    unlink(hosts);
    return 0;
}
