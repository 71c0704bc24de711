// SPDX-License-Identifier: MIT
/// \file hqcore.hpp
/// libhqcore for C++11 and later: handles that free themselves, errors as exceptions or as results, ranges over results and
/// events. Header-only: everything here is a call of hqcore.h, whose comments hold.
///
/// Each operation that can fail has two forms: `c.wait(job)` throws hq::error, `c.try_wait(job)` returns an hq::result.
/// Handles are move-only and may be destroyed in any order: a context lives until the last handle on it is gone. One thread at a
/// time per context. No exception passes through the library: callbacks that throw are taken as having returned.
#ifndef HQCORE_HPP
#define HQCORE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#if __cplusplus >= 201703L
#include <optional>
#include <string_view>
#define HQ_NODISCARD [[nodiscard]]
#else
#define HQ_NODISCARD
#endif

#include "hqcore.h"

namespace hq {

using job_id = hq_job_id;
using worker_id = hq_worker_id;
using job_status = hq_job_status;
using milliseconds = std::chrono::milliseconds;

/// No time limit.
constexpr milliseconds forever(-1);

/// Options of the C API, all default.
template <class Options> Options options()
{
    Options o = Options();
    o.size = sizeof o;
    return o;
}

// ---- errors ----------------------------------------------------------------------------------------------------------

/// What a call failed with.
class error : public std::runtime_error {
public:
    explicit error(const hq_error &e) : std::runtime_error(e.text), code_(e.code), sys_(e.sys) {}
    int code() const noexcept { return code_; } ///< HQ_E*
    int sys() const noexcept { return sys_; }   ///< errno, for HQ_ESYS and HQ_EJOURNAL

private:
    int code_, sys_;
};

/// A value, or the reason why there is none.
template <class T> class HQ_NODISCARD result {
public:
    result(T value) : value_(std::move(value)) {}
    result(const hq_error &e) : failed_(e) {}
    explicit operator bool() const noexcept { return failed_.code == HQ_OK; }
    /// The value; throws hq::error when there is none.
    T &value() &
    {
        check();
        return value_;
    }
    T value() &&
    {
        check();
        return std::move(value_);
    }
    T &operator*() & { return value_; }
    T *operator->() { return &value_; }
    /// code HQ_OK: there is a value.
    const hq_error &error() const noexcept { return failed_; }

private:
    void check() const
    {
        if (failed_.code != HQ_OK)
            throw hq::error(failed_);
    }
    T value_ = T();
    hq_error failed_ = hq_error();
};

template <> class HQ_NODISCARD result<void> {
public:
    result() = default;
    result(const hq_error &e) : failed_(e) {}
    explicit operator bool() const noexcept { return failed_.code == HQ_OK; }
    void value() const
    {
        if (failed_.code != HQ_OK)
            throw hq::error(failed_);
    }
    const hq_error &error() const noexcept { return failed_; }

private:
    hq_error failed_ = hq_error();
};

namespace detail {

inline hq_error no_error()
{
    return hq_error();
}

/// A code that came without its text.
inline hq_error only_code(int code)
{
    hq_error e = hq_error();
    e.code = code;
    std::string(hq_strerror(code)).copy(e.text, sizeof e.text - 1);
    return e;
}

inline result<void> done(int code, const hq_error &e)
{
    return code < 0 ? result<void>(e) : result<void>();
}

inline int ms(milliseconds t)
{
    if (t.count() < 0)
        return -1;
    return t.count() > INT32_MAX ? INT32_MAX : static_cast<int>(t.count());
}

/// NULL-terminated; borrows.
inline std::vector<const char *> pointers(const std::vector<std::string> &v)
{
    std::vector<const char *> p;
    for (const std::string &s : v)
        p.push_back(s.c_str());
    p.push_back(nullptr);
    return p;
}

} // namespace detail

// ---- trees of values ---------------------------------------------------------------------------------------------------

/// A node of a tree that somebody else owns: an hq::doc, or the event that it came with.
class doc_view {
public:
    doc_view(const hq_doc *d = nullptr) : d_(d) {}
    int kind() const { return hq_doc_get_kind(d_); }
    std::size_t size() const { return hq_doc_len(d_); }
    explicit operator bool() const { return d_ != nullptr; }
    doc_view operator[](std::size_t i) const { return hq_doc_at(d_, i); }
    /// "stats.running"; an empty view if there is no such member.
    doc_view operator[](const char *path) const { return hq_doc_get(d_, path); }
    doc_view operator[](int i) const { return hq_doc_at(d_, static_cast<std::size_t>(i)); }
    std::string name() const { return hq_doc_name(d_) ? hq_doc_name(d_) : ""; }
    std::uint64_t as_uint() const { return hq_doc_uint(d_); }
    std::int64_t as_int() const { return hq_doc_int(d_); }
    double as_double() const { return hq_doc_double(d_); }
    std::string as_string() const
    {
        std::size_t n;
        const char *p = hq_doc_bytes(d_, &n);
        return std::string(p, n);
    }

