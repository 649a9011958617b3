#include <stdlib.h>
#include <string.h>
#include "world.h"

/* -- records ------------------------------------------------------------------------ */

static unsigned bucket_of(uint16_t identifier)
{
    return identifier % BUCKETS;
}

/* PUBLISH and PUBREL have one place. */
static unsigned place_of(unsigned kind)
{
    return kind == MQTT_RECORD_PUBREL ? MQTT_RECORD_PUBLISH : kind;
}

static struct record **find(struct disk *d, unsigned kind, uint16_t identifier)
{
    struct record **place = &d->buckets[bucket_of(identifier)];

    while (*place && ((*place)->identifier != identifier ||
                      place_of((*place)->kind) != place_of(kind)))
        place = &(*place)->next;
    return place;
}

static bool has_kind(struct disk *d, unsigned kind, uint16_t identifier)
{
    const struct record *record = *find(d, kind, identifier);

    return record && record->kind == kind;
}

static bool is_outgoing(const struct record *record)
{
    return place_of(record->kind) == MQTT_RECORD_PUBLISH;
}

static void take_out(struct player *p, struct record **place)
{
    struct record *record = *place;

    if (is_outgoing(record))
        publication_at(p, record->index)->durable = false;
    *place = record->next;
    p->disk.record_count--;
}

static void insert(struct player *p, struct record *record)
{
    struct record **place = find(&p->disk, record->kind, record->identifier);

    if (*place)
        take_out(p, place);
    place = &p->disk.buckets[bucket_of(record->identifier)];
    record->next = *place;
    *place = record;
    p->disk.record_count++;
    if (is_outgoing(record)) {
        struct publication *m = publication_at(p, record->index);

        m->durable = m->was_durable = true;
    }
}

static void clear(struct player *p)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        while (p->disk.buckets[i])
            take_out(p, &p->disk.buckets[i]);
}

/* -- changes ------------------------------------------------------------------------ */

static struct change *new_change(struct player *p, enum change_kind kind)
{
    struct disk *d = &p->disk;

    if (d->change_count == d->change_room) {
        uint32_t room = d->change_room * 2 + 64;
        struct change *more =
            store_take(&p->world->store, room * sizeof(*more));

        if (d->change_count)
            memcpy(more, d->changes, d->change_count * sizeof(*more));
        d->changes = more;
        d->change_room = room;
    }
    d->changes[d->change_count] = (struct change){.kind = (uint8_t)kind};
    return &d->changes[d->change_count++];
}

static void apply(struct player *p, const struct change *change)
{
    struct record **place;

    switch ((enum change_kind)change->kind) {
    case CHANGE_PUT:
        insert(p, change->record);
        break;
    case CHANGE_REMOVE:
        place = find(&p->disk, change->record_kind, change->identifier);
        if (*place && (!p->disk.exact || (*place)->kind == change->record_kind))
            take_out(p, place);
        break;
    case CHANGE_REMOVE_ALL:
        clear(p);
        break;
    case CHANGE_EFFECT:
        if (change->delivery->effects++ && !change->delivery->disowned)
            violation(p, "a QoS 2 message has its effect twice");
        break;
    }
}

/* The first ones of the changes are gone; effects stay if they are not. */
static void drop(struct disk *d, uint32_t count, bool keep_effects)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < d->change_count; i++)
        if (i >= count || (keep_effects && d->changes[i].kind == CHANGE_EFFECT))
            d->changes[kept++] = d->changes[i];
    d->change_count = kept;
}

static void land(struct player *p)
{
    struct disk *d = &p->disk;

    for (uint32_t i = 0; i < d->committing; i++)
        apply(p, &d->changes[i]);
    drop(d, d->committing, false);
    d->told_epoch = d->committing_epoch;
    event_happened(p->world, 0x800);
}

/* -- being called ------------------------------------------------------------------- */

