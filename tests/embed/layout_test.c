/* SPDX-License-Identifier: MIT */
/* layout_test.c - sizes and offsets of all public structs, as programs that were built before have them compiled in. What this
 * file says may only grow at the ends of structs that carry their size. */
#include <stddef.h>

#include "hqcore.h"

#if defined(__LP64__)
#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type)
#define AT(type, member, offset) _Static_assert(offsetof(type, member) == (offset), #type "." #member)

SIZE(hq_error, 256);
AT(hq_error, code, 0);
AT(hq_error, sys, 4);
AT(hq_error, where, 8);
AT(hq_error, text, 16);

SIZE(hq_job_id, 4);
SIZE(hq_worker_id, 4);
SIZE(hq_task_id, 8);
AT(hq_task_id, index, 4);
SIZE(hq_range, 12);
AT(hq_range, first, 0);
AT(hq_range, count, 4);
AT(hq_range, step, 8);

SIZE(hq_log, 24);
AT(hq_log, level, 0);
AT(hq_log, where, 8);
AT(hq_log, text, 16);

SIZE(hq_ctx_options, 40);
AT(hq_ctx_options, size, 0);
AT(hq_ctx_options, alloc, 8);
AT(hq_ctx_options, log, 16);
AT(hq_ctx_options, user, 24);
AT(hq_ctx_options, log_level, 32);
AT(hq_ctx_options, max_events, 36);

AT(hq_event, type, 0); /* the library alone makes them: they may grow */
AT(hq_event, code, 4);
AT(hq_event, tag, 8);
AT(hq_event, source, 16);
AT(hq_event, text, 24);
AT(hq_event, u.reply.job, 32);
AT(hq_event, u.reply.doc, 40);
AT(hq_event, u.reply.tasks, 48);
AT(hq_event, u.reply.cursor, 56);
AT(hq_event, u.state, 32);
AT(hq_event, u.tasks.job, 32);
AT(hq_event, u.tasks.ids, 36);
AT(hq_event, u.tasks.state, 48);
AT(hq_event, u.tasks.worker, 52);
AT(hq_event, u.worker.id, 32);
AT(hq_event, u.worker.state, 36);

AT(hq_event, u.batch, 32);

AT(hq_batch, job, 0); /* so may these */
AT(hq_batch, function, 8);
AT(hq_batch, count, 16);
AT(hq_batch, index, 24);
AT(hq_batch, instance, 32);
AT(hq_batch, entry, 40);
AT(hq_batch, entry_size, 48);
AT(hq_batch, time_limit_ms, 56);

SIZE(hq_answer, 80);
AT(hq_answer, size, 0);
AT(hq_answer, first, 8);
AT(hq_answer, count, 16);
AT(hq_answer, code, 24);
AT(hq_answer, error, 32);
AT(hq_answer, duration_ns, 40);
AT(hq_answer, result, 48);
AT(hq_answer, result_size, 56);
AT(hq_answer, reserved, 64);

SIZE(hq_server_options, 128);
AT(hq_server_options, size, 0);
AT(hq_server_options, server_dir, 8);
AT(hq_server_options, access_file, 16);
AT(hq_server_options, bind, 24);
AT(hq_server_options, host, 32);
AT(hq_server_options, port, 48);
AT(hq_server_options, secret, 56);
AT(hq_server_options, worker_idle_timeout_ms, 72);
AT(hq_server_options, journal, 80);
AT(hq_server_options, journal_flush_ms, 88);
AT(hq_server_options, reserved, 96);

