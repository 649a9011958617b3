/*
 * shim_proof.c - the shim catches each call that could block, and only from
 * the libraries that it watches.
 */
#include "blocks.h"
#include "turns.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_that_could_block_is_caught_by_name),
        cmocka_unit_test(test_a_thread_that_may_block_is_let_alone),
        cmocka_unit_test(test_those_who_may_wait_do),
    };

    return cmocka_run_group_tests_name("shim", tests, NULL, NULL);
}
