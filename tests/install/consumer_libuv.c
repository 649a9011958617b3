/* A program of somebody else that drives a client from its libuv loop. */
#define _POSIX_C_SOURCE 200809L /* for uv.h */
#include <mqttloop/libuv.h>
#include <mqttloop/posix.h>
#include <stdio.h>

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    const struct mqtt_server server = {"127.0.0.1", 1};
    struct mqtt_config config = {0};
    struct mqtt_libuv adapter;
    struct mqtt_client *client;
    enum mqtt_error error;

    config.servers = &server;
    config.server_count = 1;
    config.connect.clean_start = true;
    client = mqtt_client_new(&config, NULL, &error);
    if (!client || !loop)
        return 1;
    error = mqtt_libuv_attach(&adapter, loop, client, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    mqtt_libuv_detach(&adapter);
    uv_run(loop, UV_RUN_DEFAULT);
    mqtt_client_free(client);
    uv_loop_close(loop);
    printf("mqttloop %s: %s\n", mqtt_library_version(), mqtt_error_text(error));
    return error != MQTT_OK;
}
