! SPDX-License-Identifier: MIT
!> hqcore.h as Fortran sees it: structs and functions, name by name. The module hqcore is made of it; programs use that.
module hqcore_c
    use, intrinsic :: iso_c_binding
    implicit none
    public

    !> A job's number; 0 is no job.
    type, bind(c) :: hq_job_id
        integer(c_int32_t) :: n = 0
    end type

    type, bind(c) :: c_worker_id
        integer(c_int32_t) :: n = 0
    end type

    type, bind(c) :: c_error
        integer(c_int32_t) :: code = 0, sys = 0
        type(c_ptr) :: where = c_null_ptr
        character(kind=c_char) :: text(240) = c_null_char
    end type

    type, bind(c) :: c_server_options
        integer(c_size_t) :: size = 0
        type(c_ptr) :: server_dir = c_null_ptr, access_file = c_null_ptr, bind = c_null_ptr, host(2) = c_null_ptr
        integer(c_int16_t) :: port(2) = 0
        type(c_ptr) :: secret(2) = c_null_ptr
        integer(c_int64_t) :: worker_idle_timeout_ms = 0, reserved(6) = 0
    end type

    type, bind(c) :: c_worker_options
        integer(c_size_t) :: size = 0
        type(c_ptr) :: endpoint = c_null_ptr, secret = c_null_ptr, server_dir = c_null_ptr, cpus = c_null_ptr, &
            resources = c_null_ptr
        integer(c_int32_t) :: detect = 0
        integer(c_int) :: no_hyper_threading = 0
        type(c_ptr) :: group = c_null_ptr, hostname = c_null_ptr, work_dir = c_null_ptr
        integer(c_int) :: manager = 0, on_server_lost = 0
        integer(c_int64_t) :: idle_timeout_ms = 0, time_limit_ms = 0, heartbeat_ms = 0
        type(c_ptr) :: env = c_null_ptr, helper = c_null_ptr
        integer(c_int64_t) :: task_files = 0
        integer(c_int) :: keep_affinity = 0
        real(c_double) :: min_utilization = 0
        integer(c_int64_t) :: reserved(3) = 0
    end type

    type, bind(c) :: c_client_options
        integer(c_size_t) :: size = 0
        type(c_ptr) :: endpoint = c_null_ptr, secret = c_null_ptr, server_dir = c_null_ptr
        integer(c_int64_t) :: reserved(4) = 0
    end type

    type, bind(c) :: c_job_status
        integer(c_size_t) :: size = 0
        integer(c_int32_t) :: state = 0, is_open = 0
        integer(c_int64_t) :: total = 0, waiting = 0, running = 0, finished = 0, failed = 0, canceled = 0, aborted = 0
    end type

    type, bind(c) :: c_task_columns
        integer(c_size_t) :: size = 0, count = 0
        type(c_ptr) :: index = c_null_ptr, state = c_null_ptr, code = c_null_ptr, start_ns = c_null_ptr, &
            duration_ns = c_null_ptr, worker = c_null_ptr, instance = c_null_ptr, error = c_null_ptr, result = c_null_ptr, &
            result_size = c_null_ptr
    end type

    !> The union of hq_event, as the 32-bit words that its members begin with.
    type, bind(c) :: c_event
        integer(c_int32_t) :: kind, code
        integer(c_int64_t) :: tag, source
        type(c_ptr) :: text
        integer(c_int32_t) :: words(6)
    end type

    interface
        integer(c_int) function c_ctx_new(ret, opt, err) bind(c, name='hq_ctx_new')
            import
            type(c_ptr), intent(inout) :: ret
            type(c_ptr), value :: opt
            type(c_error), intent(inout) :: err
        end function
        subroutine c_ctx_free(ctx) bind(c, name='hq_ctx_free')
            import
            type(c_ptr), value :: ctx
        end subroutine
        integer(c_int) function c_ctx_fd(ctx) bind(c, name='hq_ctx_fd')
            import
            type(c_ptr), value :: ctx
        end function
        integer(c_int) function c_ctx_dispatch(ctx, err) bind(c, name='hq_ctx_dispatch')
            import
            type(c_ptr), value :: ctx
            type(c_error), intent(inout) :: err
        end function
        integer(c_int) function c_ctx_run(ctx, timeout_ms, err) bind(c, name='hq_ctx_run')
            import
            type(c_ptr), value :: ctx
            integer(c_int), value :: timeout_ms
            type(c_error), intent(inout) :: err
        end function
        integer(c_int) function c_ctx_next(ctx, ret) bind(c, name='hq_ctx_next')
            import
            type(c_ptr), value :: ctx
            type(c_ptr), intent(inout) :: ret
        end function
        subroutine c_ctx_wake(ctx) bind(c, name='hq_ctx_wake')
            import
            type(c_ptr), value :: ctx
        end subroutine
        integer(c_int) function c_server_new(ret, ctx, opt, err) bind(c, name='hq_server_new')
            import
            type(c_ptr), intent(inout) :: ret
            type(c_ptr), value :: ctx
            type(c_server_options), intent(in) :: opt
            type(c_error), intent(inout) :: err
        end function
        type(c_ptr) function c_server_endpoint(s, plane) bind(c, name='hq_server_endpoint')
            import
            type(c_ptr), value :: s
            integer(c_int), value :: plane
        end function
        type(c_ptr) function c_server_secret(s, plane) bind(c, name='hq_server_secret')
            import
            type(c_ptr), value :: s
            integer(c_int), value :: plane
        end function
        pure integer(c_int64_t) function c_server_source(s) bind(c, name='hq_server_source')
            import
            type(c_ptr), value, intent(in) :: s
        end function
        integer(c_int) function c_server_stop(s, err) bind(c, name='hq_server_stop')
            import
            type(c_ptr), value :: s
            type(c_error), intent(inout) :: err
        end function
        subroutine c_server_free(s) bind(c, name='hq_server_free')
            import
            type(c_ptr), value :: s
        end subroutine
        integer(c_int) function c_worker_new(ret, ctx, opt, err) bind(c, name='hq_worker_new')
            import
            type(c_ptr), intent(inout) :: ret
            type(c_ptr), value :: ctx
            type(c_worker_options), intent(in) :: opt
            type(c_error), intent(inout) :: err
        end function
        pure integer(c_int64_t) function c_worker_source(w) bind(c, name='hq_worker_source')
            import
            type(c_ptr), value, intent(in) :: w
        end function
        type(c_worker_id) function c_worker_get_id(w) bind(c, name='hq_worker_get_id')
            import
            type(c_ptr), value :: w
        end function
        integer(c_int) function c_worker_stop(w, reason, err) bind(c, name='hq_worker_stop')
            import
            type(c_ptr), value :: w
            integer(c_int), value :: reason
            type(c_error), intent(inout) :: err
        end function
        subroutine c_worker_free(w) bind(c, name='hq_worker_free')
            import
            type(c_ptr), value :: w
        end subroutine
        integer(c_int) function c_client_new(ret, ctx, opt, err) bind(c, name='hq_client_new')
            import
            type(c_ptr), intent(inout) :: ret
            type(c_ptr), value :: ctx
            type(c_client_options), intent(in) :: opt
            type(c_error), intent(inout) :: err
        end function
        integer(c_int) function c_client_open(ret, server_dir, timeout_ms, err) bind(c, name='hq_client_open')
            import
            type(c_ptr), intent(inout) :: ret
            type(c_ptr), value :: server_dir
            integer(c_int), value :: timeout_ms
            type(c_error), intent(inout) :: err
        end function
        type(c_ptr) function c_client_ctx(c) bind(c, name='hq_client_ctx')
            import
            type(c_ptr), value :: c
        end function
        pure integer(c_int64_t) function c_client_source(c) bind(c, name='hq_client_source')
            import
            type(c_ptr), value, intent(in) :: c
        end function
        subroutine c_client_free(c) bind(c, name='hq_client_free')
            import
            type(c_ptr), value :: c
        end subroutine
        type(c_ptr) function c_submit_new(ctx) bind(c, name='hq_submit_new')
            import
            type(c_ptr), value :: ctx
        end function
        subroutine c_submit_free(s) bind(c, name='hq_submit_free')
            import
            type(c_ptr), value :: s
        end subroutine
        subroutine c_set_name(s, name) bind(c, name='hq_submit_set_name')
            import
            type(c_ptr), value :: s
            character(kind=c_char), intent(in) :: name(*)
        end subroutine
        subroutine c_set_job(s, job) bind(c, name='hq_submit_set_job')
            import
            type(c_ptr), value :: s
            type(hq_job_id), value :: job
        end subroutine
        subroutine c_set_array(s, ids) bind(c, name='hq_submit_set_array')
            import
            type(c_ptr), value :: s
            character(kind=c_char), intent(in) :: ids(*)
        end subroutine
        subroutine c_set_command(s, argv) bind(c, name='hq_submit_set_command')
            import
            type(c_ptr), value :: s
            type(c_ptr), intent(in) :: argv(*)
        end subroutine
        subroutine c_set_env(s, name, val) bind(c, name='hq_submit_set_env')
            import
            type(c_ptr), value :: s
            character(kind=c_char), intent(in) :: name(*), val(*)
        end subroutine
        subroutine c_set_cwd(s, path) bind(c, name='hq_submit_set_cwd')
            import
            type(c_ptr), value :: s
            character(kind=c_char), intent(in) :: path(*)
        end subroutine
        subroutine c_set_stdout(s, stdio) bind(c, name='hq_submit_set_stdout')
            import
            type(c_ptr), value :: s
            character(kind=c_char), intent(in) :: stdio(*)
        end subroutine
        subroutine c_set_stderr(s, stdio) bind(c, name='hq_submit_set_stderr')
            import
            type(c_ptr), value :: s
            character(kind=c_char), intent(in) :: stdio(*)
        end subroutine
        subroutine c_set_stdin(s, data, n) bind(c, name='hq_submit_set_stdin')
            import
            type(c_ptr), value :: s
            character(kind=c_char), intent(in) :: data(*)
            integer(c_size_t), value :: n
        end subroutine
        subroutine c_add_entry(s, data, n) bind(c, name='hq_submit_add_entry')
            import
            type(c_ptr), value :: s
            character(kind=c_char), intent(in) :: data(*)
            integer(c_size_t), value :: n
        end subroutine
        subroutine c_set_resource(s, name, amount) bind(c, name='hq_submit_set_resource')
            import
            type(c_ptr), value :: s
            character(kind=c_char), intent(in) :: name(*), amount(*)
        end subroutine
        subroutine c_set_priority(s, n) bind(c, name='hq_submit_set_priority')
            import
            type(c_ptr), value :: s
            integer(c_int32_t), value :: n
        end subroutine
        subroutine c_set_time_limit(s, ms) bind(c, name='hq_submit_set_time_limit')
            import
            type(c_ptr), value :: s
            integer(c_int64_t), value :: ms
        end subroutine
        subroutine c_set_time_request(s, ms) bind(c, name='hq_submit_set_time_request')
            import
            type(c_ptr), value :: s
            integer(c_int64_t), value :: ms
        end subroutine
        subroutine c_set_max_fails(s, n) bind(c, name='hq_submit_set_max_fails')
            import
            type(c_ptr), value :: s
            integer(c_int32_t), value :: n
        end subroutine
        subroutine c_set_crash_limit(s, n) bind(c, name='hq_submit_set_crash_limit')
            import
            type(c_ptr), value :: s
            integer(c_int32_t), value :: n
        end subroutine
        subroutine c_set_pin(s, pin) bind(c, name='hq_submit_set_pin')
            import
            type(c_ptr), value :: s
            integer(c_int), value :: pin
        end subroutine
        subroutine c_set_task_dir(s, on) bind(c, name='hq_submit_set_task_dir')
            import
            type(c_ptr), value :: s
            integer(c_int), value :: on
        end subroutine
        subroutine c_set_events(s, on) bind(c, name='hq_submit_set_events')
            import
            type(c_ptr), value :: s
            integer(c_int), value :: on
        end subroutine
        integer(c_int) function c_submit_array(c, ids, argv, opt, ret, err) bind(c, name='hq_submit_array')
            import
            type(c_ptr), value :: c, ids
            type(c_ptr), intent(in) :: argv(*)
            type(c_ptr), value :: opt
            type(hq_job_id), intent(inout) :: ret
            type(c_error), intent(inout) :: err
        end function
        integer(c_int) function c_client_submit(c, s, tag, err) bind(c, name='hq_client_submit')
            import
            type(c_ptr), value :: c, s
            integer(c_int64_t), value :: tag
            type(c_error), intent(inout) :: err
        end function
        integer(c_int) function c_client_wait(c, job, tag, err) bind(c, name='hq_client_wait')
            import
            type(c_ptr), value :: c
            type(hq_job_id), value :: job
            integer(c_int64_t), value :: tag
            type(c_error), intent(inout) :: err
        end function
        integer(c_int) function c_client_cancel(c, job, reason, tag, err) bind(c, name='hq_client_cancel')
            import
            type(c_ptr), value :: c
            type(hq_job_id), value :: job
            type(c_ptr), value :: reason
            integer(c_int64_t), value :: tag
            type(c_error), intent(inout) :: err
        end function
        integer(c_int) function c_job_wait(c, job, timeout_ms, err) bind(c, name='hq_job_wait')
            import
            type(c_ptr), value :: c
            type(hq_job_id), value :: job
            integer(c_int), value :: timeout_ms
            type(c_error), intent(inout) :: err
        end function
        integer(c_int) function c_job_progress(c, job, ret, err) bind(c, name='hq_job_progress')
            import
            type(c_ptr), value :: c
            type(hq_job_id), value :: job
            type(c_job_status), intent(inout) :: ret
            type(c_error), intent(inout) :: err
        end function
        integer(c_int) function c_job_cancel(c, job, reason, err) bind(c, name='hq_job_cancel')
            import
            type(c_ptr), value :: c
            type(hq_job_id), value :: job
            type(c_ptr), value :: reason
            type(c_error), intent(inout) :: err
        end function
        integer(c_int) function c_job_tasks(c, job, cursor, ret, err) bind(c, name='hq_job_tasks')
            import
            type(c_ptr), value :: c
            type(hq_job_id), value :: job
            integer(c_int64_t), intent(inout) :: cursor
            type(c_task_columns), intent(inout) :: ret
            type(c_error), intent(inout) :: err
        end function
        integer(c_size_t) function c_strlen(s) bind(c, name='strlen')
            import
            type(c_ptr), value :: s
        end function
    end interface

end module hqcore_c
