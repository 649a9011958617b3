#include "servers.h"

#include "network.h"

#include <stdlib.h>
#include <string.h>

static bool is_same(struct mqtt_span a, struct mqtt_span b)
{
    if (!a.data || !b.data)
        return a.data == b.data;
    return a.size == b.size && !memcmp(a.data, b.data, a.size);
}

static bool has_user(const struct mqtt_url *url)
{
    return url->user_name.data;
}

static bool is_same_user(const struct mqtt_url *a, const struct mqtt_url *b)
{
    return is_same(a->user_name, b->user_name) &&
           is_same(a->password, b->password);
}

enum mqtt_error mqtt_servers_check(const struct mqtt_config *config,
                                   const struct mqtt_host *host)
{
    struct mqtt_url first = {.port = 0}, url;
    const char *lacking;
    size_t i;

    for (i = 0; config->servers && i < config->server_count; i++) {
        if (mqtt_url_read(&config->servers[i], &url) ||
            !mqtt_network_serves(host, &url, &lacking))
            return MQTT_ERR_SERVER;
        if (i == 0)
            first = url;
        if (has_user(&url) && !is_same_user(&first, &url))
            return MQTT_ERR_SERVER;
    }
    return MQTT_OK;
}

/* `to` moves on behind what was written. */
static bool unescape(struct mqtt_span *part, char **to)
{
    ptrdiff_t size;

    if (!part->data)
        return true;
    size = mqtt_url_unescape(*part, *to);
    if (size < 0)
        return false;
    *part = (struct mqtt_span){*to, (size_t)size};
    *to += size;
    return true;
}

enum mqtt_error mqtt_servers_user(struct mqtt_config *config, char **text)
{
    struct mqtt_connect_options *connect = &config->connect;
    struct mqtt_url url;
    char *to;

    *text = NULL;
    if (!config->servers || !config->server_count || connect->user_name.data ||
        connect->password.data || mqtt_url_read(config->servers, &url) ||
        !has_user(&url))
        return MQTT_OK;
    to = *text = malloc(url.user_name.size + url.password.size + 1);
    if (!to)
        return MQTT_ERR_MEMORY;
    if (!unescape(&url.user_name, &to) || !unescape(&url.password, &to))
        return MQTT_ERR_SERVER;
    connect->user_name = url.user_name;
    connect->password = url.password;
    return MQTT_OK;
}