/* The C stack of the process is left as a whole: nothing in it is used again,
 * for the client and its memory are made anew. The world, whose own state is
 * whole at every call of a store or of the application, goes on in its loop. */
static void die(struct player *p)
{
    p->world->victim = p;
    longjmp(p->world->death, 1);
}

void persist_point(struct player *p)
{
    struct disk *d = &p->disk;

    if (d->kill_in && !--d->kill_in)
        die(p);
}

/* A call begins. *dying: the process ends with it. */
static enum mqtt_error enter(struct player *p, bool *dying)
{
    struct disk *d = &p->disk;

    *dying = d->kill_in && !--d->kill_in;
    if (*dying && !d->kill_after)
        die(p);
    if (!d->fail_in || d->fail_in-- > 1)
        return MQTT_OK;
    if (d->fail_count) { /* the next one fails, too */
        d->fail_count--;
        d->fail_in = 1;
    }
    d->failures++;
    say(p, "  (the store fails)");
    return MQTT_ERR_STORE;
}

static void leave(struct player *p, bool dying)
{
    if (dying)
        die(p);
}

static struct player *player_of(struct mqtt_store *store,
                                struct mqtt_span client_identifier)
{
    struct player *p = store->context;
    struct mqtt_span key = p->config.connect.client_identifier;

    if (client_identifier.size != key.size ||
        (key.size && memcmp(client_identifier.data, key.data, key.size) != 0))
        violation(p, "store: another key");
    return p;
}

/* -- put and remove ----------------------------------------------------------------- */

static uint32_t join(struct player *p, const struct mqtt_record *record,
                     const uint8_t **content)
{
    uint8_t *bytes;
    size_t size = 0;

    for (unsigned i = 0; i < 3; i++)
        size += record->content[i].size;
    if (size > p->memory.outbox_size + 8 && record->kind != MQTT_RECORD_SESSION)
        violation(p, "store: content of %u bytes", (unsigned)size);
    *content = bytes = store_raw(&p->world->store, size);
    for (unsigned i = 0; i < 3; i++) {
        if (record->content[i].size)
            memcpy(bytes, record->content[i].data, record->content[i].size);
        bytes += record->content[i].size;
    }
    return (uint32_t)size;
}

/* The publication that has the identifier, else the one that is just made. */
static uint32_t index_of(const struct player *p, uint16_t identifier)
{
    uint32_t i = p->by_identifier[identifier];

    return i ? i - 1 : p->publication_count;
}

static struct record *copy(struct player *p, const struct mqtt_record *from)
{
    struct record *record = store_raw(&p->world->store, sizeof(*record));

    record->read = false;
    record->order = from->order;
    record->put_at =
        p->turned_at < p->world->now ? p->turned_at : p->world->now;
    record->size = join(p, from, &record->content);
    record->identifier = from->packet_identifier;
    record->kind = (uint8_t)from->kind;
    record->index =
        is_outgoing(record) ? index_of(p, from->packet_identifier) : 0;
    return record;
}

static void check_put(struct player *p, const struct mqtt_record *record)
{
    if (record->order <= p->disk.order)
        violation(p, "store: the order does not go up");
    if (record->kind < MQTT_RECORD_PUBLISH ||
        record->kind > MQTT_RECORD_SESSION)
        violation(p, "store: kind %d", record->kind);
    if (!record->packet_identifier != (record->kind == MQTT_RECORD_SESSION))
        violation(p, "store: packet identifier %u", record->packet_identifier);
    p->disk.order = record->order;
}

static enum mqtt_error put(struct mqtt_store *store,
                           struct mqtt_span client_identifier,
                           const struct mqtt_record *record)
{
    struct player *p = player_of(store, client_identifier);
    bool dying;
    enum mqtt_error error = enter(p, &dying);

    if (!error && p->disk.full_until > p->world->now) {
        p->disk.failures++;
        error = MQTT_ERR_MEMORY;
    }
    check_put(p, record);
    if (!error && !p->world->failed)
        new_change(p, CHANGE_PUT)->record = copy(p, record);
    leave(p, dying);
    return error;
}

