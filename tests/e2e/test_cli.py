"""The command line as a person meets it: formats, terminals, contexts, completion in real shells."""
import calendar
import http.server
import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

from leat import BUILD, free_port, request, until

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
    while select.select([master], [], [], 60)[0]:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        out += piece
    os.close(master)
    assert child.wait(60) == 0, out
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
                          capture_output=True, timeout=60, cwd=leat.folder)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return [w for w in done.stdout.split("\n") if w]


def test_bash_completes(leat, run):
    assert bash_offers(leat, "leat ru") == ["run", "runs"]
    assert bash_offers(leat, "leat secret ''") == ["set", "list", "remove"]
    assert bash_offers(leat, "leat run greet --fo") == ["--follow"]
    # Names that the API has come within 2 s or not at all, and are asked for again.
    for line, offered in (("leat run ''", ["greet"]), ("leat runs --pipeline g", ["greet"]), (f"leat show {run['run'][:-1]}", [run["run"]]),
                          (f"leat logs {run['run']} ''", ["hello"]), (f"leat artifact get {run['run']} h", ["hello.m"]),
                          ("leat event ''", [e["id"] for e in leat.json("events")])):
        assert until(lambda line=line: bash_offers(leat, line), what=line) == offered
    until(lambda: run["run"] in bash_offers(leat, "leat show ''"), what="the run's id")
    assert bash_offers(leat, "leat runs --output = j") == ["json"]  # as bash cuts --output=j
    leat.file("../some.yaml", "")
    assert bash_offers(leat, "leat apply so") == ["some.yaml"]
    assert bash_offers(leat, "leat nonsense ''") == []


def test_bash_completes_on_a_terminal(leat, run):
    typed = interact(leat, ["bash", "--norc", "-i"], 'eval "$(leat completion bash)"\n', "leat stat\t\n", "epoch")
    assert "leat status" in typed


def interact(leat, shell, prepare, keys, expected):
    """Types into a shell on a terminal; what the terminal shows, once `expected` has come."""
    master, slave = pty.openpty()
    child = subprocess.Popen(shell, env={**shell_env(leat), "TERM": "xterm"}, stdin=slave, stdout=slave, stderr=slave, cwd=leat.folder,
                             start_new_session=True)
    os.close(slave)
    shown = ""

    def read_until(pattern, seconds=60):
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
    interact(leat, shell, prepare, "leat secret \t\t", r"(?s)(?=.*Removes a secret).*Sets a secret")


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed (dev/setup check)")
def test_fish_completes(leat, run):
    def offers(line):
        done = subprocess.run(["fish", "--no-config", "-c", "leat completion fish | source; complete -C $argv[1]", line],
                              env=shell_env(leat), text=True, capture_output=True, timeout=60, cwd=leat.folder)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert offers("leat ru") == ["run", "runs"]
    assert until(lambda: offers("leat run "), what="leat run") == ["greet"]
    assert offers("leat run greet --fo") == ["--follow"]
    until(lambda: run["run"] in offers("leat show "), what="the run's id")
    leat.file("../some.yaml", "")
    assert "some.yaml" in offers("leat apply so")


def test_completion_does_not_wait_for_ever(leat):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        env = {**shell_env(leat), "LEAT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        started = time.monotonic()
        subprocess.run([BUILD / "bin" / "leat", "complete", "--", "show", ""], env=env, capture_output=True, timeout=60)
        assert time.monotonic() - started < 15  # a call waits for 30 s


class GoesAway(http.server.BaseHTTPRequestHandler):
    """An API that is started anew when it has told a run's end: two calls later it answers again."""
    run = {"id": "01920000-0000-7000-8000-000000000001", "name": "brief-1", "state": "succeeded", "steps": []}
    refused = 0

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.answer(201, "application/json", json.dumps({**self.run, "state": "running"}).encode())

    def do_GET(self):
        if "/events" in self.path:
            self.answer(200, "text/event-stream", b'id: 1;\nevent: end\ndata: {"state": "succeeded"}\n\n')
        elif GoesAway.refused < 2:
            GoesAway.refused += 1
            self.close_connection = True
        else:
            self.answer(200, "application/json", json.dumps(self.run).encode())

    def log_message(self, *_):
        pass


def test_who_waits_for_a_run_outwaits_an_api_that_is_away_at_its_end(leat):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), GoesAway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = subprocess.run([BUILD / "bin" / "leat", "run", "brief", "--wait", "-o", "json"], text=True, capture_output=True,
                              env={**leat.env, "LEAT_URL": f"http://127.0.0.1:{server.server_port}"}, timeout=60)
        server.shutdown()
    assert done.returncode == 0 and json.loads(done.stdout)["state"] == "succeeded", done
    assert GoesAway.refused == 2


