! SPDX-License-Identifier: MIT
!> libhqcore for Fortran 2008: a module over iso_c_binding, with blocking calls and polling.
!!
!! Everything here is a call of hqcore.h, whose comments hold. Trees of values (hq_doc) are left to C and C++. Conventions:
!!
!! - `stat` and `errmsg` are as those of `allocate`: with `stat`, a failed call sets it to a negative hq_e* code (and `errmsg` to
!!   what happened); without it, a failed call ends the program with the message. 0 is success.
!! - texts are passed without their trailing blanks;
!! - each `new` or `open` needs its `free`; freeing a context frees the servers, workers and clients on it, whose variables are
!!   not to be used after that. Submissions are freed before their context.
module hqcore
    use, intrinsic :: iso_c_binding
    use, intrinsic :: iso_fortran_env, only: error_unit, int64
    use hqcore_c
    implicit none
    private
    public :: hq_job_id

    ! Error codes, as in hqcore/error.h.
    integer, parameter, public :: hq_ok = 0, hq_einval = -1, hq_enomem = -2, hq_enoent = -3, hq_estate = -4, hq_eauth = -5, &
        hq_eproto = -6, hq_eversion = -7, hq_elimit = -8, hq_ejournal = -9, hq_etimedout = -10, hq_efork = -11, hq_esys = -12, &
        hq_einternal = -13, hq_eintr = -14, hq_eagain = -15, hq_eexist = -16, hq_eclosed = -17
    ! Types of events, and states of a connection.
    integer, parameter, public :: hq_event_reply = 1, hq_event_tasks = 2, hq_event_worker = 3, hq_event_connection = 4, &
        hq_event_stopped = 5
    integer, parameter, public :: hq_connected = 1, hq_connection_dropped = 2, hq_connection_refused = 3, hq_connection_lost = 4
    ! States of tasks and jobs.
    integer, parameter, public :: hq_task_waiting = 0, hq_task_running = 1, hq_task_finished = 2, hq_task_failed = 3, &
        hq_task_canceled = 4, hq_task_aborted = 5, hq_job_opened = 6
    ! What a task ended with: an exit code, or
    integer, parameter, public :: hq_code_signal = 256, hq_code_time_limit = 512, hq_code_text = 513, hq_code_launch = 514, &
        hq_code_crash_limit = 515
    integer, parameter, public :: hq_worker_stopped = 1
    integer, parameter, public :: hq_plane_client = 0, hq_plane_worker = 1
    integer, parameter, public :: hq_pin_none = 0, hq_pin_taskset = 1, hq_pin_omp = 2
    integer, parameter, public :: hq_manager_none = 1, hq_detect_cpus = 1
    !> No time limit, in milliseconds.
    integer, parameter, public :: hq_forever = -1

    !> Counts of a job.
    type, public :: hq_job_status
        integer :: state = 0
        logical :: is_open = .false.
        integer(int64) :: total = 0, waiting = 0, running = 0, finished = 0, failed = 0, canceled = 0, aborted = 0
    end type

    type, public :: hq_text
        character(:), allocatable :: text
    end type

    !> All tasks of a job, element i of each array for the same task. Times are nanoseconds, -1: not yet. `code` is -1 until a task
    !! has ended; `error` has no text but for failed ones; `result` is what a task has returned, as bytes.
    type, public :: hq_results
        integer(int64), allocatable :: index(:), start_ns(:), duration_ns(:)
        integer, allocatable :: state(:), code(:), worker(:), instance(:)
        type(hq_text), allocatable :: error(:), result(:)
    end type

    !> What a context tells; `kind` is one of hq_event_*.
    type, public :: hq_event
        integer :: kind = 0, code = 0, state = 0, worker = 0
        integer(int64) :: tag = 0, source = 0
        type(hq_job_id) :: job
        character(:), allocatable :: text
    end type

    !> One event loop, with what lives on it.
    type, public :: hq_context
        type(c_ptr) :: handle = c_null_ptr
    contains
        procedure :: new => context_new
        procedure :: free => context_free
        procedure :: fd => context_fd
        procedure :: dispatch => context_dispatch
        procedure :: run => context_run
        procedure :: next => context_next
        procedure :: wake => context_wake
    end type

    type, public :: hq_server
        type(c_ptr) :: handle = c_null_ptr
    contains
        procedure :: new => server_new
        procedure :: free => server_free
        procedure :: stop => server_stop
        procedure :: source => server_source
    end type

    type, public :: hq_worker
        type(c_ptr) :: handle = c_null_ptr
    contains
        procedure :: new => worker_new
        procedure :: free => worker_free
        procedure :: stop => worker_stop
        procedure :: source => worker_source
        procedure :: id => worker_id
    end type

    !> What is submitted; the first error sticks until it is sent.
    type, public :: hq_submission
        type(c_ptr) :: handle = c_null_ptr
    contains
        procedure, private :: new_on_context, new_on_client
        generic :: new => new_on_context, new_on_client
        procedure :: free => submission_free
        procedure :: set_name, set_array, set_command, set_env, set_cwd, set_stdout, set_stderr, set_stdin, add_entry
        procedure :: set_resource, set_priority, set_time_limit, set_time_request, set_max_fails, set_crash_limit, set_pin
        procedure :: set_task_dir, set_events, set_job
    end type

    type, public :: hq_client
        type(c_ptr) :: handle = c_null_ptr
    contains
        procedure :: open => client_open
        procedure :: connect => client_connect
        procedure :: free => client_free
        procedure :: source => client_source
        procedure :: submit_array => client_submit_array
        procedure :: wait => client_wait
        procedure :: progress => client_progress
        procedure :: cancel => client_cancel
        procedure :: tasks => client_tasks
        procedure :: post => client_post
        procedure :: post_wait => client_post_wait
        procedure :: post_cancel => client_post_cancel
    end type

