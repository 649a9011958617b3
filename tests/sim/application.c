/*
 * The model application: what it is told, held against what it has to be told.
 */
#include <string.h>
#include "world.h"

static struct bytes bytes_of(struct mqtt_span span)
{
    return (struct bytes){span.data, (uint32_t)span.size};
}

/* -- messages ------------------------------------------------------------------------ */

static struct expected *front(struct player *p)
{
    return p->expected_begin == p->expected_end
               ? NULL
               : &p->expected[p->expected_begin];
}

/* One that was given before, in this session, is not given again. */
static bool known(const struct player *p, const struct expected *e)
{
    return e->qos == 2 && e->delivery && !e->delivery->disowned &&
           e->delivery->given == p->incarnation;
}

/* A handle has the packet identifier in its lower half, which tells one from
 * another of the same contents. */
static bool same(const struct expected *e, const struct mqtt_message *m)
{
    if (m->settle_handle && (m->settle_handle & 0xFFFF) != e->identifier)
        return false;
    return bytes_equal(e->topic, bytes_of(m->topic_name)) &&
           e->payload.size == m->payload_size && e->qos == m->qos &&
           e->retain == m->retain && e->dup == m->dup &&
           bytes_equal(e->properties, bytes_of(m->properties));
}

/* One that was refused comes again, or not: its PUBREC may have been lost. And
 * if the server began a new session and its CONNACK was lost, nobody can tell:
 * the client takes the identifiers for those of the old one. */
static bool uncertain(const struct player *p, const struct expected *e)
{
    return e->delivery && (e->delivery->given == UINT32_MAX ||
                           (e->qos == 2 && (p->told_epoch != p->epoch ||
                                            e->delivery->disowned)));
}

static bool payload_same(const struct expected *e, const struct mqtt_message *m)
{
    return !m->payload.size || !memcmp(e->payload.at + m->payload_offset,
                                       m->payload.data, m->payload.size);
}

/* Whether `f` may be what was just taken for `e`. */
static bool could_be(const struct expected *f, const struct expected *e)
{
    return f->qos == e->qos && f->size == e->size;
}

/* `e` may have been left out, and what looks like it been one behind it: then
 * that comes no more, else it comes yet. */
static void doubt(const struct player *p, const struct expected *e)
{
    const struct expected *end = p->expected + p->expected_end;

    if (!uncertain(p, e))
        return;
    for (const struct expected *f = e + 1; f < end; f++)
        if (could_be(f, e) && !known(p, f))
            f->delivery->given = UINT32_MAX;
        else if (!known(p, f) && !uncertain(p, f))
            return;
}

/* The next one that has to be told of. */
static struct expected *next_expected(struct player *p)
{
    struct expected *e = front(p);

    while (e && !p->part_offset && known(p, e)) {
        p->expected_begin++;
        e = front(p);
    }
    return e;
}

static void given(struct player *p, const struct expected *e, bool by_call)
{
    if (e->qos == 2 && e->delivery)
        e->delivery->given = p->incarnation;
    if (e->qos == 2 && !by_call)
        persist_effect(p, e->delivery);
    if (e->delivery)
        e->delivery->settled = false; /* or not yet, this time */
    p->expected_begin++;
    p->part_offset = 0;
    p->world->seen_messages++;
}

static void check_part(struct player *p, const struct expected *e,
                       const struct mqtt_message *m)
{
    bool last = m->payload_offset + m->payload.size == m->payload_size;

    if (m->payload_offset != p->part_offset ||
        m->payload_offset + m->payload.size > m->payload_size)
        violation(p, "a part at %u, %u was expected", m->payload_offset,
                  p->part_offset);
    else if (!payload_same(e, m))
        violation(p, "a payload is another");
    else if (m->payload.size != m->payload_size && !p->config.large)
        violation(p, "a part, and nobody asked for parts");
    if (last != (m->settle_handle != 0) && m->qos &&
        p->config.settle == MQTT_SETTLE_BY_CALL)
        violation(p, "a handle is there or not");
    p->part_offset += (uint32_t)m->payload.size;
    p->part_pending = !last;
}

