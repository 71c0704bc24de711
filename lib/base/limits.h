/* SPDX-License-Identifier: MIT */
/* limits.h - every size that a peer or a user controls has its limit here, with the reason.
 * Beyond a limit: HQ_ELIMIT and a text that names value and limit. */
#ifndef HQI_BASE_LIMITS_H
#define HQI_BASE_LIMITS_H

/* One message between server, workers and clients. Batches are cut at BATCH_BYTES; a spec with a
 * large environment is the largest single thing. */
#define HQI_MAX_MESSAGE (16u << 20)
#define HQI_BATCH_BYTES (192u << 10) /* hand-outs and reports per message: one L2 cache, ~1 ms of CURVE */
#define HQI_MAX_HELLO 4096u          /* what a peer may send before it has proved its secret */
#define HQI_PART_BYTES (256u << 10)  /* one part of a large submit */
#define HQI_MAX_SUBMIT_BYTES (1ull << 30) /* all parts of one submit: one message of protobuf ends at 2 GiB */
#define HQI_MAX_UPLOADS 64u               /* submits in the making, per server */
#define HQI_UPLOAD_TIMEOUT_S 60u          /* a dropped upload is freed after this */

#define HQI_MAX_ARGS 65536u          /* argv entries and environment variables of one submit */
#define HQI_MAX_STRING (8u << 20)    /* one argument, path or variable; execve's own limit is 128 kB */
#define HQI_MAX_PATH 4095u           /* of a file that a client names to the server: PATH_MAX */
#define HQI_MAX_NAME 4096u           /* job, group and host names */
#define HQI_MAX_RESOURCE_NAME 128u   /* characters of a resource name */
#define HQI_MAX_RESOURCES 64u        /* different resources of one worker or one request */
#define HQI_MAX_INDICES (1u << 20)   /* indices of one indexed pool */
#define HQI_MAX_VARIANTS 32u         /* of one request */
#define HQI_MAX_LOAD_CPUS 8192u      /* of one node; the kernel's own limit */
#define HQI_MAX_LOAD_GPUS 256u       /* of one node and family */
#define HQI_MAX_GPU_ID 64u           /* bytes; a bus id has 16 */
#define HQI_MAX_RANGES (1u << 20)    /* ranges of one id set */
#define HQI_MAX_REASON 200u          /* bytes of a cancel reason */
#define HQI_MAX_ERROR_TEXT 2076u     /* bytes of a task's error text: 2,048 of an error file, and the mark that there was more */
#define HQI_MAX_ERROR_BYTES (16u << 20) /* of all error texts of one job; beyond it they are cut */
#define HQI_MAX_RESULT (64u << 10)      /* bytes of one task's result: larger ones belong into files */
#define HQI_MAX_RESULT_BYTES (256ull << 20) /* of all results of one job; beyond it they are dropped, and it is said which */
#define HQI_MAX_JOBS (1u << 24)      /* jobs of one server */
#define HQI_MAX_WORKERS (1u << 20)
#define HQI_JOURNAL_PAGE (256u << 10) /* bytes of a journal in one reply: as much as is read at once */
#define HQI_MAX_PAGE 65536u          /* tasks in one page of results */
#define HQI_PAGE_BYTES (4u << 20)    /* texts and results in one page: well below one message */
#define HQI_MAX_SELECT 1000000u      /* ids named by one selector */
/* 100 years: no one waits longer, and sums and nanoseconds stay far inside 64 bits. */
#define HQI_MAX_DURATION_MS (100ull * 366 * 86400 * 1000)

#endif
