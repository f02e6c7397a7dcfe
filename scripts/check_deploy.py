"""What no linter looks at in deploy/: that its files fit each other, the code, and what they are read by.

check_deploy.py FOLDER PROMTOOL, where FOLDER holds the rendered chart as <Kubernetes version>-<values>.yaml.
Run by scripts/check-deploy, which installs what this imports.
"""

import ipaddress
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import compose_spec
import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
RENDERED, PROMTOOL = pathlib.Path(sys.argv[1]), sys.argv[2]
# Kinds of an operator: Kubernetes has no schema of them.
CUSTOM_KINDS = {"ServiceMonitor"}
SECRET_NAMES = {"DATABASE_URL", "REDIS_URL", "CLICKHOUSE_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "BOTLOOM_MASTER_KEY"}
# What Docker takes networks from by itself (moby: libnetwork/ipamutils).
DOCKER_POOLS = [ipaddress.ip_network(pool) for pool in ("172.16.0.0/12", "192.168.0.0/16")]

faults = []


def expect(holds, fault):
    if not holds:
        faults.append(fault)


def image():
    """The image is built by the toolchain of the project, from a context that holds every crate."""
    channel = re.search(r'channel = "(.+)"', (ROOT / "rust-toolchain.toml").read_text())[1]
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    expect(f"FROM rust:{channel}-" in dockerfile, f"Dockerfile: the compiler is not {channel} of rust-toolchain.toml")
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    members = re.search(r"members = \[(.*?)\]", (ROOT / "Cargo.toml").read_text(), re.DOTALL)[1]
    for needed in [*re.findall(r'"(.+?)"', members), "Cargo.toml", "Cargo.lock", "migrations", "docs/errors"]:
        expect(needed in allowed, f".dockerignore: {needed} does not reach the build")
        expect((ROOT / needed).exists(), f".dockerignore: {needed} does not exist")


def interpolated(text, environment):
    """Fills in ${NAME:?…}, ${NAME:-default} and ${NAME:+instead} as Compose does, noting the names that the example does not
    have."""

    def value(match):
        name, operator, default = match.groups()
        expect(name in environment, f"compose.env.example: {name} is missing")
        if operator == "?":
            return "filled-in"
        if operator == "+":
            return default if environment.get(name) else ""
        return environment.get(name) or default

    return re.sub(r"\$\{(\w+):([?+-])([^}]*)\}", value, text)


def compose():
    """compose.yml is valid by the Compose Specification, and what it mounts, waits for and asks for is there."""
    example = (DEPLOY / "compose.env.example").read_text()
    environment = dict(line.split("=", 1) for line in example.splitlines() if re.match(r"\w+=", line))
    for name, default in re.findall(r"\$\{(BOTLOOM_FRONT_\w+):-([^}]*)\}", (DEPLOY / "compose.yml").read_text()):
        expect(environment.get(name) == default, f"compose.env.example: {name} is not the default of compose.yml")
    text = interpolated((DEPLOY / "compose.yml").read_text(), environment)
    expect("${" not in text, "compose.yml: a variable without :?, :- or :+")
    document = yaml.safe_load(text)
    front(document["networks"]["front"]["ipam"]["config"][0], environment)
    try:
        # As JSON: what merge keys and anchors stand for, which the library does not look into.
        parsed = compose_spec.PyCompose.from_json(json.dumps(document))
        parsed.validate()
        parsed.to_spec()
    except ValueError as error:
        expect(False, f"compose.yml: {error}")
    services = document["services"]
    for name, service in services.items():
        for config in service.get("configs", []):
            expect(config["source"] in document["configs"], f"compose.yml: {name} mounts {config['source']}, which is nothing")
        for dependency, condition in service.get("depends_on", {}).items():
            expect(dependency in services, f"compose.yml: {name} waits for {dependency}, which is nobody")
            waits = condition["condition"] == "service_healthy"
            expect(not waits or "healthcheck" in services[dependency], f"compose.yml: {dependency} is never healthy")
        if "build" not in service:
            expect(re.search(r":v?[\w.-]*\d", service["image"]), f"compose.yml: {name} has no version")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            known = (DEPLOY / source).exists() if source.startswith(".") else source in document["volumes"]
            expect(known, f"compose.yml: {name} mounts {source}, which does not exist")
        expect("no-new-privileges:true" in service["security_opt"], f"compose.yml: {name} may gain privileges")


def front(network, environment):
    """The gateway is of its network, is believed by the nodes, and is nowhere where Docker may put another network."""
    subnet, gateway = ipaddress.ip_network(network["subnet"]), ipaddress.ip_address(network["gateway"])
    expect(gateway in subnet, "compose.yml: the gateway of front is not in its subnet")
    trusted = environment["BOTLOOM_TRUSTED_PROXIES"].split(",")
    expect(str(gateway) in trusted, "compose.env.example: the gateway of front is not trusted")
    for pool in DOCKER_POOLS:
        expect(not subnet.overlaps(pool), f"compose.yml: front is in {pool}, from which Docker takes other networks")


def collector():
    """Pipelines of the collector name only parts that are configured."""
    config = yaml.safe_load((DEPLOY / "otel-collector.yaml").read_text())
    for signal, pipeline in config["service"]["pipelines"].items():
        for part in ("receivers", "processors", "exporters"):
            for name in pipeline[part]:
                expect(name in config[part], f"otel-collector.yaml: {signal} uses {name}, which is not configured")


def chart():
    """Rendered objects are valid in the oldest and the newest Kubernetes, run restricted and hold no secret."""
    for file in sorted(RENDERED.glob("*.yaml")):
        version = file.name.split("-")[0]
        for document in filter(None, yaml.safe_load_all(file.read_text())):
            where = f"chart, {file.name}, {document['kind']} {document['metadata']['name']}"
            if document["kind"] not in CUSTOM_KINDS:
                try:
                    kubernetes_validate.validate(document, version, strict=True)
                except Exception as error:
                    expect(False, f"{where}: {error}")
            if document["kind"] == "Deployment":
                restricted(where, document["spec"]["template"]["spec"])


def restricted(where, pod):
    """The `restricted` Pod Security Standard, a read-only root, time to drain, secrets by reference."""
    (container,) = pod["containers"]
    security, settings = container["securityContext"], {item["name"]: item for item in container["env"]}
    expect(pod["securityContext"]["runAsNonRoot"] is True, f"{where}: may run as root")
    expect(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", f"{where}: no seccomp profile")
    expect(security["allowPrivilegeEscalation"] is False, f"{where}: may gain privileges")
    expect(security["capabilities"]["drop"] == ["ALL"], f"{where}: keeps capabilities")
    expect(security["readOnlyRootFilesystem"] is True, f"{where}: may write to its root file system")
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = int(settings["BOTLOOM_DRAIN_S"]["value"])
    expect(pod["terminationGracePeriodSeconds"] > pause + drain, f"{where}: is killed before it has drained")
    for name in SECRET_NAMES:
        expect("secretKeyRef" in settings[name].get("valueFrom", {}), f"{where}: {name} is not a reference")
    known = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/settings.md").read_text(), re.MULTILINE))
    for name in settings:
        expect(not name.startswith("BOTLOOM_") or name in known, f"{where}: {name} is no setting")


def queries():
    """Every expression of the dashboards, as PromQL without Grafana's variables."""
    for file in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        dashboard = json.loads(file.read_text())
        ids = [panel["id"] for panel in dashboard["panels"]]
        expect(len(ids) == len(set(ids)), f"{file.name}: two panels have the same id")
        places = [panel["gridPos"] for panel in dashboard["panels"]]
        expect(all(place["x"] + place["w"] <= 24 for place in places), f"{file.name}: a panel is wider than the page")
        found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        found += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
        for query in found:
            yield query.replace("$__rate_interval", "1m").replace("$namespace", ".*")


def dashboards():
    """What dashboards ask for is PromQL."""
    rules = [{"record": f"check:{number}", "expr": query} for number, query in enumerate(queries())]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}, file)
        done = subprocess.run([PROMTOOL, "check", "rules", file.name], capture_output=True, text=True)
    expect(done.returncode == 0, f"dashboards: {done.stderr}")


def metrics():
    """Alerts, dashboards and autoscalers ask for metrics that the server has."""
    page = (ROOT / "docs/metrics.md").read_text()
    known = set(re.findall(r"`(botloom_\w+)`", page))
    known |= {name + suffix for name in known if name.endswith(("_seconds", "_bytes")) for suffix in ("_bucket", "_sum", "_count")}
    asking = [DEPLOY / "prometheus/rules.yml", DEPLOY / "prometheus/adapter-rules.yml", DEPLOY / "helm/botloom/values.yaml"]
    asking += (DEPLOY / "grafana/dashboards").glob("*.json")
    for file in asking:
        for name in sorted(set(re.findall(r"botloom_[a-z_]+", file.read_text()))):
            expect(name in known, f"{file.relative_to(ROOT)}: docs/metrics.md has no {name}")


for check in (image, compose, collector, chart, dashboards, metrics):
    print(f"== {check.__name__}: {check.__doc__.splitlines()[0]}")
    check()
for fault in faults:
    print(fault, file=sys.stderr)
sys.exit(1 if faults else 0)
