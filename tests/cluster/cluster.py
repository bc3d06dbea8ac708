# SPDX-License-Identifier: MIT
"""Ranks in several processes: the same sums with every MPI as between threads; and two hosts, which are network and
UTS namespaces of this machine with a cable between them, one of which loses its process.

usage: cluster.py RANK TRAIN PROGRAM LIBRARIES OPENMPI|- MPICH|- KILLS STOPS

RANK, TRAIN: the programs of rank.c and train_rank.c. PROGRAM: attractivenet. OPENMPI, MPICH: whether the library is built
("yes" or "-"). KILLS, STOPS: so many moments are drawn by AN_SEED.
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

RANK, TRAIN, PROGRAM, LIBRARIES = (str(Path(word).resolve()) for word in sys.argv[1:5])
BUILT = {"openmpi": sys.argv[5] == "yes", "mpich": sys.argv[6] == "yes"}
KILLS, STOPS = int(sys.argv[7]), int(sys.argv[8])
DEADLINE = 2
# A death is noticed by the deadline, the roll call and the notes to the others; the rest is a busy machine.
BOUND = 30
ATTEMPTS = 6  # at one moment, if Open MPI itself ends a rank


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


def of_run(folder):
    """What a run has computed: the model file, and the history without its times."""
    rows = [line.rsplit(",", 1)[0] for line in (folder / "history.csv").read_text().splitlines()]
    return (folder / "model.safetensors").read_bytes(), rows


def training(data, folder, *options):
    return [PROGRAM, "train", "--data", str(data), "--out", str(folder), "--weights", "none", "--alpha", "0.35", "--size",
            "32", "--epochs1", "1", "--epochs2", "10", "--batch", "8", "--threads", "2", "--sync-batch-norm",
            "--checkpoint-seconds", "0", *options]


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


def check_other_number(tap):
    """A training of 2 replicas is continued by 3 ranks: the bits of 3 replicas from there on."""
    with tempfile.TemporaryDirectory() as work:
        data, first, expected, found = (Path(work) / name for name in ("faces.zip", "first", "expected", "found"))
        run([PROGRAM, "faces", "--out", str(data), "--count", "60", "--size", "32", "--quiet"])
        run([*training(data, first, "--devices", "2"), "--epochs2", "2"])
        shutil.copytree(first, expected)
        said = run([*training(data, expected, "--devices", "3", "--resume")])
        for mpi in ("openmpi", "mpich"):
            name = f"{mpi}: 3 ranks continue what 2 replicas began, with the bits of 3 replicas"
            if not BUILT[mpi] or not hosts.launcher(mpi):
                tap.skip(name, "no library or no launcher")
                continue
            shutil.rmtree(found, ignore_errors=True)
            shutil.copytree(first, found)
            output = run([*command(mpi, 3), *training(data, found, "--resume")])
            wrong = [] if of_run(found) == of_run(expected) and of_run(found)[1] != of_run(first)[1] else [said, output]
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


def mpi_ended(text, pids):
    """Whether Open MPI ended the other rank before that could say anything. mpirun 4.1.4 sometimes crashes when a rank dies,
    and takes the other one with it; in the rank itself, a message that breaks off on its way is FATAL to Open MPI."""
    crashed = re.findall(r"\[\w+:(\d+)\] \*\*\* Process received signal", text)
    return any(int(pid) not in pids for pid in crashed) or re.search(r"\w+\.c:\d+ FATAL", text) is not None


def ends(pid, seconds):
    """Whether a process ends within so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not Path(f"/proc/{pid}").exists() or hosts.is_zombie(pid):
            return True
        time.sleep(0.05)
    return False


def lose_rank(pair, process, pids, lost, how):
    """Kill or stop a rank. The other one has to end in time, always, and to name it. Returns what was wrong; None: Open MPI
    ended it, which says nothing about us."""
    kept = 1 - lost
    os.kill(pids[lost], how)
    wrong = []
    if not ends(pids[kept], BOUND):
        wrong.append(f"rank {kept} is still running after {BOUND} s")
        os.kill(pids[kept], signal.SIGKILL)
    if how == signal.SIGSTOP:
        os.kill(pids[lost], signal.SIGKILL)
    own, late = end_of(process, 30)
    output = pair.said(kept)
    if not wrong and (mpi_ended(own + output, pids) or pair.was_killed(kept)):
        return None
    if f"rank {lost} on '{pair.names[lost]}'" not in output:
        wrong.append(f"rank {kept} does not name rank {lost} and its host; exit status {pair.status(kept)}")
    return wrong + late + ([output, own] if wrong or late else [])


