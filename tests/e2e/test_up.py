"""What `leat up` looks at before it starts anything, and what it keeps an eye on: the log files are bounded, whoever writes them."""
import os
import pathlib
import signal
import subprocess

import pytest
from leat import BUILD, Leat, free_port, until

LOG_LIMIT = 8 << 20


def test_logs_of_the_processes_are_bounded(leat):
    log = leat.data / "log"
    for name in ("api", "postgres", "scheduler"):
        with (log / f"{name}.log").open("a") as out:
            out.write(("x" * 99 + "\n") * (LOG_LIMIT // 100 + 1))
    # A daemon that runs turns its own over with its next line, one that starts finds it turned over.
    leat.kill("leat-api")
    until(lambda: (log / "api.log.1").exists() and (log / "api.log").exists(), what="api.log")
    assert (log / "api.log").stat().st_size < LOG_LIMIT
    leat.kill("leat-worker")  # its leader has something to say
    until(lambda: leat.leat("status").returncode == 0, 60)
    # Postgres is told; what it says then is in the new file.
    until(lambda: (log / "postgres.log.1").exists(), 90, what="postgres.log")
    assert (log / "postgres.log.1").stat().st_size > LOG_LIMIT

    def complains():
        subprocess.run(["psql", "-h", leat.data / "run", "-p", "5432", "-U", "leat", "-d", "leat", "-c",
                        "SELECT no_such_column_of_this_test"], capture_output=True)
        file = log / "postgres.log"
        return file.exists() and "no_such_column_of_this_test" in file.read_text(errors="replace")
    until(complains, 60, 0.5, "a line in the new postgres.log")
    assert (log / "postgres.log").stat().st_size < 1 << 20


def test_it_starts_again_at_once_after_a_kill(leat):
    """What the dead one left is still ending then, Postgres last of all."""
    for _ in range(4):
        os.kill(int((leat.data / "run" / "up.lock").read_text()), signal.SIGKILL)
        leat.up()
    leat.apply("name: after\nsteps: {one: {executor: noop}}\n")
    leat.ok("run", "after", "--wait")


@pytest.mark.parametrize("option", ["--listen", "--hooks"])
def test_where_another_leat_answers_is_no_place(leat, option):
    """Its answers would be taken for ours: all would be up, and nothing of it ours."""
    taken = leat.listen if option == "--listen" else f"127.0.0.1:{leat.hooks_port}"
    other = Leat()
    try:
        ports = {"--listen": other.listen, "--hooks": f"127.0.0.1:{other.hooks_port}", option: taken}
        done = other.leat("up", "--detach", "--data", str(other.data), *[word for pair in ports.items() for word in pair])
        assert done.returncode == 4, done.stdout + done.stderr
        assert f"cannot listen on {taken}" in done.stderr and f"give {option} another address" in done.stderr, done.stderr
        assert not other.data.exists(), "nothing was made"
    finally:
        other.remove()
    assert leat.leat("status").returncode == 0


@pytest.mark.parametrize("option,address,status,said", [
    ("--listen", "127.0.0.1", 2, "--listen: '127.0.0.1' is not an address (HOST:PORT)"),
    ("--worker-listen", "nonsense", 2, "--worker-listen: 'nonsense' is not an address (HOST:PORT)"),
    ("--scheduler-listen", "192.0.2.1:9", 4, "cannot listen on 192.0.2.1:9: Cannot assign requested address: give --scheduler-listen another")])
def test_what_is_no_address_here_is_said(option, address, status, said):
    data = pathlib.Path(f"/tmp/leat-nowhere-{os.getpid()}")
    given = {"--listen": f"127.0.0.1:{free_port()}", "--hooks": f"127.0.0.1:{free_port()}", option: address}
    done = subprocess.run([BUILD / "bin" / "leat", "up", "--detach", "--data", data, *[word for pair in given.items() for word in pair]],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == status and said in done.stderr, done.stderr
    assert not data.exists(), "nothing was made"
