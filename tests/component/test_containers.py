"""Dockerfile and docker-compose.yml, checked as files: no container engine runs where tests do.

`tests/data/compose-spec.json` is the compose specification's own JSON schema, unchanged from
the Go module github.com/compose-spec/compose-go/v2 v2.16.2 (Apache-2.0). The health check and
the wheel's build are run for real, on this machine's Python.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar, Final, NamedTuple

import jsonschema
import pytest
import yaml  # type: ignore[import-untyped]
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from aurorasoc.config.settings import load_settings
from aurorasoc.config.settings.database import DatabaseSettings
from aurorasoc.config.settings.llm import LLMSettings, connection_settings_classes
from aurorasoc.config.settings.security import SecuritySettings
from aurorasoc.config.settings.server import ServerSettings
from aurorasoc.config.settings.vault import VaultSettings
from aurorasoc.llm.adoption.compose import check_boot_defaults
from aurorasoc.local_model import MODEL_NAME
from tests.world.processes import bare_env

ROOT: Final = Path(__file__).parents[2]
SCHEMA: Final = ROOT / "tests" / "data" / "compose-spec.json"
OURS: Final = ("AURORA_", "JWT_", "LLM_", "VAULT_")
FINAL_STAGES: Final = ("api", "local-model")
SECRETS: Final = {
    "AURORA_SECRET_KEY": "seed-of-a-site-0123456789-abcdefghijkl",
    "JWT_SECRET_KEY": "session-secret-of-a-site-0123456789-abc",
    "POSTGRES_PASSWORD": "word-of-a-site",
}
REFERENCE: Final = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")


class Instruction(NamedTuple):
    """One line of a Dockerfile, continuation lines joined."""

    word: str
    rest: str

    @property
    def argv(self) -> list[str]:
        """The words of the exec form (`["aurorasoc"]`)."""
        return [str(word) for word in json.loads(self.rest[self.rest.index("[") :])]


def stages() -> dict[str, list[Instruction]]:
    """Read the Dockerfile: each stage's instructions by its name, `FROM` included."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    result: dict[str, list[Instruction]] = {}
    name = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            name = rest.rpartition(" AS ")[2]
        if word:
            result.setdefault(name, []).append(Instruction(word, rest.strip()))
    return result


def all_of(word: str) -> list[str]:
    """Every instruction of a kind, whatever its stage."""
    return [i.rest for stage in stages().values() for i in stage if i.word == word]


def chain(stage: str) -> list[Instruction]:
    """A stage's instructions after those of the stages that it is built from."""
    instructions = stages()[stage]
    base = instructions[0].rest.partition(" ")[0]
    return [*(chain(base) if base in stages() else []), *instructions]


def last(stage: str, word: str) -> Instruction:
    """The instruction of a kind that counts for an image."""
    return [i for i in chain(stage) if i.word == word][-1]


def compose() -> dict[str, Any]:
    """Read the compose file as YAML, merge keys resolved, variables as they stand."""
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8")))


def services() -> dict[str, dict[str, Any]]:
    """The compose file's services."""
    return dict(compose()["services"])


def filled(value: str, variables: Mapping[str, str]) -> str:
    """Put variables in, as the specification's interpolation does."""

    def put(match: re.Match[str]) -> str:
        name, operator, word = match.groups()
        assert operator != "?" or variables.get(name), f"{name}: {word}"
        return variables.get(name) or (word if operator == "-" else "")

    return REFERENCE.sub(put, value).replace("$$", "$")


def environment(service: str, variables: Mapping[str, str] = SECRETS) -> dict[str, str]:
    """A service's environment with the mandatory variables put in."""
    raw = services()[service].get("environment", {})
    return {name: filled(str(value), variables) for name, value in raw.items()}


def settings_variables() -> set[str]:
    """Every variable that the settings layer reads."""
    classes: list[type[BaseSettings]] = [DatabaseSettings, LLMSettings, SecuritySettings]
    classes += [ServerSettings, VaultSettings, *connection_settings_classes().values()]
    return {name for cls in classes for name in _variables_of(cls)}


