# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets. Quiet unless V=1. CFLAGS, LDFLAGS, CC and every path are the builder's own.

NAME    := aigress
VERSION := $(shell cat VERSION)
B       := build
LIBS    := libbpf libelf jansson yaml-0.1 sqlite3 libnghttp2 capstone zlib libbrotlidec libzstd libcap-ng libseccomp ncursesw \
           libcurl libmicrohttpd hiredis openssl
CLANG   ?= clang
BPFTOOL ?= $(or $(shell command -v bpftool 2>/dev/null),/usr/sbin/bpftool)
LLHTTP  ?= /usr/share/llhttp
ARCH    := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/$(NAME)
DATADIR    ?= $(PREFIX)/share/$(NAME)
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
SYSCONFDIR ?= /etc
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
FISHDIR    ?= $(PREFIX)/share/fish/vendor_completions.d
UNITDIR    ?= /lib/systemd/system
INSTALL    ?= install

# CFLAGS stays the builder's; what the code needs lies beside it.
CFLAGS  ?= -O2 -g
needs   := -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wstrict-prototypes \
           -Wno-unused-parameter -Werror -MMD -MP -Iinclude -Iuser \
           -DAIGRESS_VERSION=$(VERSION)
ifeq ($(SANITIZE),1)
B       := build/sanitize
needs   += -g -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
# The same run of the unit tests shows which lines they reach.
needs   += --coverage -fprofile-update=atomic
endif
needs   += -I$(B) -isystem $(LLHTTP)/../include/llhttp $(shell pkg-config --cflags $(LIBS) 2>/dev/null)
libs    := $(shell pkg-config --libs $(LIBS) 2>/dev/null) -lm -lpthread
bpf     := -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -O2 -g -Wall -Werror -MMD -MP -Iinclude -Ibpf \
           -idirafter /usr/include/$(MULTIARCH)

