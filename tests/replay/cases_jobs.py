# SPDX-License-Identifier: Apache-2.0
"""Jobs that are billed once, errors and who pays, and what is free."""
import gzip

from bodies import (ANTHROPIC, AZURE, BEDROCK, CHAT, GEMINI, MESSAGES, OPENAI, RESPONSES, Answer, Case, Exchange, aws, js,
                    one, text, typed)

BACKGROUND = {"model": "gpt-5.4", "background": True, "input": "think"}


def job(status, usage=None, name="resp_bg", **more):
    return js({"id": name, "object": "response", "status": status, "background": True, "model": "gpt-5.4",
               "usage": usage, **more})


def ask(answer, name="resp_bg", tail=""):
    return Exchange(OPENAI, f"{RESPONSES}/{name}{tail}", answer, None, "GET")


def post(answer, request=None, path=RESPONSES):
    return Exchange(OPENAI, path, answer, request or BACKGROUND)


def result(custom_id, model, usage, kind="succeeded"):
    return text({"custom_id": custom_id, "result": {"type": kind, "message": {
        "type": "message", "model": model, "content": [{"type": "text", "text": "x"}], "usage": usage}}})


def output_file(model="gpt-4o-mini"):
    """Three requests at 1,000 and 100 tokens and one that failed."""
    lines = [{"id": f"batch_req_{i}", "custom_id": str(i), "response": {"status_code": 200, "body": {
        "object": "chat.completion", "model": model, "choices": [{"message": {"content": "x"}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}}, "error": None} for i in range(3)]
    lines.append({"id": "batch_req_3", "custom_id": "3", "response": {"status_code": 400, "body": {"error": {}}}})
    return Answer("".join(text(line) + "\n" for line in lines).encode(), "application/octet-stream")


def gemini_answer(prompt, out):
    return {"candidates": [{"content": {}}], "modelVersion": "gemini-2.5-flash",
            "usageMetadata": {"promptTokenCount": prompt, "candidatesTokenCount": out}}


USED = {"input_tokens": 1000, "output_tokens": 900}
COST = "1000*2.5 + 900*15"
START = {"type": "message_start", "message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 1000,
                                                                                    "output_tokens": 1}}}
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

