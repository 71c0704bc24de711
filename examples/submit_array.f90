! SPDX-License-Identifier: MIT
! submit_array.f90 - the blocking way: runs a program as an array of tasks on the server of HQ_SERVER_DIR, waits, and tells how it
! went.
!
!     gfortran submit_array.f90 $(pkg-config --cflags --libs libhqcore-fortran) && ./a.out 1-300 /bin/true
program submit_array
    use hqcore
    implicit none
    type(hq_client) :: client
    type(hq_job_id) :: job
    type(hq_job_status) :: status
    character(256), allocatable :: argv(:)
    character(256) :: ids
    integer :: i

    if (command_argument_count() < 2) error stop 'usage: submit_array IDS PROGRAM [ARGUMENTS]'
    call get_command_argument(1, ids)
    allocate (argv(command_argument_count() - 1))
    do i = 1, size(argv)
        call get_command_argument(i + 1, argv(i))
    end do

    call client%open() ! without stat, a failure ends the program with its message
    call client%submit_array(ids, argv, job)
    call client%wait(job)
    call client%progress(job, status)
    print '(a,i0,a,i0,a,i0,a)', 'job ', job%n, ': ', status%finished, ' of ', status%total, ' tasks finished'
    call client%free()
end program submit_array
