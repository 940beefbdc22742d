"""The command line as a person meets it: formats, terminals, contexts, completion in real shells."""
import calendar
import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import time

import pytest

from leat import BUILD, free_port

PIPELINE = """
name: greet
description: says hello
on:
  cron: {schedule: "0 3 1 1 *"}
params: {who: {type: string, default: world}}
steps:
  hello:
    command: [sh, -c, 'echo "hello $0"; echo 7 > "$1"; echo text > "$2"', "${{ params.who }}"]
    args: ["${{ outputs.n.path }}", "${{ outputs.m.path }}"]
    outputs: {n: {type: integer}, m: {}}
"""


@pytest.fixture(scope="module")
def run(leat):
    leat.ok("secret", "set", "some-secret", stdin="x")
    leat.apply("{kind: source, name: drops, provider: directory}\n", "source.yaml")
    leat.apply(PIPELINE)
    answer = leat.put("drops", "a.txt", b"x").json()
    leat.event_runs(answer["event"])
    shown = leat.json("run", "greet", "--wait")
    assert shown["state"] == "succeeded"
    return {"run": shown["id"], "event": answer["event"]}


def on_terminal(leat, *words, env=None):
    """What a verb prints on a terminal of its own."""
    master, slave = pty.openpty()
    child = subprocess.Popen([BUILD / "bin" / "leat", *words], env={**leat.env, "TERM": "xterm", **(env or {})},
                             stdin=slave, stdout=slave, stderr=slave, cwd=leat.folder)
    os.close(slave)
    out = b""
    while select.select([master], [], [], 30)[0]:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        out += piece
    os.close(master)
    assert child.wait(10) == 0, out
    return out.decode().replace("\r\n", "\n")


# ---- formats ----------------------------------------------------------------------------------

LISTS = {"runs": "id", "pipelines": "name", "events": "id", "workers": "id", "sources": "name", "secret list": "name",
         "artifacts RUN": None, "cron '0 3 * * *'": None}
SHOWS = ["status", "show RUN", "pipeline greet", "event EVENT"]


def words_of(text, run):
    return [{"RUN": run["run"], "EVENT": run["event"]}.get(w, w) for w in re.findall(r"'([^']*)'|(\S+)", text)
            for w in [w[0] or w[1]]]


@pytest.mark.parametrize("verb", [*LISTS, *SHOWS])
def test_every_format(leat, run, verb):
    words = words_of(verb, run)
    whole = leat.json(*words)
    assert isinstance(whole, list if verb in LISTS else dict) and whole
    table, wide, name, yaml = (leat.ok(*words, "-o", f) for f in ("table", "wide", "name", "yaml"))
    assert table.strip() and "\033" not in table + wide + name + yaml
    assert len(wide) >= len(table)
    if verb in LISTS:
        assert len(name.splitlines()) == len(whole) == len(table.splitlines()) - 1
        if LISTS[verb]:
            assert name.splitlines() == [item[LISTS[verb]] for item in whole]
    else:
        assert len(name.splitlines()) == 1
    try:
        import yaml as reader
        assert reader.safe_load(yaml.replace("\t", " ")) is not None
    except ImportError:
        pass
    bad = leat.leat(*words, "-o", "xml")
    assert bad.returncode == 2 and "table, wide, json, yaml or name" in bad.stderr


def test_yaml_is_the_same_value_as_json(leat, run):
    # Our own reader, through a verb that takes YAML: the parameters of a run.
    file = leat.file("params.yaml", leat.ok("cel", '{"who": "no"}', "-o", "yaml"))
    shown = leat.json("run", "greet", "--params", file, "--wait")
    assert leat.json("show", shown["id"])["params"]["who"] == "no"


def test_a_terminal_gets_local_time_and_colour(leat, run):
    zone = {"TZ": "Asia/Kolkata"}
    created = leat.json("show", run["run"])["created"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", created)
    assert created[:19] in leat.ok("show", run["run"])
    shown = on_terminal(leat, "show", run["run"], env=zone)
    stamp = time.strptime(created[:19] + " UTC", "%Y-%m-%dT%H:%M:%S %Z")
    local = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(calendar.timegm(stamp) + 19800))
    assert local in shown and created[:19] not in shown
    assert "\033[32msucceeded\033[0m" in shown
    assert "\033" not in on_terminal(leat, "show", run["run"], env={"NO_COLOR": "1"})


# ---- contexts ---------------------------------------------------------------------------------

def test_contexts_choose_the_leat(leat, run):
    home = leat.folder / "config"
    env = dict(leat.env)
    env.pop("LEAT_URL")
    env["XDG_CONFIG_HOME"] = str(home)

    def call(*words, stdin=None, **more):
        return subprocess.run([BUILD / "bin" / "leat", *words], env={**env, **more}, text=True, capture_output=True,
                              timeout=60, input=stdin)

    assert call("context", "add", "here", leat.api + "/").returncode == 0
    added = call("context", "add", "gone", f"http://127.0.0.1:{free_port()}", "--token-file", "-", stdin="canary-token\n")
    assert added.returncode == 0, added.stderr
    file = home / "leat" / "contexts.json"
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    assert call("runs", "-o", "name").stdout.splitlines()[-1:] == [run["run"]]  # the first is the current one
    assert call("context", "use", "gone").returncode == 0
    assert call("runs").returncode == 5
    assert call("runs", "--context", "here").returncode == 0
    assert call("runs", LEAT_CONTEXT="here").returncode == 0
    assert call("runs", "--url", leat.api).returncode == 0
    assert call("runs", LEAT_URL=leat.api).returncode == 0
    assert call("runs", "--context", "gone", LEAT_URL=leat.api).returncode == 5
    listed = json.loads(call("context", "list", "-o", "json").stdout)
    assert {c["name"]: (c["current"], c["token"]) for c in listed} == {"here": (False, False), "gone": (True, True)}
    everything = "".join(call("context", "list", "-o", f).stdout for f in ("table", "wide", "json", "yaml", "name"))
    assert "canary" not in everything
    assert call("context", "remove", "gone").returncode == 0
    assert "canary" not in file.read_text()
    assert call("context", "use", "gone").returncode == 3
    file.chmod(0o644)
    open_to_all = call("runs")
    assert open_to_all.returncode == 4 and "chmod 600" in open_to_all.stderr


