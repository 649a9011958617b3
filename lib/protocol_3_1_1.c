#include "engine/receive.h"

const struct mqtt_protocol mqtt_protocol_3_1_1 = {
    .receive = {[MQTT_CONNACK] = mqtt_receive_connack,
                [MQTT_PUBLISH] = mqtt_receive_publish,
                [MQTT_PUBACK] = mqtt_receive_ack,
                [MQTT_PUBREC] = mqtt_receive_ack,
                [MQTT_PUBREL] = mqtt_receive_pubrel,
                [MQTT_PUBCOMP] = mqtt_receive_ack,
                [MQTT_SUBACK] = mqtt_receive_suback,
                [MQTT_UNSUBACK] = mqtt_receive_unsuback,
                [MQTT_PINGRESP] = mqtt_receive_pingresp},
    .connect_check = mqtt_connect_check,
    .connect_size = mqtt_connect_size,
    .connect_write = mqtt_connect_write,
    .publish_length = mqtt_publish_length,
    .publish_put = mqtt_publish_put,
    .request_entry_size = mqtt_request_entry_size,
    .request_entry = mqtt_request_entry,
    .clean_ends_session = true,
};
