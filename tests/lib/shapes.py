# SPDX-License-Identifier: Apache-2.0
"""
The answers of Anthropic, OpenAI and Gemini, in their shape, with token counts drawn from the call's number;
or, with `text=corpus`, counted in the texts that went to and fro.

An answer is its pieces: (bytes, output tokens that are spent when these bytes are out). A JSON
answer is one piece. Sources of the shapes:
docs/facts/wire.md, "Usage in streams", "Padding of streams", "Anthropic" and "OpenAI".
"""
import json
import random
import re

import corpus

WORDS = "the meter counts what went out and what came back again over every line it sees ".split()


class Answer:
    def __init__(self, status, model, tokens, pieces, content_type="application/json", headers=()):
        self.status, self.model, self.tokens, self.pieces = status, model, tokens, pieces
        self.content_type, self.headers = content_type, list(headers)
        self.is_stream = content_type == "text/event-stream"
        self.is_error = False   # an error event stands in the stream
        self.trailers = []      # of gRPC
        self.billed_status = status


def text_of(rng, n_bytes):
    """Text with what JSON and UTF-8 make awkward in it."""
    out, size = [], 0
    while size < n_bytes:
        word = rng.choice(WORDS + ['"quoted"', "back\\slash", "größe", "計測", "🙂", "{}", "]\n"])
        out.append(word)
        size += len(word.encode()) + 1
    return " ".join(out)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def draw(rng, cache_write, big):
    tokens = {
        "input": rng.randint(1, 9000), "cache_read": rng.choice([0, rng.randint(1, 60000)]),
        "cache_write_5m": rng.choice([0, rng.randint(1, 5000)]) if cache_write else 0,
        "cache_write_1h": rng.choice([0, rng.randint(1, 5000)]) if cache_write else 0,
        "output": rng.randint(60, 4000) * (10 if big else 1),
    }
    tokens["reasoning"] = rng.choice([0, rng.randint(1, tokens["output"] // 2)])
    return tokens


# What a provider's front puts into the head of an answer, beside what is named elsewhere.
HEAD = [("date", "Tue, 24 Nov 2026 19:00:00 GMT"), ("server", "cloudflare"),
        ("cf-ray", "9a3b7c1d2e4f5a6b-FRA"), ("cf-cache-status", "DYNAMIC"), ("via", "1.1 google"),
        ("alt-svc", 'h3=":443"; ma=86400'), ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        *((f"x-ratelimit-{what}-{of}", "29999976") for what in ("limit", "remaining", "reset")
          for of in ("requests", "tokens")),
        ("set-cookie", "__cf_bm=" + "r" * 120 + "; path=/; HttpOnly; Secure; SameSite=None")]


class Says:
    """What a call's answer says, and what the call counts."""

    def __init__(self, rng, fake, body, cache_write):
        self.rng, self.fake, self.text = rng, fake, None
        if fake.get("text") != "corpus":
            self.tokens = draw(rng, cache_write, False)
            return
        self.text = corpus.draw(rng, int(fake["answer_bytes"]))
        self.tokens = dict.fromkeys(draw(rng, cache_write, False), 0)
        self.tokens["input"] = corpus.prompt_tokens(body)
        self.tokens["output"] = round(corpus.count(self.text) * corpus.factor(body["model"]))

    def whole(self):
        return self.text or text_of(self.rng, int(self.fake.get("answer_bytes", 300)))

    def deltas(self, n_tokens):
        """The texts of a stream's events; of the corpus, so many tokens in each."""
        if self.text is None:
            n = int(self.fake.get("events", self.rng.randint(5, 30)))
            return [text_of(self.rng, self.rng.randint(2, 40)) for _ in range(n)]
        pieces = corpus.token_pieces(self.text)
        return ["".join(pieces[at:at + n_tokens]) for at in range(0, len(pieces), n_tokens)]


# --- Anthropic Messages ---------------------------------------------------------------------

def anthropic_usage(tokens, output):
    return {
        "input_tokens": tokens["input"],
        "cache_creation_input_tokens": tokens["cache_write_5m"] + tokens["cache_write_1h"],
        "cache_read_input_tokens": tokens["cache_read"],
        "cache_creation": {"ephemeral_5m_input_tokens": tokens["cache_write_5m"],
                           "ephemeral_1h_input_tokens": tokens["cache_write_1h"]},
        "output_tokens": output, "service_tier": "standard", "inference_geo": "not_available",
    }


def anthropic_event(rng, name, data):
    text = compact({"type": name, **data})
    return f"event: {name}\ndata: {text[:-1]}{' ' * rng.randint(0, 15)}}}\n\n".encode()


def anthropic_stream(rng, fake, head, says):
    tokens, spent = says.tokens, 1
    start = dict(head, content=[], stop_reason=None, stop_sequence=None,
                 usage=anthropic_usage(tokens, rng.randint(1, 4)))
    yield anthropic_event(rng, "message_start", {"message": start}), spent
    thinking = tokens["reasoning"] > 0
    blocks = [("thinking", "thinking_delta", "thinking")] * thinking + [("text", "text_delta", "text")]
    for index, (kind, delta, field) in enumerate(blocks):
        yield anthropic_event(rng, "content_block_start",
                              {"index": index, "content_block": {"type": kind, field: ""}}), spent
        yield anthropic_event(rng, "ping", {}), spent
        for text in says.deltas(5):
            spent = min(tokens["output"], spent + len(text.encode()) // 4 + 1)
            yield anthropic_event(rng, "content_block_delta",
                                  {"index": index, "delta": {"type": delta, field: text}}), spent
        yield anthropic_event(rng, "content_block_stop", {"index": index}), spent
    if "error_event" in fake:
        yield anthropic_event(rng, "error", {"error": {"type": "overloaded_error",
                                                       "message": "Overloaded"}}), spent
        return
    final = {"output_tokens": tokens["output"]}
    if rng.random() < 0.5:
        final.update(anthropic_usage(tokens, tokens["output"]))
        del final["service_tier"], final["inference_geo"], final["cache_creation"]
    if thinking:
        final["output_tokens_details"] = {"thinking_tokens": tokens["reasoning"]}
    if rng.random() < 0.3:      # counts are cumulative: the last one is the bill
        early = dict(final, output_tokens=tokens["output"] // 2)
        early.pop("output_tokens_details", None)
        yield anthropic_event(rng, "message_delta",
                              {"delta": {"stop_reason": None}, "usage": early}), spent
    yield anthropic_event(rng, "message_delta", {"delta": {"stop_reason": "end_turn",
                          "stop_sequence": None}, "usage": final}), tokens["output"]
    yield anthropic_event(rng, "message_stop", {}), tokens["output"]


def request_id(rng):
    return f"req_{rng.getrandbits(96):024x}"


def anthropic(rng, fake, body):
    model = body.get("model", "claude-haiku-4-5")
    says = Says(rng, fake, body, True)
    tokens = says.tokens
    head = {"id": f"msg_{rng.getrandbits(64):016x}", "type": "message", "role": "assistant",
            "model": model}
    if body.get("stream"):
        return Answer(200, model, tokens, list(anthropic_stream(rng, fake, head, says)),
                      "text/event-stream", [("request-id", request_id(rng))])
    usage = anthropic_usage(tokens, tokens["output"])
    if tokens["reasoning"]:
        usage["output_tokens_details"] = {"thinking_tokens": tokens["reasoning"]}
    content = [{"type": "text", "text": says.whole()}]
    if tokens["reasoning"]:
        content.insert(0, {"type": "thinking", "thinking": text_of(rng, 90), "signature": "c2ln"})
    whole = dict(head, content=content, stop_reason="end_turn", stop_sequence=None, usage=usage)
    return Answer(200, model, tokens, [(compact(whole).encode(), tokens["output"])],
                  headers=[("request-id", request_id(rng))])


# --- OpenAI ---------------------------------------------------------------------------------

def prompt_tokens(tokens):
    return tokens["input"] + tokens["cache_read"]


def chat_usage(tokens):
    return {"prompt_tokens": prompt_tokens(tokens), "completion_tokens": tokens["output"],
            "total_tokens": prompt_tokens(tokens) + tokens["output"],
            "prompt_tokens_details": {"cached_tokens": tokens["cache_read"], "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": tokens["reasoning"],
                                          "audio_tokens": 0, "accepted_prediction_tokens": 0,
                                          "rejected_prediction_tokens": 0}}


def data(value):
    return f"data: {compact(value)}\n\n".encode()


def chat_stream(rng, fake, head, says, with_usage):
    head = dict(head, object="chat.completion.chunk")
    tokens, spent = says.tokens, 0

    def chunk(delta, finish=None):
        value = dict(head, choices=[{"index": 0, "delta": delta, "logprobs": None,
                                     "finish_reason": finish}])
        if with_usage:
            value["usage"] = None
        value["obfuscation"] = "x" * rng.randint(1, 15)
        return data(value)

    yield chunk({"role": "assistant", "content": "", "refusal": None}), spent
    for text in says.deltas(1):
        spent = min(tokens["output"], spent + len(text.encode()) // 4 + 1)
        yield chunk({"content": text}), spent
    if "error_event" in fake:
        yield data({"error": {"message": "The server had an error", "type": "server_error",
                              "code": None, "param": None}}), spent
        return
    yield chunk({}, "stop"), tokens["output"]
    if with_usage:
        yield data(dict(head, choices=[], usage=chat_usage(tokens),
                        obfuscation="x" * rng.randint(1, 15))), tokens["output"]
    yield b"data: [DONE]\n\n", tokens["output"]


def chat(rng, fake, body):
    model = body.get("model", "gpt-4o-mini")
    says = Says(rng, fake, body, False)
    tokens = says.tokens
    head = {"id": f"chatcmpl-{rng.getrandbits(64):016x}", "object": "chat.completion",
            "created": 1790000000, "model": model, "service_tier": "default",
            "system_fingerprint": "fp_1"}
    if body.get("stream"):
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return Answer(200, model, tokens, list(chat_stream(rng, fake, head, says, with_usage)),
                      "text/event-stream", [("openai-version", "2020-10-01")])
    message = {"role": "assistant", "content": says.whole(),
               "refusal": None}
    whole = dict(head, choices=[{"index": 0, "message": message, "logprobs": None,
                                 "finish_reason": "stop"}], usage=chat_usage(tokens))
    # Pretty-printed, as the provider does.
    return Answer(200, model, tokens,
                  [(json.dumps(whole, ensure_ascii=False, indent=2).encode(), tokens["output"])])


def responses_usage(tokens):
    return {"input_tokens": prompt_tokens(tokens),
            "input_tokens_details": {"cached_tokens": tokens["cache_read"]},
            "output_tokens": tokens["output"],
            "output_tokens_details": {"reasoning_tokens": tokens["reasoning"]},
            "total_tokens": prompt_tokens(tokens) + tokens["output"]}


def responses_stream(rng, fake, head, says):
    tokens = says.tokens
    number = iter(range(1 << 30))

    def event(name, value):
        value = {"type": name, "sequence_number": next(number), **value}
        return f"event: {name}\ndata: {compact(value)}\n\n".encode()

    going = dict(head, status="in_progress", output=[], usage=None)
    spent = 0
    for name in "response.created", "response.in_progress":
        yield event(name, {"response": going}), spent
    item = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant",
            "content": []}
    yield event("response.output_item.added", {"output_index": 0, "item": item}), spent
    yield event("response.content_part.added", {"item_id": "msg_1", "output_index": 0,
                "content_index": 0, "part": {"type": "output_text", "text": "",
                                             "annotations": []}}), spent
    text = ""
    for piece in says.deltas(1):
        text += piece
        spent = min(tokens["output"], spent + len(piece.encode()) // 4 + 1)
        yield event("response.output_text.delta", {"item_id": "msg_1", "output_index": 0,
                    "content_index": 0, "delta": piece, "logprobs": [],
                    "obfuscation": "x" * rng.randint(1, 15)}), spent
    if "error_event" in fake:
        failed = dict(head, status="failed", output=[], usage=None,
                      error={"code": "server_error", "message": "The server had an error"})
        yield event("response.failed", {"response": failed}), spent
        return
    part = {"type": "output_text", "text": text, "annotations": []}
    yield event("response.output_text.done", {"item_id": "msg_1", "output_index": 0,
                "content_index": 0, "text": text, "logprobs": []}), spent
    yield event("response.content_part.done", {"item_id": "msg_1", "output_index": 0,
                "content_index": 0, "part": part}), spent
    item = dict(item, status="completed", content=[part])
    yield event("response.output_item.done", {"output_index": 0, "item": item}), spent
    whole = dict(head, status="completed", output=[item], usage=responses_usage(tokens))
    yield event("response.completed", {"response": whole}), tokens["output"]


def responses(rng, fake, body):
    model = body.get("model", "gpt-5.4")
    says = Says(rng, fake, body, False)
    tokens = says.tokens
    head = {"id": f"resp_{rng.getrandbits(64):016x}", "object": "response",
            "created_at": 1790000000, "error": None, "model": model, "service_tier": "default",
            "tools": [], "parallel_tool_calls": True, "metadata": {}}
    if body.get("stream"):
        return Answer(200, model, tokens, list(responses_stream(rng, fake, head, says)),
                      "text/event-stream")
    text = says.whole()
    item = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": text, "annotations": []}]}
    whole = dict(head, status="completed", output=[item], usage=responses_usage(tokens))
    return Answer(200, model, tokens,
                  [(json.dumps(whole, ensure_ascii=False, indent=2).encode(), tokens["output"])])


def embeddings(rng, fake, body):
    model = body.get("model", "text-embedding-3-small")
    tokens = {"input": rng.randint(1, 8000), "output": 0}
    vector = [rng.uniform(-1, 1) for _ in range(int(fake.get("answer_bytes", 3000)) // 22)]
    whole = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": vector}],
             "model": model,
             "usage": {"prompt_tokens": tokens["input"], "total_tokens": tokens["input"]}}
    return Answer(200, model, tokens, [(json.dumps(whole).encode(), 0)])


# --- Gemini ---------------------------------------------------------------------------------

def gemini_usage(tokens, output):
    usage = {"promptTokenCount": prompt_tokens(tokens), "candidatesTokenCount": output - tokens["reasoning"],
             "totalTokenCount": prompt_tokens(tokens) + output,
             "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt_tokens(tokens)}]}
    if tokens["cache_read"]:
        usage["cachedContentTokenCount"] = tokens["cache_read"]
    if tokens["reasoning"]:
        usage["thoughtsTokenCount"] = tokens["reasoning"]
    return usage


def gemini(rng, fake, body, model, is_stream):
    says = Says(rng, fake, body, False)
    tokens = says.tokens

    def part(text, finish, output):
        candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return {"candidates": [candidate], "usageMetadata": gemini_usage(tokens, output), "modelVersion": model,
                "responseId": "r1"}
    if not is_stream:
        whole = json.dumps(part(says.whole(), "STOP", tokens["output"]), ensure_ascii=False, indent=2)
        return Answer(200, model, tokens, [(whole.encode(), tokens["output"])], "application/json; charset=UTF-8")
    texts = says.deltas(5)
    pieces, spent = [], tokens["reasoning"]
    for number, text in enumerate(texts):
        is_last = number == len(texts) - 1
        spent = tokens["output"] if is_last else min(tokens["output"], spent + len(text.encode()) // 4 + 1)
        value = compact(part(text, "STOP" if is_last else None, spent))
        pieces.append((f"data: {value}\r\n\r\n".encode(), spent))
    return Answer(200, model, tokens, pieces, "text/event-stream")


# --- all ------------------------------------------------------------------------------------

ERRORS = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error",
          500: "api_error", 529: "overloaded_error"}


def refusal(host, status, body):
    kind = ERRORS.get(status, "api_error")
    if host == "api.anthropic.com":
        value = {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "req_1"}
    elif status == 429:
        value = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota",
                           "type": "insufficient_quota", "param": None}}
    else:
        value = {"error": {"message": "no", "type": kind, "code": None, "param": None}}
    return Answer(status, body.get("model", ""), {}, [(compact(value).encode(), 0)])


ROUTES = {
    ("api.anthropic.com", "/v1/messages"): anthropic,
    ("api.openai.com", "/v1/chat/completions"): chat,
    ("api.openai.com", "/v1/responses"): responses,
    ("api.openai.com", "/v1/embeddings"): embeddings,
}


GEMINI = re.compile(r"/v1(?:beta)?/models/([\w.-]+):(generate|streamGenerate)Content")


def route(host, path):
    named = GEMINI.fullmatch(path) if host == "generativelanguage.googleapis.com" else None
    if named:
        return lambda rng, fake, body: gemini(rng, fake, body, named[1], named[2] == "streamGenerate")
    return ROUTES.get((host, path))


def answer(call_id, method, host, path, fake, body):
    """The answer of `host`; None where nothing is sold (a bystander, an unknown path)."""
    shape = route(host, path) if method == "POST" else None
    if shape is None:
        return None
    if "status" in fake:
        return refusal(host, int(fake["status"]), body)
    made = shape(random.Random(call_id), fake, body)
    if fake.get("text") == "corpus":
        made.headers += HEAD
    made.is_error = made.is_stream and "error_event" in fake
    return made
