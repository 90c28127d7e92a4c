# `make help` says what there is. The work is done by Cargo, `cargo xtask` and scripts/.

.DEFAULT_GOAL := help
.PHONY: help run test bench generate lint dist deploy-check scaffold-check

help:
	@echo 'make run           build the server and run it on http://127.0.0.1:8080 (documents: /docs); Ctrl-C stops it'
	@echo 'make test          every test, on SQLite and PostgreSQL, and the examples of the README'
	@echo 'make lint          formatting, lints and the rules of the house'
	@echo 'make generate      write the derived files anew: openapi.json, config/default.toml, .env.example, the catalogue of events, .sqlx'
	@echo 'make dist          build a release into target/dist: archive, Debian package, list of components, checksums'
	@echo 'make deploy-check  check Dockerfile, compose.yaml and deploy/: linters, schemas, Helm, the configuration'
	@echo 'make scaffold-check  generate, lint, compile and test every service that denizen new offers (an hour or more)'
	@echo 'make bench         measure a release build: start, memory, requests, sign-ins, deep pages, refreshes, sessions'

# The development profile: its build takes half the time of a release build, and passwords are hashed at full
# speed in both. APP_ENV=dev logs for people; APP_ENV=prod make run for machines.
run: export APP_ENV ?= dev
run:
	@echo '== Building Denizen (development profile; a few minutes the first time, seconds after)'
	@cargo build --locked --bin denizen
	@echo '== Running it on http://127.0.0.1:8080 with its data in ./data; documents: http://127.0.0.1:8080/docs; Ctrl-C stops it'
	@cargo run --quiet --locked --bin denizen -- serve

test:
	@scripts/test

bench:
	@echo '== Building a release (five to ten minutes the first time)'
	@cargo build --release --package denizen --package xtask --bins
	@echo '== Measuring it, on loopback only; BENCH="--quick" for a tenth of it, BENCH="--only NAME" for one figure'
	@scripts/with-postgres target/release/xtask bench $(BENCH)

generate:
	@echo '== Writing the derived files; the queries are checked against real databases'
	@scripts/with-postgres cargo xtask generate

lint:
	@echo '== Formatting'
	@cargo fmt --all --check
	@echo '== Lints'
	@cargo clippy --workspace --all-targets -- -D warnings
	@echo '== House rules'
	@cargo xtask tidy

# DENIZEN_PROFILE=dev builds faster and larger.
dist:
	@scripts/dist

deploy-check:
	@scripts/deploy-check

# ONLY="axum-sqlx -diesel-" for some of the combinations.
scaffold-check:
	@scripts/scaffold-check $(ONLY)
