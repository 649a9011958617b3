/*
 * shim.c - put under a test by LD_PRELOAD, it ends the program at any call that
 * could block a client's thread, and names the call.
 *
 * A call counts if it comes from the library or from one that the library
 * uses: whose it is tells the return address. So a test may wait and sleep. The
 * one place where the library may wait is its reactor: turns.c lets it wait
 * once before the tests, and the shim remembers from where that was. What the
 * return address does not show: a call that is the very last act of a public
 * function, which the compiler may have made a jump.
 */
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Main loops are not among them: they are there to wait. */
static const char *const watched[] = {"libmqttloop", "libcares", "libssl",
                                      "libcrypto", "libwslay"};

#define REACTORS 8
static void *reactors[REACTORS];
static unsigned reactor_count;
static _Thread_local bool exempt, learning;

void shim_exempt_thread(bool yes)
{
    exempt = yes;
}

void shim_learn(bool yes)
{
    learning = yes;
}

/* ---- who calls ----------------------------------------------------------- */

static bool is_watched(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t i;

    for (i = 0; i < sizeof watched / sizeof *watched; i++)
        if (!strncmp(name, watched[i], strlen(watched[i])))
            return true;
    return false;
}

static bool counts(void *from, Dl_info *who)
{
    return !exempt && dladdr(from, who) && who->dli_fname &&
           is_watched(who->dli_fname);
}

__attribute__((noreturn)) static void fail(const char *call, void *from,
                                           const Dl_info *who)
{
    char text[512];
    int size = snprintf(
        text, sizeof text, "shim: %s could block, from %s+0x%lx\n", call,
        who->dli_fname, (unsigned long)((char *)from - (char *)who->dli_fbase));

    if (size > 0 && syscall(1, 2, text, (size_t)size) < 0)
        _exit(3);
    abort();
}

/* Whatever its arguments are. */
static void forbid(const char *call, void *from)
{
    Dl_info who;

    if (counts(from, &who))
        fail(call, from, &who);
}

static void forbid_waiting(const char *call, void *from)
{
    if (learning && reactor_count < REACTORS) {
        reactors[reactor_count++] = from;
        return;
    }
    for (unsigned i = 0; i < reactor_count; i++)
        if (reactors[i] == from)
            return;
    forbid(call, from);
}

static void forbid_blocking(const char *call, int descriptor, int flags,
                            void *from)
{
    struct stat what;
    int mode = fcntl(descriptor, F_GETFL);

    if (mode >= 0 && !(mode & O_NONBLOCK) && !(flags & MSG_DONTWAIT) &&
        !fstat(descriptor, &what) &&
        (S_ISSOCK(what.st_mode) || S_ISFIFO(what.st_mode)))
        forbid(call, from);
}

#define FROM __builtin_return_address(0)

static void *next(const char *name, void **found)
{
    if (!*found)
        *found = dlsym(RTLD_NEXT, name);
    return *found;
}

/* ---- waiting ------------------------------------------------------------- */

int poll(struct pollfd *entries, nfds_t count, int timeout_ms)
{
    static void *found;
    int (*real)(struct pollfd *, nfds_t, int);

    *(void **)&real = next("poll", &found);
    if (timeout_ms)
        forbid_waiting("poll() with a time-out", FROM);
    return real(entries, count, timeout_ms);
}

int __poll_chk(struct pollfd *entries, nfds_t count, int timeout_ms,
               size_t size);
int __poll_chk(struct pollfd *entries, nfds_t count, int timeout_ms,
               size_t size)
{
    static void *found;
    int (*real)(struct pollfd *, nfds_t, int, size_t);

    *(void **)&real = next("__poll_chk", &found);
    if (timeout_ms)
        forbid_waiting("poll() with a time-out", FROM);
    return real(entries, count, timeout_ms, size);
}

int ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
          const sigset_t *signals)
{
    static void *found;
    int (*real)(struct pollfd *, nfds_t, const struct timespec *,
                const sigset_t *);

    *(void **)&real = next("ppoll", &found);
    if (!timeout || timeout->tv_sec || timeout->tv_nsec)
        forbid_waiting("ppoll() with a time-out", FROM);
    return real(entries, count, timeout, signals);
}

