/* SPDX-License-Identifier: MIT */
/* args_test.c - command lines: what is accepted, what it means, and the exact words about what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "commands.h"

#define TRY "\nFor more information, try '--help'.\n"
#define ARGV_MAX 12

/* Parses "hq" and the words. */
static int parse(struct matches *m, const char *const *words, struct str *out)
{
    char *argv[ARGV_MAX + 2] = {(char *)"hq"};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    return args_parse(m, &commands_root, argc, argv, out);
}

static void assert_starts(const char *text, const char *start)
{
    assert_int_equal(strncmp(text, start, strlen(start)), 0);
}

/* ---- refusals, byte for byte; HQ_SERVER_DIR is set, as it shows in some of them ---- */

static const struct {
    const char *words[ARGV_MAX];
    const char *message;
} refused[] = {
    {{"worker", "info", "foo"},
     "error: invalid value 'foo' for '<SELECTOR>': Unexpected token found while attempting to parse "
     "number, expected something else:\n" "  foo\n" "  |\n" "  --- Unexpected token `f`\n" "\n" TRY},
    {{"worker", "start", "--cpus=-1"},
     "error: invalid value '-1' for '--cpus <CPUS>': Unexpected token found while attempting to parse "
     "number, expected [ or range or sum:\n" "  -1\n" "  |\n" "  --- Unexpected token `-`\n" "\n" TRY},
    {{"worker", "start", "--cpus=abc"},
     "error: invalid value 'abc' for '--cpus <CPUS>': Unexpected token found while attempting to "
     "parse resource kind, expected range or sum:\n" "  abc\n" "  |\n" "  --- Unexpected token `abc`\n" "\n" TRY},
    {{"worker", "start", "--cpus=[]"},
     "error: invalid value '[]' for '--cpus <CPUS>': Unexpected end of input found while attempting "
     "to parse resource kind, expected something else:\n" "  []\n" "  |\n"
     "  --- List has to contain at least a single element\n" "\n" TRY},
    {{"worker", "start", "--cpus=[1,1]"},
     "error: invalid value '[1,1]' for '--cpus <CPUS>': Unexpected end of input found while "
     "attempting to parse resource kind, expected something else:\n" "  [1,1]\n" "  |\n"
     "  --- List items have to be unique\n" "\n" TRY},
    {{"worker", "start", "--resource=gpus=[0],gpus=[1]"},
     "error: invalid value 'gpus=[0],gpus=[1]' for '--resource <RESOURCE>': Unexpected token found, "
     "expected <end of input>:\n" "  gpus=[0],gpus=[1]\n" "          |\n" "          --- Unexpected token `,`\n"
     "\n" TRY},
    {{"worker", "start", "--resource=foo"},
     "error: invalid value 'foo' for '--resource <RESOURCE>': Unexpected end of input found while "
     "attempting to parse resource name, expected =:\n" "  foo\n" "     |\n" "     --- Unexpected end of input\n"
     "\n" TRY},
    {{"worker", "start", "--resource=foo="},
     "error: invalid value 'foo=' for '--resource <RESOURCE>': Unexpected end of input found while "
     "attempting to parse number, expected [ or range or sum:\n" "  foo=\n" "      |\n"
     "      --- Unexpected end of input\n" "\n" TRY},
    {{"worker", "start", "--resource=foo=range(5-1)"},
     "error: invalid value 'foo=range(5-1)' for '--resource <RESOURCE>': Unexpected end of input "
     "found while attempting to parse resource kind, expected something else:\n" "  foo=range(5-1)\n" "      |\n"
     "      --- Start must be greater or equal to end\n" "\n" TRY},
    {{"worker", "start", "--resource=foo=sum(-1)"},
     "error: invalid value 'foo=sum(-1)' for '--resource <RESOURCE>': Unexpected token found while "
     "attempting to parse number, expected something else:\n" "  foo=sum(-1)\n" "          |\n"
     "          --- Unexpected token `-`\n" "\n" TRY},
    {{"worker", "start", "--resource=a b=sum(1)"},
     "error: invalid value 'a b=sum(1)' for '--resource <RESOURCE>': Unexpected token found while "
     "attempting to parse resource definition, expected =:\n" "  a b=sum(1)\n" "    |\n"
     "    --- Unexpected token `b`\n" "\n" TRY},
    {{"worker", "start", "--resource=1a=sum(1)"},
     "error: invalid value '1a=sum(1)' for '--resource <RESOURCE>': Unexpected token found while "
     "attempting to parse resource name, expected identifier:\n" "  1a=sum(1)\n" "  |\n"
     "  --- Unexpected token `1`\n" "\n" TRY},
    {{"worker", "start", "--time-limit=foo"},
     "error: invalid value 'foo' for '--time-limit <TIME_LIMIT>': Could not parse PBS walltime. Use "
     "either `HH:MM:SS` or humantime format (2hours): NumberExpected(0)\n" TRY},
    {{"worker", "start", "--on-server-lost=foo"},
     "error: invalid value 'foo' for '--on-server-lost <ON_SERVER_LOST>'\n"
     "  [possible values: stop, finish-running, wait]\n" TRY},
    {{"worker", "start", "--manager=foo"},
     "error: invalid value 'foo' for '--manager <MANAGER>'\n" "  [possible values: detect, none, pbs, slurm]\n"
     TRY},
    {{"task", "list", "1-2", "--verbose"},
     "error: unexpected argument '--verbose' found\n" "\n"
     "  tip: to pass '--verbose' as a value, use '-- --verbose'\n" "\n" "Usage: hq task list <JOB_SELECTOR>\n"
     TRY},
    {{"task", "list", "4", "--filter=failed"},
     "error: unexpected argument '--filter' found\n" "\n"
     "  tip: to pass '--filter' as a value, use '-- --filter'\n" "\n" "Usage: hq task list <JOB_SELECTOR>\n" TRY},
    {{"task", "list", "1-4", "--filter=failed"},
     "error: unexpected argument '--filter' found\n" "\n"
     "  tip: to pass '--filter' as a value, use '-- --filter'\n" "\n" "Usage: hq task list <JOB_SELECTOR>\n" TRY},
    {{"submit", "--crash-limit=0", "--", "true"},
     "error: Crash limit cannot be 0. Use `never-restart` or `unlimited` instead.\n"},
    {{"submit", "--array=3-1", "--", "true"},
     "error: invalid value '3-1' for '--array <ARRAY>': Unexpected end of input found while "
     "attempting to parse Integer range, expected something else:\n" "  3-1\n" "  |\n" "  --- Invalid range\n"
     "\n" TRY},
    {{"submit", "--array=1-10:0", "--", "true"},
     "error: invalid value '1-10:0' for '--array <ARRAY>': Unexpected end of input found while "
     "attempting to parse Integer range, expected something else:\n" "  1-10:0\n" "  |\n" "  --- Invalid range\n"
     "\n" TRY},
    {{"submit", "--array=a", "--", "true"},
     "error: invalid value 'a' for '--array <ARRAY>': Unexpected token found while attempting to "
     "parse number, expected something else:\n" "  a\n" "  |\n" "  --- Unexpected token `a`\n" "\n" TRY},
    {{"submit", "--array=1,1", "--", "true"},
     "error: invalid value '1,1' for '--array <ARRAY>': Unexpected end of input found, expected "
     "something else:\n" "  1,1\n" "  |\n" "  --- Ranges overlap\n" "\n" TRY},
    {{"submit", "--array=", "--", "true"},
     "error: invalid value '' for '--array <ARRAY>': Unexpected end of input found while attempting "
     "to parse number, expected something else:\n" "(the input was empty)\n" TRY},
    {{"submit", "--array=1-3,2-5", "--", "true"},
     "error: invalid value '1-3,2-5' for '--array <ARRAY>': Unexpected end of input found, expected "
     "something else:\n" "  1-3,2-5\n" "  |\n" "  --- Ranges overlap\n" "\n" TRY},
    {{"submit", "--array=-1", "--", "true"},
     "error: invalid value '-1' for '--array <ARRAY>': Unexpected token found while attempting to "
     "parse number, expected something else:\n" "  -1\n" "  |\n" "  --- Unexpected token `-`\n" "\n" TRY},
    {{"submit", "--array=4294967296", "--", "true"},
     "error: invalid value '4294967296' for '--array <ARRAY>': Unexpected end of input found while "
     "attempting to parse start, expected something else:\n" "  4294967296\n" "  |\n"
     "  --- Cannot parse as 4-byte unsigned integer\n" "\n" TRY},
    {{"submit", "--from-json=e.json", "--each-line=lines.txt", "--", "true"},
     "error: the argument '--from-json <FROM_JSON>' cannot be used with '--each-line <EACH_LINE>'\n" "\n"
     "Usage: hq submit --from-json <FROM_JSON> --server-dir <SERVER_DIR> <COMMANDS>...\n" TRY},
    {{"submit", "--cpus=4 scatter", "--resource=gpus/nvidia=0.5", "--resource=mem=sum(3)", "--", "true"},
     "error: invalid value 'mem=sum(3)' for '--resource <RESOURCE>': Unexpected token found, expected " "all:\n"
     "  mem=sum(3)\n" "      |\n" "      --- Unexpected token `sum`\n" "\n" TRY},
    {{"submit", "--cpus=0", "--", "true"},
     "error: invalid value '0' for '--cpus <CPUS>': Unexpected end of input found, expected something " "else:\n"
     "  0\n" "  |\n" "  --- Zero resources cannot be requested\n" "\n" TRY},
    {{"submit", "--cpus=-1", "--", "true"},
     "error: invalid value '-1' for '--cpus <CPUS>': Unexpected token found while attempting to parse "
     "number, expected all:\n" "  -1\n" "  |\n" "  --- Unexpected token `-`\n" "\n" TRY},
    {{"submit", "--cpus=abc", "--", "true"},
     "error: invalid value 'abc' for '--cpus <CPUS>': Unexpected token found, expected all:\n" "  abc\n" "  |\n"
     "  --- Unexpected token `abc`\n" "\n" TRY},
    {{"submit", "--cpus=0.00001", "--", "true"},
     "error: invalid value '0.00001' for '--cpus <CPUS>': Unexpected end of input found, expected "
     "something else:\n" "  0.00001\n" "  |\n" "  --- Resource precision exceeded\n" "\n" TRY},
    {{"submit", "--resource=gpus", "--", "true"},
     "error: invalid value 'gpus' for '--resource <RESOURCE>': Unexpected end of input found, " "expected =:\n"
     "  gpus\n" "      |\n" "      --- Unexpected end of input\n" "\n" TRY},
    {{"submit", "--resource=gpus=1 foo", "--", "true"},
     "error: invalid value 'gpus=1 foo' for '--resource <RESOURCE>': Unexpected token found, expected "
     "<end of input> or c or s or t:\n" "  gpus=1 foo\n" "         |\n" "         --- Unexpected token `f`\n"
     "\n" TRY},
    {{"submit", "--resource=gpus=1 force-tight", "--", "true"},
     "error: invalid value 'gpus=1 force-tight' for '--resource <RESOURCE>': Unexpected token found, "
     "expected <end of input> or c or s or t:\n" "  gpus=1 force-tight\n" "         |\n"
     "         --- Unexpected token `f`\n" "\n" TRY},
    {{"submit", "--time-limit=abc", "--", "true"},
     "error: invalid value 'abc' for '--time-limit <TIME_LIMIT>': Could not parse PBS walltime. Use "
     "either `HH:MM:SS` or humantime format (2hours): NumberExpected(0)\n" TRY},
    {{"submit", "--priority=abc", "--", "true"},
     "error: invalid value 'abc' for '--priority <PRIORITY>': invalid digit found in string\n" TRY},
    {{"submit", "--pin=foo", "--", "true"},
     "error: invalid value 'foo' for '--pin <PIN>'\n" "  [possible values: taskset, omp]\n" TRY},
    {{"submit"},
     "error: the following required arguments were not provided:\n" "  <COMMANDS>...\n" "\n"
     "Usage: hq submit --server-dir <SERVER_DIR> <COMMANDS>...\n" TRY},
    {{"submit", "--foo", "--", "true"},
     "error: unexpected argument '--foo' found\n" "\n" "  tip: to pass '--foo' as a value, use '-- --foo'\n" "\n"
     "Usage: hq submit [OPTIONS] <COMMANDS>...\n" TRY},
    {{"sumbit"},
     "error: unrecognized subcommand 'sumbit'\n" "\n" "  tip: a similar subcommand exists: 'submit'\n" "\n"
     "Usage: hq [OPTIONS] <COMMAND>\n" TRY},
    {{"job", "info", "abc"},
     "error: invalid value 'abc' for '<SELECTOR>': Unexpected token found while attempting to parse "
     "number, expected something else:\n" "  abc\n" "  |\n" "  --- Unexpected token `a`\n" "\n" TRY},
    {{"job", "info", "5-1"},
     "error: invalid value '5-1' for '<SELECTOR>': Unexpected end of input found while attempting to "
     "parse Integer range, expected something else:\n" "  5-1\n" "  |\n" "  --- Invalid range\n" "\n" TRY},
    {{"job", "list", "--filter=foo"},
     "error: invalid value 'foo' for '--filter <FILTER>'\n"
     "  [possible values: waiting, running, finished, failed, canceled, aborted, opened]\n" TRY},
    {{"job", "foo"},
     "error: unrecognized subcommand 'foo'\n" "\n" "Usage: hq job [OPTIONS] <COMMAND>\n" TRY},
    {{"--output-mode=xml", "job", "list"},
     "error: invalid value 'xml' for '--output-mode <OUTPUT_MODE>'\n" "  [possible values: cli, json, quiet]\n"
     TRY},
    {{"server", "start", "--client-port=99999"},
     "error: invalid value '99999' for '--client-port <CLIENT_PORT>': 99999 is not in 0..=65535\n" TRY},
    {{"job", "info", "1", "2"},
     "error: unexpected argument '2' found\n" "\n" "Usage: hq job info [OPTIONS] <SELECTOR>\n" TRY},
    {{"job", "cat", "1", "foo"},
     "error: invalid value 'foo' for '<STREAM>'\n" "  [possible values: stdout, stderr]\n" TRY},
    {{"job", "wait", "1", "--timeout=1"},
     "error: unexpected argument '--timeout' found\n" "\n"
     "  tip: to pass '--timeout' as a value, use '-- --timeout'\n" "\n" "Usage: hq job wait <SELECTOR>\n" TRY},
    {{"submit", "--naem=x", "--", "true"},
     "error: unexpected argument '--naem' found\n" "\n" "  tip: a similar argument exists: '--name'\n" "\n"
     "Usage: hq submit --name <NAME> <COMMANDS>...\n" TRY},
    {{"--array=1", "submit", "x"},
     "error: unexpected argument '--array' found\n" "\n" "  tip: 'submit --array' exists\n" "\n"
     "Usage: hq [OPTIONS] <COMMAND>\n" TRY},
    {{"submit", "--priority", "-1", "x"},
     "error: unexpected argument '-1' found\n" "\n" "  tip: to pass '-1' as a value, use '-- -1'\n" "\n"
     "Usage: hq submit [OPTIONS] <COMMANDS>...\n" TRY},
    {{"submit", "--priority=2147483648", "x"},
     "error: invalid value '2147483648' for '--priority <PRIORITY>': 2147483648 is not in -2147483648..=2147483647\n"
     TRY},
    {{"submit", "--priority=", "x"},
     "error: invalid value '' for '--priority <PRIORITY>': cannot parse integer from empty string\n" TRY},
    {{"submit", "--max-fails=99999999999999999999", "x"},
     "error: invalid value '99999999999999999999' for '--max-fails <MAX_FAILS>': "
     "number too large to fit in target type\n" TRY},
    {{"submit", "--name", "a", "--name", "b", "x"},
     "error: the argument '--name <NAME>' cannot be used multiple times\n" "\n"
     "Usage: hq submit [OPTIONS] <COMMANDS>...\n" TRY},
    {{"submit", "--wait", "--wait", "x"},
     "error: the argument '--wait' cannot be used multiple times\n" "\n"
     "Usage: hq submit [OPTIONS] <COMMANDS>...\n" TRY},
    {{"submit", "--wait", "--progress", "x"},
     "error: the argument '--wait' cannot be used with '--progress'\n" "\n"
     "Usage: hq submit --wait --server-dir <SERVER_DIR> <COMMANDS>...\n" TRY},
    {{"job", "list", "--filter", "running", "--all"},
     "error: the argument '--filter <FILTER>' cannot be used with '--all'\n" "\n"
     "Usage: hq job list --filter <FILTER> --server-dir <SERVER_DIR>\n" TRY},
    {{"submit", "--name", "x", "--wait=1", "x"},
     "error: unexpected value '1' for '--wait' found; no more were expected\n" "\n"
     "Usage: hq submit --name <NAME> <COMMANDS>...\n" TRY},
    {{"submit", "--name"}, "error: a value is required for '--name <NAME>' but none was supplied\n" TRY},
    {{"submit", "--name", "--wait", "x"}, "error: a value is required for '--name <NAME>' but none was supplied\n" TRY},
    {{"submit", "--pin", "--", "x"},
     "error: a value is required for '--pin <PIN>' but none was supplied\n" "  [possible values: taskset, omp]\n" TRY},
    {{"--server-dir=", "job", "list"},
     "error: a value is required for '--server-dir <SERVER_DIR>' but none was supplied\n" TRY},
    {{"job", "list", "--filter=running,wating"},
     "error: invalid value 'wating' for '--filter <FILTER>'\n"
     "  [possible values: waiting, running, finished, failed, canceled, aborted, opened]\n" "\n"
     "  tip: a similar value exists: 'waiting'\n" TRY},
    {{"job", "--", "list"},
     "error: unexpected argument 'list' found\n" "\n"
     "  tip: subcommand 'list' exists; to use it, remove the '--' before it\n" "\n"
     "Usage: hq job [OPTIONS] <COMMAND>\n" TRY},
    {{"worker", "wait", "x"},
     "error: invalid value 'x' for '<WORKER_COUNT>': invalid digit found in string\n" TRY},
    {{"worker", "start", "--detect-resources=foo"},
     "error: invalid variant: foo\n" "\n" "Usage: hq worker start [OPTIONS]\n" TRY},
    {{"server", "generate-access", "f"},
     "error: the following required arguments were not provided:\n" "  --client-port <CLIENT_PORT>\n"
     "  --worker-port <WORKER_PORT>\n" "\n"
     "Usage: hq server generate-access --client-port <CLIENT_PORT> --worker-port <WORKER_PORT> "
     "--server-dir <SERVER_DIR> <ACCESS_FILE>\n" TRY},
};

