/*
 * Messages that came, over connections.
 */
#include "session/inbound.h"
#include "session/received.h"
#include "session/unsettled.h"

void mqtt_inbound_begin(struct mqtt_session *s)
{
    mqtt_received_begin(&s->received_);
}

/* PUBRELs come again, too. */
static void forget_released(struct mqtt_session *s)
{
    s->released_count_ = s->released_done_ = s->released_committing_ = 0;
}

void mqtt_inbound_cut(struct mqtt_session *s)
{
    mqtt_unsettled_cut(&s->unsettled_);
    forget_released(s);
}

void mqtt_inbound_renew(struct mqtt_session *s)
{
    mqtt_received_clear(&s->received_);
    mqtt_unsettled_clear(&s->unsettled_);
    forget_released(s);
}