int select(int count, fd_set *in, fd_set *out, fd_set *other,
           struct timeval *timeout)
{
    static void *found;
    int (*real)(int, fd_set *, fd_set *, fd_set *, struct timeval *);

    *(void **)&real = next("select", &found);
    if (!timeout || timeout->tv_sec || timeout->tv_usec)
        forbid_waiting("select() with a time-out", FROM);
    return real(count, in, out, other, timeout);
}

int epoll_wait(int descriptor, struct epoll_event *events, int size,
               int timeout_ms)
{
    static void *found;
    int (*real)(int, struct epoll_event *, int, int);

    *(void **)&real = next("epoll_wait", &found);
    if (timeout_ms)
        forbid_waiting("epoll_wait() with a time-out", FROM);
    return real(descriptor, events, size, timeout_ms);
}

int epoll_pwait(int descriptor, struct epoll_event *events, int size,
                int timeout_ms, const sigset_t *signals)
{
    static void *found;
    int (*real)(int, struct epoll_event *, int, int, const sigset_t *);

    *(void **)&real = next("epoll_pwait", &found);
    if (timeout_ms)
        forbid_waiting("epoll_pwait() with a time-out", FROM);
    return real(descriptor, events, size, timeout_ms, signals);
}

unsigned sleep(unsigned seconds)
{
    static void *found;
    unsigned (*real)(unsigned);

    *(void **)&real = next("sleep", &found);
    forbid("sleep()", FROM);
    return real(seconds);
}

int usleep(useconds_t us)
{
    static void *found;
    int (*real)(useconds_t);

    *(void **)&real = next("usleep", &found);
    forbid("usleep()", FROM);
    return real(us);
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
    static void *found;
    int (*real)(const struct timespec *, struct timespec *);

    *(void **)&real = next("nanosleep", &found);
    forbid("nanosleep()", FROM);
    return real(time, left);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
                    struct timespec *left)
{
    static void *found;
    int (*real)(clockid_t, int, const struct timespec *, struct timespec *);

    *(void **)&real = next("clock_nanosleep", &found);
    forbid("clock_nanosleep()", FROM);
    return real(clock, flags, time, left);
}

/* ---- names --------------------------------------------------------------- */

int getaddrinfo(const char *name, const char *service,
                const struct addrinfo *hints, struct addrinfo **result)
{
    static void *found;
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **);

    *(void **)&real = next("getaddrinfo", &found);
    forbid("getaddrinfo()", FROM);
    return real(name, service, hints, result);
}

int getnameinfo(const struct sockaddr *address, socklen_t size, char *host,
                socklen_t host_size, char *service, socklen_t service_size,
                int flags)
{
    static void *found;
    int (*real)(const struct sockaddr *, socklen_t, char *, socklen_t, char *,
                socklen_t, int);

    *(void **)&real = next("getnameinfo", &found);
    forbid("getnameinfo()", FROM);
    return real(address, size, host, host_size, service, service_size, flags);
}

struct hostent *gethostbyname(const char *name)
{
    static void *found;
    struct hostent *(*real)(const char *);

    *(void **)&real = next("gethostbyname", &found);
    forbid("gethostbyname()", FROM);
    return real(name);
}

struct hostent *gethostbyname2(const char *name, int family)
{
    static void *found;
    struct hostent *(*real)(const char *, int);

    *(void **)&real = next("gethostbyname2", &found);
    forbid("gethostbyname2()", FROM);
    return real(name, family);
}

/* ---- sockets ------------------------------------------------------------- */

int connect(int descriptor, const struct sockaddr *address, socklen_t size)
{
    static void *found;
    int (*real)(int, const struct sockaddr *, socklen_t);

    *(void **)&real = next("connect", &found);
    forbid_blocking("connect() of a blocking socket", descriptor, 0, FROM);
    return real(descriptor, address, size);
}

int accept(int descriptor, struct sockaddr *address, socklen_t *size)
{
    static void *found;
    int (*real)(int, struct sockaddr *, socklen_t *);

    *(void **)&real = next("accept", &found);
    forbid_blocking("accept() of a blocking socket", descriptor, 0, FROM);
    return real(descriptor, address, size);
}

