/* SPDX-License-Identifier: MIT */
/* commands.c - all commands, and the options that every one of them takes. */
#include "commands.h"

#include "completion.h"
#include "job.h"
#include "journal.h"
#include "run.h"
#include "server.h"
#include "submit.h"
#include "task.h"
#include "worker.h"

static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const output_modes[] = {"cli", "json", "quiet", NULL}; /* by enum out_mode */

static const struct arg global_args[] = {
    {.name = "server-dir", .value = "SERVER_DIR", .kind = ARG_PATH, .env = "HQ_SERVER_DIR",
     .fallback = "$HOME/.hq-server", .help = "Directory where the server's access file is kept"},
    {.name = "colors", .value = "COLORS", .kind = ARG_CHOICE, .choices = colors, .fallback = "auto",
     .help = "Colours in the output; auto: when it goes to a terminal"},
    {.name = "output-mode", .value = "OUTPUT_MODE", .kind = ARG_CHOICE, .choices = output_modes,
     .env = "HQ_OUTPUT_MODE", .fallback = "cli", .help = "How results are printed: for people, as JSON, or barely"},
    {.name = "debug", .kind = ARG_FLAG, .env = "HQ_DEBUG", .help = "Log more, and say where it comes from"},
    {0},
};

static const struct command top_commands[] = {
    {.name = "server", .about = "Start, stop and look at the server", .subs = server_commands},
    {.name = "job", .about = "Work with jobs", .subs = job_commands},
    {.name = "task", .about = "Look at the tasks of a job", .subs = task_commands},
    {.name = "submit", .about = SUBMIT_ABOUT, .more = SUBMIT_MORE,
     .args = {submit_task_args, submit_args, submit_command_args}, .run = submit_run},
    {.name = "run", .about = RUN_ABOUT, .more = RUN_MORE, .args = {submit_task_args, run_args, submit_command_args},
     .run = run_run},
    {.name = "worker", .about = "Start, stop and look at workers", .subs = worker_commands},
    {.name = "journal", .about = "Read, check and repair journals", .subs = journal_commands},
    {.name = "generate-completion", .about = "Print a completion script for a shell", .args = {completion_args},
     .run = completion_run},
    {0},
};

const struct command commands_root = {
    .name = "hq",
    .about = "HyperQueue: many tasks in few allocations",
    .more = "A server keeps jobs, workers run their tasks. Start a server (`hq server start`), workers on the nodes "
            "(`hq worker start`), and submit (`hq submit --array 1-300 ./task.sh`); or run an array in one go, without "
            "a server of its own (`hq run --array 1-300 ./task.sh`).",
    .args = {global_args},
    .subs = top_commands,
};
