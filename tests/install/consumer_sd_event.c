/* A program of somebody else that drives a client from its sd-event loop. */
#include <mqttloop/sd-event.h>
#include <mqttloop/posix.h>
#include <stdio.h>

int main(void)
{
    sd_event *event = NULL;
    const struct mqtt_server server = {"127.0.0.1", 1};
    struct mqtt_config config = {0};
    struct mqtt_sd_event adapter;
    struct mqtt_client *client;
    enum mqtt_error error;

    config.servers = &server;
    config.server_count = 1;
    config.connect.clean_start = true;
    client = mqtt_client_new(&config, NULL, &error);
    if (!client || sd_event_new(&event) < 0)
        return 1;
    error = mqtt_sd_event_attach(&adapter, event, client);
    sd_event_run(event, 0);
    mqtt_sd_event_detach(&adapter);
    mqtt_client_free(client);
    sd_event_unref(event);
    printf("mqttloop %s: %s\n", mqtt_library_version(), mqtt_error_text(error));
    return error != MQTT_OK;
}
