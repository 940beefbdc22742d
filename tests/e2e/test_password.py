"""A password of the database is in no command line that everybody on the machine can read."""
import json
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from leat import BUILD, ROOT, Leat, free_port

CANARY = "canary-of-the-database"


def command_lines():
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                pass


@pytest.fixture
def conninfo():
    """A Postgres of the user's own. It asks for no password; that it is told one is enough here."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lt-pg-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        port = free_port()  # its socket is not for the user that Leat runs as
        subprocess.run([ROOT / "dev" / "postgres", "start", folder / "pg", "listen_addresses=127.0.0.1", f"port={port}"],
                       capture_output=True, check=True)
        yield f"host=127.0.0.1 port={port} user=postgres dbname=postgres password={CANARY}"
    finally:
        subprocess.run([ROOT / "dev" / "postgres", "remove", folder / "pg"], check=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("way", ["environment", "file"])
def test_no_process_shows_it(conninfo, way, tmp_path):
    extra, env = [], {}
    if way == "file":
        file = tmp_path / "database"
        file.write_text(conninfo + "\n")
        file.chmod(0o600)
        extra = ["--database-file", str(file)]
    else:
        env = {"LEAT_DATABASE": conninfo}
    leat = Leat(extra=extra, env=env)
    try:
        leat.up()
        assert not leat.pids("postgres")
        assert leat.leat("status").returncode == 0
        lines = list(command_lines())
        assert [line for line in lines if f"{leat.data}/bin/leat-scheduler" in line]
        assert not [line for line in lines if CANARY in line]
        env = {k: v for k, v in leat.env.items() if k != "LEAT_DATABASE"}
        done = subprocess.run([BUILD / "bin" / "leat", "doctor", "--data", leat.data, "-o", "json"], env=env,
                              text=True, capture_output=True, timeout=90)
        found = done.stdout + done.stderr
        levels = {f["what"]: f["level"] for f in json.loads(done.stdout)}
        assert levels["postgres"] == "ok", "the doctor asks the running one, wherever it was told"
        logs = "".join(log.read_text(errors="replace") for log in (leat.data / "log").iterdir())
        assert CANARY not in logs and CANARY not in found
    finally:
        leat.remove()


def test_refused_on_the_command_line(conninfo):
    leat = Leat()
    try:
        refused = leat.leat("up", "--detach", "--data", str(leat.data), "--database", conninfo)
        assert refused.returncode == 4 and "--database-file" in refused.stderr and CANARY not in refused.stderr
    finally:
        leat.remove()