    /// Over the members of a list or map.
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = doc_view;
        using difference_type = std::ptrdiff_t;
        using pointer = const doc_view *;
        using reference = doc_view;
        iterator() = default;
        iterator(const hq_doc *d, std::size_t i) : d_(d), i_(i) {}
        doc_view operator*() const { return hq_doc_at(d_, i_); }
        iterator &operator++()
        {
            ++i_;
            return *this;
        }
        iterator operator++(int)
        {
            iterator before = *this;
            ++i_;
            return before;
        }
        bool operator==(const iterator &o) const { return i_ == o.i_; }
        bool operator!=(const iterator &o) const { return i_ != o.i_; }

    private:
        const hq_doc *d_ = nullptr;
        std::size_t i_ = 0;
    };
    iterator begin() const { return iterator(d_, 0); }
    iterator end() const { return iterator(d_, kind() == HQ_DOC_BYTES ? 0 : size()); }

protected:
    const hq_doc *d_;
};

/// A tree that is ours; copies share it.
class doc : public doc_view {
public:
    doc() = default;
    doc(hq_doc *d, const std::shared_ptr<hq_ctx> &ctx) : doc_view(d), own_(d, [ctx](hq_doc *p) { hq_doc_free(p); }) {}

private:
    std::shared_ptr<hq_doc> own_;
};

// ---- events ------------------------------------------------------------------------------------------------------------

/// An event of a context; valid until the next call on the context or what lives on it.
class event {
public:
    event(const hq_event *e = nullptr) : e_(e) {}
    explicit operator bool() const { return e_ != nullptr; }
    int type() const { return e_->type; } ///< enum hq_event_type
    int code() const { return e_->code; } ///< HQ_OK or HQ_E*, which text() explains
    std::uint64_t tag() const { return e_->tag; }
    std::uint64_t source() const { return e_->source; }
    const char *text() const { return e_->text; }
    job_id job() const { return type() == HQ_EVENT_TASKS ? e_->u.tasks.job : e_->u.reply.job; }
    doc_view doc() const { return e_->u.reply.doc; }
    const hq_task_columns *tasks() const { return e_->u.reply.tasks; } ///< of client::post_tasks()
    std::uint64_t cursor() const { return e_->u.reply.cursor; }        ///< of the next page; 0: there is none
    const hq_batch &batch() const { return *e_->u.batch; } ///< of HQ_EVENT_BATCH: function tasks, for worker::answer()
    const hq_event &operator*() const { return *e_; }
    const hq_event *operator->() const { return e_; }

private:
    const hq_event *e_;
};

// ---- context -----------------------------------------------------------------------------------------------------------

class context {
public:
    using logger = std::function<void(const hq_log &)>;

