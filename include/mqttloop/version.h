/*
 * mqttloop/version.h - which mqttloop this is.
 *
 * The number stands here and nowhere else: the build reads it from this file.
 */
#ifndef MQTTLOOP_VERSION_H
#define MQTTLOOP_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define MQTT_LIBRARY_VERSION_MAJOR 0
#define MQTT_LIBRARY_VERSION_MINOR 1
#define MQTT_LIBRARY_VERSION_PATCH 0
#define MQTT_LIBRARY_VERSION "0.1.0"

/** One number for comparisons: 0x00MMmmpp. */
#define MQTT_LIBRARY_VERSION_NUMBER                                            \
    ((MQTT_LIBRARY_VERSION_MAJOR << 16) | (MQTT_LIBRARY_VERSION_MINOR << 8) |  \
     MQTT_LIBRARY_VERSION_PATCH)

/**
 * The version of the library that is linked, as MQTT_LIBRARY_VERSION was when
 * it was built; differs from the macro when the header is of another version.
 * Never NULL; belongs to the library.
 */
const char *mqtt_library_version(void);

#ifdef __cplusplus
}
#endif

#endif