contains

    ! ---- texts and errors ----

    !> Without trailing blanks, with the NUL of C.
    pure function c_text(s) result(t)
        character(*), intent(in) :: s
        character(kind=c_char) :: t(len_trim(s) + 1)
        integer :: i
        do i = 1, len_trim(s)
            t(i) = s(i:i)
        end do
        t(len_trim(s) + 1) = c_null_char
    end function

    function f_text(p) result(s)
        type(c_ptr), intent(in) :: p
        character(:), allocatable :: s
        integer(c_size_t) :: n
        n = 0
        if (c_associated(p)) n = c_strlen(p)
        s = f_bytes(p, n)
    end function

    function f_bytes(p, length) result(s)
        type(c_ptr), intent(in) :: p
        integer(c_size_t), intent(in) :: length
        character(:), allocatable :: s
        character(kind=c_char), pointer :: t(:)
        integer :: i, n
        n = 0
        if (c_associated(p)) n = int(length)
        allocate (character(n) :: s)
        if (n == 0) return
        call c_f_pointer(p, t, [n])
        do i = 1, n
            s(i:i) = t(i)
        end do
    end function

    subroutine settle(code, err, stat, errmsg)
        integer(c_int), intent(in) :: code
        type(c_error), intent(in), target :: err
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        if (present(stat)) stat = int(min(code, 0_c_int))
        if (code >= 0) return
        if (present(errmsg)) errmsg = f_text(c_loc(err%text))
        if (present(stat)) return
        write (error_unit, '(2a)') 'hqcore: ', f_text(c_loc(err%text))
        error stop 1
    end subroutine

    !> Unsigned in C.
    elemental function widen(n) result(wide)
        integer(c_int32_t), intent(in) :: n
        integer(int64) :: wide
        wide = iand(int(n, int64), 4294967295_int64)
    end function

    ! ---- context ----

    subroutine context_new(self, stat, errmsg)
        class(hq_context), intent(inout) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_error) :: err
        call settle(c_ctx_new(self%handle, c_null_ptr, err), err, stat, errmsg)
    end subroutine

    subroutine context_free(self)
        class(hq_context), intent(inout) :: self
        call c_ctx_free(self%handle)
        self%handle = c_null_ptr
    end subroutine

    !> Readable when dispatch has work; for a program that has a loop of its own.
    integer function context_fd(self)
        class(hq_context), intent(in) :: self
        context_fd = c_ctx_fd(self%handle)
    end function

    !> A bounded piece of work; never blocks. `events`: how many wait for next.
    subroutine context_dispatch(self, events, stat, errmsg)
        class(hq_context), intent(in) :: self
        integer, intent(out), optional :: events, stat
        character(*), intent(inout), optional :: errmsg
        type(c_error) :: err
        integer(c_int) :: code
        code = c_ctx_dispatch(self%handle, err)
        if (present(events)) events = max(code, 0_c_int)
        call settle(code, err, stat, errmsg)
    end subroutine

    !> Dispatches until an event waits, at most `timeout_ms` (default: for ever).
    subroutine context_run(self, timeout_ms, stat, errmsg)
        class(hq_context), intent(in) :: self
        integer, intent(in), optional :: timeout_ms
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_error) :: err
        integer(c_int) :: ms
        ms = hq_forever
        if (present(timeout_ms)) ms = timeout_ms
        call settle(c_ctx_run(self%handle, ms, err), err, stat, errmsg)
    end subroutine

    !> True and an event, or false: none waits.
    logical function context_next(self, event)
        class(hq_context), intent(in) :: self
        type(hq_event), intent(out) :: event
        type(c_event), pointer :: e
        type(c_ptr) :: found
        context_next = c_ctx_next(self%handle, found) == 1
        if (.not. context_next) return
        call c_f_pointer(found, e)
        event%kind = e%kind
        event%code = e%code
        event%tag = e%tag
        event%source = e%source
        event%text = f_text(e%text)
        select case (e%kind)
        case (hq_event_reply)
            event%job%n = e%words(1)
        case (hq_event_tasks)
            event%job%n = e%words(1)
            event%state = e%words(5)
            event%worker = e%words(6)
        case (hq_event_worker)
            event%worker = e%words(1)
            event%state = e%words(2)
        case (hq_event_connection)
            event%state = e%words(1)
        end select
    end function

    !> Ends run; from any thread.
    subroutine context_wake(self)
        class(hq_context), intent(in) :: self
        call c_ctx_wake(self%handle)
    end subroutine

    ! ---- server ----

    !> Without `server_dir` it publishes nothing: for workers and clients in this program.
    subroutine server_new(self, ctx, server_dir, bind, stat, errmsg)
        class(hq_server), intent(inout) :: self
        type(hq_context), intent(in) :: ctx
        character(*), intent(in), optional :: server_dir, bind
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(kind=c_char), allocatable, target :: dir(:), address(:)
        type(c_server_options) :: o
        type(c_error) :: err
        o%size = c_sizeof(o)
        if (present(server_dir)) then
            dir = c_text(server_dir)
            o%server_dir = c_loc(dir)
        end if
        if (present(bind)) then
            address = c_text(bind)
            o%bind = c_loc(address)
        end if
        call settle(c_server_new(self%handle, ctx%handle, o, err), err, stat, errmsg)
    end subroutine

    subroutine server_free(self)
        class(hq_server), intent(inout) :: self
        call c_server_free(self%handle)
        self%handle = c_null_ptr
    end subroutine

    !> Says goodbye to the workers; hq_event_stopped follows.
    subroutine server_stop(self, stat, errmsg)
        class(hq_server), intent(in) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_error) :: err
        call settle(c_server_stop(self%handle, err), err, stat, errmsg)
    end subroutine

    pure integer(int64) function server_source(self)
        class(hq_server), intent(in) :: self
        server_source = c_server_source(self%handle)
    end function

    ! ---- worker ----

    !> Of `server` in this program, or of the one that `server_dir` tells of (default: the default directory). `cpus` as in
    !! "4" or "2x8"; default: detected.
    subroutine worker_new(self, ctx, server, server_dir, cpus, work_dir, detect, manager, stat, errmsg)
        class(hq_worker), intent(inout) :: self
        type(hq_context), intent(in) :: ctx
        type(hq_server), intent(in), optional :: server
        character(*), intent(in), optional :: server_dir, cpus, work_dir
        integer, intent(in), optional :: detect, manager
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(kind=c_char), allocatable, target :: dir(:), n(:), work(:)
        type(c_worker_options) :: o
        type(c_error) :: err
        o%size = c_sizeof(o)
        if (present(server)) then
            o%endpoint = c_server_endpoint(server%handle, int(hq_plane_worker, c_int))
            o%secret = c_server_secret(server%handle, int(hq_plane_worker, c_int))
        end if
        if (present(server_dir)) then
            dir = c_text(server_dir)
            o%server_dir = c_loc(dir)
        end if
        if (present(cpus)) then
            n = c_text(cpus)
            o%cpus = c_loc(n)
        end if
        if (present(work_dir)) then
            work = c_text(work_dir)
            o%work_dir = c_loc(work)
        end if
        if (present(detect)) o%detect = detect
        if (present(manager)) o%manager = manager
        call settle(c_worker_new(self%handle, ctx%handle, o, err), err, stat, errmsg)
    end subroutine

    subroutine worker_free(self)
        class(hq_worker), intent(inout) :: self
        call c_worker_free(self%handle)
        self%handle = c_null_ptr
    end subroutine

    !> Kills its tasks and says goodbye; hq_event_stopped follows.
    subroutine worker_stop(self, stat, errmsg)
        class(hq_worker), intent(in) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_error) :: err
        call settle(c_worker_stop(self%handle, int(hq_worker_stopped, c_int), err), err, stat, errmsg)
    end subroutine

    pure integer(int64) function worker_source(self)
        class(hq_worker), intent(in) :: self
        worker_source = c_worker_source(self%handle)
    end function

    !> 0 until it is registered.
    integer function worker_id(self)
        class(hq_worker), intent(in) :: self
        type(c_worker_id) :: id
        id = c_worker_get_id(self%handle)
        worker_id = id%n
    end function

    ! ---- submissions ----

    subroutine new_on_context(self, ctx)
        class(hq_submission), intent(inout) :: self
        type(hq_context), intent(in) :: ctx
        self%handle = c_submit_new(ctx%handle)
    end subroutine

    subroutine new_on_client(self, client)
        class(hq_submission), intent(inout) :: self
        type(hq_client), intent(in) :: client
        self%handle = c_submit_new(c_client_ctx(client%handle))
    end subroutine

    subroutine submission_free(self)
        class(hq_submission), intent(inout) :: self
        call c_submit_free(self%handle)
        self%handle = c_null_ptr
    end subroutine

    subroutine set_name(self, name)
        class(hq_submission), intent(in) :: self
        character(*), intent(in) :: name
        call c_set_name(self%handle, c_text(name))
    end subroutine

    !> Adds to this open job.
    subroutine set_job(self, job)
        class(hq_submission), intent(in) :: self
        type(hq_job_id), intent(in) :: job
        call c_set_job(self%handle, job)
    end subroutine

    !> "1-300", "0-99:2,200".
    subroutine set_array(self, ids)
        class(hq_submission), intent(in) :: self
        character(*), intent(in) :: ids
        call c_set_array(self%handle, c_text(ids))
    end subroutine

    !> The program and its arguments.
    subroutine set_command(self, argv)
        class(hq_submission), intent(in) :: self
        character(*), intent(in) :: argv(:)
        character(kind=c_char), allocatable, target :: texts(:, :)
        call c_set_command(self%handle, arguments(argv, texts))
    end subroutine

    subroutine set_env(self, name, value)
        class(hq_submission), intent(in) :: self
        character(*), intent(in) :: name, value
        call c_set_env(self%handle, c_text(name), c_text(value))
    end subroutine

    subroutine set_cwd(self, path)
        class(hq_submission), intent(in) :: self
        character(*), intent(in) :: path
        call c_set_cwd(self%handle, c_text(path))
    end subroutine

    subroutine set_stdout(self, stdio)
        class(hq_submission), intent(in) :: self
        character(*), intent(in) :: stdio
        call c_set_stdout(self%handle, c_text(stdio))
    end subroutine

    subroutine set_stderr(self, stdio)
        class(hq_submission), intent(in) :: self
        character(*), intent(in) :: stdio
        call c_set_stderr(self%handle, c_text(stdio))
    end subroutine

    !> All of `data`, trailing blanks included.
    subroutine set_stdin(self, data)
        class(hq_submission), intent(in) :: self
        character(*), intent(in) :: data
        call c_set_stdin(self%handle, bytes(data), int(len(data), c_size_t))
    end subroutine

    !> One task's HQ_ENTRY: all of `data`, trailing blanks included.
    subroutine add_entry(self, data)
        class(hq_submission), intent(in) :: self
        character(*), intent(in) :: data
        call c_add_entry(self%handle, bytes(data), int(len(data), c_size_t))
    end subroutine

    subroutine set_resource(self, name, amount)
        class(hq_submission), intent(in) :: self
        character(*), intent(in) :: name, amount
        call c_set_resource(self%handle, c_text(name), c_text(amount))
    end subroutine

    subroutine set_priority(self, priority)
        class(hq_submission), intent(in) :: self
        integer, intent(in) :: priority
        call c_set_priority(self%handle, int(priority, c_int32_t))
    end subroutine

    subroutine set_time_limit(self, ms)
        class(hq_submission), intent(in) :: self
        integer(int64), intent(in) :: ms
        call c_set_time_limit(self%handle, ms)
    end subroutine

    subroutine set_time_request(self, ms)
        class(hq_submission), intent(in) :: self
        integer(int64), intent(in) :: ms
        call c_set_time_request(self%handle, ms)
    end subroutine

    subroutine set_max_fails(self, n)
        class(hq_submission), intent(in) :: self
        integer, intent(in) :: n
        call c_set_max_fails(self%handle, int(n, c_int32_t))
    end subroutine

    subroutine set_crash_limit(self, n)
        class(hq_submission), intent(in) :: self
        integer, intent(in) :: n
        call c_set_crash_limit(self%handle, int(n, c_int32_t))
    end subroutine

    subroutine set_pin(self, pin)
        class(hq_submission), intent(in) :: self
        integer, intent(in) :: pin
        call c_set_pin(self%handle, int(pin, c_int))
    end subroutine

    subroutine set_task_dir(self, on)
        class(hq_submission), intent(in) :: self
        logical, intent(in) :: on
        call c_set_task_dir(self%handle, merge(1_c_int, 0_c_int, on))
    end subroutine

    subroutine set_events(self, on)
        class(hq_submission), intent(in) :: self
        logical, intent(in) :: on
        call c_set_events(self%handle, merge(1_c_int, 0_c_int, on))
    end subroutine

    pure function bytes(s) result(t)
        character(*), intent(in) :: s
        character(kind=c_char) :: t(len(s))
        integer :: i
        do i = 1, len(s)
            t(i) = s(i:i)
        end do
    end function

    !> argv of C; what it points to lives in `texts`.
    function arguments(argv, texts) result(p)
        character(*), intent(in) :: argv(:)
        character(kind=c_char), allocatable, target, intent(inout) :: texts(:, :)
        type(c_ptr) :: p(size(argv) + 1)
        integer :: i, n
        allocate (texts(len(argv) + 1, max(size(argv), 1)))
        do i = 1, size(argv)
            n = len_trim(argv(i)) + 1
            texts(1:n, i) = c_text(argv(i))
            p(i) = c_loc(texts(1, i))
        end do
        p(size(argv) + 1) = c_null_ptr
    end function

    ! ---- client ----

    !> The blocking way: of the server whose directory this is (default: the default one), with a context of its own.
    subroutine client_open(self, server_dir, timeout_ms, stat, errmsg)
        class(hq_client), intent(inout) :: self
        character(*), intent(in), optional :: server_dir
        integer, intent(in), optional :: timeout_ms
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(kind=c_char), allocatable, target :: dir(:)
        type(c_error) :: err
        type(c_ptr) :: path
        integer(c_int) :: ms
        path = c_null_ptr
        if (present(server_dir)) then
            dir = c_text(server_dir)
            path = c_loc(dir)
        end if
        ms = hq_forever
        if (present(timeout_ms)) ms = timeout_ms
        call settle(c_client_open(self%handle, path, ms, err), err, stat, errmsg)
    end subroutine

    !> On a context: of `server` in this program, or of the one that `server_dir` tells of.
    subroutine client_connect(self, ctx, server, server_dir, stat, errmsg)
        class(hq_client), intent(inout) :: self
        type(hq_context), intent(in) :: ctx
        type(hq_server), intent(in), optional :: server
        character(*), intent(in), optional :: server_dir
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(kind=c_char), allocatable, target :: dir(:)
        type(c_client_options) :: o
        type(c_error) :: err
        o%size = c_sizeof(o)
        if (present(server)) then
            o%endpoint = c_server_endpoint(server%handle, int(hq_plane_client, c_int))
            o%secret = c_server_secret(server%handle, int(hq_plane_client, c_int))
        end if
        if (present(server_dir)) then
            dir = c_text(server_dir)
            o%server_dir = c_loc(dir)
        end if
        call settle(c_client_new(self%handle, ctx%handle, o, err), err, stat, errmsg)
    end subroutine

    subroutine client_free(self)
        class(hq_client), intent(inout) :: self
        call c_client_free(self%handle)
        self%handle = c_null_ptr
    end subroutine

    pure integer(int64) function client_source(self)
        class(hq_client), intent(in) :: self
        client_source = c_client_source(self%handle)
    end function

    !> One array of one program; returns when the server has it. `ids` '': one task, or one per entry of `more`.
    subroutine client_submit_array(self, ids, argv, job, more, stat, errmsg)
        class(hq_client), intent(in) :: self
        character(*), intent(in) :: ids, argv(:)
        type(hq_job_id), intent(inout) :: job
        type(hq_submission), intent(in), optional :: more
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(kind=c_char), allocatable, target :: texts(:, :), array(:)
        type(c_ptr) :: opt, which
        type(c_error) :: err
        opt = c_null_ptr
        if (present(more)) opt = more%handle
        which = c_null_ptr
        if (len_trim(ids) > 0) then
            array = c_text(ids)
            which = c_loc(array)
        end if
        call settle(c_submit_array(self%handle, which, arguments(argv, texts), opt, job, err), err, stat, errmsg)
    end subroutine

    !> Until the job has ended, at most `timeout_ms` (default: for ever).
    subroutine client_wait(self, job, timeout_ms, stat, errmsg)
        class(hq_client), intent(in) :: self
        type(hq_job_id), intent(in) :: job
        integer, intent(in), optional :: timeout_ms
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_error) :: err
        integer(c_int) :: ms
        ms = hq_forever
        if (present(timeout_ms)) ms = timeout_ms
        call settle(c_job_wait(self%handle, job, ms, err), err, stat, errmsg)
    end subroutine

    subroutine client_progress(self, job, status, stat, errmsg)
        class(hq_client), intent(in) :: self
        type(hq_job_id), intent(in) :: job
        type(hq_job_status), intent(out) :: status
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_job_status) :: s
        type(c_error) :: err
        s%size = c_sizeof(s)
        call settle(c_job_progress(self%handle, job, s, err), err, stat, errmsg)
        status = hq_job_status(s%state, s%is_open /= 0, s%total, s%waiting, s%running, s%finished, s%failed, s%canceled, &
                               s%aborted)
    end subroutine

    !> `canceled` false: it had ended.
    subroutine client_cancel(self, job, reason, canceled, stat, errmsg)
        class(hq_client), intent(in) :: self
        type(hq_job_id), intent(in) :: job
        character(*), intent(in), optional :: reason
        logical, intent(out), optional :: canceled
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(kind=c_char), allocatable, target :: why(:)
        type(c_error) :: err
        type(c_ptr) :: p
        integer(c_int) :: code
        p = c_null_ptr
        if (present(reason)) then
            why = c_text(reason)
            p = c_loc(why)
        end if
        code = c_job_cancel(self%handle, job, p, err)
        if (present(canceled)) canceled = code == 1
        call settle(code, err, stat, errmsg)
    end subroutine

    !> All tasks of a job.
    subroutine client_tasks(self, job, results, stat, errmsg)
        class(hq_client), intent(in) :: self
        type(hq_job_id), intent(in) :: job
        type(hq_results), intent(out) :: results
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_task_columns) :: page
        type(c_error) :: err
        integer(c_int64_t) :: cursor
        integer(c_int) :: code
        page%size = c_sizeof(page)
        cursor = 0
        allocate (results%index(0), results%start_ns(0), results%duration_ns(0), results%state(0), results%code(0), &
                  results%worker(0), results%instance(0), results%error(0), results%result(0))
        do
            code = c_job_tasks(self%handle, job, cursor, page, err)
            if (code < 0) exit
            if (page%count > 0) call append(results, page)
            if (cursor == 0) exit
        end do
        call settle(code, err, stat, errmsg)
    end subroutine

    subroutine append(r, page)
        type(hq_results), intent(inout) :: r
        type(c_task_columns), intent(in) :: page
        integer(c_int32_t), pointer :: index(:), code(:), worker(:), instance(:)
        integer(c_int8_t), pointer :: state(:)
        integer(c_int64_t), pointer :: start_ns(:), duration_ns(:)
        type(c_ptr), pointer :: error(:), result(:)
        integer(c_size_t), pointer :: result_size(:)
        integer :: n(1)
        n = int(page%count)
        call c_f_pointer(page%index, index, n)
        call c_f_pointer(page%state, state, n)
        call c_f_pointer(page%code, code, n)
        call c_f_pointer(page%start_ns, start_ns, n)
        call c_f_pointer(page%duration_ns, duration_ns, n)
        call c_f_pointer(page%worker, worker, n)
        call c_f_pointer(page%instance, instance, n)
        call c_f_pointer(page%error, error, n)
        call c_f_pointer(page%result, result, n)
        call c_f_pointer(page%result_size, result_size, n)
        r%index = [r%index, widen(index)]
        r%state = [r%state, int(state)]
        r%code = [r%code, int(code)]
        r%start_ns = [r%start_ns, start_ns]
        r%duration_ns = [r%duration_ns, duration_ns]
        r%worker = [r%worker, int(worker)]
        r%instance = [r%instance, int(instance)]
        call append_texts(r%error, error)
        call append_texts(r%result, result, result_size)
    end subroutine

    !> With their sizes, or up to their NULs.
    subroutine append_texts(list, texts, sizes)
        type(hq_text), allocatable, intent(inout) :: list(:)
        type(c_ptr), intent(in) :: texts(:)
        integer(c_size_t), intent(in), optional :: sizes(:)
        type(hq_text), allocatable :: longer(:)
        integer :: i
        allocate (longer(size(list) + size(texts)))
        do i = 1, size(list)
            call move_alloc(list(i)%text, longer(i)%text)
        end do
        do i = 1, size(texts)
            if (present(sizes)) then
                longer(size(list) + i)%text = f_bytes(texts(i), sizes(i))
            else
                longer(size(list) + i)%text = f_text(texts(i))
            end if
        end do
        call move_alloc(longer, list)
    end subroutine

    !> Evented: the reply with `tag` has the job.
    subroutine client_post(self, submission, tag, stat, errmsg)
        class(hq_client), intent(in) :: self
        type(hq_submission), intent(in) :: submission
        integer(int64), intent(in) :: tag
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_error) :: err
        call settle(c_client_submit(self%handle, submission%handle, tag, err), err, stat, errmsg)
    end subroutine

    !> Evented: the reply with `tag` comes when the job has ended.
    subroutine client_post_wait(self, job, tag, stat, errmsg)
        class(hq_client), intent(in) :: self
        type(hq_job_id), intent(in) :: job
        integer(int64), intent(in) :: tag
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_error) :: err
        call settle(c_client_wait(self%handle, job, tag, err), err, stat, errmsg)
    end subroutine

    subroutine client_post_cancel(self, job, tag, stat, errmsg)
        class(hq_client), intent(in) :: self
        type(hq_job_id), intent(in) :: job
        integer(int64), intent(in) :: tag
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_error) :: err
        call settle(c_client_cancel(self%handle, job, c_null_ptr, tag, err), err, stat, errmsg)
    end subroutine

end module hqcore