def _variables_of(cls: type[BaseSettings]) -> Iterator[str]:
    prefix = cls.model_config.get("env_prefix", "")
    for name, field in cls.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            yield from (str(choice) for choice in alias.choices)
        else:
            yield alias if isinstance(alias, str) else f"{prefix}{name}".upper()


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out of the build: the last pattern that fits decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#") and _fits(path, pattern.removeprefix("!")):
            out = not pattern.startswith("!")
    return out


def _fits(path: str, pattern: str) -> bool:
    """Match a path, or a folder that it is in (Docker's documentation, ".dockerignore files")."""
    expression = re.escape(pattern)
    for glob, meaning in ((r"\*\*/", "(?:.*/)?"), (r"\*\*", ".*"), (r"\*", "[^/]*")):
        expression = expression.replace(glob, meaning)
    expression = expression.replace(r"\[", "[").replace(r"\]", "]")
    return re.fullmatch(rf"{expression}(?:/.*)?", path) is not None


def context_files() -> list[str]:
    """What the build sees of src, alembic, requirements and the root."""
    folders = ("src", "alembic", "requirements")
    paths = [*ROOT.iterdir(), *(file for name in folders for file in (ROOT / name).rglob("*"))]
    names = [file.relative_to(ROOT).as_posix() for file in paths if file.is_file()]
    return [name for name in names if not ignored(name)]


# --- the compose file -----------------------------------------------------------------------------


def test_the_compose_file_fits_the_specification() -> None:
    """The specification's schema finds no fault in it."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(compose())) == []


def test_the_schema_would_find_a_fault() -> None:
    """A misspelt attribute or condition doesn't fit: the schema isn't an empty one."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
    faults: list[dict[str, Any]] = [
        {"helthcheck": {}},
        {"depends_on": {"a": {"condition": "service_happy"}}},
    ]
    for fault in faults:
        assert not validator.is_valid({"services": {"a": {"image": "a", **fault}}})


def test_every_variable_is_one_that_the_settings_read() -> None:
    """A variable of ours that is misspelt would be ignored in silence."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    named = {name for service in services().values() for name in service.get("environment", {})}
    named |= {match[1] for match in REFERENCE.finditer(text)}
    named |= {name for rest in all_of("ENV") for name in re.findall(r"(\w+)=", rest)}
    ours = {name for name in named if name.startswith(OURS)}
    assert ours >= {"AURORA_DATABASE_URL", "AURORA_HOST", "JWT_SECRET_KEY", "LLM_BACKEND"}
    assert sorted(ours - settings_variables()) == []


def test_the_environment_is_one_that_boots(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the three secrets alone the settings are valid, and mean what the file says."""
    for name, value in environment("api").items():
        monkeypatch.setenv(name, value)
    settings = load_settings(secrets_file=False)
    check_boot_defaults(settings)
    assert settings.llm.backend == "auto"
    assert settings.vault.addr is None
    assert settings.database_url == "postgresql://aurorasoc:word-of-a-site@postgres:5432/aurorasoc"
    assert [seed.get_secret_value() for seed in settings.security.seeds] == [
        SECRETS["AURORA_SECRET_KEY"],
        SECRETS["JWT_SECRET_KEY"],
    ]


@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_a_secret_has_no_default(missing: str) -> None:
    """Without it nothing starts, and the message names it."""
    rest = {name: value for name, value in SECRETS.items() if name != missing}
    with pytest.raises(AssertionError, match=missing):
        assert [environment(service, rest) for service in services()]


def test_only_the_service_is_given_seeds() -> None:
    """Migrating needs the database alone; the models need nothing."""
    assert set(environment("migrate")) == {"AURORA_DATABASE_URL"}
    for name in set(services()) - {"api"}:
        assert not {"AURORA_SECRET_KEY", "JWT_SECRET_KEY"} & set(environment(name))


