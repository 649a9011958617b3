/*
 * shim_proof.c - the shim catches each call that could block, and only from
 * the libraries that it watches; and the bar on a turn is one.
 */
#include "blocks.h"
#include "turns.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct blocking *chosen;
static bool exempted;

static int child(int errors)
{
    struct rlimit no_core = {0, 0};
    int pair[2];

    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, SIG_DFL);
    dup2(errors, STDERR_FILENO);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ||
        write(pair[1], "x", 1) != 1)
        return 2;
    if (exempted)
        turns_may_block_here();
    chosen->block(pair[0]);
    return 0;
}

/* How it ended; what it said goes to `text`. */
static int run_child(char *text, size_t room)
{
    int pipes[2], status;
    ssize_t size;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (pid == 0)
        _exit(child(pipes[1]));
    close(pipes[1]);
    size = read(pipes[0], text, room - 1);
    assert_true(size >= 0);
    text[size] = 0;
    close(pipes[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static bool is_caught(char *text, size_t room)
{
    int status = run_child(text, room);

    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    else
        assert_int_equal(WTERMSIG(status), SIGABRT);
    return WIFSIGNALED(status);
}

static void test_each_call_that_could_block_is_caught_by_name(void **state)
{
    char text[512], expected[64];

    (void)state;
    exempted = false;
    for (size_t i = 0; i < blocking_count; i++) {
        chosen = &blockings[i];
        if (is_caught(text, sizeof text) != (chosen->call != NULL))
            fail_msg("%s: %s", chosen->call ? chosen->call : "not waiting",
                     chosen->call ? "not caught" : text);
        snprintf(expected, sizeof expected, "shim: %s", chosen->call);
        if (chosen->call && !strstr(text, expected))
            fail_msg("%s: %s", chosen->call, text);
    }
}

static void test_a_thread_that_may_block_is_let_alone(void **state)
{
    char text[512];

    (void)state;
    exempted = true;
    for (size_t i = 0; i < blocking_count; i++) {
        chosen = &blockings[i];
        if (is_caught(text, sizeof text))
            fail_msg("%s", text);
    }
}

/* The test's own calls, and the reactor's wait. */
static void test_those_who_may_wait_do(void **state)
{
    struct mqtt_config config = {.server_count = 0};
    struct mqtt_client *client;

    (void)state;
    config.connect.clean_start = true;
    client = mqtt_client_new(&config, NULL, NULL);
    assert_non_null(client);
    assert_int_equal(turn(client, 5), 0);
    mqtt_client_free(client);
    assert_int_equal(poll(NULL, 0, 1), 0);
}

static void spend_processor_time(void)
{
    struct rusage now;
    long begun_us = 0, us;

    do {
        getrusage(RUSAGE_THREAD, &now);
        us = now.ru_utime.tv_sec * 1000000 + now.ru_utime.tv_usec +
             now.ru_stime.tv_sec * 1000000 + now.ru_stime.tv_usec;
        if (!begun_us)
            begun_us = us;
    } while (us - begun_us < 3L * TURN_LIMIT_US);
}

static void long_turn(void **state)
{
    (void)state;
    turn_begin();
    spend_processor_time();
    turn_end();
}

/* In a process of its own, whose failure is wanted. */
static void test_a_turn_above_the_bar_fails(void **state)
{
    const struct CMUnitTest inner[] = {cmocka_unit_test(long_turn)};
    int status;
    pid_t pid;

    (void)state;
    pid = fork();
    if (pid == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        cmocka_set_message_output(CM_OUTPUT_STDOUT);
        _exit(cmocka_run_group_tests(inner, NULL, NULL) ? 1 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_that_could_block_is_caught_by_name),
        cmocka_unit_test(test_a_thread_that_may_block_is_let_alone),
        cmocka_unit_test(test_those_who_may_wait_do),
        cmocka_unit_test(test_a_turn_above_the_bar_fails),
    };

    return cmocka_run_group_tests_name("shim", tests, NULL, NULL);
}
