# SPDX-License-Identifier: MPL-2.0
# Everything a person or CI runs. `make run` first.
PLUGINS_RELEASE := $(CURDIR)/target/release
ADDRESS ?= 127.0.0.1:8080

.PHONY: run test check bench inspect plugin

run: ## installs what is missing, builds, shows a test picture and tone in the browser
	@scripts/setup run
	@echo "run: building the plugin (release)"
	@cargo build --release --locked -p gst-plugin-rtc
	@echo "run: starting a test picture and tone; open the address below in a browser, Ctrl-C ends it"
	GST_PLUGIN_PATH=$(PLUGINS_RELEASE) gst-launch-1.0 -q \
		videotestsrc is-live=true pattern=ball ! video/x-raw,width=1280,height=720,framerate=30/1 ! timeoverlay ! rtcsink name=s web-address=$(ADDRESS) \
		audiotestsrc is-live=true wave=sine freq=440 volume=0.2 ! s.

plugin: ## builds the plugin the tests load
	@cargo build --locked -p gst-plugin-rtc

test: ## the same set-up and every test, browsers included
	@scripts/setup test
	@echo "test: building the plugin"
	@cargo build --locked -p gst-plugin-rtc
	@echo "test: documentation examples"
	@cargo test --locked --doc --workspace --quiet
	@echo "test: every test"
	@cargo nextest run --locked --workspace --no-fail-fast

check: ## format, lints, docs: what a change must pass
	@scripts/setup run
	@echo "check: format"
	@cargo fmt --all --check
	@echo "check: lints"
	@cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	@echo "check: documentation"
	@RUSTDOCFLAGS=-Dwarnings cargo doc --locked --workspace --no-deps --quiet
	@echo "check: done"

inspect: plugin ## writes the golden gst-inspect texts anew
	@UPDATE_GOLDEN=1 cargo nextest run --locked -p rtc-tests -E 'test(inspect)'

bench: ## measures, writes target/bench/
	@scripts/setup bench
	@scripts/bench
