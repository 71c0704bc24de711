/* SPDX-License-Identifier: MIT */
/* submit.c - `hq submit`: options, checks, and the way into a job. */
#include "submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "choices.h"
#include "entries.h"
#include "format.h"
#include "hqcore/tools.h"
#include "progress.h"
#include "script.h"
#include "submit_warn.h"

enum { DIRECTIVES_AUTO, DIRECTIVES_OFF };

static const char *const pin_modes[] = {"taskset", "omp", NULL};
static const char *const directive_modes[] = {"auto", "off", NULL};

/* ---- checks ---- */

bool submit_name_ok(struct cli *cli, const char *name)
{
    if (!name || !strpbrk(name, "\n\t"))
        return true;
    out_fail(cli, NULL, "name cannot have a newline or a tab");
    return false;
}

static bool check_paths(struct cli *cli, const struct matches *m)
{
    const char *cwd = args_text(m, "cwd");
    if (!cwd || !strstr(cwd, "%{CWD}"))
        return true;
    out_fail(cli, NULL, "Working directory path cannot contain the working directory placeholder `%%{CWD}`.");
    return false;
}

/* ---- resources, environment ---- */

struct request {
    char *name; /* owned */
    const char *amount;
};

/* "NAME = AMOUNT", which the library has accepted. */
static struct request split_request(const char *text)
{
    size_t len = strcspn(text, "=");
    const char *amount = text + len + 1 + strspn(text + len + 1, " \t");
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    return (struct request){mem_dupn(text, len), amount};
}

/* The library adds the one cpu that is the default, and refuses what is given twice. */
static bool fill_resources(struct cli *cli, const struct matches *m, hq_submit *submit)
{
    const struct match *given = args_get(m, "resource");
    const char *cpus = args_text(m, "cpus");
    bool ok = true;
    if (cpus)
        hq_submit_set_resource(submit, "cpus", cpus);
    for (size_t i = 0; given && ok && i < given->n; i++) {
        struct request r = split_request(given->values[i].text);
        ok = !cpus || strcmp(r.name, "cpus") != 0;
        hq_submit_set_resource(submit, r.name, r.amount);
        free(r.name);
    }
    if (!ok)
        out_fail(cli, NULL, "--cpus and --resource cpus=... cannot be combined");
    return ok;
}

static bool same_name(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");
    return strcspn(b, "=") == len && memcmp(a, b, len) == 0;
}

/* Of variables given twice the later one counts. */
static void fill_env(struct cli *cli, const struct matches *m, hq_submit *submit)
{
    const struct match *given = args_get(m, "env");
    bool repeated = false;
    for (size_t i = 0; given && i < given->n; i++) {
        const char *text = given->values[i].text;
        size_t later = i + 1, len = strcspn(text, "=");
        while (later < given->n && !same_name(text, given->values[later].text))
            later++;
        repeated |= later < given->n;
        if (later < given->n)
            continue;
        char *name = mem_dupn(text, len);
        hq_submit_set_env(submit, name, text[len] ? text + len + 1 : "");
        free(name);
    }
    if (repeated)
        out_log(cli, LOG_WARN,
                "Some environment variables were ignored. Check if you haven't used duplicate keys.");
}

/* ---- command ---- */

static bool read_shebang(struct cli *cli, const struct matches *m, const char *command, struct words *shebang)
{
    struct str why = {0};
    *shebang = (struct words){0};
    if (args_number(m, "directives", DIRECTIVES_AUTO) == DIRECTIVES_OFF || !script_is(command))
        return true;
    bool ok = script_read(command, shebang, &why);
    if (!ok)
        out_fail(cli, NULL, "Could not parse directives from %s: %s", command, str_text(&why));
    if (ok && args_has(m, "stdin"))
        words_free(shebang);
    str_free(&why);
    return ok;
}

static bool fill_command(struct cli *cli, const struct matches *m, hq_submit *submit)
{
    const struct match *words = args_get(m, "COMMANDS");
    struct words shebang;
    if (!read_shebang(cli, m, words->values[0].text, &shebang))
        return false;
    const char **argv = mem_new(shebang.n + words->n + 1, sizeof(*argv));
    for (size_t i = 0; i < shebang.n; i++)
        argv[i] = shebang.p[i];
    for (size_t i = 0; i < words->n; i++)
        argv[shebang.n + i] = words->values[i].text;
    hq_submit_set_command(submit, argv);
    free(argv);
    words_free(&shebang);
    return true;
}

static bool fill_stdin(struct cli *cli, const struct matches *m, hq_submit *submit)
{
    struct blob data;
    int sys;
    char why[ERRNO_MAX];
    if (!args_has(m, "stdin"))
        return true;
    puts("Reading data from stdin. In the interactive mode press Ctrl-D to submit.");
    out_flush(cli);
    bool ok = blob_drain(&data, STDIN_FILENO, &sys);
    if (ok)
        hq_submit_set_stdin(submit, data.p, data.len);
    else
        out_fail(cli, format_errno(sys, why), "Cannot read stdin");
    blob_free(&data);
    return ok;
}

