"""docker-compose.yml and the Dockerfile name only what exists in the code, and all of it."""

import importlib
import json
import os
import re
import tomllib

import pytest
import yaml

from archon_contracts import telemetry, topics
from deploy.docker.make_env import VARIABLE, fill_in
from deploy.docker.pin_images import build_override
from deploy.local.runtime import SIGNING_ROLES
from deploy.local.servers.kafka_home import TESTED_VERSION
from deploy.local.servers.service_process import PROJECT_ROOT
from shared.artifacts.signing import Signer
from shared.settings import ServiceSettings
from tests.support.infrastructure.compose import (
    BUILT,
    COMPOSE,
    DOCKERFILE,
    SETUP,
    image_environment,
    stages,
    text_of_ancestry,
)
from tests.support.infrastructure.real_kafka import find_kafka_home

SERVICES = sorted(path.parent.name for path in (PROJECT_ROOT / "services").glob("*/__main__.py"))
DEPLOYMENT_FOLDERS = [PROJECT_ROOT / "deploy" / name for name in ("docker", "otel", "grafana")]
DEPLOYMENT_FILES = [
    PROJECT_ROOT / "docker-compose.yml",
    *(
        path
        for folder in DEPLOYMENT_FOLDERS
        for path in folder.rglob("*")
        # Not the bytecode that a run of the scripts there leaves.
        if path.is_file() and path.suffix != ".pyc"
    ),
]


def settings_of(service):
    return importlib.import_module(f"services.{service}.settings").Settings


def variables_of(service):
    return image_environment(service) | BUILT[service]["environment"]


def test_every_service_of_the_code_is_deployed_and_no_other():
    assert sorted(BUILT.keys() - {SETUP}) == SERVICES == sorted(topics.SERVICES)


@pytest.mark.parametrize("service", sorted(BUILT))
def test_a_service_is_built_from_the_target_of_its_name(service):
    build = BUILT[service]["build"]

    assert build["target"] == service
    assert service in stages()
    assert (PROJECT_ROOT / build["dockerfile"]).is_file()


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_runs_the_service_of_its_name(service):
    _, block = stages()[service]

    assert f'CMD ["python", "-m", "services.{service}"]' in block


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_a_setting_of_the_service(service):
    settings = settings_of(service)
    assert issubclass(settings, ServiceSettings)
    known = {f"ARCHON_{name.upper()}" for name in settings.model_fields}

    given = {name for name in variables_of(service) if name.startswith("ARCHON_")}

    assert given <= known


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_from_its_variables_alone(service, monkeypatch):
    for name, value in variables_of(service).items():
        monkeypatch.setenv(name, filled_in(str(value)))

    settings = settings_of(service)()

    assert settings.service == service
    assert settings.health_host == "0.0.0.0"


def test_the_published_port_of_the_gateway_is_the_one_it_listens_on(monkeypatch):
    for name, value in variables_of("gateway").items():
        monkeypatch.setenv(name, filled_in(str(value)))

    (mapping,) = BUILT["gateway"]["ports"]

    assert mapping.split(":")[-1] == str(settings_of("gateway")().gateway_port)


def test_every_server_has_a_health_check_but_those_without_a_shell():
    without = {
        name
        for name, service in COMPOSE["services"].items()
        if "healthcheck" not in service and "HEALTHCHECK" not in text_of_ancestry(name)
    }

    assert without == {SETUP, "otel-collector", "jaeger"}


def test_services_wait_for_tables_and_topics():
    for service in SERVICES:
        waits = BUILT[service]["depends_on"]
        assert waits == {SETUP: {"condition": "service_completed_successfully"}}
    assert BUILT[SETUP]["depends_on"].keys() == {"postgres", "kafka"}


def test_nothing_listens_beyond_this_machine():
    mappings = [m for each in COMPOSE["services"].values() for m in each.get("ports", [])]

    assert mappings
    assert all(mapping.startswith("127.0.0.1:") for mapping in mappings)


def test_images_run_as_an_ordinary_user():
    for service in BUILT:
        assert re.search(r"^USER archon$", text_of_ancestry(service), flags=re.MULTILINE)


