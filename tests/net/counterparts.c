#include "counterparts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000

static bool accepts(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    good =
        connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0;
    close(descriptor);
    return good;
}

/* Return when it accepts. */
static pid_t start(const char *const arguments[], uint16_t port)
{
    uint64_t until = milliseconds() + PATIENCE_MS;
    pid_t pid = program_start(arguments, NULL);

    while (!accepts(port)) {
        if (milliseconds() > until || waitpid(pid, NULL, WNOHANG) != 0)
            fail_msg("%s does not answer on port %u", arguments[0], port);
        moment();
    }
    return pid;
}

static bool is_installed(const char *name)
{
    static const char *const folders[] = {"/usr/sbin", "/usr/bin"};
    char path[64];

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], name);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

/* With its configuration in a file of the broker's folder. */
static struct counterpart begin(const struct broker *broker, const char *name,
                                const char *const options[2], uint16_t port,
                                const char *configuration)
{
    struct counterpart result = {0, port};
    char path[96];
    const char *arguments[] = {name, options[0], path, options[1], NULL};

    if (!is_installed(name))
        return result;
    broker_write(broker, name, configuration);
    snprintf(path, sizeof path, "%s/%s", broker->folder, name);
    result.pid = start(arguments, port);
    return result;
}

struct counterpart nginx_tls_begin(const struct broker *broker, uint16_t to,
                                   const char *certificate)
{
    static const char *const options[2] = {"-c"};
    uint16_t port = free_port();
    const char *folder = broker->folder;
    char text[1500], tls[250] = "";

    if (certificate)
        snprintf(tls, sizeof tls,
                 " ssl;\n    ssl_certificate %s;\n    ssl_certificate_key %s",
                 certificate, certificate);
    snprintf(text, sizeof text,
             "daemon off;\nmaster_process off;\n"
             "pid %s/nginx.pid;\nerror_log %s/nginx.log;\nevents {}\n"
             "http {\n  access_log off;\n"
             "  client_body_temp_path %s/body;\n  proxy_temp_path %s/proxy;\n"
             "  fastcgi_temp_path %s/fastcgi;\n  uwsgi_temp_path %s/uwsgi;\n"
             "  scgi_temp_path %s/scgi;\n"
             "  server {\n    listen 127.0.0.1:%u%s;\n"
             "    location /mqtt {\n      proxy_pass http://127.0.0.1:%u;\n"
             "      proxy_http_version 1.1;\n"
             "      proxy_set_header Upgrade $http_upgrade;\n"
             "      proxy_set_header Connection \"upgrade\";\n"
             "    }\n  }\n}\n",
             folder, folder, folder, folder, folder, folder, folder, port, tls,
             to);
    return begin(broker, "nginx", options, port, text);
}

struct counterpart nginx_begin(const struct broker *broker, uint16_t to)
{
    return nginx_tls_begin(broker, to, NULL);
}

struct counterpart haproxy_tls_begin(const struct broker *broker, uint16_t to,
                                     const char *certificate)
{
    static const char *const options[2] = {"-f", "-db"};
    uint16_t port = free_port();
    char text[600];

    snprintf(text, sizeof text,
             "global\n  maxconn 100\n"
             "defaults\n  mode http\n  timeout connect 5s\n"
             "  timeout client 60s\n  timeout server 60s\n"
             "frontend outside\n  bind 127.0.0.1:%u%s%s\n"
             "  default_backend inside\n"
             "backend inside\n  server broker 127.0.0.1:%u\n",
             port, certificate ? " ssl crt " : "",
             certificate ? certificate : "", to);
    return begin(broker, "haproxy", options, port, text);
}

struct counterpart haproxy_begin(const struct broker *broker, uint16_t to)
{
    return haproxy_tls_begin(broker, to, NULL);
}

struct counterpart microsocks_begin(const char *user_name, const char *password)
{
    struct counterpart result = {0, free_port()};
    char port[8];
    const char *arguments[] = {
        "microsocks", "-i", "127.0.0.1", "-p", port, user_name ? "-u" : NULL,
        user_name,    "-P", password,    NULL};

    if (!is_installed("microsocks"))
        return result;
    snprintf(port, sizeof port, "%u", result.port);
    result.pid = start(arguments, result.port);
    return result;
}

struct counterpart dante_begin(const struct broker *broker)
{
    static const char *const options[2] = {"-f", "-N1"};
    uint16_t port = free_port();
    char text[400];

    snprintf(text, sizeof text,
             "logoutput: %s/danted.log\n"
             "internal: 127.0.0.1 port = %u\nexternal: lo\n"
             "clientmethod: none\nsocksmethod: none\n"
             "client pass { from: 127.0.0.0/8 to: 0/0 }\n"
             "socks pass { from: 127.0.0.0/8 to: 0/0 }\n",
             broker->folder, port);
    return begin(broker, "danted", options, port, text);
}

struct counterpart tinyproxy_begin(const struct broker *broker,
                                   const char *user_name, const char *password)
{
    static const char *const options[2] = {"-c", "-d"};
    uint16_t port = free_port();
    char text[400];
    int size = snprintf(text, sizeof text,
                        "Port %u\nListen 127.0.0.1\nTimeout 60\n"
                        "MaxClients 50\nLogFile \"%s/tinyproxy.log\"\n",
                        port, broker->folder);

    if (user_name)
        snprintf(text + size, sizeof text - (size_t)size, "BasicAuth %s %s\n",
                 user_name, password);
    return begin(broker, "tinyproxy", options, port, text);
}

void counterpart_end(struct counterpart *counterpart)
{
    if (counterpart->pid)
        program_stop(counterpart->pid);
    counterpart->pid = 0;
}
