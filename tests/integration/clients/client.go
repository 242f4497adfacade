// SPDX-License-Identifier: Apache-2.0

// client JOB: as python.py, with Go's net/http over crypto/tls, on one connection.
package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

type job struct {
	Host, Path string
	Headers    map[string]string
	Body       map[string]any
	Calls      int
	Expand     int
	Step       bool
	HTTP2      bool
}

func call(client *http.Client, work *job, body string) {
	request, err := http.NewRequest("POST", "https://"+work.Host+work.Path, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	for name, value := range work.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("content-type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	n, err := io.Copy(io.Discard, answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
	fmt.Println("done", answer.StatusCode, n)
}

func main() {
	work := job{Calls: 1, Expand: 1}
	if err := json.Unmarshal([]byte(os.Args[1]), &work); err != nil {
		log.Fatal(err)
	}
	if messages, ok := work.Body["messages"].([]any); ok {
		message := messages[0].(map[string]any)
		message["content"] = strings.Repeat(message["content"].(string), work.Expand)
	}
	body, err := json.Marshal(work.Body)
	if err != nil {
		log.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true, ForceAttemptHTTP2: work.HTTP2}
	if !work.HTTP2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	client := &http.Client{Transport: transport}
	lines := bufio.NewReader(os.Stdin)
	for i := 0; i < work.Calls; i++ {
		call(client, &work, string(body))
		if work.Step {
			lines.ReadString('\n')
		}
	}
}