def test_only_the_images_that_compute_carry_torch():
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    carriers = {
        service
        for service in BUILT
        for extra in re.findall(r"\./?\[([\w-]+)\]", stages()[f"{service}-packages"][1])
        if "torch" in str(extras[extra])
    }

    assert carriers == {"trainer", "evaluator", "synthetic_generator"}
    assert "torch" not in str(project["dependencies"])


def test_every_variable_is_described_and_every_secret_is_asked_for():
    text = (PROJECT_ROOT / "docker-compose.yml").read_text()
    example = (PROJECT_ROOT / "deploy/docker/env.example").read_text()
    described = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, flags=re.MULTILINE))

    uses = re.findall(r"\$\{([A-Z_]+)(:\?|:-|)", text)
    secrets = {name for name, _ in uses if re.search("PASSWORD|KEY|SECRET", name)}

    assert {name for name, _ in uses} == described.keys()
    assert len(secrets) == 13
    assert {how for name, how in uses if name in secrets} == {":?"}
    assert {described[name] for name in secrets} == {""}


def test_every_topic_that_is_mentioned_exists():
    existing = {topic.name for topic in topics.ALL_TOPICS}

    for path in DEPLOYMENT_FILES:
        mentioned = set(re.findall(r"archon\.[a-z.-]+\.v\d+", path.read_text()))
        assert mentioned <= existing, path


def test_every_mounted_file_exists():
    for service in COMPOSE["services"].values():
        for mount in service.get("volumes", []):
            if mount.startswith("./"):
                assert (PROJECT_ROOT / mount.split(":")[0]).exists()


def test_every_volume_in_use_is_declared():
    used = {
        mount.split(":")[0]
        for service in COMPOSE["services"].values()
        for mount in service.get("volumes", [])
        if not mount.startswith("./")
    }

    assert used == COMPOSE["volumes"].keys()


def test_the_collector_is_where_the_services_send_to():
    collector = yaml.safe_load((PROJECT_ROOT / "deploy/otel/collector.yaml").read_text())
    prometheus = yaml.safe_load((PROJECT_ROOT / "deploy/otel/prometheus.yaml").read_text())
    listens = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    exposes = collector["exporters"]["prometheus"]["endpoint"]

    endpoint = BUILT["trainer"]["environment"]["ARCHON_OTLP_ENDPOINT"]

    assert endpoint == f"http://otel-collector:{listens.split(':')[1]}"
    (job,) = prometheus["scrape_configs"]
    assert job["static_configs"][0]["targets"] == [f"otel-collector:{exposes.split(':')[1]}"]


def test_every_series_of_the_dashboard_is_a_metric_of_the_code():
    names = [value for key, value in vars(telemetry).items() if key.startswith("METRIC_")]
    series = {name.replace(".", "_") for name in names}
    dashboard = json.loads((PROJECT_ROOT / "deploy/grafana/dashboards/archon.json").read_text())

    for panel in dashboard["panels"]:
        expression = panel["targets"][0]["expr"]
        (shown,) = re.findall(r"\b(\w+?)(?:_seconds_bucket|_total)\[", expression)
        assert shown in series, panel["title"]


def filled_in(value):
    return re.sub(r"\$\{\w+:?[?-]?[^}]*\}", "filled-in-for-the-test", value)


def test_the_deployed_kafka_is_the_one_that_tests_run_on():
    assert COMPOSE["services"]["kafka"]["image"] == f"apache/kafka:{TESTED_VERSION}"
    home = find_kafka_home()
    if home is not None and "KAFKA_HOME" not in os.environ:
        assert (home / "libs" / f"kafka-clients-{TESTED_VERSION}.jar").is_file()


def test_each_service_that_publishes_gets_its_own_signing_key_and_no_other():
    text = (PROJECT_ROOT / "docker-compose.yml").read_text()
    keys = {name: variables_of(name).get("ARCHON_ARTIFACTS_SIGNING_KEY", "") for name in SERVICES}

    own = {name: key for name, key in keys.items() if key}
    assert own.keys() == set(SIGNING_ROLES)
    assert all(f"{{{name.upper()}_SIGNING_KEY:" in key for name, key in own.items())
    assert text.count("_SIGNING_KEY:?") == len(own)


