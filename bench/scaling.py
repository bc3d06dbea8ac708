# SPDX-License-Identifier: MIT
"""A model of training on several devices: how long a step takes, and what share of n times the speed of one is left.

usage: scaling.py [--step SECONDS] [--batch IMAGES] [--bytes BYTES] [--fixed SHARE]

--step: of one device with --batch images; --bytes: of the gradients; --fixed: the share of a step that it needs however
few its images are. A sum over n ranks sends 2 (n - 1) / n of the bytes through each link, in 2 (n - 1) messages. Prints
the tables of docs/cluster.md.
"""
import argparse

# What carries the sum: seconds to begin a message, bytes a second of a link in one direction, ranks at most.
LINKS = {"NVLink in a machine": (10e-6, 200e9, 8), "memory of a machine": (10e-6, 4e9, 8),
         "100 Gbit/s Ethernet": (30e-6, 10e9, 64), "10 Gbit/s Ethernet": (50e-6, 1.0e9, 64)}
RANKS = (1, 2, 4, 8, 16, 64)


def sum_seconds(ranks, size, link):
    begin, speed, _ = LINKS[link]
    return 0 if ranks == 1 else 2 * (ranks - 1) / ranks * size / speed + 2 * (ranks - 1) * begin


def step_seconds(ranks, step, size, link, share, fixed):
    """share: the part of --batch that each rank has."""
    return step * (fixed + (1 - fixed) * share) + sum_seconds(ranks, size, link)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--step", type=float, default=0.012)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--bytes", type=float, default=9.0e6)
    parser.add_argument("--fixed", type=float, default=0.15)
    a = parser.parse_args()
    print(f"step of one device {a.step * 1e3:g} ms, batch {a.batch}, {a.bytes / 1e6:g} MB of gradients, "
          f"{a.fixed:.0%} of a step fixed\n")
    for name, weak in ((f"weak: {a.batch} images a rank", True), (f"strong: {a.batch} images in all", False)):
        print(f"| {name} | " + " | ".join(str(n) for n in RANKS) + " |")
        print("| --- |" + " ---: |" * len(RANKS))
        for link in LINKS:
            cells = []
            for n in RANKS:
                if n > LINKS[link][2]:
                    cells.append("")
                    continue
                seconds = step_seconds(n, a.step, a.bytes, link, 1 if weak else 1 / n, a.fixed)
                faster = (n if weak else 1) * a.step / seconds
                cells.append(f"{faster:.1f}")
            print(f"| {link} | " + " | ".join(cells) + " |")
        print()


if __name__ == "__main__":
    main()
