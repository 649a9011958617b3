/*
 * CONNECT, held against what was configured: each field, and what may change
 * from one connection to the next.
 */
#include <string.h>
#include "world.h"

static struct bytes bytes_of(struct mqtt_span span)
{
    return (struct bytes){span.data, (uint32_t)span.size};
}

/* -- options of a part of the worlds --------------------------------------------------- */

static void draw_will_properties(struct player *p, struct dice *dice)
{
    struct mqtt_property_builder b;
    bool text = one_in(dice, 2);

    mqtt_properties_begin(&b, p->will_properties, sizeof(p->will_properties));
    if (text)
        mqtt_property_add_number(&b, MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR,
                                 roll(dice, 2));
    if (one_in(dice, 2))
        mqtt_property_add_number(&b, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL,
                                 any_size(dice, 100000));
    if (one_in(dice, 2))
        mqtt_property_add_text(&b, MQTT_PROPERTY_CONTENT_TYPE, mqtt_text("t"));
    if (one_in(dice, 2))
        mqtt_property_add_text(&b, MQTT_PROPERTY_RESPONSE_TOPIC,
                               mqtt_text("answers/to/a/will"));
    if (one_in(dice, 2))
        mqtt_property_add_text(&b, MQTT_PROPERTY_CORRELATION_DATA,
                               (struct mqtt_span){"\0\x80", 2});
    if (one_in(dice, 2))
        mqtt_property_add_number(&b, MQTT_PROPERTY_WILL_DELAY_INTERVAL,
                                 any_size(dice, 1000));
    if (one_in(dice, 2))
        mqtt_property_add_user(&b, mqtt_text(""), mqtt_text("of the will"));
    p->will.properties = mqtt_properties_end(&b, NULL);
    p->will.payload = text ? mqtt_text("gone, as text")
                           : (struct mqtt_span){"\0\xff\x80", roll(dice, 4)};
}

static void draw_will(struct player *p, struct dice *dice)
{
    p->will = (struct mqtt_message){.payload = {"will", 4}};
    p->will.topic_name = mqtt_text(one_in(dice, 2) ? "w" : "wills/\xC3\xA4");
    p->will.qos = (enum mqtt_qos)roll(dice, 3);
    p->will.retain = one_in(dice, 2);
    if (p->five && one_in(dice, 2))
        draw_will_properties(p, dice);
    p->config.connect.will = one_in(dice, 4) ? NULL : &p->will;
}

static void draw_login(const struct player *p, struct dice *dice,
                       struct mqtt_connect_options *c)
{
    static const struct mqtt_span names[] = {
        {NULL, 0}, {"", 0}, {"u", 1}, {"\xC3\xA4\xE2\x82\xAC", 5}};
    static const struct mqtt_span passwords[] = {
        {NULL, 0}, {"", 0}, {"\xff\0\xfe", 3}, {"a longer password", 17}};

    c->user_name = names[roll(dice, 4)];
    c->password = passwords[roll(dice, 4)];
    if (!c->user_name.data && !p->only_five)
        c->password = (struct mqtt_span){NULL, 0};
}

static void draw_properties(struct player *p, struct dice *dice)
{
    struct mqtt_property_builder b;

    mqtt_properties_begin(&b, p->properties, sizeof(p->properties));
    for (uint32_t n = roll(dice, 3); n; n--)
        mqtt_property_add_user(&b, mqtt_text("n"),
                               mqtt_text(n & 1 ? "" : "one more"));
    if (one_in(dice, 3))
        mqtt_property_add_number(&b, MQTT_PROPERTY_REQUEST_RESPONSE_INFORMATION,
                                 roll(dice, 2));
    if (p->authenticates) {
        mqtt_property_add_text(&b, MQTT_PROPERTY_AUTHENTICATION_METHOD,
                               mqtt_text("scram"));
        if (one_in(dice, 2))
            mqtt_property_add_text(&b, MQTT_PROPERTY_AUTHENTICATION_DATA,
                                   (struct mqtt_span){"\0first", 6});
    }
    if (one_in(dice, 3))
        mqtt_property_add_number(&b, MQTT_PROPERTY_REQUEST_PROBLEM_INFORMATION,
                                 roll(dice, 2));
    p->config.connect.properties = mqtt_properties_end(&b, NULL);
}