# base/wiping.c replaces the heap of the program alone, so it lies in no archive that tests link.
src     := $(filter-out user/base/wiping.c,$(wildcard user/*/*.c user/*/*/*.c))
parser  := $(wildcard $(LLHTTP)/*.c)
obj     := $(src:%.c=$(B)/%.o) $(parser:$(LLHTTP)/%.c=$(B)/llhttp/%.o)
probes  := $(patsubst %.c,$(B)/%.o,$(wildcard bpf/*.bpf.c))
tests   := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*/test_*.c))
# The sanitizers have a heap of their own, so there is nothing that wipes.
tests   := $(if $(SANITIZE),$(filter-out %/test_wiping,$(tests)),$(tests))
ontests := $(patsubst %.c,$(B)/%,$(wildcard tests/kernel/test_*.c))
benches := $(patsubst %.c,$(B)/%,$(filter-out %.bpf.c,$(wildcard tests/bench/*.c)))
fuzzers := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

comma   := ,
Q       := $(if $(V),,@)
# For what builds on its own account, unless whoever called has said how many.
jobs     = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
say      = $(if $(V),,@printf '  %-5s %s\n' $(1) $(@:$(B)/%=%) &&) mkdir -p $(@D) &&

all: $(B)/$(NAME) ## build the program (no root needed)

# The sanitizers have a heap of their own.
wiping  := $(if $(SANITIZE),,$(B)/user/base/wiping.o)
$(B)/$(NAME): $(B)/user/main.o $(wiping) $(B)/$(NAME).a
	$(call say,LD) $(CC) $(needs) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(libs)
# An archive, so that a test or a fuzzer links only the modules it reaches.
$(B)/$(NAME).a: $(obj)
	$(call say,AR) rm -f $@ && ar rcs $@ $^
$(B)/%.o: %.c
	$(call say,CC) $(CC) $(needs) $(CFLAGS) -c -o $@ $<
$(B)/llhttp/%.o: $(LLHTTP)/%.c
	$(call say,CC) $(CC) $(needs) $(CFLAGS) -w -c -o $@ $<
$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF) $(CLANG) $(bpf) -c -o $@ $<
$(B)/tap.o: $(probes)
	$(call say,LINK) $(BPFTOOL) gen object $@ $^
$(B)/tap.skel.h: $(B)/tap.o
	$(call say,SKEL) $(BPFTOOL) gen skeleton $< name tap_bpf > $@
$(patsubst %.c,$(B)/%.o,$(wildcard user/tap/*.c)): | $(B)/tap.skel.h

$(B)/user/meter/price_builtin.o build/fuzz/user/meter/price_builtin.o: $(wildcard data/*.json)
$(B)/user/main.o $(B)/user/cmd/run.o: VERSION
$(B)/user/web/assets.o build/fuzz/user/web/assets.o: $(filter-out %.c %.h,$(wildcard user/web/*))

$(B)/tests/unit/%.o: needs += -Itests/unit
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/$(NAME).a
	$(call say,LD) $(CC) $(needs) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(libs) -lcmocka
# Its malloc() and its kin fail when the test says so.
$(addprefix $(B)/tests/unit/base/,test_memory test_memory_rooms test_memory_calls): \
	LDFLAGS += $(addprefix -Wl$(comma)--wrap=,malloc calloc aligned_alloc realloc strdup free)
# Its perf events are memory that the test writes, its seconds are short.
$(B)/tests/unit/find/test_find $(B)/tests/unit/find/test_finder $(B)/tests/unit/find/test_map_events: \
	LDFLAGS += $(addprefix -Wl$(comma)--wrap=,syscall mmap mmap64 timerfd_settime)
$(B)/tests/kernel/%: $(B)/tests/kernel/%.o $(B)/$(NAME).a
	$(call say,LD) $(CC) $(needs) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(libs) -lcmocka -lssl -lcrypto

check-unit: $(tests) ## unit tests (no root needed)
	$(Q)tests/run programs $^

LINTS ?= lint-format lint-length lint-layers lint-circles lint-analyze lint-shell lint-python lint-spelling lint-references lint-man lint-version lint-dist
lint: all ## format, length, layers, circles between files, static analysis, shell, Python, spelling, references, man pages, version (no root needed)
	$(Q)MAKE="$(MAKE) -j$(shell nproc)" tests/run steps $(LINTS)

# A release's archive has no .git; there it is every file.
written := $(shell git ls-files 2>/dev/null || find . -type f ! -path './build/*' | sed 's|^\./||')
written := $(filter-out data/% tests/data/% tests/fuzz/corpus/% tests/replay/%.events tests/replay/%.jsonl LICENSE% \
	  tests/lib/corpus.json %/package-lock.json debian/changelog,$(written))

lint-format:
	$(Q)clang-format-14 --dry-run -Werror $(filter %.c %.h,$(written))
# A file that has grown beyond this has two subjects.
lint-length:
	$(Q)wc -l $(filter %.c %.h %.py %.js,$(written)) $(shell grep -lE '^#! ?/' $(written) 2>/dev/null) | sort -u | \
		awk '$$2 != "total" && $$1 > 500 { print $$2 ": " $$1 " lines; the most is 500"; bad = 1 } END { exit bad }'
lint-layers:
	$(Q)scripts/check-layers
lint-circles: $(obj) $(B)/user/main.o
	$(Q)scripts/check-circles $(filter $(B)/user/%,$^)
# A stamp for each file, so that only what has changed is looked at again.
lint-analyze:
	$(Q)$(MAKE) --no-print-directory -k $(jobs) $(patsubst %.c,$(B)/stamps/analyze/%,$(src) user/main.c user/base/wiping.c)
$(B)/stamps/analyze/%: %.c scripts/analyze scripts/analyzer/sys/queue.h | $(B)/tap.skel.h
	$(Q)mkdir -p $(@D)
	$(Q)scripts/analyze $< $(filter-out -MMD -MP -Werror,$(needs)) -MMD -MP -MT $@ -MF $@.d
	$(Q)touch $@
lint-shell:
	$(Q)shellcheck completion/aigress.bash $(shell grep -lE '^#! ?/bin/(ba)?sh' $(written) 2>/dev/null)
lint-python:
	$(Q)pyflakes3 $(filter %.py,$(written)) $(shell grep -l '^#!/usr/bin/python3' $(filter scripts/% tests/run,$(written)))
lint-spelling:
	$(Q)codespell --ignore-words scripts/spelling $(filter-out scripts/spelling,$(written))
lint-references:
	$(Q)scripts/check-references $(written)
lint-man:
	$(Q)mandoc -Tlint -W warning man/*
lint-version: $(B)/$(NAME)
	$(Q)scripts/check-version $<
lint-dist:
	$(Q)[ -e .git ] || { echo "no git here to make an archive of"; exit 77; }; \
	$(MAKE) --no-print-directory DIST=$(B)/lint/1 dist && $(MAKE) --no-print-directory DIST=$(B)/lint/2 dist && \
	diff -r $(B)/lint/1 $(B)/lint/2 && cd $(B)/lint/1 && sha256sum --quiet -c SHA256SUMS

# For clangd and other tools that ask how a file is compiled.
comma := ,
entry = {"directory": "$(CURDIR)", "file": "$1", "command": "$2 -c $1"}
entries = $(foreach f,$1,$(comma)$(call entry,$f,$2))
compile_commands.json: Makefile VERSION $(src) $(B)/tap.skel.h ## how each C file is compiled, for editors
	$(file >$@,[$(call entry,user/main.c,$(CC) $(needs) $(CFLAGS)))
	$(file >>$@,$(call entries,$(src) $(filter-out %.bpf.c,$(wildcard tests/kernel/*.c tests/bench/*.c tests/fuzz/*.c)),$(CC) $(needs) $(CFLAGS)))
	$(file >>$@,$(call entries,$(wildcard tests/unit/*/*.c),$(CC) $(needs) -Itests/unit $(CFLAGS)))
	$(file >>$@,$(call entries,$(wildcard bpf/*.bpf.c),$(CLANG) $(bpf))])

# What is committed, with the times of its commit and no name or time of the packing.
DIST ?= build/dist
dist: ## the source of this commit as a reproducible archive in build/dist, with its SHA256SUMS
	$(Q)rm -rf $(DIST) && mkdir -p $(DIST)
	$(Q)git archive --format=tar --prefix=$(NAME)-$(VERSION)/ HEAD | gzip -9n >$(DIST)/$(NAME)-$(VERSION).tar.gz
	$(Q)cd $(DIST) && sha256sum $(NAME)-$(VERSION).tar.gz >SHA256SUMS

check-replay: $(B)/$(NAME) ## recorded events of real clients through the pipeline (no root needed)
	$(Q)AIGRESS=$(abspath $<) tests/run pytest -q tests/replay

check-completion: $(B)/$(NAME) ## what the shells complete is what the program has (no root needed)
	$(Q)AIGRESS=$(abspath $<) tests/run pytest -q tests/completion

check-recipes: $(B)/$(NAME) ## a recipe of CONTRIBUTING.md, followed in a copy of the tree (no root needed)
	$(Q)tests/run pytest -q tests/recipes

check-kernel: $(ontests) ## tests of the probes on this kernel (root)
	$(Q)tests/run serial $^

$(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/$(NAME).a
	$(call say,LD) $(CC) $(needs) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(libs) -lcmocka -lssl -lcrypto

# After the installing, for the reason given at `run`.
bench: ## what it costs, as ratios of paired runs; about 10 minutes on a quiet host (root)
	$(Q)scripts/deps build bench
	$(Q)$(MAKE) --no-print-directory all bench-programs
	$(Q)/usr/bin/python3 tests/bench/run.py $(BENCHES)
bench-programs: $(benches) $(B)/tests/bench/tap.o
$(B)/tests/bench/packet.bpf.o: tests/bench/packet.bpf.c
	$(call say,BPF) $(CLANG) $(bpf) -c -o $@ $<
# As it is loaded, with the programs on packets as packet_run.c runs them.
$(B)/tests/bench/tap.o: $(filter-out $(B)/bpf/flow.bpf.o,$(probes)) $(B)/tests/bench/packet.bpf.o
	$(call say,LINK) $(BPFTOOL) gen object $@ $^

KERNELS ?= $(shell sed 's/\#.*//; s/\t.*//' tests/vm/kernels)
check-kernels: all $(ontests) ## the same on other kernels, in QEMU (root; KERNELS="6.1 6.12")
	$(Q)scripts/deps vm
	$(Q)tests/run kernels $(KERNELS) -- $(ontests)

fuzz: $(fuzzers) ## build the fuzzers
# One instrumented archive for all fuzzers; each driver alone has a main.
fuzzed := $(filter-out -Werror,$(needs)) -w -g -O1 -fsanitize=address,undefined
build/fuzz/$(NAME).a: $(patsubst %.c,build/fuzz/%.o,$(src)) $(parser:$(LLHTTP)/%.c=build/fuzz/llhttp/%.o)
	$(call say,AR) rm -f $@ && ar rcs $@ $^
build/fuzz/llhttp/%.o: $(LLHTTP)/%.c
	$(call say,FUZZ) $(CLANG) $(fuzzed) -fsanitize=fuzzer-no-link -c -o $@ $<
build/fuzz/%.o: %.c | $(B)/tap.skel.h
	$(call say,FUZZ) $(CLANG) $(fuzzed) -fsanitize=fuzzer-no-link -c -o $@ $<
build/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o build/fuzz/$(NAME).a
	$(call say,LD) $(CLANG) $(fuzzed) -fsanitize=fuzzer -o $@ $^ $(libs)

# Dependencies come first and in a make of their own, because
# pkg-config is asked when a Makefile is read.
run: ## install what is missing, build, watch this host (root)
	$(Q)scripts/deps build
	$(Q)$(MAKE) --no-print-directory all
	$(Q)exec build/$(NAME) run

check: ## install what is missing, build, run all tests (root)
	$(Q)scripts/deps build test lint
	$(Q)$(MAKE) --no-print-directory $(jobs) all
	$(Q)scripts/leftovers before build/leftovers.json
	$(Q)MAKE="$(MAKE) -j$(shell nproc)" AIGRESS_CHECK=$$$$ tests/run make $(CHECKS) -- $(BESIDE) -- check-leftovers

# One after the other, and beside them, with low priority, those that only compute: most of the first wait.
CHECKS ?= check-unit check-kernel check-integration check-node
BESIDE ?= check-lab lint check-sanitize check-replay check-completion check-recipes check-chart check-fuzz check-oldest

check-leftovers:
	$(Q)scripts/leftovers after build/leftovers.json

check-sanitize: ## unit tests and replays under ASan and UBSan, and what share of each room the unit tests reach
	$(Q)MAKE="$(sanitized)" tests/run make coverage-tests coverage-share check-replay

sanitized = $(MAKE) -j$(shell nproc) SANITIZE=1 CFLAGS=-O1
coverage: ## what share of each room's lines the unit tests reach, in percent; at least 80 of all, 70 of each
	$(Q)$(sanitized) --no-print-directory coverage-tests
	$(Q)$(sanitized) --no-print-directory coverage-share
coverage-tests: $(tests)
	$(Q)find $(B) -name '*.gcda' -delete
	$(Q)tests/run programs $^
coverage-share:
	$(Q)scripts/coverage $(B)

check-fuzz: $(fuzzers) ## a bounded run of each fuzzer over its corpus (FUZZ_RUNS=20000)
	$(Q)tests/run fuzz $^

# Samples, for each change, of check-kernels and check-kubernetes.
check-oldest: $(B)/tests/kernel/test_verifier ## do the programs load on the oldest kernel? In QEMU (root)
	$(Q)scripts/deps vm
	$(Q)scripts/vm $(firstword $(KERNELS)) tests/run serial $^
check-lab: ## build the programs of a Kubernetes node for check-node, 5 minutes where they are not there yet
	$(Q)tests/run steps lab
lab:
	$(Q)scripts/deps kubernetes
	$(Q)scripts/kubernetes $(LAB) || { [ $$? = 3 ] && exit 77; exit 1; }
check-node: all ## a real Kubernetes node: what pods spend, their names, a runaway (root; builds the node)
	$(Q)scripts/deps kubernetes
	$(Q)tests/run pytest -q tests/kubernetes/test_node.py -k "bill or names or privilege or runaway_is or events"

# WORKERS=shared: by two at once, in 14 minutes instead of 24. In each of three runs one or two tests that race with their neighbours failed so.
WORKERS ?= pytest
check-integration: all ## real clients, a fake API, the real program (root; WORKERS=shared: two at once)
	$(Q)tests/run $(WORKERS) -q tests/integration $(PYTEST_ARGS)

# The real agents and runtimes, from npm (2 GB, kept). What was measured becomes docs/COVERAGE.md.
check-clients: all ## released agents and runtimes, each against the bill; writes docs/COVERAGE.md (root; 10 minutes)
	$(Q)scripts/clients
	$(Q)AIGRESS_COVERAGE=$(abspath docs/COVERAGE.md) AIGRESS_ALL_CLIENTS=1 tests/run pytest -q tests/integration/test_stripped.py $(PYTEST_ARGS)

SOAK_SECONDS ?= 1800
check-soak: all ## one daemon, everything at once, for long: bills, memory, what is left (root; SOAK_SECONDS=1800)
	$(Q)SOAK_SECONDS=$(SOAK_SECONDS) tests/run pytest -q tests/soak $(PYTEST_ARGS)

CALLS ?= 10000
check-pairs: all ## which socket carries which TLS connection, for PAIRS=1000 sockets of each stack (root)
	$(Q)AIGRESS_PAIRS=$(or $(PAIRS),1000) tests/run pytest -q -s tests/integration/test_pairs.py

check-first-calls: all ## first calls by fresh processes of 200 executables, 16 at a time (root; CALLS=10000)
	$(Q)/usr/bin/python3 tests/soak/first_calls.py $(CALLS)

# Kept from run to run: the programs of the node take minutes to build.
LAB ?= $(or $(AIGRESS_LAB),$(or $(XDG_CACHE_HOME),/var/cache)/aigress-lab)
check-kubernetes: all ## a real Kubernetes node, pods that spend, the release on it (root)
	$(Q)scripts/deps kubernetes
	$(Q)tests/run pytest -q tests/kubernetes $(PYTEST_ARGS)

deps: ## install what building and testing need (root)
	$(Q)scripts/deps build test lint

check-chart: ## the chart and the plugin, as far as they need no node
	$(Q)scripts/deps kubernetes
	$(Q)WITHOUT_NODE=1 tests/run pytest -q -rs tests/kubernetes/test_chart.py tests/kubernetes/test_plugin.py

# The guest's root is a tmpfs over the host's: what the node writes lies in memory.
check-kubernetes-v2: all ## the same on pure cgroup v2, in QEMU: what pods spend, a runaway (root; 20 minutes)
	$(Q)scripts/deps kubernetes vm
	$(Q)scripts/kubernetes $(LAB)
	$(Q)VM_MEMORY=8192 VM_SECONDS=3600 scripts/vm 6.12 env AIGRESS_LAB=$(LAB) AIGRESS_NODE=/run/aigress-node \
		AIGRESS_NODE_CGROUP=/ AIGRESS_NODE_PATIENCE=10 tests/run pytest -v tests/kubernetes/test_node.py -k "not killed and not upgrade"

deb: ## build a Debian package in build/deb
	$(Q)scripts/deps build deb
	$(Q)rm -f build/deb/*.deb
	$(Q)debian/rules clean binary

check-deb: deb ## the Debian package: lintian, installed, used, purged (root)
	$(Q)scripts/deps deb-test
	$(Q)tests/run pytest -q tests/deb

# A machine of its own, because the tests install the package and end its daemon.
check-systemd: deb ## the package and its unit under systemd as pid 1, in QEMU (root; 5 minutes)
	$(Q)scripts/deps vm
	$(Q)VM_APPEND=vm.init=systemd VM_SECONDS=1800 scripts/vm 6.12 env VM_GUEST=1 tests/run pytest -q tests/systemd

# What the chart becomes for those who have no Helm; a test holds the two together.
HELM ?= $(LAB)/bin/helm
manifests: ## render deploy/kubernetes/aigress.yaml from the chart, after it has the rules and the dashboard
	$(Q)cp deploy/prometheus/aigress.rules.yaml deploy/helm/aigress/files/rules.yaml
	$(Q)cp deploy/grafana/aigress.json deploy/helm/aigress/files/dashboard.json
	$(Q)deploy/kubernetes/render $(HELM) >deploy/kubernetes/aigress.yaml.new
	$(Q)mv deploy/kubernetes/aigress.yaml.new deploy/kubernetes/aigress.yaml

docs := $(wildcard README.md CHANGELOG.md SECURITY.md data/NOTICE.md)
# In folders as they are here, because they link to each other.
pages := $(wildcard docs/*.md docs/*.png docs/design/*.md docs/facts/*.md)
examples := $(wildcard deploy/*.yaml examples/*.yaml)
units := $(wildcard deploy/systemd/*.service)
# For those who set up others: the dashboard, alert rules, the chart, what it renders to, kubectl's plugin.
shared := $(shell cd deploy && find grafana prometheus helm kubernetes/aigress.yaml kubectl-aigress -type f | LC_ALL=C sort)

install: all ## install below DESTDIR and PREFIX
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(DOCDIR)
	$(INSTALL) -m 755 $(B)/$(NAME) $(DESTDIR)$(BINDIR)/$(NAME)
	$(INSTALL) -m 644 LICENSE $(docs) $(examples) $(DESTDIR)$(DOCDIR)
	set -e; for page in $(pages); do $(INSTALL) -D -m 644 $$page $(DESTDIR)$(DOCDIR)/$$page; done
	set -e; for page in $(wildcard man/*.[58]); do \
		$(INSTALL) -d $(DESTDIR)$(MANDIR)/man$${page##*.}; \
		$(INSTALL) -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}; done
	$(INSTALL) -D -m 644 deploy/systemd/aigress.sysusers $(DESTDIR)$(SYSUSERSDIR)/$(NAME).conf
	$(INSTALL) -D -m 644 completion/aigress.bash $(DESTDIR)$(BASHDIR)/$(NAME)
	$(INSTALL) -D -m 644 completion/_aigress $(DESTDIR)$(ZSHDIR)/_$(NAME)
	$(INSTALL) -D -m 644 completion/aigress.fish $(DESTDIR)$(FISHDIR)/$(NAME).fish
	set -e; for file in $(shared); do \
		$(INSTALL) -D -m $$(test -x deploy/$$file && echo 755 || echo 644) deploy/$$file $(DESTDIR)$(DATADIR)/$$file; done
	set -e; for unit in $(units); do $(INSTALL) -d $(DESTDIR)$(UNITDIR); \
		sed 's|/usr/local/bin|$(BINDIR)|g' $$unit >$(DESTDIR)$(UNITDIR)/$${unit##*/}; \
		chmod 644 $(DESTDIR)$(UNITDIR)/$${unit##*/}; done

uninstall: ## remove what install put there; the ledger and /etc stay
	rm -f $(DESTDIR)$(BINDIR)/$(NAME) $(DESTDIR)$(BASHDIR)/$(NAME) $(DESTDIR)$(ZSHDIR)/_$(NAME) \
		$(DESTDIR)$(FISHDIR)/$(NAME).fish $(DESTDIR)$(SYSUSERSDIR)/$(NAME).conf
	rm -rf $(DESTDIR)$(DOCDIR) $(DESTDIR)$(DATADIR)
	set -e; for page in $(notdir $(wildcard man/*.[58])); do \
		rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$$page; done
	set -e; for unit in $(notdir $(units)); do rm -f $(DESTDIR)$(UNITDIR)/$$unit; done

clean: ## remove what was built
	$(Q)rm -rf build

help: ## this list
	$(Q)sed -n 's/^\([a-z_.-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

.PHONY: all run check-clients bench bench-programs check lint $(LINTS) dist coverage coverage-tests coverage-share check-leftovers check-completion check-recipes check-unit check-kernel check-kernels check-sanitize \
	check-fuzz check-integration check-lab lab check-soak check-pairs check-first-calls check-kubernetes check-kubernetes-v2 check-node check-oldest check-chart check-deb check-systemd deb manifests fuzz deps install uninstall clean help
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
