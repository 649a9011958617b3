/*
 * blocks.c - a library that blocks, under a name that the shim watches: made by
 * shim_proof.c to be caught.
 */
#include "blocks.h"

#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void by_poll(int blocking)
{
    struct pollfd entry = {.fd = blocking, .events = POLLIN};

    poll(&entry, 1, 1);
}

static void by_select(int blocking)
{
    struct timeval timeout = {0, 1000};

    (void)blocking;
    select(0, NULL, NULL, NULL, &timeout);
}

static void by_epoll(int blocking)
{
    struct epoll_event event;
    int descriptor = epoll_create1(EPOLL_CLOEXEC);

    (void)blocking;
    epoll_wait(descriptor, &event, 1, 1);
    close(descriptor);
}

static void by_getaddrinfo(int blocking)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *list;

    (void)blocking;
    if (!getaddrinfo("127.0.0.1", NULL, &hints, &list))
        freeaddrinfo(list);
}

static void by_gethostbyname(int blocking)
{
    (void)blocking;
    gethostbyname("127.0.0.1");
}

static void by_connect(int blocking)
{
    struct sockaddr address = {.sa_family = AF_UNSPEC};

    connect(blocking, &address, sizeof address);
}

static void by_read(int blocking)
{
    char byte;

    if (read(blocking, &byte, 1) < 0)
        return;
}

static void by_recv(int blocking)
{
    char byte;

    recv(blocking, &byte, 1, 0);
}

static void by_write(int blocking)
{
    if (write(blocking, "x", 1) < 0)
        return;
}

static void by_send(int blocking)
{
    send(blocking, "x", 1, MSG_NOSIGNAL);
}

static void by_sendmsg(int blocking)
{
    struct iovec part = {(void *)(size_t) "x", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    sendmsg(blocking, &message, MSG_NOSIGNAL);
}

static void by_nanosleep(int blocking)
{
    (void)blocking;
    nanosleep(&(struct timespec){0, 1000}, NULL);
}

static void by_not_waiting(int blocking)
{
    struct pollfd entry = {.fd = blocking, .events = POLLIN};
    char byte;

    poll(&entry, 1, 0);
    recv(blocking, &byte, 1, MSG_DONTWAIT);
    send(blocking, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

const struct blocking blockings[] = {
    {"poll()", by_poll},
    {"select()", by_select},
    {"epoll_wait()", by_epoll},
    {"getaddrinfo()", by_getaddrinfo},
    {"gethostbyname()", by_gethostbyname},
    {"connect()", by_connect},
    {"read()", by_read},
    {"recv()", by_recv},
    {"write()", by_write},
    {"send()", by_send},
    {"sendmsg()", by_sendmsg},
    {"nanosleep()", by_nanosleep},
    {NULL, by_not_waiting},
};
const size_t blocking_count = sizeof blockings / sizeof *blockings;
