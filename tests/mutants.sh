#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks the library in many places, one at a time, and checks that a test fails for each.
# See tests/mutants/mutants.py --help.
exec python3 "$(dirname "$0")/mutants/mutants.py" "$@"