static void draw_numbers(struct player *p, struct dice *dice)
{
    struct mqtt_connect_options *c = &p->config.connect;

    if (one_in(dice, 2))
        c->keep_alive_s = any_size(dice, 65535);
    if (!p->five)
        return;
    if (one_in(dice, 3))
        c->receive_maximum =
            one_in(dice, 4) ? 65535 : (uint16_t)any_size(dice, 1000);
    if (one_in(dice, 3))
        c->maximum_packet_size = 128 + any_size(dice, 1000000);
    if (one_in(dice, 3))
        c->session_expiry_s = any_size(dice, 1000000);
}

/* After those of all worlds, of which they take the place. */
void configured_draw(struct player *p)
{
    struct dice dice = dice_of(p->world->seed, 64 + p->index);
    unsigned features = p->world->features;

    p->renews = p->config.before_connect != NULL;
    p->changes = false;
    p->renew_dice = dice_of(p->world->seed, 80 + p->index);
    if (features & FEATURE_AUTHENTICATION && p->only_five)
        p->authenticates = p->authenticates || one_in(&dice, 2);
    if (features & FEATURE_OPTIONS) {
        /* An identifier that was assigned is kept if it fits beside what
         * CONNECT has at that time; what comes later has to leave room. */
        p->changes =
            p->config.connect.client_identifier.size && one_in(&dice, 2);
        draw_will(p, &dice);
        draw_login(p, &dice, &p->config.connect);
        draw_numbers(p, &dice);
    }
    if (features & (FEATURE_OPTIONS | FEATURE_AUTHENTICATION) && p->only_five)
        draw_properties(p, &dice);
    if (features & FEATURE_SILENCE && one_in(&dice, 2))
        p->config.connect.keep_alive_s = MQTT_KEEP_ALIVE_OFF;
}

/* -- before a connection --------------------------------------------------------------- */

static void change(struct player *p, struct mqtt_connect_options *options)
{
    if (one_in(&p->renew_dice, 2))
        draw_login(p, &p->renew_dice, options);
    if (one_in(&p->renew_dice, 4))
        options->will = NULL;
}

/* The application renews what it may. */
void configured_choose(struct player *p, struct mqtt_connect_options *options,
                       struct mqtt_server *server)
{
    redirect_offered(p, server);
    redirect_choose(p, server);
    if (p->changes && !p->world->calm) /* what does not fit stops it */
        change(p, options);
    p->chosen = *options;
    p->chosen_server = *server;
}

/* -- which connections ask for a clean start ------------------------------------------- */

static bool resumes(const struct mqtt_config *config)
{
    return config->session == MQTT_SESSION_RESUME ||
           (config->session == MQTT_SESSION_DEFAULT &&
            !config->connect.clean_start);
}

void configured_made(struct player *p)
{
    p->holds = resumes(&p->config) && !p->ended_before;
    p->resuming = p->wiping = p->start_unsure = false;
    p->no_names = p->names_unsure = false;
    p->own_known = !p->disk.used || p->incarnation == 1;
    p->own_size = 0;
    p->server_next = 0;
    p->server_unsure = 0;
    p->follows = 0;
}

/* mqtt_connect() of a client that had stopped. */
void configured_restarted(struct player *p)
{
    p->resuming = false;
    p->start_unsure = p->start_unsure && p->wiping;
}

static void note_identifier(struct player *p)
{
    struct mqtt_span own = mqtt_client_identifier(&p->client);

    p->own_known = true;
    p->own_size = 0;
    if (p->config.connect.client_identifier.size || !p->tap_five ||
        own.size > sizeof(p->own))
        return;
    p->own_size = (uint8_t)own.size;
    if (own.size)
        memcpy(p->own, own.data, own.size);
    if (own.size && p->wire.link && p->wire.link->session &&
        p->wire.link->assigned &&
        !bytes_equal(p->wire.link->session->identifier, bytes_of(own)))
        violation(p, "another client identifier than the assigned one");
}

