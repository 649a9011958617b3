/*
 * Messages of QoS 1 and 2 that come: each is acknowledged once the application
 * has processed it, when it pulls the next event or when it says so.
 */
#include "engine/engine.h"
#include "session/received.h"
#include "session/store.h"
#include "session/unsettled.h"

static bool by_call(const struct mqtt_engine *e)
{
    return e->config_->settle == MQTT_SETTLE_BY_CALL;
}

/* Whether messages stand in the list: until they are settled, or until that is
 * committed. */
static bool listed(const struct mqtt_engine *e)
{
    return by_call(e) || e->session_->store_;
}

static enum mqtt_packet_type answer_type(unsigned qos)
{
    return qos == 2 ? MQTT_PUBREC : MQTT_PUBACK;
}

/* -- when it comes ------------------------------------------------------------------ */

/* There is no place in the list; who holds it up is the application, or the
 * store, unless one may leave and does not: then it is the network. */
static enum mqtt_error wait_for_place(struct mqtt_engine *e)
{
    struct mqtt_settled settled;

    e->unsettled_full_ =
        !mqtt_unsettled_next(&e->session_->unsettled_, &settled);
    return MQTT_LATER;
}

/* One that was refused and has to leave the list for this one was never taken. */
static uint32_t list_message(struct mqtt_engine *e, uint16_t identifier,
                             bool qos2)
{
    struct mqtt_session *s = e->session_;

    mqtt_received_remove(&s->received_,
                         mqtt_unsettled_make_room(&s->unsettled_));
    return mqtt_unsettled_add(&s->unsettled_, identifier, qos2);
}

/* PUBREC of one that was settled long ago, behind those that came before it
 * [3.1.1 MQTT-4.6.0-3]. */
static enum mqtt_error line_up(struct mqtt_engine *e, uint16_t identifier)
{
    struct mqtt_unsettled_list *list = &e->session_->unsettled_;
    bool put;

    if (mqtt_unsettled_full(list))
        return wait_for_place(e);
    mqtt_unsettled_settle(list, list_message(e, identifier, true), 0, false,
                          &put);
    return MQTT_OK;
}

/* Its PUBREC leaves now, or in its turn. */
static enum mqtt_error answer_again(struct mqtt_engine *e, uint16_t identifier)
{
    struct mqtt_unsettled_list *list = &e->session_->unsettled_;

    if (mqtt_unsettled_came_again(list, identifier))
        mqtt_engine_flush_settled(e);
    else if (mqtt_unsettled_qos2_waits(list))
        return line_up(e, identifier);
    else if (!mqtt_engine_stage_ack(e, MQTT_PUBREC, identifier, 0))
        return MQTT_LATER;
    return MQTT_OK;
}

/* It is known: only its acknowledgement may have been lost. It is open on this
 * connection, too, until its last acknowledgement. */
static enum mqtt_error admit_again(struct mqtt_engine *e, uint16_t identifier)
{
    mqtt_received_came(&e->session_->received_, identifier);
    e->receive_open_++;
    if (answer_again(e, identifier)) {
        e->receive_open_--;
        return MQTT_LATER;
    }
    MQTT_COUNT(e->config_->statistics, duplicates_received);
    return MQTT_OK;
}

/* What goes leaves the store, too: it would not take more than are restored. */
static bool room_for_one(struct mqtt_session *s)
{
    uint16_t gone;

    if (!mqtt_received_make_room(&s->received_, &gone))
        return false;
    if (gone && s->store_)
        s->store_->seam->records->forget_received(s, gone);
    return true;
}

enum mqtt_error mqtt_engine_admit(struct mqtt_engine *e, unsigned qos,
                                  uint16_t identifier, bool *again)
{
    struct mqtt_identifier_set *received = &e->session_->received_;

    *again = qos == 2 && mqtt_received_has(received, identifier);
    if (*again)
        return admit_again(e, identifier);
    if (e->receive_open_ >= e->receive_limit_)
        return MQTT_ERR_RECEIVE_MAXIMUM; /* [5.0 MQTT-3.3.4-9] */
    if (listed(e) && mqtt_unsettled_full(&e->session_->unsettled_))
        return wait_for_place(e);
    return qos == 2 && !room_for_one(e->session_) ? MQTT_ERR_RECEIVED_FULL
                                                  : MQTT_OK;
}

uint32_t mqtt_engine_accept(struct mqtt_engine *e, unsigned qos,
                            uint16_t identifier)
{
    uint32_t handle = 0;

    e->receive_open_++;
    if (qos == 2)
        mqtt_received_add(&e->session_->received_, identifier);
    if (listed(e))
        handle = list_message(e, identifier, qos == 2);
    if (by_call(e))
        return handle;
    mqtt_engine_deliver(e, qos, identifier, 0);
    e->delivered_handle_ = handle;
    return 0;
}

