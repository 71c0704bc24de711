#!/bin/bash
#SBATCH --nodes 2
#SBATCH --ntasks-per-node 1
#SBATCH --time 00:10:00
#SBATCH --partition normal
#SBATCH --account <account>

# Many small tasks in one allocation: a server on the first node, a worker on each.
#   sbatch --gpus-per-node=2 job.sh

hq server start &
hq server wait

# One worker per node: cpus, memory and GPUs are found, and the time that is left.
srun hq worker start &

# 300 tasks of one cpu, and 16 tasks of one GPU each.
hq submit --resource "cpus=1" --array 1-300 ./task.sh;
hq submit --resource "gpus/nvidia=1" --array 1-16 ./task.sh;

hq job wait all

# The workers end with the server.
hq server stop

echo
echo "Everything done!"