/* The session that was begun lasts, so it is to go on. */
void configured_connected(struct player *p)
{
    p->wiping = p->start_unsure = false;
    p->holds = true;
    p->resuming = p->tap_five && !p->ends_session;
    note_identifier(p);
}

void configured_disconnected(struct player *p, const struct mqtt_event *event)
{
    if (p->connected && p->ends_session)
        p->resuming = false;
    if (p->connected && p->end_unsure) /* DISCONNECT may have ended it */
        p->start_unsure = true;
    if (p->connected && (p->ends_session || p->end_unsure))
        p->holds = false;
    if (event->error == MQTT_ERR_SESSION_PRESENT && p->holds)
        violation(p, "a session that it holds is given up");
    if (event->error == MQTT_ERR_SESSION_PRESENT && !event->reason_code)
        p->wiping = true;
    if (event->error == MQTT_ERR_ALIAS_MEMORY)
        p->no_names = true;
    if (!event->error || event->error == MQTT_ERR_STORE ||
        event->error == MQTT_ERR_SOURCE) /* which hide other reasons */
        p->names_unsure = true;
}

/* In 3.1.1 a session is wiped out by a connection that nobody is told of. */
void configured_granted(struct player *p)
{
    if (p->wiping && !p->tap_five)
        p->start_unsure = true;
}

static void check_start(struct player *p, const struct packet *packet)
{
    bool clean = packet->flags & CLEAN_START;
    bool wanted = p->chosen.clean_start && !p->resuming;

    if (clean != (wanted || p->wiping) && !p->start_unsure)
        violation(p, "CONNECT with clean start %d", clean);
    if (!clean)
        p->wiping = false;
}

/* -- the fields ------------------------------------------------------------------------- */

static void check_text(struct player *p, const char *name, bool there,
                       struct bytes sent, struct mqtt_span wanted)
{
    if (there != (wanted.data != NULL) ||
        (there && !bytes_equal(sent, bytes_of(wanted))))
        violation(p, "CONNECT with another %s", name);
}

static void check_identifier(struct player *p, struct bytes sent)
{
    struct bytes wanted = bytes_of(p->chosen.client_identifier);

    if (!wanted.size)
        wanted = (struct bytes){p->own, p->own_size};
    else if (!bytes_equal(sent, wanted))
        violation(p, "CONNECT with another client identifier");
    if (p->own_known && !bytes_equal(sent, wanted))
        violation(p, "CONNECT with another assigned client identifier");
}

static void check_will(struct player *p, const struct packet *packet)
{
    const struct mqtt_message *will = p->chosen.will;
    bool there = packet->flags & HAS_WILL;

    if (there != (will != NULL)) {
        violation(p, "CONNECT with a will %d", there);
        return;
    }
    if (!there)
        return;
    if ((packet->flags >> 3 & 3) != will->qos ||
        !(packet->flags & WILL_RETAIN) == will->retain ||
        !bytes_equal(packet->topic, bytes_of(will->topic_name)) ||
        !bytes_equal(packet->payload, bytes_of(will->payload)))
        violation(p, "CONNECT with another will");
    if (packet->level == 5 &&
        !bytes_equal(packet->will.all, bytes_of(will->properties)))
        violation(p, "CONNECT with other properties of the will");
}

static void check_keep_alive(struct player *p, uint16_t sent)
{
    uint32_t wanted = p->chosen.keep_alive_s;

    if (!wanted)
        wanted = 60;
    if (sent != (wanted == MQTT_KEEP_ALIVE_OFF ? 0 : wanted))
        violation(p, "CONNECT with keep alive %u", sent);
}

/* -- the properties ---------------------------------------------------------------------- */

static void check_number(struct player *p, const struct packet *packet,
                         unsigned id, uint32_t otherwise, uint32_t wanted)
{
    uint32_t sent = number_of(&packet->properties, id, otherwise);

    if (sent != wanted)
        violation(p, "CONNECT with property %02x: %u, not %u", id, sent,
                  wanted);
}