# ---- completion in the shells themselves ------------------------------------------------------

def shell_env(leat):
    return {**leat.env, "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}", "HOME": str(leat.folder), "TERM": "dumb",
            "XDG_CONFIG_HOME": str(leat.folder / "none")}


def bash_offers(leat, line):
    """COMPREPLY of the function that the script defines, bash itself cutting the line into words."""
    script = r"""
        eval "$(leat completion bash)"
        compopt() { :; }
        eval "set -- $1"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _leat
        printf '%s\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", line], env=shell_env(leat), text=True,
                          capture_output=True, timeout=30, cwd=leat.folder)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return [w for w in done.stdout.split("\n") if w]


def test_bash_completes(leat, run):
    assert bash_offers(leat, "leat ru") == ["run", "runs"]
    assert bash_offers(leat, "leat secret ''") == ["set", "list", "remove"]
    assert bash_offers(leat, "leat run greet --fo") == ["--follow"]
    assert bash_offers(leat, "leat run ''") == ["greet"]
    assert bash_offers(leat, "leat runs --pipeline g") == ["greet"]
    assert run["run"] in bash_offers(leat, "leat show ''")
    assert bash_offers(leat, f"leat show {run['run'][:-1]}") == [run["run"]]
    assert bash_offers(leat, f"leat logs {run['run']} ''") == ["hello"]
    assert bash_offers(leat, f"leat artifact get {run['run']} h") == ["hello.m"]
    assert bash_offers(leat, "leat event ''") == [e["id"] for e in leat.json("events")]
    assert bash_offers(leat, "leat runs --output = j") == ["json"]  # as bash cuts --output=j
    leat.file("../some.yaml", "")
    assert bash_offers(leat, "leat apply so") == ["some.yaml"]
    assert bash_offers(leat, "leat nonsense ''") == []


def test_bash_completes_on_a_terminal(leat, run):
    typed = interact(leat, ["bash", "--norc", "-i"], 'eval "$(leat completion bash)"\n', "leat stat\t\n", "daemon|leader")
    assert "leat status" in typed and "epoch" in typed


def interact(leat, shell, prepare, keys, expected):
    """Types into a shell on a terminal; what the terminal shows, once `expected` has come."""
    master, slave = pty.openpty()
    child = subprocess.Popen(shell, env={**shell_env(leat), "TERM": "xterm"}, stdin=slave, stdout=slave, stderr=slave, cwd=leat.folder,
                             start_new_session=True)
    os.close(slave)
    shown = ""

    def read_until(pattern, seconds=20):
        nonlocal shown
        end = time.monotonic() + seconds
        while not re.search(pattern, shown):
            assert time.monotonic() < end, f"no {pattern} in {shown!r}"
            if select.select([master], [], [], 0.2)[0]:
                shown += os.read(master, 65536).decode(errors="replace")
    try:
        os.write(master, (prepare + "echo rea''dy\n").encode())
        read_until(r"ready\s")
        shown = ""
        os.write(master, keys.encode())
        read_until(expected)
        return shown
    finally:
        child.kill()
        child.wait()
        os.close(master)


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed (dev/setup check)")
def test_zsh_completes(leat, run):
    prepare = "PS1='> '; autoload -Uz compinit; compinit -u -D; source <(leat completion zsh)\n"
    shell = ["zsh", "-f", "-i"]
    assert re.search("greet", interact(leat, shell, prepare, "leat run g\t\t", r"greet"))
    assert "--follow" in interact(leat, shell, prepare, "leat run greet --fo\t", r"--follow")
    offered = interact(leat, shell, prepare, "leat secret \t\t", r"remove")
    assert "Removes a secret" in offered and "Sets a secret" in offered


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed (dev/setup check)")
def test_fish_completes(leat, run):
    def offers(line):
        done = subprocess.run(["fish", "--no-config", "-c", "leat completion fish | source; complete -C $argv[1]", line],
                              env=shell_env(leat), text=True, capture_output=True, timeout=60, cwd=leat.folder)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert offers("leat ru") == ["run", "runs"]
    assert offers("leat run ") == ["greet"]
    assert offers("leat run greet --fo") == ["--follow"]
    assert run["run"] in offers("leat show ")
    leat.file("../some.yaml", "")
    assert "some.yaml" in offers("leat apply so")


def test_completion_does_not_wait_for_ever(leat):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        env = {**shell_env(leat), "LEAT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        started = time.monotonic()
        subprocess.run([BUILD / "bin" / "leat", "complete", "--", "show", ""], env=env, capture_output=True, timeout=20)
        assert time.monotonic() - started < 5
