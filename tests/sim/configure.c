/*
 * Clients as they can be: every option, and memory of every size.
 */
#include <stdio.h>
#include <string.h>
#include "world.h"

/* -- memory with guards ------------------------------------------------------------------ */

static uint8_t guard_byte(unsigned i)
{
    return (uint8_t)(0xC3 ^ (i * 29));
}

static void *lend(struct player *p, size_t size)
{
    struct pool *pool = &p->pools[p->pool_count++];

    pool->bytes =
        (uint8_t *)store_take(&p->world->store, size + 2 * GUARD) + GUARD;
    pool->size = size;
    for (unsigned i = 0; i < GUARD; i++) {
        pool->bytes[-1 - (int)i] = guard_byte(i);
        pool->bytes[size + i] = guard_byte(i);
    }
    memset(pool->bytes, 0xA5, size);
    return pool->bytes;
}

void pools_check(struct player *p)
{
    for (unsigned n = 0; n < p->pool_count; n++) {
        const struct pool *pool = &p->pools[n];

        for (unsigned i = 0; i < GUARD; i++)
            if (pool->bytes[-1 - (int)i] != guard_byte(i) ||
                pool->bytes[pool->size + i] != guard_byte(i)) {
                violation(p, "memory beside pool %u was written", n);
                return;
            }
    }
}

static void lend_received(struct player *p, struct dice *dice)
{
    struct mqtt_memory *m = &p->memory;

    if (one_in(dice, 4)) {
        m->received_bits = lend(p, 8192);
        memset(m->received_bits, 0, 8192);
    } else if (!one_in(dice, 12)) {
        m->received_count = any_size(dice, 32);
        m->received_list = lend(p, m->received_count * sizeof(uint16_t));
    }
}

static void lend_aliases(struct player *p, struct dice *dice)
{
    struct mqtt_memory *m = &p->memory;

    if (one_in(dice, 2)) {
        m->alias_topic_count = any_size(dice, 12);
        m->alias_topics =
            lend(p, m->alias_topic_count * sizeof(struct mqtt_alias));
    }
    if (one_in(dice, 2)) {
        m->alias_name_count = any_size(dice, 12);
        m->alias_names_size = any_size(dice, 800);
        m->alias_names = lend(p, m->alias_names_size);
    }
}

static size_t draw_outbox(struct dice *dice)
{
    switch (roll(dice, 8)) {
    case 0:
        return one_in(dice, 4) ? 0 : 16 + roll(dice, 64);
    case 1:
    case 2:
        return 64 + any_size(dice, 1000);
    case 3:
        return 65536;
    default:
        return 200 + any_size(dice, 20000);
    }
}

static void lend_outgoing(struct player *p, struct dice *dice)
{
    struct mqtt_memory *m = &p->memory;

    m->outbox_size = draw_outbox(dice);
    if (m->outbox_size)
        m->outbox = lend(p, m->outbox_size);
    m->slot_count = one_in(dice, 16) ? 0 : (size_t)1 << roll(dice, 8);
    if (m->slot_count)
        m->slots = lend(p, m->slot_count * sizeof(struct mqtt_slot));
    m->control_size = 16 + any_size(dice, one_in(dice, 2) ? 200 : 2000);
    if (m->control_size < p->control_least)
        m->control_size = p->control_least;
    m->control = lend(p, m->control_size);
}

static void lend_memory(struct player *p, struct dice *dice)
{
    struct mqtt_memory *m = &p->memory;
    uint32_t input = 16;

    memset(m, 0, sizeof(*m));
    p->pool_count = 0;
    lend_outgoing(p, dice);
    /* Without a limit that was announced, CONNACK has to fit. */
    if (p->five &&
        (p->authenticates || !p->config.connect.client_identifier.size ||
         p->config.large))
        input = 128;
    m->input_size = input + any_size(dice, one_in(dice, 3) ? 30000 : 400);
    m->input = lend(p, m->input_size);
    lend_received(p, dice);
    if (p->config.settle == MQTT_SETTLE_BY_CALL || p->disk.used) {
        m->unsettled_count = any_size(dice, 32);
        m->unsettled =
            lend(p, m->unsettled_count * sizeof(struct mqtt_unsettled));
    }
    if (p->disk.used) {
        m->released_count = any_size(dice, 8);
        m->released = lend(p, m->released_count * sizeof(uint16_t));
    }
    if (p->five)
        lend_aliases(p, dice);
    if (p->five && one_in(dice, 2)) {
        m->identifier_size = one_in(dice, 4) ? 4 : 40;
        m->identifier = lend(p, m->identifier_size);
    }
}

