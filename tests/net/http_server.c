#include "http_server.h"

#include "process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

void http_server_begin(struct http_server *server,
                       void (*script)(struct http_server *server),
                       const void *row)
{
    memset(server, 0, sizeof *server);
    server->listener = listen_on_loopback(&server->port);
    server->peer = -1;
    server->script = script;
    server->row = row;
}

void http_server_closes(struct http_server *server)
{
    if (server->peer >= 0)
        close(server->peer);
    server->peer = -1;
}

void http_server_end(struct http_server *server)
{
    http_server_closes(server);
    close(server->listener);
}

static void welcome(struct http_server *server)
{
    int peer =
        accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (peer < 0)
        return;
    server->peer = peer;
    server->connections++;
    server->got_size = server->sent = server->stage = 0;
    server->got[0] = 0;
    server->left = false;
}

static void listens(struct http_server *server)
{
    size_t room = HTTP_SERVER_GOT - server->got_size;
    char rest[256];
    ssize_t size =
        room ? recv(server->peer, server->got + server->got_size, room, 0)
             : recv(server->peer, rest, sizeof rest, 0);

    if (size > 0 && room)
        server->got_size += (size_t)size;
    server->got[server->got_size] = 0;
    if (size == 0) {
        server->left = true;
        http_server_closes(server);
    }
}

void http_server_step(struct http_server *server)
{
    if (server->peer < 0)
        welcome(server);
    if (server->peer >= 0)
        listens(server);
    if (server->peer >= 0)
        server->script(server);
}

size_t http_server_sends(struct http_server *server, const void *bytes,
                         size_t size)
{
    ssize_t sent = send(server->peer, bytes, size, MSG_NOSIGNAL);

    if (sent <= 0)
        return 0;
    server->sent += (size_t)sent;
    return (size_t)sent;
}

void http_server_says(struct http_server *server, const char *text)
{
    assert_int_equal(http_server_sends(server, text, strlen(text)),
                     strlen(text));
}

const char *http_server_head_end(const struct http_server *server)
{
    const char *end = strstr(server->got, "\r\n\r\n");

    return end ? end + 4 : NULL;
}
