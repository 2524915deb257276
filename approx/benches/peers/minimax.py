"""Best approximation of the Sigmoid on [-8, 8]: this crate beside its peers, on one core, in one run.

Needs numpy, baryrat and pm-remez from PyPI, and a Rust toolchain:

    python minimax.py > minimax.csv

One line a program and task: the median and the least of the seconds of all runs, and the largest error.
This crate's error is the certified bound, those of the others are the largest on 400,001 points. All
errors are absolute. Peers:
- `baryrat`  BRASIL (Hofreither 2021), with numerator degree n and denominator degree 0;
- `pm-remez` the exchange of Parks and McClellan in Rust, called from Python; a filter with 2n + 1 taps is
  a polynomial of degree n in the cosine of the frequency. Its double precision and its extended one.
mpmath is not among them, since it has no exchange: `mpmath.chebyfit` interpolates.
"""

import contextlib
import importlib.metadata
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
CRATE = Path(__file__).resolve().parents[2]
# built before the process is tied to one core
BUILD = ["cargo", "build", "--quiet", "--release", "-p", "cryptodl-approx", "--example", "timing"]
subprocess.run(BUILD, cwd=CRATE, check=True)
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import baryrat  # noqa: E402
import numpy as np  # noqa: E402
import pm_remez  # noqa: E402

sigmoid = lambda x: 1.0 / (1.0 + np.exp(-x))


def timed(task, runs):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        result = task()
        times.append(time.perf_counter() - start)
    return statistics.median(times), min(times), result


def largest(p):
    x = 8.0 * np.cos(np.linspace(0.0, np.pi, 400_001))
    return float(np.max(np.abs(sigmoid(x) - p(x))))


def line(program, version, degree, runs, task, to_polynomial):
    what = f"minimax {degree} of sigmoid on -8:8"
    try:
        # what a peer has to say is no part of the table
        with contextlib.redirect_stdout(sys.stderr):
            median, least, result = timed(task, runs)
        error = largest(to_polynomial(result))
        print(f"{program},{version},{what},{runs},{median},{least},{error},", flush=True)
    except Exception as problem:  # a peer that gives up is a row, not the end
        reason = " ".join(str(problem).replace(",", ";").split()) or type(problem).__name__
        print(f"{program},{version},{what},{runs},,,,{reason}", flush=True)


def from_filter(design):
    taps = np.array(design.impulse_response)
    n = len(taps) // 2
    series = np.concatenate([taps[n:n + 1], 2.0 * taps[n + 1:]])
    return lambda x: np.polynomial.chebyshev.chebval(x / 8.0, series)


print("program,version,task,runs,median_s,least_s,max_error,error", flush=True)
target = os.environ.get("CARGO_TARGET_DIR", CRATE.parent / "target")
ours = subprocess.run([f"{target}/release/examples/timing"], check=True, capture_output=True, text=True)
for row in ours.stdout.splitlines():
    print(f"cryptodl-approx,0.1.0,{row},", flush=True)
for degree in (15, 31, 63):
    line("baryrat", importlib.metadata.version("baryrat"), degree, 5,
         lambda: baryrat.brasil(sigmoid, (-8.0, 8.0), (degree, 0), npi=-30), lambda r: r)
    version = importlib.metadata.version("pm-remez")
    desired = lambda frequency: float(sigmoid(8.0 * np.cos(2.0 * np.pi * frequency)))
    for bigfloat, runs in ((False, 15), (True, 1)):
        line("pm-remez" + (" bigfloat" if bigfloat else ""), version, degree, runs,
             lambda: pm_remez.remez(2 * degree + 1, [0.0, 0.5], [desired], bigfloat=bigfloat), from_filter)