/* ---- the rest ---- */

static bool fill_entries(struct cli *cli, const struct matches *m, hq_submit *submit)
{
    if (args_has(m, "array"))
        hq_submit_set_array(submit, args_text(m, "array"));
    if (args_has(m, "each-line"))
        return entries_from_lines(cli, submit, args_text(m, "each-line"));
    return !args_has(m, "from-json") || entries_from_json(cli, submit, args_text(m, "from-json"));
}

static void fill_numbers(const struct matches *m, hq_submit *submit)
{
    static const int pins[] = {HQ_PIN_TASKSET, HQ_PIN_OMP};
    hq_submit_set_priority(submit, (int32_t)(int64_t)args_number(m, "priority", 0));
    hq_submit_set_time_limit(submit, args_limit(m, "time-limit"));
    if (args_has(m, "time-request"))
        hq_submit_set_time_request(submit, args_number(m, "time-request", 0));
    if (args_has(m, "max-fails"))
        hq_submit_set_max_fails(submit, (uint32_t)args_number(m, "max-fails", 0));
    if (args_has(m, "crash-limit"))
        hq_submit_set_crash_limit(submit, (uint32_t)args_number(m, "crash-limit", 0));
    if (args_has(m, "pin"))
        hq_submit_set_pin(submit, pins[args_number(m, "pin", 0)]);
    hq_submit_set_task_dir(submit, args_has(m, "task-dir"));
}

static void fill_texts(const struct matches *m, hq_submit *submit)
{
    static const struct {
        const char *option;
        void (*set)(hq_submit *, const char *);
    } texts[] = {
        {"name", hq_submit_set_name},
        {"cwd", hq_submit_set_cwd},
        {"stdout", hq_submit_set_stdout},
        {"stderr", hq_submit_set_stderr},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (args_has(m, texts[i].option))
            texts[i].set(submit, args_text(m, texts[i].option));
}

bool submit_fill(struct cli *cli, const struct matches *m, hq_submit *submit)
{
    const char *array = args_text(m, "array");
    struct submit_paths paths = {args_text(m, "cwd"), args_text(m, "stdout"), args_text(m, "stderr"),
                                 array ? choices_count_ids(array) : 0};
    if (!fill_stdin(cli, m, submit) || !fill_command(cli, m, submit) || !submit_name_ok(cli, args_text(m, "name")) ||
        !check_paths(cli, m) || !fill_resources(cli, m, submit) || !fill_entries(cli, m, submit))
        return false;
    fill_env(cli, m, submit);
    fill_texts(m, submit);
    fill_numbers(m, submit);
    submit_warn(cli, &paths);
    return true;
}

/* ---- hq submit ---- */

static bool set_job(struct cli *cli, const struct matches *m, hq_submit *submit)
{
    static const char *const excluded[] = {"name", "max-fails"};
    if (!args_has(m, "job"))
        return true;
    for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++) {
        if (!args_has(m, excluded[i]))
            continue;
        out_fail(cli, NULL, "Parameter --%s is not allowed when submitting to an open job.", excluded[i]);
        return false;
    }
    hq_submit_set_job(submit, (hq_job_id){(uint32_t)args_number(m, "job", 0)});
    return true;
}

static void print_submitted(struct cli *cli, uint32_t job)
{
    if (cli->mode == OUT_JSON) {
        out_json(cli, json_pack("{s:I}", "id", (json_int_t)job));
    } else if (cli->mode == OUT_QUIET) {
        printf("%u\n", job);
    } else {
        struct str word = {0};
        out_style(&word, cli, STYLE_GREEN, "successfully");
        printf("Job submitted %s, job ID: %u\n", word.p, job);
        str_free(&word);
    }
    out_flush(cli);
}

static int follow(struct session *s, const struct matches *m, uint32_t job)
{
    hq_error err;
    if (args_has(m, "wait")) {
        int sent = hq_client_wait(s->client, (hq_job_id){job}, session_tag(s), &err);
        s->may_close = true;
        return session_reply(s, sent, &err) || s->closed ? 0 : 1;
    }
    if (!args_has(m, "progress"))
        return 0;
    struct str id = {0};
    str_addf(&id, "%u", job);
    int rc = progress_follow(s, id.p, true);
    str_free(&id);
    return rc;
}

static int submit_to(struct session *s, const struct matches *m, hq_submit *submit)
{
    hq_error err;
    if (!set_job(s->cli, m, submit) || !submit_fill(s->cli, m, submit))
        return 1;
    const hq_event *e = session_answer(s, hq_client_submit(s->client, submit, session_tag(s), &err), &err);
    if (!e)
        return 1;
    if (e->code != HQ_OK)
        return out_fail(s->cli, NULL, "%s", e->text && *e->text ? e->text : hq_strerror(e->code));
    uint32_t job = e->u.reply.job.n;
    print_submitted(s->cli, job);
    return follow(s, m, job);
}

