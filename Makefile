# One command for each thing a reader, a user or a reviewer would do. Needs Python >= 3.10 and make, nothing else.

PY := .venv/bin/python

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

demo: .venv/ready  ## train on handwritten digits, save, and run the file on every backend where the source is not
	$(PY) -m wengert.tools.demo

test: .venv/ready  ## the tests
	$(PY) -m pytest -n 2 --dist worksteal

check: .venv/ready  ## all that a reviewer would run: lint, types, generated text, tests
	$(PY) -m wengert.tools.check

soak: .venv/ready  ## the tests, with random examples by the thousand, and the mutants
	WENGERT_SOAK=1 $(PY) -m pytest -n 2 --dist worksteal
	$(MAKE) mutants

mutants: .venv/ready  ## each derivative rule, spoilt in every way: the laws have to notice
	$(PY) tests/mutation.py --jobs 2 --write docs/mutants.md

laws: .venv/ready  ## count the cases of the laws, and measure their worst errors
	$(PY) -m pytest -q -n 2 --dist worksteal tests/laws --laws-page docs/laws.md

# The libraries of the sanitizers have to be there before Python is; what Python itself leaks is not our question.
sanitized: .venv/ready  ## the tests of compiled programs, with GCC's sanitizers of addresses and of undefined behaviour
	CC="gcc -fsanitize=address,undefined -fno-sanitize-recover=all" WENGERT_CACHE="$(CURDIR)/.venv/sanitized" \
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so):$$(gcc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 \
	$(PY) -m pytest -n 2 --dist worksteal tests/backends tests/test_agreement.py tests/laws/test_values.py \
	    tests/laws/test_derivative.py -k "not compiler and not sanitizers and not vectorised"

bench: .venv/ready  ## what gradients cost here, beside those of C by hand and of the peers that are in .venv
	$(PY) -m wengert.tools.bench

bench-scale: .venv/ready  ## what large graphs cost, stage by stage, and how it grows
	$(PY) -m wengert.tools.bench.scale --write docs/scale.md

clean:  ## everything that was made, .venv too
	rm -rf .venv build demo dist wengert.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# `pip install -e` brings the dependencies, the metadata and the `wengert` command. It maps the repository root to the
# name `wengert` by an import hook, which no type checker runs; so .venv/root/wengert is a link to the root, and a .pth
# file puts .venv/root on the path, before the hook. (A link in site-packages itself would be shorter, but a later
# `pip install .` would write through it, and `pip uninstall` would then delete the sources.)
# A candidate is run, not only found: a version manager's shim may stand for a Python that is not there.
.venv/ready: pyproject.toml
	@.venv/bin/python -c '' 2>/dev/null && exit; \
	for python in python3.13 python3.12 python3.11 python3.10 python3; do \
	    if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then \
	        echo "making .venv with $$($$python --version)"; \
	        exec $$python -m venv --clear .venv; \
	    fi; \
	done; \
	echo "wengert needs Python >= 3.10 with its venv module (on Debian: apt install python3-venv)" >&2; exit 1
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@mkdir -p .venv/root && ln -sfn ../.. .venv/root/wengert
	@echo ../../../root > "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/wengert.pth"
	@touch $@

.PHONY: help demo test check soak mutants laws sanitized bench bench-scale clean
