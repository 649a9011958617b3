/*
 * A question and its answer, over MQTT 5.0: one client asks on a topic, and
 * says where it listens and what to call the question; another one answers.
 * Here both run in one loop.
 *
 *     request [ADDRESS [PORT]]
 *
 * Exit status 0: answered. 1: not within 5 seconds.
 */
#include <mqttloop/mqttloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool answered;

/* ---- who answers --------------------------------------------------------- */

static void on_question(struct mqtt_client *client,
                        const struct mqtt_message *question, void *context)
{
    struct mqtt_property topic = {0}, name = {0};
    struct mqtt_property_builder builder;
    struct mqtt_message answer = {.payload = MQTT_TEXT("42"),
                                  .qos = MQTT_QOS_1};
    enum mqtt_error error;
    uint8_t bytes[64];

    (void)context;
    if (!mqtt_property_find(question->properties, MQTT_PROPERTY_RESPONSE_TOPIC,
                            &topic))
        return; /* nobody wants to know */
    mqtt_properties_begin(&builder, bytes, sizeof bytes);
    if (mqtt_property_find(question->properties, MQTT_PROPERTY_CORRELATION_DATA,
                           &name))
        mqtt_property_add_text(&builder, MQTT_PROPERTY_CORRELATION_DATA,
                               name.text);
    answer.topic_name = topic.text;
    answer.properties = mqtt_properties_end(&builder, &error);
    if (!error)
        error = mqtt_client_publish(client, &answer, NULL);
    if (error)
        fprintf(stderr, "request: no answer: %s\n", mqtt_error_text(error));
}

/* ---- who asks ------------------------------------------------------------ */

static void on_answer(struct mqtt_client *client,
                      const struct mqtt_message *answer, void *context)
{
    struct mqtt_property name = {0};

    (void)client;
    (void)context;
    mqtt_property_find(answer->properties, MQTT_PROPERTY_CORRELATION_DATA,
                       &name);
    printf("%.*s: %.*s\n", (int)name.text.size, (const char *)name.text.data,
           (int)answer->payload.size, (const char *)answer->payload.data);
    answered = true;
}

static enum mqtt_error ask(struct mqtt_client *client, const char *what)
{
    struct mqtt_message question = {.topic_name = MQTT_TEXT("request/question"),
                                    .qos = MQTT_QOS_1};
    struct mqtt_property_builder builder;
    enum mqtt_error error;
    uint8_t bytes[128];

    mqtt_properties_begin(&builder, bytes, sizeof bytes);
    mqtt_property_add_text(&builder, MQTT_PROPERTY_RESPONSE_TOPIC,
                           mqtt_text("request/answer"));
    mqtt_property_add_text(&builder, MQTT_PROPERTY_CORRELATION_DATA,
                           mqtt_text(what));
    mqtt_property_add_number(&builder, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL,
                             5);
    question.properties = mqtt_properties_end(&builder, &error);
    return error ? error : mqtt_client_publish(client, &question, NULL);
}

static bool ready[2];

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    (void)client;
    if (event->type == MQTT_EVENT_SUBSCRIBED)
        *(bool *)context = event->reason_code < 0x80;
    else if (event->type == MQTT_EVENT_DISCONNECTED && event->error)
        fprintf(stderr, "request: %s\n", mqtt_error_text(event->error));
}

static struct mqtt_client *start(const struct mqtt_server *server,
                                 struct mqtt_subscription *subscription,
                                 bool *subscribed)
{
    struct mqtt_config config = {.protocol = &mqtt_protocol_5_0,
                                 .servers = server,
                                 .server_count = 1,
                                 .on_event = on_event,
                                 .context = subscribed};
    struct mqtt_client *client;

    config.connect.clean_start = true;
    client = mqtt_client_new(&config, NULL, NULL);
    if (!client || mqtt_subscribe(client, subscription) ||
        mqtt_connect(client)) {
        fprintf(stderr, "request: cannot start\n");
        exit(1);
    }
    return client;
}

int main(int argc, char **argv)
{
    struct mqtt_server server = {argc > 1 ? argv[1] : "localhost",
                                 (uint16_t)atoi(argc > 2 ? argv[2] : "1883")};
    struct mqtt_subscription questions = {.topic_filter =
                                              MQTT_TEXT("request/question"),
                                          .maximum_qos = MQTT_QOS_1,
                                          .on_message = on_question};
    struct mqtt_subscription answers = {.topic_filter =
                                            MQTT_TEXT("request/answer"),
                                        .maximum_qos = MQTT_QOS_1,
                                        .on_message = on_answer};
    struct mqtt_client *server_side = start(&server, &questions, &ready[0]);
    struct mqtt_client *client_side = start(&server, &answers, &ready[1]);
    mqtt_time end = mqtt_posix_now() + 5000;
    bool asked = false;

    while (!answered && mqtt_posix_now() < end) {
        mqtt_loop(server_side, 10);
        mqtt_loop(client_side, 10);
        if (!asked && ready[0] && ready[1])
            asked = !ask(client_side, "the answer");
    }
    mqtt_client_free(client_side);
    mqtt_client_free(server_side);
    return !answered;
}