    /// A null handle; hq::context::create() or a constructor with options makes a real one.
    context() = default;
    explicit context(const hq_ctx_options &o) : context(try_create(o).value()) {}
    static context create() { return try_create().value(); }
    static result<context> try_create() { return try_create(hq::options<hq_ctx_options>()); }
    static result<context> try_create(const hq_ctx_options &o)
    {
        hq_error e = detail::no_error();
        hq_ctx *ctx;
        if (hq_ctx_new(&ctx, &o, &e) < 0)
            return e;
        return context(std::shared_ptr<hq_ctx>(ctx, hq_ctx_free));
    }
    /// With a log; `log` is called within calls on this context and must not call back.
    static result<context> try_create(logger log, int level = 6)
    {
        auto kept = std::make_shared<logger>(std::move(log));
        hq_ctx_options o = hq::options<hq_ctx_options>();
        hq_error e = detail::no_error();
        hq_ctx *ctx;
        o.log = on_log;
        o.user = kept.get();
        o.log_level = level;
        if (hq_ctx_new(&ctx, &o, &e) < 0)
            return e;
        return context(std::shared_ptr<hq_ctx>(ctx, [kept](hq_ctx *c) { hq_ctx_free(c); }));
    }
    context(context &&) = default;
    context &operator=(context &&) = default;
    context(const context &) = delete;
    context &operator=(const context &) = delete;

    int fd() const { return hq_ctx_fd(get()); }
    int dispatch() { return try_dispatch().value(); }
    result<int> try_dispatch()
    {
        hq_error e = detail::no_error();
        int n = hq_ctx_dispatch(get(), &e);
        return n < 0 ? result<int>(e) : result<int>(n);
    }
    int run(milliseconds timeout = forever) { return try_run(timeout).value(); }
    result<int> try_run(milliseconds timeout = forever)
    {
        hq_error e = detail::no_error();
        int n = hq_ctx_run(get(), detail::ms(timeout), &e);
        return n < 0 ? result<int>(e) : result<int>(n);
    }
    /// From any thread, and from signal handlers.
    void wake() const { hq_ctx_wake(get()); }
    event wait(std::uint64_t tag, milliseconds timeout = forever) { return try_wait(tag, timeout).value(); }
    result<event> try_wait(std::uint64_t tag, milliseconds timeout = forever)
    {
        hq_error e = detail::no_error();
        const hq_event *found;
        return hq_ctx_wait(get(), tag, detail::ms(timeout), &found, &e) < 0 ? result<event>(e) : result<event>(event(found));
    }
    /// The next event, or one that is false.
    event next()
    {
        const hq_event *e;
        return hq_ctx_next(get(), &e) == 1 ? event(e) : event();
    }
#if __cplusplus >= 201703L
    std::optional<event> pull()
    {
        event e = next();
        return e ? std::optional<event>(e) : std::nullopt;
    }
#endif

    /// `for (hq::event e : ctx.events())`: takes all that wait.
    class event_range {
    public:
        class iterator {
        public:
            using iterator_category = std::input_iterator_tag;
            using value_type = event;
            using difference_type = std::ptrdiff_t;
            using pointer = const event *;
            using reference = event;
            iterator() = default;
            explicit iterator(context *c) : ctx_(c) { ++*this; }
            event operator*() const { return now_; }
            iterator &operator++()
            {
                now_ = ctx_->next();
                if (!now_)
                    ctx_ = nullptr;
                return *this;
            }
            void operator++(int) { ++*this; }
            bool operator==(const iterator &o) const { return ctx_ == o.ctx_; }
            bool operator!=(const iterator &o) const { return ctx_ != o.ctx_; }

        private:
            context *ctx_ = nullptr;
            event now_;
        };
        explicit event_range(context *c) : ctx_(c) {}
        iterator begin() const { return iterator(ctx_); }
        iterator end() const { return iterator(); }

    private:
        context *ctx_;
    };
    event_range events() { return event_range(this); }

    hq_ctx *get() const { return ctx_.get(); }
    const std::shared_ptr<hq_ctx> &share() const { return ctx_; }

private:
    explicit context(std::shared_ptr<hq_ctx> ctx) : ctx_(std::move(ctx)) {}
    static void on_log(void *user, const hq_log *rec)
    {
        try {
            (*static_cast<logger *>(user))(*rec);
        } catch (...) { // C is between here and there
        }
    }
    std::shared_ptr<hq_ctx> ctx_;
};