CASES = [
    Case("a job that is asked after four times", [
        post(job("queued", name="resp_1")), ask(job("in_progress", name="resp_1"), "resp_1"),
        ask(job("completed", USED, "resp_1"), "resp_1"), ask(job("completed", USED, "resp_1"), "resp_1")], COST, steps=(16384,)),
    Case("a job that was cancelled when it had begun to write", [
        post(job("queued", name="resp_2")),
        Exchange(OPENAI, RESPONSES + "/resp_2/cancel", job("cancelled", name="resp_2"), {}),
        ask(job("cancelled", USED, "resp_2"), "resp_2")], COST, steps=(16384,)),
    Case("a job that failed", [post(job("queued", name="resp_3")), ask(job(
        "failed", name="resp_3", error={"code": "server_error"}), "resp_3")], "0", "pending", steps=(16384,)),
    Case("a job that was read as a stream afterwards", [
        post(job("queued", name="resp_4")), ask(typed(
            {"type": "response.completed", "response": {
                "id": "resp_4", "status": "completed", "background": True, "model": "gpt-5.4", "usage": USED}}),
            "resp_4", "?stream=true&starting_after=0"), ask(job("completed", USED, "resp_4"), "resp_4")], COST, steps=(16384,)),
    Case("a stored answer is fetched again", [
        post(js({"id": "resp_5", "status": "completed", "background": False, "model": "gpt-5.4", "usage": USED}),
             {"model": "gpt-5.4"}),
        ask(js({"id": "resp_5", "status": "completed", "background": False, "model": "gpt-5.4", "usage": USED}), "resp_5")],
        COST, steps=(16384,)),
    Case("a batch's results, compressed", [
        Exchange(ANTHROPIC, MESSAGES + "/batches", js({"id": "msgbatch_1", "processing_status": "in_progress"}),
                 {"requests": [{"custom_id": "a", "params": {"model": "claude-haiku-4-5"}}]}),
        *[Exchange(ANTHROPIC, MESSAGES + "/batches/msgbatch_1/results", Answer(gzip.compress("\n".join([
            result("a", "claude-haiku-4-5", {"input_tokens": 1000, "output_tokens": 100}),
            result("b", "claude-haiku-4-5", {"input_tokens": 3, "cache_read_input_tokens": 2000, "output_tokens": 7}),
            text({"custom_id": "c", "result": {"type": "expired"}}), ""]).encode()), "application/x-jsonl",
            headers=(("Content-Encoding", "gzip"),)), None, "GET")] * 2], "501.5*1 + 1000*0.1 + 53.5*5", steps=(16384,)),
    Case("a batch of OpenAI's", [
        Exchange(OPENAI, "/v1/batches", js({"id": "batch_1", "object": "batch", "status": "validating"}),
                 {"input_file_id": "file_1", "endpoint": CHAT}),
        *[Exchange(OPENAI, "/v1/batches/batch_1", js({
            "id": "batch_1", "object": "batch", "status": status, "model": "gpt-4o-mini", "usage": {
                "input_tokens": n * 1000, "output_tokens": n * 100, "input_tokens_details": {"cached_tokens": 0}}}),
            None, "GET") for status, n in (("in_progress", 0), ("completed", 5), ("completed", 5))]],
        "5000*0.075 + 500*0.3", steps=(16384,)),

    # Whoever asks after the batch and whoever downloads its output are told one bill: the file's id is the key.
    Case("a batch of OpenAI's that is also downloaded", [
        Exchange(OPENAI, "/v1/batches/batch_2", js({
            "id": "batch_2", "object": "batch", "status": "completed", "model": "gpt-4o-mini", "output_file_id": "file-out2",
            "usage": {"input_tokens": 5000, "output_tokens": 500}}), None, "GET"),
        *[Exchange(OPENAI, "/v1/files/file-out2/content", output_file(), None, "GET")] * 2],
        "5000*0.075 + 500*0.3", steps=(16384,)),
    Case("a batch's output that is downloaded alone, twice", [
        Exchange(OPENAI, "/v1/files/file-out3/content", output_file(), None, "GET")] * 2,
        "3000*0.075 + 300*0.3", steps=(16384,)),
    Case("a batch's output at Azure", [
        Exchange(AZURE, "/openai/files/file-out4/content?api-version=2025-03-01-preview", output_file("gpt-4o-2024-08-06"),
                 None, "GET")], "3000*1.25 + 300*5", steps=(16384,)),
    Case("Gemini: a batch whose answers are inside of it", [
        Exchange(GEMINI, "/v1beta/models/gemini-2.5-flash:batchGenerateContent", js({
            "name": "batches/b1", "metadata": {"state": "BATCH_STATE_PENDING"}}), {"batch": {}}),
        Exchange(GEMINI, "/v1beta/batches/b1", js({"name": "batches/b1", "metadata": {"state": "BATCH_STATE_RUNNING"}}),
                 None, "GET"),
        *[Exchange(GEMINI, "/v1beta/batches/b1", js({
            "name": "batches/b1", "done": True, "metadata": {"state": "BATCH_STATE_SUCCEEDED"}, "response": {
                "inlinedResponses": {"inlinedResponses": [
                    {"response": gemini_answer(1000, 100)}, {"error": {"code": 4}}, {"response": gemini_answer(500, 50)}]}}}),
            None, "GET")] * 2], "1500*0.15 + 150*1.25", steps=(16384,)),
    Case("Gemini: a batch whose answers are a file", [
        Exchange(GEMINI, "/v1beta/batches/b2", js({"name": "batches/b2", "done": True, "response": {
            "responsesFile": "files/f2"}}), None, "GET"),
        *[Exchange(GEMINI, "/download/v1beta/files/f2:download?alt=media", Answer("\n".join(
            text({"key": str(i), "response": gemini_answer(1000, 100)}) for i in range(3)).encode(), "application/octet-stream"),
            None, "GET")] * 2], "3000*0.15 + 300*1.25", steps=(16384,)),
    Case("another file is no bill", [
        Exchange(OPENAI, "/v1/files/file-x/content", Answer(b"id,name\n1,2\n", "application/octet-stream"), None, "GET"),
        post(js({"id": "r", "status": "completed", "background": False, "model": "gpt-5.4", "usage": USED}),
             {"model": "gpt-5.4"})], COST, steps=(16384,)),

    one("Claude: an error in the middle of a stream", ANTHROPIC, MESSAGES, {"model": "claude-haiku-4-5", "stream": True},
        typed(START, ERROR), "1000*1 + 1*5", source="partial"),
    one("an error status that tells usage all the same", OPENAI, CHAT, {"model": "gpt-4o-mini"},
        js({"error": {"message": "filtered"}, "usage": {"prompt_tokens": 1000, "completion_tokens": 0}}, status=400),
        "1000*0.15"),
    *[one(f"free: {status} at {host}", host, path, {"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]},
          js({"error": {"message": "no"}}, status=status), "0", source="free")
      for status, host, path in (
          (429, OPENAI, CHAT), (529, ANTHROPIC, MESSAGES), (503, GEMINI, "/v1beta/models/gemini-2.5-flash:generateContent"),
          (400, BEDROCK, "/model/amazon.nova-lite-v1%3A0/converse"), (401, AZURE, "/openai/deployments/x/chat/completions"),
          (502, "openrouter.ai", "/api/v1/chat/completions"), (304, OPENAI, CHAT), (413, ANTHROPIC, MESSAGES))],
    one("a failure in a Responses stream, before a word", OPENAI, RESPONSES, {"model": "gpt-5.4", "stream": True},
        typed({"type": "response.created", "response": {"model": "gpt-5.4", "usage": None}},
              {"type": "response.failed", "response": {"model": "gpt-5.4", "status": "failed",
                                                      "error": {"code": "server_error"}, "usage": None}}),
        "0", source="free"),
    one("a failure in a Responses stream that tells usage", OPENAI, RESPONSES, {"model": "gpt-5.4", "stream": True},
        typed({"type": "response.output_text.delta", "delta": "Hm"},
              {"type": "response.failed", "response": {"model": "gpt-5.4", "status": "failed",
                                                      "error": {"code": "server_error"}, "usage": USED}}), COST),
    one("an answer that ends for its length", OPENAI, RESPONSES, {"model": "gpt-5.4", "stream": True},
        typed({"type": "response.incomplete", "response": {"model": "gpt-5.4", "status": "incomplete", "usage": USED}}), COST),
    one("Gemini: the prompt was blocked", GEMINI, "/v1beta/models/gemini-2.5-flash:generateContent", {},
        js({"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "gemini-2.5-flash",
            "usageMetadata": {"promptTokenCount": 1000, "totalTokenCount": 1000}}), "1000*0.3"),
    one("Claude: declined before a word", ANTHROPIC, MESSAGES, {"model": "claude-haiku-4-5"},
        js({"type": "message", "model": "claude-haiku-4-5", "content": [], "stop_reason": "refusal",
            "usage": {"input_tokens": 1000, "output_tokens": 3}}), "0", source="free"),
    one("Claude: declined in the middle of a stream", ANTHROPIC, MESSAGES, {"model": "claude-haiku-4-5", "stream": True},
        typed(START, {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Well"}},
              {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {"output_tokens": 30}},
              {"type": "message_stop"}), "1000*1 + 30*5"),
    one("an exception before a word", BEDROCK, "/model/amazon.nova-lite-v1%3A0/converse-stream", {},
        aws(("modelStreamErrorException", {"message": "no"}, "exception")), "0", source="free"),
    one("OpenRouter: an error in a body of 200", "openrouter.ai", "/api/v1/chat/completions", {"model": "openai/gpt-4o"},
        js({"error": {"code": 502, "message": "no"}, "user_id": "u"}), "0", source="free"),

    # text-embedding-3-large: 0.13; o3-mini and others as listed.
    one("texts that are embedded", OPENAI, "/v1/embeddings", {"model": "text-embedding-3-large", "input": ["a", "b"]},
        js({"data": [{"embedding": "AAAA"}], "model": "text-embedding-3-large", "usage": {"prompt_tokens": 900,
                                                                                        "total_tokens": 900}}), "900*0.13"),
    # voyage/rerank-2.5 0.05; jina-reranker-v2 0.018; rerank-v3.5 0.002 a unit.
    one("Voyage ranks", "api.voyageai.com", "/v1/rerank", {"model": "rerank-2.5"},
        js({"data": [{"index": 0}], "model": "rerank-2.5", "usage": {"total_tokens": 5000}}), "5000*0.05"),
    one("Jina ranks", "api.jina.ai", "/v1/rerank", {"model": "jina-reranker-v2-base-multilingual"},
        js({"model": "jina-reranker-v2-base-multilingual", "usage": {"total_tokens": 5000}, "results": []}), "5000*0.018"),
    one("Cohere ranks much", "api.cohere.com", "/v2/rerank", {"model": "rerank-v3.5"},
        js({"results": [], "meta": {"billed_units": {"search_units": 3}}}), "3*2000"),
    one("Cohere embeds", "api.cohere.com", "/v2/embed", {"model": "embed-v4.0"},
        js({"embeddings": {}, "meta": {"billed_units": {"input_tokens": 700}}}), "700*0.12"),
    # A container 0.03, a search of a store 0.0025 USD (developers.openai.com/api/docs/pricing).
    one("a container is made", OPENAI, "/v1/containers", {"name": "x"},
        js({"id": "cntr_1", "object": "container", "status": "running"}), "30000"),
    one("a store is searched", OPENAI, "/v1/vector_stores/vs_1/search", {"query": "x"},
        js({"object": "vector_store.search_results.page", "data": []}), "2500"),
]
