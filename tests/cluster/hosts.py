# SPDX-License-Identifier: MIT
"""Two hosts on one machine: a network and a UTS namespace each, with a cable between them. Open MPI starts its part on
the other host through a script in the place of ssh; sockets over the cable are its only transport."""
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

# The flags: docs/cluster.md says why; the program sets them itself.
TRANSPORT = ["--mca", "btl", "self,tcp", "--mca", "btl_tcp_flags", "send,inplace", "--mca", "pml", "ob1"]


def launcher(mpi):
    """The mpirun of an MPI, or None."""
    for name in {"openmpi": ("mpirun.openmpi", "mpirun"), "mpich": ("mpirun.mpich", "mpiexec.hydra")}[mpi]:
        path = shutil.which(name)
        if not path:
            continue
        said = subprocess.run([path, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        if ("Open MPI" in said or "OpenRTE" in said) == (mpi == "openmpi"):
            return path
    return None


def environment(libraries):
    """With our libraries, and for root."""
    return dict(os.environ, LD_LIBRARY_PATH=libraries, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                OMPI_MCA_rmaps_base_oversubscribe="1")


def is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def call(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def why_not():
    """Why hosts cannot be made here; None if they can."""
    if os.geteuid() != 0:
        return "namespaces need root"
    if not shutil.which("ip") or not shutil.which("unshare"):
        return "no ip or unshare"
    name = f"an-try-{os.getpid()}"
    made = call("ip", "netns", "add", name)
    if made.returncode:
        return "namespaces are not allowed here: " + made.stdout.strip()
    tried = call("ip", "netns", "exec", name, "unshare", "--uts", "hostname", "alpha")
    call("ip", "netns", "del", name)
    return "namespaces are not allowed here: " + tried.stdout.strip() if tried.returncode else None


class Pair:
    """Hosts alpha and beta. Use it in a with statement."""

    names = ("alpha", "beta")

    def __init__(self, work, libraries):
        self.work, self.libraries = Path(work), libraries
        self.spaces = [f"an-{os.getpid()}-{name}" for name in self.names]
        self.addresses = ["10.211.77.1", "10.211.77.2"]

    def must(self, *words):
        done = call(*words)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout}")

    def __enter__(self):
        try:
            for space in self.spaces:
                self.must("ip", "netns", "add", space)
            ends = [f"an{os.getpid()}a", f"an{os.getpid()}b"]
            self.must("ip", "link", "add", ends[0], "netns", self.spaces[0], "type", "veth", "peer", "name", ends[1],
                      "netns", self.spaces[1])
            for space, end, address in zip(self.spaces, ends, self.addresses):
                self.must("ip", "-n", space, "addr", "add", f"{address}/24", "dev", end)
                self.must("ip", "-n", space, "link", "set", end, "up")
                self.must("ip", "-n", space, "link", "set", "lo", "up")
        except RuntimeError:
            self.__exit__()
            raise
        # In the place of ssh: agent HOST COMMAND...
        self.agent = self.work / "agent"
        cases = "".join(f"{address}) space={space} name={name} ;;\n"
                        for address, space, name in zip(self.addresses, self.spaces, self.names))
        self.agent.write_text(f'#!/bin/sh\ncase $1 in\n{cases}esac\nshift\n'
                              'exec ip netns exec $space unshare --uts sh -c "hostname $name; $*"\n')
        self.agent.chmod(0o755)
        return self

    def __exit__(self, *_):
        for space in self.spaces:
            call("ip", "netns", "del", space)

    def start(self, words, cwd=None):
        """Start words on both hosts, a rank each. A rank that ends does not end the other. What ranks say and how they
        end goes to files: mpirun may crash when it is to leave the other rank alone, or kill it."""
        for rank in range(2):
            (self.work / f"said.{rank}").write_text("")
            (self.work / f"status.{rank}").write_text("")
        words = ["sh", "-c", f'"$@" >{self.work}/said.$OMPI_COMM_WORLD_RANK 2>&1; '
                             f'echo $? >{self.work}/status.$OMPI_COMM_WORLD_RANK', "sh", *words]
        net = "10.211.77.0/24"
        mpirun = [launcher("openmpi"), "--enable-recovery", "--mca", "plm_rsh_agent", str(self.agent), *TRANSPORT,
                  "--mca", "btl_tcp_if_include", net, "--mca", "oob_tcp_if_include", net, "-x", "LD_LIBRARY_PATH",
                  "--host", ",".join(self.addresses), "-np", "2", *words]
        inside = ["ip", "netns", "exec", self.spaces[0], "unshare", "--uts", "sh", "-c",
                  f'hostname {self.names[0]}; exec "$@"', "sh", *mpirun]
        return subprocess.Popen(inside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                text=True, errors="replace", env=environment(self.libraries), cwd=cwd or self.work)

    def said(self, *ranks):
        """What ranks, by default both, have said so far, and nothing of mpirun."""
        return "".join((self.work / f"said.{rank}").read_text(errors="replace") for rank in ranks or range(2))

    def was_killed(self, rank):
        """Whether a rank that has ended was killed, perhaps with the shell that waits for it: this is what mpirun does
        with the other rank when it fails to leave it alone."""
        return self.status(rank) in ("", str(128 + signal.SIGKILL), str(128 + signal.SIGTERM))

    def status(self, rank):
        """The exit status of a rank, "" if it is unknown."""
        return (self.work / f"status.{rank}").read_text().strip()

    def await_words(self, words, count, process, seconds=60):
        """Wait until ranks have said words so often. A rank that dies before MPI has been started on all is the launcher's
        affair: MPI_Init() has no deadline."""
        until = time.monotonic() + seconds
        while self.said().count(words) < count and time.monotonic() < until and process.poll() is None:
            time.sleep(0.02)
        return self.said().count(words) >= count

    def ranks(self, program, process, count, seconds=30):
        """The processes of the ranks, in their order, once all run; fewer if they do not."""
        until = time.monotonic() + seconds
        found = {}
        while len(found) < count and time.monotonic() < until and process.poll() is None:
            for entry in Path("/proc").iterdir():
                if not entry.name.isdigit():
                    continue
                try:
                    if os.readlink(entry / "exe") != os.path.realpath(program):
                        continue
                    text = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
                except OSError:
                    continue
                own = dict(word.split("=", 1) for word in text if "=" in word)
                if own.get("OMPI_MCA_plm_rsh_agent") == str(self.agent) or str(self.agent) in "".join(text):
                    found[int(own.get("OMPI_COMM_WORLD_RANK", -1))] = int(entry.name)
            time.sleep(0.02)
        return [found[rank] for rank in sorted(found)]
