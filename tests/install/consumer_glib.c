/* A program of somebody else that drives a client from its GLib main context. */
#include <mqttloop/glib.h>
#include <mqttloop/posix.h>
#include <stdio.h>

int main(void)
{
    GMainContext *context = g_main_context_default();
    const struct mqtt_server server = {"127.0.0.1", 1};
    struct mqtt_config config = {0};
    struct mqtt_glib adapter;
    struct mqtt_client *client;
    enum mqtt_error error;

    config.servers = &server;
    config.server_count = 1;
    config.connect.clean_start = true;
    client = mqtt_client_new(&config, NULL, &error);
    if (!client || !context)
        return 1;
    error = mqtt_glib_attach(&adapter, context, client);
    g_main_context_iteration(context, FALSE);
    mqtt_glib_detach(&adapter);
    mqtt_client_free(client);
    printf("mqttloop %s: %s\n", mqtt_library_version(), mqtt_error_text(error));
    return error != MQTT_OK;
}
