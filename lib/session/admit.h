#ifndef MQTT_SESSION_ADMIT_H
#define MQTT_SESSION_ADMIT_H

#include "session/image.h"

/* A new connection: the messages that its server does not allow end. */
void mqtt_session_admit(struct mqtt_session *s);

/* Messages that have expired end, if no byte of them has left. */
void mqtt_session_expire(struct mqtt_session *s);
/* When that is to be looked at; if expiring_. */
mqtt_time mqtt_session_expires_at(const struct mqtt_session *s);

/* Whether it is not to be sent any more; and then: it ends. */
bool mqtt_session_expired(const struct mqtt_session *s,
                          const struct mqtt_image *image);
void mqtt_session_end_expired(struct mqtt_session *s,
                              const struct mqtt_image *image);

#endif
