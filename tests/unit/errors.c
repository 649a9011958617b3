/*
 * errors.c - the sentences of errors, the names of states, the version.
 */
#include "script.h"

#include <ctype.h>
#include <mqttloop/version.h>

static bool defined(int error)
{
    return (error <= 0 && error >= -26) || (error <= -40 && error >= -44) ||
           (error <= -64 && error >= -89) || (error <= -96 && error >= -106);
}

static void test_each_error_has_a_sentence(void **state)
{
    (void)state;
    for (int error = 0; error >= -106; error--) {
        const char *text = mqtt_error_text((enum mqtt_error)error);
        size_t size = strlen(text);

        assert_in_range(size, 5, 79);
        assert_int_not_equal(text[size - 1], '.');
        for (size_t i = 0; i < size; i++)
            assert_true(isprint((unsigned char)text[i]));
    }
}

static void test_no_two_errors_share_a_sentence(void **state)
{
    (void)state;
    for (int a = 0; a >= -105; a--)
        for (int b = a - 1; defined(a) && b >= -106; b--)
            if (defined(b))
                assert_string_not_equal(mqtt_error_text((enum mqtt_error)a),
                                        mqtt_error_text((enum mqtt_error)b));
}

static void test_errors_that_do_not_exist_have_a_sentence_too(void **state)
{
    static const int none[] = {1,   127, -27, -39,  -45,
                               -63, -90, -95, -107, -1000000};

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_non_null(mqtt_error_text((enum mqtt_error)none[i]));
}

static void test_states_have_names(void **state)
{
    (void)state;
    assert_string_equal(mqtt_client_state_text(MQTT_CLIENT_STOPPED), "STOPPED");
    assert_string_equal(mqtt_client_state_text(MQTT_CLIENT_AWAIT_RETRY),
                        "AWAIT_RETRY");
    assert_string_equal(mqtt_client_state_text(MQTT_CLIENT_AWAIT_OPEN),
                        "AWAIT_OPEN");
    assert_string_equal(mqtt_client_state_text(MQTT_CLIENT_AWAIT_CONNACK),
                        "AWAIT_CONNACK");
    assert_string_equal(mqtt_client_state_text(MQTT_CLIENT_CONNECTED),
                        "CONNECTED");
    assert_string_equal(mqtt_client_state_text(MQTT_CLIENT_AWAIT_END),
                        "AWAIT_END");
    assert_string_equal(mqtt_client_state_text(MQTT_CLIENT_AWAIT_CLOSE),
                        "AWAIT_CLOSE");
    assert_non_null(mqtt_client_state_text((enum mqtt_client_state)99));
}

static void test_the_version_is_that_of_the_header(void **state)
{
    char text[32];

    (void)state;
    assert_string_equal(mqtt_library_version(), MQTT_LIBRARY_VERSION);
    snprintf(text, sizeof(text), "%d.%d.%d", MQTT_LIBRARY_VERSION_MAJOR,
             MQTT_LIBRARY_VERSION_MINOR, MQTT_LIBRARY_VERSION_PATCH);
    assert_string_equal(text, MQTT_LIBRARY_VERSION);
    assert_int_equal(MQTT_LIBRARY_VERSION_NUMBER,
                     MQTT_LIBRARY_VERSION_MAJOR * 65536 +
                         MQTT_LIBRARY_VERSION_MINOR * 256 +
                         MQTT_LIBRARY_VERSION_PATCH);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_error_has_a_sentence),
        cmocka_unit_test(test_no_two_errors_share_a_sentence),
        cmocka_unit_test(test_errors_that_do_not_exist_have_a_sentence_too),
        cmocka_unit_test(test_states_have_names),
        cmocka_unit_test(test_the_version_is_that_of_the_header),
    };

    return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