void mqtt_engine_deliver(struct mqtt_engine *e, unsigned qos,
                         uint16_t identifier, uint8_t code)
{
    e->delivered_ = identifier;
    e->delivered_type_ = (uint8_t)answer_type(qos);
    e->delivered_code_ = code;
}

/* A QoS 2 message that is refused ends with its PUBREC [5.0 MQTT-4.3.3-9]. */
static void forget_refused(struct mqtt_engine *e, bool qos2,
                           uint16_t identifier, uint8_t code)
{
    if (qos2 && code & 0x80)
        mqtt_received_remove(&e->session_->received_, identifier);
}

void mqtt_engine_answer(struct mqtt_engine *e, unsigned qos,
                        uint16_t identifier, uint8_t code)
{
    uint32_t handle = mqtt_engine_accept(e, qos, identifier);

    if (handle) { /* in its turn */
        mqtt_engine_settle_handle(e, handle, code);
    } else {
        e->delivered_code_ = code;
    }
}

/* -- when it has been processed --------------------------------------------------------- */

/* In the list, it is acknowledged in its turn. */
static void settle_delivered(struct mqtt_engine *e)
{
    mqtt_engine_settle_handle(e, e->delivered_handle_, e->delivered_code_);
    e->delivered_handle_ = 0;
    e->delivered_ = 0;
}

bool mqtt_engine_acknowledge(struct mqtt_engine *e)
{
    if (e->delivered_handle_) {
        settle_delivered(e);
        return true;
    }
    if (!mqtt_engine_stage_ack(e, (enum mqtt_packet_type)e->delivered_type_,
                               e->delivered_, e->delivered_code_))
        return false;
    forget_refused(e, e->delivered_type_ == MQTT_PUBREC, e->delivered_,
                   e->delivered_code_);
    e->delivered_ = 0;
    return true;
}

/* PUBCOMP for those whose removal has been committed; false: no room. */
static bool flush_released(struct mqtt_engine *e)
{
    struct mqtt_session *s = e->session_;

    while (s->released_done_ && !e->cut_) {
        if (!mqtt_engine_stage_ack(e, MQTT_PUBCOMP, s->released_[0], 0))
            return false;
        s->released_done_--;
        s->released_committing_--;
        s->released_count_--;
        memmove(s->released_, s->released_ + 1,
                s->released_count_ * sizeof *s->released_);
    }
    return true;
}

enum mqtt_error mqtt_engine_complete(struct mqtt_engine *e, uint16_t identifier)
{
    struct mqtt_session *s = e->session_;

    if (s->store_) {
        if (e->cut_) /* no PUBCOMP leaves any more */
            s->released_count_ = s->released_done_ = s->released_committing_ =
                0;
        if (!s->store_->seam->records->remove_received(s, identifier)) {
            e->unsettled_full_ = !s->released_done_; /* it is the store */
            return MQTT_LATER;
        }
    } else if (!mqtt_engine_stage_ack(e, MQTT_PUBCOMP, identifier, 0)) {
        return MQTT_LATER;
    }
    if (mqtt_unsettled_completed(&s->unsettled_, identifier))
        e->settled_waits_ = true;
    /* What was taken on an earlier connection was not counted on this one. */
    if (e->receive_open_ && mqtt_received_is_here(&s->received_, identifier))
        e->receive_open_--;
    mqtt_received_remove(&s->received_, identifier);
    return MQTT_OK;
}

void mqtt_engine_flush_settled(struct mqtt_engine *e)
{
    struct mqtt_unsettled_list *list = &e->session_->unsettled_;
    struct mqtt_settled settled;

    e->settled_waits_ = !flush_released(e);
    while (!e->cut_ && mqtt_unsettled_next(list, &settled)) {
        if (!mqtt_engine_stage_ack(e, answer_type(settled.qos2 ? 2 : 1),
                                   settled.identifier, settled.code)) {
            e->settled_waits_ = true;
            return;
        }
        mqtt_unsettled_acknowledged(list, &settled);
        forget_refused(e, settled.qos2, settled.identifier, settled.code);
    }
}

enum mqtt_error mqtt_engine_settle_handle(struct mqtt_engine *e,
                                          uint32_t handle, uint8_t code)
{
    struct mqtt_session *s = e->session_;
    bool put;

    if (!mqtt_unsettled_settle(&s->unsettled_, handle, code, s->store_ != NULL,
                               &put))
        return MQTT_ERR_HANDLE;
    if (put)
        s->store_->seam->records->put_received(s, (uint16_t)handle);
    mqtt_engine_flush_settled(e);
    return MQTT_OK;
}

const struct mqtt_inbound mqtt_inbound = {
    .acknowledge = mqtt_engine_acknowledge,
    .flush_settled = mqtt_engine_flush_settled,
    .begin = mqtt_inbound_begin,
    .cut = mqtt_inbound_cut,
    .renew = mqtt_inbound_renew,
};
