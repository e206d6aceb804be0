# Every target installs what it needs; a new machine needs only Python >= 3.10 and make.
# The virtual environment is made once and updated when pyproject.toml changes.

PYTHON = python3
ARGS =
PYODIDE = official

VENV = .venv
PARITY_VENV = .venvs/parity
GPU_VENV = .venvs/gpu
NVRTC_VENV = .venvs/nvrtc
comma = ,
# The driver of an NVIDIA card on Linux or WSL. With a card, the tests need the CUDA libraries, too (3 GB).
CARD = $(wildcard /dev/nvidia[0-9]* /usr/lib/wsl/lib/libcuda.so.1)
GPU_EXTRAS = gpu-test$(if $(CARD),$(comma)gpu)
KERNEL_TESTS = tests/test_backends.py tests/test_inference.py
MODELS = baseline model1 model2 model3 model4 model5 model5_residual model6 model7

.DEFAULT_GOAL = help
.PHONY: help reproduce test mutation test-browser test-site chromium test-gpu test-cpus test-versions nvrtc compiler lint docs site parity bench clean $(MODELS)
.NOTPARALLEL:  # two simultaneous pip runs would break the environment
.SECONDARY:    # make must not delete the stamps

help:
	@echo "make TARGET [ARGS=\"...\"] [PYTHON=python3.12]"
	@echo
	@echo "  model5    train Model 5 and show its metrics; likewise: baseline, model1 ... model7"
	@echo "            (make model5 ARGS=\"--epochs 3\", make model5 ARGS=--help)"
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/\1@\2/p' Makefile | awk -F@ '{ printf "  %-13s %s\n", $$1, $$2 }'

$(MODELS): $(VENV)/.has-fast,report
	@$(VENV)/bin/python examples/$@.py $(ARGS)

reproduce: $(VENV)/.has-fast,report  ## train all models with three seeds and write the whole report again (ARGS=--help)
	@$(VENV)/bin/python -m examples.reproduce $(ARGS)

test: $(VENV)/.has-test  ## run the tests (ARGS="-k conv2d" selects some)
	@$(VENV)/bin/python -c "from minicnn.backends.availability import check_numba; check_numba()"  # without Numba, its tests would be skipped
	@$(VENV)/bin/python -m pytest --ignore=tests/parity --ignore=tests/gpu --ignore=tests/nvrtc --ignore=tests/browser $(ARGS)

mutation: $(VENV)/.has-test  ## plant every mistake of the gradient doctor's catalogue: do the tests notice it?
	@$(VENV)/bin/python -m tests.mutation $(ARGS)

test-browser: chromium $(VENV)/.has-browser-test  ## run the tests of the explorer in Chromium
	@$(VENV)/bin/python -m pytest tests/browser --ignore=tests/browser/live $(ARGS)

test-site: chromium $(VENV)/.has-browser-test,docs build/pyodide  ## run the pages of "make site" in Chromium (downloads Pyodide, 85 MB)
	@PYODIDE=build/pyodide $(VENV)/bin/python -m pytest tests/browser/live $(ARGS)

test-gpu: compiler $(GPU_VENV)/.has-$(GPU_EXTRAS)  ## run the GPU's tests, on a pretend device if there is no GPU
	@$(GPU_VENV)/bin/python -m pytest tests/gpu $(ARGS)

test-cpus: $(VENV)/.has-test  ## run the kernels' tests, compiled for older CPUs: with AVX2, and without it
	@[ "$$(uname -m)" = x86_64 ] || { echo "test-cpus needs an x86 processor." >&2; exit 1; }
	@NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES=+avx,+avx2,+fma $(VENV)/bin/python -m pytest $(KERNEL_TESTS) $(ARGS)
	@NUMBA_CPU_NAME=generic $(VENV)/bin/python -m pytest $(KERNEL_TESTS) $(ARGS)

test-versions:  ## run the tests of an installed wheel on the oldest and the newest dependencies, and without Numba
	@PYTHON=$(PYTHON) .ci/test-versions $(ARGS)

nvrtc: $(NVRTC_VENV)/.has-nvrtc  ## compile the GPU's kernels for real GPUs, without one (installs NVIDIA's compiler)
	@$(NVRTC_VENV)/bin/python -m pytest -q tests/nvrtc $(ARGS)
	@$(NVRTC_VENV)/bin/python -m tests.nvrtc

lint: $(VENV)/.has-test  ## check style (ruff) and types (mypy)
	@$(VENV)/bin/python -m ruff check .
	@$(VENV)/bin/python -m ruff format --check .
	@$(VENV)/bin/python -m mypy

docs: $(VENV)/.has-docs  ## build the documentation into site/
	@PYODIDE= NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict $(ARGS)

site: $(VENV)/.has-docs  ## build the documentation with code that runs in the page (PYODIDE=DIR: without network)
	@PYODIDE="$(PYODIDE)" NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict $(ARGS)

parity: $(PARITY_VENV)/.has-parity  ## compare with PyTorch and Keras (installs both, about 3 GB)
	@$(PARITY_VENV)/bin/python -c "import torch, keras"
	@$(PARITY_VENV)/bin/python -m pytest tests/parity $(ARGS)
	@$(PARITY_VENV)/bin/python -m tests.parity.keras_own

# The pretend device compiles kernels on this machine.
compiler:
	@[ "$(CARD)" ] || command -v g++ >/dev/null || \
		{ echo "Without a GPU, its tests need g++. On Debian and Ubuntu: apt install g++" >&2; exit 1; }

# Debian's Chromium, or the one that the variable CHROMIUM names. Root may install it.
chromium:
	@[ -x "$(CHROMIUM)" ] || command -v chromium chromium-browser google-chrome >/dev/null || \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -qq -y chromium; } || \
		{ echo "The browser tests need Chromium. On Debian and Ubuntu: apt install chromium; or set CHROMIUM to its path." >&2; exit 1; }

build/pyodide: .ci/get-pyodide docs/classroom/pyodide.json
	@PYTHON=$(VENV)/bin/python .ci/get-pyodide $@

bench: $(VENV)/.has-bench  ## compare the speed with Keras, PyTorch and DeZero (installs them; ARGS=--quick is short)
	@$(VENV)/bin/python -m benchmarks --install $(ARGS)

clean:  ## remove all files made by make, also environments; keep trained models in runs/
	rm -rf .venv .venvs site build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(VENV)/.has-EXTRAS: the stamp file of an environment in which minicnn-edu[EXTRAS] is installed.
%/.created:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10))" || \
		{ echo "minicnn needs Python 3.10 or newer, and '$(PYTHON)' is older. Give another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" || \
		{ echo "'$(PYTHON)' lacks its venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Creating the virtual environment $* (once) ..."
	@$(PYTHON) -m venv $*
	@$*/bin/python -m pip install -qq --upgrade pip
	@touch $@

define install
	@echo "Installing minicnn-edu[$*] into $(@D) (once; this may take some minutes) ..."
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check --editable ".[$*]"
	@touch $@
endef

$(VENV)/.has-%: pyproject.toml | $(VENV)/.created
	$(install)

$(PARITY_VENV)/.has-%: pyproject.toml | $(PARITY_VENV)/.created
	$(install)

$(GPU_VENV)/.has-%: pyproject.toml | $(GPU_VENV)/.created
	$(install)

$(NVRTC_VENV)/.has-%: pyproject.toml | $(NVRTC_VENV)/.created
	$(install)
