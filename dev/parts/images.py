"""Container images without a hub: a Debian base made by mmdebstrap, Python wheels fetched once, both kept in the cache,
so that a build needs no network. BASES says what each base holds."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from .base import PartError, cache, command, fetching

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITE = "bookworm"
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
COMPONENTS = ROOT / "examples" / "forecast" / "components"
PYTHON = "python:3.11-slim-bookworm"  # the hub's, the default of the components' Dockerfiles
PULL_S = 180
DAEMONS = ("scheduler", "worker", "triggers", "api")


def packages_of(purpose):
    """A list of dev/setup, by its own word."""
    return command(ROOT / "dev" / "setup", "list", purpose).split()


BASES = {  # name -> packages
    "python": lambda: ["ca-certificates", "python3", "python3-pip", "python3-venv"],
    "build": lambda: packages_of("image"),
    "runtime": lambda: packages_of("runtime"),
}


@contextlib.contextmanager
def kept(path):
    """Yields a place to make `path` at, or None when it is there; several at once wait for the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            yield None
            return
        half = path.with_name(f"{path.name}.half")
        shutil.rmtree(half, ignore_errors=True)
        half.unlink(missing_ok=True)
        yield half
        half.rename(path)


def digest_of(*words):
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


class Engine:
    """A Docker engine by Debian's client, which speaks BuildKit without a plugin."""

    def __init__(self, host=None):
        self.program = "/usr/bin/docker"
        if not os.path.exists(self.program):
            raise PartError("needs /usr/bin/docker: dev/setup check installs docker.io")
        self.env = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain",
                    **({"DOCKER_HOST": host} if host else {})}

    def __call__(self, *argv):
        return command(self.program, *argv, env=self.env)

    def has(self, image):
        return subprocess.run([self.program, "image", "inspect", image], env=self.env, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def identity(self, image):
        return self("image", "inspect", "--format", "{{.Id}}", image).strip()

    def build(self, tag, folder, dockerfile, **more):
        """Without network: all that it needs is in the folder and its bases."""
        arguments = [word for key, value in more.get("arguments", {}).items() for word in ("--build-arg", f"{key}={value}")]
        target = ["--target", more["target"]] if "target" in more else []
        self("build", "--network", "none", "--tag", tag, "--file", dockerfile, *target, *arguments, folder)
        return self.identity(tag)


def base_tar(name):
    packages = BASES[name]()
    tar = cache() / "images" / f"{name}-{digest_of(SUITE, *packages, *LEFT_OUT)}.tar"
    with kept(tar) as half:
        if half:
            if not shutil.which("mmdebstrap"):
                raise PartError("a base image needs mmdebstrap: dev/setup check installs it")
            fetching("mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", "--format=tar",
                     *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT), SUITE, half,
                     again=lambda: half.unlink(missing_ok=True))
    return tar


def base(engine, name):
    """The base's name in the engine, imported when it is not there."""
    tar = base_tar(name)
    image = f"leat/base-{name}:{tar.stem.rpartition('-')[2]}"
    if not engine.has(image):
        engine("import", tar, image)
    return image


def wheels():
    """A folder with every wheel that the forecast's components ask for, for Debian's Python."""
    files = sorted(COMPONENTS.glob("*requirements.txt")) + sorted(COMPONENTS.glob("*/requirements.txt"))
    house = cache() / "images" / f"wheels-{digest_of(*(f.read_text() for f in files))}"
    with kept(house) as half:
        if half:
            with tempfile.TemporaryDirectory() as folder:
                command("/usr/bin/python3", "-m", "venv", folder)
                fetching(f"{folder}/bin/pip", "download", "-q", "--disable-pip-version-check", "--only-binary=:all:",
                         "-d", half, *(word for f in files for word in ("-r", f)))
    return house


def source_tree(target):
    """What git knows of the tree, as it lies there: no build folder, nothing that is ignored."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def leat(engine, tag="latest"):
    """{image: id} of Leat's daemons: leat/leat, and one for each daemon."""
    arguments = {"BUILD_BASE": base(engine, "build"), "BASE": base(engine, "runtime"),
                 "VERSION": (ROOT / "VERSION").read_text().strip()}
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        source_tree(pathlib.Path(folder))
        for target in ("leat", *(f"leat-{d}" for d in DAEMONS)):
            made[f"leat/{target}:{tag}"] = engine.build(f"leat/{target}:{tag}", folder, ROOT / "Dockerfile",
                                                        target=target, arguments=arguments)
    return made


def component_names():
    return sorted(f.parent.name for f in COMPONENTS.glob("*/Dockerfile"))


def forecast_tag():
    """A tag made of all that the components' images are built from: another source, another tag."""
    files = sorted(f for f in COMPONENTS.rglob("*") if f.is_file() and not {"tests", "build", "__pycache__"} & set(f.parts))
    return digest_of(*(word for f in files for word in (str(f.relative_to(COMPONENTS)), hashlib.sha256(f.read_bytes()).hexdigest())))


def python_base(engine):
    """The hub's image with Python where it is there or can be pulled, else our own."""
    if engine.has(PYTHON):
        return PYTHON
    with contextlib.suppress(PartError, subprocess.TimeoutExpired):
        command(engine.program, "pull", "-q", PYTHON, env=engine.env, timeout=PULL_S)
        return PYTHON
    if not shutil.which("mmdebstrap"):
        command(ROOT / "dev" / "setup", "base")
    return base(engine, "python")


def forecast_pipeline(mlflow, registry=None, tag=None, container=None):
    """The example's pipeline with a site's own addresses; `container` is how its containers run."""
    changes = [("default: http://127.0.0.1:5000", f"default: {mlflow}")]
    if registry:
        changes += [("default: registry.local", f"default: {registry}"), ("default: latest", f"default: {tag}")]
    if container:
        changes += [("defaults: {timeout: 10m}", f"defaults: {{timeout: 10m, container: {container}}}")]
    text = (COMPONENTS.parent / "pipeline.yaml").read_text()
    for old, new in changes:
        if text.count(f"{old}\n") != 1:
            raise PartError(f"examples/forecast/pipeline.yaml has no one line that ends in {old}")
        text = text.replace(f"{old}\n", f"{new}\n")
    return text


def forecast(engine, registry="registry.local", tag="latest", push=False, base_image=None):
    """{image: id} of the forecast's components; with `push` {image: its digest in the registry}."""
    python = base_image or base(engine, "python")
    made = {}
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        context = pathlib.Path(folder) / "components"
        shutil.copytree(COMPONENTS, context)
        (context / "wheels").mkdir()
        files = pathlib.Path(folder) / "files"
        files.mkdir()
        for wheel in wheels().iterdir():
            os.link(wheel, context / "wheels" / wheel.name)
        for name in component_names():
            image = f"{registry}/forecast-{name}:{tag}"
            # Under a name of its own: an engine takes two Dockerfiles of one name, size and time for the same.
            shutil.copy2(COMPONENTS / name / "Dockerfile", files / f"{name}.Dockerfile")
            made[image] = engine.build(image, context, files / f"{name}.Dockerfile",
                                       arguments={"BASE": python, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/src"})
            if push:
                pushed = engine("push", image)
                made[image] = re.search(r"digest: (sha256:[0-9a-f]{64})", pushed)[1]
    return made
