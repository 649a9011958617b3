#include "engine/engine.h"
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
    .publish_head_size = mqtt_publish_head_size,
    .publish_head_put = mqtt_publish_head_put,
    .subscription_check = mqtt_subscription_check,
    .request_head_size = mqtt_request_head_size,
    .request_head = mqtt_request_head,
    .request_entry = mqtt_request_entry,
    .ack_write = mqtt_ack_write,
    .inbound = &mqtt_inbound,
    .large = &mqtt_large_past,
    .send_maximum_qos2 = 20, /* what mosquitto takes without losing some */
    .level = 4,
    .maximum_qos = 2,
    .clean_ends_session = true,
};
