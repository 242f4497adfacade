#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""parallel_gnutls.py JOB: as parallel.mjs, with libcurl over GnuTLS (Debian's pycurl), on one thread."""
import json
import os
import sys

import pycurl

job = json.loads(sys.argv[1])
multi = pycurl.CurlMulti()


def ask(curl, lane, turn):
    curl.lane, curl.turn = lane, turn
    curl.setopt(pycurl.HTTPHEADER, ["content-type: application/json", "expect:",
                                    f"x-api-key: {job['run']}-{lane}-{turn}."])
    curl.setopt(pycurl.POSTFIELDS, json.dumps({**job["body"], "user": "x" * job["sizes"][lane * job["rounds"] + turn]}))
    multi.add_handle(curl)


for i in range(job["lanes"]):
    one = pycurl.Curl()
    one.setopt(pycurl.URL, f"https://{job['host']}{job['path']}")
    one.setopt(pycurl.CAINFO, os.environ["CURL_CA_BUNDLE"])
    one.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    one.setopt(pycurl.WRITEFUNCTION, len)
    ask(one, i, 0)
left = job["lanes"]
while left:
    multi.perform()
    multi.select(0.1)
    for curl in multi.info_read()[1]:
        assert curl.getinfo(pycurl.RESPONSE_CODE) == 200
        multi.remove_handle(curl)
        if curl.turn + 1 < job["rounds"]:
            ask(curl, curl.lane, curl.turn + 1)
        else:
            left -= 1
    failed = multi.info_read()[2]
    assert not failed, failed