# ---- more verbs -------------------------------------------------------------------------------

POKED = """
name: poked
experiment: Pokes
on:
  event: {name: strong, type: dev.example.poke, filter: "event.data.level > 2"}
  cron: {name: yearly, schedule: "0 3 1 1 *", timezone: Europe/Rome}
params: {level: {type: integer, default: 1}, note: {type: string, default: "a b"}}
steps:
  measure:
    command: [sh, -c, 'echo $(($0 * 2)) > "$1"; echo "{\\"name\\": \\"score\\", \\"value\\": $0.5}" > "$LEAT_METRICS"', "${{ params.level }}"]
    args: ["${{ outputs.twice.path }}"]
    outputs: {twice: {type: integer}}
"""


@pytest.fixture(scope="module")
def poked(leat):
    leat.ok("secret", "set", "poke-secret", stdin="p0k3")
    leat.apply("{kind: source, name: pokes, provider: cloudevents, secret: poke-secret}\n", "pokes.yaml")
    leat.apply(POKED, "poked.yaml")


def poke(leat, level, number):
    answer = leat.hook("pokes", {"specversion": "1.0", "type": "dev.example.poke", "source": "/t", "id": f"p{number}",
                                 "data": {"level": level}},
                       {"Authorization": "Bearer p0k3", "Content-Type": "application/cloudevents+json"})
    assert answer.status == 202, answer.body
    return answer.json()["event"]


def verdicts(leat, event):
    leat.event_runs(event)
    return [v["verdict"] for v in leat.json("event", event)["verdicts"] if v["pipeline"] == "poked"]


def test_rerun_and_compare(leat, poked):
    first = leat.json("run", "poked", "-p", "level=3", "--wait")
    again = leat.json("rerun", first["id"], "-p", "note=other")
    leat.wait_run(again["id"])
    old, new = leat.json("show", first["id"]), leat.json("show", again["id"])
    assert new["state"] == "succeeded" and new["version"] == old["version"] and new["experiment"] == "Pokes"
    assert new["params"] == {**old["params"], "note": "other"} and new["params"]["level"] == 3
    assert leat.leat("rerun", first["id"], "-p", "level=none").returncode != 0
    assert leat.leat("rerun", "00000000-0000-7000-8000-000000000000").returncode == 3
    rows = {(r["kind"], r["name"]): r["values"] for r in leat.json("compare", first["id"], again["id"])}
    assert rows["param", "note"] == ["a b", "other"] and rows["param", "level"] == [3, 3]
    assert rows["output", "measure.twice"] == [6, 6] and rows["metric", "measure.score"] == [3.5, 3.5]
    assert rows["run", "id"] == [first["id"], again["id"]]
    table = leat.ok("compare", first["id"], again["id"])
    assert "measure.twice" in table and first["name"] in table.splitlines()[0]
    for form in ("wide", "yaml", "name"):
        assert "measure.twice" in leat.ok("compare", first["id"], again["id"], "-o", form)
    assert leat.leat("compare", first["id"]).returncode == 2
    assert leat.leat("compare", *[first["id"]] * 13).returncode == 2
    assert len(leat.json("compare", *[first["id"]] * 12)[0]["values"]) == 12


