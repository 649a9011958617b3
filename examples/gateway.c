/*
 * A gateway: publishes what this host measures, and obeys commands.
 *
 *     gateway [-h ADDRESS] [-p PORT] [-t PREFIX] [-i INTERVAL_MS] [-n COUNT]
 *             [-v]
 *
 * PREFIX/load, /memory, ...  {"n":17,"load":0.31}, QoS 1, n counts all of them
 * PREFIX/status              online or offline, retained
 * PREFIX/command             "ping", "interval 500"; answered on PREFIX/answer
 *
 * Ends after COUNT messages or on SIGTERM, when all is acknowledged, at the
 * latest after DRAIN_MS; on a second SIGTERM at once. Exit status 0: nothing
 * was left.
 */
#define _POSIX_C_SOURCE 200809L /* getopt, with -std=c11 too */
#include "readings.h"

#include <mqttloop/libev.h>
#include <mqttloop/mqttloop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_MS 5000

struct gateway {
    struct mqtt_server server;
    const char *prefix; /* of all topic names; also the client identifier */
    unsigned long published, count;
    size_t next; /* the reading that comes next */
    bool verbose, online_due, full, ending;
    struct mqtt_statistics statistics;
    struct mqtt_client *client;
    struct ev_loop *loop;
    ev_timer interval;
};

/* ---- publishing ---------------------------------------------------------- */

static enum mqtt_error publish(struct gateway *gateway, const char *name,
                               const char *payload, bool retain)
{
    char topic_name[256];

    snprintf(topic_name, sizeof topic_name, "%s/%s", gateway->prefix, name);
    return mqtt_publish(gateway->client, topic_name, payload, strlen(payload),
                        MQTT_QOS_1, retain);
}

/* Says good-bye; MQTT_EVENT_DISCONNECTED is the answer. */
static void end(struct gateway *gateway)
{
    ev_timer_stop(gateway->loop, &gateway->interval);
    if (!gateway->ending)
        publish(gateway, "status", "offline", true);
    if (mqtt_disconnect(gateway->client, gateway->ending ? 0 : DRAIN_MS))
        ev_break(gateway->loop, EVBREAK_ALL);
    gateway->ending = true;
}

/* What finds no room waits for MQTT_EVENT_ROOM; it has no number yet. */
static void publish_reading(struct gateway *gateway)
{
    const struct reading *reading = &readings[gateway->next];
    char payload[128];
    double number = 0;

    if (reading->read(&number)) {
        snprintf(payload, sizeof payload, "{\"n\":%lu,\"%s\":%.15g}",
                 gateway->published + 1, reading->name, number);
        gateway->full = publish(gateway, reading->name, payload, false);
        if (gateway->full)
            return;
        gateway->published++;
        if (gateway->verbose)
            printf("%s %s\n", reading->name, payload);
    }
    gateway->next = (gateway->next + 1) % reading_count;
}

/* One round, or the rest of one that found no room. */
static void measure(struct gateway *gateway)
{
    if (gateway->online_due)
        gateway->online_due = publish(gateway, "status", "online", true);
    do {
        publish_reading(gateway);
        if (gateway->count && gateway->published == gateway->count)
            end(gateway);
    } while (gateway->next != 0 && !gateway->full && !gateway->ending);
}

/* ---- what happens -------------------------------------------------------- */

static void on_interval(struct ev_loop *loop, ev_timer *interval, int events)
{
    struct gateway *gateway = interval->data;

    (void)loop, (void)events;
    if (!gateway->full)
        measure(gateway);
}

static void on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)loop, (void)events;
    end(signal->data);
}

static void on_command(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    struct gateway *gateway = context;
    char command[64], answer[96];
    unsigned ms;

    (void)client;
    snprintf(command, sizeof command, "%.*s", (int)message->payload.size,
             (const char *)message->payload.data);
    if (!strcmp(command, "ping")) {
        snprintf(answer, sizeof answer, "pong");
    } else if (sscanf(command, "interval %u", &ms) == 1 && ms > 0) {
        gateway->interval.repeat = ms / 1000.;
        ev_timer_again(gateway->loop, &gateway->interval);
        snprintf(answer, sizeof answer, "interval %u", ms);
    } else {
        snprintf(answer, sizeof answer, "unknown command: %s", command);
    }
    publish(gateway, "answer", answer, false);
}