SIZE(hq_worker_options, 176);
AT(hq_worker_options, size, 0);
AT(hq_worker_options, endpoint, 8);
AT(hq_worker_options, secret, 16);
AT(hq_worker_options, server_dir, 24);
AT(hq_worker_options, cpus, 32);
AT(hq_worker_options, resources, 40);
AT(hq_worker_options, detect, 48);
AT(hq_worker_options, no_hyper_threading, 52);
AT(hq_worker_options, group, 56);
AT(hq_worker_options, hostname, 64);
AT(hq_worker_options, work_dir, 72);
AT(hq_worker_options, manager, 80);
AT(hq_worker_options, on_server_lost, 84);
AT(hq_worker_options, idle_timeout_ms, 88);
AT(hq_worker_options, time_limit_ms, 96);
AT(hq_worker_options, heartbeat_ms, 104);
AT(hq_worker_options, env, 112);
AT(hq_worker_options, helper, 120);
AT(hq_worker_options, task_files, 128);
AT(hq_worker_options, keep_affinity, 136);
AT(hq_worker_options, min_utilization, 144);
AT(hq_worker_options, functions, 152);
AT(hq_worker_options, overview_interval_ms, 160);
AT(hq_worker_options, reserved, 168);

SIZE(hq_client_options, 64);
AT(hq_client_options, size, 0);
AT(hq_client_options, endpoint, 8);
AT(hq_client_options, secret, 16);
AT(hq_client_options, server_dir, 24);
AT(hq_client_options, reserved, 32);

SIZE(hq_job_status, 72);
AT(hq_job_status, size, 0);
AT(hq_job_status, state, 8);
AT(hq_job_status, is_open, 12);
AT(hq_job_status, total, 16);
AT(hq_job_status, waiting, 24);
AT(hq_job_status, running, 32);
AT(hq_job_status, finished, 40);
AT(hq_job_status, failed, 48);
AT(hq_job_status, canceled, 56);
AT(hq_job_status, aborted, 64);

SIZE(hq_task_columns, 96);
AT(hq_task_columns, size, 0);
AT(hq_task_columns, count, 8);
AT(hq_task_columns, index, 16);
AT(hq_task_columns, state, 24);
AT(hq_task_columns, code, 32);
AT(hq_task_columns, start_ns, 40);
AT(hq_task_columns, duration_ns, 48);
AT(hq_task_columns, worker, 56);
AT(hq_task_columns, instance, 64);
AT(hq_task_columns, error, 72);
AT(hq_task_columns, result, 80);
AT(hq_task_columns, result_size, 88);
#endif

/* Numbers that are stored, sent or compiled in. */
_Static_assert(HQ_EINVAL == -1 && HQ_EINTR == -14 && HQ_ECLOSED == -17, "error codes");
_Static_assert(HQ_EVENT_REPLY == 1 && HQ_EVENT_STOPPED == 5 && HQ_EVENT_BATCH == 6, "event types");
_Static_assert(HQ_CONNECTED == 1 && HQ_CONNECTION_LOST == 4, "connection states");
_Static_assert(HQ_TASK_WAITING == 0 && HQ_TASK_ABORTED == 5, "task states");
_Static_assert(HQ_WORKER_STOPPED == 1 && HQ_WORKER_TIME_LIMIT == 5, "worker ends");
_Static_assert(HQ_CODE_SIGNAL == 256 && HQ_CODE_TIME_LIMIT == 512 && HQ_CODE_CRASH_LIMIT == 515, "task codes");
_Static_assert(HQ_DOC_NULL == 0 && HQ_DOC_MAP == 7, "kinds of docs");
_Static_assert(HQ_PLANE_CLIENT == 0 && HQ_PLANE_WORKER == 1, "planes");
_Static_assert(HQ_DETECT_CPUS == 1 && HQ_DETECT_NONE == 16, "detection");
_Static_assert(HQ_MANAGER_DETECT == 0 && HQ_MANAGER_SLURM == 3, "managers");
_Static_assert(HQ_LOST_STOP == 1 && HQ_LOST_FINISH_RUNNING == 2, "what a worker does without its server");
_Static_assert(HQ_PIN_NONE == 0 && HQ_PIN_OMP == 2, "pinning");

int main(void)
{
    return 0; /* the compiler has checked */
}