/* -- hooks ------------------------------------------------------------------------------- */

static uint32_t random_bits(void *context)
{
    struct player *p = context;

    p->drew = true;
    p->drawn = dice_next(&p->dice) >> 32;
    return (uint32_t)p->drawn;
}

static enum mqtt_error before_connect(void *context,
                                      struct mqtt_connect_options *options,
                                      struct mqtt_server *server)
{
    struct player *p = context;

    if (!options || !server->address)
        violation(p, "before_connect without a server");
    configured_choose(p, options, server);
    if (p->renews && !p->world->calm && one_in(&p->dice, 8))
        return MQTT_ERR_RENEWAL;
    return MQTT_OK;
}

static enum mqtt_pace pace(void *context, enum mqtt_error error, uint8_t code)
{
    struct player *p = context;

    (void)error;
    (void)code;
    p->pace_said =
        p->world->calm ? MQTT_PACE_NORMAL : (enum mqtt_pace)roll(&p->dice, 3);
    return p->pace_said;
}

static void log_hook(void *context, const struct mqtt_log *log)
{
    struct player *p = context;

    p->state_since = p->world->now;
    if (log->to == MQTT_CLIENT_AWAIT_CONNACK)
        p->connack_since = p->world->now;
    if (log->from == log->to)
        violation(p, "a change from a state to itself");
    if (p->world->tracing)
        say(p, "  state %s -> %s (%d)", mqtt_client_state_text(log->from),
            mqtt_client_state_text(log->to), log->error);
}

static void trace_hook(void *context, const struct mqtt_trace *trace)
{
    struct player *p = context;
    char line[128];

    if (mqtt_trace_format(trace, line, sizeof(line)) >= sizeof(line))
        violation(p, "a line of the trace is too long");
}

static void requested(void *driver)
{
    struct player *p = driver;

    p->requested = true;
}

static mqtt_time clock_now(void *driver)
{
    struct player *p = driver;

    return p->world->now;
}

/* -- options ------------------------------------------------------------------------------ */

static void draw_identity(struct player *p, struct dice *dice)
{
    struct mqtt_connect_options *c = &p->config.connect;

    snprintf((char *)p->name, sizeof(p->name), "c%u", p->index);
    c->client_identifier = mqtt_text((char *)p->name);
    c->clean_start = one_in(dice, 4);
    if (p->only_five || c->clean_start)
        if (one_in(dice, 5))
            c->client_identifier.size = 0;
    if (one_in(dice, 3))
        c->user_name = mqtt_text("user");
    if ((c->user_name.data || p->only_five) && one_in(dice, 3))
        c->password = (struct mqtt_span){"\0pass", 5};
}

static void draw_session(struct player *p, struct dice *dice)
{
    struct mqtt_connect_options *c = &p->config.connect;
    static const uint32_t expiries[] = {
        0, MQTT_SESSION_EXPIRY_NEVER, MQTT_SESSION_EXPIRY_AT_ONCE, 1, 60, 3600};
    static const uint32_t alives[] = {0,  1,   2,     5,
                                      30, 300, 65535, MQTT_KEEP_ALIVE_OFF};

    c->keep_alive_s = alives[roll(dice, 8)];
    if (p->five)
        c->session_expiry_s = expiries[roll(dice, 6)];
    if (one_in(dice, 4))
        p->config.session = (enum mqtt_session_start)roll(dice, 3);
    if (p->five && one_in(dice, 3))
        c->receive_maximum = (uint16_t)any_size(dice, 40);
    if (p->five && one_in(dice, 4))
        c->maximum_packet_size = 128 + any_size(dice, 5000);
}

static void draw_will(struct player *p, struct dice *dice)
{
    struct mqtt_property_builder b;

    if (!one_in(dice, 3))
        return;
    p->will = (struct mqtt_message){.topic_name = mqtt_text("wills"),
                                    .payload = {"gone", 4},
                                    .qos = (enum mqtt_qos)roll(dice, 3),
                                    .retain = one_in(dice, 3)};
    if (p->only_five && one_in(dice, 2)) {
        mqtt_properties_begin(&b, p->will_properties,
                              sizeof(p->will_properties));
        mqtt_property_add_number(&b, MQTT_PROPERTY_WILL_DELAY_INTERVAL,
                                 any_size(dice, 1000));
        p->will.properties = mqtt_properties_end(&b, NULL);
    }
    p->config.connect.will = &p->will;
}

