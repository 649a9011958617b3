/* A program of somebody else that drives a client from its libev loop. */
#include <mqttloop/libev.h>
#include <mqttloop/posix.h>
#include <stdio.h>

int main(void)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    const struct mqtt_server server = {"127.0.0.1", 1};
    struct mqtt_config config = {0};
    struct mqtt_libev adapter;
    struct mqtt_client *client;
    enum mqtt_error error;

    config.servers = &server;
    config.server_count = 1;
    config.connect.clean_start = true;
    client = mqtt_client_new(&config, NULL, &error);
    if (!client || !loop)
        return 1;
    error = mqtt_libev_attach(&adapter, loop, client);
    ev_run(loop, EVRUN_NOWAIT);
    mqtt_libev_detach(&adapter);
    mqtt_client_free(client);
    ev_loop_destroy(loop);
    printf("mqttloop %s: %s\n", mqtt_library_version(), mqtt_error_text(error));
    return error != MQTT_OK;
}