def test_the_written_environment_holds_every_secret_and_the_public_keys():
    example = (PROJECT_ROOT / "deploy/docker/env.example").read_text()

    filled = dict(VARIABLE.findall(fill_in(example, {"GRAFANA_PASSWORD": "kept"})))

    assert {name for name, value in filled.items() if not value} == {"NAMESPACE", "TORCH_INDEX_URL"}
    assert filled["GRAFANA_PASSWORD"] == "kept"
    trainer = Signer(filled["TRAINER_SIGNING_KEY"]).public_key
    assert filled["ARTIFACTS_MODEL_KEYS"] == trainer
    assert trainer in filled["ARTIFACTS_TRUSTED_KEYS"].split(",")
    assert filled["ARTIFACTS_TRUSTED_KEYS"].count(",") == 5


def test_images_are_named_by_full_versions():
    images = [each["image"] for each in COMPOSE["services"].values() if "image" in each]

    assert len(images) >= 6
    assert [
        image for image in images if not re.search(r":v?\d+(\.\d+)+(@sha256:.*)?$", image)
    ] == []
    assert re.search(r"^ARG PYTHON_VERSION=\d+\.\d+\.\d+$", DOCKERFILE, re.MULTILINE)


def test_the_override_names_every_image_by_digest():
    text = (PROJECT_ROOT / "docker-compose.yml").read_text()
    digest = "sha256:" + "a" * 64

    override = yaml.safe_load(build_override(text, lambda image: digest))["services"]

    images = {name: each["image"] for name, each in COMPOSE["services"].items() if "image" in each}
    assert override == {name: {"image": f"{image}@{digest}"} for name, image in images.items()}


def test_every_locked_package_but_torch_has_a_hash():
    for name in ("requirements.lock", "requirements-no-deps.lock"):
        text = (PROJECT_ROOT / name).read_text().replace("\\\n", " ")
        packages = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert packages
        assert [line for line in packages if "--hash=sha256:" not in line] == []
    torch = (PROJECT_ROOT / "requirements-torch.lock").read_text()
    assert re.findall(r"^\w.*$", torch, re.MULTILINE) == ["torch==2.13.0"]


def test_only_torch_may_come_from_a_further_index():
    makefile = (PROJECT_ROOT / "Makefile").read_text()
    uses = [line for line in makefile.splitlines() if "$(TORCH_INDEX)" in line]
    assert [("requirements-torch.lock" in line) for line in uses] == [True]
    stage = stages()["torch-wheels"][1]
    assert DOCKERFILE.count("--extra-index-url") == stage.count("--extra-index-url") == 1


@pytest.mark.parametrize("folder", ["", "contracts", "contracts/inference"])
def test_what_builds_the_packages_is_pinned_as_in_the_lock(folder):
    project = tomllib.loads((PROJECT_ROOT / folder / "pyproject.toml").read_text())

    (required,) = project["build-system"]["requires"]
    assert f"\n{required} \\\n" in (PROJECT_ROOT / "requirements.lock").read_text()


def test_no_page_names_an_index_as_the_source_of_our_packages():
    files = [p for p in PROJECT_ROOT.rglob("README.md") if ".venv" not in p.parts]
    files += [
        p
        for top in ("contracts", "shared", "services", "deploy")
        for p in (PROJECT_ROOT / top).rglob("*.py")
    ]

    named = re.compile(r"install[^\n]{0,20} ['\"`]?archon-(contracts|inference|training)[\[`'\"]")
    assert [str(path) for path in files if named.search(path.read_text())] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(service):
    made = BUILT[service]

    assert made["cap_drop"] == ["ALL"]
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert made["read_only"] is True
    assert any(each.startswith("/tmp:") for each in made["tmpfs"])
    assert made["pids_limit"] > 0
    assert made["mem_limit"]


def test_an_audit_that_looks_nothing_up_fails() -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text().replace("\\\n", " ")

    (command,) = re.findall(r"^\t.*pip-audit (.*)$", makefile, flags=re.MULTILINE)

    assert "--strict" in command
    locks = {path.name for path in PROJECT_ROOT.glob("requirements*.lock")}
    assert locks == set(re.findall(r"-r (\S+)", command))
