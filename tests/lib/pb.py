# SPDX-License-Identifier: Apache-2.0
"""
Protobuf by field numbers, and gRPC's framing: what Gemini and Vertex send and are sent
(docs/facts/wire.md, "gRPC").
"""
import gzip
import struct


def varint(value):
    value &= (1 << 64) - 1      # an int32 below 0 has ten bytes
    out = b""
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def message(*fields):
    """Of (number, value): an int, a double as float, a str, or bytes, which may be a message."""
    out = b""
    for number, value in fields:
        if isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        elif isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def framed(data, compressed=False):
    data = gzip.compress(data) if compressed else data
    return struct.pack(">BI", compressed, len(data)) + data


def unframed(body):
    """The messages of a body, compressed or not."""
    out = []
    while body:
        compressed, size = struct.unpack(">BI", body[:5])
        out.append(gzip.decompress(body[5:5 + size]) if compressed else body[5:5 + size])
        body = body[5 + size:]
    return out


def fields(data):
    """(number, value) of a message: integers, and bytes."""
    at, out = 0, []

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if not byte & 0x80:
                return value
    while at < len(data):
        tag = number()
        if tag & 7 == 2:
            size = number()
            out.append((tag >> 3, data[at:at + size]))
            at += size
        else:
            out.append((tag >> 3, number()))
    return out


TEXT, IMAGE, VIDEO, AUDIO, DOCUMENT = range(1, 6)


class Gemini:
    """google.ai.generativelanguage.v1beta."""
    SERVICE = "/google.ai.generativelanguage.v1beta.GenerativeService/"
    MODEL = "models/{}"

    @staticmethod
    def request(model, text, *more):
        return message((1, Gemini.MODEL.format(model)), (2, message((1, message((2, text))), (2, "user"))), *more)

    @staticmethod
    def model_of(request):
        return next(value for number, value in fields(request) if number == 1).decode().split("/")[-1]

    @staticmethod
    def answer(text=None, usage=None, model=None, *more):
        out = []
        if text is not None:
            out.append((1, message((1, message((1, message((2, text))), (2, "model"))), (3, 0), *more)))
        if usage is not None:
            out.append((3, message(*usage)))
        if model is not None:
            out.append((4, model))
        return message(*out)

    @staticmethod
    def usage(prompt, output, cached=0, thoughts=0, *details):
        return [(1, prompt), (2, output), (3, prompt + output + thoughts), (4, cached), (10, thoughts), *details]


class Vertex:
    """google.cloud.aiplatform.v1."""
    SERVICE = "/google.cloud.aiplatform.v1.PredictionService/"
    MODEL = "projects/acme/locations/us-central1/publishers/google/models/{}"

    @staticmethod
    def request(model, text, *more):
        return message((5, Vertex.MODEL.format(model)), (2, message((1, "user"), (2, message((1, text))))), *more)

    @staticmethod
    def model_of(request):
        return next(value for number, value in fields(request) if number == 5).decode().split("/")[-1]

    @staticmethod
    def answer(text=None, usage=None, model=None, *more):
        out = []
        if text is not None:
            out.append((2, message((1, 0), (2, message((1, "model"), (2, message((1, text))))), *more)))
        if usage is not None:
            out.append((4, message(*usage)))
        if model is not None:
            out.append((11, model))
        return message(*out)

    @staticmethod
    def usage(prompt, output, cached=0, thoughts=0, *details):
        return [(1, prompt), (2, output), (3, prompt + output + thoughts), (5, cached), (14, thoughts), *details]


def value(data):
    """google.protobuf.Value of what JSON has."""
    if isinstance(data, bool):
        return message((4, int(data)))
    if isinstance(data, (int, float)):
        return message((2, float(data)))
    if isinstance(data, str):
        return message((3, data))
    if isinstance(data, list):
        return message((6, message(*((1, value(each)) for each in data))))
    return message((5, message(*((1, message((1, key), (2, value(each)))) for key, each in data.items()))))