static void test_refused(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct matches m;
        struct str out = {0};
        assert_int_equal(parse(&m, refused[i].words, &out), 2);
        assert_string_equal(str_text(&out), refused[i].message);
        args_free(&m);
        str_free(&out);
    }
}

/* ---- accepted values ---- */

static void test_accepted(void **state)
{
    static const char *const lines[][ARGV_MAX] = {
        {"submit", "--array=34", "x"},
        {"submit", "--array=101-101", "x"},
        {"submit", "--array=0-10:2", "x"},
        {"submit", "--array=1,3, 5-8", "x"},
        {"submit", "--array= 4 ", "x"},
        {"submit", "--array=1-1_000", "x"},
        {"submit", "--time-limit=80:02", "x"},
        {"submit", "--time-limit=2 hours 5 minutes 10s", "x"},
        {"submit", "--cpus=all", "x"},
        {"submit", "--cpus=8 compact!", "x"},
        {"submit", "--cpus=0.5", "x"},
        {"submit", "--resource=gpus/nvidia=1", "--resource", "a = 3 scatter", "x"},
        {"submit", "--stdout=none", "--stderr=a/b.txt:rm-if-finished", "x"},
        {"submit", "--stdout=:rm-if-finished", "x"},
        {"submit", "--crash-limit=never-restart", "x"},
        {"submit", "--crash-limit=65535", "x"},
        {"submit", "--priority=-2147483648", "x"},
        {"submit", "--env==x", "--env=K", "x"},
        {"submit", "-"},
        {"job", "submit", "x"},
        {"job", "info", "last"},
        {"job", "cat", "last", "stdout"},
        {"task", "info", "last", "1-3", "-v", "-v"},
        {"task", "list", "1", "-vv"},
        {"worker", "start", "--cpus=2x4", "--resource=mem=sum(1_000)", "--overview-interval", "0s"},
        {"worker", "start", "--overview-interval=0", "--detect-resources=cpus,mem"},
        {"worker", "start", "--overview-interval=1m 30s"},
        {"run", "--worker-cpus=4", "--array=1-3", "x"},
        {"server", "start", "--client-port=0", "--worker-port=65535"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct matches m;
        struct str out = {0};
        assert_int_equal(parse(&m, lines[i], &out), ARGS_RUN);
        assert_non_null(m.level[m.depth - 1].cmd->run);
        args_free(&m);
        str_free(&out);
    }
}

static void test_wrong_values(void **state)
{
    static const char *const lines[][ARGV_MAX] = {
        {"submit", "--array=1-", "x"},           {"submit", "--array=1,,2", "x"},
        {"submit", "--array=7:2", "x"},          {"submit", "--time-limit=12:", "x"},
        {"submit", "--time-limit=1.5h", "x"},    {"submit", "--cpus=ALL", "x"},
        {"submit", "--cpus=1.", "x"},            {"submit", "--resource=a_b=1", "x"},
        {"submit", "--stdout=a:b:c", "x"},       {"submit", "--stdout=", "x"},
        {"submit", "--crash-limit=65536", "x"},  {"submit", "--crash-limit=", "x"},
        {"submit", "--priority=1_0", "x"},       {"worker", "start", "--resource=x=[]"},
        {"task", "info", "1_0", "1"},            {"task", "info", "all", "1"},
        {"job", "cat", "all", "stdout"},         {"task", "list", "all"},
        {"job", "list", "-v"},                   {"job", "forget", "1", "--status=failed"},
        {"submit", "-n", "x"},                   {"submit", "--log=x", "y"},
        {"server", "start", "--journal-flush-period=x"}, {"worker", "start", "--overview-interval=5"},
        {"wait"},                                {"help"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct matches m;
        struct str out = {0};
        assert_int_equal(parse(&m, lines[i], &out), 2);
        assert_starts(str_text(&out), "error: ");
        args_free(&m);
        str_free(&out);
    }
}

/* ---- meaning ---- */

static void test_trailing(void **state)
{
    static const struct {
        const char *words[ARGV_MAX];
        const char *command; /* joined by '|' */
    } cases[] = {
        {{"submit", "ls", "-l", "--foo"}, "ls|-l|--foo"},
        {{"submit", "--", "-x", "y"}, "-x|y"},
        {{"submit", "--", "a", "--", "b"}, "a|--|b"},
        {{"submit", "a", "--", "b"}, "a|--|b"},
        {{"submit", "--name=n", "a", "--name=m", "--help"}, "a|--name=m|--help"},
        {{"submit", "-"}, "-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct matches m;
        struct str out = {0};
        assert_int_equal(parse(&m, cases[i].words, &out), ARGS_RUN);
        const struct match *command = args_get(&m, "COMMANDS");
        assert_non_null(command);
        for (size_t j = 0; j < command->n; j++)
            str_addf(&out, "%s%s", j ? "|" : "", command->values[j].text);
        assert_string_equal(out.p, cases[i].command);
        args_free(&m);
        str_free(&out);
    }
}

static void test_values(void **state)
{
    struct matches m;
    struct str out = {0};
    const char *const words[] = {"submit", "--priority=-5", "--time-limit=1:30", "--pin", "omp", "--env=A=1",
                                 "--env=B=2", "x", NULL};
    assert_int_equal(parse(&m, words, &out), ARGS_RUN);
    assert_int_equal((int64_t)args_number(&m, "priority", 0), -5);
    assert_int_equal(args_number(&m, "time-limit", 0), 90000);
    assert_int_equal(args_number(&m, "time-request", 7), 7);
    assert_int_equal(args_number(&m, "pin", 9), 1);
    assert_int_equal(args_count(&m, "env"), 2);
    assert_string_equal(args_text(&m, "env"), "B=2");
    assert_false(args_has(&m, "wait"));
    args_free(&m);
    const char *const filters[] = {"job", "list", "--filter=running,failed", "--filter", "opened", NULL};
    assert_int_equal(parse(&m, filters, &out), ARGS_RUN);
    assert_int_equal(args_set(&m, "filter"), 1 << 1 | 1 << 3 | 1 << 6);
    args_free(&m);
    str_free(&out);
}

/* Global options count at any level; the deepest wins, and the environment loses. */
static void test_globals(void **state)
{
    static const struct {
        const char *words[ARGV_MAX];
        const char *dir, *mode;
    } cases[] = {
        {{"job", "list"}, "/env", NULL},
        {{"--server-dir=/a", "job", "list"}, "/a", NULL},
        {{"job", "--server-dir", "/b", "list", "--output-mode=json"}, "/b", "json"},
        {{"--server-dir=/a", "job", "--server-dir=/b", "list", "--server-dir=/c"}, "/c", NULL},
        {{"--output-mode=quiet", "job", "list"}, "/env", "quiet"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct matches m;
        struct str out = {0};
        assert_int_equal(parse(&m, cases[i].words, &out), ARGS_RUN);
        assert_string_equal(args_text(&m, "server-dir"), cases[i].dir);
        if (cases[i].mode)
            assert_string_equal(args_text(&m, "output-mode"), cases[i].mode);
        else
            assert_null(args_text(&m, "output-mode"));
        args_free(&m);
        str_free(&out);
    }
}

static void test_environment(void **state)
{
    static const struct {
        const char *name, *value;
        int want;
    } cases[] = {
        {"HQ_DEBUG", "true", ARGS_RUN}, {"HQ_DEBUG", "false", ARGS_RUN},       {"HQ_DEBUG", "1", 2},
        {"HQ_OUTPUT_MODE", "json", ARGS_RUN}, {"HQ_OUTPUT_MODE", "xml", 2}, {"HQ_SERVER_DIR", "", 2},
    };
    static const char *const words[] = {"job", "list", NULL};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct matches m;
        struct str out = {0};
        setenv(cases[i].name, cases[i].value, 1);
        assert_int_equal(parse(&m, words, &out), cases[i].want);
        if (cases[i].want == ARGS_RUN && strcmp(cases[i].name, "HQ_DEBUG") == 0)
            assert_int_equal(args_has(&m, "debug"), strcmp(cases[i].value, "true") == 0);
        args_free(&m);
        str_free(&out);
        unsetenv(cases[i].name);
    }
    setenv("HQ_SERVER_DIR", "/env", 1);
}

/* ---- help ---- */

static void test_help(void **state)
{
    static const struct {
        const char *words[ARGV_MAX];
        int want;
        const char *start;
    } cases[] = {
        {{"--version"}, 0, "hyperqueue "},
        {{"-V"}, 0, "hyperqueue "},
        {{"worker", "wait", "2", "--help"}, 0,
         "Waits on the connection of worker(s)\n\nUsage: hq worker wait [OPTIONS] <WORKER_COUNT>\n"},
        {{"server", "wait", "--timeout=120", "--help"}, 0,
         "Wait until the server becomes available\n\nUsage: hq server wait [OPTIONS]\n"},
        {{"worker", "hwdetect", "--help"}, 0,
         "Performs hardware detection\n\nThis serves to test how a worker sees the hardware on a machine where the "
         "command is invoked.\n"},
        {{"worker", "start", "--group=", "--help"}, 0, "Starts a worker\n\n"},
        {{"job", "-h"}, 0, "Work with jobs\n\nUsage: hq job [OPTIONS] <COMMAND>\n\nCommands:\n  list      List jobs\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct matches m;
        struct str out = {0};
        assert_int_equal(parse(&m, cases[i].words, &out), cases[i].want);
        assert_starts(str_text(&out), cases[i].start);
        args_free(&m);
        str_free(&out);
    }
}

static void test_global_options_show_in_long_help_only(void **state)
{
    static const char *const words[][3] = {{"job", "--help"}, {"job", "-h"}};
    for (size_t i = 0; i < 2; i++) {
        struct matches m;
        struct str out = {0};
        assert_int_equal(parse(&m, words[i], &out), 0);
        assert_int_equal(strstr(out.p, "GLOBAL OPTIONS:") != NULL, i == 0);
        args_free(&m);
        str_free(&out);
    }
}

/* Without any option, a group alone prints its help, as an error; with one it complains. */
static void test_group_alone(void **state)
{
    static const char *const words[] = {"job", NULL};
    struct matches m;
    struct str out = {0};
    assert_int_equal(parse(&m, words, &out), 2);
    assert_starts(out.p, "error: 'hq job' requires a subcommand but one was not provided\n  [subcommands: list, ");
    args_free(&m);
    str_clear(&out);
    unsetenv("HQ_SERVER_DIR");
    assert_int_equal(parse(&m, words, &out), 2);
    assert_starts(out.p, "Work with jobs\n\nUsage: hq job");
    args_free(&m);
    str_free(&out);
    setenv("HQ_SERVER_DIR", "/env", 1);
}

/* ---- the table itself ---- */

static void check_command(const struct command *c, size_t depth)
{
    const struct arg *all[ARGS_MAX];
    size_t n = command_args(c, all);
    assert_non_null(c->about);
    assert_true(depth < ARGS_DEPTH);
    assert_true(n + 4 <= ARGS_MAX); /* with the globals */
    assert_int_equal(c->run == NULL, c->subs != NULL);
    for (size_t i = 0; i < n; i++) {
        assert_non_null(all[i]->help);
        assert_int_equal(all[i]->value == NULL, all[i]->kind == ARG_FLAG || all[i]->kind == ARG_COUNT);
        assert_int_equal(all[i]->choices != NULL, all[i]->kind == ARG_CHOICE);
        assert_int_equal(all[i]->check != NULL, all[i]->kind == ARG_CHECKED);
        assert_int_equal(all[i]->grammar != 0, all[i]->kind == ARG_GRAMMAR);
        for (size_t j = 0; j < i; j++)
            assert_false(all[i]->name && all[j]->name && strcmp(all[i]->name, all[j]->name) == 0);
    }
    for (const struct command *s = c->subs; s && s->name; s++)
        check_command(s, depth + 1);
}

static void test_table(void **state)
{
    check_command(&commands_root, 0);
}

static int set_up(void **state)
{
    return setenv("HQ_SERVER_DIR", "/env", 1) || unsetenv("HQ_DEBUG") || unsetenv("HQ_OUTPUT_MODE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_accepted), cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_trailing),  cmocka_unit_test(test_values),   cmocka_unit_test(test_globals),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_help),
        cmocka_unit_test(test_global_options_show_in_long_help_only),
        cmocka_unit_test(test_group_alone), cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
