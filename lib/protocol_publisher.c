#include "engine/receive.h"

const struct mqtt_protocol mqtt_protocol_publisher = {
    .receive = {[MQTT_CONNACK] = mqtt_receive_connack,
                [MQTT_PUBACK] = mqtt_receive_ack,
                [MQTT_PINGRESP] = mqtt_receive_pingresp},
    .connect_check = mqtt_connect_check,
    .connect_size = mqtt_connect_size,
    .connect_write = mqtt_connect_write,
    .publish_head_size = mqtt_publish_head_size,
    .publish_head_put = mqtt_publish_head_put,
    .ack_write = mqtt_ack_write,
    .level = 4,
    .maximum_qos = 1,
    .clean_ends_session = true,
};