int submit_run(struct cli *cli, const struct matches *m)
{
    struct session s;
    int rc = 1;
    if (session_open(&s, cli)) {
        hq_submit *submit = hq_submit_new(s.ctx);
        rc = submit_to(&s, m, submit);
        hq_submit_free(submit);
    }
    session_close(&s);
    return rc;
}

/* ---- table ---- */

const struct arg submit_task_args[] = {
    {.name = "name", .value = "NAME", .kind = ARG_TEXT, .help = "Name of the job",
     .fallback = "the file name of the program"},
    {.name = "max-fails", .value = "MAX_FAILS", .kind = ARG_NUMBER, .max = UINT32_MAX,
     .help = "Give up what is left of the job once more tasks than that have failed"},
    {.name = "cpus", .value = "CPUS", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_AMOUNT, .fallback = "1",
     .help = "Cpus of each task: a number, `all`, or with a policy, as in `4 compact!`",
     .more = "Policies: compact, tight and scatter say how the cpus are spread over the node's groups; with `!` the "
             "task waits until exactly that is possible."},
    {.name = "resource", .value = "RESOURCE", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_REQUEST, .flags = ARG_REPEAT,
     .help = "Another resource of each task, as in `gpus/nvidia=1`; may be repeated"},
    {.name = "time-request", .value = "TIME_REQUEST", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DURATION,
     .help = "Start tasks only on workers that live at least that much longer"},
    {.name = "pin", .value = "PIN", .kind = ARG_CHOICE, .choices = pin_modes, .help = "How to pin tasks to their cpus"},
    {.name = "cwd", .value = "CWD", .kind = ARG_PATH, .fallback = "%{SUBMIT_DIR}", .help = "Working directory of tasks"},
    {.name = "stdout", .value = "STDOUT", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_STDIO,
     .fallback = "%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stdout",
     .help = "File for the standard output: a path, `none`, or a path with `:rm-if-finished` behind it"},
    {.name = "stderr", .value = "STDERR", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_STDIO,
     .fallback = "%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stderr", .help = "File for the standard error, likewise"},
    {.name = "env", .value = "ENV", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_ENV, .flags = ARG_REPEAT,
     .help = "A variable of the tasks' environment, as in `KEY=VALUE`; may be repeated"},
    {.name = "each-line", .value = "EACH_LINE", .kind = ARG_PATH,
     .help = "Make one task per line of this file; it is in HQ_ENTRY"},
    {.name = "from-json", .value = "FROM_JSON", .kind = ARG_PATH, .conflicts = {"each-line"},
     .help = "Make one task per element of the JSON array in this file; it is in HQ_ENTRY"},
    {.name = "array", .value = "ARRAY", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_ARRAY,
     .help = "Make tasks with these ids, as in `1-300,400`"},
    {.name = "priority", .value = "PRIORITY", .kind = ARG_NUMBER, .min = INT32_MIN, .max = INT32_MAX, .fallback = "0",
     .help = "Tasks with a larger priority start sooner"},
    {.name = "time-limit", .value = "TIME_LIMIT", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DURATION,
     .help = "Kill tasks that run longer, as in `10`, `1:30:00` or `2h 5m`"},
    {.name = "task-dir", .kind = ARG_FLAG, .help = "Give each task a directory of its own, in HQ_TASK_DIR"},
    {.name = "crash-limit", .value = "CRASH_LIMIT", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_CRASH_LIMIT,
     .flags = ARG_BARE_ERROR, .fallback = "5",
     .help = "Lost workers that a task survives: a number, `never-restart` or `unlimited`"},
    {.name = "stdin", .kind = ARG_FLAG, .help = "Read standard input and give it to every task as its own"},
    {.name = "directives", .value = "DIRECTIVES", .kind = ARG_CHOICE, .choices = directive_modes, .fallback = "auto",
     .help = "Whether the head of a script is read: the interpreter of a *.sh is put before it"},
    {0},
};

const struct arg submit_args[] = {
    {.name = "job", .value = "JOB", .kind = ARG_NUMBER, .max = UINT32_MAX, .help = "Add the tasks to this open job"},
    {.name = "wait", .kind = ARG_FLAG, .conflicts = {"progress"}, .help = "Wait until the job has ended"},
    {.name = "progress", .kind = ARG_FLAG, .conflicts = {"wait"}, .help = "Follow the job with a progress bar"},
    {0},
};

const struct arg submit_command_args[] = {
    {.name = "COMMANDS", .value = "COMMANDS", .kind = ARG_TEXT,
     .flags = ARG_POSITIONAL | ARG_REQUIRED | ARG_TRAILING, .help = "The program that tasks run, and its arguments"},
    {0},
};