// ---- server and worker -------------------------------------------------------------------------------------------------

namespace detail {

/// A handle on a context, which stays while the handle does.
template <class Handle, void (*Free)(Handle *)> class handle {
public:
    handle() = default;
    handle(Handle *h, std::shared_ptr<hq_ctx> ctx) : ctx_(std::move(ctx)), h_(h) {}
    handle(handle &&) = default;
    handle &operator=(handle &&other)
    {
        h_ = std::move(other.h_); // before the context that it lives on
        ctx_ = std::move(other.ctx_);
        return *this;
    }
    Handle *get() const { return h_.get(); }
    explicit operator bool() const { return h_ != nullptr; }

protected:
    struct deleter {
        void operator()(Handle *h) const { Free(h); }
    };
    std::shared_ptr<hq_ctx> ctx_; // goes last
    std::unique_ptr<Handle, deleter> h_;
};

} // namespace detail

class server : public detail::handle<hq_server, hq_server_free> {
public:
    server() = default;
    explicit server(context &c) : server(try_create(c).value()) {}
    server(context &c, const hq_server_options &o) : server(try_create(c, o).value()) {}
    static result<server> try_create(context &c) { return try_create(c, hq::options<hq_server_options>()); }
    static result<server> try_create(context &c, const hq_server_options &o)
    {
        hq_error e = detail::no_error();
        hq_server *s;
        return hq_server_new(&s, c.get(), &o, &e) < 0 ? result<server>(e) : result<server>(server(s, c.share()));
    }
    const char *endpoint(int plane) const { return hq_server_endpoint(get(), plane); }
    const std::uint8_t *secret(int plane) const { return hq_server_secret(get(), plane); }
    std::uint64_t source() const { return hq_server_source(get()); }
    void stop() { try_stop().value(); }
    result<void> try_stop()
    {
        hq_error e = detail::no_error();
        return detail::done(hq_server_stop(get(), &e), e);
    }

private:
    using handle::handle;
};

class worker : public detail::handle<hq_worker, hq_worker_free> {
public:
    worker() = default;
    worker(context &c, const hq_worker_options &o) : worker(try_create(c, o).value()) {}
    static result<worker> try_create(context &c, const hq_worker_options &o)
    {
        hq_error e = detail::no_error();
        hq_worker *w;
        return hq_worker_new(&w, c.get(), &o, &e) < 0 ? result<worker>(e) : result<worker>(worker(w, c.share()));
    }
    /// Options of a worker of a server in this program.
    static hq_worker_options options_for(const server &s)
    {
        hq_worker_options o = hq::options<hq_worker_options>();
        o.endpoint = s.endpoint(HQ_PLANE_WORKER);
        o.secret = s.secret(HQ_PLANE_WORKER);
        return o;
    }
    worker_id id() const { return hq_worker_get_id(get()); }
    /// All tasks of the batch that are left have finished.
    void answer(const hq_batch &b) { try_answer(b, nullptr).value(); }
    void answer(const hq_batch &b, const hq_answer &a) { try_answer(b, &a).value(); }
    result<void> try_answer(const hq_batch &b, const hq_answer *a = nullptr)
    {
        hq_error e = detail::no_error();
        return detail::done(hq_worker_answer(get(), &b, a, &e), e);
    }
    bool wants(const hq_batch &b, std::size_t i) const { return hq_worker_wants(get(), &b, i) == 1; }
    /// As a variable of a program's environment; nullptr: there is none.
    const char *variable(const hq_batch &b, std::size_t i, const char *name) const
    {
        return hq_worker_variable(get(), &b, i, name);
    }
    std::uint64_t source() const { return hq_worker_source(get()); }
    void stop(int reason = HQ_WORKER_STOPPED) { try_stop(reason).value(); }
    result<void> try_stop(int reason = HQ_WORKER_STOPPED)
    {
        hq_error e = detail::no_error();
        return detail::done(hq_worker_stop(get(), reason, &e), e);
    }

private:
    using handle::handle;
};

// ---- submitting --------------------------------------------------------------------------------------------------------

class client;

