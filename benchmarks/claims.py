"""Print what the simulations measure of each claim that docs/statistics.md makes."""

from tests.simulations.claims import CLAIMS


def main() -> None:
    for topic in dict.fromkeys(claim.topic for claim in CLAIMS):
        print(f"\n{topic}")
        for claim in CLAIMS:
            if claim.topic == topic:
                figure = f"{claim.measure():.3f}  in [{claim.low:.2f}, {claim.high:.2f}]"
                print(f"  {figure}  {claim.case}", flush=True)


if __name__ == "__main__":
    main()