static void on_disconnected(struct gateway *gateway,
                            const struct mqtt_event *event)
{
    printf("disconnected: %s%s%s",
           event->error ? mqtt_error_text(event->error) : "as asked",
           event->detail ? ": " : "", event->detail ? event->detail : "");
    if (event->retry_at == MQTT_NEVER) {
        puts("; no next try");
        ev_break(gateway->loop, EVBREAK_ALL);
    } else {
        printf("; next try in %lld ms\n",
               (long long)(event->retry_at - mqtt_posix_now()));
    }
}

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    struct gateway *gateway = context;

    (void)client;
    if (event->type == MQTT_EVENT_CONNECTED) {
        printf("connected: session %s\n",
               event->session_present ? "resumed" : "new");
        gateway->online_due = publish(gateway, "status", "online", true);
    } else if (event->type == MQTT_EVENT_DISCONNECTED) {
        on_disconnected(gateway, event);
    } else if (event->type == MQTT_EVENT_ROOM && !gateway->ending) {
        gateway->full = false;
        measure(gateway);
    }
}

/* ---- from beginning to end ----------------------------------------------- */

/* A session that lasts: what was not acknowledged is sent again, also after
 * the connection broke. */
static enum mqtt_error make_client(struct gateway *gateway)
{
    char topic_name[256];
    struct mqtt_message will = {
        .payload = MQTT_TEXT("offline"), .qos = MQTT_QOS_1, .retain = true};
    struct mqtt_config config = {.servers = &gateway->server,
                                 .server_count = 1,
                                 .retry_base_ms = 250, /* its broker is near */
                                 .retry_cap_ms = 2000,
                                 .on_event = on_event,
                                 .context = gateway,
                                 .statistics = &gateway->statistics};
    enum mqtt_error error;

    snprintf(topic_name, sizeof topic_name, "%s/status", gateway->prefix);
    will.topic_name = mqtt_text(topic_name);
    config.connect.will = &will;
    config.connect.client_identifier = mqtt_text(gateway->prefix);
    gateway->client = mqtt_client_new(&config, NULL, &error);
    return error;
}

static void run(struct gateway *gateway)
{
    char topic_filter[256];
    struct mqtt_subscription command = {.maximum_qos = MQTT_QOS_1,
                                        .on_message = on_command,
                                        .context = gateway};
    struct mqtt_libev adapter;
    ev_signal interrupted, terminated;

    snprintf(topic_filter, sizeof topic_filter, "%s/command", gateway->prefix);
    command.topic_filter = mqtt_text(topic_filter);
    mqtt_subscribe(gateway->client, &command);
    ev_set_cb(&gateway->interval, on_interval);
    gateway->interval.data = gateway;
    ev_timer_again(gateway->loop, &gateway->interval);
    ev_signal_init(&interrupted, on_signal, SIGINT);
    ev_signal_init(&terminated, on_signal, SIGTERM);
    interrupted.data = terminated.data = gateway;
    ev_signal_start(gateway->loop, &interrupted);
    ev_signal_start(gateway->loop, &terminated);
    mqtt_libev_attach(&adapter, gateway->loop, gateway->client);
    mqtt_connect(gateway->client);
    ev_run(gateway->loop, 0);
    mqtt_client_free(gateway->client);
}

static bool read_options(struct gateway *gateway, int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "h:p:t:i:n:v")) != -1) {
        if (option == 'h')
            gateway->server.address = optarg;
        else if (option == 'p')
            gateway->server.port = (uint16_t)atoi(optarg);
        else if (option == 't')
            gateway->prefix = optarg;
        else if (option == 'i')
            gateway->interval.repeat = atoi(optarg) / 1000.;
        else if (option == 'n')
            gateway->count = strtoul(optarg, NULL, 10);
        else if (option == 'v')
            gateway->verbose = true;
        else
            return false;
    }
    return optind == argc && gateway->interval.repeat > 0;
}

int main(int argc, char **argv)
{
    struct gateway gateway = {.server = {"localhost", 1883},
                              .prefix = "gateway",
                              .interval = {.repeat = 1.},
                              .loop = EV_DEFAULT};
    const struct mqtt_statistics *did = &gateway.statistics;
    enum mqtt_error error;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_options(&gateway, argc, argv)) {
        fprintf(stderr, "gateway: see the head of gateway.c for options\n");
        return 2;
    }
    error = make_client(&gateway);
    if (error) {
        fprintf(stderr, "gateway: %s\n", mqtt_error_text(error));
        return EXIT_FAILURE;
    }
    run(&gateway);
    ev_loop_destroy(gateway.loop);
    printf("published %lu readings: %llu messages, %llu acknowledged, "
           "%llu resent, %llu connections\n",
           gateway.published, (unsigned long long)did->messages_published,
           (unsigned long long)did->messages_acknowledged,
           (unsigned long long)did->messages_resent,
           (unsigned long long)did->connections);
    return did->messages_published == did->messages_acknowledged ? EXIT_SUCCESS
                                                                 : EXIT_FAILURE;
}
