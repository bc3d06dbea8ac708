# SPDX-License-Identifier: MIT
"""Ranks in several processes: the same sums with every MPI as between threads; and two hosts, which are network and
UTS namespaces of this machine with a cable between them, one of which loses its process.

usage: cluster.py RANK TRAIN LIBRARIES OPENMPI|- MPICH|- KILLS STOPS

RANK, TRAIN: the programs of rank.c and train_rank.c. OPENMPI, MPICH: whether the library is built ("yes" or "-"). KILLS, STOPS: so many moments
are drawn by AN_SEED.
"""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402
import hosts  # noqa: E402

RANK, TRAIN, LIBRARIES = (str(Path(word).resolve()) for word in sys.argv[1:4])
BUILT = {"openmpi": sys.argv[4] == "yes", "mpich": sys.argv[5] == "yes"}
KILLS, STOPS = int(sys.argv[6]), int(sys.argv[7])
DEADLINE = 2
# A death is noticed by the deadline, the roll call and the notes to the others; the rest is a busy machine.
BOUND = 30
ATTEMPTS = 4  # at one moment, if the launcher itself crashes


def command(mpi, ranks):
    launcher = hosts.launcher(mpi)
    return [launcher, *(["--oversubscribe"] if mpi == "openmpi" else []), "-np", str(ranks)]


def sums(output):
    """The numbers that ranks print, and whatever else they say."""
    lines = [line for line in output.splitlines() if line.startswith("rank ")]
    return sorted({line.rsplit(": ", 1)[1] for line in lines}), len(lines)


def run(words, timeout=120):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          timeout=timeout, env=hosts.environment(LIBRARIES), stdin=subprocess.DEVNULL)
    return done.stdout


def check_equal_sums(tap):
    for ranks in (1, 2, 3):
        work = ["6", "70001", "20", "0"]
        expected, _ = sums(run([RANK, *work, str(ranks)]))
        for mpi in ("openmpi", "mpich"):
            name = f"{mpi}: {ranks} ranks, the same sums as threads"
            if not BUILT[mpi] or not hosts.launcher(mpi):
                tap.skip(name, "no library or no launcher")
                continue
            output = run([*command(mpi, ranks), RANK, *work])
            found, count = sums(output)
            tap.case(name, [] if found == expected and count == ranks and len(expected) == 1
                     else [f"expected {ranks} times {expected}", output])


def trained(words, folder):
    """The hash that a training prints, or all that it prints."""
    output = run([*words[:-1], folder, words[-1]] if words[-1] else [*words[:-1], folder])
    lines = [line for line in output.splitlines() if line.startswith("trained: ")]
    return lines[0] if len(lines) == 1 and "failed" not in output else output


def check_equal_trainings(tap):
    """Base 2: everything is trained; 0: the head, with features. Ranks of 4 images, and of the last 2."""
    for base, sync in (("2", "1"), ("2", "0"), ("0", "0")):
        for ranks in (1, 2, 3):
            with tempfile.TemporaryDirectory() as folder:
                expected = trained([TRAIN, base, sync, "60", str(ranks)], folder)
            for mpi in ("openmpi", "mpich"):
                name = f"{mpi}: {ranks} ranks train base {base}, joined {sync}: the bits of as many replicas"
                if not BUILT[mpi] or not hosts.launcher(mpi):
                    tap.skip(name, "no library or no launcher")
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    found = trained([*command(mpi, ranks), TRAIN, base, sync, "60", None], folder)
                tap.case(name, [] if found == expected and found.startswith("trained: ") else [expected, found])


def check_killed_training(tap):
    """All ranks are killed at a moment, and a new run resumes: the same bits."""
    name = f"openmpi: a training of 2 ranks is killed, {KILLS} moments, and resumed"
    if not BUILT["openmpi"] or not hosts.launcher("openmpi"):
        tap.skip(name, "no library or no launcher")
        return
    draws = random.Random(os.environ.get("AN_SEED", "1") + "killed")
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        expected = trained([TRAIN, "2", "1", "60", "2"], folder)
    for _ in range(KILLS):
        with tempfile.TemporaryDirectory() as folder:
            words = [*command("openmpi", 2), TRAIN, "2", "1", "60", folder]
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       stdin=subprocess.DEVNULL, env=hosts.environment(LIBRARIES))
            moment = draws.uniform(0.2, 1.5)
            time.sleep(moment)
            process.kill()
            process.wait()
            time.sleep(0.5)  # the ranks end with their launcher
            found = trained([*command("openmpi", 2), TRAIN, "2", "1", "60", None], folder)
            wrong += [] if found == expected else [f"after {moment:.3f} s:", expected, found]
    tap.case(name, wrong)


