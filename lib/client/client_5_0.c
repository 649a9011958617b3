#include "client/client_5_0.h"
#include "wire/reason.h"

static bool may_settle(uint8_t code)
{
    return mqtt_reason_may_stand(code, MQTT_REASON_IN_PUBACK);
}

const struct mqtt_client_5_0 mqtt_client_5_0 = {
    .prepare = mqtt_client_prepare,
    .assigned = mqtt_client_assigned,
    .fall_back = mqtt_client_fall_back,
    .check_limits = mqtt_client_check_limits,
    .refuse_forbidden = mqtt_client_refuse_forbidden,
    .end_untold = mqtt_client_end_untold,
    .may_settle = may_settle,
    .names_ours = mqtt_client_names_ours,
    .names = mqtt_client_names,
};