static uint32_t expiry(const struct mqtt_connect_options *o)
{
    if (o->session_expiry_s == MQTT_SESSION_EXPIRY_AT_ONCE)
        return 0;
    if (o->session_expiry_s)
        return o->session_expiry_s;
    return o->clean_start ? 0 : MQTT_SESSION_EXPIRY_NEVER;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* As many as were asked for, and as the lent memory takes. */
static uint32_t receive_maximum(const struct player *p)
{
    const struct mqtt_memory *m = &p->memory;
    uint32_t most = p->chosen.receive_maximum;

    most = most ? most : 65535;
    if (!m->received_bits && m->received_count)
        most = least(most, (uint32_t)m->received_count);
    if (p->config.settle == MQTT_SETTLE_BY_CALL)
        most = least(most, (uint32_t)m->unsettled_count);
    return most;
}

static uint32_t packet_maximum(const struct player *p)
{
    uint32_t most = p->chosen.maximum_packet_size;

    most = most ? most : UINT32_MAX;
    return p->config.large ? most : least(most, (uint32_t)p->memory.input_size);
}

static void check_aliases(struct player *p, const struct packet *packet)
{
    uint32_t sent = number_of(&packet->properties, TOPIC_ALIAS_MAXIMUM, 0);
    uint32_t wanted = p->config.no_topic_aliases || p->no_names
                          ? 0
                          : (uint32_t)p->memory.alias_name_count;

    if (sent != wanted && (sent || !p->names_unsure))
        violation(p, "CONNECT with Topic Alias Maximum %u, not %u", sent,
                  wanted);
    if (!sent && wanted)
        p->no_names = true;
    p->names_unsure = false;
}

/* The size of one of CONNECT; 0: it has a member of its own. */
static uint32_t size_of_other(const uint8_t *at, uint32_t *size)
{
    switch (at[0]) {
    case SESSION_EXPIRY:
    case MAXIMUM_PACKET:
        *size = 5;
        return 0;
    case RECEIVE_MAXIMUM:
    case TOPIC_ALIAS_MAXIMUM:
        *size = 3;
        return 0;
    case REQUEST_PROBLEM:
    case REQUEST_RESPONSE:
        *size = 2;
        break;
    case USER_PROPERTY:
        *size = 3u + (uint32_t)(at[1] << 8 | at[2]);
        *size += 2u + (uint32_t)(at[*size] << 8 | at[*size + 1]);
        break;
    default:
        *size = 3u + (uint32_t)(at[1] << 8 | at[2]);
    }
    return *size;
}

/* All the others, byte for byte and in the order of the configuration. */
static void check_others(struct player *p, const struct packet *packet)
{
    struct bytes wanted = bytes_of(p->chosen.properties);
    struct bytes all = packet->properties.all;
    uint32_t at = 0, size;

    for (uint32_t i = 0; i < all.size; i += size) {
        uint32_t other = size_of_other(all.at + i, &size);

        if (other > wanted.size - at ||
            (other && memcmp(all.at + i, wanted.at + at, other) != 0)) {
            violation(p, "CONNECT with another property %02x", all.at[i]);
            return;
        }
        at += other;
    }
    if (at < wanted.size)
        violation(p, "CONNECT without %u bytes of its properties",
                  wanted.size - at);
}

static void check_five(struct player *p, const struct packet *packet)
{
    check_number(p, packet, SESSION_EXPIRY, 0, expiry(&p->chosen));
    check_number(p, packet, RECEIVE_MAXIMUM, 65535, receive_maximum(p));
    check_number(p, packet, MAXIMUM_PACKET, UINT32_MAX, packet_maximum(p));
    check_aliases(p, packet);
    check_others(p, packet);
}

void configured_check(struct player *p, const struct packet *packet)
{
    if (!p->config.before_connect)
        p->chosen = p->config.connect;
    if ((packet->level == 5) != p->five &&
        (packet->level == 5 || !p->config.fallback))
        violation(p, "CONNECT of level %u", packet->level);
    check_start(p, packet);
    check_identifier(p, packet->client_identifier);
    check_keep_alive(p, packet->keep_alive);
    check_will(p, packet);
    check_text(p, "user name", packet->flags & 0x80, packet->user_name,
               p->chosen.user_name);
    check_text(p, "password", packet->flags & 0x40, packet->password,
               p->chosen.password);
    if (packet->level == 5)
        check_five(p, packet);
}
