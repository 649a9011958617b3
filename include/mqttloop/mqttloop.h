/*
 * mqttloop/mqttloop.h - all of the host library but the adapters. Begin with
 * client.h; drive.h has mqtt_loop(), posix.h makes a client.
 */
#ifndef MQTTLOOP_MQTTLOOP_H
#define MQTTLOOP_MQTTLOOP_H

#include <mqttloop/client.h>
#include <mqttloop/drive.h>
#include <mqttloop/posix.h>
#include <mqttloop/properties.h>
#include <mqttloop/reason.h>
#include <mqttloop/stream.h>

#endif
