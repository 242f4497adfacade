# SPDX-License-Identifier: Apache-2.0
"""CONTRIBUTING.md, "Add a provider", followed to the letter in a copy of the tree: it is enough, and all of it is needed."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# An invented host, path and way to be paid, with a price that the price file has.
ROW = """
	{ .name = "recipe",
	  .family = "tensormesh",
	  .prefixes = { "tensormesh/" },
	  .endpoints = endpoint_recipe,
	  .hosts = { "api.recipe.example" } },
"""
ENDPOINTS = """
const struct endpoint endpoint_recipe[] = {
	{ .tail = "/recipe/talk", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = NULL },
};
"""
WHOLE = """
	{ { "api.recipe.example", "/recipe/talk", "recipe/request.json", "recipe/answer.json",
	    .content = JSON },
	  { .input = 1000, .output = 100 },
	  "MODEL",
	  CHARGE_USAGE,
	  1000 * INPUT + 100 * OUTPUT },
"""


def after(table, addition):
    """The text with an addition at the head of a table of C."""
    return lambda text: re.sub(re.escape(table) + r"[^;{]*= \{\n", lambda head: head[0] + addition, text, count=1)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what is written and of what was built of it, so that only what a step changes is compiled again."""
    tree = tmp_path_factory.mktemp("recipe") / "aigress"
    shutil.copytree(ROOT, tree, symlinks=True, ignore=lambda folder, names: [
        name for name in names if name in (".git", "node_modules", "__pycache__") or
        pathlib.Path(folder) == ROOT / "build" and name not in ("user", "llhttp", "bpf", "tap.o", "tap.skel.h")])
    return tree


def price(tree):
    """A model of the price file that has a price of each kind: its name and nano-dollars per token."""
    for key, model in json.loads((tree / "data/model_prices_and_context_window.json").read_text()).items():
        if key.startswith("tensormesh/") and model.get("input_cost_per_token"):
            return key.removeprefix("tensormesh/"), *(
                round(float(model[f"{kind}_cost_per_token"]) * 1e9) for kind in ("input", "output"))
    raise AssertionError("the price file has no such model")


def steps():
    recipe = (ROOT / "CONTRIBUTING.md").read_text().split("### Add a provider")[1].split("###")[0]
    return [tuple(re.findall(r"`([^`]+)`", step)) for step in re.findall(r"^\d\. .*(?:\n   .*)*", recipe, re.M)]


def bill(tree):
    """Builds the unit test of step 6 and runs it: whether it passes, and what it printed."""
    program = "build/tests/unit/meter/test_call"
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    subprocess.run(["make", f"-j{os.cpu_count()}", program], cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([program], cwd=tree, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def test_a_provider_is_added_by_the_recipe_and_by_nothing_else(tree):
    model, nanos_in, nanos_out = price(tree)
    whole = WHOLE.replace("MODEL", model).replace("INPUT", str(nanos_in)).replace("OUTPUT", str(nanos_out))
    edits = {
        ("user/provider/provider_rows.c", "provider_rows[]"): after("provider_rows[]", ROW),
        ("user/provider/endpoint_rows.c", "endpoint_rows[]", "user/provider/provider.h", "endpoint_cohere[]"):
            lambda text: text + ENDPOINTS,
        ("user/usage/sizes.c", "size_rows[]"): after("size_rows[]", '\t{ "recipe", 42, 2800, 500 },\n'),
        ("user/usage/estimate.c", "families[]"): after("families[]", '\t{ "recipe", 1000, 7, 0 },\n'),
        ("tests/data",): None,
        ("tests/unit/meter/test_call.c", "wholes[]"): after("wholes[]", whole),
        ("docs/facts/wire.md", "OpenAI-compatible providers"): None,
    }
    assert [step[:len(key)] for step, key in zip(steps(), edits, strict=True)] == list(edits)

    data = tree / "tests/data/recipe"
    data.mkdir()
    (data / "request.json").write_text(f'{{"model":"{model}","messages":[{{"role":"user","content":"Hi"}}]}}')
    (data / "answer.json").write_text(
        f'{{"object":"chat.completion","model":"{model}","choices":[{{"index":0,"message":{{"content":"Hi"}}}}],'
        '"usage":{"prompt_tokens":1000,"completion_tokens":100}}')
    header = tree / "user/provider/provider.h"

    for (file, *_), edit in sorted(edits.items(), key=lambda step: "tests" not in step[0][0]):
        if not edit:
            continue
        text = (tree / file).read_text()
        assert edit(text) != text, f"{file}: the step finds nothing to extend"
        (tree / file).write_text(edit(text))
        if file.startswith("tests"):
            assert not bill(tree)[0], "the expected charge is met without the provider's row"
    header.write_text(header.read_text().replace("endpoint_cohere[]", "endpoint_cohere[], endpoint_recipe[]", 1))
    passes, said = bill(tree)
    assert passes, said
