# The commands of the project. `make run` needs Rust; `make test` needs Node and Python too, and installs Debian packages.
.PHONY: run run-services test check check-deploy regen bench bench-storages bench-api bench-streams fuzz-api soak fmt help

help:
	@echo "make run    build and start the server on http://127.0.0.1:8080 with embedded storage"
	@echo "make run-services  PostgreSQL, Redis, S3, ClickHouse and two nodes of the server on them"
	@echo "make test   everything: format, lints, deploy files, tests on real servers"
	@echo "make check  format and lints only"
	@echo "make check-deploy  the files of deploy/ and the shell scripts only"
	@echo "make regen  rewrite the generated files that tests compare (schema, OpenAPI, golden files, pages)"
	@echo "make bench  measure; see bench/README.md"
	@echo "make bench-storages  measure embedded storage against services"
	@echo "make bench-api  measure whether heavy work holds up the API's reads"
	@echo "make bench-streams  measure when a thousand event streams get what happens"
	@echo "make fuzz-api  ask the API everything that its OpenAPI document describes, 5,000 times"
	@echo "make soak   three nodes, 100,000 updates, nodes killed and stopped all the time"

run:
	@scripts/run

run-services:
	@scripts/run-services

test:
	@scripts/test

check:
	@scripts/check

check-deploy:
	@scripts/check-deploy

regen:
	@scripts/regen

bench:
	@scripts/bench

bench-storages:
	@scripts/bench storages

bench-api:
	@scripts/bench api

bench-streams:
	@scripts/bench streams

fuzz-api:
	@scripts/fuzz-api

soak:
	@scripts/soak

fmt:
	cargo fmt --all
