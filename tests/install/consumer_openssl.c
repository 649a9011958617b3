/* A program of somebody else whose client speaks TLS. */
#include <mqttloop/openssl.h>
#include <mqttloop/posix.h>
#include <stdio.h>

int main(void)
{
    const struct mqtt_tls_options options = {.maximum = MQTT_TLS_1_3};
    const struct mqtt_server server = {"mqtts://127.0.0.1:1", 0};
    struct mqtt_config config = {0};
    struct mqtt_host host = {.tls = mqtt_openssl_new(&options, NULL, NULL, 0)};
    struct mqtt_client *client;
    enum mqtt_error error;

    config.servers = &server;
    config.server_count = 1;
    config.connect.clean_start = true;
    client = mqtt_client_new(&config, &host, &error);
    mqtt_client_free(client);
    mqtt_openssl_free(host.tls);
    printf("mqttloop %s: %s\n", mqtt_library_version(), mqtt_error_text(error));
    return error != MQTT_OK;
}
