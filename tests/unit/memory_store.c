#include "memory_store.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- records -------------------------------------------------------------- */

static void set_key(char key[32], struct mqtt_span client_identifier)
{
    assert_true(client_identifier.size < 32);
    memset(key, 0, 32);
    if (client_identifier.size)
        memcpy(key, client_identifier.data, client_identifier.size);
}

static void clear(struct memory_record *record)
{
    free(record->content);
    memset(record, 0, sizeof(*record));
}

/* PUBLISH and PUBREL have one place. */
static bool same_place(const struct memory_record *a,
                       const struct memory_record *b)
{
    enum mqtt_record_kind p = a->kind, q = b->kind;

    if (p == MQTT_RECORD_PUBREL)
        p = MQTT_RECORD_PUBLISH;
    if (q == MQTT_RECORD_PUBREL)
        q = MQTT_RECORD_PUBLISH;
    return p == q && a->packet_identifier == b->packet_identifier &&
           strcmp(a->key, b->key) == 0;
}

static uint64_t *highest_order(struct memory_store *m, const char *key)
{
    size_t i = 0;

    while (m->orders[i].order && strcmp(m->orders[i].key, key) != 0)
        assert_true(++i < COUNT(m->orders));
    memcpy(m->orders[i].key, key, sizeof(m->orders[i].key));
    return &m->orders[i].order;
}

static void drop(struct memory_store *m, size_t i)
{
    clear(&m->records[i]);
    m->record_count--;
    memmove(&m->records[i], &m->records[i + 1],
            (m->record_count - i) * sizeof(m->records[0]));
}

/* All that are of the key, or that have the place of the record. */
static void take_out(struct memory_store *m, const struct memory_record *record,
                     bool all)
{
    for (size_t i = m->record_count; i--;)
        if (all ? strcmp(m->records[i].key, record->key) == 0
                : same_place(&m->records[i], record))
            drop(m, i);
}

static void apply(struct memory_store *m, struct memory_change *change)
{
    take_out(m, &change->record, change->what == CHANGE_REMOVE_ALL);
    if (change->what != CHANGE_PUT) {
        clear(&change->record);
        return;
    }
    assert_true(m->record_count < COUNT(m->records));
    m->records[m->record_count++] = change->record;
    m->durable[change->record.kind]++;
}

/* Those of a client that stand aside: they become durable, or void. */
static void settle(struct memory_store *m, const char *key,
                   bool only_committing, bool good)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->change_count; i++) {
        struct memory_change *change = &m->changes[i];

        if (strcmp(change->record.key, key) != 0 ||
            (only_committing && !change->committing))
            m->changes[kept++] = *change;
        else if (good)
            apply(m, change);
        else
            clear(&change->record);
    }
    m->change_count = kept;
}

/* ---- calls ---------------------------------------------------------------- */

static enum mqtt_error call(struct memory_store *m, enum memory_call kind)
{
    m->calls++;
    if (kind != CALL_NEXT && m->crash_at && !--m->crash_at) {
        m->crashed = true;
        return m->crash_after ? MQTT_OK : MQTT_ERR_STORE;
    }
    if (!(m->fail_calls & kind) || !m->fail_at)
        return MQTT_OK;
    if (m->fail_at > 1) {
        m->fail_at--;
        return MQTT_OK;
    }
    if (!m->fail_count)
        return MQTT_OK;
    m->fail_count--;
    return MQTT_ERR_STORE;
}

static struct memory_change *new_change(struct memory_store *m,
                                        struct mqtt_span client_identifier)
{
    struct memory_change *change = &m->changes[m->change_count];

    assert_true(m->change_count < COUNT(m->changes));
    m->change_count++;
    memset(change, 0, sizeof(*change));
    set_key(change->record.key, client_identifier);
    return change;
}

/* Nobody is there any more: what is asked for has no effect, and nothing that
 * waits for it will ever leave. */
