# SPDX-License-Identifier: Apache-2.0
"""
Text whose tokens are known, so that an estimate of them can be wrong: corpus.json holds pieces of
this project's own prose, code, YAML and JSON, and some sentences in other languages, each with its
count in o200k (gpt-tokenizer 3.4.0, the empty line behind a piece included).
"""
import json
import os
import re

END = "\n\n"    # behind each piece

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus.json"), encoding="utf-8") as _file:
    PIECES = {text: count for count, text in json.load(_file)}

# Against o200k; docs/facts/wire.md, "Tokenizer factors" and "Tokens that are not in the text".
CLAUDE = 1.45
FRAMING, FRAMING_MESSAGE = 7, 4


def draw(rng, n_bytes):
    """About so many bytes, no piece twice (all together are 53 kB)."""
    out, size = [], 0
    for piece in rng.sample(list(PIECES), len(PIECES)):
        if size >= n_bytes:
            break
        out.append(piece + END)
        size += len(out[-1].encode())
    return "".join(out)


def count(text):
    """Its tokens in o200k; of text from draw() alone."""
    left, total = text, 0
    for piece, tokens in PIECES.items():
        if piece + END in left:
            left = left.replace(piece + END, "")
            total += tokens
    assert not left.strip(), f"not from the corpus: {left[:80]!r}"
    return total


def factor(model):
    return CLAUDE if model.startswith("claude") else 1.0


def prompt_tokens(body):
    """What a provider would count of a request whose messages are from draw()."""
    messages = body["messages"]
    text = sum(count(message["content"]) for message in messages)
    return round(text * factor(body["model"])) + FRAMING + FRAMING_MESSAGE * len(messages)


def token_pieces(text):
    """Cut about as tokens are, a bit above four bytes each."""
    return re.findall(r"\s?\w{1,8}|\s?[^\w\s]{1,3}|\s+", text)
