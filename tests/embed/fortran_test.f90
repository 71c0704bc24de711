! SPDX-License-Identifier: MIT
! fortran_test.f90 - the Fortran binding, against a server and a worker in this program.
program fortran_test
    use, intrinsic :: iso_fortran_env, only: int64
    use hqcore
    implicit none
    integer, parameter :: patience = 30000
    character(64) :: dir
    type(hq_context) :: ctx
    type(hq_server) :: server
    type(hq_worker) :: worker
    type(hq_client) :: client

    call make_directory(dir)
    call ctx%new()
    call server%new(ctx)
    call worker%new(ctx, server=server, cpus='2', work_dir=dir, detect=hq_detect_cpus, manager=hq_manager_none)
    call client%connect(ctx, server=server)
    call blocking()
    call entries()
    call polling()
    call errors()
    call ends()
    call ctx%free()
    call execute_command_line('rm -rf '//trim(dir))

contains

    subroutine check(ok, what)
        logical, intent(in) :: ok
        character(*), intent(in) :: what
        if (.not. ok) then
            print '(2a)', 'failed: ', what
            error stop 1
        end if
    end subroutine

    subroutine make_directory(path)
        character(*), intent(out) :: path
        integer :: unit
        path = '/tmp/hq-embed-fortran-'
        open (newunit=unit, file='/proc/self/stat', action='read')
        read (unit, *) path(23:)
        close (unit)
        call execute_command_line('mkdir '//trim(path))
    end subroutine

    subroutine quiet(s)
        type(hq_submission), intent(inout) :: s
        call s%new(client)
        call s%set_cwd(dir)
        call s%set_stdout('none')
        call s%set_stderr('none')
    end subroutine

    subroutine blocking()
        type(hq_submission) :: s
        type(hq_job_status) :: status
        type(hq_results) :: r
        type(hq_job_id) :: job
        logical :: canceled
        call quiet(s)
        call s%set_name('array')
        call s%set_env('NAME', 'value')
        call s%set_resource('cpus', '1')
        call s%set_priority(2)
        call s%set_time_limit(60000_int64)
        call client%submit_array('1-20', [character(60) :: '/bin/sh', '-c', 'test $NAME = value && test $HQ_TASK_ID != 7'], job, &
                                 more=s)
        call client%wait(job, timeout_ms=patience)
        call client%progress(job, status)
        call check(status%total == 20 .and. status%finished == 19 .and. status%failed == 1, 'progress')
        call check(status%state == hq_task_failed .and. .not. status%is_open, 'state')
        call client%tasks(job, r)
        call check(size(r%index) == 20, 'number of results')
        call check(r%index(1) == 1 .and. r%index(20) == 20, 'first and last')
        call check(r%state(7) == hq_task_failed .and. count(r%state == hq_task_finished) == 19, 'states')
        call check(r%code(7) == 1 .and. all(r%duration_ns >= 0) .and. all(r%start_ns > 0), 'codes and times')
        call check(all(r%worker == 1) .and. all(r%instance == 0) .and. size(r%error) == 20, 'workers')
        call client%cancel(job, reason='late', canceled=canceled)
        call check(.not. canceled, 'nothing to cancel')
        call s%free()
    end subroutine

    subroutine entries()
        type(hq_submission) :: s
        type(hq_job_status) :: status
        type(hq_results) :: r
        type(hq_job_id) :: job
        call quiet(s)
        call s%set_task_dir(.true.)
        call s%add_entry('one ')
        call s%add_entry('two ')
        call client%submit_array('', [character(60) :: '/bin/sh', '-c', 'printf "<$HQ_ENTRY>" > $HQ_RESULT_FILENAME'], &
                                 job, more=s)
        call client%wait(job, timeout_ms=patience)
        call client%progress(job, status)
        call check(status%finished == 2, 'entries')
        call client%tasks(job, r)
        call check(r%result(1)%text == '<one >' .and. r%result(2)%text == '<two >', 'results, with their blanks')
        call check(len(r%result(1)%text) == 6 .and. len(r%error(1)%text) == 0, 'lengths of texts')
        call s%free()
    end subroutine

    !> A program with a loop of its own: it never blocks.
    subroutine polling()
        integer(int64), parameter :: submitted = 1, ended = 2
        type(hq_submission) :: s
        type(hq_event) :: e
        logical :: done, changed
        integer :: stat, id
        done = .false.
        changed = .false.
        call quiet(s)
        call s%set_command([character(10) :: '/bin/true'])
        call s%set_array('1-5')
        call s%set_events(.true.)
        call client%post(s, submitted)
        call s%free()
        call check(ctx%fd() >= 0, 'a descriptor')
        do while (.not. done)
            call ctx%run(timeout_ms=10, stat=stat)
            call check(stat == hq_ok .or. stat == hq_etimedout, 'run')
            call ctx%dispatch()
            do while (ctx%next(e))
                changed = changed .or. e%kind == hq_event_tasks
                if (e%kind /= hq_event_reply) cycle
                call check(e%code == hq_ok .and. e%source == client%source(), e%text)
                done = e%tag == ended
                if (.not. done) call client%post_wait(e%job, ended)
            end do
        end do
        call check(changed, 'events of tasks')
        id = worker%id()
        call check(id == 1, 'the worker has an id')
        call client%post_cancel(hq_job_id(99), 3_int64)
        done = .false.
        do while (.not. done)
            call ctx%run()
            do while (ctx%next(e))
                done = done .or. (e%kind == hq_event_reply .and. e%tag == 3 .and. e%code == hq_enoent)
            end do
        end do
    end subroutine

    subroutine errors()
        type(hq_client) :: nobody
        type(hq_submission) :: s
        character(200) :: why
        integer :: stat
        why = ''
        call client%wait(hq_job_id(42), timeout_ms=patience, stat=stat, errmsg=why)
        call check(stat == hq_enoent .and. why == 'Job 42 not found.', why)
        call nobody%open(server_dir='/nowhere/at-all', timeout_ms=10, stat=stat)
        call check(stat < 0, 'no such directory')
        call quiet(s)
        call s%set_array('5-3')
        call s%set_command([character(10) :: '/bin/true'])
        call client%post(s, 9_int64, stat=stat, errmsg=why)
        call check(stat == hq_einval .and. index(why, '5-3') > 0, why)
        call s%free()
    end subroutine

    subroutine ends()
        type(hq_event) :: e
        logical :: stopped
        stopped = .false.
        call worker%stop()
        do while (.not. stopped)
            call ctx%run()
            do while (ctx%next(e))
                stopped = stopped .or. (e%kind == hq_event_stopped .and. e%source == worker%source())
                if (e%kind == hq_event_worker) call check(e%worker == 1 .and. e%state == hq_worker_stopped, 'the end of a worker')
            end do
        end do
        call worker%free()
        call server%stop()
        call client%free()
        call server%free()
    end subroutine

end program fortran_test
