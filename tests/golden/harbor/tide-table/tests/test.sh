#!/bin/bash
# Compares the report and its copy with what is expected.
reward=0
if cmp -s /tests/expected/report.txt /app/report.txt &&
    cmp -s /tests/expected/report.txt /outbox/daily/report.txt &&
    [ "$(cat data/readings.csv | md5sum | cut -c 1-32)" = "$(md5sum < /tests/expected/readings.csv | cut -c 1-32)" ] &&
    grep -qx 'Gauge: north pier, in cm' notes.txt; then
    reward=1
fi
echo "$reward" > /logs/verifier/reward.txt
