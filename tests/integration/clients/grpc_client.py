#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
grpc_client.py JOB: makes calls over gRPC with Debian's python3-grpcio, one after the other on one channel. JOB is JSON:

  host, method       "/google...GenerateContent"; one that begins with Stream has its answers streamed
  request            the file that has the message
  metadata           its fields
  calls              how many (1)
  gzip               true: compresses requests
  leave_after        ends the stream after so many messages
"""
import json
import os
import sys

import grpc

JOB = json.loads(sys.argv[1])


def main():
    with open(os.environ["SSL_CERT_FILE"], "rb") as ca:
        credentials = grpc.ssl_channel_credentials(ca.read())
    compression = grpc.Compression.Gzip if JOB.get("gzip") else None
    channel = grpc.secure_channel(f"{JOB['host']}:443", credentials, compression=compression)
    metadata = [(name, value) for name, value in JOB["metadata"].items() if value]
    is_stream = JOB["method"].rsplit("/", 1)[1].startswith("Stream")
    call = (channel.unary_stream if is_stream else channel.unary_unary)(JOB["method"])
    with open(JOB["request"], "rb") as file:
        request = file.read()
    for _ in range(JOB.get("calls", 1)):
        n = 0
        try:
            if not is_stream:
                n = len(call(request, metadata=metadata, timeout=30))
            for number, answer in enumerate(call(request, metadata=metadata, timeout=30) if is_stream else []):
                n += len(answer)
                if number + 1 == JOB.get("leave_after"):
                    os._exit(0)
            print("done", 200, n, flush=True)
        except grpc.RpcError as error:
            print("done", error.code().value[0], 0, flush=True)
    channel.close()


main()