def lose_sums(pair, how, moment):
    """Two hosts add, and rank 1 is lost after so many seconds."""
    process = pair.start([RANK, "1000000", "20000", str(DEADLINE), "500"])
    pids = pair.ranks(RANK, process, 2)
    if len(pids) < 2 or not pair.await_words("joined", 2, process):
        output, _ = end_of(process, 1)
        return [f"the ranks did not start: {pids}", output]
    time.sleep(moment)
    return lose_rank(pair, process, pids, 1, how)


def lose_training(pair, data, expected, how, share, lost, seconds):
    """Two hosts train, and a rank is lost after a share of the seconds that a training takes. What is resumed afterwards
    ends as if nothing had happened."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        run_folder = Path(folder) / "run"
        words = training(data, run_folder, "--deadline", str(DEADLINE))
        process = pair.start(words)
        pids = pair.ranks(PROGRAM, process, 2)
        if len(pids) < 2 or not pair.await_words("Stage 1", 1, process):
            output, _ = end_of(process, 1)
            return [f"the ranks did not start: {pids}", output, pair.said()]
        time.sleep(share * seconds)
        if process.poll() is not None:
            return ["the training had ended before: choose a longer one", pair.said()]
        wrong = lose_rank(pair, process, pids, lost, how)
        if wrong is None:
            return None
        process = pair.start([*words, "--resume"])
        own, late = end_of(process, 120)
        wrong += late
        if process.returncode:
            return wrong + [f"resumed: exit status {process.returncode}", pair.said(), own]
        if of_run(run_folder) != expected:
            wrong += ["the resumed run ended with another model or history", pair.said()]
    return wrong


def until_launched(attempt):
    """What an attempt finds wrong, after those in which Open MPI ended the other rank."""
    for _ in range(ATTEMPTS):
        found = attempt()
        if found is not None:
            return found
    return [f"Open MPI ended the other rank {ATTEMPTS} times"]


def check_two_hosts(tap):
    losses = [("killed", signal.SIGKILL, KILLS), ("stopped", signal.SIGSTOP, STOPS)]
    names = ["two hosts: the same sums as threads", *(f"two hosts: a rank is {word}, {times} moments"
                                                      for word, _, times in losses),
             "two hosts train: the model and history of two replicas",
             *(f"two hosts train: a rank is {word} and the training resumed, {times} moments" for word, _, times in losses)]
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
        for name, (_, how, times) in zip(names[1:], losses):
            wrong = []
            for moment in [draws.uniform(0, 1.5) for _ in range(times)]:
                found = until_launched(lambda: lose_sums(pair, how, moment))
                wrong += [f"after {moment:.3f} s:", *found] if found else []
            tap.case(name, wrong)

        data, alone, both = (Path(work) / name for name in ("faces.zip", "alone", "both"))
        run([PROGRAM, "faces", "--out", str(data), "--count", "60", "--size", "32", "--quiet"])
        output = run([*training(data, alone, "--devices", "2")])
        process = pair.start(training(data, both))
        pair.await_words("Stage 1", 1, process)
        began = time.monotonic()
        own, wrong = end_of(process, 120)
        seconds = time.monotonic() - began
        if not wrong and (process.returncode or of_run(both) != of_run(alone)):
            wrong = [output, pair.said(), own]
        tap.case(names[3], wrong)
        if wrong:
            return
        for name, (_, how, times) in zip(names[4:], losses):
            for share, lost in [(draws.uniform(0, 0.8), draws.randrange(2)) for _ in range(times)]:
                found = until_launched(lambda: lose_training(pair, data, of_run(alone), how, share, lost, seconds))
                wrong += [f"rank {lost}, after {share * seconds:.3f} s:", *found] if found else []
            tap.case(name, wrong)
            wrong = []


def main():
    tap = Tap()
    check_equal_sums(tap)
    check_equal_trainings(tap)
    check_killed_training(tap)
    check_other_number(tap)
    check_wrong_mpi(tap)
    check_two_hosts(tap)
    tap.exit()


if __name__ == "__main__":
    main()
