#!/bin/bash
#SBATCH --nodes 2
#SBATCH --ntasks-per-node 1
#SBATCH --time 00:10:00
#SBATCH --partition normal
#SBATCH --account <account>

# As job.sh, and able to go on after the allocation has ended: everything is recorded in a journal.
#   sbatch --gpus-per-node=2 robust.sh              the first time
#   sbatch --gpus-per-node=2 robust.sh <job id>     once more, with the id of the first time: what is left is run

RESTORE_JOB=$1
export JOURNAL=~/.hq-journal-${RESTORE_JOB:-${SLURM_JOBID}}

# Each Slurm job has a server of its own.
export HQ_SERVER_DIR=~/.hq-server-${SLURM_JOBID}

hq server start --journal=${JOURNAL} &

hq server wait --timeout=120
if [ "$?" -ne 0 ]; then
    echo "Server did not start, exiting ..."
    exit 1
fi

srun hq worker start &

# A restored server knows its jobs.
if [ -z "$RESTORE_JOB" ]; then
    hq submit --resource "cpus=1" --array 1-300 ./task.sh;
    hq submit --resource "gpus/nvidia=1" --array 1-16 ./task.sh;
fi

hq job wait all

hq server stop

rm -rf ${HQ_SERVER_DIR}
rm -rf ${JOURNAL}

echo
echo "Everything done!"
