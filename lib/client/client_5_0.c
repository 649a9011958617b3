#include "client/client_5_0.h"

const struct mqtt_client_5_0 mqtt_client_5_0 = {
    .prepare = mqtt_client_prepare,
    .assigned = mqtt_client_assigned,
    .fall_back = mqtt_client_fall_back,
    .check_limits = mqtt_client_check_limits,
    .refuse_forbidden = mqtt_client_refuse_forbidden,
    .end_untold = mqtt_client_end_untold,
    .names_ours = mqtt_client_names_ours,
    .names = mqtt_client_names,
};
