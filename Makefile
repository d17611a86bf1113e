# Two commands for everybody: `make demo` and `make test`. Each sets up its own environment first if it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Threads that wait do not keep a processor busy: the encoder, or a browser under test, may have it.
export OMP_WAIT_POLICY ?= PASSIVE
READY := $(VENV)/.ready
# Processes that share the tests.
WORKERS ?= 2
# A test that hangs is ended, with the stacks of all its threads; a signal could end no call into C, nor a browser's loop.
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder \
	--timeout 600 --timeout-method thread
QUICK := tests/unit tests/nodes tests/cli/test_cli.py tests/test_house.py

.PHONY: demo test lint quick check format pictures setup clean

demo: $(READY)
	$(BIN)/python -m sonic_core demo --paste-back

test: $(READY)
	$(PYTEST)

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

# What a change is tried with while it is made: about five minutes on two cores.
quick: lint
	$(PYTEST) -m "not slow" $(QUICK)

check: lint
	$(PYTEST)
	$(BIN)/python -W ignore -m tests.fuzz --minutes 1

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The sample video, the pictures of templates, README and help pages, most of them taken in a real ComfyUI; the tests that
# take them must pass.
pictures: $(READY)
	$(BIN)/python assets/make_video.py
	$(BIN)/python assets/make_thumbnails.py
	$(BIN)/python -m sonic_core generate --model sonic-preview --image assets/portrait.png --audio assets/speech.wav \
		--duration 4 --min-resolution 384 --expand-ratio 0.3 --output docs/images/result.webp
	PICTURES=docs/images $(BIN)/python -m pytest tests/browser
	$(BIN)/python -m tests.browser.portraits

setup: $(READY)

# opencv-python wants libGL, which a machine without a screen may lack; the headless build is the same code without windows.
$(READY): requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "pip>=25.1"
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --group dev --constraint constraints.txt
	$(BIN)/python -c "import cv2" || ( $(BIN)/python -m pip uninstall --quiet --yes opencv-python && \
		$(BIN)/python -m pip install --quiet --force-reinstall --no-deps opencv-python-headless --constraint constraints.txt )
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
