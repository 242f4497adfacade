// SPDX-License-Identifier: Apache-2.0

// parallel JOB: as parallel.mjs, with Go's net/http over crypto/tls.
package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
)

type job struct {
	Host, Path, Run string
	Body            map[string]any
	Lanes, Rounds   int
	Sizes           []int
}

func call(client *http.Client, work *job, lane, round int) {
	body := map[string]any{"user": strings.Repeat("x", work.Sizes[lane*work.Rounds+round])}
	for name, value := range work.Body {
		body[name] = value
	}
	text, err := json.Marshal(body)
	if err != nil {
		log.Fatal(err)
	}
	request, err := http.NewRequest("POST", "https://"+work.Host+work.Path, bytes.NewReader(text))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("content-type", "application/json")
	request.Header.Set("x-api-key", fmt.Sprintf("%s-%d-%d.", work.Run, lane, round))
	answer, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != 200 {
		log.Fatal(answer.StatusCode, err)
	}
}

func main() {
	var work job
	if err := json.Unmarshal([]byte(os.Args[1]), &work); err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
		MaxIdleConnsPerHost: work.Lanes,
	}}
	var group sync.WaitGroup
	for lane := 0; lane < work.Lanes; lane++ {
		group.Add(1)
		go func(lane int) {
			defer group.Done()
			for round := 0; round < work.Rounds; round++ {
				call(client, &work, lane, round)
			}
		}(lane)
	}
	group.Wait()
}