static bool gone(struct memory_store *m, bool crashed_before)
{
    return crashed_before || (m->crashed && !m->crash_after);
}

static void copy_content(struct memory_store *m, struct memory_record *to,
                         const struct mqtt_record *from)
{
    unsigned pieces = 0;

    for (unsigned i = 0; i < 3; i++) {
        struct mqtt_span piece = from->content[i];

        if (!piece.size)
            continue;
        pieces++;
        to->content = realloc(to->content, to->size + piece.size);
        assert_non_null(to->content);
        memcpy(to->content + to->size, piece.data, piece.size);
        to->size += piece.size;
    }
    if (pieces > m->pieces)
        m->pieces = pieces;
}

static enum mqtt_error put(struct mqtt_store *store,
                           struct mqtt_span client_identifier,
                           const struct mqtt_record *record)
{
    struct memory_store *m = store->context;
    bool before = m->crashed;
    enum mqtt_error error = call(m, CALL_PUT);
    struct memory_change *change;
    uint64_t *order;

    if (gone(m, before))
        return MQTT_OK;
    if (error)
        return error;
    change = new_change(m, client_identifier);
    order = highest_order(m, change->record.key);
    assert_true(record->order > *order);
    *order = record->order;
    change->what = CHANGE_PUT;
    change->record.kind = record->kind;
    change->record.packet_identifier = record->packet_identifier;
    change->record.order = record->order;
    copy_content(m, &change->record, record);
    return MQTT_OK;
}

static enum mqtt_error remove_one(struct mqtt_store *store,
                                  struct mqtt_span client_identifier,
                                  enum mqtt_record_kind kind,
                                  uint16_t packet_identifier)
{
    struct memory_store *m = store->context;
    bool before = m->crashed;
    enum mqtt_error error = call(m, CALL_REMOVE);
    struct memory_change *change;

    if (error || gone(m, before))
        return gone(m, before) ? MQTT_OK : error;
    change = new_change(m, client_identifier);
    change->what = CHANGE_REMOVE;
    change->record.kind = kind;
    change->record.packet_identifier = packet_identifier;
    return MQTT_OK;
}

static enum mqtt_error remove_all(struct mqtt_store *store,
                                  struct mqtt_span client_identifier)
{
    struct memory_store *m = store->context;
    bool before = m->crashed;
    enum mqtt_error error = call(m, CALL_REMOVE_ALL);

    if (error || gone(m, before))
        return gone(m, before) ? MQTT_OK : error;
    new_change(m, client_identifier)->what = CHANGE_REMOVE_ALL;
    return MQTT_OK;
}

/* ---- commits -------------------------------------------------------------- */

static struct mqtt_client **waiting(const struct memory_store *m,
                                    const struct mqtt_client *client)
{
    for (size_t i = 0; i < COUNT(m->waiting); i++)
        if (m->waiting[i] == client)
            return (struct mqtt_client **)&m->waiting[i];
    return NULL;
}

static void mark_committing(struct memory_store *m, const char *key)
{
    for (size_t i = 0; i < m->change_count; i++)
        if (strcmp(m->changes[i].record.key, key) == 0)
            m->changes[i].committing = true;
}

static enum mqtt_error commit(struct mqtt_store *store,
                              struct mqtt_span client_identifier,
                              struct mqtt_client *client, bool *done)
{
    struct memory_store *m = store->context;
    bool before = m->crashed;
    enum mqtt_error error = call(m, CALL_COMMIT);
    char key[32];

    assert_non_null(client);
    set_key(key, client_identifier);
    *done = false;
    if (gone(m, before))
        return MQTT_OK;
    m->commits++;
    assert_null(waiting(m, client));
    if (error) {
        settle(m, key, false, false);
        return error;
    }
    mark_committing(m, key);
    if (m->later && !m->crashed) {
        *waiting(m, NULL) = client;
        return MQTT_OK;
    }
    settle(m, key, true, true);
    *done = !m->crashed;
    return MQTT_OK;
}

