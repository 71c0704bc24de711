// SPDX-License-Identifier: MIT
// submit_array.cpp - the blocking way: runs a program as an array of tasks on the server of HQ_SERVER_DIR, waits, and tells how
// it went.
//
//     c++ submit_array.cpp $(pkg-config --cflags --libs libhqcore-cpp) && ./a.out 1-300 /bin/true
#include <iostream>

#include "hqcore.hpp"

int main(int argc, char **argv)
{
    if (argc < 3) {
        std::cerr << "usage: " << argv[0] << " IDS PROGRAM [ARGUMENTS]\n";
        return 2;
    }
    try {
        hq::client client = hq::client::open();
        hq::job_id job = client.submit_array(argv[1], std::vector<std::string>(argv + 2, argv + argc));
        client.wait(job);
        hq::job_status status = client.progress(job);
        std::cout << "job " << job.n << ": " << status.finished << " of " << status.total << " tasks finished\n";
        for (const hq::task &task : client.tasks(job))
            if (task.state == HQ_TASK_FAILED)
                std::cout << "task " << task.index << " failed: " << task.error << '\n';
    } catch (const hq::error &e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
    return 0;
}