def test_what_runs_again_is_waited_for_like_a_first_run(leat, poked):
    leat.apply("name: halves\nparams: {end: 0}\nsteps:\n  one: {command: [echo, first]}\n"
               "  two: {needs: one, command: [sh, -c, 'echo second; exit $1', sh, '${{ params.end }}']}\n", "halves.yaml")
    failed = leat.leat("run", "halves", "-p", "end=3", "--wait", "-o", "json")
    assert failed.returncode == 1
    first = json.loads(failed.stdout)["id"]
    retried = leat.leat("retry", first, "--wait", "-o", "json")
    assert retried.returncode == 1 and json.loads(retried.stdout)["state"] == "failed"
    assert leat.json("rerun", first, "-p", "end=0", "--wait")["state"] == "succeeded"
    followed = leat.leat("retry", first, "--from", "one", "--follow")
    assert followed.returncode == 1 and "first" in followed.stdout and "second" in followed.stdout, followed.stdout


def test_triggers_say_verdict_and_next_tick(leat, poked):
    assert verdicts(leat, poke(leat, 1, 1)) == ["filtered"]
    listed = {t["name"]: t for t in leat.json("triggers") if t["pipeline"] == "poked"}
    assert set(listed) == {"strong", "yearly"}
    assert listed["strong"]["last"]["verdict"] == "filtered" and "level > 2" in listed["strong"]["filter"]
    expected = leat.json("cron", "0 3 1 1 *", "--timezone", "Europe/Rome", "--count", "1")[0]
    assert listed["yearly"]["next"][:19] == expected[:19]
    event = poke(leat, 5, 2)
    assert verdicts(leat, event) == ["run"]
    listed = {t["name"]: t for t in leat.json("triggers") if t["pipeline"] == "poked"}
    assert listed["strong"]["last"]["event"] == event and listed["strong"]["last"]["run"] in leat.event_runs(event)
    assert "dev.example.poke" in leat.ok("triggers") and "Europe/Rome" in leat.ok("triggers", "-o", "wide")


def test_experiments(leat, poked):
    run = leat.json("run", "poked", "--wait")
    experiments = {e["name"]: e for e in leat.json("experiments")}
    assert experiments["Pokes"]["runs"] == len(leat.json("runs", "--experiment", "Pokes")) >= 1
    assert experiments["Pokes"]["pipelines"] == ["poked"] and experiments["Pokes"]["last"] == leat.json("show", run["id"])["created"]
    assert "Pokes" in leat.ok("experiments", "-o", "name").splitlines()


def test_pause_one_trigger(leat, poked):
    def of(name):
        return [t for t in leat.json("triggers") if t["name"] == name and t["pipeline"] == "poked"][0]
    assert leat.json("pause", "poked/strong") == {"pipeline": "poked", "name": "strong", "paused": True}
    assert leat.json("pause", "poked/strong")["paused"], "twice is once"
    assert of("strong")["paused"] and not of("yearly")["paused"]
    event = poke(leat, 5, 20)
    assert verdicts(leat, event) == ["paused"] and not leat.event_runs(event)
    assert leat.json("pause", "poked/yearly")["paused"]
    assert of("yearly")["paused"] and "next" not in of("yearly"), "ticks are passed over"
    assert not leat.json("resume", "poked/yearly")["paused"] and of("yearly")["next"]
    assert leat.json("run", "poked", "--wait")["state"] == "succeeded", "by hand it runs"
    leat.ok("resume", "poked")  # the pipeline never was
    assert verdicts(leat, poke(leat, 5, 21)) == ["paused"]
    leat.kill("leat-scheduler")  # the next leader knows
    assert verdicts(leat, poke(leat, 5, 22)) == ["paused"]
    assert not leat.json("resume", "poked/strong")["paused"]
    assert verdicts(leat, poke(leat, 5, 23)) == ["run"]
    for wrong in ("poked/nothing", "nothing/strong"):
        assert leat.leat("pause", wrong).returncode == 3
        assert leat.leat("resume", wrong).returncode == 3
    assert leat.leat("delete", "poked/strong").returncode == 2  # it goes with a file without it


