# SPDX-License-Identifier: Apache-2.0
"""
Gemini and Vertex over gRPC, with token counts drawn from the call's number: shapes.py's answers as messages of
protobuf (pb.py). An error is a status in the trailers.
"""
import pb
import shapes

APIS = {pb.Gemini.SERVICE: pb.Gemini, pb.Vertex.SERVICE: pb.Vertex}
STATUSES = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14}
CONTENT = "application/grpc"


def counts(api, tokens, output):
    prompt = tokens["input"] + tokens["cache_read"]
    thoughts = min(tokens["reasoning"], output)
    return api.usage(prompt, output - thoughts, tokens["cache_read"], thoughts)


def messages(api, rng, fake, model, says, is_stream):
    """(message, output tokens that are spent with it); counts are cumulative and in each."""
    tokens = says.tokens
    if not is_stream:
        yield api.answer(says.whole(), counts(api, tokens, tokens["output"]), model), tokens["output"]
        return
    spent = 0
    for text in says.deltas(5):
        spent = min(tokens["output"], spent + len(text.encode()) // 4 + 1)
        yield api.answer(text, counts(api, tokens, spent), model), spent
    yield api.answer("", counts(api, tokens, tokens["output"]), model), tokens["output"]


def answer(rng, request, method):
    """Of a call to `method`, GenerateContent or StreamGenerateContent; None: it is neither."""
    service, _, name = method.rpartition("/")
    api = APIS.get(service + "/")
    if api is None or name not in ("GenerateContent", "StreamGenerateContent"):
        return None
    fake, (asked,) = request.fake, pb.unframed(request.body)
    model, is_stream = api.model_of(asked), name.startswith("Stream")
    if "status" in fake:
        made = shapes.Answer(200, model, {}, [], CONTENT)
        made.trailers = [("grpc-status", str(STATUSES[int(fake["status"])])), ("grpc-message", "no")]
        made.billed_status = int(fake["status"])
        return made
    says = shapes.Says(rng, fake, {"model": model}, False)
    packed = fake.get("encoding") == "gzip"
    made = shapes.Answer(200, model, says.tokens, [(pb.framed(data, packed), spent) for data, spent
                                                   in messages(api, rng, fake, model, says, is_stream)],
                         CONTENT, [("grpc-encoding", "gzip")] if packed else [])
    made.trailers, made.is_stream = [("grpc-status", "0")], is_stream
    return made
