/* SO_BINDTODEVICE is of no standard. */
#define _DEFAULT_SOURCE

#include "options.h"

#include "address.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

static int set(int descriptor, int level, int name, unsigned long value)
{
    int number = value > INT32_MAX ? INT32_MAX : (int)value;

    return setsockopt(descriptor, level, name, &number, sizeof number) ? errno
                                                                       : 0;
}

/* ---- one after the other; each 0 or an errno ------------------------------ */

static int bind_interface(int descriptor, const char *name)
{
    if (!name)
        return 0;
#ifdef SO_BINDTODEVICE
    return setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, name,
                      (socklen_t)strlen(name))
               ? errno
               : 0;
#else
    (void)descriptor;
    return ENOTSUP;
#endif
}

static int bind_source(int descriptor, const char *text)
{
    struct mqtt_address address;
    union mqtt_socket_name name;
    socklen_t size;

    if (!text)
        return 0;
    if (!mqtt_address_parse(text, &address))
        return EINVAL;
    size = mqtt_address_name(NULL, &address, &name);
    return bind(descriptor, &name.any, size) ? errno : 0;
}

static int keep_alive(int descriptor, const struct mqtt_socket_options *options)
{
    unsigned idle = options->keep_alive_idle_s,
             count = options->keep_alive_count;
    unsigned interval = options->keep_alive_interval_s;
    int error = 0;

    if (!idle && !interval && !count)
        return 0;
    error = set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (!error && idle)
        error = set(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, idle);
    if (!error && interval)
        error = set(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, interval);
    if (!error && count)
        error = set(descriptor, IPPROTO_TCP, TCP_KEEPCNT, count);
    return error;
}

static int user_timeout(int descriptor, uint32_t timeout_ms)
{
    if (!timeout_ms)
        return 0;
#ifdef TCP_USER_TIMEOUT
    return set(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, timeout_ms);
#else
    (void)descriptor;
    return ENOTSUP;
#endif
}

static int buffers(int descriptor, const struct mqtt_socket_options *options)
{
    int error = 0;

    if (options->send_buffer_size)
        error =
            set(descriptor, SOL_SOCKET, SO_SNDBUF, options->send_buffer_size);
    if (!error && options->receive_buffer_size)
        error = set(descriptor, SOL_SOCKET, SO_RCVBUF,
                    options->receive_buffer_size);
    return error;
}

/* ---- all ------------------------------------------------------------------ */

int mqtt_options_set(int descriptor, int family,
                     const struct mqtt_socket_options *options,
                     const char **refused)
{
    int error;

    *refused = "buffer size";
    error = buffers(descriptor, options);
    if (error || family == AF_UNIX)
        return error;
    *refused = "TCP_NODELAY";
    error = options->nagle ? 0 : set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    if (error)
        return error;
    *refused = "TCP keep alive";
    error = keep_alive(descriptor, options);
    if (error)
        return error;
    *refused = "TCP_USER_TIMEOUT";
    error = user_timeout(descriptor, options->user_timeout_ms);
    if (error)
        return error;
    *refused = options->interface_name;
    error = bind_interface(descriptor, options->interface_name);
    if (error)
        return error;
    *refused = options->source_address;
    return bind_source(descriptor, options->source_address);
}

bool mqtt_options_family(const struct mqtt_socket_options *options, int *family,
                         const char **refused)
{
    struct mqtt_address source;

    *family = AF_UNSPEC;
    if (options->family == MQTT_FAMILY_IPV4_ONLY)
        *family = AF_INET;
    else if (options->family == MQTT_FAMILY_IPV6_ONLY)
        *family = AF_INET6;
    if (!options->source_address)
        return true;
    *refused = "the source address is not an address";
    if (!mqtt_address_parse(options->source_address, &source))
        return false;
    *refused = "the source address is of a family that is excluded";
    if (*family && *family != source.family)
        return false;
    *family = source.family;
    return true;
}
