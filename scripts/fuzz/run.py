"""Asks a running server everything that its OpenAPI document describes; see README.md.

run.py BOTLOOM EXAMPLES LEAST: the program, random requests for each operation, and how many requests there must be in all.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EMAIL, PASSWORD = "owner@example.com", "correct horse battery"
# A little less than what a user may ask for, so that answers are not all 429.
RATE = "28/s"
# Streams do not end.
ENDLESS = ["/events"]
# They would end the session that asks.
SUICIDAL = ["/auth/logout", "/auth/password", "/auth/sessions", "/auth/sessions/{sessionId}"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A simulator of Telegram and a server, with something in it."""

    def __init__(self, botloom, folder):
        self.port, telegram = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.session = {}
        self.log = open(Path(folder) / "log", "w+b")
        known = {key: text for key, text in os.environ.items() if not key.startswith(("BOTLOOM_", "AWS_", "OTEL_"))}
        settings = {
            **known,
            "BOTLOOM_LISTEN": f"127.0.0.1:{self.port}",
            "BOTLOOM_DATA_DIR": str(Path(folder) / "data"),
            "BOTLOOM_PUBLIC_URL": self.url,
            "BOTLOOM_TELEGRAM_API_ROOT": f"http://127.0.0.1:{telegram}",
        }
        for gone in ("DATABASE_URL", "REDIS_URL", "S3_BUCKET", "CLICKHOUSE_URL"):
            settings.pop(gone, None)
        commands = [["simulator", "--listen", f"127.0.0.1:{telegram}"], ["serve"]]
        self.processes = [
            subprocess.Popen([botloom, *command], env=settings, cwd=folder, stdout=self.log, stderr=self.log)
            for command in commands
        ]

    def __enter__(self):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        raise SystemExit("the server is not ready:\n" + self.said())

    def __exit__(self, *_):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(30)
        self.log.close()

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json", **self.session}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.getheader("Set-Cookie"):
            self.cookie = answer.getheader("Set-Cookie").split(";")[0]
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def must(self, method, path, body=None):
        status, answer = self.ask(method, path, body)
        if not 200 <= status < 300:
            raise SystemExit(f"{method} {path}: {status} {answer}")
        return answer

    def fill(self):
        """An owner, bots, a version, a revision, a deployment, an API token. Answers what there is, by parameter."""
        made = self.must("POST", "/auth/setup", {"email": EMAIL, "password": PASSWORD})
        self.session = {"Cookie": self.cookie, "X-CSRF-Token": made["csrfToken"]}
        for bot in ("pizza-demo", "doomed-bot"):
            self.must("POST", "/bots", {"botId": bot, "name": "Fuzzed"})
        spec = json.loads((ROOT / "spec/examples/pizza-demo/spec.json").read_text())
        self.must("POST", "/spec", spec)
        built = self.must("POST", "/generate", {"botId": "pizza-demo", "specVersion": 1})["taskId"]
        revision = self.ended(f"/tasks/{built}")["revHash"]
        deployed = self.must("POST", "/deploy", {"botId": "pizza-demo", "revHash": revision})["taskId"]
        self.ended(f"/deployments/{deployed}")
        self.must("PUT", "/bots/pizza-demo/token", {"token": "123456:AAfuzzed-bot-token"})
        project = self.must("GET", "/projects")["items"][0]["projectId"]
        token = {"name": "fuzz", "role": "owner"}
        token = self.must("POST", f"/projects/{project}/tokens", token)["token"]
        self.token = {"Authorization": f"Bearer {token}"}
        return {
            "botId": ["pizza-demo"],
            "projectId": [project],
            "revHash": [revision],
            "version": [1],
            "specVersion": [1],
            "name": ["bot.js", "spec.json", "rev.json"],
            "from": [1],
            "to": [1],
            "taskId": [built, deployed],
            "spec": [spec],
        }

    def ended(self, path):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            state = self.must("GET", path)
            if state["status"] in ("succeeded", "failed"):
                return state
            time.sleep(0.1)
        raise SystemExit(f"{path} does not end")


def strict(document, known):
    """The document with what there is among the values to try, and without the answers that stand for all others."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            del operation["responses"]["default"]
            values = dict(known)
            if (method, path) == ("delete", "/bots/{botId}"):
                # The others would have nothing left to ask about.
                values["botId"] = ["doomed-bot"]
            for parameter in operation.get("parameters", []):
                if parameter["name"] in values and not (parameter["name"] == "name" and "artifacts" not in path):
                    parameter["schema"] = either(parameter["schema"], values[parameter["name"]])
    for name, schema in document["components"]["schemas"].items():
        for field, inner in schema.get("properties", {}).items():
            # What is sent, not what is answered.
            if field in ("botId", "revHash", "specVersion") and not name.endswith(("View", "Problem")) and is_sent(document, name):
                schema["properties"][field] = either(inner, known[field])
    return document


def is_sent(document, name):
    reference = f"#/components/schemas/{name}"
    return any(
        reference in json.dumps(operation.get("requestBody", {}))
        for item in document["paths"].values()
        for operation in item.values()
    )


def either(schema, values):
    return {"anyOf": [{"enum": values}, schema]}


def fuzz(server, folder, name, headers, left_out, examples):
    """One run; answers how many requests there were, and whether all answers were fine."""
    report = Path(folder) / f"{name}.har"
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(Path(folder) / "openapi.json")]
    command += ["--url", server.url, "--checks", CHECKS, "--phases", "examples,coverage,fuzzing"]
    command += ["--max-examples", str(examples), "--rate-limit", RATE, "--seed", "1"]
    # Python 3.11 cannot parse in several threads at a time (SystemError: AST constructor recursion depth mismatch).
    command += ["--workers", "1"]
    command += ["--request-timeout", "30", "--continue-on-failure", "--no-color", "--warnings", "off"]
    command += ["--suppress-health-check", "all", "--generation-database", "none"]
    command += ["--generation-with-security-parameters", "false"]
    command += ["--report", "har", "--report-har-path", str(report)]
    for header, value in headers.items():
        command += ["--header", f"{header}: {value}"]
    for path in left_out:
        command += ["--exclude-path", path]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    ran = subprocess.run(command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    entries = json.loads(report.read_text())["log"]["entries"] if report.exists() else []
    statuses = {}
    for entry in entries:
        status = entry["response"]["status"]
        statuses[status] = statuses.get(status, 0) + 1
    if ran.returncode != 0:
        print(re.sub(r"Bearer \S+|botloom_session=\S+", "…", ran.stdout))
    told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    print(f"with a {name}: {len(entries)} requests, {told}", flush=True)
    return len(entries), ran.returncode == 0


def main():
    botloom, examples, least = str(Path(sys.argv[1]).resolve()), int(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder, Server(botloom, folder) as server:
        known = server.fill()
        document = strict(server.must("GET", "/openapi.json"), known)
        (Path(folder) / "openapi.json").write_text(json.dumps(document))
        runs = [
            fuzz(server, folder, "token", server.token, ENDLESS, examples),
            fuzz(server, folder, "session", server.session, ENDLESS + SUICIDAL, examples),
        ]
        total = sum(count for count, _ in runs)
        print(f"{total} requests in all")
        if not all(fine for _, fine in runs):
            raise SystemExit("the API does not do what its document says")
        if total < least:
            raise SystemExit(f"fewer than {least} requests: the fuzzer did not do its work")


main()