static enum mqtt_error remove_one(struct mqtt_store *store,
                                  struct mqtt_span client_identifier,
                                  enum mqtt_record_kind kind,
                                  uint16_t packet_identifier)
{
    struct player *p = player_of(store, client_identifier);
    bool dying;
    enum mqtt_error error = enter(p, &dying);

    if (!error) {
        struct change *change = new_change(p, CHANGE_REMOVE);

        change->record_kind = (uint8_t)kind;
        change->identifier = packet_identifier;
    }
    leave(p, dying);
    return error;
}

static enum mqtt_error remove_all(struct mqtt_store *store,
                                  struct mqtt_span client_identifier)
{
    struct player *p = player_of(store, client_identifier);
    bool dying;
    enum mqtt_error error = enter(p, &dying);

    if (!error)
        new_change(p, CHANGE_REMOVE_ALL);
    leave(p, dying);
    return error;
}

/* -- commit ------------------------------------------------------------------------- */

static uint32_t delay(struct player *p)
{
    struct disk *d = &p->disk;

    if (d->slow_until > p->world->now)
        return any_size(&d->dice, d->slow_ms);
    return d->latency ? roll(&d->dice, d->latency + 1) : 0;
}

/* It is to be done later, and may fail then. */
static void begin_commit(struct player *p, uint32_t ms)
{
    struct disk *d = &p->disk;

    d->open = true;
    d->doomed = d->fail_in && d->fail_in-- <= 1;
    d->due = p->world->now + ms;
}

static enum mqtt_error commit(struct mqtt_store *store,
                              struct mqtt_span client_identifier,
                              struct mqtt_client *client, bool *done)
{
    struct player *p = player_of(store, client_identifier);
    struct disk *d = &p->disk;
    uint32_t ms = delay(p);
    bool dying;
    enum mqtt_error error = enter(p, &dying);

    if (client != &p->client)
        violation(p, "store: a commit of another client");
    if (d->open)
        violation(p, "store: a commit while one is open");
    d->committing = d->change_count;
    d->committing_epoch = p->told_epoch;
    *done = !error && !ms;
    if (*done)
        land(p);
    else if (error)
        drop(d, d->committing, true);
    else
        begin_commit(p, ms);
    leave(p, dying);
    return error;
}

void persist_tick(struct player *p)
{
    struct disk *d = &p->disk;
    bool good = !d->doomed;

    if (!d->open || d->due > p->world->now)
        return;
    d->open = false;
    if (good)
        land(p);
    else
        drop(d, d->committing, true);
    d->failures += !good;
    say(p, "  (commit %s)", good ? "done" : "failed");
    mqtt_client_committed(&p->client, good ? MQTT_OK : MQTT_ERR_STORE);
    event_happened(p->world, 0x801);
}

uint64_t persist_wakes(const struct player *p)
{
    return p->disk.open ? p->disk.due : NEVER;
}

/* -- reading ------------------------------------------------------------------------ */

static int by_order(const void *a, const void *b)
{
    const struct record *const *x = a, *const *y = b;

    return ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

/* What is not committed is void from now on. */
static void begin_reading(struct player *p)
{
    struct disk *d = &p->disk;
    uint32_t n = 0;

    drop(d, d->change_count, false);
    if (d->sorted_room < d->record_count) {
        d->sorted_room = d->record_count * 2;
        d->sorted = store_take(&p->world->store,
                               d->sorted_room * sizeof(struct record *));
    }
    for (unsigned i = 0; i < BUCKETS; i++)
        for (struct record *r = d->buckets[i]; r; r = r->next)
            d->sorted[n++] = r;
    d->sorted_count = n;
    d->order = 0;
    if (!n)
        return;
    qsort(d->sorted, n, sizeof(struct record *), by_order);
    d->order = d->sorted[n - 1]->order;
}

static const struct record *above(const struct disk *d, uint64_t order)
{
    uint32_t low = 0, high = d->sorted_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (d->sorted[middle]->order > order)
            high = middle;
        else
            low = middle + 1;
    }
    return low < d->sorted_count ? d->sorted[low] : NULL;
}

