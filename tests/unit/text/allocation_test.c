/* SPDX-License-Identifier: MIT */
/* allocation_test.c - lib/text/allocation.c, on outputs as the programs print them. */
#include "parse_case.h"

#include "text/allocation.h"

static const struct {
    const char *in;
    bool ok;
    uint64_t secs;
} times[] = {
    {"17-01:00:11", true, 17 * 86400 + 3600 + 11},
    {"00:15:00", true, 900},
    {"15:30", true, 930},
    {"7", true, 7},
    {"1-00", true, 86400},
    {"1-02:03", true, 86400 + 123},
    {"100:00:00", true, 360000},
    {"", false, 0},
    {"UNLIMITED", false, 0},
    {"Partition_Limit", false, 0},
    {"1:2:3:4", false, 0},
    {"1-", false, 0},
    {"-1", false, 0},
    {"1-2-3", false, 0},
    {"1:", false, 0},
    {":1", false, 0},
    {"1: 2", false, 0},
    {"4294967296", false, 0},
    {"99999999999999999999-00:00:00", false, 0},
};

static void reads_times(void **state)
{
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        uint64_t secs = 0;
        if (hqi_text_allocation_time(bytes_of(times[i].in), &secs) != times[i].ok || secs != times[i].secs)
            fail_msg("`%s`: %llu", times[i].in, (unsigned long long)secs);
    }
}

#define SCONTROL                                                                                  \
    "JobId=42 JobName=hq-1\n   UserId=me(1000) GroupId=me(1000) MCS_label=N/A\n"                  \
    "   JobState=RUNNING Reason=None Dependency=(null)\n   Requeue=1 Restarts=0 BatchFlag=1\n"    \
    "   RunTime=00:01:34 TimeLimit=00:15:00 TimeMin=N/A\n   Command=/x/hq-submit.sh\n\n"

static const struct {
    const char *output;
    bool ok;
    uint64_t left;
} slurm[] = {
    {SCONTROL, true, 13 * 60 + 26},
    {"RunTime=00:01:34 TimeLimit=00:15:00", true, 806},
    {"TimeLimit=1-00:00:00\nRunTime=1-00:00:00\n", true, 0},
    {"RunTime=00:01:34 TimeLimit=UNLIMITED", false, 0},
    {"RunTime=00:16:00 TimeLimit=00:15:00", false, 0},
    {"RunTime= TimeLimit=00:15:00", false, 0},
    {"TimeLimit=00:15:00", false, 0},
    {"MyRunTime=00:01:34 TimeLimitX=00:15:00", false, 0},
    {"", false, 0},
};

static const struct {
    const char *output;
    bool ok;
    uint64_t left;
} pbs[] = {
    {"Job Id: 12.host\n    Job_Name = hq\n    resources_used.walltime = 00:01:34\n    Resource_List.walltime = 00:15:00\n",
     true, 806},
    {"    Resource_List.walltime = 01:00:00\n    comment = a = b", true, 3600},
    {"    Resource_List.walltime = 00:00:10\n    resources_used.walltime = 00:00:11\n", false, 0},
    {"    Resource_List.select = 1\n", false, 0},
    {"{\"timestamp\":1, \"Jobs\":{\"12.host\":{\"Job_Name\":\"hq\", \"resources_used\":{\"cput\":\"1\", \"walltime\":\"00:01:34\"},\n"
     "\"Resource_List\":{\"ncpus\":8, \"walltime\":\"00:15:00\"}}}}\n", true, 806},
    {"\n{\"Jobs\":{\"12.host\":{\"Resource_List\":{\"walltime\":\"01:00:00\"}}}}", true, 3600},
    {"{\"Jobs\":{\"12.host\":{\"Resource_List\":{\"walltime\":3600}}}}", false, 0},
    {"{\"Jobs\":{\"12.host\":{\"Resource_List\":{\"ncpus\":8}}}}", false, 0},
    {"{\"Jobs\":{\"12.host\":[]}}", false, 0},
    {"{\"Jobs\":{}}", false, 0},
    {"{\"Jobs\":{\"12.host\":{\"Resource_List\":{\"walltime\":\"01:00:00\"}", false, 0},
    {"    Resource_List.walltime = \n", false, 0},
    {"", false, 0},
};

static void computes_what_is_left(void **state)
{
    for (size_t i = 0; i < sizeof slurm / sizeof *slurm; i++) {
        uint64_t left = 0;
        assert_int_equal(hqi_text_allocation_slurm_left(bytes_of(slurm[i].output), &left), slurm[i].ok);
        assert_int_equal(left, slurm[i].left);
    }
    for (size_t i = 0; i < sizeof pbs / sizeof *pbs; i++) {
        uint64_t left = 0;
        assert_int_equal(hqi_text_allocation_pbs_left(bytes_of(pbs[i].output), &left), pbs[i].ok);
        assert_int_equal(left, pbs[i].left);
    }
}

static void finds_values(void **state)
{
    struct bytes v;
    assert_true(hqi_text_allocation_scontrol(bytes_of(SCONTROL), "JobState", &v));
    assert_true(bytes_is(v, "RUNNING"));
    assert_true(hqi_text_allocation_scontrol(bytes_of(SCONTROL), "JobId", &v));
    assert_true(bytes_is(v, "42"));
    assert_true(hqi_text_allocation_scontrol(bytes_of("A=b=c"), "A", &v));
    assert_true(bytes_is(v, "b=c"));
    assert_false(hqi_text_allocation_scontrol(bytes_of(SCONTROL), "Job", &v));
    assert_false(hqi_text_allocation_scontrol(bytes_of("A"), "A", &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_times),
        cmocka_unit_test(computes_what_is_left),
        cmocka_unit_test(finds_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
