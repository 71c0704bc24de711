/* SPDX-License-Identifier: MIT */
/* submit_array.c - the blocking way: runs a program as an array of tasks on the server of HQ_SERVER_DIR, waits, and
 * tells how it went.
 *
 *     cc submit_array.c $(pkg-config --cflags --libs libhqcore) && ./a.out 1-300 /bin/true */
#include <stdio.h>

#include "hqcore.h"

static int run(hq_client *client, const char *ids, const char *const *argv, hq_error *err)
{
    hq_job_status status = {.size = sizeof status};
    hq_job_id job;
    if (hq_submit_array(client, ids, argv, NULL, &job, err) < 0 || hq_job_wait(client, job, -1, err) < 0 ||
        hq_job_progress(client, job, &status, err) < 0)
        return -1;
    printf("job %u: %llu of %llu tasks finished\n", job.n, (unsigned long long)status.finished,
           (unsigned long long)status.total);
    return 0;
}

int main(int argc, char **argv)
{
    hq_client *client;
    hq_error err;
    if (argc < 3) {
        fprintf(stderr, "usage: %s IDS PROGRAM [ARGUMENTS]\n", argv[0]);
        return 2;
    }
    if (hq_client_open(&client, NULL, -1, &err) < 0 || run(client, argv[1], (const char *const *)argv + 2, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    hq_client_free(client);
    return 0;
}
