/*
 * From and to Python.
 */
#include "core.h"

#include <string.h>

#include "py/objstr.h"

/* ---- from ------------------------------------------------------------------ */

static struct mqtt_span span_of(mp_obj_t value)
{
    size_t size;
    const char *data = mp_obj_str_get_data(value, &size);

    return (struct mqtt_span){data, size};
}

struct mqtt_span text_from(qstr argument, mp_obj_t value)
{
    if (!mp_obj_is_str_or_bytes(value))
        mp_raise_msg_varg(&mp_type_TypeError,
                          MP_ERROR_TEXT("%q must be str or bytes"), argument);
    return span_of(value);
}

struct mqtt_span bytes_from(qstr argument, mp_obj_t value)
{
    mp_buffer_info_t buffer;

    if (!mp_get_buffer(value, &buffer, MP_BUFFER_READ))
        mp_raise_msg_varg(&mp_type_TypeError,
                          MP_ERROR_TEXT("%q must be str or bytes-like"),
                          argument);
    return (struct mqtt_span){buffer.buf, buffer.len};
}

mp_uint_t number_from(qstr argument, mp_obj_t value, mp_uint_t least,
                      mp_uint_t most)
{
    mp_int_t number = -1;

    if (mp_obj_is_bool(value))
        number = value == mp_const_true;
    else if (!mp_obj_is_int(value))
        mp_raise_msg_varg(&mp_type_TypeError,
                          MP_ERROR_TEXT("%q must be a whole number"), argument);
    else if (mp_obj_is_small_int(value))
        number = MP_OBJ_SMALL_INT_VALUE(value);
    if (number < 0 || (mp_uint_t)number < least || (mp_uint_t)number > most)
        mp_raise_msg_varg(&mp_type_ValueError,
                          MP_ERROR_TEXT("%q must be %u to %u"), argument,
                          (unsigned)least, (unsigned)most);
    return (mp_uint_t)number;
}

mp_obj_t kept(mp_obj_t value)
{
    return mp_obj_is_str_or_bytes(value)
               ? value
               : bytes_of(bytes_from(MP_QSTR_payload, value));
}

/* ---- to --------------------------------------------------------------------- */

mp_obj_t str_of(struct mqtt_span text)
{
    return mp_obj_new_str(text.size ? text.data : "", text.size);
}

mp_obj_t bytes_of(struct mqtt_span bytes)
{
    return bytes.size ? mp_obj_new_bytes(bytes.data, bytes.size)
                      : mp_const_empty_bytes;
}

/* ---- errors ----------------------------------------------------------------- */

/* The argument that is wrong; NULL: it is no argument's fault. */
static const char *argument_of(enum mqtt_error error)
{
    switch (error) {
    case MQTT_ERR_TOPIC_NAME:
    case MQTT_ERR_TOPIC_FILTER:
        return "topic";
    case MQTT_ERR_QOS:
        return "qos";
    case MQTT_ERR_TOO_LARGE:
        return "topic and payload";
    case MQTT_ERR_CLIENT_IDENTIFIER:
        return "client_id";
    case MQTT_ERR_USER_NAME:
        return "username";
    case MQTT_ERR_PASSWORD:
        return "password";
    case MQTT_ERR_WILL:
        return "will";
    case MQTT_ERR_MEMORY:
    case MQTT_ERR_CONTROL_SIZE:
        return "outbox, slots, input or control";
    default:
        return NULL;
    }
}

mp_obj_t error_of(enum mqtt_error error, const char *words, uint8_t reason_code)
{
    mp_obj_t items[] = {
        MP_OBJ_NEW_SMALL_INT(error),
        mp_obj_new_str(words, strlen(words)),
        MP_OBJ_NEW_SMALL_INT(reason_code),
    };

    return mp_obj_new_exception_args(&mqttloop_type_error, 3, items);
}

void raise_refused(enum mqtt_error error)
{
    const char *argument = argument_of(error);
    const char *words = mqtt_error_text(error);

    if (!error)
        return;
    if (argument)
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s: %s"),
                          argument, words);
    nlr_raise(error_of(error, words, 0));
}
