# SPDX-License-Identifier: Apache-2.0
"""OpenAI's own interfaces, at OpenAI and at Azure."""
import struct

from bodies import (AZURE, CHAT, EV_IN, EV_OUT, OPENAI, RESPONSES, Answer, Case, Exchange, js, one, sse, text, typed)

FORM = (("Content-Type", "multipart/form-data; boundary=\"----x y\""),)
IN_OUT = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
UPGRADE = (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
           ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))


def chat(model, prompt=1000, completion=100, **more):
    details = {key: more.pop(key) for key in ("prompt_tokens_details", "completion_tokens_details") if key in more}
    return js({"id": "chatcmpl-1", "object": "chat.completion", "model": model, "choices": [{"message": {"content": "x"}}],
               "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **details},
               **more})


def response(model, prompt=1000, completion=100, details=None, **more):
    return js({"id": "resp_1", "object": "response", "status": "completed", "model": model, "output": [], "usage": {
        "input_tokens": prompt, "output_tokens": completion, "input_tokens_details": details or {}}, **more})


def form(*fields, file=b"RIFF" * 100, first=False):
    parts = [f'------x y\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields]
    sound = (b'------x y\r\ncontent-disposition: form-data; filename="m.wav"; name="file"\r\nContent-Type: audio/wav\r\n\r\n'
             + file + b"\r\n")
    return b"".join([sound, *parts] if first else [*parts, sound]) + b"------x y--\r\n"


def frame(event, mask=b""):
    """A WebSocket's message; a client's is masked, here with four noughts (RFC 6455 5.3)."""
    data, masked = text(event).encode(), 0x80 if mask else 0
    head = struct.pack(">BB", 0x81, masked | len(data)) if len(data) < 126 else \
        struct.pack(">BBH", 0x81, masked | 126, len(data))
    return head + mask + data


def session(name, path, *events, cost, host=OPENAI, asks=None, **more):
    """What a server says over a WebSocket, and a client first."""
    answer = Answer(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", raw=True)
    talk = [(EV_OUT, frame(asks, bytes(4)))] if asks else []
    talk += [(EV_IN, frame(event)) for event in events]
    return Case(name, [Exchange(host, path, answer, None, "GET", UPGRADE, tuple(talk))], cost, **more)


def spoke(text_in, audio_in, text_out, audio_out, cached=None, **more):
    return {"type": "response.done", "response": {"id": "resp_1", "status": "completed", "usage": {
        "total_tokens": text_in + audio_in + text_out + audio_out, "input_tokens": text_in + audio_in,
        "output_tokens": text_out + audio_out,
        "input_token_details": {"text_tokens": text_in, "audio_tokens": audio_in, "image_tokens": 0,
                                "cached_tokens": sum((cached or {}).values()), "cached_tokens_details": cached or {}},
        "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out}}, **more}}


def made(model):
    return {"type": "session.created", "session": {"type": "realtime", "model": model}}


def run(status, usage=None, name="run_1"):
    return {"id": name, "object": "thread.run", "status": status, "model": "gpt-4o-mini", "usage": usage}


MINI = "1000*0.15 + 100*0.6"

CASES = [
    one("openai: cached and reasoning", OPENAI, CHAT, {"model": "gpt-5-mini"},
        chat("gpt-5-mini-2025-08-07", prompt_tokens_details={"cached_tokens": 768, "audio_tokens": 0},
             completion_tokens_details={"reasoning_tokens": 64, "audio_tokens": 0, "accepted_prediction_tokens": 0}),
        "232*0.25 + 768*0.025 + 100*2"),
    one("openai: priority", OPENAI, CHAT, {"model": "gpt-4.1", "service_tier": "priority"},
        chat("gpt-4.1-2025-04-14", service_tier="priority", prompt_tokens_details={"cached_tokens": 400}),
        "600*3.5 + 400*0.875 + 100*14"),
    one("openai: fast is priority", OPENAI, RESPONSES, {"model": "gpt-5.4", "service_tier": "fast"},
        response("gpt-5.4", service_tier="fast"), "1000*5 + 100*30"),
    one("openai: priority was asked and not served", OPENAI, CHAT, {"model": "gpt-4.1", "service_tier": "priority"},
        chat("gpt-4.1-2025-04-14", service_tier="default"), "1000*2 + 100*8"),
    one("openai: flex of o3", OPENAI, CHAT, {"model": "o3", "service_tier": "flex"},
        chat("o3-2025-04-16", service_tier="flex", prompt_tokens_details={"cached_tokens": 500}),
        "500*1 + 500*0.25 + 100*4"),
    one("openai: scale is paid by the hour", OPENAI, CHAT, {"model": "gpt-4.1"}, chat("gpt-4.1", service_tier="scale"), "0"),
    one("openai: a tier in the last event of a stream", OPENAI, RESPONSES, {"model": "gpt-5.4", "stream": True,
                                                                             "service_tier": "auto"},
        typed({"type": "response.created", "response": {"model": "gpt-5.4", "service_tier": "auto", "usage": None}},
              {"type": "response.completed", "response": {"model": "gpt-5.4", "service_tier": "flex", "usage": {
                  "input_tokens": 1000, "output_tokens": 100}}}), "500*2.5 + 50*15"),
    one("openai: a tier in each chunk", OPENAI, CHAT, {"model": "gpt-4.1", "stream": True},
        sse({"model": "gpt-4.1", "service_tier": "priority", "choices": [{"delta": {"content": "x"}}]},
            {"model": "gpt-4.1", "service_tier": "priority", "choices": [], "usage": IN_OUT}, "[DONE]"), "1000*3.5 + 100*14"),
    one("openai: in Europe, cached and written", "eu.api.openai.com", RESPONSES, {"model": "gpt-5.6"},
        response("gpt-5.6", 10000, 100, {"cached_tokens": 6000, "cache_write_tokens": 3000}),
        "1100*4 + 6600*0.4 + 3300*5 + 110*20"),
    one("openai: past its threshold, cached and reasoning", OPENAI, RESPONSES, {"model": "gpt-5.4"},
        response("gpt-5.4", 300000, 1000, {"cached_tokens": 100000}), "200000*5 + 100000*0.5 + 1000*22.5"),
    one("openai: at its threshold", OPENAI, RESPONSES, {"model": "gpt-5.4"},
        response("gpt-5.4", 272000, 1000), "272000*2.5 + 1000*15"),
    one("openai: a dated alias", OPENAI, CHAT, {"model": "chatgpt-4o-latest"}, chat("chatgpt-4o-latest"), "1000*5 + 100*15"),
    # gpt-4o-search-preview searches in each call, medium 0.035 (LiteLLM's row).
    one("openai: a chat that searches by itself", OPENAI, CHAT, {"model": "gpt-4o-search-preview", "web_search_options": {}},
        chat("gpt-4o-search-preview"), "1000*2.5 + 100*10 + 35000"),
    one("openai: ... with much context", OPENAI, CHAT,
        {"model": "gpt-4o-mini-search-preview", "web_search_options": {"search_context_size": "high"}},
        chat("gpt-4o-mini-search-preview"), f"{MINI} + 30000"),
    one("openai: all tools in one answer", OPENAI, RESPONSES, {"model": "gpt-5.4", "tools": [
        {"type": "code_interpreter", "container": {"type": "auto"}}]},
        response("gpt-5.4", output=[
            {"type": "reasoning"}, {"type": "web_search_call", "action": {"type": "search"}}, {"type": "file_search_call"},
            {"type": "file_search_call"}, {"type": "code_interpreter_call", "container_id": "cntr_1"},
            {"type": "code_interpreter_call", "container_id": "cntr_1"}, {"type": "mcp_call"}, {"type": "computer_call"},
            {"type": "function_call", "arguments": "{\"type\":\"web_search_call\"}"}, {"type": "message", "content": []}]),
        "1000*2.5 + 100*15 + 10000 + 5000 + 30000"),
    one("openai: a container that was made before", OPENAI, RESPONSES, {"model": "gpt-5.4", "tools": [
        {"type": "code_interpreter", "container": "cntr_1"}]},
        response("gpt-5.4", output=[{"type": "code_interpreter_call", "container_id": "cntr_1"}]), "1000*2.5 + 100*15"),
    one("openai: a search that failed is none", OPENAI, RESPONSES, {"model": "gpt-5.4"},
        response("gpt-5.4", output=[{"type": "web_search_call", "status": "failed", "action": {"type": "search"}}]),
        "1000*2.5 + 100*15"),
    one("openai: what a message quotes is no tool", OPENAI, RESPONSES, {"model": "gpt-5.4"},
        response("gpt-5.4", output=[{"type": "message", "content": [{"type": "output_text", "annotations": [
            {"type": "url_citation"}], "text": "web_search_call"}]}]), "1000*2.5 + 100*15"),
    one("openai: a prompt that echoes usage", OPENAI, RESPONSES, {"model": "gpt-5.4"},
        response("gpt-5.4", metadata={"usage": "x"}, instructions="\"usage\":{\"input_tokens\":5}", text={"usage": {
            "input_tokens": 7}}), "1000*2.5 + 100*15"),
    one("openai: an answer in the middle of its work is no bill", OPENAI, RESPONSES, {"model": "gpt-5.4", "stream": True},
        typed({"type": "response.in_progress", "response": {"model": "gpt-5.4", "usage": {"input_tokens": 0, "output_tokens": 0}}},
              {"type": "response.output_text.delta", "delta": "x"},
              {"type": "response.completed", "response": {"model": "gpt-5.4", "usage": {
                  "input_tokens": 1000, "output_tokens": 100}}}), "1000*2.5 + 100*15"),
    # Images: gpt-image-1.5 text 5, image in 8, text out 10, image out 32, cached 1.25.
    one("openai: an image with words in its answer", OPENAI, "/v1/images/generations", {"model": "gpt-image-1.5", "prompt": "x"},
        js({"created": 1, "data": [{"b64_json": "A" * 3000}], "usage": {
            "input_tokens": 50, "input_tokens_details": {"text_tokens": 50, "image_tokens": 0}, "output_tokens": 1100,
            "output_tokens_details": {"image_tokens": 1056, "text_tokens": 44}, "total_tokens": 1150}}),
        "50*5 + 44*10 + 1056*32"),
    one("openai: an edit of several images", OPENAI, "/v1/images/edits", form(("prompt", "x"), ("model", "gpt-image-1"), first=True),
        js({"data": [{"b64_json": "AA"}, {"b64_json": "AA"}], "usage": {
            "input_tokens": 1000, "input_tokens_details": {"text_tokens": 40, "image_tokens": 960}, "output_tokens": 8320}}),
        "40*5 + 960*10 + 8320*40", sent=FORM),
    one("openai: an image edit as JSON with pictures inside", OPENAI, "/v1/images/edits",
        {"images": [{"image_url": "data:image/png;base64," + "A" * 9000}], "model": "gpt-image-1-mini", "prompt": "x"},
        js({"data": [{"b64_json": "AA"}], "usage": {"input_tokens": 400, "output_tokens": 272, "input_tokens_details": {
            "text_tokens": 12, "image_tokens": 388}}}), "12*2 + 388*2.5 + 272*8"),
    one("openai: DALL-E 3, wide and sharp, twice", OPENAI, "/v1/images/generations",
        {"model": "dall-e-3", "size": "1792x1024", "quality": "hd", "prompt": "x"}, js({"data": [{"url": "https://x/1"}]}),
        "120000"),
    one("openai: DALL-E 2 where no model is named", OPENAI, "/v1/images/generations", {"prompt": "x", "n": 2, "size": "512x512"},
        js({"data": [{"url": "https://x/1"}, {"url": "https://x/2"}]}), "2*18000"),
    one("openai: an image in a chat's Responses at Azure", AZURE, "/openai/deployments/img/images/generations?api-version=2025-04-01",
        {"model": "gpt-image-1", "prompt": "x"}, js({"data": [{"b64_json": "AA"}], "usage": {
            "input_tokens": 50, "output_tokens": 4160, "input_tokens_details": {"text_tokens": 50, "image_tokens": 0}}}),
        "50*5 + 4160*40"),
    # Audio
    one("openai: a transcription whose tokens are text and audio", OPENAI, "/v1/audio/transcriptions",
        form(("response_format", "json"), ("model", "gpt-4o-transcribe"), first=True),
        js({"text": "hi", "usage": {"type": "tokens", "total_tokens": 1445, "input_tokens": 1400, "output_tokens": 45,
                                    "input_token_details": {"text_tokens": 0, "audio_tokens": 1400}}}),
        "1400*2.5 + 45*10", sent=FORM),
    one("openai: Whisper by the minute, as verbose JSON", OPENAI, "/v1/audio/transcriptions",
        form(("model", "whisper-1"), ("response_format", "verbose_json")),
        js({"task": "transcribe", "duration": 125.31999969, "text": "x", "segments": [{"id": 0, "start": 0.0, "tokens": [1, 2]}],
            "usage": {"type": "duration", "seconds": 126}}), "126*100", sent=FORM),
    one("openai: Whisper at Azure", AZURE, "/openai/deployments/whisper-1/audio/transcriptions?api-version=2024-06-01",
        form(("response_format", "verbose_json")), js({"task": "transcribe", "duration": 60.0, "text": "x"}), "60*100", sent=FORM),
    one("openai: speech with many bytes a character", OPENAI, "/v1/audio/speech",
        {"input": "日本語 – ok", "model": "tts-1", "voice": "x"}, Answer(b"\xff\xf3" * 500, "audio/mpeg", chunked=True), "8*15"),
    one("openai: speech whose input has escapes", OPENAI, "/v1/audio/speech",
        b'{"model":"tts-1","input":"\\u65e5\\ud83d\\ude00\\n\\"a\\"","voice":"x"}', Answer(b"\xff\xf3" * 500, "audio/mpeg"), "6*15"),
    # Realtime: gpt-realtime text 4, audio 32, cached 0.4 both, out 16 and 64.
    session("realtime: two turns", "/v1/realtime?model=gpt-realtime", made("gpt-realtime"), spoke(100, 400, 20, 300),
            spoke(200, 900, 30, 500, {"text_tokens": 64, "audio_tokens": 384}),
            cost="100*4 + 400*32 + 20*16 + 300*64 + 136*4 + 516*32 + 64*0.4 + 384*0.4 + 30*16 + 500*64"),
    session("realtime: a turn that was cancelled is billed as told", "/v1/realtime?model=gpt-realtime", made("gpt-realtime"),
            spoke(100, 400, 5, 60, status="cancelled"), cost="100*4 + 400*32 + 5*16 + 60*64"),
    session("realtime: text alone", "/v1/realtime?model=gpt-realtime-mini", made("gpt-realtime-mini"), spoke(1000, 0, 100, 0),
            cost="1000*0.6 + 100*2.4"),
    session("realtime: Azure", "/openai/realtime?api-version=2025-04-01-preview&deployment=gpt-4o-realtime-preview-2024-12-17",
            made("gpt-4o-realtime-preview-2024-12-17"), spoke(100, 400, 20, 300), cost="100*5 + 400*40 + 20*20 + 300*80", host=AZURE),
    session("responses over a WebSocket", "/v1/responses", {"type": "response.created", "response": {
        "id": "resp_1", "model": "gpt-5.4", "usage": None}}, {"type": "response.completed", "response": {
        "id": "resp_1", "model": "gpt-5.4", "usage": {"input_tokens": 1000, "output_tokens": 100,
                                                      "input_tokens_details": {"cached_tokens": 500}}}},
        asks={"type": "response.create", "model": "gpt-5.4", "input": "x"}, cost="500*2.5 + 500*0.25 + 100*15"),
    # Assistants
    one("assistants: a run as a stream", OPENAI, "/v1/threads/thread_1/runs", {"assistant_id": "asst_1", "stream": True},
        sse(("thread.run.created", run("queued")), ("thread.message.delta", {"delta": {"content": [{"text": {"value": "Hi"}}]}}),
            ("thread.run.step.completed", {"object": "thread.run.step", "status": "completed", "usage": IN_OUT}),
            ("thread.run.completed", run("completed", IN_OUT)), ("done", "[DONE]")), MINI),
    Case("assistants: a run that is asked after", [
        Exchange(OPENAI, "/v1/threads/thread_1/runs", js(run("queued", None, "run_2")), {"assistant_id": "asst_1"}),
        *[Exchange(OPENAI, "/v1/threads/thread_1/runs/run_2", js(run(status, usage, "run_2")), None, "GET")
          for status, usage in (("in_progress", None), ("completed", IN_OUT), ("completed", IN_OUT))]], MINI, steps=(16384,)),
    Case("assistants: a thread and its run in one", [
        Exchange(OPENAI, "/v1/threads/runs", js(run("queued", None, "run_3")), {"assistant_id": "asst_1", "thread": {}}),
        Exchange(OPENAI, "/v1/threads/thread_9/runs/run_3", js(run("completed", IN_OUT, "run_3")), None, "GET")], MINI,
        steps=(16384,)),
    Case("assistants: its messages, steps and list are no bills", [
        Exchange(OPENAI, "/v1/threads/thread_1/messages", js({"id": "msg_1"}), {"role": "user", "content": "x"}),
        Exchange(OPENAI, "/v1/threads/thread_1/runs", js({"object": "list", "data": [run("completed", IN_OUT)]}), None, "GET"),
        Exchange(OPENAI, "/v1/threads/thread_1/runs/run_1/steps", js({"object": "list", "data": [{"usage": IN_OUT}]}), None, "GET"),
        Exchange(OPENAI, CHAT, chat("gpt-4o-mini"), {"model": "gpt-4o-mini"})], MINI, steps=(16384,)),
    # Jobs
    Case("openai: a job at Azure", [
        Exchange(AZURE, "/openai/v1/responses", js({"id": "resp_az", "status": "queued", "background": True, "model": "gpt-5.4"}),
                 {"model": "gpt-5.4", "background": True}),
        *[Exchange(AZURE, "/openai/v1/responses/resp_az", js({
            "id": "resp_az", "status": "completed", "background": True, "model": "gpt-5.4", "usage": {
                "input_tokens": 1000, "output_tokens": 900}}), None, "GET")] * 2], "1000*2.5 + 900*15", steps=(16384,)),
    Case("openai: a job with tools", [
        Exchange(OPENAI, RESPONSES, js({"id": "resp_t", "status": "queued", "background": True, "model": "o3-deep-research"}),
                 {"model": "o3-deep-research", "background": True}),
        Exchange(OPENAI, f"{RESPONSES}/resp_t?include[]=x", js({
            "id": "resp_t", "status": "completed", "background": True, "model": "o3-deep-research",
            "output": [{"type": "web_search_call", "action": {"type": "search"}}] * 3, "usage": {
                "input_tokens": 1000, "output_tokens": 900}}), None, "GET")], "1000*10 + 900*40 + 30000", steps=(16384,)),
    Case("openai: a job of flex", [
        Exchange(OPENAI, RESPONSES, js({"id": "resp_f", "status": "queued", "background": True, "model": "gpt-5.4"}),
                 {"model": "gpt-5.4", "background": True, "service_tier": "flex"}),
        Exchange(OPENAI, f"{RESPONSES}/resp_f", js({
            "id": "resp_f", "status": "completed", "background": True, "model": "gpt-5.4", "service_tier": "flex", "usage": {
                "input_tokens": 1000, "output_tokens": 900}}), None, "GET")], "500*2.5 + 450*15", steps=(16384,)),
    Case("openai: a batch that expired has the usage of what was done", [
        Exchange(OPENAI, "/v1/batches/batch_e", js({
            "id": "batch_e", "object": "batch", "status": "expired", "model": "gpt-4o-mini", "output_file_id": "file-oute",
            "usage": {"input_tokens": 1000, "output_tokens": 100}}), None, "GET")], "500*0.15 + 50*0.6", steps=(16384,)),
    Case("openai: a batch of embeddings", [
        Exchange(OPENAI, "/v1/files/file-oe/content", Answer("\n".join(text({
            "id": f"batch_req_{i}", "custom_id": str(i), "response": {"status_code": 200, "body": {
                "object": "list", "data": [{"embedding": [0.1] * 40}], "model": "text-embedding-3-small",
                "usage": {"prompt_tokens": 1000, "total_tokens": 1000}}}, "error": None}) for i in range(4)).encode(),
            "application/octet-stream"), None, "GET")], "4000*0.01", steps=(16384,)),
    Case("openai: a batch of Responses with a search and cached tokens", [
        Exchange(OPENAI, "/v1/files/file-or/content", Answer((text({
            "custom_id": "1", "response": {"status_code": 200, "body": {
                "object": "response", "model": "gpt-5.4", "status": "completed",
                "output": [{"type": "web_search_call", "action": {"type": "search"}}, {"type": "message"}],
                "usage": {"input_tokens": 1000, "output_tokens": 100, "input_tokens_details": {"cached_tokens": 400}}}}}) + "\n"
            ).encode(), "application/jsonl"), None, "GET")], "300*2.5 + 200*0.25 + 50*15 + 10000", steps=(16384,)),
    # What is free, beside one that is not.
    Case("openai: what costs nothing", [
        *[Exchange(OPENAI, path, js(answer), {"model": "gpt-4o-mini", "input": "x" * 400}, method) for method, path, answer in (
            ("POST", "/v1/moderations", {"id": "m", "model": "omni-moderation-latest", "results": []}),
            ("POST", "/v1/responses/input_tokens", {"object": "response.input_tokens", "input_tokens": 300}),
            ("POST", "/v1/files", {"id": "file-1"}), ("POST", "/v1/uploads", {"id": "upload_1"}),
            ("POST", "/v1/conversations", {"id": "conv_1"}), ("POST", "/v1/vector_stores", {"id": "vs_1"}),
            ("POST", "/v1/realtime/client_secrets", {"value": "ek"}), ("DELETE", "/v1/responses/resp_1", {"deleted": True}),
            ("GET", "/v1/models", {"data": []}), ("GET", "/v1/chat/completions", {"data": [{"usage": IN_OUT}]}),
            ("GET", "/v1/responses/resp_1/input_items", {"data": []}), ("GET", "/v1/organization/costs", {"data": []}))],
        Exchange(OPENAI, CHAT, chat("gpt-4o-mini"), {"model": "gpt-4o-mini"})], MINI, steps=(16384,)),
    one("openai: video is remixed", OPENAI, "/v1/videos/video_1/remix", {"prompt": "x"},
        js({"id": "video_2", "status": "queued", "model": "sora-2-pro", "seconds": "8", "size": "1280x720"}), "8*300000"),
    # Azure
    one("azure: cached at a deployment of any name", AZURE, "/openai/deployments/x-y_z/chat/completions?api-version=2024-10-21", {},
        chat("gpt-4.1-mini-2025-04-14", prompt_tokens_details={"cached_tokens": 600}), "400*0.4 + 600*0.1 + 100*1.6"),
    one("azure: Responses at its v1", AZURE, "/openai/v1/responses", {"model": "mine"}, response("gpt-5.4-2026-03-05"),
        "1000*2.5 + 100*15"),
    one("azure: embeddings", AZURE, "/openai/deployments/emb/embeddings?api-version=2024-10-21", {"input": "x"},
        js({"model": "text-embedding-3-large", "usage": {"prompt_tokens": 900, "total_tokens": 900}, "data": []}), "900*0.13"),
    one("azure: a filtered prompt is billed by its text", AZURE, "/openai/deployments/prod/chat/completions", {"model": "gpt-4o"},
        js({"error": {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}, "usage": {
            "prompt_tokens": 1000, "completion_tokens": 0}}, status=400), "1000*2.5"),
    one("azure: DeepSeek in Foundry", "acme.services.ai.azure.com", "/models/chat/completions", {"model": "DeepSeek-R1"},
        chat("deepseek-r1"), "1000*1.35 + 100*5.4"),
    one("azure: serverless Llama", "llama.eastus2.models.ai.azure.com", "/v1/chat/completions", {"model": "Llama-3.3-70B-Instruct"},
        chat("Llama-3.3-70B-Instruct"), "1000*0.71 + 100*0.71"),
    one("azure: a document is read", "acme.services.ai.azure.com", "/providers/mistral/azure/ocr",
        {"model": "mistral-document-ai-2505", "document": {}},
        js({"pages": [], "model": "mistral-document-ai-2505", "usage_info": {"pages_processed": 5, "doc_size_bytes": 1}}),
        "5*3000"),
    one("azure: Cohere ranks", "acme.services.ai.azure.com", "/providers/cohere/v2/rerank", {"model": "cohere-rerank-v3.5"},
        js({"results": [], "meta": {"billed_units": {"search_units": 2}}}), "2*2000"),
]
