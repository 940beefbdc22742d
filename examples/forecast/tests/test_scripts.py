"""install and mlflow-server, as a user calls them."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import conftest
from conftest import EXAMPLE, server


def test_a_second_start_keeps_the_server(mlflow):
    again = server("start", mlflow.folder, "--port", str(mlflow.port))
    assert again.returncode == 0
    assert f"runs already at {mlflow.uri}" in again.stdout
    status = server("status", mlflow.folder)
    assert (status.returncode, f"answers at {mlflow.uri}" in status.stdout) == (0, True)


@pytest.fixture
def killed(tmp_path):
    """The port of a server in tmp_path whose first process was killed; its worker lives on."""
    port = str(conftest.free_port())
    started = server("start", tmp_path, "--port", port, "--venv", sys.prefix)
    assert started.returncode == 0, started.stderr
    os.kill(int((tmp_path / "server").read_text().split()[0]), signal.SIGKILL)
    yield port
    server("stop", tmp_path)


def test_a_killed_server_is_started_again(tmp_path, killed):
    assert server("status", tmp_path).returncode == 1
    again = server("start", tmp_path, "--port", killed, "--venv", sys.prefix)
    assert again.returncode == 0, again.stderr
    assert "ending what is left of a killed MLflow" in again.stdout
    assert server("status", tmp_path).returncode == 0


def test_stop_ends_what_a_killed_server_left(tmp_path, killed):
    assert server("stop", tmp_path).returncode == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(killed))) != 0, "the port is free again"


def test_nothing_there_is_said(tmp_path):
    assert server("status", tmp_path).returncode == 1
    stopped = server("stop", tmp_path)
    assert (stopped.returncode, stopped.stdout) == (0, "MLflow does not run\n")


def test_a_record_of_another_process_is_not_believed(tmp_path):
    (tmp_path / "server").write_text(f"{os.getpid()} 1 5000\n")  # our number, not our start time
    assert server("status", tmp_path).returncode == 1
    assert server("stop", tmp_path).returncode == 0
    for broken in ("", "x", "1 2 3 4"):
        (tmp_path / "server").write_text(broken)
        assert server("status", tmp_path).returncode == 1


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        started = server("start", tmp_path, "--port", port)
    assert started.returncode == 1
    assert f"port {port} is taken" in started.stderr


def test_a_server_that_cannot_start_shows_why(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is no database")
    started = server("start", tmp_path, "--port", str(conftest.free_port()), "--venv", sys.prefix)
    assert started.returncode == 1
    assert "MLflow ended at once" in started.stderr
    assert "not a database" in started.stderr


def test_a_missing_program_is_named(tmp_path):
    started = server("start", tmp_path, "--port", str(conftest.free_port()), "--venv", str(tmp_path / "none"))
    assert started.returncode == 1
    assert "none/bin/mlflow is not there" in started.stderr


def test_an_unknown_user_is_named(tmp_path):
    started = server("start", tmp_path, "--port", str(conftest.free_port()), "--user", "no-such-user")
    assert started.returncode == 1
    assert "no user no-such-user" in started.stderr


def test_install_leaves_alone_what_is_current():
    done = subprocess.run([EXAMPLE / "install", sys.prefix], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "is up to date" in done.stdout


def test_what_is_installed_everyone_can_read_and_nothing_runs_from_the_tree():
    closed = [
        path for path in Path(sys.prefix).rglob("*")
        if not path.is_symlink() and not path.stat().st_mode & 0o004
    ]
    assert closed == []
    import forecast_common
    import forecast_ingest.main

    for module in (forecast_common, forecast_ingest.main):
        assert Path(module.__file__).is_relative_to(sys.prefix)


def test_install_wants_a_folder():
    done = subprocess.run([EXAMPLE / "install"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "usage: install VENV_DIR" in done.stderr
