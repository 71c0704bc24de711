// SPDX-License-Identifier: MIT
// cpp_test.cpp - the C++ binding, against a server and a worker in this program. Built once per standard of the language.
#include "hqcore.hpp"

#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <set>

#if __cplusplus >= 202002L
#include <ranges>
static_assert(std::ranges::input_range<hq::task_range>);
static_assert(std::ranges::input_range<hq::context::event_range>);
static_assert(std::ranges::input_range<hq::doc_view>);
#endif
static_assert(!std::is_copy_constructible<hq::context>::value && !std::is_copy_constructible<hq::client>::value &&
                  !std::is_copy_constructible<hq::server>::value && !std::is_copy_constructible<hq::submit>::value,
              "handles are move-only");

#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            std::cerr << __FILE__ << ':' << __LINE__ << ": " << #condition << '\n';          \
            std::exit(1);                                                                    \
        }                                                                                    \
    } while (0)

namespace {

const hq::milliseconds patience(30000);

struct world {
    std::string dir;
    hq::context ctx = hq::context::create();
    hq::server server{ctx};
    hq::worker worker;
    hq::client client{ctx, server};
    world()
    {
        char path[] = "/tmp/hq-embed-XXXXXX";
        CHECK(mkdtemp(path));
        dir = path;
        hq_worker_options o = hq::worker::options_for(server);
        o.cpus = "2";
        o.detect = HQ_DETECT_CPUS;
        o.manager = HQ_MANAGER_NONE;
        o.work_dir = dir.c_str();
        worker = hq::worker(ctx, o);
    }
    ~world() { CHECK(std::system(("rm -rf " + dir).c_str()) == 0); }
};

hq::submit quiet(const world &w)
{
    hq::submit s(w.ctx);
    s.cwd(w.dir).standard_output("none").standard_error("none");
    return s;
}

void blocking()
{
    world w;
    hq::submit s = quiet(w);
    s.name("array").env("NAME", "value").resource("cpus", "1").priority(2).time_limit(patience).max_fails(9);
    hq::job_id job = w.client.submit_array("1-20", {"/bin/sh", "-c", "test $NAME = value && test $HQ_TASK_ID != 7"}, s);
    w.client.wait(job, patience);
    CHECK(w.client.progress(job).finished == 19);
    std::set<std::uint32_t> seen;
    for (const hq::task &t : w.client.tasks(job)) {
        seen.insert(t.index);
        CHECK(t.state == (t.index == 7 ? HQ_TASK_FAILED : HQ_TASK_FINISHED));
        CHECK(t.code == (t.index == 7) && t.start_ns > 0 && t.worker.n == 1 && t.instance == 0);
    }
    CHECK(seen.size() == 20 && *seen.begin() == 1 && *seen.rbegin() == 20);
    CHECK(!w.client.cancel(job));
    hq::doc info = w.client.info(job);
    CHECK(info["name"].as_string() == "array" && info["stats.failed"].as_uint() == 1 && !info["nothing.at.all"]);
    std::size_t members = 0;
    for (hq::doc_view member : info)
        members += !member.name().empty();
    CHECK(members == info.size() && members > 3);
}

void entries()
{
    world w;
    hq::submit s = quiet(w);
    s.entries(std::vector<std::string>{"a", "b", "c"});
    hq::job_id job = w.client.submit_array("", {"/bin/sh", "-c", "test -n \"$HQ_ENTRY\""}, s);
    w.client.wait(job, patience);
    CHECK(w.client.progress(job).finished == 3);
}

void evented()
{
    enum { SUBMITTED = 1, ENDED };
    world w;
    hq::submit s = quiet(w);
    s.command({"/bin/true"}).array("1-5").events(true);
    w.client.post(s, SUBMITTED);
    bool ended = false, changed = false;
    while (!ended) {
        pollfd p = {w.ctx.fd(), POLLIN, 0};
        CHECK(poll(&p, 1, 30000) == 1);
        w.ctx.dispatch();
        for (hq::event e : w.ctx.events()) {
            changed = changed || e.type() == HQ_EVENT_TASKS;
            if (e.type() != HQ_EVENT_REPLY)
                continue;
            CHECK(e.code() == HQ_OK && e.source() == w.client.source());
            ended = e.tag() == ENDED;
            if (!ended)
                w.client.post_wait(e.job(), ENDED);
        }
    }
    CHECK(changed && w.worker.id().n == 1);
    w.client.post_cancel({99}, 3);
    CHECK(w.ctx.wait(3, patience).code() == HQ_ENOENT);
    w.client.post_tasks({1}, 0, 4);
    hq::event page = w.ctx.wait(4, patience);
    CHECK(page.code() == HQ_OK && page.tasks()->count == 5 && page.tasks()->state[4] == HQ_TASK_FINISHED && page.cursor() == 0);
}

void functions()
{
    enum { SUBMITTED = 1, ENDED };
    world w;
    const char *const names[] = {"half", nullptr};
    hq_worker_options o = hq::worker::options_for(w.server);
    o.cpus = "2";
    o.detect = HQ_DETECT_CPUS;
    o.manager = HQ_MANAGER_NONE;
    o.work_dir = w.dir.c_str();
    o.functions = names;
    hq::worker worker(w.ctx, o);
    hq::submit s(w.ctx);
    s.function("half").array("1-100");
    w.client.post(s, SUBMITTED);
    hq::job_id job = w.ctx.wait(SUBMITTED, patience).job();
    w.client.post_wait(job, ENDED);
    std::size_t seen = 0;
    for (bool ended = false; !ended;) {
        w.ctx.run(patience);
        for (hq::event e : w.ctx.events()) {
            ended = ended || (e.type() == HQ_EVENT_REPLY && e.tag() == ENDED);
            if (e.type() != HQ_EVENT_BATCH)
                continue;
            CHECK(e.batch().function == std::string("half") && e.batch().job.n == job.n && worker.wants(e.batch(), 0));
            CHECK(worker.variable(e.batch(), 0, "HQ_CPUS") && !worker.variable(e.batch(), 0, "HOME"));
            for (std::size_t i = 0; i < e.batch().count; i++)
                seen++;
            const std::string half = "half of it";
            const std::vector<const void *> results(e.batch().count, half.data());
            const std::vector<std::size_t> sizes(e.batch().count, half.size());
            hq_answer a = hq::options<hq_answer>();
            a.count = e.batch().count;
            a.result = results.data();
            a.result_size = sizes.data();
            worker.answer(e.batch(), a);
        }
    }
    CHECK(seen == 100 && w.client.progress(job).finished == 100);
    for (const hq::task &t : w.client.tasks(job))
        CHECK(t.result == "half of it" && !t.result_dropped);
    CHECK(!worker.try_answer(hq_batch()));
}

void errors()
{
    world w;
    try {
        w.client.wait({42}, patience);
        CHECK(false);
    } catch (const hq::error &e) {
        CHECK(e.code() == HQ_ENOENT && std::string(e.what()) == "Job 42 not found.");
    }
    hq::result<hq::job_status> none = w.client.try_progress({42});
    CHECK(!none && none.error().code == HQ_ENOENT);
    hq::submit s = quiet(w);
    s.array("5-3").command({"/bin/true"});
    hq::result<void> sent = w.client.try_post(s, 1);
    CHECK(!sent && sent.error().code == HQ_EINVAL && std::string(sent.error().text).find("5-3") != std::string::npos);
    CHECK(!hq::client::try_open("/nowhere/at-all", hq::milliseconds(10)));
    CHECK(w.ctx.try_wait(77, hq::milliseconds(1)).error().code == HQ_ETIMEDOUT);
    try {
        for (const hq::task &t : w.client.tasks({42}))
            CHECK(t.index > UINT32_MAX - 1);
        CHECK(false);
    } catch (const hq::error &e) {
        CHECK(e.code() == HQ_ENOENT);
    }
}

/// Whatever goes first: nothing is used after it is gone. (ASan and valgrind see the rest.)
void any_order()
{
    hq::doc info;
    hq::client client;
    {
        hq::context ctx = hq::context::create();
        hq::server server(ctx);
        client = hq::client(ctx, server);
        hq::client other = std::move(client);
        client = std::move(other);
        hq::submit unsent(ctx);
        info = client.info(client.submit_array("1-3", {"/bin/true"}));
        hq::context moved = std::move(ctx);
        server.stop();
    }
    CHECK(info["stats.total"].as_uint() == 3);
    client = hq::client();
    CHECK(info["stats.total"].as_uint() == 3);
}

void logs()
{
    unsigned lines = 0;
    hq::context ctx = hq::context::try_create([&lines](const hq_log &) {
                          lines++;
                          throw 1; // stays on this side
                      }, 7).value();
    {
        hq::server server(ctx);
        hq::client client(ctx, server);
        client.submit_array("1-3", {"/bin/true"});
    }
    hq_worker_options o = hq::options<hq_worker_options>();
    const std::uint8_t secret[32] = {1};
    o.endpoint = "tcp://127.0.0.1:1";
    o.secret = secret;
    o.cpus = "1";
    o.detect = HQ_DETECT_CPUS;
    o.manager = HQ_MANAGER_NONE;
    hq::worker(ctx, o).stop();
    CHECK(lines > 0);
}

} // namespace

int main()
{
    blocking();
    entries();
    evented();
    functions();
    errors();
    any_order();
    logs();
    return 0;
}
