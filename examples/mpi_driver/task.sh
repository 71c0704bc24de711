#!/bin/sh
# One member of a generation: computes for a moment, and returns where it did.
sleep "${TASK_SECONDS:-0.05}"
printf '%s on %s' "$((GENERATION * 100 + HQ_TASK_ID))" "$(hostname)" >"$HQ_RESULT_FILENAME"
