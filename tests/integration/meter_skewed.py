"""A gateway with a wrong clock: `python -m tests.integration.meter_skewed SECONDS`.

Its contexts are signed with the right time: what is signed minutes ahead or behind is refused by every service, so that
a gateway that is wrong in everything admits nothing at all.
"""

import runpy
import sys
import time

import chassis.context  # noqa: F401  # takes the clock as it is now

true = time.time
skew = float(sys.argv[1])
time.time = lambda: true() + skew
sys.argv = ["gateway", "serve"]
runpy.run_module("gateway", run_name="__main__")