/// A builder; the first error sticks until it is sent.
class submit : public detail::handle<hq_submit, hq_submit_free> {
public:
    explicit submit(const context &c) : handle(hq_submit_new(c.get()), c.share()) {}
    explicit submit(const client &c);
    submit &name(const std::string &s) { return hq_submit_set_name(get(), s.c_str()), *this; }
    submit &job(job_id id) { return hq_submit_set_job(get(), id), *this; }
    submit &array(const std::string &ids) { return hq_submit_set_array(get(), ids.c_str()), *this; }
    submit &ranges(const std::vector<hq_range> &v) { return hq_submit_set_ranges(get(), v.data(), v.size()), *this; }
    submit &command(const std::vector<std::string> &argv)
    {
        return hq_submit_set_command(get(), detail::pointers(argv).data()), *this;
    }
    submit &function(const std::string &function_name) { return hq_submit_set_function(get(), function_name.c_str()), *this; }
    submit &env(const std::string &name, const std::string &value)
    {
        return hq_submit_set_env(get(), name.c_str(), value.c_str()), *this;
    }
    submit &cwd(const std::string &path) { return hq_submit_set_cwd(get(), path.c_str()), *this; }
    submit &standard_output(const std::string &s) { return hq_submit_set_stdout(get(), s.c_str()), *this; }
    submit &standard_error(const std::string &s) { return hq_submit_set_stderr(get(), s.c_str()), *this; }
    submit &standard_input(const std::string &data) { return hq_submit_set_stdin(get(), data.data(), data.size()), *this; }
    submit &entry(const void *data, std::size_t size) { return hq_submit_add_entry(get(), data, size), *this; }
#if __cplusplus >= 201703L
    submit &entry(std::string_view data) { return entry(data.data(), data.size()); }
#else
    submit &entry(const std::string &data) { return entry(data.data(), data.size()); }
#endif
    /// One per element of a range of strings.
    template <class Range> submit &entries(const Range &range)
    {
        for (const auto &e : range)
            entry(e);
        return *this;
    }
    submit &resource(const std::string &name, const std::string &amount)
    {
        return hq_submit_set_resource(get(), name.c_str(), amount.c_str()), *this;
    }
    submit &priority(std::int32_t p) { return hq_submit_set_priority(get(), p), *this; }
    submit &time_limit(milliseconds t) { return hq_submit_set_time_limit(get(), count(t)), *this; }
    submit &time_request(milliseconds t) { return hq_submit_set_time_request(get(), count(t)), *this; }
    submit &max_fails(std::uint32_t n) { return hq_submit_set_max_fails(get(), n), *this; }
    submit &crash_limit(std::uint32_t n) { return hq_submit_set_crash_limit(get(), n), *this; }
    submit &pin(int how) { return hq_submit_set_pin(get(), how), *this; }
    submit &task_dir(bool on) { return hq_submit_set_task_dir(get(), on), *this; }
    submit &events(bool on) { return hq_submit_set_events(get(), on), *this; }

private:
    static std::uint64_t count(milliseconds t) { return t.count() < 0 ? 0 : static_cast<std::uint64_t>(t.count()); }
};

// ---- results -----------------------------------------------------------------------------------------------------------

/// One task of a job, as hq_task_columns has it.
struct task {
    std::uint32_t index = 0;
    int state = 0;                 ///< enum hq_task_state
    int code = -1;                 ///< enum hq_task_code; -1: not ended
    std::int64_t start_ns = -1;    ///< UTC since 1970; -1: not started
    std::int64_t duration_ns = -1; ///< -1: not ended
    worker_id worker = worker_id();
    std::uint32_t instance = 0;
    std::string error;             ///< of failed tasks
    std::string result;            ///< what it has returned; bytes
    bool result_dropped = false;   ///< it returned something, and the server could not keep it
};

