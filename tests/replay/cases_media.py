# SPDX-License-Identifier: Apache-2.0
"""Images, audio, video, documents: what is billed by another token than text, or by the piece."""
from bodies import (AZURE, BEDROCK, CHAT, GEMINI, OPENAI, RESPONSES, VERTEX, js, one, sse, typed, Answer)

FORM = (("Content-Type", "multipart/form-data; boundary=x"),)


def form(**fields):
    out = "".join(f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                  for name, value in fields.items())
    return (out + '--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            + "RIFF" * 100 + "\r\n--x--\r\n").encode()


def gemini(usage, **more):
    return js({"candidates": [{"content": {"parts": [{"text": "x"}]}}], "usageMetadata": usage, **more})


def model(name, method="generateContent"):
    return f"/v1beta/models/{name}:{method}"


CASES = [
    # gpt-4o-audio-preview: in 2.5, audio in 40, out 10, audio out 80.
    one("audio in and out of a chat", OPENAI, CHAT, {"model": "gpt-4o-audio-preview"},
        js({"model": "gpt-4o-audio-preview", "usage": {
            "prompt_tokens": 160, "completion_tokens": 240, "total_tokens": 400,
            "prompt_tokens_details": {"cached_tokens": 0, "text_tokens": 60, "audio_tokens": 100},
            "completion_tokens_details": {"text_tokens": 40, "audio_tokens": 200, "reasoning_tokens": 0}}}),
        "60*2.5 + 100*40 + 40*10 + 200*80"),
    one("audio of a chat, as a stream", OPENAI, CHAT,
        {"model": "gpt-4o-audio-preview", "stream": True, "stream_options": {"include_usage": True}},
        sse({"model": "gpt-4o-audio-preview", "choices": [{"delta": {"audio": {"data": "AAAA"}}}], "usage": None},
            {"model": "gpt-4o-audio-preview", "choices": [], "usage": {
                "prompt_tokens": 60, "completion_tokens": 240,
                "completion_tokens_details": {"audio_tokens": 200}}}, "[DONE]"),
        "60*2.5 + 40*10 + 200*80"),
    # gpt-image-1-mini: text 2, image in 2.5, image out 8.
    one("an image model's edit", OPENAI, "/v1/images/edits", form(model="gpt-image-1-mini", prompt="a hat"),
        js({"data": [{"b64_json": "aGk="}], "usage": {
            "input_tokens": 420, "output_tokens": 1056, "total_tokens": 1476,
            "input_tokens_details": {"text_tokens": 32, "image_tokens": 388}}}),
        "32*2 + 388*2.5 + 1056*8", sent=FORM),
    one("an image as a stream of partial ones", OPENAI, "/v1/images/generations",
        {"model": "gpt-image-1-mini", "stream": True, "partial_images": 2, "prompt": "a hat"},
        typed({"type": "image_generation.partial_image", "b64_json": "A" * 70000, "partial_image_index": 0},
              {"type": "image_generation.partial_image", "b64_json": "B" * 70000, "partial_image_index": 1},
              {"type": "image_generation.completed", "b64_json": "C" * 70000, "usage": {
                  "input_tokens": 12, "output_tokens": 1256, "total_tokens": 1268,
                  "input_tokens_details": {"text_tokens": 12, "image_tokens": 0}}}),
        "12*2 + 1256*8"),
    # gpt-5-mini in 0.25, out 2; the tool's gpt-image-1-mini as above.
    one("the image tool inside a stream", OPENAI, RESPONSES,
        {"model": "gpt-5-mini", "stream": True, "tools": [{"type": "image_generation", "model": "gpt-image-1-mini"}]},
        typed({"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5-mini", "usage": None}},
              {"type": "response.image_generation_call.partial_image", "partial_image_b64": "A" * 40000},
              {"type": "response.completed", "response": {
                  "id": "resp_1", "status": "completed", "model": "gpt-5-mini",
                  "output": [{"type": "image_generation_call", "result": "A" * 40000}],
                  "tools": [{"type": "image_generation", "model": "gpt-image-1-mini"}],
                  "tool_usage": {"image_gen": {"input_tokens": 40, "input_tokens_details": {"text_tokens": 40,
                                                                                           "image_tokens": 0},
                                               "output_tokens": 272, "output_tokens_details": {"image_tokens": 272,
                                                                                              "text_tokens": 0}}},
                  "usage": {"input_tokens": 500, "output_tokens": 20, "total_tokens": 520}}}),
        "500*0.25 + 20*2 + 40*2 + 272*8"),
    # gemini-3-pro-image-preview: in 2, out 12, image out 120.
    one("Gemini: image, text and thoughts", GEMINI, model("gemini-3-pro-image-preview"), {},
        gemini({"promptTokenCount": 20, "candidatesTokenCount": 1150, "thoughtsTokenCount": 200,
                "totalTokenCount": 1370, "candidatesTokensDetails": [
                    {"modality": "IMAGE", "tokenCount": 1120}]}, modelVersion="gemini-3-pro-image-preview"),
        "20*2 + 30*12 + 200*12 + 1120*120"),
    # gemini-2.5-flash: in 0.3, audio in 1, out 2.5; video is as text.
    one("Gemini: a video with its sound", GEMINI, model("gemini-2.5-flash"), {},
        gemini({"promptTokenCount": 3200, "candidatesTokenCount": 50, "totalTokenCount": 3250,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}, {"modality": "VIDEO", "tokenCount": 2580},
                                        {"modality": "AUDIO", "tokenCount": 600}]}, modelVersion="gemini-2.5-flash"),
        "2600*0.3 + 600*1 + 50*2.5"),
    one("Gemini: audio as a stream, cumulative", GEMINI, model("gemini-2.5-flash", "streamGenerateContent?alt=sse"), {},
        sse({"candidates": [{}], "modelVersion": "gemini-2.5-flash", "usageMetadata": {
                "promptTokenCount": 600, "candidatesTokenCount": 1,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 500}]}},
            {"candidates": [{}], "modelVersion": "gemini-2.5-flash", "usageMetadata": {
                "promptTokenCount": 600, "candidatesTokenCount": 80, "thoughtsTokenCount": 20,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 500}]}}),
        "100*0.3 + 500*1 + 100*2.5"),
    # gemini-3.8-flash-tts: text 0.5, audio out 9.
    one("Gemini: speech", GEMINI, model("gemini-3.8-flash-tts"), {},
        gemini({"promptTokenCount": 40, "candidatesTokenCount": 500,
                "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 500}]},
               modelVersion="gemini-3.8-flash-tts"), "40*0.5 + 500*9"),
    # imagen-4.0-generate-001: 0.04 an image.
    one("Imagen: three", GEMINI, model("imagen-4.0-generate-001", "predict"),
        {"instances": [{"prompt": "x"}], "parameters": {"sampleCount": 4}},
        js({"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": "AAAA"}] * 3}), "3*40000"),
    one("Imagen: one was filtered", VERTEX,
        "/v1/projects/p/locations/us-central1/publishers/google/models/imagen-4.0-generate-001:predict",
        {"instances": [{"prompt": "x"}], "parameters": {"sampleCount": 2}},
        js({"predictions": [{"bytesBase64Encoded": "AAAA"}, {"raiFilteredReason": "no"}]}), "1*40000"),
    # veo-3.1-generate-001: 0.4 a second.
    one("Veo: two of six seconds", GEMINI, model("veo-3.1-generate-001", "predictLongRunning"),
        {"instances": [{"prompt": "x"}], "parameters": {"sampleCount": 2, "durationSeconds": 6}},
        js({"name": "models/veo-3.1-generate-001/operations/abc"}), "12*400000"),
    # sora-2 0.1, sora-2-pro 0.3 a second, 0.5 in 1792x1024 (developers.openai.com/api/docs/pricing).
    one("Sora: eight seconds", OPENAI, "/v1/videos", {"model": "sora-2", "seconds": "8", "prompt": "x"},
        js({"id": "video_1", "status": "queued", "model": "sora-2", "seconds": "8", "size": "720x1280"}), "8*100000"),
    one("Sora: in high resolution", OPENAI, "/v1/videos",
        form(model="sora-2-pro", seconds="4", size="1792x1024"),
        js({"id": "video_2", "status": "queued", "model": "sora-2-pro", "seconds": "4", "size": "1792x1024"}),
        "4*500000", sent=FORM),
    # gpt-4o-mini-transcribe: 1.25 in, 5 out.
    one("a transcription as a stream", OPENAI, "/v1/audio/transcriptions",
        form(model="gpt-4o-mini-transcribe", stream="true"),
        typed({"type": "transcript.text.delta", "delta": "Hello"},
              {"type": "transcript.text.done", "text": "Hello", "usage": {
                  "type": "tokens", "input_tokens": 214, "output_tokens": 31, "total_tokens": 245,
                  "input_token_details": {"text_tokens": 14, "audio_tokens": 200}}}),
        "214*1.25 + 31*5", sent=FORM),
    # whisper-1: 0.0001 a second.
    one("Whisper: a duration with decimals", OPENAI, "/v1/audio/translations", form(model="whisper-1"),
        js({"text": "hi", "task": "translate", "duration": 7.25, "segments": []}), "7.25*100", sent=FORM),
    one("Whisper: usage beside the duration", OPENAI, "/v1/audio/transcriptions", form(model="whisper-1"),
        js({"text": "hi", "duration": 59.3, "usage": {"type": "duration", "seconds": 60}}), "60*100", sent=FORM),
    # groq/whisper-large-v3: 0.00003083 a second.
    one("Whisper at Groq", "api.groq.com", "/openai/v1/audio/transcriptions", form(model="whisper-large-v3"),
        js({"text": "hi", "duration": 100.0, "x_groq": {"id": "req_1"}}), "100*30.83", sent=FORM),
    # docs.mistral.ai: voxtral-mini-transcribe-2507 0.002, voxtral-mini-latest 0.003 a minute, and nothing by token.
    *[one(f"Voxtral: {name}", "api.mistral.ai", "/v1/audio/transcriptions", form(model=name),
          js({"model": name, "text": "hi", "language": None, "usage": {
              "prompt_audio_seconds": 203, "prompt_tokens": 4, "total_tokens": 3264, "completion_tokens": 635}}),
          f"203*{second}", sent=FORM)
      for name, second in (("voxtral-mini-transcribe-2507", "33.3333"), ("voxtral-mini-latest", "50"))],
    # gpt-4o-mini-tts as SSE tells its tokens: 2.5 in, 12 audio out.
    one("speech that tells its tokens", OPENAI, "/v1/audio/speech",
        {"model": "gpt-4o-mini-tts", "input": "Hello there", "stream_format": "sse"},
        typed({"type": "speech.audio.delta", "audio": "AAAA"},
              {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}}),
        "14*2.5 + 101*12"),
    # tts-1-hd: 30 a million characters.
    one("speech by character", OPENAI, "/v1/audio/speech", {"model": "tts-1-hd", "input": "Straße 12", "voice": "alloy"},
        Answer(b"\xff\xf3" * 50, "audio/mpeg"), "9*30"),
    # azure/tts-1: the same host's paths name a deployment: azure/tts-1 15 a million.
    one("speech at Azure", AZURE, "/openai/deployments/tts-1/audio/speech?api-version=2025-03-01-preview",
        {"model": "tts-1", "input": "Hello"}, Answer(b"\xff\xf3" * 50, "audio/mpeg"), "5*15"),
    # nova-3: 0.0043 a minute; each channel is billed (deepgram.com, "Multichannel").
    one("Deepgram", "api.deepgram.com", "/v1/listen?model=nova-3", None,
        js({"metadata": {"duration": 90.5, "channels": 1, "model_info": {"u": {"name": "general-nova-3", "arch": "nova-3"}}},
            "results": {"channels": [{}]}}), "90.5*71.67"),
    one("Deepgram: two channels", "api.deepgram.com", "/v1/listen?model=nova-3&multichannel=true", None,
        js({"metadata": {"duration": 90.5, "channels": 2, "model_info": {"u": {"arch": "nova-3"}}},
            "results": {"channels": [{}, {}]}}), "181*71.67"),
    # eleven_multilingual_v2: 0.00018 a character.
    one("ElevenLabs", "api.elevenlabs.io", "/v1/text-to-speech/voice1?output_format=mp3_44100_128",
        {"text": "Hello there", "model_id": "eleven_multilingual_v2"}, Answer(b"\xff\xf3" * 50, "audio/mpeg"), "11*180"),
    # mistral-ocr-2512: 0.002 a page.
    one("OCR by the page", "api.mistral.ai", "/v1/ocr", {"model": "mistral-ocr-2512", "document": {}},
        js({"pages": [{"index": 0, "markdown": "x"}], "model": "mistral-ocr-2512",
            "usage_info": {"pages_processed": 7, "doc_size_bytes": 1000}}), "7*2000"),
    # dall-e-2: 0.02 an image in 1024x1024.
    one("DALL-E 2: three variations", OPENAI, "/v1/images/variations", form(n="3", size="1024x1024"),
        js({"data": [{"url": "https://x/1"}, {"url": "https://x/2"}, {"url": "https://x/3"}]}), "3*20000", sent=FORM),
    one("DALL-E 2: small", OPENAI, "/v1/images/generations", {"model": "dall-e-2", "size": "256x256", "prompt": "x"},
        js({"data": [{"url": "https://x/1"}]}), "1*16000"),
    # titan-embed-image-v1: 0.8 a million tokens, 60 a million pictures.
    one("Titan: a picture and words that are embedded", BEDROCK, "/model/amazon.titan-embed-image-v1/invoke",
        {"inputText": "a hat", "inputImage": "iVBORw0KGgo" * 500}, js({"embedding": [0.1], "inputTextTokenCount": 30}), "30*0.8 + 60"),
    one("Titan: a picture alone", BEDROCK, "/model/amazon.titan-embed-image-v1/invoke",
        {"inputImage": "iVBORw0KGgo" * 500}, js({"embedding": [0.1], "inputTextTokenCount": 0}), "60"),
    # nova-canvas 0.06, stable-image-core 0.04 an image.
    one("Nova Canvas", BEDROCK, "/model/amazon.nova-canvas-v1%3A0/invoke",
        {"taskType": "TEXT_IMAGE", "imageGenerationConfig": {"numberOfImages": 2}},
        js({"images": ["AAAA", "BBBB"], "error": None}), "2*60000"),
    one("Stability at Bedrock", BEDROCK, "/model/stability.stable-image-core-v1%3A1/invoke", {"prompt": "x"},
        js({"seeds": [1], "finish_reasons": [None], "images": ["AAAA"]}), "1*40000"),
    # gpt-4o: 2.5 in, 10 out; tokens of images that are shown are the text's price.
    one("images that are shown to a chat", OPENAI, CHAT, {"model": "gpt-4o"},
        js({"model": "gpt-4o", "usage": {"prompt_tokens": 900, "completion_tokens": 10,
                                         "prompt_tokens_details": {"image_tokens": 765, "text_tokens": 135}}}),
        "900*2.5 + 10*10"),
]
