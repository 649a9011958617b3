/*
 * What was received, as objects.
 */
#include "core.h"

#include <string.h>

#include "py/objstr.h"

#include "wire/utf8.h"

/* ---- held ----------------------------------------------------------------------- */

bool core_next(struct core *core)
{
    if (!core->held)
        core->held = mqtt_client_next(&core->client, &core->event);
    return core->held;
}

void *core_input(struct core *core, size_t *size)
{
    return core->held ? NULL
                      : mqtt_client_input_buf(&core->client, NULL, 0, size);
}

static bool is_text(const struct core *core, struct mqtt_span payload)
{
    return core->text && mqtt_utf8_payload_valid(payload);
}

/* ---- in parts ------------------------------------------------------------------ */

/* Room for all of it: the rest is refused if the heap has none. */
static void begin_assembly(struct core *core, const struct mqtt_message *m)
{
    core->assembly = m_malloc_maybe((size_t)m->payload_size + 1);
    if (!core->assembly)
        mqtt_refuse_rest(&core->client, MQTT_REASON_QUOTA_EXCEEDED);
}

static mp_obj_t end_assembly(struct core *core, const struct mqtt_message *m)
{
    struct mqtt_span whole = {core->assembly, m->payload_size};
    vstr_t owner = {.alloc = m->payload_size + 1,
                    .len = m->payload_size,
                    .buf = (char *)core->assembly};

    mp_obj_t payload = is_text(core, whole)
                           ? mp_obj_new_str_from_utf8_vstr(&owner)
                           : mp_obj_new_bytes_from_vstr(&owner);

    core->assembly = NULL; /* not before: that may have raised */
    return payload;
}

static bool assemble(struct core *core, const struct mqtt_message *m,
                     mp_obj_t *payload)
{
    if (!m->payload_offset)
        begin_assembly(core, m);
    if (!core->assembly)
        return false;
    if (m->payload.size)
        memcpy(core->assembly + m->payload_offset, m->payload.data,
               m->payload.size);
    if (m->payload_offset + m->payload.size < m->payload_size)
        return false;
    *payload = end_assembly(core, m);
    return true;
}

/* ---- whole --------------------------------------------------------------------- */

bool message_payload(struct core *core, const struct mqtt_message *message,
                     mp_obj_t *payload)
{
    if (message->payload.size != message->payload_size)
        return assemble(core, message, payload);
    *payload = is_text(core, message->payload) ? str_of(message->payload)
                                               : bytes_of(message->payload);
    return true;
}