/// All tasks of a job, read page by page; one pass, during which the client serves nothing else.
class task_range {
public:
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = task;
        using difference_type = std::ptrdiff_t;
        using pointer = const task *;
        using reference = const task &;
        iterator() = default;
        iterator(hq_client *c, job_id job) : c_(c), job_(job), page_(hq::options<hq_task_columns>()) { turn(); }
        const task &operator*() const { return now_; }
        const task *operator->() const { return &now_; }
        iterator &operator++()
        {
            if (++at_ < page_.count)
                take();
            else if (cursor_ != 0)
                turn();
            else
                c_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(const iterator &o) const { return c_ == o.c_; }
        bool operator!=(const iterator &o) const { return c_ != o.c_; }

    private:
        void turn()
        {
            hq_error e = detail::no_error();
            do {
                if (hq_job_tasks(c_, job_, &cursor_, &page_, &e) < 0)
                    throw hq::error(e);
            } while (page_.count == 0 && cursor_ != 0);
            at_ = 0;
            if (page_.count == 0)
                c_ = nullptr;
            else
                take();
        }
        void take()
        {
            now_.index = page_.index[at_];
            now_.state = page_.state[at_];
            now_.code = page_.code[at_];
            now_.start_ns = page_.start_ns[at_];
            now_.duration_ns = page_.duration_ns[at_];
            now_.worker.n = page_.worker[at_];
            now_.instance = page_.instance[at_];
            now_.error = page_.error[at_] ? page_.error[at_] : "";
            now_.result_dropped = page_.result_size[at_] == HQ_RESULT_DROPPED;
            now_.result.clear();
            if (page_.result[at_])
                now_.result.assign(static_cast<const char *>(page_.result[at_]), page_.result_size[at_]);
        }
        hq_client *c_ = nullptr;
        job_id job_ = job_id();
        hq_task_columns page_ = hq_task_columns();
        std::uint64_t cursor_ = 0;
        std::size_t at_ = 0;
        task now_;
    };
    task_range(hq_client *c, job_id job) : c_(c), job_(job) {}
    iterator begin() const { return iterator(c_, job_); }
    iterator end() const { return iterator(); }

private:
    hq_client *c_;
    job_id job_;
};

// ---- client ------------------------------------------------------------------------------------------------------------

class client {
public:
    client() = default;
    client(context &c, const hq_client_options &o) : client(try_create(c, o).value()) {}
    /// Of a server in this program.
    client(context &c, const server &s) : client(try_create(c, options_for(s)).value()) {}
    static result<client> try_create(context &c, const hq_client_options &o)
    {
        hq_error e = detail::no_error();
        hq_client *made;
        if (hq_client_new(&made, c.get(), &o, &e) < 0)
            return e;
        std::shared_ptr<hq_ctx> ctx = c.share();
        return client(std::shared_ptr<hq_client>(made, [ctx](hq_client *p) { hq_client_free(p); }), ctx);
    }
    /// The blocking way: of the server whose directory this is ("": the default one), with a context of its own.
    static client open(const std::string &server_dir = "", milliseconds timeout = forever)
    {
        return try_open(server_dir, timeout).value();
    }
    static result<client> try_open(const std::string &server_dir = "", milliseconds timeout = forever)
    {
        hq_error e = detail::no_error();
        hq_client *made;
        if (hq_client_open(&made, server_dir.empty() ? nullptr : server_dir.c_str(), detail::ms(timeout), &e) < 0)
            return e;
        std::shared_ptr<hq_client> own(made, hq_client_free);
        return client(own, std::shared_ptr<hq_ctx>(own, hq_client_ctx(made)));
    }
    static hq_client_options options_for(const server &s)
    {
        hq_client_options o = hq::options<hq_client_options>();
        o.endpoint = s.endpoint(HQ_PLANE_CLIENT);
        o.secret = s.secret(HQ_PLANE_CLIENT);
        return o;
    }
    client(client &&) = default;
    client &operator=(client &&) = default;
    client(const client &) = delete;
    client &operator=(const client &) = delete;

    hq_client *get() const { return c_.get(); }
    const std::shared_ptr<hq_ctx> &share() const { return ctx_; }
    std::uint64_t source() const { return hq_client_source(get()); }