static void draw_properties(struct player *p, struct dice *dice)
{
    struct mqtt_property_builder b;

    if (!p->only_five)
        return;
    mqtt_properties_begin(&b, p->properties, sizeof(p->properties));
    if (one_in(dice, 4))
        mqtt_property_add_user(&b, mqtt_text("of"), mqtt_text("client"));
    if (one_in(dice, 4))
        mqtt_property_add_number(&b, MQTT_PROPERTY_REQUEST_PROBLEM_INFORMATION,
                                 roll(dice, 2));
    if (one_in(dice, 4))
        mqtt_property_add_number(&b, MQTT_PROPERTY_REQUEST_RESPONSE_INFORMATION,
                                 roll(dice, 2));
    p->authenticates = one_in(dice, 4);
    if (p->authenticates)
        mqtt_property_add_text(&b, MQTT_PROPERTY_AUTHENTICATION_METHOD,
                               mqtt_text("scram"));
    p->config.connect.properties = mqtt_properties_end(&b, NULL);
}

static void draw_protocol(struct player *p, struct dice *dice)
{
    struct mqtt_config *c = &p->config;

    p->five = one_in(dice, 2);
    c->protocol = p->five ? &mqtt_protocol_5_0 : &mqtt_protocol_3_1_1;
    if (!p->five && one_in(dice, 12))
        c->protocol = &mqtt_protocol_publisher;
    if (p->five && one_in(dice, 5))
        c->fallback = &mqtt_protocol_3_1_1;
    p->only_five = p->five && !c->fallback;
    c->drop_unsupported = one_in(dice, 4);
}

/* Milliseconds, 0 as often as not; enough for the answer of a slow network. */
static uint32_t any_time(struct dice *dice, uint32_t high)
{
    return one_in(dice, 2) ? 0 : 1500 + any_size(dice, high);
}

static void draw_times(struct player *p, struct dice *dice)
{
    struct mqtt_config *c = &p->config;

    c->open_timeout_ms = any_time(dice, 60000);
    c->connack_timeout_ms = any_time(dice, 60000);
    c->pingresp_timeout_ms = any_time(dice, 60000);
    c->packet_timeout_ms = any_time(dice, 60000);
    c->end_timeout_ms = one_in(dice, 2) ? 0 : any_size(dice, 5000);
    c->retry_base_ms = one_in(dice, 2) ? 0 : any_size(dice, 5000);
    c->retry_cap_ms = any_time(dice, 100000);
    c->healthy_after_ms = any_time(dice, 60000);
}

static void draw_choices(struct player *p, struct dice *dice)
{
    struct mqtt_config *c = &p->config;

    if (one_in(dice, 3))
        c->send_maximum = (uint16_t)any_size(dice, 30);
    if (one_in(dice, 3))
        c->send_maximum_qos2 = (uint16_t)any_size(dice, 30);
    c->keep_qos0 = one_in(dice, 2);
    c->no_topic_aliases = one_in(dice, 4);
    c->renew_without_retained = one_in(dice, 2);
    c->check_payload_format = one_in(dice, 2);
    c->settle =
        one_in(dice, 3) ? MQTT_SETTLE_BY_CALL : MQTT_SETTLE_AFTER_CALLBACK;
    c->large = one_in(dice, 2) ? &mqtt_large_parts : NULL;
    c->republish_lost = one_in(dice, 3);
    c->tolerate_overrun = one_in(dice, 3);
}

static void draw_hooks(struct player *p, struct dice *dice)
{
    struct mqtt_config *c = &p->config;

    c->random = random_bits;
    c->random_context = p;
    c->before_connect = one_in(dice, 6) ? before_connect : NULL;
    c->pace = one_in(dice, 6) ? pace : NULL;
    c->log = log_hook;
    c->trace = one_in(dice, 8) ? trace_hook : NULL;
    c->trace_seam = &mqtt_trace_seam;
    c->context = p;
    p->pulls = one_in(dice, 2);
    p->own_dispatch = one_in(dice, 2);
    c->on_event = application_on_event;
    c->on_message = application_on_message;
    c->dispatch = p->own_dispatch ? application_dispatch : NULL;
    c->statistics = one_in(dice, 2) ? &p->statistics : NULL;
    p->look_before = one_in(dice, 2);
    p->settles_soon = one_in(dice, 2);
    p->lend = one_in(dice, 2) ? any_size(dice, 8192) : 0;
}

