"""Look at the quality of random values: p-values of many checks, each of `VALUES` values (2e8 by default)."""

import os
import time

from tests.simulations.streams import CHECKS


def main() -> None:
    values = int(float(os.environ.get("VALUES", "2e8")))
    p_values, began = [], time.perf_counter()
    for check in CHECKS:
        p_values.append(check.p_value(values))
        print(f"{p_values[-1]:.4f}  {check.topic}: {check.case}", flush=True)
    print(
        f"\n{len(CHECKS)} checks of {values:.0e} values in {time.perf_counter() - began:.0f} s. "
        f"The smallest p-value is {min(p_values):.4f}; by chance it is below {0.05 / len(CHECKS):.4f} "
        "in 5 cases of 100."
    )


if __name__ == "__main__":
    main()