static void add_handle(struct player *p, const struct mqtt_message *m,
                       const struct expected *e)
{
    if (!m->settle_handle)
        return;
    if (p->config.settle != MQTT_SETTLE_BY_CALL || !m->qos)
        violation(p, "a handle that nobody asked for");
    if (p->handle_count == HANDLES) { /* the oldest one can wait no more */
        if (!mqtt_settle(&p->client, p->handles[0].handle, 0) &&
            p->handles[0].qos == 2)
            persist_effect(p, p->handles[0].delivery);
        memmove(p->handles, p->handles + 1,
                (HANDLES - 1) * sizeof(p->handles[0]));
        p->handle_count--;
    }
    p->handles[p->handle_count++] = (struct handle){
        m->settle_handle, p->connected_link, p->epoch, (uint8_t)m->qos, false,
        e->delivery};
}

void application_message(struct player *p, const struct mqtt_message *m)
{
    struct expected *e = next_expected(p);

    while (e && uncertain(p, e) && (!same(e, m) || !payload_same(e, m))) {
        p->expected_begin++;
        e = next_expected(p);
    }
    if (p->world->tracing)
        say(p, "  message q%d \"%.*s\" %u+%u of %u", m->qos,
            (int)m->topic_name.size, (const char *)m->topic_name.data,
            m->payload_offset, (unsigned)m->payload.size, m->payload_size);
    if (!p->connected)
        violation(p, "a message without a connection");
    if (!e || !same(e, m)) {
        violation(p, "a message that was not sent, or not now");
        return;
    }
    p->refusable = e;
    nasty_check_quota(p, e);
    check_part(p, e, m);
    if (p->part_pending)
        return;
    add_handle(p, m, e);
    doubt(p, e);
    given(p, e, m->settle_handle != 0);
    persist_point(p);
}

static void message_too_large(struct player *p, const struct mqtt_event *event)
{
    struct expected *e = next_expected(p);

    while (e && uncertain(p, e) &&
           (e->size != event->size || e->qos != event->message.qos)) {
        p->expected_begin++;
        e = next_expected(p);
    }
    if (!e || e->size != event->size || e->qos != event->message.qos ||
        e->size <= p->memory.input_size) {
        violation(p, "a message too large that was not sent");
        return;
    }
    doubt(p, e);
    given(p, e, e->qos == 2 && p->tap_five);
    if (e->delivery && p->tap_five) /* refused: it may come again */
        e->delivery->given = UINT32_MAX;
}

/* -- to whom a message is given ---------------------------------------------------------- */

static bool names(const struct mqtt_message *m, uint32_t identifier)
{
    struct mqtt_property property = {0};

    while (mqtt_property_find(m->properties,
                              MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER, &property))
        if (property.number == identifier)
            return true;
    return false;
}

static bool matches(const struct node *n, const struct mqtt_message *m)
{
    struct bytes filter = bytes_of(n->subscription.topic_filter), group;

    if (!n->registered || n->leaving)
        return false;
    topic_shared(filter, &group, &filter);
    return topic_matches(filter, bytes_of(m->topic_name));
}

/* By name if it names one that matches, else to all that match. */
static bool is_for(const struct node *n, const struct mqtt_message *m,
                   bool named)
{
    return n->subscription.on_message && matches(n, m) &&
           (!named || (n->subscription.identifier &&
                       names(m, n->subscription.identifier)));
}

static bool names_any(const struct player *p, const struct mqtt_message *m)
{
    for (unsigned i = 0; i < NODES; i++) {
        const struct node *n = &p->nodes[i];

        if (n->subscription.identifier && matches(n, m) &&
            names(m, n->subscription.identifier))
            return true;
    }
    return false;
}

bool application_dispatch(struct mqtt_client *client,
                          const struct mqtt_message *message)
{
    struct player *p = client->config_->context;
    bool named = names_any(p, message), due[NODES], any = false, taken;
    uint32_t deeds = p->deeds_done;

    for (unsigned i = 0; i < NODES; i++) {
        due[i] = is_for(&p->nodes[i], message, named);
        any = any || due[i];
        p->nodes[i].called = 0;
    }
    application_message(p, message);
    taken = mqtt_dispatch_linear(client, message);
    if (p->destroyed || p->deeds_done != deeds || p->world->failed)
        return taken;
    if (taken != any)
        violation(p, "a message was taken %d, wanted %d, named %d", taken, any,
                  named);
    for (unsigned i = 0; i < NODES; i++)
        if (p->nodes[i].called != due[i])
            violation(p, "subscription %u was called %u times", i,
                      p->nodes[i].called);
    return taken;
}

