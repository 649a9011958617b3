/*
 * The modules mqttloop and lwmqtt.
 */
#include "client.h"

#include "py/objexcept.h"

/* An OSError whose arguments are one of ERR_..., words, and the reason code of
 * the server. */
MP_DEFINE_CONST_OBJ_TYPE(mqttloop_type_error, MP_QSTR_Error, MP_TYPE_FLAG_NONE,
                         make_new, mp_obj_exception_make_new, print,
                         mp_obj_exception_print, attr, mp_obj_exception_attr,
                         parent, &mp_type_OSError);

/* With the first import; a soft reset leaves the roots as they were. */
static mp_obj_t initialise(void)
{
    MP_STATE_VM(mqttloop_started) = NULL;
    MP_STATE_VM(mqttloop_poll) = MP_OBJ_NULL;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(initialise_object, initialise);

static mp_obj_t error_text(mp_obj_t error)
{
    const char *text = mqtt_error_text((enum mqtt_error)mp_obj_get_int(error));

    return mp_obj_new_str_from_cstr(text);
}
static MP_DEFINE_CONST_FUN_OBJ_1(error_text_object, error_text);

static mp_obj_t topic_matches(mp_obj_t filter, mp_obj_t name)
{
    struct mqtt_span pattern = text_from(MP_QSTR_topic_filter, filter);
    struct mqtt_span topic = text_from(MP_QSTR_topic_name, name);

    if (!mqtt_topic_filter_valid(pattern))
        raise_refused(MQTT_ERR_TOPIC_FILTER);
    if (!mqtt_topic_name_valid(topic))
        raise_refused(MQTT_ERR_TOPIC_NAME);
    return mp_obj_new_bool(mqtt_topic_matches(pattern, topic));
}
static MP_DEFINE_CONST_FUN_OBJ_2(topic_matches_object, topic_matches);

#define CONSTANT(name)                                                         \
    {                                                                          \
        MP_ROM_QSTR(MP_QSTR_##name), MP_ROM_INT(MQTT_##name)                   \
    }

static const mp_rom_map_elem_t globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_mqttloop)},
    {MP_ROM_QSTR(MP_QSTR___init__), MP_ROM_PTR(&initialise_object)},
    {MP_ROM_QSTR(MP_QSTR_mqtt), MP_ROM_PTR(&mqttloop_mqtt_module)},
    {MP_ROM_QSTR(MP_QSTR_Core), MP_ROM_PTR(&mqttloop_type_core)},
    {MP_ROM_QSTR(MP_QSTR_Error), MP_ROM_PTR(&mqttloop_type_error)},
    {MP_ROM_QSTR(MP_QSTR_error_text), MP_ROM_PTR(&error_text_object)},
    {MP_ROM_QSTR(MP_QSTR_topic_matches), MP_ROM_PTR(&topic_matches_object)},
    CONSTANT(EVENT_CONNECTED),
    CONSTANT(EVENT_DISCONNECTED),
    CONSTANT(EVENT_MESSAGE),
    CONSTANT(EVENT_MESSAGE_TOO_LARGE),
    CONSTANT(EVENT_PUBLISHED),
    CONSTANT(EVENT_SUBSCRIBED),
    CONSTANT(EVENT_UNSUBSCRIBED),
    CONSTANT(EVENT_ROOM),
    CONSTANT(OUTCOME_ACKNOWLEDGED),
    CONSTANT(OUTCOME_REFUSED),
    CONSTANT(WANT_NOTHING),
    CONSTANT(WANT_OPEN),
    CONSTANT(WANT_FINISH),
    CONSTANT(WANT_CLOSE),
    CONSTANT(ERR_NO_ROOM),
    CONSTANT(ERR_STATE),
    CONSTANT(ERR_OFFLINE),
    CONSTANT(ERR_CLOSED),
    CONSTANT(ERR_NETWORK),
    CONSTANT(ERR_REFUSED),
};
static MP_DEFINE_CONST_DICT(globals, globals_table);

const mp_obj_module_t mqttloop_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&globals,
};
MP_REGISTER_MODULE(MP_QSTR_mqttloop, mqttloop_module);

static const mp_rom_map_elem_t lwmqtt_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_lwmqtt)},
    {MP_ROM_QSTR(MP_QSTR___init__), MP_ROM_PTR(&initialise_object)},
    {MP_ROM_QSTR(MP_QSTR_mqtt), MP_ROM_PTR(&mqttloop_mqtt_module)},
};
static MP_DEFINE_CONST_DICT(lwmqtt_globals, lwmqtt_table);

const mp_obj_module_t mqttloop_lwmqtt_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&lwmqtt_globals,
};
MP_REGISTER_MODULE(MP_QSTR_lwmqtt, mqttloop_lwmqtt_module);
