#include "records.h"

static bool is_message(unsigned kind)
{
    return kind == MQTT_RECORD_PUBLISH || kind == MQTT_RECORD_PUBREL;
}

/* Of PUBLISH and PUBREL there is one for a packet identifier. */
static bool same(const struct record *a, unsigned kind, uint16_t identifier)
{
    return a->identifier == identifier &&
           (a->kind == kind || (is_message(a->kind) && is_message(kind)));
}

/* The last one lies where the order is the highest: what is put goes there. */
static void take_out(struct record_list *list, unsigned kind,
                     uint16_t identifier)
{
    for (unsigned i = 0; i < list->count; i++) {
        if (!same(&list->of[i], kind, identifier))
            continue;
        list->count--;
        memmove(&list->of[i], &list->of[i + 1],
                (list->count - i) * sizeof(list->of[0]));
        return;
    }
}

static void copy_list(struct record_list *to, const struct record_list *from)
{
    to->count = from->count;
    for (unsigned i = 0; i < from->count; i++) {
        const struct record *record = &from->of[i];

        memcpy(&to->of[i], record,
               offsetof(struct record, bytes) + record->size);
    }
}

static bool is_ours(struct mqtt_span client_identifier)
{
    return client_identifier.size == 2 &&
           memcmp(client_identifier.data, "id", 2) == 0;
}

/* A call that changes something; whether it fails. */
static bool fails(struct records *r)
{
    r->calls++;
    return r->fail_in && !--r->fail_in;
}

/* ---- the hooks ----------------------------------------------------------------- */

static enum mqtt_error put(struct mqtt_store *store,
                           struct mqtt_span client_identifier,
                           const struct mqtt_record *record)
{
    struct records *r = store->context;
    struct record *to;

    require(is_ours(client_identifier));
    require(record->order > r->order);
    r->order = record->order;
    if (fails(r))
        return MQTT_ERR_STORE;
    take_out(&r->now, record->kind, record->packet_identifier);
    require(r->now.count < RECORDS_MAX);
    to = &r->now.of[r->now.count++];
    to->kind = record->kind;
    to->identifier = record->packet_identifier;
    to->order = record->order;
    to->size = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct mqtt_span piece = record->content[i];

        require(piece.size <= (size_t)(RECORD_ROOM - to->size));
        if (piece.size)
            memcpy(to->bytes + to->size, piece.data, piece.size);
        to->size = (uint16_t)(to->size + piece.size);
    }
    return MQTT_OK;
}

static enum mqtt_error remove_one(struct mqtt_store *store,
                                  struct mqtt_span client_identifier,
                                  enum mqtt_record_kind kind,
                                  uint16_t packet_identifier)
{
    struct records *r = store->context;

    require(is_ours(client_identifier));
    if (fails(r))
        return MQTT_ERR_STORE;
    take_out(&r->now, kind, packet_identifier);
    return MQTT_OK;
}

static enum mqtt_error remove_all(struct mqtt_store *store,
                                  struct mqtt_span client_identifier)
{
    struct records *r = store->context;

    require(is_ours(client_identifier));
    if (fails(r))
        return MQTT_ERR_STORE;
    r->now.count = 0;
    return MQTT_OK;
}

static enum mqtt_error commit(struct mqtt_store *store,
                              struct mqtt_span client_identifier,
                              struct mqtt_client *client, bool *done)
{
    struct records *r = store->context;

    require(is_ours(client_identifier) && !r->waits);
    *done = false;
    if (fails(r))
        return MQTT_ERR_STORE;
    if (r->later) {
        copy_list(&r->committing, &r->now);
        r->waits = client;
        return MQTT_OK;
    }
    copy_list(&r->durable, &r->now);
    *done = true;
    return MQTT_OK;
}

static enum mqtt_error next(struct mqtt_store *store,
                            struct mqtt_span client_identifier, uint64_t order,
                            struct mqtt_record *record, bool *found)
{
    struct records *r = store->context;
    const struct record *from;

    require(is_ours(client_identifier));
    if (!order)
        records_kill(r);
    require(order == r->order);
    *found = r->next < r->durable.count;
    if (!*found)
        return MQTT_OK;
    from = &r->durable.of[r->next++];
    memset(record, 0, sizeof(*record));
    record->kind = (enum mqtt_record_kind)from->kind;
    record->packet_identifier = from->identifier;
    record->order = r->order = from->order;
    record->content[0] = (struct mqtt_span){from->bytes, from->size};
    return MQTT_OK;
}

/* ---- for the target ------------------------------------------------------------ */

void records_begin(struct records *r)
{
    r->store = (struct mqtt_store){
        .seam = &mqtt_store_seam,
        .put = put,
        .remove = remove_one,
        .remove_all = remove_all,
        .commit = commit,
        .next = next,
        .context = r,
    };
    r->durable.count = 0;
    r->later = false;
    r->calls = r->fail_in = 0;
    records_kill(r);
}

void records_kill(struct records *r)
{
    copy_list(&r->now, &r->durable);
    r->waits = NULL;
    r->next = 0;
    r->order = 0;
}

void records_done(struct records *r, enum mqtt_error error)
{
    struct mqtt_client *client = r->waits;

    if (!client)
        return;
    r->waits = NULL;
    if (!error)
        copy_list(&r->durable, &r->committing);
    mqtt_client_committed(client, error);
}

const struct record *records_find(const struct records *r, unsigned kind,
                                  uint16_t identifier)
{
    for (unsigned i = 0; i < r->durable.count; i++)
        if (r->durable.of[i].kind == kind &&
            r->durable.of[i].identifier == identifier)
            return &r->durable.of[i];
    return NULL;
}
