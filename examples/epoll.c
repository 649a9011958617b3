/*
 * A main loop that knows nothing of MQTT: epoll(7), the standard input and two
 * clients, each of which is one descriptor in it. What is typed is published by
 * the first and printed by the second; the end of the input ends both.
 *
 *     epoll [ADDRESS [PORT]]
 */
#include <mqttloop/mqttloop.h>
#include <mqttloop/posix.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static void print_event(struct mqtt_client *client,
                        const struct mqtt_event *event, void *context)
{
    (void)client;
    if (event->type == MQTT_EVENT_CONNECTED)
        printf("%s: connected\n", (const char *)context);
    if (event->type == MQTT_EVENT_DISCONNECTED)
        printf("%s: %s\n", (const char *)context,
               event->error ? mqtt_error_text(event->error) : "as asked");
}

static void print_message(struct mqtt_client *client,
                          const struct mqtt_message *message, void *context)
{
    (void)client;
    (void)context;
    printf("%.*s: %.*s\n", (int)message->topic_name.size,
           (const char *)message->topic_name.data, (int)message->payload.size,
           (const char *)message->payload.data);
}

static struct mqtt_client *client_of(const struct mqtt_server *server,
                                     const char *name)
{
    const struct mqtt_config config = {.connect.clean_start = true,
                                       .servers = server,
                                       .server_count = 1,
                                       .on_event = print_event,
                                       .context = (void *)(uintptr_t)name};
    enum mqtt_error error;
    struct mqtt_client *client = mqtt_client_new(&config, NULL, &error);

    if (!client) {
        fprintf(stderr, "epoll: %s\n", mqtt_error_text(error));
        exit(EXIT_FAILURE);
    }
    return client;
}

/* NULL stands for the standard input. */
static void watch(int epoll, int descriptor, struct mqtt_client *client)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

    if (descriptor < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event)) {
        perror("epoll");
        exit(EXIT_FAILURE);
    }
}

/* False: there is no more. */
static bool publish_input(struct mqtt_client *client)
{
    char bytes[1024];
    ssize_t size = read(STDIN_FILENO, bytes, sizeof bytes);

    if (size > 0)
        mqtt_publish(client, "example/epoll", bytes, (size_t)size, MQTT_QOS_1,
                     false);
    return size > 0;
}

int main(int argc, char **argv)
{
    const struct mqtt_server server = {
        argc > 1 ? argv[1] : "localhost",
        (uint16_t)atoi(argc > 2 ? argv[2] : "1883")};
    struct mqtt_subscription own = {.topic_filter = MQTT_TEXT("example/epoll"),
                                    .maximum_qos = MQTT_QOS_1,
                                    .on_message = print_message};
    struct mqtt_client *writer = client_of(&server, "writer");
    struct mqtt_client *reader = client_of(&server, "reader");
    struct epoll_event event;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    setvbuf(stdout, NULL, _IOLBF, 0);
    watch(epoll, STDIN_FILENO, NULL);
    watch(epoll, mqtt_client_fd(writer), writer);
    watch(epoll, mqtt_client_fd(reader), reader);
    mqtt_subscribe(reader, &own);
    mqtt_connect(reader);
    mqtt_connect(writer);
    while (mqtt_client_state(writer) != MQTT_CLIENT_STOPPED &&
           epoll_wait(epoll, &event, 1, -1) > 0) {
        if (event.data.ptr) {
            mqtt_loop(event.data.ptr, 0);
        } else if (!publish_input(writer)) {
            epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
            mqtt_disconnect(writer, 5000);
        }
    }
    mqtt_client_free(writer);
    mqtt_client_free(reader);
    close(epoll);
    return EXIT_SUCCESS;
}
