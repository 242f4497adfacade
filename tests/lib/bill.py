# SPDX-License-Identifier: Apache-2.0
"""What the fake API billed: exact decimals, one JSON line an exchange."""
import json
import os
import threading
from decimal import ROUND_HALF_UP, Decimal

PRICES = os.path.join(os.path.dirname(__file__), "..", "..", "data",
                      "model_prices_and_context_window.json")
NANO = Decimal("1e-9")

# Ours, in the report's words, to LiteLLM's. Reasoning is inside output, so it has no price here.
CLASSES = {
    "input": "input_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "output": "output_cost_per_token",
    "audio_input": "input_cost_per_audio_token",
    "audio_output": "output_cost_per_audio_token",
}


class Prices:
    def __init__(self, path=PRICES):
        with open(path, encoding="utf-8") as file:
            self.entries = json.load(file, parse_float=Decimal, parse_int=Decimal)

    def cost(self, model, tokens):
        """USD as text with nine decimals, rounded half up once a call; None: no such model."""
        entry = self.entries.get(model)
        if entry is None:
            return None
        total = sum((tokens.get(name, 0) * entry.get(key, Decimal(0))
                     for name, key in CLASSES.items()), Decimal(0))
        return str(total.quantize(NANO, ROUND_HALF_UP))


class Bill:
    """Rows are whole lines, written as an exchange ends."""

    def __init__(self, path):
        self.prices = Prices()
        self.file = open(path, "a", encoding="utf-8", buffering=1)
        self.lock = threading.Lock()
        self.next_id = 1

    def take_id(self):
        with self.lock:
            self.next_id += 1
            return self.next_id - 1

    def add(self, row):
        billed = row["status"] < 400
        prefix = "gemini/" if row["host"] == "generativelanguage.googleapis.com" else ""
        row["cost_usd"] = self.prices.cost(prefix + row["model"], row["tokens"]) if billed else "0.000000000"
        with self.lock:
            self.file.write(json.dumps(row) + "\n")