def test_pause_resume_delete(leat, poked):
    assert leat.json("pause", "poked") == {"name": "poked", "paused": True, "deleted": False}
    assert verdicts(leat, poke(leat, 5, 10)) == ["paused"]
    assert leat.json("run", "poked", "--wait")["state"] == "succeeded", "by hand it runs"
    assert [t for t in leat.json("triggers") if t["name"] == "yearly" and t["pipeline"] == "poked"][0]["paused"]
    assert leat.json("pause", "poked")["paused"], "twice is once"
    assert not leat.json("resume", "poked")["paused"]
    assert verdicts(leat, poke(leat, 5, 11)) == ["run"]
    assert leat.leat("pause", "nothing-of-this-name").returncode == 3
    run = leat.json("runs", "--pipeline", "poked", "--limit", "1")[0]["id"]
    assert leat.json("delete", "poked")["deleted"]
    assert verdicts(leat, poke(leat, 5, 12)) == []
    assert "poked" not in leat.ok("pipelines", "-o", "name").split()
    assert leat.leat("run", "poked").returncode in (3, 4)
    assert leat.leat("delete", "poked").returncode == 3
    assert leat.json("show", run)["pipeline"] == "poked", "what has run stays"
    leat.apply(POKED, "poked.yaml")
    assert verdicts(leat, poke(leat, 5, 13)) == ["run"]


def test_a_dry_run_says_what_the_apply_does(leat):
    """Action and number, for what is new, the same, newer, older, deleted and back."""
    text = "name: back\nsteps: {{s: {{command: [echo, '{}']}}}}\n"
    seen = []
    def apply(word):
        file = leat.file("back.yaml", text.format(word))
        dry, done = leat.json("apply", "--dry-run", file), leat.json("apply", file)
        assert dry == done, (word, dry, done)
        seen.append((done[0]["action"], done[0]["number"]))
    for word in ("a", "a", "b", "a", "b"):
        apply(word)
    for word in ("b", "a", "c"):
        leat.ok("delete", "back")
        apply(word)
    assert seen == [("created", 1), ("unchanged", 1), ("updated", 2), ("reverted", 1), ("reverted", 2),
                    ("created", 2), ("created", 1), ("created", 3)]
    for kind, more in (("limit", "limit: "), ("pool", "slots: "), ("source", "provider: directory\nbucket: back-")):
        seen.clear()
        text = f"kind: {kind}\nname: back-{kind}\n{more}{{}}\n"
        for word in ("1", "1", "2", "1"):
            file = leat.file("back.yaml", text.format(word))
            dry, done = leat.json("apply", "--dry-run", file), leat.json("apply", file)
            assert dry == done, (kind, word, dry, done)
            seen.append(done[0]["action"])
        assert seen == ["created", "unchanged", "updated", "updated"], (kind, seen)


