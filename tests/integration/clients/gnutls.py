#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""gnutls.py JOB: as python.py, with libcurl over GnuTLS (Debian's pycurl), on one connection."""
import json
import os
import sys

import pycurl

job = json.loads(sys.argv[1])
if job.get("expand"):
    job["body"]["messages"][0]["content"] *= job["expand"]
curl = pycurl.Curl()
curl.setopt(pycurl.URL, f"https://{job['host']}{job['path']}")
curl.setopt(pycurl.CAINFO, os.environ["CURL_CA_BUNDLE"])
curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
curl.setopt(pycurl.HTTPHEADER, ["content-type: application/json", "expect:",
                                *(f"{n}: {v}" for n, v in job["headers"].items())])
curl.setopt(pycurl.POSTFIELDS, json.dumps(job["body"]))
curl.setopt(pycurl.WRITEFUNCTION, len)
for _ in range(job.get("calls", 1)):
    curl.perform()
    print("done", curl.getinfo(pycurl.RESPONSE_CODE), int(curl.getinfo(pycurl.SIZE_DOWNLOAD)), flush=True)
    if job.get("step"):
        sys.stdin.readline()