def test_the_service_starts_on_a_migrated_database() -> None:
    """PostgreSQL answers, then the migration ends with 0, then the service starts."""
    every = services()
    assert every["api"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert every["api"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert every["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert (every["migrate"]["command"], every["migrate"]["restart"]) == (["migrate"], "no")


def test_whatever_keeps_running_has_a_health_check() -> None:
    """In the compose file, or in the image that we build."""
    for name, service in services().items():
        built = service.get("build", {}).get("target")
        checked = "test" in service.get("healthcheck", {})
        assert checked or name == "migrate" or last(built, "HEALTHCHECK"), name


def test_a_plain_up_starts_no_extra() -> None:
    """The local model and the vault wait for their profiles; nothing else has one."""
    profiles = {name: service.get("profiles") for name, service in services().items()}
    extras = {name: listed for name, listed in profiles.items() if listed}
    assert extras == {"local-model": ["local-model"], "vault": ["vault"]}
    for name, service in services().items():
        needed = set(service.get("depends_on", {}))
        assert name in extras or not needed & set(extras)


def test_the_local_model_is_on_the_services_own_loopback() -> None:
    """It binds 127.0.0.1 only, so it shares the service's network; the address is the default."""
    assert services()["local-model"]["network_mode"] == "service:api"
    port = last("local-model", "CMD").argv[-1]
    assert environment("api")["LLM_VLLM_BASE_URL"] == f"http://127.0.0.1:{port}/v1"
    assert environment("api")["LLM_VLLM_MODEL"] == MODEL_NAME
    assert f"127.0.0.1:{port}/health" in last("local-model", "HEALTHCHECK").rest


def test_nothing_is_published_beyond_loopback() -> None:
    """One port of one service, for a reverse proxy on the same host."""
    published = {n: s["ports"] for n, s in services().items() if "ports" in s}
    assert list(published) == ["api"]
    assert [filled(port, {}) for port in published["api"]] == ["127.0.0.1:8080:8080"]


@pytest.mark.parametrize("name", ["api", "local-model", "migrate"])
def test_our_containers_can_do_little(name: str) -> None:
    """Read-only, without capabilities, without new privileges; built from a stage that exists."""
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["build"]["target"] in FINAL_STAGES


def test_every_image_is_pinned_by_tag() -> None:
    """No `latest`, and no image without a tag."""
    images = [service["image"] for service in services().values()]
    images.append(re.sub(r"^PYTHON_IMAGE=", "", all_of("ARG")[0]))
    for image in images:
        assert re.fullmatch(r"[\w./-]+:(?!latest)[\w.-]+", image), image


# --- the Dockerfile -------------------------------------------------------------------------------


def test_the_service_is_what_a_plain_build_gives() -> None:
    """The last stage is the service's."""
    assert list(stages())[-1] == "api"


@pytest.mark.parametrize("stage", FINAL_STAGES)
def test_an_image_runs_without_root(stage: str) -> None:
    """A fixed number, so that a cluster can see that it isn't root; nothing is built after it."""
    assert last(stage, "USER").rest == "10001:10001"
    words = [i.word for i in chain(stage)]
    assert not {"ADD", "COPY", "RUN", "USER"} & set(words[words.index("USER") + 1 :])


def test_nothing_is_fetched_but_packages() -> None:
    """No ADD, no curl, no wget: packages come from their registries, by hash or by the system."""
    assert all_of("ADD") == []
    assert [run for run in all_of("RUN") if re.search(r"curl|wget|git clone|https?://", run)] == []


def test_no_secret_is_built_in() -> None:
    """Neither ARG nor ENV names one, and no secret is mounted into the build."""
    named = [re.findall(r"(\w+)=", f"{rest}=") for word in ("ARG", "ENV") for rest in all_of(word)]
    assert named
    assert not [n for names in named for n in names if re.search("SECRET|TOKEN|KEY|PASSW", n)]
    assert not [run for run in all_of("RUN") if "--mount=type=secret" in run]


def test_everything_is_installed_by_hash() -> None:
    """Each installation checks hashes, or takes the one wheel that was just built, offline."""
    commands = [part.strip() for run in all_of("RUN") for part in run.split("&&")]
    installs = [c for c in commands if re.search(r"\bpip\b.* install |\buv build\b", c)]
    offline = [c for c in installs if "--no-index" in c and c.endswith("dist/*.whl")]
    assert len(offline) == 1
    for command in set(installs) - set(offline):
        assert "--require-hashes" in command, command
        lock = re.search(r"(?:-r|--build-constraints) (requirements/[\w-]+\.lock)", command)
        assert lock is not None, command
        assert (ROOT / lock[1]).is_file()
    assert any("requirements/runtime.lock" in command for command in installs)
    assert "PIP_NO_CACHE_DIR=1" in " ".join(all_of("ENV"))


def test_byte_code_is_compiled_after_the_last_installation() -> None:
    """Importing litellm takes 5.9 s without it and 2.6 s with it, at each start."""
    run = [i.rest for i in stages()["builder"] if i.word == "RUN"][-1]
    assert run.index("compileall") > run.index("dist/*.whl")
    assert "PYTHONDONTWRITEBYTECODE" not in (ROOT / "Dockerfile").read_text("utf-8")


def test_the_dockerfile_copies_what_exists_and_is_let_in() -> None:
    """Every source of a COPY is in the build's context; what it isn't is ignored."""
    for rest in all_of("COPY"):
        if not rest.startswith("--from="):
            source = rest.split()[0]
            assert (ROOT / source).exists(), source
            assert any(f == source or f.startswith(source) for f in context_files()), source
    tops = {name.partition("/")[0] for name in context_files()}
    assert tops == {"alembic", "pyproject.toml", "requirements", "src"}


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        ".venv/bin/python",
        "aurorasoc.db",
        "secrets.env",
        "src/aurorasoc/.env.local",
        "src/aurorasoc/aurorasoc.db-wal",
        "src/aurorasoc/cli/__pycache__/dev.cpython-311.pyc",
        "src/aurorasoc/secrets.env",
        "tests/component/test_containers.py",
    ],
)
def test_what_a_working_copy_collects_stays_out(path: str) -> None:
    """No key, no database, no history, no stale byte code."""
    assert ignored(path)


def test_what_is_let_in_builds_the_wheel(tmp_path: Path) -> None:
    """The build's context is enough, and the wheel carries the migrations."""
    for name in context_files():
        target = tmp_path / "context" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    done = subprocess.run(
        build,
        cwd=tmp_path / "context",
        env=bare_env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "context" / "dist").glob("*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    migrations = sorted(file.name for file in (ROOT / "alembic" / "versions").glob("*.py"))
    assert migrations
    assert {f"aurorasoc/migrations/versions/{name}" for name in migrations} <= set(inside)
    assert "aurorasoc/cli/serve.py" in inside


@pytest.mark.parametrize("stage", FINAL_STAGES)
def test_what_a_container_runs_is_a_command(stage: str) -> None:
    """ENTRYPOINT is the installed script, and CMD one of its commands."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    (script,) = last(stage, "ENTRYPOINT").argv
    assert script in scripts
    command = [sys.executable, "-m", "aurorasoc.cli", *last(stage, "CMD").argv, "--help"]
    assert subprocess.run(command, env=bare_env(), capture_output=True, check=False).returncode == 0


class _Health(BaseHTTPRequestHandler):
    """Answers `/healthz` with a status that the test sets."""

    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (None, False)])
def test_the_health_check_tells_the_truth(status: int | None, *, healthy: bool) -> None:
    """The very command of the Dockerfile, run against a real server; a proxy doesn't matter."""
    server = HTTPServer(("127.0.0.1", 0), type("Health", (_Health,), {"status": status}))
    port = str(server.server_address[1])
    Thread(target=server.serve_forever, daemon=True).start()
    if status is None:
        server.shutdown()
        server.server_close()
    python, *words = last("api", "HEALTHCHECK").argv
    assert python == "python"
    env = bare_env(AURORA_PORT=port, HTTP_PROXY="http://127.0.0.1:1", PATH=os.defpath)
    done = subprocess.run([sys.executable, *words], env=env, capture_output=True, check=False)
    server.shutdown()
    server.server_close()
    assert (done.returncode == 0) is healthy