bool memory_store_waits(const struct memory_store *m, const struct script *s)
{
    return waiting(m, &s->client) != NULL;
}

void memory_store_done(struct memory_store *m, struct script *s,
                       enum mqtt_error error)
{
    struct mqtt_client **place = waiting(m, &s->client);
    char key[32];

    assert_non_null(place);
    *place = NULL;
    set_key(key, s->config.connect.client_identifier);
    settle(m, key, true, error == MQTT_OK);
    mqtt_client_committed(&s->client, error);
}

/* ---- reading -------------------------------------------------------------- */

static const struct memory_record *lowest(const struct memory_store *m,
                                          const char *key, uint64_t above)
{
    const struct memory_record *found = NULL;

    for (size_t i = 0; i < m->record_count; i++) {
        const struct memory_record *record = &m->records[i];

        if (strcmp(record->key, key) == 0 && record->order > above &&
            (!found || record->order < found->order))
            found = record;
    }
    return found;
}

static enum mqtt_error next(struct mqtt_store *store,
                            struct mqtt_span client_identifier, uint64_t order,
                            struct mqtt_record *record, bool *found)
{
    struct memory_store *m = store->context;
    const struct memory_record *r;
    enum mqtt_error error = call(m, CALL_NEXT);
    char key[32];

    set_key(key, client_identifier);
    *found = false;
    if (!order)
        settle(m, key, false, false);
    if (error)
        return error;
    memset(record, 0, sizeof(*record));
    r = lowest(m, key, order);
    if (!r)
        return MQTT_OK;
    *found = true;
    *highest_order(m, key) = r->order;
    record->kind = r->kind;
    record->packet_identifier = r->packet_identifier;
    record->order = r->order;
    record->content[0] = (struct mqtt_span){r->content, r->size};
    return MQTT_OK;
}

/* ---- for tests ------------------------------------------------------------ */

void memory_store_init(struct memory_store *m)
{
    memset(m, 0, sizeof(*m));
    m->store.seam = &mqtt_store_seam;
    m->store.put = put;
    m->store.remove = remove_one;
    m->store.remove_all = remove_all;
    m->store.commit = commit;
    m->store.next = next;
    m->store.context = m;
}

void memory_store_free(struct memory_store *m)
{
    while (m->record_count)
        drop(m, m->record_count - 1);
    while (m->change_count)
        clear(&m->changes[--m->change_count].record);
}

const struct memory_record *memory_store_find(const struct memory_store *m,
                                              const char *key,
                                              enum mqtt_record_kind kind,
                                              uint16_t packet_identifier)
{
    for (size_t i = 0; i < m->record_count; i++)
        if (m->records[i].kind == kind &&
            m->records[i].packet_identifier == packet_identifier &&
            strcmp(m->records[i].key, key) == 0)
            return &m->records[i];
    return NULL;
}

unsigned memory_store_count(const struct memory_store *m, const char *key,
                            enum mqtt_record_kind kind)
{
    unsigned count = 0;

    for (size_t i = 0; i < m->record_count; i++)
        if (strcmp(m->records[i].key, key) == 0)
            count += !kind || m->records[i].kind == kind;
    return count;
}

void memory_store_tear(struct memory_store *m, const char *key,
                       enum mqtt_record_kind kind, uint16_t packet_identifier,
                       size_t size)
{
    struct memory_record *record =
        (struct memory_record *)(uintptr_t)memory_store_find(m, key, kind,
                                                             packet_identifier);

    assert_non_null(record);
    assert_true(size < record->size);
    record->content = realloc(record->content, size ? size : 1);
    assert_non_null(record->content);
    record->size = size;
}

void memory_store_restart(struct memory_store *m)
{
    while (m->change_count)
        clear(&m->changes[--m->change_count].record);
    memset(m->waiting, 0, sizeof(m->waiting));
    m->crash_at = m->fail_at = 0;
    m->crashed = false;
    memset(m->orders, 0, sizeof(m->orders));
}