void application_on_node(struct mqtt_client *client,
                         const struct mqtt_message *message, void *context)
{
    struct node *n = context;
    struct player *p = client->config_->context;

    (void)message;
    n->called++;
    operations_in_callback(p);
}

void application_on_message(struct mqtt_client *client,
                            const struct mqtt_message *message, void *context)
{
    struct player *p = context;

    (void)client;
    event_happened(p->world, MQTT_EVENT_MESSAGE);
    if (!p->own_dispatch)
        application_message(p, message);
    operations_in_callback(p);
}

/* -- subscriptions ------------------------------------------------------------------------- */

static struct node *node_of(struct player *p,
                            const struct mqtt_subscription *subscription)
{
    for (unsigned i = 0; i < NODES; i++)
        if (&p->nodes[i].subscription == subscription)
            return &p->nodes[i];
    violation(p, "an event of no subscription");
    return NULL;
}

static void subscribed(struct player *p, const struct mqtt_event *event)
{
    struct node *n = node_of(p, event->subscription);

    if (!n)
        return;
    n->answers++;
    n->refused = event->error || event->reason_code & 0x80;
    n->code = event->reason_code;
    if (!n->registered)
        violation(p, "an answer to a subscription that is none");
    else if (n->answers > n->allowed)
        violation(p, "a subscription was answered %u times", n->answers);
    if (event->reason_code > 2 && event->reason_code < 0x80)
        violation(p, "SUBACK code %02x", event->reason_code);
    if (event->reason_code <= 2 && !event->error &&
        event->reason_code > n->subscription.maximum_qos && !p->twins)
        violation(p, "more granted than asked for");
}

static void unsubscribed(struct player *p, const struct mqtt_event *event)
{
    struct node *n = node_of(p, event->subscription);

    if (!n)
        return;
    if (!n->registered || !n->leaving)
        violation(p, "the end of a subscription that nobody ended");
    n->registered = n->leaving = false;
    p->left_over = p->left_over || event->error || event->reason_code & 0x80;
}

/* Each may be answered once more: it is asked for again. */
static void renew_nodes(struct player *p)
{
    for (unsigned i = 0; i < NODES; i++)
        p->nodes[i].allowed++;
}

/* -- connections ------------------------------------------------------------------------------- */

static void connected(struct player *p, const struct mqtt_event *event)
{
    if (p->connected)
        violation(p, "connected twice");
    p->connected = true;
    p->gave_up = false;
    p->connected_link = p->wire.number;
    p->connected_at = p->client.engine_.now_;
    if (p->wire.link && p->wire.link->session &&
        p->wire.link->resumed != event->session_present)
        violation(p, "session present is not what the server said");
    if (!mqtt_client_identifier(&p->client).size)
        p->ends_session = true; /* nobody can come back to it */
    if (!event->session_present) {
        p->told_epoch = p->epoch;
        renew_nodes(p);
        ledger_session_lost(p);
        p->lost_check = true;
        p->incarnation_of_session++;
    }
    configured_connected(p);
}

/* Errors that a server which keeps the standard can cause. */
static bool lawful(const struct player *p, enum mqtt_error error)
{
    switch (error) {
    case MQTT_ERR_SESSION_PRESENT:
    case MQTT_ERR_DISCONNECT_PACKET:
    case MQTT_ERR_ANNOUNCED:
    case MQTT_ERR_ALIAS_MEMORY:
        return true;
    case MQTT_ERR_STORE:
        return p->disk.used;
    case MQTT_ERR_RECEIVED_FULL:
        return !p->tap_five || !p->memory.received_count || p->overrun;
    case MQTT_ERR_RECEIVE_MAXIMUM:
        return p->overrun && !p->config.tolerate_overrun;
    case MQTT_ERR_PACKET_TOO_LARGE:
        return p->tap_five && p->config.large; /* the head of it */
    default:
        return error <= MQTT_ERR_OPEN_TIMEOUT;
    }
}

/* It has ended its session, and the server knows of it, or does not. */
static void disown(struct player *p)
{
    struct session *sessions = p->world->server.sessions;

    p->gave_up = true;
    for (unsigned i = 0; i < SESSIONS; i++)
        if (sessions[i].used && sessions[i].client == p->index)
            server_disown(&sessions[i]);
}

