#include <mqttloop/types.h>

struct text {
    int8_t error;
    const char *text;
};

/* In the order of the enumeration: the search is for people, not for speed. */
static const struct text texts[] = {
    {MQTT_OK, "no error"},
    {MQTT_ERR_ARGUMENT, "an argument is NULL or makes no sense"},
    {MQTT_ERR_STATE, "not possible in this state of the client"},
    {MQTT_ERR_NO_ROOM, "the outbox is full for now"},
    {MQTT_ERR_OFFLINE, "QoS 0 is not accepted while disconnected"},
    {MQTT_ERR_TOPIC_NAME,
     "the topic name is empty, too long, not UTF-8, or has a wildcard"},
    {MQTT_ERR_TOPIC_FILTER,
     "the topic filter is empty, too long, not UTF-8, or misplaces a wildcard"},
    {MQTT_ERR_QOS, "the quality of service is not 0, 1 or 2, or has no slots"},
    {MQTT_ERR_TOO_LARGE, "it fits into no packet, or never into this memory"},
    {MQTT_ERR_CLIENT_IDENTIFIER,
     "the client identifier is empty without a clean start, too long, or not "
     "UTF-8"},
    {MQTT_ERR_USER_NAME,
     "the user name is too long, not UTF-8, or missing beside a password"},
    {MQTT_ERR_PASSWORD, "the password is longer than 65,535 bytes"},
    {MQTT_ERR_WILL, "the will has a bad topic name, QoS or payload"},
    {MQTT_ERR_SERVER, "no server is configured, or its address is not valid"},
    {MQTT_ERR_MEMORY, "the lent memory is too small or malformed"},
    {MQTT_ERR_VERSION, "the header and the library do not fit together"},
    {MQTT_ERR_INTERRUPTED, "a signal interrupted the waiting"},
    {MQTT_ERR_REENTERED, "the loop was called from inside a callback"},
    {MQTT_ERR_ATTACHED, "the client is driven by another loop, or by none"},
    {MQTT_ERR_DESTROYED, "a callback destroyed the client"},
    {MQTT_ERR_SYSTEM, "the machine cannot wait for the network"},
    {MQTT_ERR_PACKET_TYPE, "the server sent a packet that servers do not send"},
    {MQTT_ERR_PACKET_FLAGS,
     "the server sent a fixed header with wrong reserved bits"},
    {MQTT_ERR_REMAINING_LENGTH,
     "the server sent a remaining length of more than four bytes"},
    {MQTT_ERR_PACKET_ORDER,
     "the server sent a packet before CONNACK, or CONNACK twice"},
    {MQTT_ERR_TRUNCATED,
     "the server sent a packet with a field that reaches beyond it"},
    {MQTT_ERR_TRAILING_BYTES,
     "the server sent a packet with bytes after its last field"},
    {MQTT_ERR_PACKET_IDENTIFIER, "the server sent packet identifier 0"},
    {MQTT_ERR_RECEIVED_QOS,
     "the server sent a PUBLISH of QoS 3, or of QoS 0 with DUP"},
    {MQTT_ERR_RECEIVED_TOPIC,
     "the server sent a topic name that is empty, not UTF-8, or has a "
     "wildcard"},
    {MQTT_ERR_CONNACK_FLAGS, "the server sent CONNACK with reserved bits"},
    {MQTT_ERR_CONNACK_CODE,
     "the server sent CONNACK with a code that does not exist"},
    {MQTT_ERR_SESSION_PRESENT,
     "the server resumes a session that this side does not have"},
    {MQTT_ERR_ACKNOWLEDGEMENT,
     "the server acknowledged a message with the wrong kind of packet"},
    {MQTT_ERR_SUBACK_COUNT,
     "the server did not send one code for each topic filter"},
    {MQTT_ERR_SUBACK_CODE, "the server sent a SUBACK code that does not exist"},
    {MQTT_ERR_PACKET_TOO_LARGE,
     "the server sent a packet larger than the input memory"},
    {MQTT_ERR_RECEIVED_FULL,
     "the server sent more QoS 2 messages at once than received_count"},
    {MQTT_ERR_OPEN_TIMEOUT, "no network connection came about in time"},
    {MQTT_ERR_CONNACK_TIMEOUT, "the server did not answer CONNECT in time"},
    {MQTT_ERR_PINGRESP_TIMEOUT, "the server did not answer PINGREQ in time"},
    {MQTT_ERR_PACKET_TIMEOUT,
     "the server began a packet and did not end it in time"},
    {MQTT_ERR_REFUSED, "the server refused the connection"},
    {MQTT_ERR_CLOSED, "the server closed the network connection"},
    {MQTT_ERR_NETWORK, "the network failed"},
    {MQTT_ERR_NAME, "the host name has no address"},
    {MQTT_ERR_CONTROL_SIZE, "CONNECT is larger than the control memory"},
    {MQTT_ERR_RENEWAL, "the application does not want to connect now"},
};

const char *mqtt_error_text(enum mqtt_error error)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].error == (int)error)
            return texts[i].text;
    return "an error that is not known";
}
