"""The same study by `fanin.compare`, with as many seeds as the argument says; prints its times."""

import json
import os
import resource
import sys
import time

os.environ["KERAS_BACKEND"] = "jax"

import keras  # noqa: F401  (as in the script that it is compared with, imports are not counted)

import fanin
from fanin.experiments import comparison, setup  # noqa: F401
from fanin.frameworks.keras import train, vectorized  # noqa: F401

marks: list[tuple[float, int]] = []
began = time.perf_counter()
result = fanin.compare(
    seeds=int(sys.argv[1]), progress=lambda done, total: marks.append((time.perf_counter(), done))
)
total = time.perf_counter() - began
trained = [mark for mark in marks if mark[1]]
(first, first_done), (last, last_done) = trained[0], trained[-1]
print(
    json.dumps(
        {
            "runs": last_done,
            "seconds": result.to_dict()["speed"]["seconds"],
            "seconds_with_statistics": total,
            "compiled": (last - first) / max(last_done - first_done, 1),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    )
)