static void disconnected(struct player *p, const struct mqtt_event *event)
{
    redirect_disconnected(p, event);
    configured_disconnected(p, event);
    silence_disconnected(p, event);
    rules_connack(p, event);
    rules_disconnected(p, event);
    if (event->error && !lawful(p, event->error))
        violation(p, "disconnected: %s", mqtt_error_text(event->error));
    if (event->error == MQTT_ERR_RECEIVE_MAXIMUM && p->tap_disconnect &&
        p->tap_code != 0x93)
        violation(p, "an overrun was answered with %02x", p->tap_code);
    if (p->connected && event->error == MQTT_ERR_REFUSED)
        violation(p, "refused, and was connected");
    if (event->error == MQTT_ERR_PINGRESP_TIMEOUT && !p->late &&
        p->begun_calm && !p->wire_was_slow)
        violation(p, "a live link was taken for dead");
    if (p->connected && p->ends_session) {
        p->gave_up = true;
        ledger_session_lost(p);
        p->lost_check = !p->end_unsure;
    }
    p->connected = false;
    if (p->end_unsure)
        disown(p);
    p->end_unsure = p->end_unsure && event->retry_at != MQTT_NEVER;
    p->part_offset = 0;
    p->part_pending = false;
    p->refusable = NULL;
    p->expected_begin = p->expected_end = 0;
    renew_nodes(p);
    if (event->retry_at == MQTT_NEVER)
        p->connect_at =
            p->world->now + any_size(&p->dice, p->world->gap_ms * 8 + 1);
}

static void authentication(struct player *p, const struct mqtt_event *event)
{
    if (event->reason_code == 0x18)
        p->answer_auth = true;
}

void application_event(struct player *p, const struct mqtt_event *event)
{
    if (p->world->tracing)
        say(p, "  event %d error %d code %02x id %u", event->type, event->error,
            event->reason_code, event->packet_identifier);
    told_event(p, event);
    switch (event->type) {
    case MQTT_EVENT_CONNECTED:
        connected(p, event);
        break;
    case MQTT_EVENT_DISCONNECTED:
        disconnected(p, event);
        break;
    case MQTT_EVENT_MESSAGE_TOO_LARGE:
        message_too_large(p, event);
        break;
    case MQTT_EVENT_PUBLISHED:
        persist_told_end(p, event);
        ledger_published(p, event);
        break;
    case MQTT_EVENT_SUBSCRIBED:
        subscribed(p, event);
        break;
    case MQTT_EVENT_UNSUBSCRIBED:
        unsubscribed(p, event);
        break;
    case MQTT_EVENT_ROOM:
        if (!p->room_due)
            violation(p, "ROOM, and nothing was refused");
        p->room_due = false;
        break;
    case MQTT_EVENT_AUTHENTICATION:
        authentication(p, event);
        break;
    case MQTT_EVENT_STORED:
        persist_told_stored(p, event->packet_identifier);
        break;
    case MQTT_EVENT_STORE_FAILED:
        persist_told_failed(p, event->error);
        break;
    default:
        break;
    }
    persist_point(p);
}

void application_on_event(struct mqtt_client *client,
                          const struct mqtt_event *event, void *context)
{
    struct player *p = context;

    event_happened(p->world, event->type);
    application_event(p, event);
    operations_in_callback(p);
    if (p->world->failed && !p->destroyed) { /* no events without end */
        mqtt_client_destroy(client);
        p->destroyed = true;
    }
}

/* -- at the end ------------------------------------------------------------------------------- */

/* Whether the server has sent a message that was not given. */
static bool any_missing(const struct player *p)
{
    for (uint32_t i = p->expected_begin; i < p->expected_end; i++)
        if (!known(p, &p->expected[i]) && !uncertain(p, &p->expected[i]))
            return true;
    return false;
}

/* Whether the application has been told of all that it waits for. */
bool application_at_rest(const struct player *p, const char **why)
{
    if (any_missing(p))
        *why = "a message was not given";
    else if (p->open_count)
        *why = "publications are open";
    else if (p->room_due)
        *why = "ROOM is due";
    else
        for (unsigned i = 0; i < NODES && !*why; i++)
            if (p->nodes[i].registered &&
                (p->nodes[i].leaving || !p->nodes[i].answers))
                *why = "a subscription waits for its answer";
    if (!*why && !rules_subscriptions(p))
        *why = "the server has other subscriptions";
    return !*why;
}
