#!/bin/bash
# One task: says who and where it is, and works for a moment.
echo "$(date): start task ${HQ_TASK_ID} on $(hostname), CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES}"
sleep "${TASK_SECONDS:-0.05}"
echo "$(date): end task ${HQ_TASK_ID} on $(hostname), CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES}"
