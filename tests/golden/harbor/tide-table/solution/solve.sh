#!/bin/bash
set -euo pipefail

# The highest three, turned round.
sort -t, -k2,2nr data/readings.csv | head -n 3 | awk -F, '{ print $2 " at " $1 }' > report.txt
cp report.txt /outbox/daily/