static enum mqtt_error next(struct mqtt_store *store,
                            struct mqtt_span client_identifier, uint64_t order,
                            struct mqtt_record *record, bool *found)
{
    struct player *p = player_of(store, client_identifier);
    const struct record *r;
    bool dying;

    if (p->made)
        violation(p, "store: read by a client that is made");
    if (!order)
        begin_reading(p);
    p->disk.fail_in = 0; /* that it refuses is a fault of its own */
    enter(p, &dying);
    leave(p, dying);
    if (persist_is_shut(p))
        return MQTT_ERR_STORE;
    r = above(&p->disk, order);
    *found = r != NULL;
    if (r)
        *record = (struct mqtt_record){(enum mqtt_record_kind)r->kind,
                                       r->identifier,
                                       r->order,
                                       {{r->content, r->size}}};
    return MQTT_OK;
}

bool persist_is_shut(const struct player *p)
{
    return p->disk.used && p->disk.shut_until > p->world->now;
}

/* -- beginning ---------------------------------------------------------------------- */

void persist_begin(struct player *p, bool used)
{
    struct disk *d = &p->disk;

    d->dice = dice_of(p->world->seed, 48 + p->index);
    d->used = used && !one_in(&d->dice, 4);
    d->exact = one_in(&d->dice, 2);
    d->latency = one_in(&d->dice, 2) ? 0 : any_size(&d->dice, 100);
    d->store = (struct mqtt_store){
        &mqtt_store_seam, put, remove_one, remove_all, commit, next, p};
}

/* -- faults ------------------------------------------------------------------------- */

static void fail(struct disk *d, struct dice *dice)
{
    d->fail_in = any_size(dice, 40);
    d->fail_count = one_in(dice, 2) ? 0 : roll(dice, 8);
}

static void kill_process(struct player *p, struct dice *dice)
{
    struct disk *d = &p->disk;

    if (!p->made)
        return;
    d->kill_after = one_in(dice, 2);
    if (!d->used || one_in(dice, 4))
        player_die(p);
    else
        d->kill_in = any_size(dice, 100);
}

void persist_fault(struct player *p, unsigned kind, struct dice *dice)
{
    struct disk *d = &p->disk;
    uint64_t until = p->world->now + any_size(dice, 60000);

    switch (kind) {
    case FAULT_KILL:
        kill_process(p, dice);
        break;
    case FAULT_SLOW:
        d->slow_until = until;
        d->slow_ms = any_size(dice, 20000);
        break;
    case FAULT_FAIL:
        fail(d, dice);
        break;
    case FAULT_FULL:
        d->full_until = until;
        break;
    default:
        d->shut_until = until;
    }
}

void persist_be_friendly(struct player *p)
{
    struct disk *d = &p->disk;

    d->slow_until = d->full_until = d->shut_until = 0;
    d->fail_in = d->fail_count = d->kill_in = 0;
    d->doomed = false;
}

/* -- from process to process -------------------------------------------------------- */

/* An open commit lands, or does not. */
static void end_commit(struct player *p)
{
    struct disk *d = &p->disk;

    if (d->open && !d->doomed && one_in(&d->dice, 2))
        land(p);
    d->open = d->doomed = false;
    drop(d, d->change_count, false);
    d->failures = d->kill_in = 0;
    d->kills++;
}