def test_events_by_pages(leat, poked):
    for number in range(20, 27):
        poke(leat, 0, number)
    last = poke(leat, 0, 27)
    leat.event_runs(last)
    # Several received in one microsecond: a page may end between them.
    leat.sql("UPDATE event SET received = date_trunc('second', now()) - interval '1 hour' WHERE source = 'pokes'")
    everything = [e["id"] for e in leat.json("events", "--source", "pokes")]
    assert len(everything) >= 8 and len(set(everything)) == len(everything)
    paged, cursor = [], None
    while cursor is not None or not paged:
        more = f"&cursor={cursor}" if cursor else ""
        page = request("GET", f"{leat.api}/api/v1/events?source=pokes&limit=3{more}").json()
        paged += [e["id"] for e in page["items"]]
        cursor = page["next"] and urllib.parse.quote(page["next"])
        if cursor is None:
            break
    assert paged == everything
    for bad in ("x", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z,x"):
        assert request("GET", f"{leat.api}/api/v1/events?cursor={bad}").status == 400
    assert leat.json("events", "--source", "pokes", "--since", "2100-01-01T00:00:00Z") == []
    assert [e["id"] for e in leat.json("events", "--source", "pokes", "--limit", "2")] == everything[:2]
    for bad in ("0", "1000001", "many"):
        assert leat.leat("events", "--limit", bad).returncode == 2


def test_more_than_a_page(leat, run):
    # 2,500 rows as the scheduler writes them: the API gives 1,000 at once.
    leat.sql("INSERT INTO event (id, received, source, type, envelope, verdicts) SELECT gen_random_uuid(), received, 'many', type,"
             " envelope, '[]' FROM (SELECT * FROM event LIMIT 1) AS e, generate_series(1, 2500)")
    ids = leat.ok("events", "--source", "many", "--limit", "2400", "-o", "name").split()
    assert len(ids) == len(set(ids)) == 2400
    assert len(leat.ok("events", "--source", "many", "--limit", "5000", "-o", "name").split()) == 2500
    leat.sql("DELETE FROM event WHERE source = 'many'")


def test_trigger_test_says_what_the_scheduler_does(leat, poked):
    event = leat.file("event.json", json.dumps({"type": "dev.example.poke", "data": {"level": 9}}))
    tested = {t["trigger"]: t for t in leat.json("trigger", "test", "--event", event)}
    assert set(tested) == {"strong"} and tested["strong"]["verdict"] == "run"
    assert tested["strong"]["params"] == {"level": 1, "note": "a b"}
    weak = leat.file("weak.json", json.dumps({"type": "dev.example.poke", "data": {"level": 1}}))
    assert [t["verdict"] for t in leat.json("trigger", "test", "--event", weak)] == ["filtered"]
    odd = leat.file("odd.json", json.dumps({"type": "dev.example.poke", "data": {}}))
    failed = leat.json("trigger", "test", "--event", odd)[0]
    assert failed["verdict"] == "failed" and "level" in failed["reason"]
    # What was published gives what the scheduler made of it.
    published = poke(leat, 4, 40)
    run = leat.json("show", leat.event_runs(published)[0])
    envelope = leat.file("envelope.json", request("GET", f"{leat.api}/api/v1/events/{published}/envelope").body.decode())
    again = leat.json("trigger", "test", "--event", envelope)[0]
    assert again["params"] == run["params"] and again["experiment"] == run["experiment"]
    before = len(leat.json("events", "--limit", "1000"))
    # Files alone: without Leat.
    file = leat.file("own.yaml", """
name: own
on:
  object: {bucket: b, suffix: .csv, run_name: "${{ event.data.object.key }} came", vars: {_WHO: "${{ event.data.bucket }}"}, params: {key: "${{ vars._WHO }}!"}}
params: {key: {type: string}}
steps: {one: {command: [echo]}}
""")
    upload = json.dumps({"type": "dev.leat.object.created", "data": {"bucket": "b", "object": {"key": "x.csv"}}})
    offline = subprocess.run([BUILD / "bin" / "leat", "trigger", "test", "--event", "-", file, "-o", "json"], text=True,
                             input=upload, capture_output=True, timeout=30, env={**leat.env, "LEAT_URL": "http://127.0.0.1:9"})
    assert offline.returncode == 0, offline.stderr
    (found,) = json.loads(offline.stdout)
    assert found["run_name"] == "x.csv came" and found["params"] == {"key": "b!"} and found["vars"]["_WHO"] == "b"
    assert len(leat.json("events", "--limit", "1000")) == before, "nothing is published"
    assert leat.leat("trigger", "test").returncode == 2
    bad = leat.leat("trigger", "test", "--event", leat.file("bad.json", "{\"data\": 1}"))
    assert bad.returncode == 1 and "type" in bad.stderr
    assert leat.leat("trigger", "test", "--event", leat.file("worse.json", "[]")).returncode == 1