    // Blocking.
    job_id submit_array(const std::string &ids, const std::vector<std::string> &argv)
    {
        return try_submit_array(ids, argv).value();
    }
    job_id submit_array(const std::string &ids, const std::vector<std::string> &argv, submit &more)
    {
        return try_submit_array(ids, argv, &more).value();
    }
    result<job_id> try_submit_array(const std::string &ids, const std::vector<std::string> &argv, submit *more = nullptr)
    {
        hq_error e = detail::no_error();
        job_id job;
        int code = hq_submit_array(get(), ids.empty() ? nullptr : ids.c_str(), detail::pointers(argv).data(),
                                   more ? more->get() : nullptr, &job, &e);
        return code < 0 ? result<job_id>(e) : result<job_id>(job);
    }
    void wait(job_id job, milliseconds timeout = forever) { try_wait(job, timeout).value(); }
    result<void> try_wait(job_id job, milliseconds timeout = forever)
    {
        hq_error e = detail::no_error();
        return detail::done(hq_job_wait(get(), job, detail::ms(timeout), &e), e);
    }
    job_status progress(job_id job) { return try_progress(job).value(); }
    result<job_status> try_progress(job_id job)
    {
        hq_error e = detail::no_error();
        job_status s = hq::options<job_status>();
        return hq_job_progress(get(), job, &s, &e) < 0 ? result<job_status>(e) : result<job_status>(s);
    }
    /// False: it had ended.
    bool cancel(job_id job, const std::string &reason = "") { return try_cancel(job, reason).value(); }
    result<bool> try_cancel(job_id job, const std::string &reason = "")
    {
        hq_error e = detail::no_error();
        int code = hq_job_cancel(get(), job, reason.empty() ? nullptr : reason.c_str(), &e);
        return code < 0 ? result<bool>(e) : result<bool>(code == 1);
    }
    doc info(job_id job) { return try_info(job).value(); }
    result<doc> try_info(job_id job)
    {
        hq_error e = detail::no_error();
        hq_doc *d;
        return hq_job_info(get(), job, &d, &e) < 0 ? result<doc>(e) : result<doc>(doc(d, ctx_));
    }
    /// Throws hq::error while it is read, when a page cannot be had.
    task_range tasks(job_id job) { return task_range(get(), job); }

    // Evented: a reply event with `tag` follows.
    void post(const submit &s, std::uint64_t tag) { try_post(s, tag).value(); }
    result<void> try_post(const submit &s, std::uint64_t tag)
    {
        hq_error e = detail::no_error();
        return detail::done(hq_client_submit(get(), s.get(), tag, &e), e);
    }
    void post_wait(job_id job, std::uint64_t tag) { try_post_wait(job, tag).value(); }
    result<void> try_post_wait(job_id job, std::uint64_t tag)
    {
        hq_error e = detail::no_error();
        return detail::done(hq_client_wait(get(), job, tag, &e), e);
    }
    void post_cancel(job_id job, std::uint64_t tag, const std::string &reason = "")
    {
        try_post_cancel(job, tag, reason).value();
    }
    result<void> try_post_cancel(job_id job, std::uint64_t tag, const std::string &reason = "")
    {
        hq_error e = detail::no_error();
        return detail::done(hq_client_cancel(get(), job, reason.empty() ? nullptr : reason.c_str(), tag, &e), e);
    }

    void post_tasks(job_id job, std::uint64_t cursor, std::uint64_t tag) { try_post_tasks(job, cursor, tag).value(); }
    result<void> try_post_tasks(job_id job, std::uint64_t cursor, std::uint64_t tag)
    {
        hq_error e = detail::no_error();
        return detail::done(hq_client_tasks(get(), job, cursor, tag, &e), e);
    }

private:
    client(std::shared_ptr<hq_client> c, std::shared_ptr<hq_ctx> ctx) : ctx_(std::move(ctx)), c_(std::move(c)) {}
    std::shared_ptr<hq_ctx> ctx_;
    std::shared_ptr<hq_client> c_;
};

inline submit::submit(const client &c) : handle(hq_submit_new(c.share().get()), c.share()) {}

} // namespace hq

#endif