/* It ended before its record was durable: nobody knows of it any more. */
static void vanish(struct player *p, struct publication *m)
{
    if (m->was_durable)
        violation(p, "publication %u: no record, and its end was not told",
                  m->index);
    if (m->stream && m->qos == 2 && m->sent != SENT_NOT)
        p->lose_session = true;
    m->ended = true;
    p->by_identifier[m->identifier] = 0;
    p->open_count--;
}

/* Records count in whole seconds, at both ends. */
enum { MARGIN_MS = 2000 };

/* What the record says, whatever clock the processes have that read it. */
static uint64_t left_of(struct publication *m, struct record *record)
{
    if (!record->read) {
        m->margin_ms += MARGIN_MS;
        record->left_ms = m->expires_at > record->put_at
                              ? m->expires_at - record->put_at + MARGIN_MS
                              : MARGIN_MS;
    }
    record->read = true;
    return record->left_ms;
}

/* It goes on; perhaps its end, which was told, was not yet durable. */
static void survive(struct player *p, struct record *record)
{
    struct publication *m = publication_at(p, record->index);

    if (m->index >= p->publication_count || m->identifier != record->identifier)
        violation(p, "a record of no publication, identifier %u",
                  record->identifier);
    if (m->ended)
        p->open_count++;
    m->ended = m->lost_due = false;
    m->restored = true;
    p->by_identifier[m->identifier] = m->index + 1;
    if (m->sent == SENT_NOT)
        m->sent = SENT_PERHAPS; /* it may count as sent */
    if (m->expires_at != NEVER)
        m->left_ms = left_of(m, record);
}

static void end_publications(struct player *p)
{
    for (uint32_t i = 0; i < p->publication_count; i++) {
        struct publication *m = publication_at(p, i);

        if (m->qos && !m->ended && !m->durable)
            vanish(p, m);
    }
    for (unsigned i = 0; i < BUCKETS; i++)
        for (struct record *r = p->disk.buckets[i]; r; r = r->next)
            if (is_outgoing(r))
                survive(p, r);
}

/* What was settled durably is not given to the next process; and its effect is
 * durable if that is. */
static void end_delivery(struct player *p, struct delivery *d)
{
    bool settled = has_kind(&p->disk, MQTT_RECORD_RECEIVED, d->identifier);

    if (d->qos != 2 || d->given != p->incarnation)
        return;
    if (settled)
        d->given = p->incarnation + 1;
    if (settled != (d->effects != 0) && !d->released && !d->disowned &&
        p->told_epoch == p->epoch && !p->gave_up &&
        p->config.connect.client_identifier.size)
        violation(p, "identifier %u: settled %d, effects %u", d->identifier,
                  settled, d->effects);
}

static void end_deliveries(struct player *p)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct session *s = &p->world->server.sessions[i];

        if (!s->used || s->client != p->index)
            continue;
        for (struct delivery *d = s->open.first; d; d = d->next)
            end_delivery(p, d);
    }
}

/* A stream of QoS 2 leaves its identifier behind, as store.h says: that session
 * is not gone on with. */
void persist_process_ended(struct player *p)
{
    p->lose_session = false;
    end_commit(p);
    p->told_epoch = p->disk.told_epoch;
    end_publications(p);
    end_deliveries(p);
    if (p->lose_session)
        server_lose_session(&p->world->server, p->index);
}

void persist_process_begins(struct player *p)
{
    struct mqtt_outstanding it = {0};
    uint32_t count = 0, expiring = 0;

    while (mqtt_client_next_outstanding(&p->client, &it))
        count++;
    for (uint32_t i = 0; i < p->publication_count; i++) {
        struct publication *m = publication_at(p, i);

        if (!m->restored || m->ended || m->expires_at == NEVER)
            continue;
        m->expires_at = p->world->now + m->left_ms;
        expiring += m->left_ms <= m->margin_ms + 1000; /* perhaps at once */
    }
    if (count > p->open_count || count + expiring < p->open_count)
        violation(p, "%u restored, %u are durable", count, p->open_count);
}

