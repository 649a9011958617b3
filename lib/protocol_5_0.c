#include "client/client_5_0.h"
#include "engine/authenticate.h"
#include "engine/compose.h"
#include "engine/receive.h"
#include "wire/packet_5_0.h"

const struct mqtt_protocol mqtt_protocol_5_0 = {
    .receive = {[MQTT_CONNACK] = mqtt_receive_connack_5_0,
                [MQTT_PUBLISH] = mqtt_receive_publish_5_0,
                [MQTT_PUBACK] = mqtt_receive_ack_5_0,
                [MQTT_PUBREC] = mqtt_receive_ack_5_0,
                [MQTT_PUBREL] = mqtt_receive_pubrel_5_0,
                [MQTT_PUBCOMP] = mqtt_receive_ack_5_0,
                [MQTT_SUBACK] = mqtt_receive_suback_5_0,
                [MQTT_UNSUBACK] = mqtt_receive_unsuback_5_0,
                [MQTT_PINGRESP] = mqtt_receive_pingresp,
                [MQTT_DISCONNECT] = mqtt_receive_disconnect_5_0,
                [MQTT_AUTH] = mqtt_receive_auth_5_0},
    .connect_check = mqtt_connect_check_5_0,
    .connect_size = mqtt_connect_size_5_0,
    .connect_write = mqtt_connect_write_5_0,
    .publish_check = mqtt_publish_check_5_0,
    .publish_head_size = mqtt_publish_head_size_5_0,
    .publish_head_put = mqtt_publish_head_put_5_0,
    .client = &mqtt_client_5_0,
    .subscription_check = mqtt_subscription_check_5_0,
    .request_head_size = mqtt_request_head_size_5_0,
    .request_head = mqtt_request_head_5_0,
    .request_entry = mqtt_request_entry_5_0,
    .ack_write = mqtt_ack_write_5_0,
    .disconnect_write = mqtt_disconnect_fit_5_0,
    .disconnect_check = mqtt_disconnect_check_5_0,
    .why = mqtt_why_5_0,
    .expect = mqtt_authenticate_expect,
    .inbound = &mqtt_inbound,
    .composer = &mqtt_composer,
    .level = 5,
    .maximum_qos = 2,
};