ssize_t read(int descriptor, void *bytes, size_t size)
{
    static void *found;
    ssize_t (*real)(int, void *, size_t);

    *(void **)&real = next("read", &found);
    forbid_blocking("read() of a blocking socket", descriptor, 0, FROM);
    return real(descriptor, bytes, size);
}

ssize_t __read_chk(int descriptor, void *bytes, size_t size, size_t room);
ssize_t __read_chk(int descriptor, void *bytes, size_t size, size_t room)
{
    static void *found;
    ssize_t (*real)(int, void *, size_t, size_t);

    *(void **)&real = next("__read_chk", &found);
    forbid_blocking("read() of a blocking socket", descriptor, 0, FROM);
    return real(descriptor, bytes, size, room);
}

ssize_t readv(int descriptor, const struct iovec *parts, int count)
{
    static void *found;
    ssize_t (*real)(int, const struct iovec *, int);

    *(void **)&real = next("readv", &found);
    forbid_blocking("readv() of a blocking socket", descriptor, 0, FROM);
    return real(descriptor, parts, count);
}

ssize_t recv(int descriptor, void *bytes, size_t size, int flags)
{
    static void *found;
    ssize_t (*real)(int, void *, size_t, int);

    *(void **)&real = next("recv", &found);
    forbid_blocking("recv() of a blocking socket", descriptor, flags, FROM);
    return real(descriptor, bytes, size, flags);
}

ssize_t __recv_chk(int descriptor, void *bytes, size_t size, size_t room,
                   int flags);
ssize_t __recv_chk(int descriptor, void *bytes, size_t size, size_t room,
                   int flags)
{
    static void *found;
    ssize_t (*real)(int, void *, size_t, size_t, int);

    *(void **)&real = next("__recv_chk", &found);
    forbid_blocking("recv() of a blocking socket", descriptor, flags, FROM);
    return real(descriptor, bytes, size, room, flags);
}

ssize_t recvfrom(int descriptor, void *bytes, size_t size, int flags,
                 struct sockaddr *address, socklen_t *address_size)
{
    static void *found;
    ssize_t (*real)(int, void *, size_t, int, struct sockaddr *, socklen_t *);

    *(void **)&real = next("recvfrom", &found);
    forbid_blocking("recvfrom() of a blocking socket", descriptor, flags, FROM);
    return real(descriptor, bytes, size, flags, address, address_size);
}

ssize_t recvmsg(int descriptor, struct msghdr *message, int flags)
{
    static void *found;
    ssize_t (*real)(int, struct msghdr *, int);

    *(void **)&real = next("recvmsg", &found);
    forbid_blocking("recvmsg() of a blocking socket", descriptor, flags, FROM);
    return real(descriptor, message, flags);
}

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    static void *found;
    ssize_t (*real)(int, const void *, size_t);

    *(void **)&real = next("write", &found);
    forbid_blocking("write() to a blocking socket", descriptor, 0, FROM);
    return real(descriptor, bytes, size);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count)
{
    static void *found;
    ssize_t (*real)(int, const struct iovec *, int);

    *(void **)&real = next("writev", &found);
    forbid_blocking("writev() to a blocking socket", descriptor, 0, FROM);
    return real(descriptor, parts, count);
}

ssize_t send(int descriptor, const void *bytes, size_t size, int flags)
{
    static void *found;
    ssize_t (*real)(int, const void *, size_t, int);

    *(void **)&real = next("send", &found);
    forbid_blocking("send() to a blocking socket", descriptor, flags, FROM);
    return real(descriptor, bytes, size, flags);
}

ssize_t sendto(int descriptor, const void *bytes, size_t size, int flags,
               const struct sockaddr *address, socklen_t address_size)
{
    static void *found;
    ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *,
                    socklen_t);

    *(void **)&real = next("sendto", &found);
    forbid_blocking("sendto() to a blocking socket", descriptor, flags, FROM);
    return real(descriptor, bytes, size, flags, address, address_size);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    static void *found;
    ssize_t (*real)(int, const struct msghdr *, int);

    *(void **)&real = next("sendmsg", &found);
    forbid_blocking("sendmsg() to a blocking socket", descriptor, flags, FROM);
    return real(descriptor, message, flags);
}