def check_wrong_mpi(tap):
    name = "the library of another MPI than the launcher's is refused"
    if not (BUILT["openmpi"] and BUILT["mpich"] and hosts.launcher("mpich")):
        tap.skip(name, "needs Open MPI and MPICH")
        return
    env = dict(hosts.environment(LIBRARIES), AN_MPI="openmpi")
    done = subprocess.run([*command("mpich", 2), RANK, "1", "1", "5"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120, env=env)
    tap.case(name, [] if "has started 2 ranks, and Open MPI sees 1" in done.stdout else [done.stdout])


def end_of(process, seconds):
    try:
        return process.communicate(timeout=seconds)[0], []
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0], [f"still running after {seconds} s"]


def launcher_crashed(text, pids):
    """Whether a process that is not a rank crashed: mpirun 4.1.4 sometimes does when a rank dies, and takes the other one
    with it before that can say anything."""
    crashed = re.findall(r"\[\w+:(\d+)\] \*\*\* Process received signal", text)
    return any(int(pid) not in pids for pid in crashed)


def lose_rank(pair, how, moment):
    """Start two hosts, and kill or stop rank 1 after so many seconds of work. Returns what was wrong; None: the launcher
    crashed, which says nothing about us."""
    process = pair.start([RANK, "1000000", "20000", str(DEADLINE), "500"])
    pids = pair.ranks(RANK, process, 2)
    if len(pids) < 2 or not pair.await_words("joined", 2, process):
        output, _ = end_of(process, 1)
        return [f"the ranks did not start: {pids}", output]
    time.sleep(moment)
    os.kill(pids[1], how)
    began = time.monotonic()
    wrong = []
    while time.monotonic() - began < BOUND and Path(f"/proc/{pids[0]}").exists() and not hosts.is_zombie(pids[0]):
        time.sleep(0.05)
    if Path(f"/proc/{pids[0]}").exists() and not hosts.is_zombie(pids[0]):
        wrong.append(f"rank 0 is still running after {BOUND} s")
        os.kill(pids[0], signal.SIGKILL)
    if how == signal.SIGSTOP:
        os.kill(pids[1], signal.SIGKILL)
    own, late = end_of(process, 30)
    output = pair.said()
    if launcher_crashed(own, pids):
        return None
    said = "rank 0 failed: AN_ERR_IO: " in output and f"rank 1 on '{pair.names[1]}'" in output
    return wrong + late + ([] if said else ["rank 0 does not name rank 1 and its host"]) + \
        ([output, own] if wrong or late or not said else [])


def check_two_hosts(tap):
    names = ["two hosts: the same sums as threads", f"two hosts: a rank is killed, {KILLS} moments",
             f"two hosts: a rank is stopped, {STOPS} moments"]
    why = "no Open MPI" if not BUILT["openmpi"] or not hosts.launcher("openmpi") else hosts.why_not()
    if why:
        for name in names:
            tap.skip(name, why)
        return
    draws = random.Random(os.environ.get("AN_SEED", "1") + "cluster")
    with tempfile.TemporaryDirectory() as work, hosts.Pair(work, LIBRARIES) as pair:
        expected, _ = sums(run([RANK, "6", "70001", "20", "0", "2"]))
        process = pair.start([RANK, "6", "70001", "20"])
        own, wrong = end_of(process, 60)
        output = pair.said()
        found, count = sums(output)
        both = all(f"of 2 on '{name}'" in output for name in pair.names)
        tap.case(names[0], wrong + ([] if found == expected and count == 2 and both else [f"expected {expected}", output, own]))
        for name, how, times in ((names[1], signal.SIGKILL, KILLS), (names[2], signal.SIGSTOP, STOPS)):
            wrong = []
            for _ in range(times):
                moment = draws.uniform(0, 1.5)
                for _ in range(ATTEMPTS):
                    found = lose_rank(pair, how, moment)
                    if found is not None:
                        break
                else:
                    found = [f"mpirun crashed {ATTEMPTS} times"]
                wrong += [f"after {moment:.3f} s:", *found] if found else []
            tap.case(name, wrong)


def main():
    tap = Tap()
    check_equal_sums(tap)
    check_equal_trainings(tap)
    check_killed_training(tap)
    check_wrong_mpi(tap)
    check_two_hosts(tap)
    tap.exit()


if __name__ == "__main__":
    main()
