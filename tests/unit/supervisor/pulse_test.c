/* The page that outlives a worker: what is written there by one process is read by another, whatever it holds. */
#include "harness.h"
#include "supervisor/pulse.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void is_there_without_a_supervisor(void)
{
    CU_ASSERT_FALSE(pp_pulse_is_in_lua(pp_pulse));
    pp_pulse_write(pp_pulse->what, "timer", 5);
    CU_ASSERT_STRING_EQUAL(pp_pulse->what, "timer");
}

static void outlives_its_writer(void)
{
    struct pp_pulse *seen = NULL;
    int fd = pp_pulse_create(&seen);
    CU_ASSERT_PTR_NOT_NULL(seen);
    if (seen == NULL)
        return;
    pid_t child = fork();
    if (child == 0) {
        pp_pulse_attach(fd);
        pp_pulse->calls++;
        pp_pulse->type = 3;
        pp_pulse_write(pp_pulse->types[3], "move", 4);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    CU_ASSERT_TRUE(pp_pulse_is_in_lua(seen));
    CU_ASSERT_EQUAL(seen->type, 3);
    CU_ASSERT_STRING_EQUAL(seen->types[3], "move");
    pp_pulse_destroy(seen);
    close(fd);
}

static void cuts_off_what_is_long(void)
{
    char text[100], got[PP_PULSE_TEXT];
    memset(text, 'x', sizeof text);
    pp_pulse_write(pp_pulse->what, text, sizeof text);
    CU_ASSERT_EQUAL(strlen(pp_pulse->what), PP_PULSE_TEXT - 1);
    pp_pulse_read(pp_pulse->what, PP_PULSE_TEXT, got, sizeof got);
    CU_ASSERT_STRING_EQUAL(got, pp_pulse->what);
}

static void reads_what_has_no_end(void)
{
    char got[PP_PULSE_TEXT], small[4];
    memset(pp_pulse->what, 'x', sizeof pp_pulse->what);
    pp_pulse_read(pp_pulse->what, sizeof pp_pulse->what, got, sizeof got);
    CU_ASSERT_EQUAL(strlen(got), PP_PULSE_TEXT - 1);
    pp_pulse_read(pp_pulse->what, sizeof pp_pulse->what, small, sizeof small);
    CU_ASSERT_STRING_EQUAL(small, "xxx");
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"is there without a supervisor", is_there_without_a_supervisor},
        {"outlives its writer", outlives_its_writer},
        {"cuts off what is long", cuts_off_what_is_long},
        {"reads what has no end", reads_what_has_no_end},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("supervisor/pulse", tests);
}