void player_configure(struct player *p, struct dice *dice)
{
    memset(&p->config, 0, sizeof(p->config));
    draw_protocol(p, dice);
    draw_identity(p, dice);
    draw_session(p, dice);
    draw_will(p, dice);
    draw_properties(p, dice);
    draw_times(p, dice);
    draw_choices(p, dice);
    draw_hooks(p, dice);
    p->servers[0] = (struct mqtt_server){"server", 0};
    p->servers[1] = (struct mqtt_server){"server.backup", 8883};
    p->config.servers = p->servers;
    p->config.server_count = between(dice, 1, 2);
    p->control_least = 0;
    configured_draw(p);
    if (p->changes || p->world->features & FEATURE_REDIRECTS)
        p->config.before_connect = before_connect;
    p->config.store = p->disk.used ? &p->disk.store : NULL;
    lend_memory(p, dice);
}

/* -- making one ------------------------------------------------------------------------------- */

/* A client whose memory was that of another one has nothing of its session,
 * unless it has a store. */
static void choose_session(struct player *p)
{
    if (p->incarnation && !p->disk.used)
        p->config.session = MQTT_SESSION_NEW;
}

static enum mqtt_error initialise(struct player *p)
{
    return mqtt_client_init(&p->client, sizeof(p->client), &p->config,
                            &p->memory);
}

/* What is lent has no content yet. */
static void soil_memory(struct player *p)
{
    for (unsigned i = 0; p->disk.used && i < p->pool_count; i++)
        memset(p->pools[i].bytes, 0xA5, p->pools[i].size);
}

bool player_make(struct player *p)
{
    enum mqtt_error error;

    choose_session(p);
    soil_memory(p);
    if (p->memory.received_bits)
        memset(p->memory.received_bits, 0, 8192);
    error = initialise(p);
    while (error == MQTT_ERR_CONTROL_SIZE) { /* the least that is taken */
        p->pool_count = 0;
        p->control_least += 16;
        p->memory.control_size = p->memory.control_size + 16;
        p->memory.control =
            store_take(&p->world->store, p->memory.control_size);
        error = initialise(p);
    }
    if (error && persist_is_shut(p)) {
        p->make_at = p->world->now + any_size(&p->dice, 10000);
        return false;
    }
    if (error) {
        violation(p, "init: %s", mqtt_error_text(error));
        return false;
    }
    p->incarnation++;
    configured_made(p);
    mqtt_client_set_driver(&p->client, p, requested, clock_now);
    mqtt_client_tick(&p->client, p->world->now);
    p->made = true;
    if (p->disk.used)
        persist_process_begins(p);
    p->leaving = p->connected = p->room_due = p->answer_auth = false;
    p->drew = false;
    /* An earlier process may have subscribed to something else. */
    p->left_over = p->disk.used && p->incarnation > 1;
    p->tries_least = p->tries_most = 0;
    p->wipes =
        p->config.session == MQTT_SESSION_NEW || p->config.connect.clean_start;
    p->deadline = NEVER;
    p->connect_at = p->world->now;
    p->blocked_since = NEVER;
    say(p, "* made, incarnation %u", p->incarnation);
    return true;
}

static void forget_nodes(struct player *p, bool released)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct node *n = &p->nodes[i];

        if (released && n->registered && n->subscription.state_)
            violation(p, "a subscription is held after the end");
        memset(n, 0, sizeof(*n));
    }
}

/* Of its process nothing is left but what is durable. */
static void forget(struct player *p)
{
    wire_close(p);
    ledger_connection_ends(p);
    if (p->disk.used)
        persist_process_ended(p);
    else
        ledger_forget(p);
    p->ended_before = p->disk.used && (p->ended_before || p->ends_session);
    p->made = p->connected = false;
    p->destroyed = true;
    p->handle_count = 0;
    p->callback_deed_count = 0;
    p->in_callback = p->part_pending = p->lost_check = false;
    p->part_offset = 0;
    p->refusable = NULL;
    p->expected_begin = p->expected_end = 0;
    p->expected_link = 0;
    p->twins = p->ends_session = p->end_unsure = false;
    p->deadline = p->blocked_since = NEVER;
    p->make_at = p->world->now + any_size(&p->dice, 10000);
    memset(&p->client, 0xEE, sizeof(p->client));
}

void player_destroy(struct player *p)
{
    if (!p->made)
        return;
    say(p, "* destroyed");
    mqtt_client_destroy(&p->client);
    if (p->disk.open) /* the store may still tell */
        mqtt_client_committed(&p->client, MQTT_OK);
    pools_check(p);
    forget_nodes(p, true);
    forget(p);
}

/* It may be killed while it is made. */
void player_die(struct player *p)
{
    say(p, "* killed");
    pools_check(p);
    forget_nodes(p, false);
    if (p->made)
        forget(p);
    else
        p->make_at = p->world->now + any_size(&p->dice, 10000);
    if (one_in(&p->dice, 8) && !p->world->calm)
        p->make_at += any_size(&p->dice, p->world->leap_ms);
}