const char *persist_unrest(const struct player *p)
{
    const struct disk *d = &p->disk;

    if (!d->used)
        return NULL;
    if (d->open)
        return "a commit is open";
    if (d->change_count)
        return "something is not committed";
    if (d->record_count > 1 && p->told_epoch == p->epoch)
        return "there are records left";
    return NULL;
}

/* -- the application ---------------------------------------------------------------- */

void persist_effect(struct player *p, struct delivery *delivery)
{
    if (p->disk.used && delivery)
        new_change(p, CHANGE_EFFECT)->delivery = delivery;
}

static struct publication *publication_of(const struct player *p,
                                          uint16_t identifier)
{
    uint32_t i = p->by_identifier[identifier];

    return i ? publication_at(p, i - 1) : NULL;
}

void persist_told_stored(struct player *p, uint16_t identifier)
{
    struct publication *m = publication_of(p, identifier);

    if (!p->disk.used || !m)
        violation(p, "stored: identifier %u, which is of nothing", identifier);
    else if (m->stored || m->restored || m->stream)
        violation(p, "publication %u is told to be stored again", m->index);
    else if (!m->durable)
        violation(p, "publication %u is told to be stored and is not",
                  m->index);
    else
        m->stored = true;
}

void persist_told_failed(struct player *p, enum mqtt_error error)
{
    if (!p->disk.failures)
        violation(p, "the store has not failed");
    if (error != MQTT_ERR_STORE && error != MQTT_ERR_MEMORY)
        violation(p, "the store has not said %d", error);
    p->disk.failures = 0;
}

void persist_told_end(struct player *p, const struct mqtt_event *event)
{
    const struct publication *m = publication_of(p, event->packet_identifier);

    if (p->disk.used && m && event->outcome == MQTT_OUTCOME_ACKNOWLEDGED &&
        !m->stored && !m->restored && !m->stream)
        violation(p, "publication %u is acknowledged before it is stored",
                  m->index);
}

/* -- what leaves -------------------------------------------------------------------- */

/* Whether the application has the effect of a message whose PUBREC leaves; or
 * did not want it. */
static bool has_effect(const struct player *p, uint16_t identifier)
{
    const struct delivery *d = NULL;

    if (p->wire.link && p->wire.link->session && p->told_epoch == p->epoch)
        d = p->wire.link->session->open.first;
    while (d && d->identifier != identifier)
        d = d->next;
    return !d || d->disowned || d->effects || d->given == UINT32_MAX;
}

static void outgoing_left(struct player *p, const struct packet *packet)
{
    const struct publication *m = publication_of(p, packet->identifier);

    if (!m || m->stream)
        return;
    if (!m->durable)
        violation(p, "publication %u leaves and is not durable", m->index);
    else if (packet->type == PUBREL &&
             !has_kind(&p->disk, MQTT_RECORD_PUBREL, packet->identifier))
        violation(p, "PUBREL %u leaves and is not durable", packet->identifier);
}

static void pubrec_left(struct player *p, const struct packet *packet)
{
    if (packet->code & 0x80)
        return;
    if (!has_kind(&p->disk, MQTT_RECORD_RECEIVED, packet->identifier))
        violation(p, "PUBREC %u leaves and is not durable", packet->identifier);
    else if (!has_effect(p, packet->identifier))
        violation(p, "PUBREC %u leaves, and there is no effect",
                  packet->identifier);
}

void persist_left(struct player *p, const struct packet *packet)
{
    if (!p->disk.used)
        return;
    if ((packet->type == PUBLISH && packet->qos) || packet->type == PUBREL)
        outgoing_left(p, packet);
    else if (packet->type == PUBREC)
        pubrec_left(p, packet);
    else if (packet->type == PUBCOMP &&
             has_kind(&p->disk, MQTT_RECORD_RECEIVED, packet->identifier))
        violation(p, "PUBCOMP %u leaves and is not durable",
                  packet->identifier);
}
