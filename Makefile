# The commands of the project. `make run` and `make test` need nothing but Rust, Node and Python.
.PHONY: run test check regen bench fmt help

help:
	@echo "make run    build and start the server on http://127.0.0.1:8080 with embedded storage"
	@echo "make test   everything: format, lints, tests"
	@echo "make check  format and lints only"
	@echo "make regen  rewrite the generated files that tests compare (schema, OpenAPI, golden files, pages)"
	@echo "make bench  measure; see bench/README.md"

run:
	@scripts/run

test:
	@scripts/test

check:
	@scripts/check

regen:
	@scripts/regen

bench:
	@scripts/bench

fmt:
	cargo fmt --all
